//! Documents over HTTP: entity tags and conditional requests (RFC 9110 §8.8, §13).

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A JSON document with its entity tag.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) value: Value,
    etag: String,
}

/// How long, and by whom, a document may be kept, and what it depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caching {
    pub(super) control: &'static str,
    pub(super) vary: Option<&'static str>,
}

impl Document {
    /// A document that is the same bytes for the same content.
    pub(super) fn new(value: Value) -> Self {
        let etag = tag(&value);
        Self { value, etag }
    }

    /// A document with signatures. They differ each time they are made; `content` does not, so its tag is a weak one,
    /// and replicas agree on it.
    pub(super) fn signed(content: &Value, signed: Value) -> Self {
        Self { value: signed, etag: format!("W/{}", tag(content)) }
    }

    /// Answers a GET or HEAD request, with 304 where the reader has it already.
    pub(super) fn respond(&self, headers: &HeaderMap, caching: Caching) -> Response {
        let mut response = match is_known(headers, &self.etag) {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => self.value.to_string().into_response(),
        };
        let common = response.headers_mut();
        common.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        common.insert(CACHE_CONTROL, HeaderValue::from_static(caching.control));
        if let Some(vary) = caching.vary {
            common.insert(VARY, HeaderValue::from_static(vary));
        }
        if let Ok(etag) = HeaderValue::from_str(&self.etag) {
            common.insert(ETAG, etag);
        }
        response
    }
}

fn tag(value: &Value) -> String {
    let digest: String =
        Sha256::digest(value.to_string()).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digest}\"")
}

/// Weak comparison with every tag of `If-None-Match` (RFC 9110 §13.1.2).
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    lists.flat_map(|list| list.split(',')).map(str::trim).any(|tag| tag == "*" || opaque(tag) == opaque(etag))
}
