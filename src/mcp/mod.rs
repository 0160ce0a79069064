//! MCP: the tools of other servers, and those of several servers behind one.

mod client;
mod gateway;

pub use client::{Credentials, Failure, Program, RemoteError, RemoteToolbox};
pub use gateway::{Gateway, GatewayError, Target};
