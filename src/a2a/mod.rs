//! The protocol: A2A 1.0 and 0.3 over JSON-RPC, served and spoken.

pub mod types;
