//! The protocol: A2A 1.0 and 0.3 over JSON-RPC, served and spoken.
//!
//! `types` is the data model, `v03` the older dialect as a translation of it. A request goes through `server` (JSON-RPC) or
//! `rest` (HTTP+JSON), which share `service` (who is let in) and `caller` (what the headers say); `request` reads what is
//! asked for, `methods` is the table of unary methods, `sse` has the streaming ones, `failure` is how errors leave.
//! `events` is what a task's log looks like from outside, `push` delivers it to where its owner wants it, `client` is the
//! other side.

mod caller;
mod client;
mod errors;
mod events;
mod failure;
mod list;
mod methods;
mod push;
mod request;
mod rest;
mod server;
mod service;
mod sse;
pub mod types;
pub mod v03;

pub use caller::{IDEMPOTENCY_EXTENSION, VERSION_HEADER};
pub use client::{A2aClient, ClientError};
pub use errors::{A2aError, SUPPORTED_VERSIONS};
pub use push::{
    AllowRule, AllowRuleError, JwtSigner, Lookup, Push, PushConcurrency, PushSettings, RetryPolicy,
};
pub use request::Dialect;
pub use server::router;
pub use service::{RequestLimits, Surface};
