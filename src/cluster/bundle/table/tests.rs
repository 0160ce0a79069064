use rstest::rstest;

use super::*;

/// The row of an object that is five minutes old, with the columns of `-o wide` after `·`.
fn shown(kind: &str, mut object: Value) -> String {
    object["metadata"]["name"] = json!("x");
    object["metadata"]["creationTimestamp"] = json!("2025-03-11T07:55:00Z");
    let now = "2025-03-11T08:00:00Z".parse().unwrap();
    let table = table(kind, &[&object], now, json!({}), Include::Metadata);
    let columns = table["columnDefinitions"].as_array().unwrap();
    let cells = table["rows"][0]["cells"].as_array().unwrap();
    assert_eq!(columns.len(), cells.len());
    let text = |cell: &Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
    let of = |priority: i64| {
        let cells = columns.iter().zip(cells).filter(|(column, _)| column["priority"] == priority);
        cells.map(|(_, cell)| text(cell)).collect::<Vec<_>>().join(" | ")
    };
    match of(1) {
        wide if wide.is_empty() => of(0),
        wide => format!("{} · {wide}", of(0)),
    }
}

fn template() -> Value {
    json!({ "spec": { "nodeSelector": { "os": "linux" }, "containers": [
        { "name": "web", "image": "shop/web:1" }, { "name": "proxy", "image": "proxy:2" },
    ] } })
}

fn web() -> Value {
    json!({ "matchLabels": { "app": "web" }, "matchExpressions": [{ "key": "tier", "operator": "In", "values": ["a", "b"] }] })
}

#[rstest]
#[case::pod("Pod", json!({
    "spec": { "nodeName": "n1", "containers": [{ "name": "a" }] },
    "status": { "phase": "Running", "podIP": "10.0.0.1", "containerStatuses": [{
        "name": "a", "restartCount": 5, "state": { "waiting": { "reason": "CrashLoopBackOff" } },
        "lastState": { "terminated": { "finishedAt": "2025-03-11T07:58:30Z" } },
    }] },
}), "x | 0/1 | CrashLoopBackOff | 5 (90s ago) | 5m · 10.0.0.1 | n1 | <none> | <none>")]
#[case::pod_with_gates("Pod", json!({
    "spec": { "readinessGates": [{ "conditionType": "lb" }, { "conditionType": "dns" }], "containers": [{}] },
    "status": { "phase": "Pending", "conditions": [{ "type": "lb", "status": "True" }] },
}), "x | 0/1 | Pending | 0 | 5m · <none> | <none> | <none> | 1/2")]
#[case::deployment("Deployment", json!({
    "spec": { "replicas": 3, "selector": web(), "template": template() },
    "status": { "readyReplicas": 1, "updatedReplicas": 2 },
}), "x | 1/3 | 2 | 0 | 5m · web,proxy | shop/web:1,proxy:2 | app=web,tier in (a,b)")]
#[case::replica_set("ReplicaSet", json!({ "spec": { "replicas": 0, "template": template() }, "status": {} }),
    "x | 0 | 0 | 0 | 5m · web,proxy | shop/web:1,proxy:2 | <none>")]
#[case::stateful_set("StatefulSet", json!({ "spec": { "template": template() } }),
    "x | 0/1 | 5m · web,proxy | shop/web:1,proxy:2")]
#[case::daemon_set("DaemonSet", json!({ "spec": { "template": template() }, "status": {
    "desiredNumberScheduled": 4, "currentNumberScheduled": 3, "numberReady": 2, "numberAvailable": 1,
} }), "x | 4 | 3 | 2 | 0 | 1 | os=linux | 5m · web,proxy | shop/web:1,proxy:2 | <none>")]
#[case::job("Job", json!({
    "spec": { "completions": 3, "template": template() },
    "status": { "succeeded": 1, "startTime": "2025-03-11T07:55:00Z" },
}), "x | Running | 1/3 | 5m | 5m · web,proxy | shop/web:1,proxy:2 | <none>")]
#[case::job_that_failed("Job", json!({
    "spec": { "parallelism": 2 }, "status": { "conditions": [{ "type": "Failed", "status": "True" }] },
}), "x | Failed | 0/1 of 2 |  | 5m · <none> | <none> | <none>")]
#[case::cron_job("CronJob", json!({
    "spec": { "schedule": "*/5 * * * *", "suspend": true, "jobTemplate": { "spec": { "template": template() } } },
    "status": { "active": [{}], "lastScheduleTime": "2025-03-11T07:59:00Z" },
}), "x | */5 * * * * | <none> | True | 1 | 60s | 5m · web,proxy | shop/web:1,proxy:2 | <none>")]
fn workloads(#[case] kind: &str, #[case] object: Value, #[case] row: &str) {
    assert_eq!(shown(kind, object), row);
}

#[rstest]
#[case::cluster_ip("Service", json!({ "spec": {
    "type": "ClusterIP", "clusterIP": "10.96.0.9", "selector": { "app": "web" },
    "ports": [{ "port": 80, "protocol": "TCP" }, { "port": 53, "protocol": "UDP", "nodePort": 30053 }],
} }), "x | ClusterIP | 10.96.0.9 | <none> | 80/TCP,53:30053/UDP | 5m · app=web")]
#[case::load_balancer("Service", json!({ "spec": { "type": "LoadBalancer", "clusterIP": "10.96.0.9" } }),
    "x | LoadBalancer | 10.96.0.9 | <pending> | <none> | 5m · <none>")]
#[case::balanced("Service", json!({
    "spec": { "type": "LoadBalancer", "clusterIP": "None" },
    "status": { "loadBalancer": { "ingress": [{ "hostname": "lb.example" }] } },
}), "x | LoadBalancer | None | lb.example | <none> | 5m · <none>")]
#[case::endpoints("Endpoints", json!({ "subsets": [
    { "addresses": [{ "ip": "10.0.0.1" }, { "ip": "fd00::2" }], "ports": [{ "port": 80 }, { "port": 443 }] },
] }), "x | 10.0.0.1:80,10.0.0.1:443,[fd00::2]:80 + 1 more... | 5m")]
#[case::no_endpoints("Endpoints", json!({}), "x | <none> | 5m")]
#[case::no_ready_endpoints("Endpoints", json!({ "subsets": [{ "notReadyAddresses": [{ "ip": "10.0.0.1" }] }] }), "x |  | 5m")]
#[case::endpoint_slice("EndpointSlice", json!({
    "addressType": "IPv4", "ports": [{ "port": 80 }], "endpoints": [{ "addresses": ["10.0.0.1", "10.0.0.2"] }],
}), "x | IPv4 | 80 | 10.0.0.1,10.0.0.2 | 5m")]
#[case::ingress("Ingress", json!({
    "spec": { "ingressClassName": "alb", "tls": [{}], "rules": [
        { "host": "a.example" }, { "host": "b.example" }, { "host": "c.example" }, { "host": "d.example" }] },
    "status": { "loadBalancer": { "ingress": [{ "ip": "1.2.3.4" }] } },
}), "x | alb | a.example,b.example,c.example + 1 more... | 1.2.3.4 | 80, 443 | 5m")]
#[case::policy("NetworkPolicy", json!({ "spec": { "podSelector": { "matchLabels": { "app": "web" } } } }),
    "x | app=web | 5m")]
fn network(#[case] kind: &str, #[case] object: Value, #[case] row: &str) {
    assert_eq!(shown(kind, object), row);
}

#[rstest]
#[case::bound("PersistentVolumeClaim", json!({
    "spec": { "volumeName": "pv-1", "storageClassName": "gp3", "volumeMode": "Filesystem" },
    "status": { "phase": "Bound", "capacity": { "storage": "10Gi" }, "accessModes": ["ReadWriteOnce"] },
}), "x | Bound | pv-1 | 10Gi | RWO | gp3 | <unset> | 5m · Filesystem")]
#[case::pending("PersistentVolumeClaim", json!({
    "spec": { "accessModes": ["ReadWriteOnce"], "storageClassName": "gp9" }, "status": { "phase": "Pending" },
}), "x | Pending |  |  |  | gp9 | <unset> | 5m · <unset>")]
#[case::volume("PersistentVolume", json!({
    "spec": {
        "capacity": { "storage": "10Gi" }, "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Delete", "claimRef": { "namespace": "shop", "name": "data" },
        "storageClassName": "gp3",
    },
    "status": { "phase": "Bound" },
}), "x | 10Gi | RWO,RWX | Delete | Bound | shop/data | gp3 | <unset> |  | 5m · <unset>")]
#[case::class("StorageClass", json!({
    "metadata": { "annotations": { "storageclass.kubernetes.io/is-default-class": "true" } },
    "provisioner": "ebs.csi.aws.com", "allowVolumeExpansion": true, "volumeBindingMode": "WaitForFirstConsumer",
}), "x (default) | ebs.csi.aws.com | Delete | WaitForFirstConsumer | true | 5m")]
fn storage(#[case] kind: &str, #[case] object: Value, #[case] row: &str) {
    assert_eq!(shown(kind, object), row);
}

#[rstest]
#[case::node("Node", json!({
    "metadata": { "labels": { "node-role.kubernetes.io/worker": "", "kubernetes.io/role": "edge" } },
    "spec": { "unschedulable": true },
    "status": {
        "conditions": [{ "type": "Ready", "status": "Unknown" }],
        "addresses": [{ "type": "InternalIP", "address": "10.0.0.9" }],
        "nodeInfo": { "kubeletVersion": "v1.31.4", "osImage": "Bottlerocket" },
    },
}), "x | NotReady,SchedulingDisabled | edge,worker | 5m | v1.31.4 · 10.0.0.9 | <none> | Bottlerocket | <unknown> | <unknown>")]
#[case::event("Event", json!({
    "type": "Warning", "reason": "BackOff", "message": " Back-off restarting \n", "count": 17,
    "involvedObject": { "kind": "Pod", "name": "web-1", "fieldPath": "spec.containers{app}" },
    "firstTimestamp": "2025-03-11T07:30:00Z", "lastTimestamp": "2025-03-11T07:59:00Z",
    "source": { "component": "kubelet", "host": "n1" },
}), "60s | Warning | BackOff | pod/web-1 | Back-off restarting · spec.containers{app} | kubelet, n1 | 30m | 17 | x")]
#[case::new_event("Event", json!({
    "type": "Normal", "reason": "Scheduled", "message": "ok", "involvedObject": { "kind": "Pod", "name": "web-1" },
    "eventTime": "2025-03-11T07:58:00Z", "series": { "count": 3, "lastObservedTime": "2025-03-11T07:59:30Z" },
    "reportingComponent": "default-scheduler", "reportingInstance": "default-scheduler-1",
}), "30s | Normal | Scheduled | pod/web-1 | ok ·  | default-scheduler, default-scheduler-1 | 2m | 3 | x")]
#[case::secret("Secret", json!({ "type": "Opaque", "data": { "a": "", "b": "" } }), "x | Opaque | 2 | 5m")]
#[case::config_map("ConfigMap", json!({ "data": { "a": "" }, "binaryData": { "b": "" } }), "x | 2 | 5m")]
#[case::autoscaler("HorizontalPodAutoscaler", json!({
    "spec": { "scaleTargetRef": { "kind": "Deployment", "name": "web" }, "minReplicas": 2, "maxReplicas": 10, "metrics": [
        { "type": "Resource", "resource": { "name": "cpu", "target": { "averageUtilization": 80 } } },
        { "type": "Pods", "pods": { "metric": { "name": "rps" }, "target": { "averageValue": "100" } } },
    ] },
    "status": { "currentReplicas": 3, "currentMetrics": [
        { "type": "Resource", "resource": { "name": "cpu", "current": { "averageUtilization": 12 } } },
    ] },
}), "x | Deployment/web | cpu: 12%/80%, rps: <unknown>/100 | 2 | 10 | 3 | 5m")]
#[case::budget("PodDisruptionBudget", json!({ "spec": { "minAvailable": "50%" }, "status": { "disruptionsAllowed": 1 } }),
    "x | 50% | N/A | 1 | 5m")]
#[case::quota("ResourceQuota", json!({ "status": {
    "hard": { "limits.cpu": "4", "pods": "10", "requests.cpu": "2" }, "used": { "limits.cpu": "1", "pods": "3" },
} }), "x | pods: 3/10, requests.cpu: 0/2 | limits.cpu: 1/4 | 5m")]
#[case::binding("RoleBinding", json!({
    "roleRef": { "kind": "Role", "name": "reader" },
    "subjects": [{ "kind": "ServiceAccount", "namespace": "shop", "name": "web" }, { "kind": "User", "name": "jo" }],
}), "x | Role/reader | 5m · jo |  | shop/web")]
#[case::api_service("APIService", json!({
    "spec": { "service": { "namespace": "kube-system", "name": "metrics-server" } },
    "status": { "conditions": [{ "type": "Available", "status": "False", "reason": "MissingEndpoints" }] },
}), "x | kube-system/metrics-server | False (MissingEndpoints) | 5m")]
#[case::custom("Widget", json!({ "spec": { "size": 3 } }), "x | 5m")]
fn others(#[case] kind: &str, #[case] object: Value, #[case] row: &str) {
    assert_eq!(shown(kind, object), row);
}

#[test]
fn no_kind_trips_over_an_object_without_content() {
    for kind in crate::cluster::bundle::kinds::built_in() {
        assert!(shown(&kind.kind, json!({})).contains('x'), "{}", kind.kind);
    }
}

#[rstest]
#[case::metadata(Include::Metadata, json!({ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
    "metadata": { "name": "x" } }))]
#[case::object(Include::Object, json!({ "kind": "Widget", "metadata": { "name": "x" }, "spec": {} }))]
#[case::nothing(Include::Nothing, Value::Null)]
fn rows_bring_of_their_objects_what_is_asked_for(#[case] include: Include, #[case] expected: Value) {
    let object = json!({ "kind": "Widget", "metadata": { "name": "x" }, "spec": {} });
    let table = table("Widget", &[&object], Timestamp::UNIX_EPOCH, json!({}), include);
    assert_eq!(table["rows"][0]["object"], expected);
}
