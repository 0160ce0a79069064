//! The HTTP surface: the agent card, `/health`, `POST /` for JSON-RPC in both dialects, and HTTP+JSON below `/rest`.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use jsonrpsee_types::ErrorObjectOwned;
use serde::Serialize;
use serde_json::{Value, json};

use super::caller::requested_version;
use super::errors::A2aError;
use super::failure::Failure;
use super::methods::is_streaming;
use super::request::{Envelope, RequestId, dialect_of, read_envelope};
use super::rest;
use super::service::{Service, Surface, check_content_type};
use super::sse::{self, Framing};
use crate::agent_card::{Form, KEYS_PATH};
use crate::auth::{AuthError, Principal};

/// The A2A surface of one agent.
pub fn router(surface: Surface) -> Router {
    let rest =
        rest::ROUTES.into_iter().fold(Router::new(), |router, route| router.route(route, any(rest::serve)));
    Router::new()
        .route("/", post(post_rpc))
        // Clients that append a slash to a URL that ends in one.
        .route("//", post(post_rpc))
        .route("/.well-known/agent-card.json", get(get_card))
        .route("/.well-known/agent.json", get(get_card))
        // 0.3 has the extended card at a path of its own (its §9.6), which clients append to the URL of the card.
        .route("/card", get(get_extended_card))
        .route("//card", get(get_extended_card))
        .route("/v1/card", get(get_extended_card))
        .route(KEYS_PATH, get(get_card_keys))
        .route("/health", get(get_health))
        .merge(rest)
        .with_state(Service::new(surface))
}

async fn get_health() -> Response {
    let health = json!({ "status": "healthy", "service": "drydock", "version": env!("CARGO_PKG_VERSION") });
    (StatusCode::OK, [(CONTENT_TYPE, "application/json")], health.to_string()).into_response()
}

async fn get_card(State(service): State<Service>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let form = match requested_version(&parts).as_deref().map(|version| dialect_of(Some(version))) {
        Some(Ok(dialect)) => dialect.form(),
        Some(Err(_)) | None => Form::Merged,
    };
    service.card().await.as_asked(&parts).respond(form, &parts.headers)
}

async fn get_extended_card(State(service): State<Service>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let known = match service.admit(&parts, body).await {
        Ok((principal, _)) if !service.surface.authenticator.is_anonymous() => Ok(principal),
        Ok(_) => Err(AuthError::Missing.into()),
        Err(error) => Err(error),
    };
    let published = service.card().await;
    let card = known.and_then(|principal| {
        let form = dialect_of(requested_version(&parts).as_deref())?.form();
        let card = published.respond_extended(form, &principal.scopes, &parts.headers);
        card.ok_or(A2aError::ExtendedAgentCardNotConfigured)
    });
    card.unwrap_or_else(|error| Failure::from(error).to_rest())
}

async fn get_card_keys(State(service): State<Service>, headers: HeaderMap) -> Response {
    let keys = service.surface.card.respond_keys(&headers);
    keys.unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}

async fn post_rpc(State(service): State<Service>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let (principal, envelope) = match receive(&service, &parts, body).await {
        Ok(received) => received,
        Err((id, error)) => return Failure::from(error).to_rpc(&id),
    };
    let id = envelope.id.clone();
    answer(&service, envelope, &parts, principal).await.unwrap_or_else(|failure| failure.to_rpc(&id))
}

/// Who calls, and the request as far as it does not depend on the version.
async fn receive(
    service: &Service,
    parts: &Parts,
    body: Body,
) -> Result<(Principal, Envelope), (RequestId, A2aError)> {
    let nameless = |error| (RequestId::default(), error);
    let (principal, body) = service.admit(parts, body).await.map_err(nameless)?;
    check_content_type(&parts.headers).map_err(nameless)?;
    Ok((principal, read_envelope(&body)?))
}

async fn answer(
    service: &Service,
    envelope: Envelope,
    parts: &Parts,
    principal: Principal,
) -> Result<Response, Failure> {
    let caller = service.caller(parts, principal)?;
    let Envelope { id, method, params } = envelope;
    service.methods.check(&method, caller.dialect)?;
    let extensions = caller.extensions.clone();
    let mut response = if is_streaming(&method) {
        sse::serve(&method, params, Framing::JsonRpc(id), &service.surface, caller).await?
    } else {
        let result = service.methods.call(&method, params, caller).await?;
        (StatusCode::OK, [(CONTENT_TYPE, "application/json")], RpcAnswer::result(&id, &result))
            .into_response()
    };
    extensions.echo(response.headers_mut());
    Ok(response)
}

/// A JSON-RPC response.
#[derive(Serialize)]
pub(super) struct RpcAnswer<'a> {
    jsonrpc: &'static str,
    id: &'a RequestId,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a ErrorObjectOwned>,
}

impl<'a> RpcAnswer<'a> {
    /// A result, as the text of the response.
    pub(super) fn result(id: &'a RequestId, result: &'a Value) -> String {
        Self { jsonrpc: "2.0", id, result: Some(result), error: None }.text()
    }

    /// An error, as the text of the response.
    pub(super) fn error(id: &'a RequestId, error: &'a ErrorObjectOwned) -> String {
        Self { jsonrpc: "2.0", id, result: None, error: Some(error) }.text()
    }

    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|error| {
            tracing::error!(%error, "bug: an answer cannot be written as JSON");
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"Internal error"}}"#.to_owned()
        })
    }
}
