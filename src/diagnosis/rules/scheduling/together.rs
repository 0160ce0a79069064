//! Other pods in the way: host ports, topology spread, affinity and anti-affinity (A7 to A9).

use std::collections::BTreeSet;

use crate::diagnosis::draft::{self, Draft};
use crate::diagnosis::facts::{Key, Object, Pod, Read, Workload, nearest, selector};
use crate::diagnosis::report::{Remediation, Risk};
use crate::diagnosis::rules::kubectl;

use super::View;
use super::neighbours::Spread;
use super::obstacles::Obstacle;

/// A port of the node that another pod holds on every node.
pub(super) fn host_port(view: &View<'_, '_, '_, '_>, places: &[usize]) -> Draft {
    let found = obstacles(view, places).find_map(|obstacle| match obstacle {
        Obstacle::HostPort { port, holder } => Some((*port, *holder)),
        _ => None,
    });
    let Some((port, holder)) = found else { return super::unseen::other(view.waiting) };
    let by = holder_name(view, holder);
    let title = format!(
        "{} wants host port {}, which {by} holds on every node that would take it",
        view.name(),
        port.port
    );
    let why =
        "A port of a node can be taken once (free ports are missing); each further pod needs another node.";
    view.draft("host-port-conflict", title, why)
        .cause(port.port.to_string())
        .evidence(host_port_field(view, port.port))
        .evidence(
            port_pointer(holder, port.port)
                .and_then(|pointer| draft::field(holder.object, &format!("/spec{pointer}"))),
        )
        .remedy(view.waiting.edit(
            "Drop the host port (a Service reaches pods without), or take a free one",
            "kubectl get pods -A -o json | grep -n hostPort",
        ))
}

/// `its own pod web-1`, `Deployment proxy`.
fn holder_name(view: &View<'_, '_, '_, '_>, holder: &Pod<'_>) -> String {
    match holder.workload.key() == view.waiting.group.workload.key() {
        true => format!("its own pod {}", holder.object.name()),
        false => format!("{} {}", holder.workload.kind(), holder.workload.reference.name),
    }
}

fn host_port_field(view: &View<'_, '_, '_, '_>, port: i64) -> Option<crate::diagnosis::report::Evidence> {
    view.waiting.group.spec_field(&port_pointer(view.waiting.pod, port)?)
}

fn port_pointer(pod: &Pod<'_>, port: i64) -> Option<String> {
    pod.containers.iter().find_map(|container| {
        let ports = container.spec.list("/ports");
        let index = ports.iter().position(|known| known.int("/hostPort") == Some(port))?;
        Some(format!("{}/ports/{index}/hostPort", container.spec_pointer()))
    })
}

fn obstacles<'v, 'f, 'a>(
    view: &'v View<'_, '_, 'f, 'a>,
    places: &'v [usize],
) -> impl Iterator<Item = &'v Obstacle<'f, 'a>> {
    places.iter().flat_map(|place| &view.sights[*place].obstacles)
}

/// A topology spread constraint that no node satisfies.
pub(super) fn spread(view: &View<'_, '_, '_, '_>, places: &[usize]) -> Draft {
    let found = obstacles(view, places).find_map(|obstacle| match obstacle {
        Obstacle::Spread { index, lacks_label } => Some((*index, *lacks_label)),
        _ => None,
    });
    let spreads = &view.wishes.neighbours.spreads;
    let index = found.map(|(index, _)| index);
    let constraint = spreads.iter().find(|spread| Some(spread.index) == index).or(spreads.first());
    let Some(constraint) = constraint else { return super::unseen::other(view.waiting) };
    let lacks_label = found.is_some_and(|(_, lacks_label)| lacks_label);
    let key = constraint.key();
    let (title, why) = match lacks_label {
        true => (
            format!(
                "{}: no node that would take it has the label {key} of its topology spread constraint",
                view.name()
            ),
            format!(
                "Nodes without the label of a topology spread constraint take no pod of it.{}",
                key_hint(view, key)
            ),
        ),
        false => (
            format!(
                "{} cannot keep its topology spread over {key} within maxSkew {}",
                view.name(),
                constraint.max_skew()
            ),
            skew_text(constraint),
        ),
    };
    let pointer = format!("/topologySpreadConstraints/{}", constraint.index);
    view.draft("topology-spread-unsatisfiable", title, &why)
        .cause(key)
        .evidence(view.waiting.group.spec_field(&format!("{pointer}/topologyKey")))
        .evidence(view.waiting.group.spec_field(&format!("{pointer}/maxSkew")).filter(|_| !lacks_label))
        .remedy(view.waiting.edit(
            "Name a topologyKey that the nodes have (topology.kubernetes.io/zone, kubernetes.io/hostname), or set whenUnsatisfiable: ScheduleAnyway",
            format!("kubectl get nodes -L {}", draft::sh(key)),
        ))
}

fn key_hint(view: &View<'_, '_, '_, '_>, key: &str) -> String {
    let keys: BTreeSet<&str> = view
        .sights
        .iter()
        .filter_map(|sight| sight.room.node.labels())
        .flat_map(|labels| labels.keys().map(String::as_str))
        .collect();
    match nearest(key, keys) {
        Some(similar) => format!(" The nodes have a label {similar}, which may be meant."),
        None => String::new(),
    }
}

fn skew_text(constraint: &Spread<'_>) -> String {
    let counts = constraint.domains.iter().map(|(domain, pods)| format!("{domain}: {pods}"));
    format!(
        "The domains with room have too many of its pods already, and the emptier ones have no node that takes one. Pods per domain: {}.",
        counts.collect::<Vec<_>>().join(", ")
    )
}

/// A pod that has to be near, and is nowhere.
pub(super) fn affinity(view: &View<'_, '_, '_, '_>, places: &[usize]) -> Draft {
    let found = obstacles(view, places).find_map(|obstacle| match obstacle {
        Obstacle::Affinity { index } => Some(*index),
        _ => None,
    });
    let terms = &view.wishes.neighbours.together;
    let Some(term) = terms.iter().find(|term| Some(term.index) == found).or(terms.first()) else {
        return super::unseen::other(view.waiting);
    };
    let selected = selector::show(&term.term["labelSelector"]);
    let title = match term.matches_nothing() {
        true => {
            format!("{} has to run beside pods with {selected} (pod affinity), and none runs", view.name())
        }
        false => format!(
            "{} has to run beside pods with {selected} (pod affinity), and those nodes do not take it",
            view.name()
        ),
    };
    let friends = friends(view, &term.term["labelSelector"]);
    let hint = match friends.is_empty() {
        true => " No workload in the namespace has such pods: the labels of the rule may be misspelt.",
        false => "",
    };
    let why = format!("The rule is required, and counts over {}.{hint}", term.key());
    let pointer =
        format!("/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/{}", term.index);
    let mut draft = view.draft("pod-affinity-unsatisfiable", title, &why).cause(selected.clone());
    if let Some(friend) = stopped(view, &friends).filter(|_| term.matches_nothing()) {
        draft.title = format!(
            "{} {} is scaled to zero, and {} has to run beside its pods (pod affinity)",
            friend.kind(),
            friend.name(),
            view.name()
        );
        draft.object = friend.reference();
        draft.breaks.push(friend.key());
        return draft.evidence(draft::field(friend, "/spec/replicas")).remedy(start(friend));
    }
    let draft = if term.matches_nothing() { draft.explained_by(friends) } else { draft };
    draft
        .evidence(view.waiting.group.spec_field(&format!("{pointer}/labelSelector")))
        .evidence(view.waiting.group.spec_field(&format!("{pointer}/topologyKey")))
        .remedy(view.waiting.edit(
            "Correct the labels of the rule, or make it a preference",
            format!(
                "kubectl {}get pods --show-labels -o wide",
                draft::in_namespace(&view.waiting.group.workload.reference)
            ),
        ))
}

/// The workload among these that is meant to have no pods.
fn stopped<'a>(view: &View<'_, '_, '_, 'a>, friends: &[Key]) -> Option<Object<'a>> {
    let known = |key: &Key| view.facts().get(&key.kind, &key.namespace, &key.name);
    friends.iter().filter_map(known).find(|friend| friend.value().int("/spec/replicas") == Some(0))
}

fn start(friend: Object<'_>) -> Remediation {
    let object = friend.reference();
    let scale = |replicas: u8| {
        format!(
            "kubectl {}scale {} --replicas={replicas}",
            draft::in_namespace(&object),
            draft::kubectl_name(&object)
        )
    };
    draft::change(
        "Start it again",
        kubectl::get(&object, ""),
        scale(1),
        scale(0),
        kubectl::verify(&Workload::of(friend)),
        Risk::Low,
    )
}

/// Workloads whose pods would satisfy the rule.
fn friends(view: &View<'_, '_, '_, '_>, rule: &serde_json::Value) -> Vec<Key> {
    let namespace = view.waiting.pod.object.namespace();
    let kinds = ["Deployment", "StatefulSet", "DaemonSet"];
    let workloads = kinds.into_iter().flat_map(|kind| view.facts().all_in(kind, namespace));
    let matching = workloads.filter(|workload| {
        let labels = workload.value().pointer("/spec/template/metadata/labels");
        selector::matches(rule, labels.and_then(serde_json::Value::as_object))
    });
    matching.map(|workload| workload.key()).filter(|key| *key != view.waiting.group.workload.key()).collect()
}

/// A pod that may not be near is everywhere.
pub(super) fn anti_affinity(view: &View<'_, '_, '_, '_>, places: &[usize]) -> Draft {
    let found = obstacles(view, places).find_map(|obstacle| match obstacle {
        Obstacle::AntiAffinity { index, holder } => Some((*index, *holder)),
        _ => None,
    });
    let terms = &view.wishes.neighbours.apart;
    let term =
        terms.iter().find(|term| found.is_some_and(|(index, _)| index == term.index)).or(terms.first());
    let Some(term) = term else { return super::unseen::other(view.waiting) };
    let key = term.key();
    let by = found.map_or_else(|| "a matching pod".to_owned(), |(_, holder)| holder_name(view, holder));
    let title = format!(
        "{} may not share {key} with {} (pod anti-affinity), and every node that would take it has one",
        view.name(),
        selector::show(&term.term["labelSelector"])
    );
    let why = format!(
        "Required anti-affinity allows one such pod per {key}; here {by} is in the way. More replicas than domains, or a rollout that adds a pod before it removes one, cannot be placed."
    );
    let pointer =
        format!("/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/{}", term.index);
    view.draft("pod-anti-affinity-unsatisfiable", title, &why)
        .cause(key)
        .evidence(view.waiting.group.spec_field(&format!("{pointer}/topologyKey")))
        .evidence(view.waiting.group.spec_field(&format!("{pointer}/labelSelector")))
        .evidence(found.and_then(|(_, holder)| draft::field(holder.object, "/spec/nodeName")))
        .remedy(view.waiting.edit(
            "Make the rule a preference, set maxSurge: 0, run fewer replicas, or add nodes",
            format!("kubectl get nodes -L {}", draft::sh(key)),
        ))
}

/// The rule of another workload keeps this one away: that rule has to change.
pub(super) fn shunned(view: &View<'_, '_, '_, '_>, places: &[usize]) -> Draft {
    let by = obstacles(view, places).find_map(|obstacle| match obstacle {
        Obstacle::Shunned { by } => Some(*by),
        _ => None,
    });
    let Some(by) = by else { return super::unseen::other(view.waiting) };
    let other = format!("{} {}", by.workload.kind(), by.workload.reference.name);
    let title =
        format!("The pod anti-affinity of {other} keeps {} from every node that would take it", view.name());
    let why = format!(
        "Required anti-affinity works both ways: pods of {other} run on these nodes, and their rule is about the pods of {}.",
        view.name()
    );
    let mut draft = view
        .draft("pod-anti-affinity-of-others", title, &why)
        .cause(by.workload.key().to_string())
        .evidence(draft::field(by.object, "/spec/affinity/podAntiAffinity"))
        .evidence(draft::field(by.object, "/spec/nodeName"));
    draft.object = by.workload.reference.clone();
    draft.remedy(draft::change(
        "Make the rule narrower, or a preference",
        kubectl::get(&by.workload.reference, "yaml"),
        kubectl::edit(&by.workload.reference),
        kubectl::undo(&by.workload),
        kubectl::verify(view.waiting.group.workload),
        Risk::Medium,
    ))
}
