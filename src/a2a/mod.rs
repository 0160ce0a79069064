//! The protocol: A2A 1.0 and 0.3 over JSON-RPC, served and spoken.
//!
//! `types` is the data model, `v03` the older dialect as a translation of it, `request` what a peer asks for, `methods`
//! the table of unary methods, `sse` the streaming ones, `server` the HTTP surface, `client` the other side.

mod client;
mod errors;
mod methods;
mod request;
mod server;
mod sse;
pub mod types;
pub mod v03;

pub use client::{A2aClient, ClientError};
pub use errors::{A2aError, SUPPORTED_VERSIONS};
pub use request::Dialect;
pub use server::{MAX_BODY, VERSION_HEADER, router};
