//! What a list shows of an object besides its name: for each kind the columns that say how it is.

mod access;
mod cluster;
mod network;
mod workloads;

use serde_json::Value;

/// One column: a member of the structured items, and a column of the table.
pub(super) struct Column {
    /// Name in the structured items.
    pub(super) field: &'static str,
    /// Title in the table; empty where the table leaves it out.
    pub(super) title: &'static str,
    /// What it says.
    pub(super) read: fn(&Value) -> Value,
    /// A time, which the table shows as an age.
    pub(super) is_time: bool,
}

const fn column(field: &'static str, title: &'static str, read: fn(&Value) -> Value) -> Column {
    Column { field, title, read, is_time: false }
}

const fn time(field: &'static str, title: &'static str, read: fn(&Value) -> Value) -> Column {
    Column { field, title, read, is_time: true }
}

/// The columns of a kind. A kind that nobody knows here, such as a custom resource, shows its phase or its conditions.
pub(super) fn of(group: &str, kind: &str) -> &'static [Column] {
    match (group, kind) {
        ("", "Pod") => workloads::POD,
        ("apps", "Deployment" | "StatefulSet") => workloads::REPLICATED,
        ("apps", "ReplicaSet") | ("", "ReplicationController") => workloads::REPLICA_SET,
        ("apps", "DaemonSet") => workloads::DAEMON_SET,
        ("batch", "Job") => workloads::JOB,
        ("batch", "CronJob") => workloads::CRON_JOB,
        ("autoscaling", "HorizontalPodAutoscaler") => workloads::AUTOSCALER,
        ("policy", "PodDisruptionBudget") => workloads::DISRUPTION_BUDGET,
        ("", "Node") => cluster::NODE,
        ("", "Namespace") => cluster::NAMESPACE,
        ("", "PersistentVolumeClaim") => cluster::CLAIM,
        ("", "PersistentVolume") => cluster::VOLUME,
        ("storage.k8s.io", "StorageClass") => cluster::STORAGE_CLASS,
        ("", "ConfigMap") => cluster::CONFIG_MAP,
        ("", "Secret") => cluster::SECRET,
        ("", "ResourceQuota") => cluster::QUOTA,
        ("" | "events.k8s.io", "Event") => cluster::EVENT,
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => cluster::ROLE_BINDING,
        ("rbac.authorization.k8s.io", "Role" | "ClusterRole") => access::ROLE,
        ("", "ServiceAccount") => access::SERVICE_ACCOUNT,
        ("networking.k8s.io", "IngressClass") => access::INGRESS_CLASS,
        ("coordination.k8s.io", "Lease") => access::LEASE,
        ("apps", "ControllerRevision") => access::REVISION,
        ("scheduling.k8s.io", "PriorityClass") => access::PRIORITY_CLASS,
        (
            "admissionregistration.k8s.io",
            "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration",
        ) => access::WEBHOOKS,
        ("apiregistration.k8s.io", "APIService") => access::API_SERVICE,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => access::DEFINITION,
        ("", "LimitRange") => access::LIMIT_RANGE,
        ("storage.k8s.io", "VolumeAttachment") => access::ATTACHMENT,
        ("", "Service") => network::SERVICE,
        ("", "Endpoints") => network::ENDPOINTS,
        ("discovery.k8s.io", "EndpointSlice") => network::ENDPOINT_SLICE,
        ("networking.k8s.io", "Ingress") => network::INGRESS,
        ("networking.k8s.io", "NetworkPolicy") => network::POLICY,
        _ => OTHER,
    }
}

const OTHER: &[Column] = &[column("status", "STATUS", condition_or_phase)];

/// `Ready`, `Ready=False (reason)`, or the phase.
fn condition_or_phase(object: &Value) -> Value {
    let status = &object["status"];
    let phase = [&status["phase"], &status["state"]].into_iter().find(|phase| phase.is_string());
    if let Some(phase) = phase {
        return phase.clone();
    }
    let telling = ["Ready", "Available", "Established", "Accepted", "Synced"];
    let Some(condition) = telling.iter().find_map(|kind| condition(object, kind)) else { return Value::Null };
    let (kind, is) = (text(&condition["type"]), text(&condition["status"]));
    match (is, text(&condition["reason"])) {
        ("True", _) => kind.into(),
        (is, "") => format!("{kind}={is}").into(),
        (is, reason) => format!("{kind}={is} ({reason})").into(),
    }
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    list(&object["status"]["conditions"]).iter().find(|condition| condition["type"] == kind)
}

fn is_true(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|condition| condition["status"] == "True")
}

/// What is not there counts as `default`.
fn number(value: &Value, default: i64) -> i64 {
    value.as_i64().unwrap_or(default)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn texts(values: impl IntoIterator<Item = String>) -> Value {
    values.into_iter().map(Value::from).collect()
}

/// Keys of an object, as in `data` of a ConfigMap.
fn count_of(objects: [&Value; 2]) -> Value {
    objects.iter().filter_map(|object| object.as_object()).map(serde_json::Map::len).sum::<usize>().into()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::super::table::cell;
    use super::*;

    /// The columns of an object as `field=cell`.
    fn shown(group: &str, kind: &str, object: &Value) -> String {
        let cells =
            of(group, kind).iter().map(|column| format!("{}={}", column.field, cell(&(column.read)(object))));
        cells.collect::<Vec<_>>().join(" ")
    }

    #[rstest]
    #[case::pod("", "Pod", json!({
        "spec": { "nodeName": "n1", "containers": [{}, {}] },
        "status": { "phase": "Running", "podIP": "10.0.0.7", "containerStatuses": [
            { "ready": true, "restartCount": 0, "state": { "running": {} } },
            { "ready": false, "restartCount": 4, "state": { "waiting": { "reason": "CrashLoopBackOff" } },
              "lastState": { "terminated": { "finishedAt": "2026-01-01T10:00:00Z" } } },
        ] },
    }), "ready=1/2 status=CrashLoopBackOff restarts=4 lastRestart=2026-01-01T10:00:00Z ip=10.0.0.7 node=n1 phase=Running")]
    #[case::deployment("apps", "Deployment", json!({
        "spec": { "replicas": 3 }, "status": { "readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 2 },
    }), "ready=2/3 updated=3 available=2 desired=3 paused=<none>")]
    #[case::deployment_that_says_little("apps", "Deployment", json!({ "spec": { "paused": true } }),
        "ready=0/1 updated=0 available=0 desired=1 paused=true")]
    #[case::replica_set("apps", "ReplicaSet", json!({ "spec": { "replicas": 2 }, "status": { "replicas": 1 } }),
        "ready=0/2 current=1 available=0 desired=2")]
    #[case::daemon_set("apps", "DaemonSet", json!({ "status": {
        "desiredNumberScheduled": 3, "currentNumberScheduled": 3, "numberReady": 1, "updatedNumberScheduled": 3,
        "numberAvailable": 1,
    } }), "ready=1/3 current=3 updated=3 available=1 desired=3")]
    #[case::job("batch", "Job", json!({ "spec": { "completions": 2 }, "status": { "succeeded": 1, "failed": 3,
        "conditions": [{ "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded" }],
        "startTime": "2026-01-01T10:00:00Z",
    } }), "status=Failed (BackoffLimitExceeded) completions=1/2 active=0 failed=3 startTime=2026-01-01T10:00:00Z")]
    #[case::cron_job("batch", "CronJob", json!({ "spec": { "schedule": "0 3 * * *", "suspend": false },
        "status": { "active": [{}], "lastScheduleTime": "2026-01-01T03:00:00Z" },
    }), "schedule=0 3 * * * suspend=false active=1 lastSchedule=2026-01-01T03:00:00Z")]
    #[case::autoscaler("autoscaling", "HorizontalPodAutoscaler", json!({
        "spec": { "scaleTargetRef": { "kind": "Deployment", "name": "web" }, "minReplicas": 2, "maxReplicas": 5,
            "metrics": [{ "type": "Resource", "resource": { "name": "cpu",
                "target": { "type": "Utilization", "averageUtilization": 80 } } }] },
        "status": { "currentReplicas": 2 },
    }), "reference=Deployment/web targets=cpu: <unknown>/80% min=2 max=5 replicas=2")]
    #[case::disruption_budget("policy", "PodDisruptionBudget", json!({
        "spec": { "minAvailable": "50%" },
        "status": { "disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 1 },
    }), "minAvailable=50% maxUnavailable=<none> allowedDisruptions=0 healthy=1/1")]
    #[case::node("", "Node", json!({
        "metadata": { "labels": { "node-role.kubernetes.io/worker": "", "kubernetes.io/role": "gpu" } },
        "spec": { "unschedulable": true, "taints": [{ "key": "gpu", "value": "yes", "effect": "NoSchedule" }] },
        "status": {
            "conditions": [
                { "type": "Ready", "status": "False" }, { "type": "DiskPressure", "status": "True" },
                { "type": "MemoryPressure", "status": "False" },
            ],
            "nodeInfo": { "kubeletVersion": "v1.31.4" }, "allocatable": { "cpu": "2", "memory": "4Gi" },
        },
    }), "status=NotReady,SchedulingDisabled roles=gpu,worker version=v1.31.4 cpu=2 memory=4Gi \
         taints=gpu=yes:NoSchedule pressure=DiskPressure")]
    #[case::claim("", "PersistentVolumeClaim", json!({
        "spec": { "storageClassName": "fast", "accessModes": ["ReadWriteOnce"],
            "resources": { "requests": { "storage": "5Gi" } } },
        "status": { "phase": "Pending" },
    }), "status=Pending volume=<none> capacity=<none> requested=5Gi accessModes=ReadWriteOnce class=fast")]
    #[case::volume("", "PersistentVolume", json!({
        "spec": { "capacity": { "storage": "5Gi" }, "claimRef": { "namespace": "shop", "name": "data" },
            "persistentVolumeReclaimPolicy": "Delete", "storageClassName": "fast" },
        "status": { "phase": "Bound" },
    }), "status=Bound capacity=5Gi claim=shop/data class=fast reclaimPolicy=Delete reason=<none>")]
    #[case::secret("", "Secret", json!({ "type": "Opaque", "data": { "a": "x", "b": "y" } }), "type=Opaque data=2")]
    #[case::quota("", "ResourceQuota", json!({ "status": { "hard": { "pods": "10", "cpu": "2" }, "used": { "pods": "10" } } }),
        "used=cpu: 0/2,pods: 10/10")]
    #[case::role_binding("rbac.authorization.k8s.io", "RoleBinding", json!({
        "roleRef": { "kind": "Role", "name": "reader" },
        "subjects": [{ "kind": "ServiceAccount", "namespace": "shop", "name": "web" }, { "kind": "Group", "name": "sre" }],
    }), "role=Role/reader subjects=ServiceAccount/shop/web,Group/sre")]
    #[case::service("", "Service", json!({
        "spec": { "type": "LoadBalancer", "clusterIP": "10.1.0.1", "selector": { "app": "web" },
            "ports": [{ "port": 80, "nodePort": 30080, "protocol": "TCP" }, { "port": 53, "protocol": "UDP" }] },
    }), "type=LoadBalancer clusterIP=10.1.0.1 externalIP=<pending> ports=80:30080/TCP,53/UDP selector=app=web")]
    #[case::endpoints("", "Endpoints", json!({ "subsets": [{
        "addresses": [{ "ip": "10.0.0.1" }], "notReadyAddresses": [{ "ip": "10.0.0.2" }, { "ip": "10.0.0.3" }],
        "ports": [{ "port": 80 }],
    }] }), "endpoints=10.0.0.1:80 ready=1 notReady=2")]
    #[case::endpoint_slice("discovery.k8s.io", "EndpointSlice", json!({
        "metadata": { "labels": { "kubernetes.io/service-name": "web" } }, "addressType": "IPv4",
        "ports": [{ "port": 80 }],
        "endpoints": [{ "addresses": ["10.0.0.1"], "conditions": { "ready": false } }, { "addresses": ["10.0.0.2"] }],
    }), "service=web addressType=IPv4 ports=80 endpoints=10.0.0.2 ready=1 notReady=1")]
    #[case::ingress("networking.k8s.io", "Ingress", json!({
        "spec": { "ingressClassName": "alb", "rules": [{ "host": "shop.example", "http": { "paths": [
            { "backend": { "service": { "name": "web", "port": { "number": 80 } } } }] } }] },
        "status": { "loadBalancer": { "ingress": [{ "hostname": "lb.example" }] } },
    }), "class=alb hosts=shop.example address=lb.example backends=web:80")]
    #[case::policy("networking.k8s.io", "NetworkPolicy", json!({
        "spec": { "podSelector": {}, "policyTypes": ["Ingress"] },
    }), "podSelector=<all pods> policyTypes=Ingress")]
    #[case::account("", "ServiceAccount", json!({
        "metadata": { "annotations": { "eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/web" } },
        "imagePullSecrets": [{ "name": "registry" }],
    }), "iamRole=arn:aws:iam::111122223333:role/web imagePullSecrets=registry")]
    #[case::role("rbac.authorization.k8s.io", "ClusterRole", json!({ "rules": [
        { "verbs": ["get", "list"], "resources": ["pods"] }, { "verbs": ["get"], "nonResourceURLs": ["/metrics"] },
    ] }), "rules=get,list pods,get /metrics")]
    #[case::ingress_class("networking.k8s.io", "IngressClass", json!({
        "metadata": { "annotations": { "ingressclass.kubernetes.io/is-default-class": "true" } },
        "spec": { "controller": "ingress.k8s.aws/alb" },
    }), "controller=ingress.k8s.aws/alb default=true")]
    #[case::lease("coordination.k8s.io", "Lease", json!({
        "spec": { "holderIdentity": "a_1", "renewTime": "2026-01-01T10:00:00.000000Z" },
    }), "holder=a_1 renewedAt=2026-01-01T10:00:00.000000Z")]
    #[case::revision("apps", "ControllerRevision", json!({
        "metadata": { "ownerReferences": [{ "kind": "DaemonSet", "name": "log" }] }, "revision": 4,
    }), "revision=4 controller=DaemonSet/log")]
    #[case::priority_class("scheduling.k8s.io", "PriorityClass", json!({ "value": 1000, "preemptionPolicy": "Never" }),
        "value=1000 globalDefault=false preemption=Never")]
    #[case::webhooks("admissionregistration.k8s.io", "MutatingWebhookConfiguration", json!({ "webhooks": [
        { "failurePolicy": "Fail", "clientConfig": { "service": { "namespace": "kube-system", "name": "hook" } } },
        { "failurePolicy": "Ignore", "clientConfig": { "url": "https://hook.example" } },
    ] }), "webhooks=2 failurePolicy=Fail,Ignore services=kube-system/hook,https://hook.example")]
    #[case::api_service("apiregistration.k8s.io", "APIService", json!({
        "spec": { "service": { "namespace": "kube-system", "name": "metrics-server" } },
        "status": { "conditions": [{ "type": "Available", "status": "False", "reason": "MissingEndpoints" }] },
    }), "service=kube-system/metrics-server status=Available=False (MissingEndpoints)")]
    #[case::definition("apiextensions.k8s.io", "CustomResourceDefinition", json!({
        "spec": { "group": "shop.example", "scope": "Namespaced", "names": { "kind": "Coupon" }, "versions": [{ "name": "v1" }] },
        "status": { "conditions": [{ "type": "Established", "status": "True" }] },
    }), "group=shop.example kind=Coupon versions=v1 scope=Namespaced status=Established")]
    #[case::limit_range("", "LimitRange", json!({ "spec": { "limits": [
        { "type": "Container", "max": { "cpu": "1" }, "default": { "memory": "64Mi" } },
    ] } }), "limits=Container: max cpu=1; default memory=64Mi")]
    #[case::attachment("storage.k8s.io", "VolumeAttachment", json!({
        "spec": { "source": { "persistentVolumeName": "pv-1" }, "nodeName": "n1", "attacher": "ebs.csi.aws.com" },
        "status": { "attached": false, "attachError": { "message": "in use" } },
    }), "volume=pv-1 node=n1 attacher=ebs.csi.aws.com attached=false error=in use")]
    #[case::custom_with_a_condition("example.com", "Widget", json!({
        "status": { "conditions": [{ "type": "Ready", "status": "False", "reason": "NoQuota" }] },
    }), "status=Ready=False (NoQuota)")]
    #[case::custom_with_a_phase("example.com", "Widget", json!({ "status": { "phase": "Bound" } }), "status=Bound")]
    #[case::event("", "Event", json!({
        "involvedObject": { "kind": "Pod", "name": "web" }, "type": "Warning", "reason": "BackOff", "message": "m",
        "count": 3, "lastTimestamp": "2026-01-01T10:00:00Z",
    }), "lastSeen=2026-01-01T10:00:00Z type=Warning reason=BackOff object=Pod/web count=3 message=m")]
    fn columns_say_how_an_object_is(
        #[case] group: &str,
        #[case] kind: &str,
        #[case] object: Value,
        #[case] expected: &str,
    ) {
        assert_eq!(shown(group, kind, &object), expected);
    }

    #[test]
    fn an_empty_object_of_any_kind_has_columns_too() {
        let kinds = [("", "Pod"), ("", "Node"), ("", "Service"), ("batch", "Job"), ("batch", "CronJob")];
        for (group, kind) in kinds {
            assert!(!shown(group, kind, &json!({})).is_empty());
        }
    }
}
