//! drydock: a diagnostics agent for Kubernetes and Amazon EKS.
//!
//! Modules stand in the order in which one diagnosis flows through them:
//!
//! ```text
//!   cli ── app                        one command per file; app builds everything and hands it down
//!            │
//!   auth ────┤                        who calls: bearer token → principal
//!   a2a ─────┤  POST /                JSON-RPC and SSE, both dialects of the protocol
//!            ▼
//!   tasks ── reducer, store, runner   a task outlives its request; every event is stored, then shown
//!            ▼
//!   agent ── investigation, driver    turn by turn: ask the model, call the tools, stay on budget
//!            ├──► model               what next? (runbook, scripted)
//!            └──► tools ──► cluster   read the Kubernetes API, live or from a bundle
//!                     ├───► diagnosis facts → findings → cause graph → report (pure)
//!                     ├───► aws       clients by region and role
//!                     ├───► redact    what is a secret in objects and texts (pure)
//!                     └───► guide     articles about failures, and their search
//!   mcp ── server, client, gateway    the tools for others, those of others, several as one
//! ```
//!
//! Calls go down; results come back as values or as one stream of events. `ARCHITECTURE.md` has the rules of
//! direction, and a test holds them.

pub mod cli;
pub mod config;

pub mod app;

pub mod auth;

pub mod agent_card;

pub mod a2a;

pub mod tasks;

pub mod agent;

pub mod model;

pub mod mcp;

pub mod tools;

pub mod cluster;

pub mod aws;

pub mod redact;

pub mod diagnosis;

pub mod guide;
