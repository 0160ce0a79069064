//! What would come of applying a set of documents: tried one by one on the server, without effect.

use std::collections::{HashMap, HashSet};

use futures::StreamExt;
use serde_json::{Value, json};

use crate::cluster::{Cluster, ClusterError, Kind, Trial, redact};

use super::super::shown::{difference, version_of};
use super::super::text::plain;
use super::super::{ToolContext, ToolError, ToolOutcome};
use super::documents::Document;
use super::documents_of;

/// Documents that are tried at the same time.
const CONCURRENCY: usize = 8;
/// Objects or errors that one line names.
const NAMED: usize = 10;

/// An object and where it is.
pub(super) struct Item {
    pub(super) document: Document,
    pub(super) kind: Kind,
    pub(super) namespace: Option<String>,
}

/// What is to be applied, in the order in which that is done.
pub(super) struct Set {
    pub(super) items: Vec<Item>,
    pub(super) force: bool,
}

/// What comes of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Create,
    Change,
    Same,
}

impl Action {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Same => "same",
        }
    }
}

/// What would come of an item.
pub(super) struct Step<'a> {
    pub(super) item: &'a Item,
    pub(super) action: Action,
    /// What is sent: bound to the object that was seen.
    pub(super) body: Value,
    /// Why the server could not try it, if it could not.
    pub(super) untried: Option<&'static str>,
    difference: String,
    version: Value,
}

/// What would come of the whole set.
pub(super) struct Plan<'a> {
    pub(super) set: &'a Set,
    pub(super) steps: Vec<Step<'a>>,
}

impl Item {
    /// `Deployment shop/web`.
    pub(super) fn words(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} {namespace}/{}", self.kind.kind, self.document.name),
            None => format!("{} {}", self.kind.kind, self.document.name),
        }
    }

    fn is_namespace(&self) -> bool {
        self.kind.kind == "Namespace" && self.kind.group.is_empty()
    }

    /// Others may live in it, or be of its kind.
    fn rank(&self) -> u8 {
        match () {
            () if self.is_namespace() => 0,
            () if is_definition(&self.kind.group, &self.kind.kind) => 1,
            () => 2,
        }
    }

    async fn try_on(&self, cluster: &Cluster, body: &Value, force: bool) -> Result<Trial, ClusterError> {
        cluster.try_apply(&self.kind, self.namespace.as_deref(), &self.document.name, body, force).await
    }

    /// The body with the address of the object in it.
    fn body(&self) -> Value {
        let mut body = self.document.body.clone();
        match &self.namespace {
            Some(namespace) => body["metadata"]["namespace"] = namespace.clone().into(),
            None => {
                body["metadata"].as_object_mut().map(|metadata| metadata.remove("namespace"));
            }
        }
        body
    }
}

fn is_definition(group: &str, kind: &str) -> bool {
    group == "apiextensions.k8s.io" && kind == "CustomResourceDefinition"
}

impl Set {
    /// The documents with their kinds, in order.
    ///
    /// # Errors
    /// A kind is unknown, an object is there twice, or must not be changed here.
    pub(super) async fn of(
        cx: &ToolContext,
        documents: Vec<Document>,
        namespace: &str,
        force: bool,
    ) -> Result<Self, ToolError> {
        let defined = defined_kinds(&documents);
        let mut items = Vec::new();
        let mut unknown = Vec::new();
        for document in documents {
            match resolve(cx, &document, &defined).await {
                Ok(kind) => {
                    let own = document.namespace.clone();
                    let namespace = kind.namespaced.then(|| own.unwrap_or_else(|| namespace.to_owned()));
                    items.push(Item { document, kind, namespace });
                }
                Err(ClusterError::NotFound(why)) => {
                    unknown.push((format!("document {}", document.number), why))
                }
                Err(error) => return Err(error.into()),
            }
        }
        if !unknown.is_empty() {
            return Err(ToolError::InvalidInput(format!("nothing was applied: {}", listed(unknown))));
        }
        for item in &items {
            cx.gate.check_target(&item.kind.kind, item.namespace.as_deref(), &item.document.name)?;
        }
        refuse_doubles(&items)?;
        items.sort_by_key(Item::rank);
        Ok(Self { items, force })
    }

    /// Has the server try every document.
    ///
    /// # Errors
    /// The server refuses one or more of them; says which, and why.
    pub(super) async fn plan(&self, cx: &ToolContext) -> Result<Plan<'_>, ToolError> {
        let mut steps: Vec<Step<'_>> = Vec::new();
        let mut refused = Vec::new();
        // Names of what the set makes; those of definitions have dots, which those of namespaces cannot have.
        let mut made = HashSet::new();
        for items in self.items.chunk_by(|one, other| one.rank() == other.rank()) {
            let tried = items.iter().map(|item| self.step(cx, item, &made)).collect::<Vec<_>>();
            let tried: Vec<_> = futures::stream::iter(tried).buffered(CONCURRENCY).collect().await;
            for step in tried {
                match step {
                    Ok(step) => steps.push(step),
                    Err((item, error)) => refused.push((item.words(), advice(error))),
                }
            }
            // What a changed definition takes cannot be tried on the old one.
            let new = steps.iter().filter(|step| match step.action {
                Action::Create => true,
                Action::Change => !step.item.is_namespace(),
                Action::Same => false,
            });
            made = new.map(|step| step.item.document.name.clone()).collect();
        }
        match refused.is_empty() {
            true => Ok(Plan { set: self, steps }),
            false => Err(ToolError::Refused(format!("nothing was applied: {}", listed(refused)))),
        }
    }

    /// What would come of an item, where the set makes these namespaces and definitions.
    async fn step<'a>(
        &self,
        cx: &ToolContext,
        item: &'a Item,
        made: &HashSet<String>,
    ) -> Result<Step<'a>, (&'a Item, ToolError)> {
        let body = item.body();
        let definition = format!("{}.{}", item.kind.plural, item.kind.group);
        let untried = match &item.namespace {
            _ if made.contains(&definition) => Some("its kind is defined by this plan"),
            Some(namespace) if made.contains(namespace) => Some("its namespace is made by this plan"),
            _ => None,
        };
        if let Some(why) = untried {
            let before = cx.cluster.get(&item.kind, item.namespace.as_deref(), &item.document.name).await;
            let before = match before {
                Ok(before) => Some(before),
                Err(ClusterError::NotFound(_)) => None,
                Err(error) => return Err((item, error.into())),
            };
            return Step::untried(item, body, before, why).map_err(|error| (item, error));
        }
        let tried = item.try_on(&cx.cluster, &body, self.force).await;
        let tried = tried.map_err(|error| (item, error.into()))?;
        Step::tried(item, body, tried).map_err(|error| (item, error))
    }

    /// What the plan is bound to.
    pub(super) fn arguments(&self) -> Value {
        let items =
            self.items.iter().map(|item| json!([item.kind.api_version(), item.kind.kind, item.body()]));
        json!([self.force, items.collect::<Vec<_>>()])
    }
}

/// Group, version and kind of what the documents define, and how it is addressed.
fn defined_kinds(documents: &[Document]) -> HashMap<(String, String), Kind> {
    let definitions = documents.iter().filter(|document| {
        let group = document.api_version.split('/').next().unwrap_or_default();
        is_definition(group, &document.kind)
    });
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kinds = definitions.flat_map(|definition| {
        let spec = &definition.body["spec"];
        let versions = spec["versions"].as_array().into_iter().flatten();
        versions.map(move |version| Kind {
            group: text(&spec["group"]),
            version: text(&version["name"]),
            kind: text(&spec["names"]["kind"]),
            plural: text(&spec["names"]["plural"]),
            short_names: Vec::new(),
            namespaced: spec["scope"] == "Namespaced",
        })
    });
    kinds.map(|kind| ((kind.api_version(), kind.kind.clone()), kind)).collect()
}

/// The kind of a document; it may only be defined by another one.
async fn resolve(
    cx: &ToolContext,
    document: &Document,
    defined: &HashMap<(String, String), Kind>,
) -> Result<Kind, ClusterError> {
    match cx.cluster.resolve(&document.kind, Some(&document.api_version)).await {
        Ok(kind) => Ok(kind),
        Err(ClusterError::NotFound(why)) => {
            let known = defined.get(&(document.api_version.clone(), document.kind.clone()));
            known.cloned().ok_or(ClusterError::NotFound(why))
        }
        Err(error) => Err(error),
    }
}

fn refuse_doubles(items: &[Item]) -> Result<(), ToolError> {
    let mut seen = HashMap::new();
    for item in items {
        let number = item.document.number;
        if let Some(first) = seen.insert((&item.kind.group, item.words()), number) {
            return Err(ToolError::InvalidInput(format!(
                "documents {first} and {number} are the same object, {}; leave one of them out",
                item.words()
            )));
        }
    }
    Ok(())
}

/// What the server said, and what to do about it.
pub(super) fn advice(error: ToolError) -> String {
    let conflict = matches!(error, ToolError::Cluster(ClusterError::Conflict(_)));
    let next = if conflict { "; leave these fields out, or take them over with force=true" } else { "" };
    format!("{}{next}", plain(&error.to_string()))
}

/// `Deployment shop/web: …; Service shop/web: …`
fn listed(refused: Vec<(String, String)>) -> String {
    let more = refused.len().saturating_sub(NAMED);
    let named: Vec<String> =
        refused.into_iter().take(NAMED).map(|(what, why)| format!("{what}: {why}")).collect();
    match more {
        0 => named.join("; "),
        more => format!("{}; and {} more", named.join("; "), documents_of(more)),
    }
}

impl<'a> Step<'a> {
    fn tried(item: &'a Item, body: Value, trial: Trial) -> Result<Self, ToolError> {
        let action = match (&trial.before, trial.same) {
            (None, _) => Action::Create,
            (Some(_), false) => Action::Change,
            (Some(_), true) => Action::Same,
        };
        let step = Self::of(item, action, body, trial.before.as_ref());
        match action {
            Action::Same => Ok(step),
            Action::Create | Action::Change => {
                Ok(Self { difference: difference(trial.before, trial.after)?, ..step })
            }
        }
    }

    /// What is wanted is shown in full: what comes of it is not known.
    fn untried(
        item: &'a Item,
        body: Value,
        before: Option<Value>,
        why: &'static str,
    ) -> Result<Self, ToolError> {
        let mut shown = body.clone();
        redact::object(&mut shown);
        let action = if before.is_some() { Action::Change } else { Action::Create };
        let step = Self::of(item, action, body, before.as_ref());
        Ok(Self { untried: Some(why), difference: difference(None, shown)?, ..step })
    }

    fn of(item: &'a Item, action: Action, mut body: Value, before: Option<&Value>) -> Self {
        if let Some(uid) = before.and_then(|before| before["metadata"]["uid"].as_str()) {
            // Of the same name there may be another by then.
            body["metadata"]["uid"] = uid.into();
        }
        let version = version_of(before.unwrap_or(&Value::Null));
        Self { item, action, body, untried: None, difference: String::new(), version }
    }

    /// `create Deployment shop/web`, and the difference.
    fn preview(&self) -> String {
        let head = format!("{} {}", self.action.word(), plain(&self.item.words()));
        let untried = self.untried.map(|why| format!(" (not tried: {why})")).unwrap_or_default();
        let body = match (self.action, self.difference.as_str()) {
            (Action::Same, _) => "",
            (_, "") => "Only values change that are not shown: they may be secrets.\n",
            (_, difference) => difference,
        };
        format!("{head}{untried}\n{body}")
    }

    /// For programs.
    pub(super) fn structured(&self, result: &str) -> Value {
        let item = self.item;
        json!({
            "document": item.document.number, "apiVersion": item.kind.api_version(), "kind": item.kind.kind,
            "namespace": item.namespace, "name": item.document.name, "action": self.action.word(),
            "untried": self.untried, "result": result,
        })
    }
}

impl Plan<'_> {
    pub(super) fn changes_nothing(&self) -> bool {
        self.steps.iter().all(|step| step.action == Action::Same)
    }

    /// `create Namespace shop, change Deployment shop/web and 3 more documents`.
    pub(super) fn summary(&self) -> String {
        let touched: Vec<&Step<'_>> = self.steps.iter().filter(|step| step.action != Action::Same).collect();
        let words = |step: &&Step<'_>| format!("{} {}", step.action.word(), plain(&step.item.words()));
        let named: Vec<String> = touched.iter().take(NAMED).map(words).collect();
        let force = if self.set.force { ", taking over fields that others manage" } else { "" };
        match touched.len().saturating_sub(NAMED) {
            0 => format!("{}{force}", named.join(", ")),
            more => format!("{} and apply {more} more documents{force}", named.join(", ")),
        }
    }

    /// What changes, document by document.
    pub(super) fn preview(&self) -> String {
        self.steps.iter().map(Step::preview).collect::<Vec<_>>().join("\n")
    }

    /// What the plan rests on.
    pub(super) fn state(&self) -> Value {
        self.steps.iter().map(|step| step.version.clone()).collect()
    }

    pub(super) fn documents(&self, result: &str) -> Value {
        self.steps.iter().map(|step| step.structured(result)).collect()
    }

    /// The plan as an answer of its own.
    pub(super) fn outcome(&self, head: &str, result: &str) -> ToolOutcome {
        let structured = json!({
            "created": 0, "changed": 0, "force": self.set.force, "documents": self.documents(result),
            "preview": self.preview(),
        });
        ToolOutcome::new(structured, format!("{head}\n\n{}", self.preview()))
    }
}
