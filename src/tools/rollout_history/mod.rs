//! `rollout_history`: the revisions of a workload, what changed from each to the next, and which of them runs.

mod changes;
mod revisions;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cluster::{FieldManager, Kind, age};
use crate::diagnosis::report::ObjectRef;

use super::objects::{get, locate};
use super::shown::yaml;
use super::table::{cell, table};
use super::text::{plain, shorten};
use super::{Tool, ToolContext, ToolError, ToolOutcome};

use changes::{Change, changes};
use revisions::{Revision, revisions};

/// Changes of one revision that the text shows.
const SHOWN: usize = 12;
/// Longest value of a change in the text, in characters.
const VALUE: usize = 100;
/// How far the time of a change and the creation of its revision may lie apart, in seconds.
const TOGETHER: i64 = 5;

pub(super) struct RolloutHistory;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// Kind of the workload: Deployment, StatefulSet or DaemonSet
    #[serde(default = "default_kind")]
    kind: String,
    /// Name of the workload
    name: String,
    /// Namespace of the workload; may be left out where the name is in one namespace only
    namespace: Option<String>,
    /// Only this revision, with its whole pod template
    revision: Option<u64>,
}

fn default_kind() -> String {
    "Deployment".to_owned()
}

/// The revisions of a workload.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Output {
    /// The workload.
    object: ObjectRef,
    /// How the newest rollout is, in the workload's own words.
    rollout: String,
    /// A Deployment that is paused makes no new revision.
    paused: bool,
    /// Who wrote the pod template, the latest first.
    template_managers: Vec<Manager>,
    /// The revisions, newest first.
    revisions: Vec<Entry>,
}

/// Who wrote the pod template.
#[derive(Serialize, JsonSchema)]
struct Manager {
    name: String,
    operation: String,
    time: Option<String>,
}

/// One revision.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Entry {
    revision: u64,
    /// The ReplicaSet or ControllerRevision that keeps it.
    name: String,
    created_at: Option<String>,
    /// It is what the workload wants now.
    is_current: bool,
    /// Pods that run it.
    replicas: i64,
    /// Those that are ready.
    ready: i64,
    images: Vec<String>,
    /// `kubernetes.io/change-cause`, where somebody has set it.
    change_cause: Option<String>,
    /// Who wrote the pod template when this revision was made.
    changed_by: Vec<String>,
    /// The numbers that it had before it was rolled back to.
    formerly: Option<String>,
    /// What differs from the revision before.
    changes: Vec<Change>,
    /// The pod template, where one revision is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<Value>,
}

impl Tool for RolloutHistory {
    const NAME: &'static str = "rollout_history";
    const TITLE: &'static str = "Show the rollouts of a workload";
    const DESCRIPTION: &'static str = "The revisions of a Deployment, StatefulSet or DaemonSet, newest first: images, when and by whom, how many pods run \
         each and are ready, and what changed from the one before (images, environment names, resources, probes, volumes). \
         Use it to find the change after which something broke; revision shows one of them in full.";
    type Input = Input;
    type Output = Output;
    type Context = ToolContext;

    async fn run(&self, input: Input, cx: &ToolContext) -> Result<ToolOutcome, ToolError> {
        let kind = cx.cluster.resolve(&input.kind, None).await?;
        if !["Deployment", "StatefulSet", "DaemonSet"].contains(&kind.kind.as_str()) {
            return Err(ToolError::InvalidInput(format!(
                "kind must be Deployment, StatefulSet or DaemonSet, not {}: other kinds keep no revisions",
                kind.kind
            )));
        }
        let name = input.name.rsplit('/').next().unwrap_or_default().to_owned();
        let reference = locate(cx, &kind, input.namespace, name).await?;
        let namespace = reference.namespace.as_deref();
        let workload = get(cx, &kind, namespace, &reference.name).await?;
        let revisions = revisions(cx, &kind, &workload).await?;
        let managers = managers(cx, &kind, &reference).await;
        let output = Output {
            rollout: rollout(&kind, &workload),
            paused: workload["spec"]["paused"] == true,
            template_managers: managers.iter().map(Manager::of).collect(),
            revisions: entries(&revisions, &managers, input.revision)?,
            object: reference,
        };
        outcome(&output, input.revision.is_some(), cx.now())
    }
}

/// Without them the history is still worth having.
async fn managers(cx: &ToolContext, kind: &Kind, object: &ObjectRef) -> Vec<FieldManager> {
    let found = cx.cluster.managers(kind, object.namespace.as_deref(), &object.name, &["spec", "template"]);
    found.await.unwrap_or_default()
}

impl Manager {
    fn of(manager: &FieldManager) -> Self {
        Self {
            name: plain(&manager.name),
            operation: plain(&manager.operation),
            time: manager.time.map(|time| time.to_string()),
        }
    }
}

/// What the workload says of its newest rollout.
fn rollout(kind: &Kind, workload: &Value) -> String {
    let status = &workload["status"];
    let number = |field: &str| status[field].as_i64().unwrap_or(0);
    let desired = workload["spec"]["replicas"].as_i64().unwrap_or(1);
    match kind.kind.as_str() {
        "DaemonSet" => format!(
            "{} of {} pods updated, {} ready",
            number("updatedNumberScheduled"),
            number("desiredNumberScheduled"),
            number("numberReady")
        ),
        _ => {
            let conditions = status["conditions"].as_array().into_iter().flatten();
            let progress = conditions.into_iter().find(|condition| condition["type"] == "Progressing");
            let reason = progress.and_then(|progress| progress["reason"].as_str());
            let reason = reason.map(|reason| format!(" ({})", plain(reason))).unwrap_or_default();
            format!(
                "{} of {desired} pods updated, {} ready{reason}",
                number("updatedReplicas"),
                number("readyReplicas")
            )
        }
    }
}

fn entries(
    revisions: &[Revision],
    managers: &[FieldManager],
    wanted: Option<u64>,
) -> Result<Vec<Entry>, ToolError> {
    let all = revisions.iter().enumerate().map(|(place, revision)| {
        let before = revisions.get(place + 1);
        let changes = before.map(|before| changes(&before.template, &revision.template)).unwrap_or_default();
        entry(revision, managers, changes, wanted.is_some())
    });
    let Some(number) = wanted else { return Ok(all.collect()) };
    let found: Vec<Entry> = all.filter(|entry| entry.revision == number).collect();
    if found.is_empty() {
        let known: Vec<String> = revisions.iter().map(|revision| revision.number.to_string()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(ToolError::NotFound(format!("there is no revision {number}; kept are {known}")));
    }
    Ok(found)
}

fn entry(revision: &Revision, managers: &[FieldManager], changes: Vec<Change>, in_full: bool) -> Entry {
    let is_of = |manager: &&FieldManager| {
        let times = manager.time.zip(revision.created);
        times.is_some_and(|(time, created)| time.duration_since(created).as_secs().abs() <= TOGETHER)
    };
    Entry {
        revision: revision.number,
        name: revision.name.clone(),
        created_at: revision.created.map(|time| time.to_string()),
        is_current: revision.is_current,
        replicas: revision.replicas,
        ready: revision.ready,
        images: revision.images(),
        change_cause: revision.change_cause.clone(),
        changed_by: managers.iter().filter(is_of).map(|manager| plain(&manager.name)).collect(),
        formerly: revision.formerly.clone(),
        changes,
        template: in_full.then(|| revision.template.clone()),
    }
}

fn outcome(output: &Output, in_full: bool, now: Timestamp) -> Result<ToolOutcome, ToolError> {
    let object = &output.object;
    let mut text = format!(
        "{} {}/{}: {}",
        object.kind,
        object.namespace.as_deref().unwrap_or_default(),
        object.name,
        output.rollout
    );
    if output.paused {
        text.push_str("; paused: changes make no new revision until it is resumed");
    }
    if let Some(manager) = output.template_managers.first() {
        let time = manager.time.as_deref().map(|time| format!(" at {time}")).unwrap_or_default();
        text.push_str(&format!("; pod template last written by {}{time}", manager.name));
    }
    text.push_str("\n\n");
    match output.revisions.is_empty() {
        true => text
            .push_str("No revisions are kept (revisionHistoryLimit may be 0, or they were not recorded).\n"),
        false => text.push_str(&overview(&output.revisions, now)),
    }
    for entry in &output.revisions {
        text.push_str(&told(entry));
    }
    if in_full && let Some(template) = output.revisions.first().and_then(|entry| entry.template.as_ref()) {
        text.push_str(&format!("\n{}", yaml(template)?));
    }
    let structured = serde_json::to_value(output).map_err(|error| {
        tracing::error!(%error, "bug: a history cannot be written as JSON");
        ToolError::Bug
    })?;
    Ok(ToolOutcome::new(structured, text))
}

fn overview(entries: &[Entry], now: Timestamp) -> String {
    let rows = entries.iter().map(|entry| {
        let created = entry.created_at.as_deref().and_then(|time| time.parse().ok());
        vec![
            format!("{}{}", entry.revision, if entry.is_current { " (current)" } else { "" }),
            created.map_or_else(|| cell(&Value::Null), |time| format!("{} ago", age(time, now))),
            format!("{}/{}", entry.ready, entry.replicas),
            shorten(&entry.images.join(","), 2 * VALUE),
            cell(&entry.changed_by.clone().into()),
            shorten(&cell(&entry.change_cause.clone().into()), VALUE),
        ]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    table(&["REVISION", "CREATED", "READY", "IMAGES", "CHANGED BY", "CHANGE CAUSE"], &rows)
}

/// What a revision changed, one line each.
fn told(entry: &Entry) -> String {
    if entry.changes.is_empty() {
        return String::new();
    }
    let mut text = format!("\nRevision {} changed:\n", entry.revision);
    for change in entry.changes.iter().take(SHOWN) {
        text.push_str(&format!("  {}\n", change.line(VALUE)));
    }
    if entry.changes.len() > SHOWN {
        let more = entry.changes.len() - SHOWN;
        text.push_str(&format!("  and {more} more: see them with revision={}\n", entry.revision));
    }
    text
}
