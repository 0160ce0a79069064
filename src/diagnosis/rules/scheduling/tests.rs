//! Pods that no node takes: each reason, and what looks like it.

use rstest::rstest;
use serde_json::{Value, json};

use crate::diagnosis::diagnose;
use crate::diagnosis::report::{Report, Scope, Severity};
use crate::diagnosis::testing::{
    self, deployment, diagnosed, finding, healthy_deployment, node, object, roots, service, symptoms, with,
};

/// The pods of a Deployment that waits: `spec` is laid over the pod's specification, in the template as well.
fn waiting(name: &str, spec: Value, message: &str) -> Vec<Value> {
    let condition =
        json!({ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message });
    let mut objects = unseen(name, spec);
    objects[2]["status"]["conditions"] = json!([condition]);
    objects
}

/// The same, before any scheduler has looked.
fn unseen(name: &str, spec: Value) -> Vec<Value> {
    let mut objects = deployment(name, json!({}), json!({}));
    for object in &mut objects[..2] {
        object["spec"]["template"]["spec"] = with(object["spec"]["template"]["spec"].clone(), spec.clone());
    }
    objects[2]["spec"] = with(objects[2]["spec"].clone(), with(json!({ "nodeName": null }), spec));
    objects[2]["status"] = json!({ "phase": "Pending" });
    objects
}

fn container(name: &str, rest: Value) -> Value {
    json!({ "containers": [with(json!({ "name": name, "image": "x" }), rest)] })
}

fn asking(name: &str, requests: Value) -> Value {
    container(name, json!({ "resources": { "requests": requests } }))
}

/// A pod of another workload on a node.
fn running(name: &str, on: &str, spec: Value) -> Value {
    let base = json!({ "metadata": { "labels": { "app": name } }, "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] } });
    let spec = with(json!({ "nodeName": on, "containers": [{ "name": "c" }] }), spec);
    object("v1", "Pod", name, with(base, json!({ "spec": spec })))
}

fn tainted(name: &str, key: &str, value: &str) -> Value {
    node(name, json!({ "spec": { "taints": [{ "key": key, "value": value, "effect": "NoSchedule" }] } }))
}

fn labelled(name: &str, labels: Value) -> Value {
    node(name, json!({ "metadata": { "labels": labels } }))
}

fn diagnosed_with(mut objects: Vec<Value>, more: impl IntoIterator<Item = Value>) -> Report {
    objects.extend(more);
    diagnosed(objects)
}

/// The report where one kind could not be read.
fn diagnosed_without(kind: &str, objects: Vec<Value>) -> Report {
    let mut snapshot = testing::snapshot(objects);
    snapshot.coverage.read.retain(|read| read != kind);
    diagnose(&snapshot, &Scope::default())
}

const FULL: &str = "0/2 nodes are available: 2 Insufficient memory.";

#[test]
fn a_request_that_no_node_can_ever_meet_is_the_workloads_fault() {
    let message = "0/3 nodes are available: 1 node(s) had taint {dedicated: batch}, that the pod didn't tolerate, 2 Insufficient memory.";
    let web = waiting("web", asking("web", json!({ "memory": "64Gi" })), message);
    let report = diagnosed_with(
        web,
        [node("n1", json!({})), node("n2", json!({})), tainted("n3", "dedicated", "batch")],
    );
    assert_eq!(roots(&report), ["request-exceeds-nodes Deployment/web"]);
    let title = &report.findings[0].title;
    assert!(title.contains("64Gi memory") && title.contains("4Gi memory"), "{title}");
    assert!(report.findings[0].evidence.iter().any(|evidence| evidence.object.kind == "Node"));
}

#[test]
fn a_full_cluster_is_told_from_a_request_that_is_too_large() {
    let web = waiting("web", asking("web", json!({ "memory": "3Gi" })), FULL);
    let fill = |name: &str, on: &str| running(name, on, asking("c", json!({ "memory": "2Gi" })));
    let nodes = [node("n1", json!({})), node("n2", json!({})), fill("a", "n1"), fill("b", "n2")];
    let report = diagnosed_with(web, nodes);
    assert_eq!(roots(&report), ["insufficient-capacity Deployment/web"]);
    assert!(report.findings[0].title.contains("2Gi memory"), "{}", report.findings[0].title);
}

#[test]
fn pods_that_have_ended_take_no_room() {
    let web = waiting("web", asking("web", json!({ "memory": "3Gi" })), "");
    let mut ended = running("a", "n1", asking("c", json!({ "memory": "4Gi" })));
    ended["status"]["phase"] = json!("Succeeded");
    let report = diagnosed_with(web, [node("n1", json!({})), ended]);
    assert_eq!(roots(&report), ["unschedulable Deployment/web"], "nothing that was read speaks against n1");
}

#[test]
fn who_holds_most_and_wants_more_explains_the_others() {
    let big = asking("big", json!({ "memory": "3Gi" }));
    let mut objects = waiting("big", big.clone(), FULL);
    for (index, on) in ["n1", "n2"].into_iter().enumerate() {
        let mut pod = objects[2].clone();
        pod["metadata"]["name"] = json!(format!("big-r{index}"));
        pod["spec"]["nodeName"] = json!(on);
        pod["status"] = json!({ "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] });
        objects.push(pod);
    }
    objects.extend(waiting("web", asking("web", json!({ "memory": "2Gi" })), FULL));
    let report = diagnosed_with(objects, [node("n1", json!({})), node("n2", json!({}))]);
    assert_eq!(roots(&report), ["insufficient-capacity Deployment/big"]);
    assert_eq!(symptoms(&report), ["insufficient-capacity Deployment/web"]);
}

#[test]
fn a_resource_that_no_node_offers_is_told_from_one_that_is_used_up() {
    let gpu = || asking("web", json!({ "nvidia.com/gpu": "1" }));
    let message = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.";
    let report = diagnosed_with(waiting("web", gpu(), message), [node("n1", json!({}))]);
    assert_eq!(roots(&report), ["extended-resource-missing Deployment/web"]);
    let with_gpu = node("n1", json!({ "status": { "allocatable": { "nvidia.com/gpu": "1" } } }));
    let report = diagnosed_with(waiting("web", gpu(), message), [with_gpu, running("a", "n1", gpu())]);
    assert_eq!(roots(&report), ["insufficient-capacity Deployment/web"]);
}

#[test]
fn a_tainted_gpu_node_is_the_reason_and_not_the_nodes_without_gpu() {
    let message =
        "0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 1 node(s) had untolerated taint(s).";
    let gpu = with(
        tainted("gpu", "nvidia.com/gpu", "true"),
        json!({ "status": { "allocatable": { "nvidia.com/gpu": "1" } } }),
    );
    let web = waiting("web", asking("web", json!({ "nvidia.com/gpu": "1" })), message);
    let report = diagnosed_with(web, [node("n1", json!({})), gpu]);
    assert_eq!(roots(&report), ["taint-not-tolerated Deployment/web"]);
    assert!(report.findings[0].title.contains("nvidia.com/gpu=true:NoSchedule"));
}

#[test]
fn a_node_takes_a_fixed_number_of_pods() {
    let small = node("n1", json!({ "status": { "allocatable": { "pods": "1" } } }));
    let web = waiting("web", json!({}), "0/1 nodes are available: 1 Too many pods.");
    let report = diagnosed_with(web, [small, running("a", "n1", json!({}))]);
    assert_eq!(roots(&report), ["node-pod-limit Deployment/web"]);
}

#[test]
fn a_selector_that_matches_nothing_names_the_value_that_may_be_meant() {
    let web = waiting(
        "web",
        json!({ "nodeSelector": { "disktype": "sdd" } }),
        "0/2 nodes are available: 2 node(s) didn't match node selector.",
    );
    let report = diagnosed_with(web, [labelled("n1", json!({ "disktype": "ssd" })), node("n2", json!({}))]);
    assert_eq!(roots(&report), ["node-selector-mismatch Deployment/web"]);
    let found = &report.findings[0];
    assert!(
        found.title.contains("disktype=sdd") && found.summary.contains("ssd may be meant"),
        "{}",
        found.summary
    );
    assert_eq!(found.evidence[1].object.kind, "Deployment", "{:#?}", found.evidence);
}

#[test]
fn chosen_nodes_that_are_tainted_are_about_the_taint() {
    let web = waiting(
        "web",
        json!({ "nodeSelector": { "pool": "batch" } }),
        "0/2 nodes are available: 1 node(s) had untolerated taint {dedicated: batch}, 1 node(s) didn't match Pod's node affinity/selector.",
    );
    let batch =
        with(tainted("n1", "dedicated", "batch"), json!({ "metadata": { "labels": { "pool": "batch" } } }));
    let report = diagnosed_with(web, [batch, node("n2", json!({}))]);
    assert_eq!(roots(&report), ["taint-not-tolerated Deployment/web"]);
}

#[test]
fn a_taint_that_is_newer_than_the_pods_took_the_node_out_of_use() {
    let message = "0/1 nodes are available: 1 node(s) had untolerated taint {maintenance: true}.";
    let n1 = || tainted("n1", "maintenance", "true");
    let one = || running("a", "n1", json!({}));
    let two = [n1(), one(), running("b", "n1", json!({}))];
    let report = diagnosed_with(waiting("web", json!({}), message), two);
    assert_eq!(roots(&report), ["node-reserved Node/n1"]);
    assert_eq!(symptoms(&report), ["pod-waits-for-node Deployment/web"]);
    let report = diagnosed_with(waiting("web", json!({}), message), [n1(), one()]);
    assert_eq!(roots(&report), ["taint-not-tolerated Deployment/web"], "one pod may be a leftover");
}

/// `web` waits for memory, and one of its pods was displaced by `batch-1`, which runs in its place.
fn displaced(message: &str, priority: Value) -> Vec<Value> {
    let spec = |name: &str| asking(name, json!({ "memory": "3Gi" }));
    let mut objects = waiting("web", spec("web"), "0/1 nodes are available: 1 Insufficient memory.");
    objects[2]["metadata"]["generateName"] = json!("web-");
    objects.extend(healthy_deployment("batch", json!({})));
    objects[5]["spec"] = with(objects[5]["spec"].clone(), with(spec("batch"), priority));
    objects.push(testing::warning("Pod", "web-0", "Preempted", message));
    objects.push(node("n1", json!({})));
    objects
}

#[rstest]
#[case::by_name("Preempted by shop/batch-1 on node n1")]
#[case::by_uid("Preempted by pod Pod-batch-1 on node n1")]
fn pods_that_were_displaced_are_explained_by_those_of_higher_priority(#[case] message: &str) {
    let report = diagnosed(displaced(message, json!({ "priority": 1000, "priorityClassName": "urgent" })));
    assert_eq!(roots(&report), ["preempted Deployment/batch"]);
    assert_eq!(symptoms(&report), ["insufficient-capacity Deployment/web"]);
}

#[test]
fn a_priority_that_nobody_asked_for_comes_from_the_default_class() {
    let mut objects = displaced(
        "Preempted by shop/batch-1 on node n1",
        json!({ "priority": 1000, "priorityClassName": "urgent" }),
    );
    objects.push(json!({ "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": { "name": "urgent" }, "value": 1000, "globalDefault": true }));
    assert_eq!(roots(&diagnosed(objects)), ["preempted PriorityClass/urgent"]);
}

#[test]
fn control_plane_nodes_do_not_hide_the_selector() {
    let web = waiting("web", json!({ "nodeSelector": { "pool": "x" } }), "");
    let control = tainted("cp", "node-role.kubernetes.io/control-plane", "");
    let report = diagnosed_with(web, [control, node("n1", json!({}))]);
    assert_eq!(roots(&report), ["node-selector-mismatch Deployment/web"]);
}

#[test]
fn a_cordoned_node_with_room_is_the_root_cause_for_all_who_wait() {
    let cordoned = node(
        "n1",
        json!({ "spec": { "unschedulable": true, "taints": [{ "key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule" }] } }),
    );
    let message = "0/2 nodes are available: 1 Insufficient memory, 1 node(s) were unschedulable.";
    let mut objects = waiting("web", asking("web", json!({ "memory": "3Gi" })), message);
    objects.extend(waiting("api", asking("api", json!({ "memory": "3Gi" })), message));
    let fill = running("a", "n2", asking("c", json!({ "memory": "2Gi" })));
    let report = diagnosed_with(objects, [cordoned, node("n2", json!({})), fill]);
    assert_eq!(roots(&report), ["node-cordoned Node/n1"]);
    assert_eq!(symptoms(&report), ["pod-waits-for-node Deployment/api", "pod-waits-for-node Deployment/web"]);
}

#[test]
fn a_cordoned_node_that_is_too_small_anyway_is_not_blamed() {
    let cordoned = node("n1", json!({ "spec": { "unschedulable": true } }));
    let web = waiting("web", asking("web", json!({ "memory": "64Gi" })), "");
    let report = diagnosed_with(web, [cordoned, node("n2", json!({}))]);
    assert_eq!(roots(&report), ["request-exceeds-nodes Deployment/web"]);
}

fn sick(name: &str) -> Value {
    let taint = json!([{ "key": "node.kubernetes.io/unreachable", "effect": "NoSchedule" }]);
    let ready = json!([{ "type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status." }]);
    node(name, json!({ "spec": { "taints": taint }, "status": { "conditions": ready } }))
}

#[test]
fn a_lost_node_explains_the_pods_that_were_moved_away_and_fit_nowhere() {
    let message = "0/2 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint {node.kubernetes.io/unreachable: }.";
    let request = || asking("web", json!({ "memory": "3Gi" }));
    let mut objects = waiting("web", request(), message);
    let mut evicted = running("old", "n1", request());
    evicted["metadata"]["deletionTimestamp"] = json!(testing::EARLIER);
    objects.push(evicted);
    let fill = running("a", "n2", asking("c", json!({ "memory": "2Gi" })));
    let report = diagnosed_with(objects, [sick("n1"), node("n2", json!({})), fill]);
    assert_eq!(roots(&report), ["node-unreachable Node/n1"]);
    assert_eq!(symptoms(&report), ["pod-waits-for-node Deployment/web"]);
}

#[test]
fn a_lost_node_that_could_not_take_it_either_explains_nothing() {
    let web = waiting("web", asking("web", json!({ "memory": "64Gi" })), "");
    let report = diagnosed_with(web, [sick("n1"), node("n2", json!({}))]);
    assert_eq!(roots(&report), ["request-exceeds-nodes Deployment/web", "node-unreachable Node/n1"]);
}

#[test]
fn a_node_that_looks_well_and_keeps_its_startup_taint_is_named() {
    let web = waiting(
        "web",
        json!({}),
        "0/1 nodes are available: 1 node(s) had untolerated taint {ebs.csi.aws.com/agent-not-ready: }.",
    );
    let report = diagnosed_with(web, [tainted("n1", "ebs.csi.aws.com/agent-not-ready", "")]);
    assert_eq!(roots(&report), ["node-taint-stale Node/n1"]);
}

fn anti_affinity(app: &str) -> Value {
    let term = json!({ "topologyKey": "kubernetes.io/hostname", "labelSelector": { "matchLabels": { "app": app } } });
    json!({ "affinity": { "podAntiAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": [term] } } })
}

#[test]
fn more_replicas_than_nodes_cannot_keep_apart() {
    let mut objects = waiting(
        "web",
        anti_affinity("web"),
        "0/1 nodes are available: 1 node(s) didn't match pod affinity/anti-affinity rules, 1 node(s) didn't match pod anti-affinity rules.",
    );
    let mut other = objects[2].clone();
    other["metadata"]["name"] = json!("web-0");
    other["spec"]["nodeName"] = json!("n1");
    other["status"] = json!({ "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] });
    objects.push(other);
    let report = diagnosed_with(objects, [node("n1", json!({}))]);
    assert_eq!(roots(&report), ["pod-anti-affinity-unsatisfiable Deployment/web"]);
    assert!(report.findings[0].summary.contains("its own pod web-0"), "{}", report.findings[0].summary);
}

#[test]
fn a_rule_of_another_workload_is_that_workloads_to_change() {
    let web = waiting(
        "web",
        json!({}),
        "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules.",
    );
    let report = diagnosed_with(web, [node("n1", json!({})), running("bully", "n1", anti_affinity("web"))]);
    assert_eq!(roots(&report), ["pod-anti-affinity-of-others Pod/bully"]);
}

fn affinity(app: &str) -> Value {
    let mut spec = anti_affinity(app);
    spec["affinity"]["podAffinity"] = spec["affinity"]["podAntiAffinity"].take();
    spec["affinity"]["podAntiAffinity"] = json!({});
    spec
}

#[test]
fn affinity_to_pods_that_nobody_has_is_the_workloads_fault() {
    let web = waiting(
        "web",
        affinity("cahce"),
        "0/1 nodes are available: 1 node(s) didn't match pod affinity rules.",
    );
    let report = diagnosed_with(web, [node("n1", json!({}))]);
    assert_eq!(roots(&report), ["pod-affinity-unsatisfiable Deployment/web"]);
}

#[test]
fn affinity_to_a_workload_that_is_broken_is_a_symptom() {
    let mut objects = waiting(
        "web",
        affinity("cache"),
        "0/1 nodes are available: 1 node(s) didn't match pod affinity rules.",
    );
    objects.extend(waiting(
        "cache",
        asking("cache", json!({ "memory": "64Gi" })),
        "0/1 nodes are available: 1 Insufficient memory.",
    ));
    let report = diagnosed_with(objects, [node("n1", json!({}))]);
    assert_eq!(roots(&report), ["request-exceeds-nodes Deployment/cache"]);
    assert_eq!(symptoms(&report), ["pod-affinity-unsatisfiable Deployment/web"]);
}

#[test]
fn affinity_to_a_workload_that_was_stopped_is_about_that_workload() {
    let mut objects = waiting(
        "web",
        affinity("cache"),
        "0/1 nodes are available: 1 node(s) didn't match pod affinity rules.",
    );
    let mut cache = healthy_deployment("cache", json!({})).remove(0);
    cache["spec"]["replicas"] = json!(0);
    cache["status"] = json!({});
    objects.push(cache);
    let report = diagnosed_with(objects, [node("n1", json!({}))]);
    assert_eq!(roots(&report), ["pod-affinity-unsatisfiable Deployment/cache"]);
}

fn spread(key: &str) -> Value {
    json!({ "topologySpreadConstraints": [{ "maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": { "matchLabels": { "app": "web" } } }] })
}

#[test]
fn a_topology_key_that_no_node_carries_is_named() {
    let message = "0/2 nodes are available: 1 node(s) had untolerated taint {dedicated: batch}, 1 node(s) didn't match pod topology spread constraints (missing required label).";
    let report = diagnosed_with(
        waiting("web", spread("example.com/rack"), message),
        [node("n1", json!({})), tainted("n2", "dedicated", "batch")],
    );
    assert_eq!(roots(&report), ["topology-spread-unsatisfiable Deployment/web"]);
    let found = &report.findings[0];
    assert!(
        found.title.contains("topology spread") && found.title.contains("example.com/rack"),
        "{}",
        found.title
    );
}

#[test]
fn a_zone_without_room_stops_the_spread_at_its_skew() {
    let message = "0/2 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 node(s) had untolerated taint {dedicated: batch}.";
    let zone = |zone: &str| json!({ "metadata": { "labels": { "zone": zone } } });
    let nodes =
        [with(node("n1", json!({})), zone("a")), with(tainted("n2", "dedicated", "batch"), zone("b"))];
    let report = diagnosed_with(
        waiting("web", spread("zone"), message),
        nodes.into_iter().chain([running("web", "n1", json!({}))]),
    );
    assert_eq!(roots(&report), ["topology-spread-unsatisfiable Deployment/web"]);
    assert!(report.findings[0].summary.contains("a: 1, b: 0"), "{}", report.findings[0].summary);
}

#[test]
fn a_host_port_is_held_by_a_pod_that_is_named() {
    let port = |name: &str| {
        container(name, json!({ "ports": [{ "containerPort": 80, "hostPort": 80, "protocol": "TCP" }] }))
    };
    let web = waiting(
        "web",
        port("web"),
        "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
    );
    let report = diagnosed_with(web, [node("n1", json!({})), running("proxy", "n1", port("c"))]);
    assert_eq!(roots(&report), ["host-port-conflict Deployment/web"]);
    assert!(report.findings[0].title.contains("Pod proxy"), "{}", report.findings[0].title);
}

fn mounting(claim: &str) -> Value {
    json!({ "volumes": [{ "name": "data", "persistentVolumeClaim": { "claimName": claim } }] })
}

fn bound_in(zone: &str) -> [Value; 2] {
    let terms = json!([{ "matchExpressions": [{ "key": "zone", "operator": "In", "values": [zone] }] }]);
    [
        object(
            "v1",
            "PersistentVolumeClaim",
            "data",
            json!({ "spec": { "volumeName": "pv", "accessModes": ["ReadWriteOnce"] }, "status": { "phase": "Bound" } }),
        ),
        json!({ "apiVersion": "v1", "kind": "PersistentVolume", "metadata": { "name": "pv" }, "spec": { "nodeAffinity": { "required": { "nodeSelectorTerms": terms } } }, "status": { "phase": "Bound" } }),
    ]
}

const ELSEWHERE: &str = "0/2 nodes are available: 2 node(s) had volume node affinity conflict.";

#[test]
fn a_volume_in_a_zone_without_nodes_is_about_its_claim() {
    let nodes = [labelled("n1", json!({ "zone": "a" })), labelled("n2", json!({ "zone": "b" }))];
    let report =
        diagnosed_with(waiting("web", mounting("data"), ELSEWHERE), nodes.into_iter().chain(bound_in("c")));
    assert_eq!(roots(&report), ["volume-node-affinity-conflict PersistentVolumeClaim/data"]);
    assert!(report.findings[0].title.contains("zone=c"), "{}", report.findings[0].title);
}

#[test]
fn a_pod_that_is_pinned_away_from_its_volume_is_the_workloads_fault() {
    let spec = with(mounting("data"), json!({ "nodeSelector": { "zone": "b" } }));
    let nodes = [labelled("n1", json!({ "zone": "a" })), labelled("n2", json!({ "zone": "b" }))];
    let report = diagnosed_with(waiting("web", spec, ELSEWHERE), nodes.into_iter().chain(bound_in("a")));
    assert_eq!(roots(&report), ["volume-node-affinity-conflict Deployment/web"]);
}

#[rstest]
#[case::anywhere(json!({}), ELSEWHERE, "PersistentVolumeClaim/data")]
#[case::pinned(json!({ "nodeSelector": { "zone": "b" } }), "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had volume node affinity conflict.", "Deployment/web")]
fn a_volume_that_could_not_be_read_is_spoken_of_nevertheless(
    #[case] spec: Value,
    #[case] message: &str,
    #[case] object: &str,
) {
    let report =
        diagnosed_without("persistentvolumeclaims", waiting("web", with(mounting("data"), spec), message));
    let found = finding(&report, "volume-node-affinity-conflict");
    assert_eq!(format!("{}/{}", found.object.kind, found.object.name), object);
}

#[test]
fn a_full_zone_of_a_volume_is_a_lack_of_capacity() {
    let spec = with(mounting("data"), asking("web", json!({ "memory": "3Gi" })));
    let nodes = [labelled("n1", json!({ "zone": "a" })), labelled("n2", json!({ "zone": "b" }))];
    let fill = running("fill", "n1", asking("c", json!({ "memory": "2Gi" })));
    let message =
        "0/2 nodes are available: 1 Insufficient memory, 1 node(s) had volume node affinity conflict.";
    let report =
        diagnosed_with(waiting("web", spec, message), nodes.into_iter().chain(bound_in("a")).chain([fill]));
    assert_eq!(roots(&report), ["insufficient-capacity Deployment/web"]);
}

const UNBOUND: &str = "0/1 nodes are available: 1 pod has unbound immediate PersistentVolumeClaims.";

#[test]
fn a_claim_that_does_not_exist_is_the_root_cause() {
    let message = r#"0/1 nodes are available: persistentvolumeclaim "data" not found."#;
    let other = object("v1", "PersistentVolumeClaim", "data-pg", json!({ "status": { "phase": "Bound" } }));
    let report = diagnosed_with(waiting("web", mounting("data"), message), [node("n1", json!({})), other]);
    assert_eq!(roots(&report), ["pvc-missing PersistentVolumeClaim/data"]);
    assert!(
        report.findings[0].summary.contains("a claim data-pg in the namespace"),
        "{}",
        report.findings[0].summary
    );
}

#[test]
fn an_unbound_claim_explains_the_pod() {
    let claim = object(
        "v1",
        "PersistentVolumeClaim",
        "data",
        json!({ "spec": { "storageClassName": "nope" }, "status": { "phase": "Pending" } }),
    );
    let report = diagnosed_with(waiting("web", mounting("data"), UNBOUND), [node("n1", json!({})), claim]);
    assert_eq!(roots(&report), ["storage-class-missing PersistentVolumeClaim/data"]);
    assert_eq!(symptoms(&report), ["pod-waits-for-claim Deployment/web"]);
}

#[test]
fn without_the_right_to_read_claims_the_claim_is_named_nevertheless() {
    let report = diagnosed_without("persistentvolumeclaims", waiting("web", mounting("data"), UNBOUND));
    assert_eq!(roots(&report), ["pod-waits-for-claim PersistentVolumeClaim/data"]);
}

fn waits_for_first_consumer() -> [Value; 2] {
    let class = json!({ "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": { "name": "gp3" }, "provisioner": "ebs.csi.aws.com", "volumeBindingMode": "WaitForFirstConsumer" });
    let claim = object(
        "v1",
        "PersistentVolumeClaim",
        "data",
        json!({ "spec": { "storageClassName": "gp3" }, "status": { "phase": "Pending" } }),
    );
    [class, claim]
}

#[test]
fn a_claim_that_waits_for_its_consumer_is_not_why_the_consumer_waits() {
    let spec = with(mounting("data"), asking("web", json!({ "memory": "64Gi" })));
    let web = waiting("web", spec, "0/1 nodes are available: 1 Insufficient memory.");
    let report =
        diagnosed_with(web, std::iter::once(node("n1", json!({}))).chain(waits_for_first_consumer()));
    assert_eq!(roots(&report), ["request-exceeds-nodes Deployment/web"]);
    assert!(symptoms(&report).is_empty());
}

#[test]
fn a_volume_that_is_being_made_is_no_trouble_yet() {
    let mut objects = unseen("web", mounting("data"));
    let [class, mut claim] = waits_for_first_consumer();
    for object in [&mut objects[2], &mut claim] {
        object["metadata"]["creationTimestamp"] = json!("2026-01-01T11:59:30Z");
    }
    claim["metadata"]["annotations"] = json!({ "volume.kubernetes.io/selected-node": "n1" });
    let report = diagnosed_with(objects, [node("n1", json!({})), class, claim]);
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
}

#[test]
fn a_gate_that_nobody_takes_away_is_named() {
    let mut objects = unseen("web", json!({ "schedulingGates": [{ "name": "example.com/quota" }] }));
    objects[2]["status"]["conditions"] = json!([{ "type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": "Scheduling is blocked due to non-empty scheduling gates" }]);
    let report = diagnosed_with(objects, [node("n1", json!({}))]);
    assert_eq!(roots(&report), ["scheduling-gated Deployment/web"]);
    assert!(report.findings[0].title.contains("example.com/quota"));
}

#[rstest]
#[case("my-scheduler", "scheduler-missing Deployment/web")]
#[case("default-scheduler", "scheduler-silent Deployment/web")]
#[case("fargate-scheduler", "unschedulable Deployment/web")]
fn a_pod_that_no_scheduler_has_seen_is_judged_by_whom_it_asks(#[case] scheduler: &str, #[case] root: &str) {
    let report =
        diagnosed_with(unseen("web", json!({ "schedulerName": scheduler })), [node("n1", json!({}))]);
    assert_eq!(roots(&report), [root]);
}

#[test]
fn a_scheduler_that_is_installed_is_not_missing() {
    let scheduler = healthy_deployment("my-scheduler", json!({}));
    let web = unseen("web", json!({ "schedulerName": "my-scheduler" }));
    let report = diagnosed_with(web, scheduler.into_iter().chain([node("n1", json!({}))]));
    assert_eq!(roots(&report), ["scheduler-silent Deployment/web"]);
}

#[test]
fn a_node_name_that_does_not_exist_is_seen_with_and_without_pods() {
    let pinned = unseen("web", json!({ "nodeName": "n11" }));
    let without_pod = diagnosed(vec![pinned[0].clone(), node("n1", json!({}))]);
    let with_pod = diagnosed_with(pinned, [node("n1", json!({}))]);
    for report in [without_pod, with_pod] {
        assert_eq!(roots(&report), ["node-name-unknown Deployment/web"]);
        assert!(report.findings[0].summary.contains("a node n1,"), "{}", report.findings[0].summary);
    }
}

#[test]
fn a_pod_that_has_just_been_made_is_being_scheduled() {
    let mut objects = waiting("web", json!({}), FULL);
    objects[2]["metadata"]["creationTimestamp"] = json!("2026-01-01T11:59:50Z");
    assert!(diagnosed(objects).findings.is_empty());
}

#[test]
fn pods_that_hold_room_for_others_may_wait() {
    let spec = with(asking("web", json!({ "memory": "64Gi" })), json!({ "priority": -10 }));
    let report = diagnosed_with(waiting("web", spec, FULL), [node("n1", json!({}))]);
    assert_eq!(finding(&report, "request-exceeds-nodes").severity, Severity::Info);
}

#[test]
fn a_node_that_is_on_its_way_is_help_enough() {
    let mut objects = waiting("web", asking("web", json!({ "memory": "3Gi" })), FULL);
    objects[2]["metadata"]["creationTimestamp"] = json!("2026-01-01T11:57:00Z");
    objects.push(testing::warning(
        "Pod",
        "web-1",
        "TriggeredScaleUp",
        "pod triggered scale-up: [{eks-general 1->2 (max: 4)}]",
    ));
    let fill = running("a", "n1", asking("c", json!({ "memory": "2Gi" })));
    let report = diagnosed_with(objects, [node("n1", json!({})), fill]);
    assert_eq!(finding(&report, "insufficient-capacity").severity, Severity::Info);
}

#[test]
fn the_message_decides_where_nothing_computed_speaks_against_a_node() {
    let web = waiting("web", json!({}), "0/1 nodes are available: 1 node(s) exceed max volume count.");
    let report = diagnosed_with(web, [node("n1", json!({}))]);
    assert_eq!(roots(&report), ["node-volume-limit Deployment/web"]);
}

#[rstest]
#[case::taint_and_memory(
    "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient memory.",
    "insufficient-capacity"
)]
#[case::control_plane(
    "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 node(s) didn't match Pod's node affinity/selector.",
    "node-selector-mismatch"
)]
#[case::only_taints(
    "0/3 nodes are available: 3 node(s) had untolerated taint {dedicated: batch}.",
    "taint-not-tolerated"
)]
#[case::no_nodes("no nodes available to schedule pods", "no-nodes")]
#[case::unknown("0/3 nodes are available: 3 node(s) had something new.", "unschedulable")]
fn without_nodes_the_message_alone_decides(#[case] message: &str, #[case] rule: &str) {
    let report = diagnosed(waiting("web", json!({}), message));
    assert_eq!(roots(&report), [format!("{rule} Deployment/web")]);
}

#[test]
fn a_healthy_cluster_with_a_cordoned_and_a_tainted_node_has_no_findings() {
    let mut objects = healthy_deployment("web", json!({}));
    objects.push(service("web", "web"));
    objects.push(node("n1", json!({})));
    objects.push(node("n2", json!({ "spec": { "unschedulable": true } })));
    objects.push(tainted("n3", "dedicated", "batch"));
    assert!(diagnosed(objects).findings.is_empty());
}
