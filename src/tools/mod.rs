//! The tools: what an agent, or an MCP client, can do with a cluster.
//!
//! One typed [`Tool`] per file; the [`Registry`] turns each into a [`ToolSpec`] with a JSON schema and a boxed call.

mod arguments;
mod bounds;
mod columns;
mod current_time;
mod diagnose_cluster;
mod get_k8s_events;
mod get_pod_logs;
mod kube_event;
mod list_api_versions;
mod list_k8s_resources;
mod manage_k8s_resource;
mod objects;
mod owned;
mod pod_containers;
mod registry;
mod schema;
mod table;
mod text;

use std::future::Future;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;

pub use registry::Registry;

/// What a tool gets besides its input.
#[derive(Clone)]
pub struct ToolContext {
    /// The cluster to read.
    pub cluster: Cluster,
    /// Fires when the result is no longer wanted.
    pub cancellation: CancellationToken,
    /// Upper bound of the outcome's text and JSON, in bytes each.
    pub max_bytes: usize,
}

impl ToolContext {
    /// The present of the cluster: of a recording, the time at which it was made.
    pub fn now(&self) -> jiff::Timestamp {
        self.cluster.info.captured_at.unwrap_or_else(jiff::Timestamp::now)
    }
}

/// One tool. `NAME` and the fields of `Input` are what agents and prompts rely on.
pub trait Tool: Send + Sync + 'static {
    /// Name as peers call it, such as `get_pod_logs`.
    const NAME: &'static str;
    /// One paragraph for the caller: what it does, and when to use it.
    const DESCRIPTION: &'static str;
    /// The arguments.
    type Input: DeserializeOwned + JsonSchema + Send;
    /// Runs the tool. Secrets must not be in the outcome.
    fn run(
        &self,
        input: Self::Input,
        cx: &ToolContext,
    ) -> impl Future<Output = Result<ToolOutcome, ToolError>> + Send;
}

/// A tool as it is offered: name, description and the JSON schema of its arguments.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolSpec {
    /// Name.
    pub name: &'static str,
    /// Description.
    pub description: &'static str,
    /// JSON schema (draft 2020-12) of the arguments.
    pub input_schema: Value,
}

/// What came of a tool call.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolOutcome {
    /// The call failed; `text` says why and what to do next.
    pub is_error: bool,
    /// The result for programs.
    pub structured: Value,
    /// The result for people and models, compact.
    pub text: String,
    /// Something was left out to stay within a limit; `text` says what, and how to read on.
    pub truncated: bool,
}

impl ToolOutcome {
    /// A complete result.
    pub fn new(structured: Value, text: String) -> Self {
        Self { is_error: false, structured, text, truncated: false }
    }
}

/// Why a tool could not do it. `Display` is for the caller: one line, with the next step.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// There is no tool of this name; the names are those that there are, or the nearest.
    #[error("there is no tool {name:?}; try {}", .near.join(", "))]
    UnknownTool {
        /// As it was called.
        name: String,
        /// What may be meant.
        near: Vec<String>,
    },
    /// The arguments do not fit the schema, or contradict each other.
    #[error("{0}")]
    InvalidInput(String),
    /// No such object; with the nearest names.
    #[error("{0}")]
    NotFound(String),
    /// This server does not do that.
    #[error("{0}")]
    Refused(String),
    /// The cluster could not answer.
    #[error(transparent)]
    Cluster(#[from] crate::cluster::ClusterError),
    /// The caller did not want to wait.
    #[error("canceled")]
    Canceled,
    /// It took too long.
    #[error("no result within {} s; ask for less (a namespace, a name, a selector), or try again", .0.as_secs())]
    TimedOut(Duration),
    /// A fault of this program.
    #[error("the tool failed by a fault of its own; other arguments or other tools may still work")]
    Bug,
}

/// A set of tools that can be called by name.
#[async_trait::async_trait]
pub trait Toolbox: Send + Sync + 'static {
    /// What is on offer.
    fn list(&self) -> Vec<ToolSpec>;

    /// Calls a tool. Whatever goes wrong is in the outcome.
    async fn call(&self, name: &str, arguments: Value, cx: &ToolContext) -> ToolOutcome;
}
