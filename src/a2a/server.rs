//! The HTTP surface: the agent card, `/health`, and `POST /` for JSON-RPC in both dialects.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jsonrpsee::types::ErrorObjectOwned;
use serde_json::{Value, json};

use super::errors::{A2aError, UNAVAILABLE};
use super::methods::{Caller, Methods, STREAMING};
use super::request::{Dialect, Envelope, dialect_of, read_envelope};
use super::sse;
use crate::agent_card::{Form, PublishedCard};
use crate::tasks::{Owner, TaskRunner};

/// Largest body of a request, in bytes.
pub const MAX_BODY: usize = 4 << 20;

/// How long a body may take to arrive.
const BODY_TIME: std::time::Duration = std::time::Duration::from_secs(30);

/// Name of the header, and of the query parameter, that says the protocol version.
pub const VERSION_HEADER: &str = "A2A-Version";

#[derive(Clone)]
struct AppState {
    runner: TaskRunner,
    methods: Methods,
    card: PublishedCard,
}

/// The A2A surface of one agent.
pub fn router(runner: TaskRunner, card: PublishedCard) -> Router {
    let state = AppState { methods: Methods::new(runner.clone()), runner, card };
    Router::new()
        .route("/", post(post_rpc))
        // Clients that append a slash to a URL that ends in one.
        .route("//", post(post_rpc))
        .route("/.well-known/agent-card.json", get(get_card))
        .route("/.well-known/agent.json", get(get_card))
        .route("/health", get(get_health))
        .with_state(state)
}

async fn get_health() -> Response {
    json_response(
        StatusCode::OK,
        &json!({ "status": "healthy", "service": "drydock", "version": env!("CARGO_PKG_VERSION") }),
    )
}

async fn get_card(State(state): State<AppState>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let form = match requested_version(&parts).as_deref().map(|version| dialect_of(Some(version))) {
        Some(Ok(Dialect::V1)) => Form::V1,
        Some(Ok(Dialect::V03)) => Form::V03,
        Some(Err(_)) | None => Form::Merged,
    };
    state.card.as_asked(&parts).respond(form, &parts.headers)
}

async fn post_rpc(State(state): State<AppState>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if let Some(problem) = wrong_content_type(&parts.headers) {
        return error_response(StatusCode::UNSUPPORTED_MEDIA_TYPE, &Value::Null, problem.into());
    }
    let Some(body) = read_body(body).await else {
        let error = A2aError::InvalidRequest(format!(
            "The body is larger than {MAX_BODY} bytes, took too long or broke off"
        ));
        return error_response(StatusCode::PAYLOAD_TOO_LARGE, &Value::Null, error.into());
    };
    let envelope = match read_envelope(&body) {
        Ok(envelope) => envelope,
        Err((id, error)) => return error_response(StatusCode::OK, &id, error.into()),
    };
    let id = envelope.id.clone();
    match answer(&state, envelope, &parts).await {
        Ok(response) => response,
        Err(error) if error.code() == UNAVAILABLE => {
            let mut response = error_response(StatusCode::SERVICE_UNAVAILABLE, &id, error);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            response
        }
        Err(error) => error_response(StatusCode::OK, &id, error),
    }
}

async fn answer(state: &AppState, envelope: Envelope, parts: &Parts) -> Result<Response, ErrorObjectOwned> {
    let dialect = dialect_of(requested_version(parts).as_deref())?;
    state.methods.check(&envelope.method, dialect)?;
    let caller = caller(&parts.headers)?;
    if STREAMING.iter().any(|(name, _)| *name == envelope.method) {
        return Ok(sse::serve(envelope, dialect, &state.runner, caller).await?);
    }
    let result = state.methods.call(&envelope, caller).await?;
    Ok(json_response(StatusCode::OK, &json!({ "jsonrpc": "2.0", "id": envelope.id, "result": result })))
}

/// The one place that says who calls. Without authentication everyone is the same owner.
fn caller(headers: &HeaderMap) -> Result<Caller, A2aError> {
    let text = |name: &'static str| {
        let value = headers.get(name).map(|value| value.to_str().map(str::trim));
        value.transpose().map_err(|_| A2aError::params(name, "must be ASCII"))
    };
    let idempotency_key = text("idempotency-key")?.filter(|key| !key.is_empty()).map(str::to_owned);
    if idempotency_key.as_ref().is_some_and(|key| key.len() > 255) {
        return Err(A2aError::params("Idempotency-Key", "must not be longer than 255 characters"));
    }
    let last_event_id = match text("last-event-id")?.filter(|id| !id.is_empty()) {
        None => None,
        Some(id) => {
            Some(id.parse().map_err(|_| A2aError::params("Last-Event-ID", "must be the id of an event"))?)
        }
    };
    Ok(Caller { owner: Owner::anonymous(), idempotency_key, last_event_id })
}

/// The version in the header, or else in the query.
fn requested_version(parts: &Parts) -> Option<String> {
    let header = parts.headers.get(VERSION_HEADER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    header.filter(|version| !version.trim().is_empty()).or_else(|| {
        let query = parts.uri.query()?;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(name, _)| *name == VERSION_HEADER).map(|(_, value)| value.to_owned())
    })
}

/// A body that says it is something else than JSON is not read: browsers send such bodies across sites unasked.
fn wrong_content_type(headers: &HeaderMap) -> Option<A2aError> {
    let content_type = headers.get(header::CONTENT_TYPE)?.to_str().unwrap_or_default().to_ascii_lowercase();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let is_json = media_type == "application/json" || media_type.ends_with("+json");
    (!is_json).then(|| A2aError::InvalidRequest("Content-Type has to be application/json".to_owned()))
}

async fn read_body(body: Body) -> Option<bytes::Bytes> {
    tokio::time::timeout(BODY_TIME, to_bytes(body, MAX_BODY)).await.ok()?.ok()
}

pub(super) fn error_value(id: &Value, error: ErrorObjectOwned) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": error })
}

fn error_response(status: StatusCode, id: &Value, error: ErrorObjectOwned) -> Response {
    json_response(status, &error_value(id, error))
}

fn json_response(status: StatusCode, value: &Value) -> Response {
    let mut response = (status, value.to_string()).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
