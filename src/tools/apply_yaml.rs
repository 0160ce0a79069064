//! `apply_yaml`: several objects made what a YAML text says, after the plan for all of them was approved.

mod apply;
mod documents;
mod plan;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use super::server_file;
use super::text::counted;
use super::{Act, Annotations, Decision, Tool, ToolContext, ToolError, ToolOutcome};

use plan::{Plan, Set};

pub(super) struct ApplyYaml;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// What to apply: YAML documents, divided by `---`; each an object with apiVersion, kind and metadata.name
    yaml: Option<String>,
    /// File with the YAML on the server's machine, in place of `yaml`; only where the server was given a folder for that
    yaml_path: Option<String>,
    /// Namespace of the objects that do not say theirs
    #[serde(default = "default_namespace")]
    namespace: String,
    /// Takes over fields that others manage (kubectl, an autoscaler); without it such a field is a conflict
    #[serde(default)]
    force: bool,
    /// Only shows what would change
    #[serde(default)]
    dry_run: bool,
    /// Has the plan done that a first call with the same arguments has shown
    plan_token: Option<String>,
}

fn default_namespace() -> String {
    "default".to_owned()
}

impl Tool for ApplyYaml {
    const NAME: &'static str = "apply_yaml";
    const TITLE: &'static str = "Apply YAML to a cluster";
    const DESCRIPTION: &'static str = "Creates or updates the objects of a YAML text by server-side apply: fields that the text leaves out stay as they \
         are, fields that it named in an earlier call and leaves out now go away. Namespaces and CustomResourceDefinitions \
         come first. Every document is first tried by the API server without effect: the first call answers with the \
         difference and a plan_token for all documents, the second call with it applies them. Fields that others manage \
         are a conflict, which force=true resolves in favour of the text.";
    const ANNOTATIONS: Annotations = Annotations { idempotent_hint: true, ..Annotations::DESTROYS };
    type Input = Input;
    type Output = Value;
    type Context = ToolContext;

    async fn run(&self, input: Input, cx: &ToolContext) -> Result<ToolOutcome, ToolError> {
        let started = Instant::now();
        let text = text_of(&input, cx).await?;
        let documents = tokio::task::spawn_blocking(move || documents::read(&text)).await;
        let documents = documents.map_err(|_| ToolError::Bug)??;
        let set = Set::of(cx, documents, &input.namespace, input.force).await?;
        let plan = set.plan(cx).await?;
        if plan.changes_nothing() {
            return Ok(plan.outcome("Nothing to do: the cluster is as the YAML wants it.", "same"));
        }
        if input.dry_run {
            let head = format!("Nothing was changed. On {}, this would {}:", place(cx), plan.summary());
            return Ok(plan.outcome(&head, "tried"));
        }
        approved(cx, &plan, input.plan_token.as_deref(), started).await
    }
}

async fn text_of(input: &Input, cx: &ToolContext) -> Result<String, ToolError> {
    match (&input.yaml, &input.yaml_path) {
        (Some(text), None) => Ok(text.clone()),
        (None, Some(path)) => {
            server_file::read(cx.gate.policy().yaml_folder.as_deref(), path, ["yaml_path", "yaml"]).await
        }
        (None, None) => Err(ToolError::InvalidInput("yaml is required: the YAML text to apply".to_owned())),
        (Some(_), Some(_)) => {
            Err(ToolError::InvalidInput("yaml and yaml_path exclude each other: give one of them".to_owned()))
        }
    }
}

fn place(cx: &ToolContext) -> String {
    format!("cluster {}", cx.cluster.info.name)
}

async fn approved(
    cx: &ToolContext,
    plan: &Plan<'_>,
    token: Option<&str>,
    started: Instant,
) -> Result<ToolOutcome, ToolError> {
    let act = Act {
        tool: ApplyYaml::NAME,
        summary: &plan.summary(),
        place: &place(cx),
        preview: &plan.preview(),
        arguments: &plan.set.arguments(),
        state: &plan.state(),
    };
    let approved = match cx.gate.decide(&cx.call, token, &act)? {
        Decision::Act(approved) => approved,
        Decision::Ask(mut outcome) => {
            outcome.structured["documents"] = plan.documents("planned");
            return Ok(outcome);
        }
    };
    let results = apply::all(cx, plan, started).await;
    cx.gate.record(approved, &apply::result(plan, &results));
    Ok(apply::outcome(plan, &results))
}

/// `3 documents`.
fn documents_of(count: usize) -> String {
    counted(count, "document", "documents")
}
