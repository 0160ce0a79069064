//! The tools: what an agent, or an MCP client, can do with a cluster.
//!
//! One typed [`Tool`] per file; the [`Registry`] turns each into a [`ToolSpec`] with a JSON schema and a boxed call.

mod add_inline_policy;
mod apply_yaml;
mod arguments;
mod bounds;
mod can_i;
mod columns;
mod context;
mod current_time;
mod diagnose_cluster;
mod eks;
mod explain_finding;
mod gate;
mod generate_app_manifest;
mod get_cloudwatch_logs;
mod get_cloudwatch_metrics;
mod get_eks_insights;
mod get_eks_metrics_guidance;
mod get_eks_vpc_config;
mod get_k8s_events;
mod get_metrics;
mod get_pod_logs;
mod get_policies_for_role;
mod kube_event;
mod list_api_versions;
mod list_eks_clusters;
mod list_k8s_resources;
mod manage_eks_stacks;
mod manage_k8s_resource;
mod objects;
mod owned;
mod pod_containers;
mod projection;
mod read_more;
mod registry;
mod rollout_history;
mod schema;
mod search_eks_troubleshoot_guide;
mod set_aws_region;
mod shown;
mod table;
mod text;
mod trace_service;

use std::borrow::Cow;
use std::future::Future;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use context::{
    AwsContext, CallContext, CommonArgument, Context, Environment, Session, Sessions, ToolContext,
    ToolProgress,
};
pub use gate::{Act, Approval, Approved, Decision, Denied, Gate, Policy};
pub use registry::Registry;

pub(crate) use bounds::bound;
pub(crate) use schema::require_nothing;
pub(crate) use text::{plain, shorten};

/// One tool. `NAME` and the fields of `Input` are what agents and prompts rely on.
pub trait Tool: Send + Sync + 'static {
    /// Name as peers call it, such as `get_pod_logs`.
    const NAME: &'static str;
    /// Name for people, such as `Read the log of a pod`.
    const TITLE: &'static str;
    /// One paragraph for the caller: what it does, and when to use it.
    const DESCRIPTION: &'static str;
    /// What a call may change.
    const ANNOTATIONS: Annotations = Annotations::READS;
    /// The outcome may hold what people wrote or do (logs, events): it needs `--allow-sensitive-data`.
    const SENSITIVE: bool = false;
    /// Of a tool that may change something: the values of its argument `operation` that change nothing. They are all
    /// that is offered where nothing may be changed. Empty: the tool is not offered there.
    const READ_OPERATIONS: &'static [&'static str] = &[];
    /// The arguments.
    type Input: DeserializeOwned + JsonSchema + Send;
    /// The shape of [`ToolOutcome::structured`]; `serde_json::Value` where it is any object.
    type Output: JsonSchema;
    /// What it works on: a cluster ([`ToolContext`]), an AWS account ([`AwsContext`]), or neither ([`CallContext`]).
    type Context: Context;
    /// Runs the tool. Secrets must not be in the outcome.
    fn run(
        &self,
        input: Self::Input,
        cx: &Self::Context,
    ) -> impl Future<Output = Result<ToolOutcome, ToolError>> + Send;
}

/// What a call of a tool may change, as MCP's tool annotations say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Annotations {
    /// Nothing changes.
    pub read_only_hint: bool,
    /// What is there may be changed or go away; means something only where it is not read-only.
    pub destructive_hint: bool,
    /// A second call with the same arguments changes nothing more.
    pub idempotent_hint: bool,
    /// It deals with more than this process: a cluster, an account.
    pub open_world_hint: bool,
}

impl Annotations {
    /// Reads a cluster or an account.
    pub const READS: Self =
        Self { read_only_hint: true, destructive_hint: false, idempotent_hint: true, open_world_hint: true };
    /// Needs nothing but what is in this process.
    pub const COMPUTES: Self = Self { open_world_hint: false, ..Self::READS };
    /// Adds something, or changes it.
    pub const WRITES: Self = Self { read_only_hint: false, idempotent_hint: false, ..Self::READS };
    /// May change or delete what is there.
    pub const DESTROYS: Self = Self { destructive_hint: true, ..Self::WRITES };
}

/// A tool as it is offered: names, description, the JSON schemas of its arguments and of its outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolSpec {
    /// Name.
    pub name: Cow<'static, str>,
    /// Name for people.
    pub title: Cow<'static, str>,
    /// Description.
    pub description: Cow<'static, str>,
    /// JSON schema (draft 2020-12) of the arguments.
    pub input_schema: Value,
    /// JSON schema of [`ToolOutcome::structured`]. No member is required: an outcome may be cut to fit.
    pub output_schema: Option<Value>,
    /// What a call may change.
    pub annotations: Annotations,
}

impl ToolSpec {
    /// A tool that reads, of which no more is known than its name and its arguments.
    pub fn named(name: impl Into<Cow<'static, str>>, input_schema: Value) -> Self {
        let name = name.into();
        Self {
            title: name.clone(),
            name,
            description: Cow::Borrowed(""),
            input_schema,
            output_schema: None,
            annotations: Annotations::READS,
        }
    }
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
    /// Nothing was done yet: this act has to be approved first.
    #[serde(skip)]
    pub pending: Option<PendingAct>,
    /// What should have done it could not be asked, or did not answer.
    #[serde(skip)]
    pub unreachable: bool,
}

impl ToolOutcome {
    /// A complete result.
    pub fn new(structured: Value, text: String) -> Self {
        Self { is_error: false, structured, text, truncated: false, pending: None, unreachable: false }
    }

    /// A failure; the text says what to do next.
    pub fn failed(text: String) -> Self {
        Self { is_error: true, ..Self::new(json!({ "error": text }), text) }
    }
}

/// An act that waits for its approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingAct {
    /// What to ask a person: what would be done, where, to what. Plain text of few lines.
    pub question: String,
    /// The argument `plan_token` of the second call, which acts. Bound to the caller and to exactly these arguments.
    pub plan_token: String,
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
    /// AWS could not answer, or refused.
    #[error(transparent)]
    Aws(#[from] crate::aws::AwsError),
    /// The cluster could not answer.
    #[error(transparent)]
    Cluster(#[from] crate::cluster::ClusterError),
    /// Another server could not do it.
    #[error("{0}")]
    Remote(String),
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
    /// What is on offer for this caller, in an order that does not change.
    async fn list(&self, cx: &CallContext) -> Result<Vec<ToolSpec>, ToolError>;

    /// Calls a tool. Whatever goes wrong is in the outcome.
    async fn call(&self, name: &str, arguments: Value, cx: &CallContext) -> ToolOutcome;
}
