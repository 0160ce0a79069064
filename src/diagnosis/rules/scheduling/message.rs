//! The scheduler's message, in the words of every release since 1.18 (FAILURES 1.2):
//! `0/6 nodes are available: 1 node(s) had untolerated taint {a: b}, 5 Insufficient memory. preemption: …`.

use crate::diagnosis::facts::quantity;

/// Why nodes, or the pod as a whole, were ruled out. In the order in which the scheduler filters: a node that fails
/// late came closest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    /// Words that are not known.
    Other(String),
    Cordoned,
    /// Key and value, which the newest releases leave out.
    Taint(Option<(String, String)>),
    Selector,
    HostPort,
    TooManyPods,
    Insufficient(String),
    /// More volumes than the node can attach.
    VolumeLimit,
    /// A ReadWriteOncePod claim that another pod uses.
    ClaimInUse,
    VolumeElsewhere,
    NothingToBind,
    Spread,
    SpreadLabel,
    Affinity,
    AntiAffinity,
    /// Another pod's rule keeps this one away.
    OthersAntiAffinity,
    /// Found before any node was looked at.
    NoNodes,
    ClaimUnbound,
    ClaimMissing(String),
    ClaimDeleted(String),
    /// The node was chosen, and the volume did not come in time.
    Binding,
}

/// One reason with the number of nodes it holds for; absent where it holds for the pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) nodes: Option<u64>,
    pub(super) reason: Reason,
}

/// The reasons of a message, in its order.
pub(super) fn reasons(message: &str) -> Vec<Counted> {
    split(body(message)).into_iter().map(counted).collect()
}

/// True for the words of a scheduler; autoscalers write `FailedScheduling` as well.
pub(super) fn is_of_scheduler(message: &str) -> bool {
    let of_pod = |counted: &Counted| counted.nodes.is_none() && counted.reason >= Reason::NoNodes;
    message.contains("nodes are available") || reasons(message).iter().any(of_pod)
}

/// What stands between the number of nodes and the remark about preemption.
fn body(message: &str) -> &str {
    let body = message.split_once("nodes are available: ").map_or(message, |(_, body)| body);
    let end = ["preemption:", "no new claims to deallocate", "(repeated "];
    let end = end.into_iter().filter_map(|mark| body.find(mark)).min().unwrap_or(body.len());
    body.get(..end).unwrap_or(body).trim().trim_end_matches('.')
}

/// Reasons may hold commas (`had taint {a: b}, that the pod didn't tolerate`): a new one begins with its number.
fn split(body: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (comma, _) in body.match_indices(", ") {
        let rest = &body[comma + 2..];
        if leading_number(rest).is_some() {
            parts.push(&body[start..comma]);
            start = comma + 2;
        }
    }
    parts.push(&body[start..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

fn leading_number(text: &str) -> Option<(u64, &str)> {
    let (number, rest) = text.split_once(' ')?;
    Some((number.parse().ok()?, rest))
}

fn counted(part: &str) -> Counted {
    match leading_number(part) {
        Some((nodes, text)) => Counted { nodes: Some(nodes), reason: reason(text) },
        None => Counted { nodes: None, reason: reason(part) },
    }
}

/// Fragments that tell a reason, in the order in which they decide.
#[rustfmt::skip]
const SIGNS: &[(&str, Reason)] = &[
    ("no nodes available to schedule", Reason::NoNodes),
    ("unbound immediate persistentvolumeclaims", Reason::ClaimUnbound),
    ("binding volumes", Reason::Binding),
    ("bind volumes", Reason::Binding),
    ("\"volumebinding\" prebind plugin", Reason::Binding),
    ("too many pods", Reason::TooManyPods),
    ("were unschedulable", Reason::Cordoned),
    ("free ports for the requested pod ports", Reason::HostPort),
    ("topology spread constraints (missing required label)", Reason::SpreadLabel),
    ("topology spread constraints", Reason::Spread),
    ("existing pods anti-affinity", Reason::OthersAntiAffinity),
    ("pod affinity/anti-affinity", Reason::AntiAffinity),
    ("anti-affinity", Reason::AntiAffinity),
    ("match pod affinity", Reason::Affinity),
    ("volume node affinity conflict", Reason::VolumeElsewhere),
    ("persistentvolume's node affinity", Reason::VolumeElsewhere),
    ("node affinity", Reason::Selector),
    ("node selector", Reason::Selector),
    ("plugin(s) [nodeaffinity]", Reason::Selector),
    ("the requested node name", Reason::Selector),
    ("the requested hostname", Reason::Selector),
    ("no available volume zone", Reason::VolumeElsewhere),
    ("exceed max volume count", Reason::VolumeLimit),
    ("readwriteoncepod", Reason::ClaimInUse),
    ("available persistent volumes to bind", Reason::NothingToBind),
];

fn reason(text: &str) -> Reason {
    let lower = text.to_lowercase();
    if let Some((_, found)) = SIGNS.iter().find(|(sign, _)| lower.contains(sign)) {
        return found.clone();
    }
    if lower.contains("taint") {
        return Reason::Taint(taint(text));
    }
    claim(text, &lower)
        .or_else(|| insufficient(text))
        .unwrap_or_else(|| Reason::Other(text.trim().to_owned()))
}

/// `Insufficient memory`.
fn insufficient(text: &str) -> Option<Reason> {
    let (_, resource) = text.split_once("Insufficient ")?;
    let resource = resource.split_whitespace().next()?.trim_end_matches(['.', ',']);
    Some(Reason::Insufficient(resource.to_owned()))
}

/// `{dedicated: batch}`.
fn taint(text: &str) -> Option<(String, String)> {
    let (_, rest) = text.split_once('{')?;
    let (inside, _) = rest.split_once('}')?;
    let (key, value) = inside.split_once(':')?;
    Some((key.trim().to_owned(), value.trim().to_owned()))
}

/// `persistentvolumeclaim "data" not found`, and older words for it; the name may come with its namespace.
fn claim(text: &str, lower: &str) -> Option<Reason> {
    let behind = text.get(lower.find("persistentvolumeclaim")?..)?;
    let name = behind.split('"').nth(1).unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or_default().to_owned();
    if lower.contains("not found") || lower.contains("could not find") {
        return Some(Reason::ClaimMissing(name));
    }
    lower.contains("is being deleted").then_some(Reason::ClaimDeleted(name))
}

impl Reason {
    /// For people, behind a number of nodes.
    pub(super) fn show(&self) -> String {
        match self {
            Self::Other(text) => text.clone(),
            Self::Cordoned => "cordoned".to_owned(),
            Self::Taint(Some((key, value))) if value.is_empty() => format!("taint {key}"),
            Self::Taint(Some((key, value))) => format!("taint {key}={value}"),
            Self::Taint(None) => "a taint that is not tolerated".to_owned(),
            Self::Selector => "node selector or affinity does not match".to_owned(),
            Self::HostPort => "the host port is taken".to_owned(),
            Self::TooManyPods => "too many pods".to_owned(),
            Self::Insufficient(resource) => format!("insufficient {resource}"),
            Self::VolumeLimit => "no more volumes can be attached".to_owned(),
            Self::ClaimInUse => "another pod uses the ReadWriteOncePod claim".to_owned(),
            Self::VolumeElsewhere => "the volume is in another zone or on another node".to_owned(),
            Self::NothingToBind => "no persistent volume to bind".to_owned(),
            Self::Spread => "topology spread constraint".to_owned(),
            Self::SpreadLabel => "topology spread constraint (label missing)".to_owned(),
            Self::Affinity => "pod affinity".to_owned(),
            Self::AntiAffinity => "pod anti-affinity".to_owned(),
            Self::OthersAntiAffinity => "anti-affinity of other pods".to_owned(),
            Self::NoNodes => "no nodes".to_owned(),
            Self::ClaimUnbound => "a claim is not bound".to_owned(),
            Self::ClaimMissing(name) => format!("claim {name} does not exist"),
            Self::ClaimDeleted(name) => format!("claim {name} is being deleted"),
            Self::Binding => "its volumes were not bound in time".to_owned(),
        }
    }
}

/// `64Gi memory`, `1 nvidia.com/gpu`.
pub(super) fn amount(resource: &str, amount: f64) -> String {
    let shown = if resource.starts_with("hugepages-") { "memory" } else { resource };
    format!("{} {resource}", quantity::show(shown, amount))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn some(nodes: u64, reason: Reason) -> Counted {
        Counted { nodes: Some(nodes), reason }
    }

    fn whole(reason: Reason) -> Counted {
        Counted { nodes: None, reason }
    }

    fn taint(key: &str, value: &str) -> Reason {
        Reason::Taint(Some((key.to_owned(), value.to_owned())))
    }

    fn lacks(resource: &str) -> Reason {
        Reason::Insufficient(resource.to_owned())
    }

    #[rstest]
    #[case::v1_20(
        "0/6 nodes are available: 1 node(s) had taint {dedicated: batch}, that the pod didn't tolerate, 5 Insufficient memory.",
        vec![some(1, taint("dedicated", "batch")), some(5, lacks("memory"))]
    )]
    #[case::v1_24(
        "0/6 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/disk-pressure: }, 2 Insufficient cpu, 3 Insufficient nvidia.com/gpu. preemption: 0/6 nodes are available: 1 Preemption is not helpful for scheduling, 5 No preemption victims found for incoming pod.",
        vec![some(1, taint("node.kubernetes.io/disk-pressure", "")), some(2, lacks("cpu")), some(3, lacks("nvidia.com/gpu"))]
    )]
    #[case::v1_34(
        "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. no new claims to deallocate, preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.",
        vec![some(1, Reason::Taint(None)), some(2, lacks("cpu"))]
    )]
    #[case::selector_old("0/4 nodes are available: 4 node(s) didn't match node selector.", vec![some(4, Reason::Selector)])]
    #[case::selector_1_21("0/4 nodes are available: 4 node(s) didn't match Pod's node affinity.", vec![some(4, Reason::Selector)])]
    #[case::selector("0/4 nodes are available: 4 node(s) didn't match Pod's node affinity/selector.", vec![some(4, Reason::Selector)])]
    #[case::affinity_old(
        "0/2 nodes are available: 2 node(s) didn't match pod affinity/anti-affinity, 2 node(s) didn't satisfy existing pods anti-affinity rules.",
        vec![some(2, Reason::AntiAffinity), some(2, Reason::OthersAntiAffinity)]
    )]
    #[case::anti_affinity("0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.", vec![some(2, Reason::AntiAffinity)])]
    #[case::affinity("0/2 nodes are available: 2 node(s) didn't match pod affinity rules.", vec![some(2, Reason::Affinity)])]
    #[case::spread(
        "0/6 nodes are available: 3 node(s) didn't match pod topology spread constraints, 3 node(s) didn't match pod topology spread constraints (missing required label).",
        vec![some(3, Reason::Spread), some(3, Reason::SpreadLabel)]
    )]
    #[case::cordoned_and_full(
        "0/5 nodes are available: 2 node(s) were unschedulable, 3 Too many pods.",
        vec![some(2, Reason::Cordoned), some(3, Reason::TooManyPods)]
    )]
    #[case::ports("0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.", vec![some(1, Reason::HostPort)])]
    #[case::volume_zone_1_33("0/3 nodes are available: 3 node(s) didn't match PersistentVolume's node affinity.", vec![some(3, Reason::VolumeElsewhere)])]
    #[case::volume_zone("0/3 nodes are available: 3 node(s) had volume node affinity conflict.", vec![some(3, Reason::VolumeElsewhere)])]
    #[case::volume_limit("0/3 nodes are available: 3 node(s) exceed max volume count.", vec![some(3, Reason::VolumeLimit)])]
    #[case::nothing_to_bind("0/3 nodes are available: 3 node(s) didn't find available persistent volumes to bind.", vec![some(3, Reason::NothingToBind)])]
    #[case::unbound_1_20("0/3 nodes are available: 3 pod has unbound immediate PersistentVolumeClaims.", vec![some(3, Reason::ClaimUnbound)])]
    #[case::unbound("0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.", vec![whole(Reason::ClaimUnbound)])]
    #[case::unbound_old("pod has unbound immediate PersistentVolumeClaims (repeated 4 times)", vec![whole(Reason::ClaimUnbound)])]
    #[case::unbound_plugin(r#"running "VolumeBinding" filter plugin for pod "x": pod has unbound immediate PersistentVolumeClaims"#, vec![whole(Reason::ClaimUnbound)])]
    #[case::no_claim(r#"0/3 nodes are available: 3 persistentvolumeclaim "data" not found."#, vec![some(3, Reason::ClaimMissing("data".to_owned()))])]
    #[case::no_claim_old(r#"error while running "VolumeBinding" filter plugin for pod "x": could not find v1.PersistentVolumeClaim "shop/data""#, vec![whole(Reason::ClaimMissing("data".to_owned()))])]
    #[case::claim_goes(r#"persistentvolumeclaim "data" is being deleted"#, vec![whole(Reason::ClaimDeleted("data".to_owned()))])]
    #[case::binding(r#"running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded"#, vec![whole(Reason::Binding)])]
    #[case::no_nodes("no nodes available to schedule pods", vec![whole(Reason::NoNodes)])]
    #[case::one_pod_claim("0/1 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode.", vec![some(1, Reason::ClaimInUse)])]
    fn messages_of_all_generations_are_read(#[case] message: &str, #[case] expected: Vec<Counted>) {
        assert_eq!(reasons(message), expected);
        assert!(is_of_scheduler(message));
    }

    #[rstest]
    #[case::karpenter(r#"Failed to schedule pod, incompatible with nodepool "default", daemonset overhead={"cpu":"150m"}, no instance type satisfied resources"#)]
    #[case::fargate("Pod provisioning timed out (will retry)")]
    #[case::nothing("")]
    fn autoscalers_are_not_taken_for_the_scheduler(#[case] message: &str) {
        assert!(!is_of_scheduler(message));
    }
}
