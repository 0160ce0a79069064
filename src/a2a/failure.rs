//! An error on its way out: the JSON-RPC object, and what HTTP says about it.

use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use jsonrpsee_types::ErrorObjectOwned;
use serde_json::{Value, json};

use super::errors::{A2aError, http_status};
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
        self.respond(self.status.unwrap_or(StatusCode::OK), answer)
    }

    /// As HTTP+JSON: a `google.rpc.Status` (§11.6), which is plain JSON and nothing of A2A's.
    pub(super) fn to_rest(&self) -> Response {
        self.respond(self.rest_status(), self.rest_body().to_string())
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

    fn respond(&self, status: StatusCode, body: String) -> Response {
        (status, self.headers.clone(), [(CONTENT_TYPE, "application/json")], body).into_response()
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
            A2aError::BodyNotRead { .. } => {
                (Some(StatusCode::PAYLOAD_TOO_LARGE), Some((CONNECTION, HeaderValue::from_static("close"))))
            }
            _ => (None, None),
        };
        Self { error: error.into(), status, headers: HeaderMap::from_iter(header) }
    }
}
