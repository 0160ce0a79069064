//! What the kubelet says when it evicts a pod, and which pods used up their node.

use std::sync::LazyLock;

use regex::Regex;

use crate::diagnosis::facts::{Facts, Key, Pod, Read, quantity};
use crate::diagnosis::rules::pods::Group;

/// A pod that uses this part of what its node can give is no victim.
const LARGE_PART: f64 = 0.25;
/// A pod that uses this part, and far more than it requests, may be none.
const FAIR_PART: f64 = 0.05;
/// Where the node is gone: this many bytes are a lot.
const A_LOT: f64 = 1_073_741_824.0;

/// Why a pod was evicted.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Why {
    /// It went over a limit of its own.
    OwnLimit,
    /// The node ran short of this resource.
    NodeShort {
        resource: String,
        usage: Option<Usage>,
    },
    /// It came to a node that was under pressure already: `DiskPressure`.
    OnArrival(String),
    Other,
}

/// What the greediest container used.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Usage {
    pub(super) container: String,
    pub(super) used: f64,
    pub(super) requested: f64,
}

/// A workload whose pod used up a node.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hog {
    pub(super) workload: Key,
    /// The pod that was evicted for it.
    pub(super) pod: Key,
    pub(super) node: String,
    pub(super) resource: String,
}

static SHORT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"node was low on resource: ([\w.-]+?)\.?(?:\s|$)").ok());
static CONDITION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"node had condition: \[([^\]]*)\]").ok());
static USAGE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"[Cc]ontainer (\S+) was using (\w+(?:\.\w+)?), (?:which exceeds its request of|request is) (\w+(?:\.\w+)?)").ok()
});

impl Why {
    pub(super) fn of(message: &str) -> Self {
        let own = [
            "exceeded its local ephemeral storage limit",
            "exceeds the total limit of containers",
            "exceeds the limit",
        ];
        if own.iter().any(|sign| message.contains(sign)) {
            return Self::OwnLimit;
        }
        if let Some(found) = CONDITION.as_ref().and_then(|pattern| pattern.captures(message)) {
            return Self::OnArrival(found[1].to_owned());
        }
        match SHORT.as_ref().and_then(|pattern| pattern.captures(message)) {
            Some(found) => Self::NodeShort { resource: found[1].to_owned(), usage: usage(message) },
            None => Self::Other,
        }
    }
}

/// The container that used the most, of those that the message lists.
fn usage(message: &str) -> Option<Usage> {
    let found = USAGE.as_ref()?.captures_iter(message).filter_map(|found| {
        Some(Usage {
            container: found[1].to_owned(),
            used: quantity::parse(&found[2])?,
            requested: quantity::parse(&found[3])?,
        })
    });
    found.max_by(|a, b| a.used.total_cmp(&b.used))
}

/// The workloads among the evicted that used up their node. Usage above the request only makes a pod the first to go; a
/// large part of the node makes it the reason, and so does a fair part, if it is far above the request and nobody who was
/// evicted there used more.
pub(super) fn hogs(facts: &Facts<'_>, evicted: &[Group<'_, '_>]) -> Vec<Hog> {
    let cases = evicted.iter().flat_map(|group| &group.cases);
    let all: Vec<(Hog, f64, Size)> = cases.filter_map(|case| suspect(facts, case.pod)).collect();
    let is_greatest = |hog: &Hog, used: f64| {
        let mut rivals = all.iter().filter(|(other, _, _)| {
            other.node == hog.node && other.resource == hog.resource && other.workload != hog.workload
        });
        rivals.all(|(_, rival, _)| *rival < used)
    };
    let guilty = all.iter().filter(|(hog, used, size)| match size {
        Size::Large => true,
        Size::Fair => is_greatest(hog, *used),
    });
    guilty.map(|(hog, _, _)| hog.clone()).collect()
}

/// How much of the node a pod used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Large,
    Fair,
}

fn suspect(facts: &Facts<'_>, pod: &Pod<'_>) -> Option<(Hog, f64, Size)> {
    let Why::NodeShort { resource, usage: Some(usage) } = Why::of(pod.value().text("/status/message")) else {
        return None;
    };
    let node = pod.node().unwrap_or_default();
    let offered = facts
        .get("Node", "", node)
        .and_then(|node| quantity::of(node.value().pointer(&format!("/status/allocatable/{resource}"))?));
    let (large, fair) = offered.map_or((A_LOT, A_LOT / 2.0), |all| (all * LARGE_PART, all * FAIR_PART));
    let size = if usage.used >= large { Size::Large } else { Size::Fair };
    let is_over = match size {
        Size::Large => usage.used > usage.requested,
        Size::Fair => usage.used >= fair && usage.used >= 2.0 * usage.requested,
    };
    let hog = Hog { workload: pod.workload.key(), pod: pod.object.key(), node: node.to_owned(), resource };
    is_over.then_some((hog, usage.used, size))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn short(resource: &str, usage: Option<(&str, f64, f64)>) -> Why {
        let usage = usage.map(|(container, used, requested)| Usage {
            container: container.to_owned(),
            used,
            requested,
        });
        Why::NodeShort { resource: resource.to_owned(), usage }
    }

    #[rstest]
    #[case::memory_old(
        "The node was low on resource: memory. Container web was using 1Gi, which exceeds its request of 512Mi. ",
        short("memory", Some(("web", 1_073_741_824.0, 536_870_912.0)))
    )]
    #[case::memory_new(
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 88Ki. Container a was using 1Ki, request is 0, has larger consumption of memory. Container b was using 2Ki, request is 1Ki, has larger consumption of memory. ",
        short("memory", Some(("b", 2048.0, 1024.0)))
    )]
    #[case::disk("The node was low on resource: ephemeral-storage.", short("ephemeral-storage", None))]
    #[case::inodes("The node was low on resource: inodes. ", short("inodes", None))]
    #[case::container_limit(
        r#"Container web exceeded its local ephemeral storage limit "1Gi". "#,
        Why::OwnLimit
    )]
    #[case::pod_limit(
        "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ",
        Why::OwnLimit
    )]
    #[case::empty_dir(r#"Usage of EmptyDir volume "cache" exceeds the limit "500Mi". "#, Why::OwnLimit)]
    #[case::arrival("The node had condition: [DiskPressure]. ", Why::OnArrival("DiskPressure".to_owned()))]
    #[case::arrival_new("Pod was rejected: The node had condition: [MemoryPressure]. ", Why::OnArrival("MemoryPressure".to_owned()))]
    #[case::unknown("Something new", Why::Other)]
    fn the_kubelet_says_why(#[case] message: &str, #[case] why: Why) {
        assert_eq!(Why::of(message), why);
    }
}
