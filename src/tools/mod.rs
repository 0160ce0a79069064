//! The tools: what an agent, or an MCP client, can do with a cluster.
//!
//! One typed [`Tool`] per file; the registry turns each into a [`ToolSpec`] with a JSON schema and a boxed call.

use std::future::Future;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::cluster::Cluster;

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
    /// Something was left out to stay within `max_bytes`; `text` says what.
    pub truncated: bool,
}

/// Why a tool could not do it. `Display` is for the caller: one line, with the next step.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// There is no tool of this name.
    #[error("there is no tool {0:?}")]
    UnknownTool(String),
    /// The arguments do not fit the schema, or contradict each other.
    #[error("{0}")]
    InvalidInput(String),
    /// The cluster could not answer.
    #[error(transparent)]
    Cluster(#[from] crate::cluster::ClusterError),
    /// The caller did not want to wait.
    #[error("canceled")]
    Canceled,
}

/// A set of tools that can be called by name.
#[async_trait::async_trait]
pub trait Toolbox: Send + Sync + 'static {
    /// What is on offer.
    fn list(&self) -> Vec<ToolSpec>;

    /// Calls a tool. Whatever goes wrong is in the outcome.
    async fn call(&self, name: &str, arguments: Value, cx: &ToolContext) -> ToolOutcome;
}

/// Stand-in.
#[derive(Debug, Default)]
pub struct Registry;

#[async_trait::async_trait]
impl Toolbox for Registry {
    fn list(&self) -> Vec<ToolSpec> {
        Vec::new()
    }

    async fn call(&self, name: &str, _arguments: Value, _cx: &ToolContext) -> ToolOutcome {
        ToolOutcome { is_error: true, structured: Value::Null, text: name.to_owned(), truncated: false }
    }
}
