//! Nodes, evictions and refusals: each reason, and what looks like it.

use rstest::rstest;
use serde_json::{Value, json};

use crate::diagnosis::report::{Report, Severity};
use crate::diagnosis::testing::{
    self, deployment, diagnosed, finding, healthy_deployment, node, object, roots, symptoms, warning, with,
};

fn ill(condition: Value) -> Value {
    let ready = json!({ "type": "Ready", "status": "True" });
    let conditions =
        if condition["type"] == "Ready" { json!([condition]) } else { json!([ready, condition]) };
    node("n1", json!({ "status": { "conditions": conditions } }))
}

fn not_ready(message: &str) -> Value {
    ill(json!({ "type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": message }))
}

fn silent() -> Value {
    ill(
        json!({ "type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status." }),
    )
}

#[rstest]
#[case::silent(silent(), "node-unreachable")]
#[case::network(
    not_ready(
        "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized"
    ),
    "node-network-not-ready"
)]
#[case::pleg(
    not_ready(
        "[container runtime is down, PLEG is not healthy: pleg was last seen active 3m1s ago; threshold is 3m0s]"
    ),
    "node-runtime-down"
)]
#[case::other(not_ready("[kubelet is shutting down]"), "node-not-ready")]
#[case::disk(ill(json!({ "type": "DiskPressure", "status": "True" })), "node-disk-pressure")]
#[case::memory(ill(json!({ "type": "MemoryPressure", "status": "True" })), "node-memory-pressure")]
#[case::pids(ill(json!({ "type": "PIDPressure", "status": "True" })), "node-pid-pressure")]
#[case::eks_monitor(ill(json!({ "type": "KernelReady", "status": "False", "reason": "ForkFailedOutOfPIDs" })), "node-problem-detected")]
#[case::problem_detector(ill(json!({ "type": "KernelDeadlock", "status": "True" })), "node-problem-detected")]
fn every_ailment_has_its_rule(#[case] node: Value, #[case] rule: &str) {
    assert_eq!(roots(&diagnosed(vec![node])), [format!("{rule} Node/n1")]);
}

#[rstest]
#[case(json!({ "type": "KernelReady", "status": "True" }))]
#[case(json!({ "type": "NetworkingReady", "status": "Unknown" }))]
#[case(json!({ "type": "KernelDeadlock", "status": "False" }))]
#[case(json!({ "type": "NetworkUnavailable", "status": "False" }))]
#[case(json!({ "type": "SomethingOfOurOwn", "status": "True" }))]
fn good_and_unknown_conditions_are_no_ailments(#[case] condition: Value) {
    assert!(diagnosed(vec![ill(condition)]).findings.is_empty());
}

#[test]
fn what_a_silent_kubelet_said_before_counts_no_more() {
    let mut node = silent();
    node["status"]["conditions"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "type": "DiskPressure", "status": "True" }));
    assert_eq!(roots(&diagnosed(vec![node])), ["node-unreachable Node/n1"]);
}

#[test]
fn a_node_that_has_just_joined_is_given_time() {
    let young = with(
        not_ready("cni plugin not initialized"),
        json!({ "metadata": { "creationTimestamp": "2026-01-01T11:59:30Z" } }),
    );
    assert_eq!(finding(&diagnosed(vec![young]), "node-network-not-ready").severity, Severity::Info);
}

#[test]
fn the_pods_of_a_silent_node_are_its_victims() {
    let mut objects =
        deployment("web", json!({}), json!({ "state": { "running": { "startedAt": testing::EARLIER } } }));
    objects.push(silent());
    let report = diagnosed(objects);
    assert_eq!(roots(&report), ["node-unreachable Node/n1"]);
    assert!(report.findings[0].title.contains("stopped posting"), "{}", report.findings[0].title);
}

#[test]
fn a_broken_network_daemonset_explains_the_node() {
    let waiting = json!({ "state": { "waiting": { "reason": "ErrImagePull", "message": "not found" } } });
    let mut objects = deployment("aws-node", json!({}), waiting);
    for object in &mut objects {
        object["metadata"]["namespace"] = json!("kube-system");
    }
    objects[0]["kind"] = json!("DaemonSet");
    objects.remove(1);
    objects[1]["metadata"]["ownerReferences"] = json!([{ "apiVersion": "apps/v1", "kind": "DaemonSet", "name": "aws-node", "uid": "Deployment-aws-node", "controller": true }]);
    objects.push(not_ready(
        "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady",
    ));
    let report = diagnosed(objects);
    assert_eq!(roots(&report), ["image-not-found DaemonSet/aws-node"]);
    assert_eq!(symptoms(&report), ["node-network-not-ready Node/n1"]);
}

/// A pod of a healthy Deployment that was evicted some time ago, beside the one that replaced it.
fn evicted(name: &str, message: &str, at: &str) -> Vec<Value> {
    let mut objects = healthy_deployment(name, json!({}));
    let mut pod = objects[2].clone();
    pod["metadata"]["name"] = json!(format!("{name}-0"));
    let condition = json!({ "type": "DisruptionTarget", "status": "True", "lastTransitionTime": at });
    pod["status"] =
        json!({ "phase": "Failed", "reason": "Evicted", "message": message, "conditions": [condition] });
    objects.push(pod);
    objects
}

const LATELY: &str = "2026-01-01T11:58:00Z";
const USED_UP: &str = "The node was low on resource: memory. Container web was using 3Gi, request is 64Mi, has larger consumption of memory. ";
const USED_LITTLE: &str = "The node was low on resource: memory. Container web was using 90Mi, request is 64Mi, has larger consumption of memory. ";
const OWN_LIMIT: &str = "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ";

fn diagnosed_on(node: Value, mut objects: Vec<Value>) -> Report {
    objects.push(node);
    diagnosed(objects)
}

#[test]
fn who_used_up_the_node_is_the_reason_and_its_neighbours_are_victims() {
    let mut objects = evicted("web", USED_UP, LATELY);
    objects.extend(evicted("api", &USED_LITTLE.replace("web", "api"), LATELY));
    let report = diagnosed_on(ill(json!({ "type": "MemoryPressure", "status": "True" })), objects);
    assert_eq!(roots(&report), ["evicted-for-usage Deployment/web"]);
    assert_eq!(symptoms(&report), ["node-memory-pressure Node/n1", "evicted-by-node Deployment/api"]);
}

#[test]
fn a_node_under_pressure_explains_those_it_evicts() {
    let arrival = "The node had condition: [DiskPressure]. ";
    let report = diagnosed_on(
        ill(json!({ "type": "DiskPressure", "status": "True" })),
        evicted("web", arrival, LATELY),
    );
    assert_eq!(roots(&report), ["node-disk-pressure Node/n1"]);
    assert_eq!(symptoms(&report), ["evicted-by-node Deployment/web"]);
}

#[test]
fn a_pod_over_its_own_limit_is_the_workloads_fault() {
    let report = diagnosed_on(node("n1", json!({})), evicted("web", OWN_LIMIT, LATELY));
    assert_eq!(roots(&report), ["ephemeral-storage-limit-exceeded Deployment/web"]);
    assert_eq!(report.findings[0].severity, Severity::Warning);
}

#[rstest]
#[case::once_some_hours_ago(OWN_LIMIT, "2026-01-01T06:00:00Z")]
#[case::by_a_node_that_is_well_now(USED_LITTLE, LATELY)]
fn what_is_over_is_worth_knowing_and_no_more(#[case] message: &str, #[case] at: &str) {
    let report = diagnosed_on(node("n1", json!({})), evicted("web", message, at));
    assert!(
        report.findings.iter().all(|finding| finding.severity == Severity::Info),
        "{:#?}",
        report.findings
    );
}

#[test]
fn what_was_days_ago_is_not_worth_a_word() {
    let report = diagnosed_on(node("n1", json!({})), evicted("web", OWN_LIMIT, "2025-12-29T12:00:00Z"));
    assert!(report.findings.is_empty(), "{:#?}", report.findings);
}

#[rstest]
#[case::alone(&[("web", "900Mi")], "evicted-for-usage Deployment/web")]
#[case::less_than_another(&[("web", "900Mi"), ("api", "1100Mi")], "evicted-for-usage Deployment/api")]
#[case::next_to_nothing(&[("web", "90Mi")], "evicted-by-node Node/n1")]
fn a_fair_part_of_the_node_counts_for_the_greatest_only(#[case] used: &[(&str, &str)], #[case] root: &str) {
    let text = |name: &str, used: &str| {
        format!(
            "The node was low on resource: memory. Container {name} was using {used}, request is 64Mi, has larger consumption of memory. "
        )
    };
    let objects = used.iter().flat_map(|(name, used)| evicted(name, &text(name, used), LATELY)).collect();
    assert_eq!(roots(&diagnosed_on(node("n1", json!({})), objects)), [root]);
}

#[test]
fn a_pod_that_a_finalizer_holds_is_told_from_one_on_a_silent_node() {
    let mut objects = healthy_deployment("web", json!({}));
    let mut going = objects[2].clone();
    going["metadata"] = with(
        going["metadata"].clone(),
        json!({ "name": "web-0", "deletionTimestamp": testing::EARLIER, "finalizers": ["example.com/backup"] }),
    );
    objects.push(going);
    let report = diagnosed_on(node("n1", json!({})), objects.clone());
    assert_eq!(roots(&report), ["pod-stuck-terminating Deployment/web"]);
    let found = &report.findings[0];
    assert!(
        found.severity == Severity::Warning && found.title.contains("example.com/backup"),
        "{}",
        found.title
    );
    assert_eq!(roots(&diagnosed_on(silent(), objects)), ["node-unreachable Node/n1"]);
}

#[test]
fn a_pod_whose_machine_is_gone_may_be_removed_by_force() {
    let mut objects = healthy_deployment("web", json!({}));
    objects[2]["metadata"]["deletionTimestamp"] = json!(testing::EARLIER);
    let report = diagnosed_on(node("n2", json!({})), objects);
    let found = &report.findings[0];
    assert!(found.title.contains("its node n1 does not exist any more"), "{}", found.title);
    assert_eq!(found.remediation[0].command, "kubectl -n shop delete pod web-1 --grace-period=0 --force");
}

#[test]
fn a_pod_within_its_grace_is_only_ending() {
    let mut objects = healthy_deployment("web", json!({}));
    objects[2]["metadata"]["deletionTimestamp"] = json!("2026-01-01T11:59:50Z");
    assert!(roots(&diagnosed_on(node("n1", json!({})), objects)).is_empty());
}

#[test]
fn an_eviction_that_was_not_made_good_is_still_trouble() {
    let mut objects = evicted("web", OWN_LIMIT, "2025-12-29T12:00:00Z");
    objects.remove(2);
    objects[0]["status"] = json!({ "replicas": 0 });
    let report = diagnosed_on(node("n1", json!({})), objects);
    assert_eq!(finding(&report, "ephemeral-storage-limit-exceeded").severity, Severity::Critical);
}

fn rejected(reason: &str) -> Value {
    object(
        "v1",
        "Pod",
        "web-0",
        json!({ "spec": { "nodeName": "n1" }, "status": { "phase": "Failed", "reason": reason, "message": "Pod was rejected: Node didn't have enough resource: cpu" } }),
    )
}

#[test]
fn a_kubelet_that_refuses_pods_is_heard() {
    let report = diagnosed(vec![node("n1", json!({})), rejected("OutOfcpu")]);
    assert_eq!(roots(&report), ["pod-rejected Pod/web-0"]);
}

#[test]
fn a_refused_pod_that_was_replaced_is_history() {
    let mut objects = healthy_deployment("web", json!({}));
    let mut pod = rejected("NodeAffinity");
    pod["metadata"]["ownerReferences"] = objects[2]["metadata"]["ownerReferences"].clone();
    objects.extend([node("n1", json!({})), pod]);
    assert_eq!(finding(&diagnosed(objects), "pod-rejected").severity, Severity::Info);
}

#[test]
fn pods_that_ended_for_other_reasons_are_not_refusals() {
    assert!(diagnosed(vec![node("n1", json!({})), rejected("NodeShutdown")]).findings.is_empty());
}

#[test]
fn events_of_a_node_that_is_well_are_noise() {
    let event = warning("Node", "n1", "NodeNotReady", "Node n1 status is now: NodeNotReady");
    assert!(diagnosed(vec![node("n1", json!({})), event]).findings.is_empty());
}
