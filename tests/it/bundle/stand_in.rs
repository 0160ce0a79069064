//! A live cluster with the objects of a bundle, where some requests are answered differently.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use drydock::cluster::{Bundle, BundleApi, BundleResponse, Cluster, ClusterInfo};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tower::ServiceExt;

pub(super) fn answer(code: StatusCode, body: &Value) -> BundleResponse {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = code;
    response
}

pub(super) fn refusal(code: StatusCode, reason: &str) -> BundleResponse {
    let message = format!("no: {reason}");
    answer(
        code,
        &json!({ "kind": "Status", "status": "Failure", "reason": reason, "message": message, "code": code.as_u16() }),
    )
}

/// A live cluster with the objects of a bundle, where some requests are answered differently.
pub(super) fn live(
    bundle: Bundle,
    otherwise: impl Fn(&str, &str) -> Option<BundleResponse> + Send + Sync + 'static,
) -> Cluster {
    let api = BundleApi::new(Arc::new(bundle));
    let otherwise = Arc::new(otherwise);
    let service = tower::service_fn(move |request: Request<kube::client::Body>| {
        let (api, otherwise) = (api.clone(), Arc::clone(&otherwise));
        async move {
            let uri = request.uri().clone();
            match otherwise(uri.path(), uri.query().unwrap_or_default()) {
                Some(response) => Ok::<_, Infallible>(response),
                None => api.oneshot(request).await,
            }
        }
    });
    let info = ClusterInfo { name: "live".to_owned(), version: None, recorded: false, captured_at: None };
    Cluster::new(kube::Client::new(service, "default"), info)
}
