//! MCP over Streamable HTTP: `/mcp`, who may call it, and where clients learn how to get a token (RFC 9728).

mod sessions;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, HOST, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::server::{Caller, SESSION_HEADER};
use crate::auth::{AuthError, Authenticator, Principal};
use sessions::BoundedSessions;

/// Where the server is.
pub const MCP_PATH: &str = "/mcp";
/// Where clients learn who issues tokens for it.
const METADATA_PATH: &str = "/.well-known/oauth-protected-resource";
/// Longest body of a request, in bytes: manifests are long.
const MAX_BODY: usize = 4 << 20;
/// Longest `Host` that is taken up into an address, in bytes.
const MAX_HOST: usize = 255;

/// How a server is met over HTTP.
pub struct Surface {
    /// Says who calls.
    pub authenticator: Authenticator,
    /// URL under which clients reach this server, without a path; the one they asked where there is none.
    pub public_url: Option<String>,
    /// Keep no sessions for the revisions that have them, and answer in JSON: what Amazon Bedrock AgentCore Runtime
    /// wants, which makes up sessions itself, and what several replicas behind one address need.
    pub stateless: bool,
    /// Where nobody is asked who they are: whether they may ask for changes. Only on this machine.
    pub anonymous_may_write: bool,
    /// Ends all streams.
    pub stopping: CancellationToken,
}

struct Door {
    authenticator: Authenticator,
    public_url: Option<String>,
    anonymous_may_write: bool,
    sessions: Arc<BoundedSessions>,
}

/// The HTTP surface of a server: `/mcp`, the metadata of its protection, `/health` and `/ping`. The server finds out who
/// called from the [`Caller`] in the extensions of the request.
pub fn router<S: ServerHandler + Clone>(server: S, surface: Surface) -> Router {
    let Surface { authenticator, public_url, stateless, anonymous_may_write, stopping } = surface;
    let sessions = Arc::new(BoundedSessions::default());
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(!stateless)
        .with_json_response(true)
        .with_max_request_body_bytes(MAX_BODY)
        .with_cancellation_token(stopping)
        // Whose pages and names may reach the server is decided for all that it serves, in front of this.
        .disable_allowed_hosts()
        .disable_allowed_origins();
    let factory = move || Ok(server.clone());
    let mcp = if stateless {
        Router::new().route_service(
            MCP_PATH,
            StreamableHttpService::new(factory, Arc::new(NeverSessionManager::default()), config),
        )
    } else {
        Router::new()
            .route_service(MCP_PATH, StreamableHttpService::new(factory, Arc::clone(&sessions), config))
    };
    let door = Arc::new(Door { authenticator, public_url, anonymous_may_write, sessions });
    let guarded = mcp.layer(middleware::from_fn_with_state(Arc::clone(&door), let_in));
    Router::new()
        .route(METADATA_PATH, get(get_metadata))
        .route(&format!("{METADATA_PATH}{MCP_PATH}"), get(get_metadata))
        .with_state(door)
        .route("/health", get(get_health))
        .route("/ping", get(get_ping))
        .merge(guarded)
}

/// Lets callers in whose token is good, and keeps sessions apart.
async fn let_in(State(door): State<Arc<Door>>, mut request: Request, next: Next) -> Response {
    let principal = match door.authenticator.authenticate(request.headers()).await {
        Ok(principal) => principal,
        Err(error) => return door.refuse(&error, request.headers()),
    };
    let session = session_of(request.headers());
    if let Some(session) = &session
        && !door.sessions.may_use(session, &principal.id)
    {
        return (StatusCode::NOT_FOUND, "There is no such session: initialize a new one\n").into_response();
    }
    request.extensions_mut().insert(door.caller(&principal));
    let ends_session = request.method() == Method::DELETE;
    let mut response = next.run(request).await;
    if ends_session && response.status() == StatusCode::ACCEPTED {
        // It is over by now, and there are clients that warn of a failure where they read that it is yet to come.
        *response.status_mut() = StatusCode::NO_CONTENT;
    }
    if let (None, Some(made)) = (session, session_of(response.headers())) {
        door.sessions.belongs_to(&made, &principal.id).await;
    }
    response
}

fn session_of(headers: &HeaderMap) -> Option<String> {
    headers.get(SESSION_HEADER)?.to_str().ok().map(str::to_owned)
}

impl Door {
    fn caller(&self, principal: &Principal) -> Caller {
        let anonymous = self.authenticator.is_anonymous();
        let write = self.authenticator.scopes().write.as_ref();
        let may_write = match anonymous {
            true => self.anonymous_may_write,
            false => write.is_some_and(|scope| principal.has_scope(scope)),
        };
        Caller { id: principal.id.clone(), anonymous, may_write }
    }

    /// The answer to who is not let in: what is missing, and where a token can be had.
    fn refuse(&self, error: &AuthError, headers: &HeaderMap) -> Response {
        let metadata = (!self.authenticator.issuers().is_empty())
            .then(|| self.base(headers))
            .flatten()
            .map(|base| format!("{base}{METADATA_PATH}{MCP_PATH}"));
        let scopes = &self.authenticator.scopes().required;
        let challenge = error.challenge(metadata.as_deref(), scopes);
        let body = json!({ "error": error.code(), "error_description": error.to_string() });
        let mut response =
            (error.status(), [(CONTENT_TYPE, "application/json")], body.to_string()).into_response();
        if let Some(challenge) = challenge {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }

    /// Where this server is for who asks.
    fn base(&self, headers: &HeaderMap) -> Option<String> {
        if let Some(url) = &self.public_url {
            return Some(url.trim_end_matches('/').to_owned());
        }
        let host = headers.get(HOST)?.to_str().ok()?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte);
        (host.len() <= MAX_HOST && host.bytes().all(is_plain)).then(|| format!("http://{host}"))
    }

    fn metadata(&self, headers: &HeaderMap) -> Option<Value> {
        let issuers: Vec<&str> = self.authenticator.issuers().iter().map(|issuer| issuer.url()).collect();
        let base = self.base(headers).filter(|_| !issuers.is_empty())?;
        let scopes = self.authenticator.scopes();
        let scopes: Vec<&String> = scopes.required.iter().chain(&scopes.write).collect();
        Some(json!({
            "resource": format!("{base}{MCP_PATH}"),
            "authorization_servers": issuers,
            "scopes_supported": scopes,
            "bearer_methods_supported": ["header"],
            "resource_name": "drydock",
        }))
    }
}

async fn get_metadata(State(door): State<Arc<Door>>, headers: HeaderMap) -> Response {
    match door.metadata(&headers) {
        Some(metadata) => ([(CONTENT_TYPE, "application/json")], metadata.to_string()).into_response(),
        None => (StatusCode::NOT_FOUND, "No token of a known issuer is asked for\n").into_response(),
    }
}

async fn get_health() -> Response {
    let health = json!({ "status": "healthy", "service": "drydock", "version": env!("CARGO_PKG_VERSION") });
    ([(CONTENT_TYPE, "application/json")], health.to_string()).into_response()
}

/// What AgentCore Runtime asks.
async fn get_ping() -> Response {
    ([(CONTENT_TYPE, "application/json")], json!({ "status": "Healthy" }).to_string()).into_response()
}
