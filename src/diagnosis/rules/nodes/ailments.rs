//! What the conditions of a node say.

use serde_json::Value;

use crate::diagnosis::draft;
use crate::diagnosis::facts::{Facts, Object, Read};
use crate::diagnosis::report::Evidence;

/// Something that is wrong with a node, as one of its conditions says.
#[derive(Debug)]
pub(super) struct Ailment<'a> {
    pub(super) kind: Kind,
    pub(super) condition: &'a Value,
    /// Its place in the list of conditions.
    index: usize,
}

/// What kind of ailment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The kubelet no longer reports.
    Silent,
    /// The network plugin is not ready.
    Network,
    /// The container runtime does not work.
    Runtime,
    /// The kubelet says that it cannot work, for another reason.
    NotReady,
    Disk,
    Memory,
    Pids,
    /// A monitoring agent found something.
    Monitor,
}

/// Conditions of monitoring agents that are good when true (EKS), and those that are good when false.
const GOOD: &[&str] =
    &["KernelReady", "NetworkingReady", "StorageReady", "ContainerRuntimeReady", "AcceleratedHardwareReady"];
const BAD: &[&str] = &[
    "KernelDeadlock",
    "ReadonlyFilesystem",
    "CorruptDockerOverlay2",
    "FrequentKubeletRestart",
    "FrequentDockerRestart",
    "FrequentContainerdRestart",
    "FrequentUnregisterNetDevice",
];

/// What is wrong with a node, worst first. Conditions that nobody has updated since the kubelet fell silent say nothing.
pub(super) fn of<'a>(_facts: &Facts<'_>, node: Object<'a>) -> Vec<Ailment<'a>> {
    let conditions = node.value().list("/status/conditions").iter().enumerate();
    let found = conditions
        .filter_map(|(index, condition)| Some(Ailment { kind: kind(condition)?, condition, index }));
    let mut found: Vec<Ailment<'a>> = found.collect();
    if found.iter().any(|ailment| ailment.kind == Kind::Silent) {
        found.retain(|ailment| ailment.kind == Kind::Silent);
    }
    let has_network = found.iter().any(|a| a.kind == Kind::Network && a.condition["type"] == "Ready");
    found.retain(|ailment| !(has_network && ailment.condition["type"] == "NetworkUnavailable"));
    found
}

fn kind(condition: &Value) -> Option<Kind> {
    let (of_type, status) = (condition.text("/type"), condition.text("/status"));
    match (of_type, status) {
        ("Ready", "Unknown") => Some(Kind::Silent),
        ("Ready", "False") => Some(not_ready(condition.text("/message"))),
        ("DiskPressure", "True") => Some(Kind::Disk),
        ("MemoryPressure", "True") => Some(Kind::Memory),
        ("PIDPressure", "True") => Some(Kind::Pids),
        ("NetworkUnavailable", "True") => Some(Kind::Network),
        (good, "False") if GOOD.contains(&good) => Some(Kind::Monitor),
        (bad, "True") if BAD.contains(&bad) => Some(Kind::Monitor),
        _ => None,
    }
}

/// The kubelet joins what it misses; a missing network is the most telling.
fn not_ready(message: &str) -> Kind {
    let message = message.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if has(&["networkpluginnotready", "networkready=false", "cni plugin not initialized", "cni config"]) {
        Kind::Network
    } else if has(&[
        "pleg is not healthy",
        "container runtime is down",
        "runtime not ready",
        "container runtime status check",
    ]) {
        Kind::Runtime
    } else {
        Kind::NotReady
    }
}

impl Kind {
    pub(super) fn rule(self) -> &'static str {
        match self {
            Self::Silent => "node-unreachable",
            Self::Network => "node-network-not-ready",
            Self::Runtime => "node-runtime-down",
            Self::NotReady => "node-not-ready",
            Self::Disk => "node-disk-pressure",
            Self::Memory => "node-memory-pressure",
            Self::Pids => "node-pid-pressure",
            Self::Monitor => "node-problem-detected",
        }
    }

    /// Pods on the node do not work, or new ones do not start.
    pub(super) fn stops_pods(self) -> bool {
        matches!(self, Self::Silent | Self::Network | Self::Runtime | Self::NotReady)
    }

    /// The resource that is short, as evictions name it.
    pub(super) fn resource(self) -> Option<&'static str> {
        match self {
            Self::Disk => Some("ephemeral-storage"),
            Self::Memory => Some("memory"),
            Self::Silent | Self::Network | Self::Runtime | Self::NotReady | Self::Pids | Self::Monitor => {
                None
            }
        }
    }
}

impl Ailment<'_> {
    /// The end of a title.
    pub(super) fn in_short(&self, facts: &Facts<'_>) -> String {
        let since = self.since(facts);
        match self.kind {
            Kind::Silent => format!("the kubelet stopped posting its status{since}"),
            Kind::Network => format!("its network plugin (CNI) is not ready{since}"),
            Kind::Runtime => format!("its container runtime does not work{since}"),
            Kind::NotReady => format!("the kubelet reports that it is not ready{since}"),
            Kind::Disk => format!("disk pressure{since}"),
            Kind::Memory => format!("memory pressure{since}"),
            Kind::Pids => format!("PID pressure{since}"),
            Kind::Monitor => format!(
                "{} is {} ({}){since}",
                self.condition.text("/type"),
                self.condition.text("/status"),
                draft::shorten(self.condition.text("/reason"), 80)
            ),
        }
    }

    /// `, for 12 minutes`.
    fn since(&self, facts: &Facts<'_>) -> String {
        let since = self.condition.time("/lastTransitionTime").map(|time| facts.seconds_since(time));
        match since {
            Some(seconds) if seconds >= 2 * 86_400 => format!(", for {} days", seconds / 86_400),
            Some(seconds) if seconds >= 2 * 3_600 => format!(", for {} hours", seconds / 3_600),
            Some(seconds) if seconds >= 120 => format!(", for {} minutes", seconds / 60),
            Some(seconds) => format!(", for {seconds} seconds"),
            None => String::new(),
        }
    }

    pub(super) fn explanation(&self) -> String {
        let message = draft::shorten(self.condition.text("/message"), 300);
        let means = match self.kind {
            Kind::Silent => {
                "The control plane has heard nothing from the node: the machine is gone or hangs, its kubelet does not run, or it cannot reach the API server. What the pods on it last reported is old."
            }
            Kind::Network => {
                "New pods on the node get no network, so they cannot start. On EKS the DaemonSet aws-node brings the plugin."
            }
            Kind::Runtime => {
                "The kubelet gets no healthy answer from the container runtime, so containers are neither started nor stopped."
            }
            Kind::NotReady => "The kubelet answers, but cannot run pods.",
            Kind::Disk => {
                "The kubelet has too little disk: it evicts pods, deletes images, and the node takes no new pods."
            }
            Kind::Memory => {
                "The kubelet has too little memory: it evicts pods that use more than they request, and takes none without requests."
            }
            Kind::Pids => "The node runs out of process ids: the kubelet evicts pods, and takes no new ones.",
            Kind::Monitor => {
                "A monitoring agent on the node reports a problem with its kernel, disk, network, runtime or devices."
            }
        };
        match message.is_empty() {
            true => means.to_owned(),
            false => format!("{means} It says: {}.", message.trim_end_matches('.')),
        }
    }

    pub(super) fn evidence(&self, node: Object<'_>) -> Vec<Evidence> {
        let field = |name: &str| draft::field(node, &format!("/status/conditions/{}/{name}", self.index));
        [field("status"), field("reason"), field("message")].into_iter().flatten().collect()
    }
}
