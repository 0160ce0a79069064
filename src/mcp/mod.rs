//! MCP: the tools as a server, over HTTP and for a parent process; the tools of other servers, and those of several behind
//! one.

mod client;
mod gateway;
mod http;
mod names;
mod server;
mod stdio;

pub use client::{Credentials, Failure, Program, RemoteError, RemoteToolbox};
pub use gateway::{Gateway, GatewayError, HealthState, Target, TargetHealth};
pub use http::{MCP_PATH, Surface, router};
pub use names::BareNames;
pub use server::{Caller, McpServer, Offer};
pub use stdio::{StdioError, serve_stdio};

/// Between the name of a target and that of its tool.
const SEPARATOR: &str = "___";
