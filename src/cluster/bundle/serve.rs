//! A bundle over HTTP, for kubectl and whatever else speaks to an API server.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::header::HOST;
use tokio::net::TcpListener;

use super::api::Failure;
use super::{Bundle, BundleApi};

/// How long open connections may take to end.
const GRACE: Duration = Duration::from_secs(5);

/// Serves a bundle as a Kubernetes API, without authentication, until `stop` ends.
pub async fn serve_bundle(
    bundle: Arc<Bundle>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let mut router = Router::new().fallback_service(BundleApi::new(bundle));
    if listener.local_addr()?.ip().is_loopback() {
        router = router.layer(middleware::from_fn(only_from_here));
    }
    let (stopping, stopped) = tokio::sync::oneshot::channel();
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
        stop.await;
        let _ = stopping.send(());
    });
    tokio::select! {
        served = serving => served,
        () = async { let _ = stopped.await; tokio::time::sleep(GRACE).await } => Ok(()),
    }
}

/// A page in a browser on this machine could make the browser ask, under a name that it controls.
async fn only_from_here(request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri().authority().map(|authority| authority.as_str()));
    match host.is_none_or(is_this_machine) {
        true => next.run(request).await,
        false => Failure::foreign_host().response().into_response(),
    }
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_matches(['[', ']']);
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("localhost:8001", true)]
    #[case("127.0.0.1:41234", true)]
    #[case("127.0.0.1", true)]
    #[case("[::1]:8001", true)]
    #[case("attacker.example:8001", false)]
    #[case("10.0.0.7:8001", false)]
    fn only_names_of_this_machine_are_answered(#[case] host: &str, #[case] answered: bool) {
        assert_eq!(is_this_machine(host), answered);
    }
}
