//! Not enough of something: CPU, memory, GPUs, places for pods (A1 to A3, A13).

use crate::diagnosis::draft::{self, Draft, advice, change, in_namespace, kubectl_name, sh};
use crate::diagnosis::facts::{Key, nearest, quantity};
use crate::diagnosis::report::{Evidence, Remediation, Risk};
use crate::diagnosis::rules::kubectl;

use super::View;
use super::demand;
use super::message::amount;
use super::obstacles::{is_more, nodes as count_nodes};
use super::rooms::Room;
use super::waiting::Waiting;

const SHOW_ALLOCATED: &str = "kubectl describe nodes | grep -A 10 'Allocated resources'";

/// Too little of a resource on every node that is meant for the pod.
pub(super) fn short(view: &View<'_, '_, '_, '_>, resource: &str, nodes: &[usize]) -> Draft {
    let all = || view.sights.iter().map(|sight| sight.room);
    if resource.contains('/') && all().all(|room| room.offers(resource) <= 0.0) {
        return not_offered(view, resource);
    }
    let rooms: Vec<&Room<'_, '_>> = match nodes.is_empty() {
        true => all().collect(),
        false => nodes.iter().map(|place| view.sights[*place].room).collect(),
    };
    let asked = view.wishes.requests.get(resource).copied().unwrap_or(0.0);
    let most = |measure: fn(&Room<'_, '_>, &str) -> f64| {
        rooms.iter().copied().max_by(|a, b| measure(a, resource).total_cmp(&measure(b, resource)))
    };
    let largest = most(|room, name| room.offers(name));
    match largest.filter(|room| is_more(asked, room.offers(resource))) {
        Some(largest) => too_large(view, resource, asked, largest, rooms.len()),
        None => full(view, resource, asked, most(|room, name| room.free(name)), rooms.len()),
    }
}

fn too_large(
    view: &View<'_, '_, '_, '_>,
    resource: &str,
    asked: f64,
    largest: &Room<'_, '_>,
    nodes: usize,
) -> Draft {
    let (asked_text, offers) = (amount(resource, asked), amount(resource, largest.offers(resource)));
    let title = format!("{} asks for {asked_text} per pod; the largest node offers {offers}", view.name());
    let why = format!(
        "Insufficient {resource}: the request is larger than what any node that may take the pod offers ({} looked at), so it can never be scheduled here.",
        count_nodes(nodes)
    );
    view.draft("request-exceeds-nodes", title, &why)
        .cause(resource)
        .evidence(request_field(view, resource))
        .evidence(offer_field(largest, resource))
        .remedies(lower_request(view, resource))
        .remedy(advice(
            format!("Or add nodes that offer at least {asked_text}"),
            "kubectl get nodes -o custom-columns=NAME:.metadata.name,CPU:.status.allocatable.cpu,MEMORY:.status.allocatable.memory",
            kubectl::verify(view.waiting.group.workload),
        ))
}

fn full(
    view: &View<'_, '_, '_, '_>,
    resource: &str,
    asked: f64,
    best: Option<&Room<'_, '_>>,
    nodes: usize,
) -> Draft {
    let asked_text = amount(resource, asked);
    let short = best.filter(|room| is_more(asked, room.free(resource)));
    let free = short.map(|room| amount(resource, room.free(resource).max(0.0)));
    let free_text = free.map(|free| format!("; the most that is free on a node is {free}"));
    let free_text = free_text.unwrap_or_default();
    let title = format!("{} waits for {asked_text} per pod{free_text}", view.name());
    let why = format!(
        "Insufficient {resource}: the requests of the pods that run already leave too little on every node that may take it ({} looked at). Requests count, not what is really used.",
        count_nodes(nodes)
    );
    view.draft("insufficient-capacity", title, &why)
        .cause(resource)
        .explained_by(hog(view, resource))
        .evidence(request_field(view, resource))
        .evidence(best.and_then(|room| offer_field(room, resource)))
        .remedy(advice(
            "Make room: add nodes, or lower requests and replicas of what runs",
            SHOW_ALLOCATED,
            kubectl::verify(view.waiting.group.workload),
        ))
        .remedies(lower_request(view, resource))
}

/// Another workload that holds most of what there is and waits for more: where the two compete, it is the reason.
fn hog(view: &View<'_, '_, '_, '_>, resource: &str) -> Option<Key> {
    let offered: f64 = view.sights.iter().map(|sight| sight.room.offers(resource)).sum();
    let (most, amount) = view.waiting.rooms.greediest(resource)?;
    let waits = view.facts().pods_of(most).any(|pod| !pod.is_done() && pod.node().is_none());
    (*most != view.waiting.group.workload.key() && waits && amount > offered / 2.0).then(|| most.clone())
}

/// No node has the resource at all: a device plugin does not run, or there are no such nodes.
fn not_offered(view: &View<'_, '_, '_, '_>, resource: &str) -> Draft {
    let title = format!("{} asks for {resource}, which no node offers", view.name());
    let offered = view.sights.iter().flat_map(|sight| sight.room.allocatable.keys().copied());
    let meant = nearest(resource, offered.filter(|name| name.contains('/')));
    let hint = meant.map(|name| format!(" Nodes offer {name}, which may be meant.")).unwrap_or_default();
    let why = format!(
        "Insufficient {resource}: a device plugin announces it, which is not installed or does not work, or the cluster has no nodes with such devices.{hint}"
    );
    let plugins = view.facts().all("DaemonSet").iter().filter(|set| set.name().contains("device-plugin"));
    let plugins: Vec<Key> = plugins.map(|set| set.key()).collect();
    view.draft("extended-resource-missing", title, &why)
        .cause(resource)
        .explained_by(plugins)
        .evidence(request_field(view, resource))
        .remedy(view.waiting.edit(
            "Drop the request, or name the resource that the nodes offer",
            "kubectl get daemonsets -A | grep -i plugin; kubectl get nodes -o json | grep -i '\"allocatable\"' -A 12",
        ))
}

pub(super) fn too_many_pods(view: &View<'_, '_, '_, '_>, nodes: &[usize]) -> Draft {
    let rooms = || nodes.iter().map(|place| view.sights[*place].room);
    let most = rooms().map(|room| room.offers("pods")).fold(0.0, f64::max);
    let title = format!("{} waits: every node runs as many pods as it may ({most})", view.name());
    let why = "Too many pods: CPU and memory may be free, but each node takes a fixed number of pods. On EKS the number follows from the addresses of the instance type, unless prefix delegation is on.";
    let example = rooms().next().and_then(|room| offer_field(room, "pods"));
    view.draft("node-pod-limit", title, why).evidence(example).remedy(advice(
        "Add nodes, or raise the number of pods per node (prefix delegation and max-pods in the launch template)",
        "kubectl get nodes -o custom-columns=NAME:.metadata.name,PODS:.status.allocatable.pods",
        kubectl::verify(view.waiting.group.workload),
    ))
}

pub(super) fn too_many_volumes(waiting: &Waiting<'_, '_, '_>) -> Draft {
    let title = format!("{} waits: no node can attach another volume", waiting.group.name());
    let why = "The nodes have reached their max volume count: an instance type attaches a fixed number of volumes, and network interfaces count too. Volumes that were never detached hold places as well.";
    waiting.draft("node-volume-limit", title, why).remedy(advice(
        "Add nodes, or detach volumes that are no longer used",
        "kubectl get volumeattachments; kubectl get csinodes -o custom-columns=NAME:.metadata.name,LIMIT:.spec.drivers[*].allocatable.count",
        kubectl::verify(waiting.group.workload),
    ))
}

/// The container that asks for the most, and where its request stands.
fn greediest<'a>(view: &View<'_, '_, '_, 'a>, resource: &str) -> Option<(&'a str, String)> {
    let containers = view.waiting.pod.containers.iter();
    let asking = containers.filter_map(|container| {
        let asked = demand::amounts(container.spec, "/resources/requests").get(resource).copied()?;
        Some((asked, container))
    });
    let (_, most) = asking.max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some((most.name(), most.spec_pointer()))
}

fn request_field(view: &View<'_, '_, '_, '_>, resource: &str) -> Option<Evidence> {
    let (_, pointer) = greediest(view, resource)?;
    let resource = draft::pointer_token(resource);
    view.waiting.group.spec_field(&format!("{pointer}/resources/requests/{resource}"))
}

fn offer_field(room: &Room<'_, '_>, resource: &str) -> Option<Evidence> {
    draft::field(room.node, &format!("/status/allocatable/{}", draft::pointer_token(resource)))
}

/// `kubectl set resources`, with a placeholder: what the program needs is not known here.
fn lower_request(view: &View<'_, '_, '_, '_>, resource: &str) -> Option<Remediation> {
    let (container, _) = greediest(view, resource)?;
    let workload = view.waiting.group.workload;
    if !kubectl::has_rollout(workload) {
        return Some(view.waiting.edit("Lower the request", SHOW_ALLOCATED));
    }
    let asked = view.wishes.requests.get(resource).copied().unwrap_or(0.0);
    Some(change(
        format!("Lower the request from {} to what the program needs", quantity::show(resource, asked)),
        SHOW_ALLOCATED,
        format!(
            "kubectl {}set resources {} -c {} --requests={}=<AMOUNT>",
            in_namespace(&workload.reference),
            kubectl_name(&workload.reference),
            sh(container),
            sh(resource)
        ),
        kubectl::undo(workload),
        kubectl::verify(workload),
        Risk::Low,
    ))
}
