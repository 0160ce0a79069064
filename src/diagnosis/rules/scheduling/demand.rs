//! What a pod asks of a node: requests, host ports, tolerations.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diagnosis::facts::{ContainerRole, Pod, Read, quantity};

/// Amounts by resource, in base units.
pub(super) type Amounts<'a> = BTreeMap<&'a str, f64>;

/// The amounts in a list such as `requests` or `allocatable`.
pub(super) fn amounts<'a>(value: &'a Value, pointer: &str) -> Amounts<'a> {
    value.members(pointer).filter_map(|(name, amount)| Some((name, quantity::of(amount)?))).collect()
}

pub(super) fn add<'a>(to: &mut Amounts<'a>, more: &Amounts<'a>) {
    for (name, amount) in more {
        *to.entry(name).or_insert(0.0) += amount;
    }
}

/// What the scheduler reserves for a pod: the apps and sidecars together or the greediest moment of the start, and the
/// overhead of its runtime class. Requests of the pod as a whole come before those of its containers.
pub(super) fn requests<'a>(pod: &Pod<'a>) -> Amounts<'a> {
    let mut running = Amounts::new();
    let mut peak = Amounts::new();
    for container in &pod.containers {
        let own = amounts(container.spec, "/resources/requests");
        match container.role {
            ContainerRole::Sidecar | ContainerRole::App => add(&mut running, &own),
            ContainerRole::Init => {
                let mut start = running.clone();
                add(&mut start, &own);
                raise(&mut peak, &start);
            }
        }
    }
    raise(&mut running, &peak);
    running.extend(amounts(pod.value(), "/spec/resources/requests"));
    add(&mut running, &amounts(pod.value(), "/spec/overhead"));
    running
}

fn raise<'a>(to: &mut Amounts<'a>, least: &Amounts<'a>) {
    for (name, amount) in least {
        let entry = to.entry(name).or_insert(0.0);
        *entry = entry.max(*amount);
    }
}

/// A port of the node that a pod takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct HostPort<'a> {
    pub(super) port: i64,
    pub(super) protocol: &'a str,
    address: &'a str,
}

pub(super) fn host_ports<'a>(pod: &Pod<'a>) -> Vec<HostPort<'a>> {
    let takes_node = |role| matches!(role, ContainerRole::App | ContainerRole::Sidecar);
    let containers = pod.containers.iter().filter(|container| takes_node(container.role));
    let ports = containers.flat_map(|container| container.spec.list("/ports"));
    ports.filter_map(host_port).collect()
}

fn host_port(port: &Value) -> Option<HostPort<'_>> {
    let number = port.int("/hostPort").filter(|number| *number > 0)?;
    let protocol = port.maybe_text("/protocol").unwrap_or("TCP");
    Some(HostPort { port: number, protocol, address: port.maybe_text("/hostIP").unwrap_or_default() })
}

impl HostPort<'_> {
    /// The same port and protocol on the same address; no address is all of them.
    pub(super) fn collides(&self, other: &HostPort<'_>) -> bool {
        let any = |address: &str| matches!(address, "" | "0.0.0.0" | "::");
        let meets = any(self.address) || any(other.address) || self.address == other.address;
        self.port == other.port && self.protocol == other.protocol && meets
    }
}

/// True where one of the pod's tolerations matches the taint.
pub(super) fn tolerates(pod: &Pod<'_>, taint: &Value) -> bool {
    pod.value().list("/spec/tolerations").iter().any(|toleration| matches(toleration, taint))
}

fn matches(toleration: &Value, taint: &Value) -> bool {
    let (key, effect) = (toleration.text("/key"), toleration.text("/effect"));
    let is_exists = toleration.text("/operator") == "Exists";
    let key_matches = if key.is_empty() { is_exists } else { key == taint.text("/key") };
    let value_matches = is_exists || toleration.text("/value") == taint.text("/value");
    key_matches && value_matches && (effect.is_empty() || effect == taint.text("/effect"))
}

/// What a taint means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TaintKind {
    /// The node is sick, and Kubernetes says so.
    Condition,
    /// The node is new, and an agent has not come up yet.
    Startup,
    /// The node is about to be removed.
    Leaving,
    /// The node is for the control plane.
    ControlPlane,
    /// The node belongs to one Fargate pod.
    Fargate,
    /// Somebody reserved the node.
    Reserved,
}

impl TaintKind {
    pub(super) fn of(key: &str) -> Self {
        match key {
            "node.kubernetes.io/not-ready"
            | "node.kubernetes.io/unreachable"
            | "node.kubernetes.io/memory-pressure"
            | "node.kubernetes.io/disk-pressure"
            | "node.kubernetes.io/pid-pressure"
            | "node.kubernetes.io/network-unavailable"
            | "node.kubernetes.io/out-of-service" => Self::Condition,
            "node-role.kubernetes.io/control-plane" | "node-role.kubernetes.io/master" => Self::ControlPlane,
            "eks.amazonaws.com/compute-type" => Self::Fargate,
            "ToBeDeletedByClusterAutoscaler"
            | "karpenter.sh/disrupted"
            | "karpenter.sh/disruption"
            | "node.cloudprovider.kubernetes.io/shutdown" => Self::Leaving,
            "node.cloudprovider.kubernetes.io/uninitialized" | "karpenter.sh/unregistered" => Self::Startup,
            key if key.ends_with("/agent-not-ready") => Self::Startup,
            _ => Self::Reserved,
        }
    }
}

/// The taints of a node that keep pods from being scheduled, but not that of a cordon, which is seen apart.
pub(super) fn repelling_taints(node: &Value) -> impl Iterator<Item = &Value> {
    node.list("/spec/taints").iter().filter(|taint| {
        matches!(taint.text("/effect"), "NoSchedule" | "NoExecute")
            && taint.text("/key") != "node.kubernetes.io/unschedulable"
    })
}

/// `dedicated=batch:NoSchedule`.
pub(super) fn show_taint(taint: &Value) -> String {
    match taint.text("/value") {
        "" => format!("{}:{}", taint.text("/key"), taint.text("/effect")),
        value => format!("{}={value}:{}", taint.text("/key"), taint.text("/effect")),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::diagnosis::facts::{Object, Workload};

    fn pod(value: &Value) -> Pod<'_> {
        Pod::new(Object::new(value), Workload::of(Object::new(value)))
    }

    fn cpu(spec: Value) -> f64 {
        let value = json!({ "kind": "Pod", "spec": spec });
        requests(&pod(&value))["cpu"]
    }

    fn container(cpu: &str) -> Value {
        json!({ "name": "c", "resources": { "requests": { "cpu": cpu } } })
    }

    fn sidecar(cpu: &str) -> Value {
        json!({ "name": "s", "restartPolicy": "Always", "resources": { "requests": { "cpu": cpu } } })
    }

    #[rstest]
    #[case::apps_add_up(json!({ "containers": [container("1"), container("500m")] }), 1.5)]
    #[case::the_greediest_init_counts(json!({ "initContainers": [container("2"), container("3")], "containers": [container("1")] }), 3.0)]
    #[case::sidecars_run_beside(json!({ "initContainers": [sidecar("1"), container("2")], "containers": [container("1")] }), 3.0)]
    #[case::later_sidecars_do_not_run_yet(json!({ "initContainers": [container("2"), sidecar("1")], "containers": [container("500m")] }), 2.0)]
    #[case::overhead_comes_on_top(json!({ "containers": [container("1")], "overhead": { "cpu": "250m" } }), 1.25)]
    #[case::the_pod_as_a_whole(json!({ "resources": { "requests": { "cpu": "4" } }, "containers": [container("1")] }), 4.0)]
    fn effective_requests_are_those_of_the_scheduler(#[case] spec: Value, #[case] expected: f64) {
        assert!((cpu(spec) - expected).abs() < 1e-9);
    }

    #[rstest]
    #[case(json!({ "operator": "Exists" }), true)]
    #[case(json!({ "key": "dedicated", "operator": "Exists" }), true)]
    #[case(json!({ "key": "dedicated", "value": "batch" }), true)]
    #[case(json!({ "key": "dedicated", "operator": "Equal", "value": "batch", "effect": "NoSchedule" }), true)]
    #[case(json!({ "key": "dedicated", "value": "web" }), false)]
    #[case(json!({ "key": "dedicated", "operator": "Exists", "effect": "NoExecute" }), false)]
    #[case(json!({ "key": "other", "operator": "Exists" }), false)]
    #[case(json!({}), false)]
    fn tolerations_match_as_in_the_scheduler(#[case] toleration: Value, #[case] tolerated: bool) {
        let value = json!({ "kind": "Pod", "spec": { "tolerations": [toleration] } });
        let taint = json!({ "key": "dedicated", "value": "batch", "effect": "NoSchedule" });
        assert_eq!(tolerates(&pod(&value), &taint), tolerated);
    }

    #[rstest]
    #[case(json!({ "hostPort": 80 }), json!({ "hostPort": 80, "protocol": "TCP" }), true)]
    #[case(json!({ "hostPort": 80 }), json!({ "hostPort": 80, "protocol": "UDP" }), false)]
    #[case(json!({ "hostPort": 80, "hostIP": "10.0.0.1" }), json!({ "hostPort": 80, "hostIP": "10.0.0.2" }), false)]
    #[case(json!({ "hostPort": 80, "hostIP": "10.0.0.1" }), json!({ "hostPort": 80, "hostIP": "0.0.0.0" }), true)]
    fn host_ports_collide_on_one_address(#[case] one: Value, #[case] other: Value, #[case] collides: bool) {
        let (one, other) = (host_port(&one).unwrap(), host_port(&other).unwrap());
        assert_eq!(one.collides(&other), collides);
    }
}
