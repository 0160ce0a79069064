//! Columns of pods and of what makes them.

use serde_json::{Value, json};

use crate::cluster::pod_status;

use super::{Column, column, condition, is_true, list, number, text, texts, time};

pub(super) const POD: &[Column] = &[
    column("ready", "READY", |pod| pod_status(pod).ready_column().into()),
    column("status", "STATUS", |pod| pod_status(pod).status.into()),
    column("restarts", "RESTARTS", |pod| pod_status(pod).restarts.into()),
    time("lastRestart", "LAST RESTART", |pod| json!(pod_status(pod).last_restart)),
    column("ip", "IP", |pod| pod["status"]["podIP"].clone()),
    column("node", "NODE", |pod| pod["spec"]["nodeName"].clone()),
    column("phase", "", |pod| pod["status"]["phase"].clone()),
];

pub(super) const REPLICATED: &[Column] = &[
    column("ready", "READY", |of| ratio(number(&of["status"]["readyReplicas"], 0), replicas(of))),
    column("updated", "UP-TO-DATE", |of| number(&of["status"]["updatedReplicas"], 0).into()),
    column("available", "AVAILABLE", |of| number(&of["status"]["availableReplicas"], 0).into()),
    column("desired", "", |of| replicas(of).into()),
    column("paused", "", |of| of["spec"]["paused"].clone()),
];

pub(super) const REPLICA_SET: &[Column] = &[
    column("ready", "READY", |of| ratio(number(&of["status"]["readyReplicas"], 0), replicas(of))),
    column("current", "CURRENT", |of| number(&of["status"]["replicas"], 0).into()),
    column("available", "AVAILABLE", |of| number(&of["status"]["availableReplicas"], 0).into()),
    column("desired", "", |of| replicas(of).into()),
];

pub(super) const DAEMON_SET: &[Column] = &[
    column("ready", "READY", |of| {
        ratio(scheduled(of, "numberReady"), scheduled(of, "desiredNumberScheduled"))
    }),
    column("current", "CURRENT", |of| scheduled(of, "currentNumberScheduled").into()),
    column("updated", "UP-TO-DATE", |of| scheduled(of, "updatedNumberScheduled").into()),
    column("available", "AVAILABLE", |of| scheduled(of, "numberAvailable").into()),
    column("desired", "", |of| scheduled(of, "desiredNumberScheduled").into()),
];

pub(super) const JOB: &[Column] = &[
    column("status", "STATUS", job_status),
    column("completions", "COMPLETIONS", |job| {
        ratio(number(&job["status"]["succeeded"], 0), number(&job["spec"]["completions"], 1))
    }),
    column("active", "ACTIVE", |job| number(&job["status"]["active"], 0).into()),
    column("failed", "FAILED", |job| number(&job["status"]["failed"], 0).into()),
    time("startTime", "STARTED", |job| job["status"]["startTime"].clone()),
];

pub(super) const CRON_JOB: &[Column] = &[
    column("schedule", "SCHEDULE", |of| of["spec"]["schedule"].clone()),
    column("suspend", "SUSPEND", |of| of["spec"]["suspend"].as_bool().unwrap_or(false).into()),
    column("active", "ACTIVE", |of| list(&of["status"]["active"]).len().into()),
    time("lastSchedule", "LAST SCHEDULE", |of| of["status"]["lastScheduleTime"].clone()),
];

pub(super) const AUTOSCALER: &[Column] = &[
    column("reference", "REFERENCE", |of| {
        let target = &of["spec"]["scaleTargetRef"];
        format!("{}/{}", text(&target["kind"]), text(&target["name"])).into()
    }),
    column("targets", "TARGETS", targets),
    column("min", "MINPODS", |of| number(&of["spec"]["minReplicas"], 1).into()),
    column("max", "MAXPODS", |of| of["spec"]["maxReplicas"].clone()),
    column("replicas", "REPLICAS", |of| number(&of["status"]["currentReplicas"], 0).into()),
];

pub(super) const DISRUPTION_BUDGET: &[Column] = &[
    column("minAvailable", "MIN AVAILABLE", |of| of["spec"]["minAvailable"].clone()),
    column("maxUnavailable", "MAX UNAVAILABLE", |of| of["spec"]["maxUnavailable"].clone()),
    column("allowedDisruptions", "ALLOWED DISRUPTIONS", |of| {
        number(&of["status"]["disruptionsAllowed"], 0).into()
    }),
    column("healthy", "HEALTHY", |of| {
        ratio(number(&of["status"]["currentHealthy"], 0), number(&of["status"]["desiredHealthy"], 0))
    }),
];

fn ratio(part: i64, whole: i64) -> Value {
    format!("{part}/{whole}").into()
}

fn replicas(object: &Value) -> i64 {
    number(&object["spec"]["replicas"], 1)
}

fn scheduled(object: &Value, field: &str) -> i64 {
    number(&object["status"][field], 0)
}

fn job_status(job: &Value) -> Value {
    if is_true(job, "Complete") {
        return "Complete".into();
    }
    if is_true(job, "Failed") {
        let reason = condition(job, "Failed").map(|failed| text(&failed["reason"])).unwrap_or_default();
        return format!("Failed ({reason})").into();
    }
    if job["spec"]["suspend"] == true { "Suspended".into() } else { "Running".into() }
}

/// `cpu: 55%/80%` for each metric; what was not measured is `<unknown>`.
fn targets(autoscaler: &Value) -> Value {
    let measured = list(&autoscaler["status"]["currentMetrics"]);
    let metrics = list(&autoscaler["spec"]["metrics"]).iter();
    texts(metrics.map(|metric| {
        let (name, target) = name_and_amount(metric, "target");
        let current = measured.iter().map(|current| name_and_amount(current, "current"));
        let current = current.into_iter().find(|(of, _)| *of == name).map(|(_, amount)| amount);
        format!("{name}: {}/{target}", current.as_deref().unwrap_or("<unknown>"))
    }))
}

/// A metric's name and one of its amounts, `target` or `current`.
fn name_and_amount(metric: &Value, which: &str) -> (String, String) {
    let sources = ["resource", "containerResource", "pods", "object", "external"];
    let source = sources.iter().map(|source| &metric[*source]).find(|source| source.is_object());
    let source = source.unwrap_or(&Value::Null);
    let name = [&source["name"], &source["metric"]["name"]].map(text);
    let name = name.into_iter().find(|name| !name.is_empty()).unwrap_or("metric");
    let amounts = &source[which];
    let amount = match amounts["averageUtilization"].as_i64() {
        Some(percent) => format!("{percent}%"),
        None => {
            let amount = [&amounts["averageValue"], &amounts["value"]].map(text);
            amount.into_iter().find(|amount| !amount.is_empty()).unwrap_or("<unknown>").to_owned()
        }
    };
    (name.to_owned(), amount)
}
