//! The tools, served over HTTP to MCP clients.

use std::net::IpAddr;

use anyhow::Context;
use axum::http::Uri;
use rmcp::ServerHandler;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

use super::connections::{self, ConnectionLimits};
use super::{CONNECTION_GRACE, browsers, internal_error};
use crate::auth::Authenticator;
use crate::mcp::{self, Surface};

/// How an MCP server is met over HTTP.
pub struct McpSettings {
    /// Says who calls.
    pub authenticator: Authenticator,
    /// URL under which clients reach it, without the path; the one that they asked where there is none.
    pub public_url: Option<String>,
    /// Keep no sessions, as Amazon Bedrock AgentCore Runtime and several replicas need it.
    pub stateless: bool,
    /// Bounds of connections.
    pub connections: ConnectionLimits,
}

/// Serves the tools until `shutdown`; what is under way then is ended.
///
/// # Errors
/// The listener has no address.
pub async fn serve_mcp<S: ServerHandler + Clone>(
    server: S,
    settings: McpSettings,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let McpSettings { authenticator, public_url, stateless, connections } = settings;
    let address: IpAddr = listener.local_addr().context("the server has no address")?.ip();
    let anonymous = authenticator.is_anonymous();
    let host = public_url.as_ref().and_then(|url| url.parse::<Uri>().ok()?.host().map(str::to_owned));
    let stopping = CancellationToken::new();
    let anonymous_may_write = address.to_canonical().is_loopback();
    let surface =
        Surface { authenticator, public_url, stateless, anonymous_may_write, stopping: stopping.clone() };
    let router = mcp::router(server, surface).layer(CatchPanicLayer::custom(|_| internal_error()));
    let router = browsers::guarded(router, address, anonymous, host.as_deref());
    let mut serving = tokio::spawn(connections::serve(listener, router, connections, stopping.clone()));
    shutdown.await;
    tracing::info!("stopping");
    stopping.cancel();
    if tokio::time::timeout(CONNECTION_GRACE, &mut serving).await.is_err() {
        serving.abort();
    }
    Ok(())
}
