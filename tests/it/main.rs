//! The one integration binary: each module is a story.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod a2a;
mod agent;
mod aws;
mod bundle;
mod cli;
mod diagnosis;
mod directions;
mod gateway;
mod identity;
mod mcp;
mod push;
mod support;
mod tasks;
mod tools;
