//! Nodes, events, configuration, policies and access.

use serde_json::Value;

use super::cells::{
    Column, Row, Words, age_column, any, created_column, flag, joined, name_column, or, or_none, shown, wide,
};

pub(super) fn columns(kind: &str) -> Option<Vec<Column>> {
    Some(match kind {
        "Node" => nodes(),
        "Namespace" => {
            vec![name_column(), shown("Status", |row| row.object.text("status.phase").into()), age_column()]
        }
        "Event" => events(),
        "ConfigMap" => vec![name_column(), shown("Data", data_count), age_column()],
        "Secret" => vec![
            name_column(),
            shown("Type", |row| row.object.text("type").into()),
            shown("Data", data_count),
            age_column(),
        ],
        "ServiceAccount" => {
            vec![
                name_column(),
                shown("Secrets", |row| row.object.list("secrets").count().into()),
                age_column(),
            ]
        }
        "HorizontalPodAutoscaler" => autoscalers(),
        "PodDisruptionBudget" => budgets(),
        "ResourceQuota" => quotas(),
        "PriorityClass" => vec![
            name_column(),
            shown("Value", |row| row.object.number("value").into()),
            shown("Global-Default", |row| flag(row.object.at("globalDefault").0 == true)),
            age_column(),
        ],
        "Lease" => vec![
            name_column(),
            shown("Holder", |row| row.object.text("spec.holderIdentity").into()),
            age_column(),
        ],
        "LimitRange" | "Role" | "ClusterRole" | "CustomResourceDefinition" => {
            vec![name_column(), created_column()]
        }
        "RoleBinding" | "ClusterRoleBinding" => bindings(),
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => {
            vec![
                name_column(),
                shown("Webhooks", |row| row.object.list("webhooks").count().into()),
                age_column(),
            ]
        }
        "APIService" => api_services(),
        _ => return None,
    })
}

fn data_count(row: &Row<'_>) -> Value {
    (row.object.entries("data").count() + row.object.entries("binaryData").count()).into()
}

fn nodes() -> Vec<Column> {
    vec![
        name_column(),
        shown("Status", node_status),
        shown("Roles", roles),
        age_column(),
        shown("Version", |row| row.object.text("status.nodeInfo.kubeletVersion").into()),
        wide("Internal-IP", |row| address(row, "InternalIP")),
        wide("External-IP", |row| address(row, "ExternalIP")),
        wide("OS-Image", |row| or(row.object.text("status.nodeInfo.osImage"), "<unknown>")),
        wide("Kernel-Version", |row| or(row.object.text("status.nodeInfo.kernelVersion"), "<unknown>")),
        wide("Container-Runtime", |row| {
            or(row.object.text("status.nodeInfo.containerRuntimeVersion"), "<unknown>")
        }),
    ]
}

fn node_status(row: &Row<'_>) -> Value {
    let mut conditions = row.object.list("status.conditions");
    let ready = conditions.find(|condition| condition.text("type") == "Ready");
    let status = match ready.map(|condition| condition.text("status")) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    let cordoned = row.object.at("spec.unschedulable").0 == true;
    format!("{status}{}", if cordoned { ",SchedulingDisabled" } else { "" }).into()
}

fn roles(row: &Row<'_>) -> Value {
    let labels = row.object.entries("metadata.labels");
    let mut roles: Vec<&str> = labels
        .filter_map(|(name, value)| match name {
            "kubernetes.io/role" => value.as_str(),
            name => name.strip_prefix("node-role.kubernetes.io/"),
        })
        .collect();
    roles.sort_unstable();
    joined(roles.into_iter())
}

fn address(row: &Row<'_>, kind: &str) -> Value {
    let mut addresses = row.object.list("status.addresses");
    let found = addresses.find(|address| address.text("type") == kind);
    or_none(found.map_or("", |address| address.text("address")))
}

fn events() -> Vec<Column> {
    vec![
        shown("Last Seen", last_seen),
        shown("Type", |row| row.object.text("type").into()),
        shown("Reason", |row| row.object.text("reason").into()),
        shown("Object", |row| {
            let involved = involved(row);
            let kind = involved.text("kind").to_lowercase();
            match involved.text("name") {
                "" => kind.into(),
                name => format!("{kind}/{name}").into(),
            }
        }),
        wide("Subobject", |row| involved(row).text("fieldPath").into()),
        wide("Source", source),
        shown("Message", |row| either(row, "message", "note").trim().into()),
        wide("First Seen", first_seen),
        wide("Count", |row| {
            let series = row.object.number("series.count");
            let count = row.object.number("count").max(row.object.number("deprecatedCount"));
            series.max(count).max(1).into()
        }),
        wide("Name", |row| row.object.text("metadata.name").into()),
    ]
}

/// The core group and `events.k8s.io` have the same things under different names.
fn either<'a>(row: &Row<'a>, core: &str, new: &str) -> &'a str {
    match row.object.text(core) {
        "" => row.object.text(new),
        text => text,
    }
}

fn involved<'a>(row: &Row<'a>) -> Words<'a> {
    match row.object.is_set("involvedObject") {
        true => row.object.at("involvedObject"),
        false => row.object.at("regarding"),
    }
}

fn first_seen(row: &Row<'_>) -> Value {
    let times = ["firstTimestamp", "deprecatedFirstTimestamp", "eventTime"];
    let first = times.iter().find_map(|path| row.since(path));
    first.unwrap_or_else(|| "<unknown>".to_owned()).into()
}

fn last_seen(row: &Row<'_>) -> Value {
    let times = ["series.lastObservedTime", "lastTimestamp", "deprecatedLastTimestamp"];
    let last = times.iter().find_map(|path| row.since(path));
    last.map_or_else(|| first_seen(row), Into::into)
}

fn source(row: &Row<'_>) -> Value {
    let source = match row.object.is_set("source") {
        true => row.object.at("source"),
        false => row.object.at("deprecatedSource"),
    };
    let component = match source.text("component") {
        "" => either(row, "reportingComponent", "reportingController"),
        component => component,
    };
    let host = match source.text("host") {
        "" => row.object.text("reportingInstance"),
        host => host,
    };
    let parts = [component, host];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ").into()
}

fn autoscalers() -> Vec<Column> {
    vec![
        name_column(),
        shown("Reference", |row| {
            let target = row.object.at("spec.scaleTargetRef");
            format!("{}/{}", target.text("kind"), target.text("name")).into()
        }),
        shown("Targets", targets),
        shown("MinPods", |row| any(row.object.at("spec.minReplicas"), "<unset>")),
        shown("MaxPods", |row| row.object.number("spec.maxReplicas").into()),
        shown("Replicas", |row| row.object.number("status.currentReplicas").into()),
        age_column(),
    ]
}

/// `cpu: 12%/80%`.
fn targets(row: &Row<'_>) -> Value {
    let current: Vec<Words<'_>> = row.object.list("status.currentMetrics").collect();
    let metrics = row.object.list("spec.metrics").enumerate().map(|(place, metric)| {
        let field = match metric.text("type") {
            "ContainerResource" => "containerResource",
            "Pods" => "pods",
            "Object" => "object",
            "External" => "external",
            _ => "resource",
        };
        let wanted = metric.at(field);
        let now = current.get(place).map_or(Words(&Value::Null), |metric| metric.at(field));
        let percent = |part: Words<'_>, unknown: &str| match part.at("averageUtilization").0 {
            Value::Null => match part.at("averageValue").0 {
                Value::Null => any(part.at("value"), unknown),
                value => any(Words(value), unknown),
            },
            value => format!("{value}%").into(),
        };
        let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
        let name = match wanted.text("name") {
            "" => wanted.text("metric.name"),
            name => name,
        };
        format!(
            "{name}: {}/{}",
            text(percent(now.at("current"), "<unknown>")),
            text(percent(wanted.at("target"), "<auto>"))
        )
    });
    or_none(&metrics.collect::<Vec<_>>().join(", "))
}

fn budgets() -> Vec<Column> {
    vec![
        name_column(),
        shown("Min Available", |row| any(row.object.at("spec.minAvailable"), "N/A")),
        shown("Max Unavailable", |row| any(row.object.at("spec.maxUnavailable"), "N/A")),
        shown("Allowed Disruptions", |row| row.object.number("status.disruptionsAllowed").into()),
        age_column(),
    ]
}

fn quotas() -> Vec<Column> {
    vec![
        name_column(),
        shown("Request", |row| quota(row, false)),
        shown("Limit", |row| quota(row, true)),
        age_column(),
    ]
}

/// `requests.cpu: 1/4, pods: 3/10`.
fn quota(row: &Row<'_>, limits: bool) -> Value {
    let used = row.object.at("status.used");
    let hard = row.object.entries("status.hard").filter(|(name, _)| name.starts_with("limits.") == limits);
    let text = |value: &Value| value.as_str().unwrap_or("0").to_owned();
    let parts: Vec<String> =
        hard.map(|(name, hard)| format!("{name}: {}/{}", text(&used.0[name]), text(hard))).collect();
    parts.join(", ").into()
}

fn bindings() -> Vec<Column> {
    vec![
        name_column(),
        shown("Role", |row| {
            let role = row.object.at("roleRef");
            format!("{}/{}", role.text("kind"), role.text("name")).into()
        }),
        age_column(),
        wide("Users", |row| subjects(row, "User")),
        wide("Groups", |row| subjects(row, "Group")),
        wide("ServiceAccounts", |row| subjects(row, "ServiceAccount")),
    ]
}

fn subjects(row: &Row<'_>, kind: &str) -> Value {
    let subjects = row.object.list("subjects").filter(|subject| subject.text("kind") == kind);
    let names: Vec<String> = subjects
        .map(|subject| match subject.text("namespace") {
            "" => subject.text("name").to_owned(),
            namespace => format!("{namespace}/{}", subject.text("name")),
        })
        .collect();
    names.join(", ").into()
}

fn api_services() -> Vec<Column> {
    vec![
        name_column(),
        shown("Service", |row| {
            let service = row.object.at("spec.service");
            match service.text("name") {
                "" => "Local".into(),
                name => format!("{}/{name}", service.text("namespace")).into(),
            }
        }),
        shown("Available", |row| {
            let mut conditions = row.object.list("status.conditions");
            let available = conditions.find(|condition| condition.text("type") == "Available");
            match available {
                None => "Unknown".into(),
                Some(condition) if condition.text("status") == "True" => "True".into(),
                Some(condition) => {
                    format!("{} ({})", condition.text("status"), condition.text("reason")).into()
                }
            }
        }),
        age_column(),
    ]
}
