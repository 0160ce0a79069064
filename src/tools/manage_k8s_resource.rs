//! `manage_k8s_resource`: one object in full. This server only reads.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::objects::get;
use super::{Tool, ToolContext, ToolError, ToolOutcome};

pub(super) struct ManageK8sResource;

#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Operation {
    #[default]
    Read,
    Create,
    Replace,
    Patch,
    Delete,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// What to do; this server is read-only and refuses everything but `read`
    #[serde(default)]
    operation: Operation,
    /// Kind as people write it: `pod`, `deploy`, `Service`, the name of a custom resource
    kind: String,
    /// API version such as `apps/v1`; only needed where several groups have a kind of this name
    api_version: Option<String>,
    /// Name of the object
    name: String,
    /// Namespace of the object; `default` where left out, unless the kind is cluster-scoped
    namespace: Option<String>,
}

impl Tool for ManageK8sResource {
    const NAME: &'static str = "manage_k8s_resource";
    const TITLE: &'static str = "Read or change a Kubernetes object";
    const DESCRIPTION: &'static str = "Reads one Kubernetes object in full: spec, status, annotations. Values of Secrets are never shown, only their \
         keys. This server is read-only: create, replace, patch and delete are refused.";
    type Input = Input;
    type Output = Value;
    type Context = ToolContext;

    async fn run(&self, input: Input, cx: &ToolContext) -> Result<ToolOutcome, ToolError> {
        if input.operation != Operation::Read {
            return Err(ToolError::Refused(
                "this server is read-only: only the operation read is possible; changes have to be made by someone \
                 who may, for instance with kubectl"
                    .to_owned(),
            ));
        }
        let kind = cx.cluster.resolve(&input.kind, input.api_version.as_deref()).await?;
        let namespace = kind.namespaced.then(|| input.namespace.unwrap_or_else(|| "default".to_owned()));
        let mut object = get(cx, &kind, namespace.as_deref(), &input.name).await?;
        tidy(&mut object);
        let text = serde_saphyr::to_string(&object).map_err(|error| {
            tracing::error!(%error, kind = kind.kind, "an object cannot be written as YAML");
            ToolError::Bug
        })?;
        let structured = json!({
            "operation": "read", "kind": kind.kind, "apiVersion": kind.api_version(), "namespace": namespace,
            "name": input.name, "resource": object,
        });
        Ok(ToolOutcome::new(structured, text))
    }
}

/// Without bookkeeping and without members that say nothing.
fn tidy(object: &mut Value) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    drop_nulls(object);
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
