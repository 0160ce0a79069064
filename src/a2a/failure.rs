//! An error on its way out: the JSON-RPC object, and what HTTP says about it.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use jsonrpsee::types::ErrorObjectOwned;
use serde_json::{Value, json};

use super::errors::{A2aError, TOO_MANY_REQUESTS, UNAVAILABLE, http_status};
use super::request::RequestId;
use super::server::RpcAnswer;

/// An error with its HTTP headers and, where HTTP itself has something to say to clients and proxies, its status.
#[derive(Debug)]
pub(super) struct Failure {
    error: ErrorObjectOwned,
    status: Option<StatusCode>,
    headers: HeaderMap,
}

impl Failure {
    /// As JSON-RPC: HTTP 200, unless HTTP has a word of its own (§9.5).
    pub(super) fn to_rpc(&self, id: &RequestId) -> Response {
        let answer = RpcAnswer::error(id, &self.error);
        self.respond(self.status.unwrap_or(StatusCode::OK), "application/json", answer)
    }

    /// As HTTP+JSON: a `google.rpc.Status` (§11.6).
    pub(super) fn to_rest(&self, content_type: &'static str) -> Response {
        self.respond(self.rest_status(), content_type, self.rest_body().to_string())
    }

    /// The body of [`Self::to_rest`].
    pub(super) fn rest_body(&self) -> Value {
        let details = self.error.data().and_then(|data| serde_json::from_str(data.get()).ok());
        json!({ "error": {
            "code": self.rest_status().as_u16(),
            "status": http_status(self.error.code()).1,
            "message": self.error.message(),
            "details": details.unwrap_or_else(|| json!([])),
        }})
    }

    fn rest_status(&self) -> StatusCode {
        self.status.unwrap_or_else(|| http_status(self.error.code()).0)
    }

    /// The JSON-RPC object.
    pub(super) fn error(&self) -> &ErrorObjectOwned {
        &self.error
    }

    fn respond(&self, status: StatusCode, content_type: &'static str, body: String) -> Response {
        let mut response = (status, self.headers.clone(), body).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    }
}

impl From<A2aError> for Failure {
    fn from(error: A2aError) -> Self {
        let (status, header) = match &error {
            A2aError::Unauthenticated { challenge, .. } | A2aError::Forbidden { challenge, .. } => {
                (Some(http_status(error.code()).0), challenge.clone().map(|value| (WWW_AUTHENTICATE, value)))
            }
            A2aError::TooManyRequests { retry_after, .. } => {
                (Some(StatusCode::TOO_MANY_REQUESTS), Some((RETRY_AFTER, HeaderValue::from(*retry_after))))
            }
            A2aError::Unavailable(_) => {
                (Some(StatusCode::SERVICE_UNAVAILABLE), Some((RETRY_AFTER, HeaderValue::from(1))))
            }
            A2aError::BodyNotRead { .. } => (Some(StatusCode::PAYLOAD_TOO_LARGE), None),
            A2aError::NotJsonContent => (Some(StatusCode::UNSUPPORTED_MEDIA_TYPE), None),
            _ => (None, None),
        };
        Self { error: error.into(), status, headers: HeaderMap::from_iter(header) }
    }
}

impl From<ErrorObjectOwned> for Failure {
    /// An error that comes out of the method table: what is for later says when.
    fn from(error: ErrorObjectOwned) -> Self {
        let later = matches!(error.code(), UNAVAILABLE | TOO_MANY_REQUESTS);
        let header = later.then_some((RETRY_AFTER, HeaderValue::from(1)));
        let status = later.then(|| http_status(error.code()).0);
        Self { error, status, headers: HeaderMap::from_iter(header) }
    }
}
