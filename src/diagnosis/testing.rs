//! Small clusters for the tests of rules: objects in the shapes that Kubernetes writes.

use serde_json::{Value, json};

use super::report::{Coverage, Finding, Report, ReportCluster, Scope};
use super::snapshot::{ContainerLog, LogRef, READ_KINDS, Snapshot};

/// The present of every test.
pub(crate) const NOW: &str = "2026-01-01T12:00:00Z";
/// Ten minutes before.
pub(crate) const EARLIER: &str = "2026-01-01T11:50:00Z";

/// A snapshot of these objects in which every kind was read.
pub(crate) fn snapshot(objects: Vec<Value>) -> Snapshot {
    let read = READ_KINDS.iter().map(|kind| kind.plural.to_owned()).collect();
    Snapshot {
        cluster: ReportCluster {
            name: "test".to_owned(),
            source: "bundle".to_owned(),
            ..ReportCluster::default()
        },
        now: NOW.parse().unwrap(),
        objects,
        logs: Vec::new(),
        coverage: Coverage { read, missing: Vec::new() },
    }
}

/// The report on these objects.
pub(crate) fn diagnosed(objects: Vec<Value>) -> Report {
    super::diagnose(&snapshot(objects), &Scope::default())
}

/// The report on these objects with the current log of one container.
pub(crate) fn diagnosed_with_log(objects: Vec<Value>, pod: &str, container: &str, text: &str) -> Report {
    let mut snapshot = snapshot(objects);
    let of = LogRef {
        namespace: "shop".to_owned(),
        pod: pod.to_owned(),
        container: container.to_owned(),
        previous: false,
    };
    snapshot.logs.push(ContainerLog { of, text: text.to_owned() });
    super::diagnose(&snapshot, &Scope::default())
}

/// `rule kind/name` of every finding that nothing else explains, in the report's order.
pub(crate) fn roots(report: &Report) -> Vec<String> {
    report.findings.iter().filter(|finding| finding.caused_by.is_empty()).map(line).collect()
}

/// `rule kind/name` of every finding that something else explains.
pub(crate) fn symptoms(report: &Report) -> Vec<String> {
    report.findings.iter().filter(|finding| !finding.caused_by.is_empty()).map(line).collect()
}

fn line(finding: &Finding) -> String {
    format!("{} {}/{}", finding.rule, finding.object.kind, finding.object.name)
}

/// The only finding of a rule.
pub(crate) fn finding<'r>(report: &'r Report, rule: &str) -> &'r Finding {
    let mut found = report.findings.iter().filter(|finding| finding.rule == rule);
    let first = found.next().unwrap_or_else(|| panic!("no finding of {rule}: {:#?}", report.findings));
    assert!(found.next().is_none(), "more than one finding of {rule}");
    first
}

/// Lays `patch` over `base`: objects are merged, everything else replaces.
pub(crate) fn with(mut base: Value, patch: Value) -> Value {
    fn merge(base: &mut Value, patch: Value) {
        match (base, patch) {
            (Value::Object(base), Value::Object(patch)) => {
                for (name, value) in patch {
                    merge(base.entry(name).or_insert(Value::Null), value);
                }
            }
            (base, patch) => *base = patch,
        }
    }
    merge(&mut base, patch);
    base
}

/// Any object in the namespace `shop`, created ten minutes ago.
pub(crate) fn object(api_version: &str, kind: &str, name: &str, rest: Value) -> Value {
    let base = json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": { "name": name, "namespace": "shop", "uid": format!("{kind}-{name}"), "creationTimestamp": EARLIER },
    });
    with(base, rest)
}

/// The pod template and the pods of a workload have this label: `app: NAME`.
fn template(name: &str, container: Value) -> Value {
    let container = with(json!({ "name": name, "image": format!("shop/{name}:1") }), container);
    json!({ "metadata": { "labels": { "app": name } }, "spec": { "restartPolicy": "Always", "containers": [container] } })
}

/// A Deployment of one pod that is not ready, with its ReplicaSet and the pod `NAME-1`, bound to node `n1`. `container`
/// is laid over the container's spec, `status` over its status.
pub(crate) fn deployment(name: &str, container: Value, status: Value) -> Vec<Value> {
    let template = template(name, container);
    let set = format!("{name}-abc");
    let selector = json!({ "matchLabels": { "app": name } });
    let deployment = object(
        "apps/v1",
        "Deployment",
        name,
        json!({ "spec": { "replicas": 1, "selector": selector, "template": template }, "status": { "replicas": 1 } }),
    );
    let owned = |kind: &str, owner: &str| json!([{ "apiVersion": "apps/v1", "kind": kind, "name": owner, "uid": format!("{kind}-{owner}"), "controller": true }]);
    let replica_set = object(
        "apps/v1",
        "ReplicaSet",
        &set,
        json!({
            "metadata": { "ownerReferences": owned("Deployment", name) },
            "spec": { "replicas": 1, "selector": selector, "template": template }, "status": { "replicas": 1 },
        }),
    );
    let pod = object(
        "v1",
        "Pod",
        &format!("{name}-1"),
        json!({
            "metadata": { "labels": { "app": name }, "ownerReferences": owned("ReplicaSet", &set) },
            "spec": with(template["spec"].clone(), json!({ "nodeName": "n1" })),
            "status": {
                "phase": "Running",
                "conditions": [{ "type": "PodScheduled", "status": "True" }, { "type": "Ready", "status": "False" }],
                "containerStatuses": [with(json!({ "name": name, "ready": false, "restartCount": 0, "state": {} }), status)],
            },
        }),
    );
    vec![deployment, replica_set, pod]
}

/// A Deployment whose one pod is ready.
pub(crate) fn healthy_deployment(name: &str, container: Value) -> Vec<Value> {
    let running = json!({ "ready": true, "started": true, "state": { "running": { "startedAt": EARLIER } } });
    let mut objects = deployment(name, container, running);
    objects[0]["status"] =
        json!({ "replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 1 });
    objects[1]["status"] = objects[0]["status"].clone();
    objects[2]["status"]["conditions"] =
        json!([{ "type": "PodScheduled", "status": "True" }, { "type": "Ready", "status": "True" }]);
    objects
}

/// A Warning about an object in `shop`, seen three times, last one minute ago.
pub(crate) fn warning(kind: &str, name: &str, reason: &str, message: &str) -> Value {
    let involved =
        json!({ "kind": kind, "namespace": "shop", "name": name, "uid": format!("{kind}-{name}") });
    object(
        "v1",
        "Event",
        &format!("{name}.{}", message.len()),
        json!({
            "involvedObject": involved, "type": "Warning", "reason": reason, "message": message, "count": 3,
            "firstTimestamp": EARLIER, "lastTimestamp": "2026-01-01T11:59:00Z",
        }),
    )
}

/// A Service that selects `app: SELECTED` and forwards port 80 to 8080.
pub(crate) fn service(name: &str, selected: &str) -> Value {
    let spec = json!({
        "type": "ClusterIP", "clusterIP": "10.100.0.10", "selector": { "app": selected },
        "ports": [{ "name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP" }],
    });
    object("v1", "Service", name, json!({ "spec": spec }))
}

/// A node that is ready, with 2 CPUs and 4Gi.
pub(crate) fn node(name: &str, rest: Value) -> Value {
    let base = json!({
        "apiVersion": "v1", "kind": "Node", "metadata": { "name": name, "uid": name, "labels": { "kubernetes.io/hostname": name } },
        "spec": {},
        "status": {
            "allocatable": { "cpu": "2", "memory": "4Gi", "pods": "17" },
            "conditions": [{ "type": "Ready", "status": "True" }],
            "nodeInfo": { "architecture": "amd64" },
        },
    });
    with(base, rest)
}
