//! Pods that no scheduler decides about: pinned to a node, gated, or meant for a scheduler that is not there (A14, A16, A17).

use std::collections::BTreeSet;

use crate::diagnosis::draft::{self, Draft, advice};
use crate::diagnosis::facts::{Facts, Key, Read, Workload, nearest, reference};
use crate::diagnosis::report::{Confidence, Severity};
use crate::diagnosis::rules::kubectl;

use super::waiting::{DEFAULT_SCHEDULER, Waiting, seconds_waiting};

/// Gates are taken away by their controller; this long, in seconds, is normal.
const GATE_GRACE: i64 = 300;
/// The managed scheduler of Fargate takes this long, in seconds, to provide a node.
const FARGATE_GRACE: i64 = 300;
/// A scheduler that says nothing for this long, in seconds, does not work.
const SILENCE: i64 = 60;
const FARGATE_SCHEDULER: &str = "fargate-scheduler";

/// `spec.nodeName` names a node that does not exist; the scheduler is not asked.
pub(super) fn pinned(waiting: &Waiting<'_, '_, '_>) -> Option<Draft> {
    let node = waiting.pod.node()?;
    let pointer = format!("{}/nodeName", waiting.group.workload.pod_spec_pointer());
    let pins = waiting.group.workload.object.and_then(|object| object.value().maybe_text(&pointer));
    let by = if pins == Some(node) { "its pod template" } else { "its specification" };
    let title = format!("{} is pinned to node {node}, which does not exist", waiting.group.name());
    let why = format!(
        "nodeName in {by} binds the pods past the scheduler, and no kubelet of that name is there to start them.{}",
        node_hint(waiting.facts, node)
    );
    let draft = waiting.draft("node-name-unknown", title, &why).confidence(Confidence::Certain);
    Some(
        draft
            .cause(node)
            .evidence(waiting.group.spec_field("/nodeName"))
            .evidence([no_node(node)])
            .remedy(waiting.edit("Remove nodeName from the pod template", "kubectl get nodes")),
    )
}

fn node_hint(facts: &Facts<'_>, node: &str) -> String {
    let names = facts.all("Node").iter().map(|node| node.name());
    // Names made of addresses are all alike.
    let near = nearest(node, names).filter(|near| strsim::levenshtein(node, near) <= 2);
    near.map(|near| format!(" There is a node {near}, which may be meant.")).unwrap_or_default()
}

fn no_node(node: &str) -> crate::diagnosis::report::Evidence {
    draft::absent(reference("v1", "Node", "", node), format!("there is no node {node}"))
}

/// Workloads that pin their pods to a node which does not exist, and have none at the moment: such pods are deleted
/// within a minute, and made again.
pub(super) fn pinned_templates(facts: &Facts<'_>, drafts: &mut Vec<Draft>) {
    if facts.all("Node").is_empty() {
        return;
    }
    let kinds = ["Deployment", "StatefulSet", "DaemonSet"];
    for object in kinds.into_iter().flat_map(|kind| facts.all(kind)) {
        let node = object.value().text("/spec/template/spec/nodeName");
        let is_known = node.is_empty() || facts.get("Node", "", node).is_some();
        let wants_pods = object.value().int("/spec/replicas").unwrap_or(1) > 0;
        let key = object.key();
        if is_known || !wants_pods || facts.pods_of(&key).any(|pod| !pod.is_done()) {
            continue;
        }
        let workload = Workload::of(*object);
        let title = format!("{} {} is pinned to node {node}, which does not exist", key.kind, key.name);
        let why = format!(
            "nodeName in its pod template binds the pods past the scheduler. Pods of a node that does not exist are deleted within a minute.{}",
            node_hint(facts, node)
        );
        let draft = Draft::new("node-name-unknown", Severity::Critical, object.reference(), title)
            .summary(why)
            .cause(node)
            .breaks([key])
            .evidence(draft::field(*object, "/spec/template/spec/nodeName"))
            .evidence([no_node(node)]);
        drafts.push(draft.remedy(draft::change(
            "Remove nodeName from the pod template",
            "kubectl get nodes",
            kubectl::edit(&workload.reference),
            kubectl::undo(&workload),
            kubectl::verify(&workload),
            crate::diagnosis::report::Risk::Low,
        )));
    }
}

/// Gates keep the scheduler from looking; only their controller takes them away.
pub(super) fn gated(waiting: &Waiting<'_, '_, '_>) -> Option<Draft> {
    let gates = waiting.pod.value().list("/spec/schedulingGates");
    let names: Vec<&str> = gates.iter().map(|gate| gate.text("/name")).collect();
    if names.is_empty() {
        return None;
    }
    let names = names.join(", ");
    let title = format!("{} is held back by the scheduling gate {names}", waiting.group.name());
    let why = "The scheduler does not look at a pod while it has gates. The controller that they are named after takes them away; it does not run, or waits for quota or admission.";
    let mut draft = waiting
        .draft("scheduling-gated", title, why)
        .cause(&names)
        .evidence(waiting.group.spec_field("/schedulingGates"))
        .remedy(waiting.edit(
            "Heal the controller of the gate, or remove the gate from the pod template",
            format!(
                "kubectl {}get pod {} -o jsonpath='{{.spec.schedulingGates}}'",
                draft::in_namespace(&waiting.pod.object.reference()),
                draft::sh(waiting.pod.object.name())
            ),
        ));
    if seconds_waiting(waiting.facts, waiting.pod) < GATE_GRACE {
        draft.severity = Severity::Info;
    }
    Some(draft)
}

/// No scheduler has looked at the pod.
pub(super) fn silent(waiting: &Waiting<'_, '_, '_>) -> Option<Draft> {
    if !waiting.said.is_silent() {
        return None;
    }
    match waiting.scheduler() {
        FARGATE_SCHEDULER => Some(fargate(waiting)),
        DEFAULT_SCHEDULER => Some(default_scheduler(waiting)),
        name => Some(custom_scheduler(waiting, name)),
    }
}

fn fargate(waiting: &Waiting<'_, '_, '_>) -> Draft {
    let mut draft = other(waiting);
    let has_warning = waiting.facts.events(waiting.pod.object).any(|event| event.is_warning);
    if !has_warning && seconds_waiting(waiting.facts, waiting.pod) < FARGATE_GRACE {
        draft.severity = Severity::Info;
    }
    draft
}

fn default_scheduler(waiting: &Waiting<'_, '_, '_>) -> Draft {
    let title = format!("{} waits, and the scheduler has not looked at it", waiting.group.name());
    let why = "The pod has neither a node nor a word from the scheduler: kube-scheduler does not run, or cannot reach the API server.";
    let pods = waiting.facts.pods_in("kube-system").filter(|pod| {
        pod.object.label("component") == Some("kube-scheduler")
            || pod.object.name().starts_with("kube-scheduler")
    });
    let schedulers: Vec<Key> = pods.flat_map(|pod| [pod.object.key(), pod.workload.key()]).collect();
    let mut draft = waiting
        .draft("scheduler-silent", title, why)
        .confidence(Confidence::Possible)
        .explained_by(schedulers)
        .remedy(advice(
            "Look at the scheduler (on EKS it belongs to AWS)",
            "kubectl -n kube-system get pods -l component=kube-scheduler; kubectl -n kube-system get lease kube-scheduler",
            kubectl::describe(&waiting.pod.object.reference()),
        ));
    if seconds_waiting(waiting.facts, waiting.pod) < SILENCE {
        draft.severity = Severity::Info;
    }
    draft
}

fn custom_scheduler(waiting: &Waiting<'_, '_, '_>, name: &str) -> Draft {
    let workloads = schedulers_called(waiting.facts, name);
    if !workloads.is_empty() {
        let title = format!("{} waits for scheduler {name}, which says nothing", waiting.group.name());
        let why = "The scheduler that the pods ask for is installed, but has not looked at them.";
        let check = format!("kubectl get pods -A | grep {}", draft::sh(name));
        return waiting
            .draft("scheduler-silent", title, why)
            .explained_by(workloads)
            .evidence(waiting.group.spec_field("/schedulerName"))
            .remedy(advice("Heal the scheduler", check, kubectl::verify(waiting.group.workload)));
    }
    let known: BTreeSet<&str> = scheduled_by(waiting.facts).collect();
    let meant = nearest(name, known.into_iter().chain([DEFAULT_SCHEDULER]));
    let hint = meant.map(|meant| format!(" {meant} may be meant.")).unwrap_or_default();
    let title = format!("{} asks for scheduler {name}, which does not exist", waiting.group.name());
    let why = format!(
        "No scheduler of this name has looked at the pods, and nothing in the cluster is called so.{hint}"
    );
    waiting
        .draft("scheduler-missing", title, &why)
        .cause(name)
        .evidence(waiting.group.spec_field("/schedulerName"))
        .remedy(waiting.edit(
            "Remove schedulerName from the pod template, or install the scheduler",
            format!("kubectl get pods -A | grep {}", draft::sh(name)),
        ))
}

/// Workloads that look like this scheduler: by name, or because their arguments name it.
fn schedulers_called(facts: &Facts<'_>, name: &str) -> Vec<Key> {
    let names_it = |value: &serde_json::Value| {
        let containers = value.list("/spec/template/spec/containers").iter();
        let words = containers.flat_map(|c| c.list("/args").iter().chain(c.list("/command")));
        words.filter_map(serde_json::Value::as_str).any(|word| word.contains(name))
    };
    let kinds = ["Deployment", "StatefulSet", "DaemonSet"];
    let all = kinds.into_iter().flat_map(|kind| facts.all(kind));
    let called = all.filter(|object| object.name().contains(name) || names_it(object.value()));
    called.map(|object| object.key()).collect()
}

/// The schedulers of the pods that have a node.
fn scheduled_by<'a>(facts: &Facts<'a>) -> impl Iterator<Item = &'a str> {
    let placed = facts.pods().iter().filter(|pod| pod.node().is_some());
    placed.filter_map(|pod| pod.value().maybe_text("/spec/schedulerName"))
}

pub(super) fn no_nodes(waiting: &Waiting<'_, '_, '_>) -> Draft {
    let title = format!("{} waits: the cluster has no nodes", waiting.group.name());
    let why = "There is not a single node that pods could run on: no node group, none that has joined, or only Fargate without a matching profile.";
    waiting.draft("no-nodes", title, why).remedy(advice(
        "Add a node group, or find out why its instances do not join",
        "kubectl get nodes",
        "kubectl get nodes",
    ))
}

/// For a reason that has no rule of its own.
pub(super) fn other(waiting: &Waiting<'_, '_, '_>) -> Draft {
    let told = waiting.said.reasons.iter().map(|counted| counted.reason.show());
    let told = told.collect::<Vec<_>>().join("; ");
    let warning = waiting.facts.events(waiting.pod.object).find(|event| event.is_warning);
    let text = match (told.as_str(), warning) {
        ("", Some(event)) => draft::shorten(event.message, 200),
        ("", None) => "no reason is given".to_owned(),
        (told, _) => draft::shorten(told, 200),
    };
    let title = format!("{} cannot be scheduled: {text}", waiting.group.name());
    let draft = waiting.draft("unschedulable", title, "No node takes its pods.").cause(text);
    let extra = warning.filter(|_| draft.evidence.is_empty()).map(|event| draft::event(&event));
    draft.evidence(extra).remedy(advice(
        "Look at what the scheduler says",
        kubectl::describe(&waiting.pod.object.reference()),
        kubectl::verify(waiting.group.workload),
    ))
}
