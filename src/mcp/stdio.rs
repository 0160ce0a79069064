//! MCP on stdin and stdout, for a client that starts drydock as its child.

use rmcp::ServiceExt;
use rmcp::service::ServerInitializeError;

use super::server::{McpServer, Offer};

/// Why a server on stdin and stdout ended early.
#[derive(Debug, thiserror::Error)]
pub enum StdioError {
    /// The first message was not one that opens a connection.
    #[error("the client did not begin as MCP does: {0}")]
    Beginning(#[source] Box<ServerInitializeError>),
    /// The server failed.
    #[error("the MCP server stopped by a fault of its own")]
    Bug(#[source] tokio::task::JoinError),
}

/// Serves until the client closes stdin, or until `shutdown`.
///
/// # Errors
/// The client does not speak MCP.
pub async fn serve_stdio(offer: Offer, shutdown: impl Future<Output = ()>) -> Result<(), StdioError> {
    let starting = McpServer::local(offer).serve(rmcp::transport::io::stdio());
    tokio::pin!(shutdown);
    let running = tokio::select! {
        started = starting => match started {
            Ok(running) => running,
            Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
            Err(error) => return Err(StdioError::Beginning(Box::new(error))),
        },
        () = &mut shutdown => return Ok(()),
    };
    let stop = running.cancellation_token();
    let waiting = running.waiting();
    tokio::pin!(waiting);
    tokio::select! {
        ended = &mut waiting => ended.map(drop).map_err(StdioError::Bug),
        () = &mut shutdown => {
            stop.cancel();
            waiting.await.map(drop).map_err(StdioError::Bug)
        }
    }
}
