//! Pods and what makes them.

use serde_json::Value;

use crate::cluster::{age, pod_status};

use super::cells::{
    Column, Row, Words, age_column, joined, labels, name_column, of, or_none, selector, shown, wide,
};

pub(super) fn columns(kind: &str) -> Option<Vec<Column>> {
    Some(match kind {
        "Pod" => pods(),
        "Deployment" => deployments(),
        "ReplicaSet" => replica_sets(),
        "StatefulSet" => stateful_sets(),
        "DaemonSet" => daemon_sets(),
        "Job" => jobs(),
        "CronJob" => cron_jobs(),
        _ => return None,
    })
}

fn pods() -> Vec<Column> {
    vec![
        name_column(),
        shown("Ready", |row| pod_status(row.object.0).ready_column().into()),
        shown("Status", |row| pod_status(row.object.0).status.into()),
        shown("Restarts", restarts),
        age_column(),
        wide("IP", |row| or_none(row.object.text("status.podIP"))),
        wide("Node", |row| or_none(row.object.text("spec.nodeName"))),
        wide("Nominated Node", |row| or_none(row.object.text("status.nominatedNodeName"))),
        wide("Readiness Gates", readiness_gates),
    ]
}

/// `5 (3m ago)`.
fn restarts(row: &Row<'_>) -> Value {
    let status = pod_status(row.object.0);
    let last = status.last_restart.and_then(|time| time.parse().ok());
    match last {
        Some(last) if status.restarts > 0 => {
            format!("{} ({} ago)", status.restarts, age(last, row.now)).into()
        }
        _ => status.restarts.to_string().into(),
    }
}

fn readiness_gates(row: &Row<'_>) -> Value {
    let gates: Vec<&str> =
        row.object.list("spec.readinessGates").map(|gate| gate.text("conditionType")).collect();
    let is_true = |gate: &&&str| {
        let mut conditions = row.object.list("status.conditions");
        conditions.any(|condition| condition.text("type") == **gate && condition.text("status") == "True")
    };
    match gates.as_slice() {
        [] => "<none>".into(),
        gates => format!("{}/{}", gates.iter().filter(is_true).count(), gates.len()).into(),
    }
}

fn deployments() -> Vec<Column> {
    let mut columns = vec![
        name_column(),
        shown("Ready", ready_of_replicas),
        shown("Up-to-date", |row| row.object.number("status.updatedReplicas").into()),
        shown("Available", |row| row.object.number("status.availableReplicas").into()),
        age_column(),
    ];
    columns.extend(template_columns());
    columns.push(selector_column());
    columns
}

fn replica_sets() -> Vec<Column> {
    let mut columns = vec![
        name_column(),
        shown("Desired", |row| desired(row).into()),
        shown("Current", |row| row.object.number("status.replicas").into()),
        shown("Ready", |row| row.object.number("status.readyReplicas").into()),
        age_column(),
    ];
    columns.extend(template_columns());
    columns.push(selector_column());
    columns
}

fn stateful_sets() -> Vec<Column> {
    let mut columns = vec![name_column(), shown("Ready", ready_of_replicas), age_column()];
    columns.extend(template_columns());
    columns
}

fn daemon_sets() -> Vec<Column> {
    let mut columns = vec![
        name_column(),
        shown("Desired", |row| row.object.number("status.desiredNumberScheduled").into()),
        shown("Current", |row| row.object.number("status.currentNumberScheduled").into()),
        shown("Ready", |row| row.object.number("status.numberReady").into()),
        shown("Up-to-date", |row| row.object.number("status.updatedNumberScheduled").into()),
        shown("Available", |row| row.object.number("status.numberAvailable").into()),
        shown("Node Selector", |row| labels(row.object.at("spec.template.spec.nodeSelector"))),
        age_column(),
    ];
    columns.extend(template_columns());
    columns.push(selector_column());
    columns
}

fn jobs() -> Vec<Column> {
    let mut columns = vec![
        name_column(),
        shown("Status", job_status),
        shown("Completions", completions),
        shown("Duration", job_duration),
        age_column(),
    ];
    columns.extend(template_columns());
    columns.push(selector_column());
    columns
}

fn cron_jobs() -> Vec<Column> {
    vec![
        name_column(),
        shown("Schedule", |row| row.object.text("spec.schedule").into()),
        shown("Timezone", |row| or_none(row.object.text("spec.timeZone"))),
        shown("Suspend", |row| match row.object.at("spec.suspend").0 {
            Value::Bool(true) => "True".into(),
            _ => "False".into(),
        }),
        shown("Active", |row| row.object.list("status.active").count().into()),
        shown("Last Schedule", |row| or_none(&row.since("status.lastScheduleTime").unwrap_or_default())),
        age_column(),
        wide("Containers", |row| containers(row.object.at("spec.jobTemplate.spec.template"), "name")),
        wide("Images", |row| containers(row.object.at("spec.jobTemplate.spec.template"), "image")),
        wide("Selector", |row| selector(row.object.at("spec.jobTemplate.spec.selector"))),
    ]
}

fn template_columns() -> [Column; 2] {
    [
        wide("Containers", |row| containers(row.object.at("spec.template"), "name")),
        wide("Images", |row| containers(row.object.at("spec.template"), "image")),
    ]
}

fn selector_column() -> Column {
    wide("Selector", |row| selector(row.object.at("spec.selector")))
}

fn containers(template: Words<'_>, field: &str) -> Value {
    joined(template.list("spec.containers").map(|container| container.key(field)))
}

/// A controller without `replicas` makes one.
fn desired(row: &Row<'_>) -> i64 {
    row.object.at("spec.replicas").0.as_i64().unwrap_or(1)
}

fn ready_of_replicas(row: &Row<'_>) -> Value {
    of(row.object.number("status.readyReplicas"), desired(row))
}

fn job_status(row: &Row<'_>) -> Value {
    let has = |kind: &str| {
        let mut conditions = row.object.list("status.conditions");
        conditions.any(|condition| condition.text("type") == kind && condition.text("status") == "True")
    };
    let known = ["Complete", "Failed", "Suspended", "FailureTarget", "SuccessCriteriaMet"];
    let ended = known.into_iter().find(|kind| has(kind));
    let otherwise = if row.object.is_set("metadata.deletionTimestamp") { "Terminating" } else { "Running" };
    ended.unwrap_or(otherwise).into()
}

fn completions(row: &Row<'_>) -> Value {
    let succeeded = row.object.number("status.succeeded");
    let parallelism = row.object.number("spec.parallelism");
    match row.object.at("spec.completions").0.as_i64() {
        Some(completions) => of(succeeded, completions),
        None if parallelism > 1 => format!("{succeeded}/1 of {parallelism}").into(),
        None => of(succeeded, 1),
    }
}

fn job_duration(row: &Row<'_>) -> Value {
    let time = |path: &str| row.object.text(path).parse().ok();
    let ended = time("status.completionTime").unwrap_or(row.now);
    time("status.startTime").map_or_else(|| "".into(), |started| age(started, ended).into())
}
