//! The forms of a card on the wire, and conditional requests for them.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A card in every form that is asked for.
#[derive(Debug, Clone)]
pub struct PublishedCard {
    /// For `A2A-Version: 1.0`: nothing but 1.0.
    pub v1: Value,
    /// For `A2A-Version: 0.3`: nothing but 0.3.
    pub v03: Value,
    /// For readers that do not say: 1.0 with the members by which a 0.3 reader finds its way.
    pub merged: Value,
}

impl PublishedCard {
    /// Completes a card with the URL under which clients reach the agent.
    pub fn new(card: Value, url: &str) -> Self {
        let url = format!("{}/", url.trim_end_matches('/'));
        let interface =
            |version: &str| json!({ "url": url, "protocolBinding": "JSONRPC", "protocolVersion": version });
        let mut v1 = card.clone();
        v1["supportedInterfaces"] = json!([interface("1.0"), interface("0.3")]);
        let mut merged = v1.clone();
        let mut v03 = card;
        for form in [&mut merged, &mut v03] {
            form["url"] = json!(url);
            form["preferredTransport"] = json!("JSONRPC");
            form["protocolVersion"] = json!("0.3.0");
        }
        v03["supportsAuthenticatedExtendedCard"] = json!(false);
        if let Some(capabilities) = v03["capabilities"].as_object_mut() {
            capabilities.remove("extendedAgentCard");
            capabilities.insert("stateTransitionHistory".to_owned(), json!(false));
        }
        Self { v1, v03, merged }
    }

    /// Answers a request for a form, with 304 where the reader has it already.
    pub fn respond(&self, form: &Value, headers: &HeaderMap) -> Response {
        let body = form.to_string();
        let digest: String =
            Sha256::digest(&body).iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        let etag = format!("\"{digest}\"");
        let mut response = match is_known(headers, &etag) {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => body.into_response(),
        };
        let common = response.headers_mut();
        common.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        common.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
        common.insert(VARY, HeaderValue::from_static("A2A-Version"));
        if let Ok(etag) = HeaderValue::from_str(&etag) {
            common.insert(ETAG, etag);
        }
        response
    }
}

/// Weak comparison with every tag of `If-None-Match` (RFC 9110 §13.1.2).
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let lists = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    lists
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// An extension that the card declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredExtension {
    /// Its name.
    pub uri: String,
    /// Calls that do not ask for it are refused.
    pub required: bool,
}

impl PublishedCard {
    /// The extensions that the card declares.
    pub fn extensions(&self) -> Vec<DeclaredExtension> {
        let declared = self.v1["capabilities"]["extensions"].as_array().into_iter().flatten();
        declared
            .filter_map(|extension| {
                let uri = extension["uri"].as_str()?.to_owned();
                Some(DeclaredExtension { uri, required: extension["required"] == true })
            })
            .collect()
    }
}
