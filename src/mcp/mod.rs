//! MCP: the tools as a server, over HTTP and for a parent process, and those of several servers behind one.

mod gateway;
mod http;
mod server;
mod stdio;

pub use gateway::{Gateway, GatewayError, Target};
pub use http::{MCP_PATH, Surface, router};
pub use server::{Caller, McpServer, Offer};
pub use stdio::{StdioError, serve_stdio};
