//! `manage_k8s_resource`: one object, read in full or changed after its plan was approved.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::cluster::{Change, Kind};

use super::objects::get;
use super::shown::{difference, refuse_marks, tidy, version_of, yaml};
use super::{Act, Annotations, Decision, Tool, ToolContext, ToolError, ToolOutcome};

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

impl Operation {
    /// As it is asked for, and as it is told when it is done.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Read => ("read", "read"),
            Self::Create => ("create", "created"),
            Self::Replace => ("replace", "replaced"),
            Self::Patch => ("patch", "patched"),
            Self::Delete => ("delete", "deleted"),
        }
    }
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// What to do
    #[serde(default)]
    operation: Operation,
    /// Kind as people write it: `pod`, `deploy`, `Service`, the name of a custom resource
    kind: String,
    /// API version such as `apps/v1`; only needed where several groups have a kind of this name
    api_version: Option<String>,
    /// Name of the object; may be left out where the body has it
    name: Option<String>,
    /// Namespace of the object; `default` where left out, unless the kind is cluster-scoped
    namespace: Option<String>,
    /// For create and replace the whole object, for patch the members that change
    body: Option<Map<String, Value>>,
    /// Has the plan done that a first call with the same arguments has shown
    plan_token: Option<String>,
}

impl Tool for ManageK8sResource {
    const NAME: &'static str = "manage_k8s_resource";
    const TITLE: &'static str = "Read or change a Kubernetes object";
    const DESCRIPTION: &'static str = "Reads one Kubernetes object in full (spec, status, annotations), or creates, replaces, patches or deletes it where \
         the server allows that. A change is first tried by the API server without effect: the first call answers with \
         the difference and a plan_token, the second call with it makes the change. Values of Secrets are never shown, \
         only their keys.";
    const ANNOTATIONS: Annotations = Annotations::DESTROYS;
    const READ_OPERATIONS: &'static [&'static str] = &["read"];
    type Input = Input;
    type Output = Value;
    type Context = ToolContext;

    async fn run(&self, input: Input, cx: &ToolContext) -> Result<ToolOutcome, ToolError> {
        let kind = cx.cluster.resolve(&input.kind, input.api_version.as_deref()).await?;
        let target = Target::of(&input, kind)?;
        match input.operation {
            Operation::Read => read(cx, &target).await,
            operation => Plan::new(&input, operation, &target)?.run(cx, input.plan_token.as_deref()).await,
        }
    }
}

/// The object that is meant.
struct Target {
    kind: Kind,
    namespace: Option<String>,
    name: String,
}

impl Target {
    fn of(input: &Input, kind: Kind) -> Result<Self, ToolError> {
        let body = |member: &str| {
            let text = input.body.as_ref()?.get("metadata")?.get(member)?.as_str()?;
            Some(text.to_owned()).filter(|text| !text.is_empty())
        };
        let name = input.name.clone().or_else(|| body("name"));
        let name =
            name.ok_or_else(|| ToolError::InvalidInput("name is required: Name of the object".to_owned()))?;
        let namespace = input.namespace.clone().or_else(|| body("namespace"));
        let namespace = kind.namespaced.then(|| namespace.unwrap_or_else(|| "default".to_owned()));
        Ok(Self { kind, namespace, name })
    }

    fn outcome(&self, operation: Operation, object: &Value, text: String) -> ToolOutcome {
        let structured = json!({
            "operation": operation, "kind": self.kind.kind, "apiVersion": self.kind.api_version(),
            "namespace": self.namespace, "name": self.name, "resource": object,
        });
        ToolOutcome::new(structured, text)
    }

    /// `Deployment shop/web`.
    fn words(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} {namespace}/{}", self.kind.kind, self.name),
            None => format!("{} {}", self.kind.kind, self.name),
        }
    }
}

async fn read(cx: &ToolContext, target: &Target) -> Result<ToolOutcome, ToolError> {
    if target.kind.kind == "Secret" && target.kind.group.is_empty() {
        cx.gate.check_sensitive("reading a Secret")?;
    }
    let mut object = get(cx, &target.kind, target.namespace.as_deref(), &target.name).await?;
    tidy(&mut object);
    let text = yaml(&object)?;
    Ok(target.outcome(Operation::Read, &object, text))
}

/// A change, as it was asked for.
struct Plan<'a> {
    operation: Operation,
    target: &'a Target,
    /// What is sent.
    body: Value,
    /// The arguments, with what was left out.
    arguments: Value,
}

impl<'a> Plan<'a> {
    fn new(input: &Input, operation: Operation, target: &'a Target) -> Result<Self, ToolError> {
        let body = match (operation, &input.body) {
            (Operation::Delete | Operation::Read, _) => Value::Null,
            (_, None) => {
                let message = format!(
                    "body is required for {}: the object, or what of it changes",
                    operation.words().0
                );
                return Err(ToolError::InvalidInput(message));
            }
            (_, Some(body)) => addressed(body.clone(), target)?,
        };
        refuse_marks(&body, "the body")?;
        let arguments = json!([
            operation,
            target.kind.api_version(),
            target.kind.kind,
            target.namespace,
            target.name,
            body
        ]);
        Ok(Self { operation, target, body, arguments })
    }

    async fn run(mut self, cx: &ToolContext, token: Option<&str>) -> Result<ToolOutcome, ToolError> {
        let target = self.target;
        cx.gate.check_target(&target.kind.kind, target.namespace.as_deref(), &target.name)?;
        let before = match self.operation {
            Operation::Create => Value::Null,
            _ => get(cx, &target.kind, target.namespace.as_deref(), &target.name).await?,
        };
        let uid = before["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        if matches!(self.operation, Operation::Replace | Operation::Patch) {
            // Of the same name there may be another by then.
            self.body["metadata"]["uid"] = uid.as_str().into();
        }
        let after = self.send(cx, &uid, true).await?;
        let preview = self.preview(before.clone(), after)?;
        let summary = format!("{} {}", self.operation.words().0, target.words());
        let act = Act {
            tool: ManageK8sResource::NAME,
            summary: &summary,
            place: &format!("cluster {}", cx.cluster.info.name),
            preview: &preview,
            arguments: &self.arguments,
            state: &version_of(&before),
        };
        let approved = match cx.gate.decide(&cx.call, token, &act)? {
            Decision::Act(approved) => approved,
            Decision::Ask(outcome) => return Ok(outcome),
        };
        let done = self.send(cx, &uid, false).await;
        cx.gate.record(approved, &done);
        self.told(done?)
    }

    async fn send(&self, cx: &ToolContext, uid: &str, dry_run: bool) -> Result<Value, ToolError> {
        let change = match self.operation {
            Operation::Create => Change::Create(&self.body),
            Operation::Replace => Change::Replace(&self.body),
            Operation::Patch => Change::Patch(&self.body),
            Operation::Delete | Operation::Read => Change::Delete { uid },
        };
        let Target { kind, namespace, name } = self.target;
        Ok(cx.cluster.change(kind, namespace.as_deref(), name, change, dry_run).await?)
    }

    fn preview(&self, before: Value, after: Value) -> Result<String, ToolError> {
        if self.operation == Operation::Delete {
            return Ok(format!("{} goes, and what it owns with it.", self.target.words()));
        }
        let diff = difference(Some(before).filter(|before| !before.is_null()), after)?;
        Ok(match diff.is_empty() {
            true => "Nothing changes that is shown; values of secrets are not shown.".to_owned(),
            false => diff,
        })
    }

    fn told(&self, mut object: Value) -> Result<ToolOutcome, ToolError> {
        tidy(&mut object);
        let text = format!("{} {}\n", self.operation.words().1, self.target.words());
        let text =
            if self.operation == Operation::Delete { text } else { format!("{text}\n{}", yaml(&object)?) };
        Ok(self.target.outcome(self.operation, &object, text))
    }
}

/// The body with the address of the object in it: it cannot be of another.
fn addressed(body: Map<String, Value>, target: &Target) -> Result<Value, ToolError> {
    let mut body = Value::Object(body);
    if !matches!(body.get("metadata"), None | Some(Value::Object(_))) {
        return Err(ToolError::InvalidInput("metadata of the body must be an object".to_owned()));
    }
    body["apiVersion"] = target.kind.api_version().into();
    body["kind"] = target.kind.kind.clone().into();
    body["metadata"]["name"] = target.name.clone().into();
    if let Some(namespace) = &target.namespace {
        body["metadata"]["namespace"] = namespace.clone().into();
    }
    Ok(body)
}
