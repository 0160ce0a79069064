//! Nodes: kubelets that are silent, networks and runtimes that are not ready, pressure, and pods that were evicted or
//! refused (FAILURES I, E4 to E6, A18).

mod ailments;
mod evictions;
mod lingering;
mod rejections;
mod usage;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::diagnosis::draft::{self, Draft, advice, change, sh};
use crate::diagnosis::facts::{Facts, Key, KubeEvent, Object, Pod, Read};
use crate::diagnosis::report::{Remediation, Risk, Severity};

use super::pods::Group;
use ailments::{Ailment, Kind};
pub(super) use lingering::{check as lingering, is_overdue};
pub(super) use rejections::is_rejection;
use usage::Hog;

/// A node that joins takes this long, in seconds.
const JOINING: i64 = 120;
/// A node that is being removed takes this long, in seconds.
const REMOVAL: i64 = 900;

/// Looks at every node, and at the pods that kubelets evicted or refused.
pub(super) fn check<'a>(
    facts: &Facts<'a>,
    evicted: &[Group<'_, 'a>],
    rejected: &[Group<'_, 'a>],
    drafts: &mut Vec<Draft>,
) {
    let hogs = usage::hogs(facts, evicted);
    let down: BTreeSet<&str> =
        facts.all("Node").iter().filter(|node| is_down(**node)).map(|n| n.name()).collect();
    for node in facts.all("Node") {
        for ailment in ailments::of(facts, *node) {
            drafts.push(ailing(facts, *node, &ailment, &down, &hogs));
        }
    }
    evictions::check(facts, evicted, &hogs, drafts);
    drafts.extend(rejected.iter().map(|group| rejections::check(facts, group)));
}

/// True where a rule has something to say about the node.
pub(super) fn is_unwell(facts: &Facts<'_>, node: Object<'_>) -> bool {
    !ailments::of(facts, node).is_empty()
}

/// The kubelet is silent or says that it cannot work.
fn is_down(node: Object<'_>) -> bool {
    node.condition("Ready").is_some_and(|ready| ready["status"] != "True")
}

fn ailing<'a>(
    facts: &Facts<'a>,
    node: Object<'a>,
    ailment: &Ailment<'a>,
    down: &BTreeSet<&str>,
    hogs: &[Hog],
) -> Draft {
    let pods: Vec<&Pod<'_>> =
        facts.pods().iter().filter(|pod| pod.node() == Some(node.name()) && !pod.is_done()).collect();
    let agents = network_agents(&pods, ailment.kind);
    let title = format!("Node {}: {}", node.name(), ailment.in_short(facts));
    let affected = match ailment.kind.stops_pods() {
        true => format!(" {} pods are on it.", pods.len()),
        false => String::new(),
    };
    let summary = format!("{}{affected}", ailment.explanation());
    let mut draft = Draft::new(ailment.kind.rule(), severity(facts, node, ailment), node.reference(), title)
        .summary(summary)
        .cause(ailment.condition.text("/type"))
        .breaks([node.key()])
        .explained_by(agents.iter().cloned())
        .evidence(ailment.evidence(node))
        .evidence(telling_event(facts, node).map(|event| draft::event(&event)))
        .remedies(remedies(node, ailment.kind));
    if let Some(resource) = ailment.kind.resource() {
        let hogs = hogs.iter().filter(|hog| hog.node == node.name() && hog.resource == resource);
        draft = draft.explained_by(hogs.map(|hog| hog.pod.clone()));
    }
    if ailment.kind.stops_pods() {
        draft = draft.breaks(victims(facts, &pods, down).into_iter().filter(|key| !agents.contains(key)));
    }
    draft
}

/// A node that has just come, or is on its way out, is no trouble yet.
fn severity(facts: &Facts<'_>, node: Object<'_>, ailment: &Ailment<'_>) -> Severity {
    let is_new = node.created().is_some_and(|time| facts.seconds_since(time) < JOINING);
    let left = node.value().time("/metadata/deletionTimestamp");
    let is_leaving = left.is_some_and(|time| facts.seconds_since(time) < REMOVAL);
    match (is_new || is_leaving, ailment.kind.stops_pods()) {
        (true, _) => Severity::Info,
        (false, true) => Severity::Critical,
        (false, false) => Severity::Warning,
    }
}

/// The pods on the node, and the workloads that have pods on such nodes only.
fn victims(facts: &Facts<'_>, pods: &[&Pod<'_>], down: &BTreeSet<&str>) -> Vec<Key> {
    let is_lost = |pod: &Pod<'_>| pod.node().is_some_and(|node| down.contains(node));
    let workloads: BTreeSet<Key> = pods.iter().map(|pod| pod.workload.key()).collect();
    let lost = workloads.into_iter().filter(|workload| {
        facts.pods_of(workload).filter(|pod| !pod.is_done() && pod.node().is_some()).all(is_lost)
    });
    pods.iter().map(|pod| pod.object.key()).chain(lost).collect()
}

/// The pods that give this node its network, where they are not well, and their DaemonSets.
fn network_agents(pods: &[&Pod<'_>], kind: Kind) -> Vec<Key> {
    const AGENTS: &[&str] = &["aws-node", "kube-proxy", "calico-node", "cilium", "kube-flannel", "weave-net"];
    let is_agent = |pod: &Pod<'_>| {
        let name = &pod.workload.reference.name;
        pod.workload.kind() == "DaemonSet" && AGENTS.iter().any(|agent| name.starts_with(agent))
    };
    let broken = pods.iter().filter(|pod| kind == Kind::Network && is_agent(pod) && !pod.is_ready());
    broken.flat_map(|pod| [pod.object.key(), pod.workload.key()]).collect()
}

/// The newest event that says more than the condition.
fn telling_event<'a>(facts: &Facts<'a>, node: Object<'a>) -> Option<KubeEvent<'a>> {
    const REASONS: &[&str] = &[
        "SystemOOM",
        "OOMKilling",
        "EvictionThresholdMet",
        "FreeDiskSpaceFailed",
        "ImageGCFailed",
        "ContainerGCFailed",
        "Rebooted",
        "SpotInterrupted",
        "TerminatingOnInterruption",
        "SpotRebalanceRecommendation",
        "NodeNotReady",
        "NodeHasDiskPressure",
        "NodeHasInsufficientMemory",
    ];
    facts.events(node).find(|event| REASONS.contains(&event.reason))
}

fn remedies(node: Object<'_>, kind: Kind) -> Vec<Remediation> {
    let name = sh(node.name());
    let describe = format!("kubectl describe node {name}");
    let verify = format!("kubectl get node {name}");
    let own = match kind {
        Kind::Silent => advice(
            "Look at the machine: is it running, does its kubelet run, does it reach the API server?",
            instance(node).unwrap_or(describe),
            verify.clone(),
        ),
        Kind::Network => advice(
            "Heal the network plugin on the node",
            format!("kubectl -n kube-system get pods -o wide --field-selector spec.nodeName={name}"),
            verify.clone(),
        ),
        Kind::Disk => advice(
            "Free disk space: large logs and emptyDir volumes of the pods, unused images; give the nodes a larger disk",
            describe,
            verify.clone(),
        ),
        Kind::Memory | Kind::Pids => advice(
            "Find what uses it on the node; give pods memory requests that match their use",
            format!("kubectl top pods -A --sort-by=memory; {describe}"),
            verify.clone(),
        ),
        Kind::Runtime | Kind::NotReady | Kind::Monitor => advice(
            "Look at the kubelet and the container runtime on the machine; restart or replace it",
            describe,
            verify.clone(),
        ),
    };
    let replace = kind.stops_pods().then(|| drain(&name, verify));
    std::iter::once(own).chain(replace).collect()
}

/// `aws ec2 describe-instance-status …`, from the provider's name of the machine.
fn instance(node: Object<'_>) -> Option<String> {
    let path = node.value().text("/spec/providerID").strip_prefix("aws:///")?;
    let (zone, id) = path.split_once('/')?;
    let region = zone.trim_end_matches(|c: char| c.is_ascii_lowercase());
    id.starts_with("i-").then(|| {
        format!(
            "aws ec2 describe-instance-status --include-all-instances --region {} --instance-ids {}",
            sh(region),
            sh(id)
        )
    })
}

fn drain(name: &str, verify: String) -> Remediation {
    change(
        "Move the pods away and replace the machine, if it does not come back",
        format!("kubectl get pods -A -o wide --field-selector spec.nodeName={name}"),
        format!("kubectl drain {name} --ignore-daemonsets --delete-emptydir-data"),
        format!("kubectl uncordon {name}"),
        verify,
        Risk::High,
    )
}
