//! MCP: the tools of several servers behind one.

mod gateway;

pub use gateway::{Gateway, GatewayError, Target};
