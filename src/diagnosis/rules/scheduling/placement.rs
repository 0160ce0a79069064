//! Nodes that are not meant for the pod, or closed: selectors, taints, cordons, sick nodes, volumes elsewhere (A4 to A6, A10).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::diagnosis::draft::{self, Draft, advice, change, sh};
use crate::diagnosis::facts::{Key, Object, Read, nearest, reference};
use crate::diagnosis::report::{Confidence, Evidence, Remediation, Risk};
use crate::diagnosis::rules::{kubectl, nodes as node_rules};

use super::View;
use super::decision;
use super::demand::{self, TaintKind, show_taint};
use super::message::Reason;
use super::obstacles::{Obstacle, nodes as count_nodes};
use super::selectors::Requirement;

/// Nodes that would take the pod are cordoned: each is a finding, because opening it repairs the fault; the workload is
/// their victim.
pub(super) fn closed(view: &View<'_, '_, '_, '_>, places: &[usize]) -> Vec<Draft> {
    let nodes = decision::nodes(view.sights, places);
    let cordoned: Vec<Object<'_>> =
        nodes.iter().copied().filter(|node| node.value().flag("/spec/unschedulable")).collect();
    let names = names(&nodes);
    let title = format!("{} waits: the nodes that would take it are closed ({names})", view.name());
    let why = "The nodes with room for it are cordoned, or about to be removed.";
    let victim = view
        .draft("pod-waits-for-node", title, why)
        .explained_by(nodes.iter().map(|node| node.key()))
        .remedy(advice(
            "Open the nodes again, or wait until those that replace them are there",
            "kubectl get nodes",
            kubectl::verify(view.waiting.group.workload),
        ));
    cordoned.iter().map(|node| cordon(view, *node)).chain(std::iter::once(victim)).collect()
}

fn cordon(view: &View<'_, '_, '_, '_>, node: Object<'_>) -> Draft {
    let name = node.name();
    let title = format!("Node {name} is cordoned, and {} finds no other", view.name());
    let why = format!(
        "The node is marked unschedulable, by `kubectl cordon` or a drain. It has room for the pods of {}, and no other node that may take them has.",
        view.name()
    );
    let pods = view.waiting.group.cases.iter().map(|case| case.pod.object.key());
    let mut draft =
        Draft::new("node-cordoned", view.waiting.group.severity(), node.reference(), title).summary(why);
    draft = draft
        .breaks([node.key(), view.waiting.group.workload.key()])
        .breaks(pods)
        .evidence(draft::field(node, "/spec/unschedulable"))
        .evidence(view.waiting.evidence());
    draft.remedy(change(
        "Open the node for pods again, if nobody works on it",
        format!("kubectl describe node {}", sh(name)),
        format!("kubectl uncordon {}", sh(name)),
        format!("kubectl cordon {}", sh(name)),
        kubectl::verify(view.waiting.group.workload),
        Risk::Low,
    ))
}

/// Nodes that would take the pod are sick, or not ready yet. What is wrong with them is the rules' of nodes to say.
pub(super) fn sick(view: &View<'_, '_, '_, '_>, places: &[usize]) -> Vec<Draft> {
    let nodes = decision::nodes(view.sights, places);
    let taints: BTreeSet<String> = places
        .iter()
        .flat_map(|place| &view.sights[*place].obstacles)
        .filter_map(|obstacle| match obstacle {
            Obstacle::Taint { taint, .. } => Some(show_taint(taint)),
            _ => None,
        })
        .collect();
    let taints = taints.into_iter().collect::<Vec<_>>().join(", ");
    let names = names(&nodes);
    let title = format!("{} waits: the nodes that would take it are not well ({names})", view.name());
    let why = format!("Kubernetes keeps pods away from them by the taint {taints}.");
    let victim = view
        .draft("pod-waits-for-node", title, &why)
        .explained_by(nodes.iter().map(|node| node.key()))
        .remedy(advice(
            "Heal the nodes",
            "kubectl describe nodes",
            kubectl::verify(view.waiting.group.workload),
        ));
    let unexplained = nodes.iter().filter(|node| !node_rules::is_unwell(view.facts(), **node));
    unexplained.map(|node| stale_taint(view, *node, &taints)).chain(std::iter::once(victim)).collect()
}

/// The node looks well and carries the taint nevertheless: an agent that should have removed it has not.
fn stale_taint(view: &View<'_, '_, '_, '_>, node: Object<'_>, taints: &str) -> Draft {
    let name = node.name();
    let title = format!("Node {name} keeps the taint {taints}, and {} finds no other node", view.name());
    let why = "The node's conditions are good, but the taint of a node that is starting or sick is still there: the agent that removes it (a CSI or network DaemonSet, the cloud controller) does not work on this node.";
    let agents = view
        .facts()
        .pods()
        .iter()
        .filter(|pod| pod.node() == Some(name) && pod.workload.kind() == "DaemonSet" && !pod.is_ready());
    let agents: Vec<Key> = agents.flat_map(|pod| [pod.object.key(), pod.workload.key()]).collect();
    Draft::new("node-taint-stale", view.waiting.group.severity(), node.reference(), title)
        .summary(why)
        .breaks([node.key(), view.waiting.group.workload.key()])
        .explained_by(agents)
        .evidence(draft::field(node, "/spec/taints"))
        .evidence(view.waiting.evidence())
        .remedy(advice(
            "Heal the agent that removes the taint",
            format!("kubectl get pods -A -o wide --field-selector spec.nodeName={}", sh(name)),
            format!("kubectl get node {} -o jsonpath='{{.spec.taints}}'", sh(name)),
        ))
}

/// `a, b and 3 more`.
fn names(nodes: &[Object<'_>]) -> String {
    let shown: Vec<&str> = nodes.iter().take(3).map(|node| node.name()).collect();
    match nodes.len().saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// No node has what the selector or the required affinity asks for.
pub(super) fn selector(view: &View<'_, '_, '_, '_>) -> Draft {
    let wanted = view.wishes.choice.show();
    let nearest = nearest_node(view);
    let failing = nearest.as_ref().map(|(_, failing)| failing.as_slice()).unwrap_or_default();
    let fails = failing.iter().map(|requirement| requirement.show()).collect::<Vec<_>>().join(", ");
    let hint = failing.first().map(|requirement| hint(view, requirement)).unwrap_or_default();
    let title = match failing.is_empty() {
        true => format!("No node matches the node selector or affinity of {}", view.name()),
        false => format!("{} wants a node with {fails}, and no node that it may use has it", view.name()),
    };
    let near = nearest
        .as_ref()
        .map(|(node, _)| format!(" Node {} comes closest; it does not satisfy {fails}.", node.name()));
    let asks = if wanted.is_empty() { String::new() } else { format!(" It asks for {wanted}.") };
    let why = format!(
        "Its node selector or required node affinity matches no node.{asks}{}{hint}",
        near.unwrap_or_default()
    );
    let fields = failing.iter().filter_map(|requirement| view.waiting.group.spec_field(&requirement.pointer));
    let labels = nearest.as_ref().and_then(|(node, failing)| label_field(*node, failing.first()?));
    view.draft("node-selector-mismatch", title, &why)
        .cause(&fails)
        .evidence(fields.collect::<Vec<_>>())
        .evidence(labels)
        .remedy(
            view.waiting.edit("Correct the selector in the pod template", "kubectl get nodes --show-labels"),
        )
        .remedies(nearest.and_then(|(node, failing)| label_node(view, node, failing.first()?)))
}

/// The node that fails the fewest requirements, one that pods may use before one that is reserved.
fn nearest_node<'v, 'a>(view: &'v View<'_, '_, '_, 'a>) -> Option<(Object<'a>, Vec<&'v Requirement>)> {
    let failing = view.sights.iter().map(|sight| {
        let others = sight.obstacles.len();
        (others, sight.room.node, view.wishes.choice.failing(sight.room.node))
    });
    let failing = failing.filter(|(_, _, failing)| !failing.is_empty());
    failing
        .min_by_key(|(others, _, failing)| (failing.len(), *others))
        .map(|(_, node, failing)| (node, failing))
}

/// What the nodes have instead: other values of the label, or a label of a similar name.
fn hint(view: &View<'_, '_, '_, '_>, requirement: &Requirement) -> String {
    let key = requirement.key();
    let nodes = || view.sights.iter().map(|sight| sight.room.node);
    let values: BTreeSet<&str> = nodes().filter_map(|node| node.label(key)).collect();
    if !values.is_empty() {
        let is_place = key.contains("topology") || key.contains("failure-domain");
        let similar =
            requirement.wanted().into_iter().find_map(|wanted| nearest(wanted, values.iter().copied()));
        let shown = values.iter().take(8).copied().collect::<Vec<_>>().join(", ");
        // Zones differ by a letter and are no slips of each other.
        let similar = similar.filter(|_| !is_place);
        let similar = similar.map(|value| format!("; {value} may be meant")).unwrap_or_default();
        return format!(" The nodes have {key} = {shown}{similar}.");
    }
    let keys: BTreeSet<&str> = nodes()
        .filter_map(|node| node.labels())
        .flat_map(|labels| labels.keys().map(String::as_str))
        .collect();
    match nearest(key, keys) {
        Some(similar) => format!(" No node has a label {key}; there is {similar}, which may be meant."),
        None => format!(" No node has a label {key}."),
    }
}

fn label_field(node: Object<'_>, requirement: &Requirement) -> Option<Evidence> {
    let field = draft::field(node, &format!("/metadata/labels/{}", draft::pointer_token(requirement.key())));
    field.or_else(|| {
        let text = format!("the node has no label {}", requirement.key());
        Some(draft::absent(node.reference(), text))
    })
}

fn label_node(
    view: &View<'_, '_, '_, '_>,
    node: Object<'_>,
    requirement: &Requirement,
) -> Option<Remediation> {
    let value = requirement.wanted().first().copied()?.to_owned();
    let (name, key) = (sh(node.name()), requirement.key());
    let undo = match node.label(key) {
        Some(old) => format!("kubectl label node {name} --overwrite {}", sh(&format!("{key}={old}"))),
        None => format!("kubectl label node {name} {}", sh(&format!("{key}-"))),
    };
    // Well-known labels describe the machine; setting them by hand would be a lie.
    let is_free = !key.contains("kubernetes.io/") && key != "metadata.name";
    is_free.then(|| {
        change(
            "Or give nodes the label, if the selector is right (on EKS in the node group, else it is lost with the node)",
            "kubectl get nodes --show-labels",
            format!("kubectl label node {name} --overwrite {}", sh(&format!("{key}={value}"))),
            undo,
            kubectl::verify(view.waiting.group.workload),
            Risk::Medium,
        )
    })
}

/// Nodes that would take it are reserved by a taint. Where several other workloads run there that do not tolerate it
/// either, the taint is newer than they are: the nodes were taken out of use, and each is a finding.
pub(super) fn taint(view: &View<'_, '_, '_, '_>, places: &[usize]) -> Vec<Draft> {
    let nodes = decision::nodes(view.sights, places);
    let found = places.iter().flat_map(|place| &view.sights[*place].obstacles).find_map(|o| match o {
        Obstacle::Taint { taint, kind: TaintKind::Reserved } => Some(*taint),
        _ => None,
    });
    let found = found.or_else(|| nodes.iter().find_map(|node| node.value().list("/spec/taints").first()));
    let shown = found.map_or_else(|| "of the nodes".to_owned(), show_taint);
    let title =
        format!("{} does not tolerate the taint {shown} of the nodes that would take it", view.name());
    let why = format!(
        "{} would take it ({}), but the taint keeps pods away that do not tolerate it.",
        capitalised(&count_nodes(nodes.len())),
        names(&nodes)
    );
    let closed = found.filter(|taint| is_newer_than_pods(view, places, taint));
    if let Some(taint) = closed {
        let victim = view
            .draft("pod-waits-for-node", title, &why)
            .explained_by(nodes.iter().map(|node| node.key()))
            .remedy(untaint(view, nodes[0], taint));
        return nodes.iter().map(|node| reserved(view, *node, taint)).chain([victim]).collect();
    }
    let draft = view
        .draft("taint-not-tolerated", title, &why)
        .cause(shown)
        .evidence(view.waiting.group.spec_field("/tolerations"))
        .evidence(nodes.first().and_then(|node| draft::field(*node, "/spec/taints")))
        .remedy(view.waiting.edit(
            &tolerate(found),
            "kubectl get nodes -o custom-columns=NAME:.metadata.name,TAINTS:.spec.taints",
        ));
    vec![draft.remedies(nodes.first().zip(found).map(|(node, taint)| untaint(view, *node, taint)))]
}

fn is_newer_than_pods(view: &View<'_, '_, '_, '_>, places: &[usize], taint: &Value) -> bool {
    let pods = places.iter().flat_map(|place| &view.sights[*place].room.pods);
    let strangers = pods.filter(|pod| pod.workload.kind() != "DaemonSet" && !demand::tolerates(pod, taint));
    let workloads: BTreeSet<Key> = strangers.map(|pod| pod.workload.key()).collect();
    workloads.len() > 1
}

fn reserved(view: &View<'_, '_, '_, '_>, node: Object<'_>, taint: &Value) -> Draft {
    let (name, shown) = (node.name(), show_taint(taint));
    let title = format!("Node {name} has the taint {shown}, and {} finds no other", view.name());
    let why = "Pods that do not tolerate the taint run on the node: it was set after they came, and takes the node out of use for all that come later. No other node takes these.";
    Draft::new("node-reserved", view.waiting.group.severity(), node.reference(), title)
        .summary(why)
        .cause(shown)
        .breaks([node.key(), view.waiting.group.workload.key()])
        .breaks(view.waiting.group.cases.iter().map(|case| case.pod.object.key()))
        .evidence(draft::field(node, "/spec/taints"))
        .evidence(view.waiting.evidence())
        .remedy(untaint(view, node, taint))
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn tolerate(taint: Option<&Value>) -> String {
    let Some(taint) = taint else { return "Add a toleration to the pod template".to_owned() };
    let toleration = serde_json::json!({
        "key": taint["key"], "operator": "Equal", "value": taint.text("/value"), "effect": taint["effect"],
    });
    format!("Add the toleration {toleration} to the pod template, if the pods belong on these nodes")
}

fn untaint(view: &View<'_, '_, '_, '_>, node: Object<'_>, taint: &Value) -> Remediation {
    let (name, key) = (sh(node.name()), format!("{}:{}", taint.text("/key"), taint.text("/effect")));
    change(
        "Or remove the taint, if the nodes are no longer reserved",
        format!("kubectl describe node {name}"),
        format!("kubectl taint node {name} {}", sh(&format!("{key}-"))),
        format!("kubectl taint node {name} {}", sh(&show_taint(taint))),
        kubectl::verify(view.waiting.group.workload),
        Risk::Medium,
    )
}

/// The scheduler speaks of a volume that could not be read. Where no selector is in the way, the claim has to move.
fn unread_volume(view: &View<'_, '_, '_, '_>) -> Draft {
    let claims = super::claims::names(view.waiting.pod);
    let is_pinned = view.waiting.said.reasons.iter().any(|counted| counted.reason == Reason::Selector);
    let title = format!(
        "{} cannot run where its volume is (PersistentVolumeClaim {}): volume node affinity conflict",
        view.name(),
        claims.join(", ")
    );
    let why = "The volume can be reached from one zone or node only, and no node there takes the pod. The volume itself could not be read.";
    let mut draft = view
        .draft("volume-node-affinity-conflict", title, why)
        .confidence(Confidence::Likely)
        .remedy(advice(
            "Add a node where the volume is, or move the data",
            "kubectl get pv; kubectl get nodes -L topology.kubernetes.io/zone",
            kubectl::verify(view.waiting.group.workload),
        ));
    if let ([claim], false) = (claims.as_slice(), is_pinned) {
        draft.object = reference("v1", "PersistentVolumeClaim", view.waiting.pod.object.namespace(), claim);
        draft.breaks.push(Key::from(&draft.object));
    }
    draft
}

/// The volume of a claim can be reached from nodes only that the pod may not use, or from none at all.
pub(super) fn volume(view: &View<'_, '_, '_, '_>, places: &[usize]) -> Draft {
    let found = view
        .wishes
        .volumes
        .iter()
        .find(|(_, _, choice)| places.iter().any(|place| !choice.matches(view.sights[*place].room.node)));
    let Some((claim, volume, choice)) = found.or(view.wishes.volumes.first()) else {
        return unread_volume(view);
    };
    let near: Vec<Object<'_>> =
        view.sights.iter().map(|sight| sight.room.node).filter(|node| choice.matches(*node)).collect();
    let wanted = choice.show();
    let title = format!(
        "{} cannot run where its volume is: PersistentVolumeClaim {} needs a node with {wanted}",
        view.name(),
        claim.name()
    );
    let why = match near.is_empty() {
        true => "The volume can be reached from one zone or node only (volume node affinity), and the cluster has no node there.".to_owned(),
        false => format!("The volume can be reached from {} only (volume node affinity), and the pod may not use that: its selector, affinity or tolerations lead elsewhere.", names(&near)),
    };
    let mut draft = view.draft("volume-node-affinity-conflict", title, &why);
    if near.is_empty() {
        draft.object = claim.reference();
        draft.breaks.push(claim.key());
    }
    draft
        .cause(volume.name())
        .evidence(draft::field(*volume, "/spec/nodeAffinity/required/nodeSelectorTerms"))
        .evidence(draft::field(*claim, "/spec/volumeName"))
        .evidence(view.waiting.group.spec_field("/nodeSelector"))
        .remedy(match near.is_empty() {
            true => advice(
                format!("Add a node with {wanted}, or move the data to a volume in a zone that has nodes (snapshot and restore)"),
                "kubectl get nodes -L topology.kubernetes.io/zone",
                kubectl::verify(view.waiting.group.workload),
            ),
            false => view.waiting.edit("Let the pod run where its volume is", "kubectl get nodes -L topology.kubernetes.io/zone"),
        })
}
