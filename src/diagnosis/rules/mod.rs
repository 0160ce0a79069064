//! The rules: what each is called, and the order in which they look.
//!
//! A pod's trouble is classified once (`pods`), so that no two rules claim the same one; pods of one workload with the
//! same trouble become one finding about the workload. Everything else (services, storage, nodes, …) looks at its own objects.

mod config;
mod crashes;
mod dependencies;
mod images;
mod kubectl;
mod logs;
mod merge;
mod nodes;
mod pods;
mod probes;
mod sandbox;
mod scheduling;
mod storage;

use super::draft::Draft;
use super::facts::Facts;
use super::snapshot::LogRef;

/// What a rule is called and what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleInfo {
    /// Stable name, as in a finding's `rule`.
    pub id: &'static str,
    /// One line for people.
    pub finds: &'static str,
}

const fn rule(id: &'static str, finds: &'static str) -> RuleInfo {
    RuleInfo { id, finds }
}

/// Every rule.
#[rustfmt::skip]
pub const RULES: &[RuleInfo] = &[
    rule("image-not-found", "the image's tag or repository does not exist"),
    rule("image-pull-denied", "the registry wants credentials that are missing or wrong"),
    rule("image-pull-secret-missing", "an imagePullSecret does not exist"),
    rule("image-registry-unreachable", "the registry's name does not resolve, or it does not answer"),
    rule("image-rate-limited", "the registry answers 429"),
    rule("image-wrong-architecture", "the image has no build for the node's processor"),
    rule("image-name-invalid", "the image reference cannot be parsed"),
    rule("image-never-pulled", "imagePullPolicy is Never and the node does not have the image"),
    rule("image-registry-tls", "the registry's certificate is not trusted, or it speaks plain HTTP"),
    rule("image-pull-failed", "the image cannot be pulled for another reason"),
    rule("configmap-missing", "a ConfigMap that pods need does not exist"),
    rule("secret-missing", "a Secret that pods need does not exist"),
    rule("configmap-key-missing", "a key that pods need is not in the ConfigMap"),
    rule("secret-key-missing", "a key that pods need is not in the Secret"),
    rule("run-as-non-root-conflict", "runAsNonRoot is set and the image runs as root"),
    rule("container-config-invalid", "the container cannot be created from its specification"),
    rule("command-not-found", "the container's command is not in the image"),
    rule("command-not-executable", "the container's command may not be executed"),
    rule("container-start-failed", "the container runtime cannot start the container"),
    rule("oom-killed", "a container goes over its memory limit and is killed"),
    rule("app-crash", "the program ends with an error"),
    rule("app-dependency-unavailable", "the program ends because something that it needs does not answer"),
    rule("app-config-error", "the program ends because a setting is missing or wrong"),
    rule("app-permission-denied", "the program ends because it is not allowed to do something"),
    rule("container-completes", "the program ends well, and is started again and again"),
    rule("wrong-architecture", "the program was built for another processor"),
    rule("liveness-probe-kills", "the liveness probe fails, and the container is killed for it"),
    rule("startup-too-slow", "the container is killed before it has started"),
    rule("init-container-fails", "an init container ends with an error"),
    rule("init-container-waits", "an init container waits for something that does not come"),
    rule("probe-wrong-port", "a probe asks a port on which nothing listens"),
    rule("probe-wrong-path", "a probe asks for a path that does not exist"),
    rule("probe-wrong-scheme", "a probe speaks HTTP to HTTPS, or the other way round"),
    rule("probe-timeout", "a probe gets no answer in time"),
    rule("pod-sandbox-failed", "the network or runtime of a pod cannot be set up"),
    rule("readiness-failing", "the readiness probe fails"),
    rule("request-exceeds-nodes", "a pod asks for more than the largest node offers"),
    rule("insufficient-capacity", "the nodes have too little left for what pods request"),
    rule("extended-resource-missing", "no node offers the extended resource (a GPU, for example) that pods ask for"),
    rule("node-pod-limit", "every node runs as many pods as it may"),
    rule("node-volume-limit", "no node can attach another volume"),
    rule("node-selector-mismatch", "no node satisfies the node selector or required affinity"),
    rule("taint-not-tolerated", "the nodes that would take the pods are reserved by a taint"),
    rule("node-cordoned", "pods wait because the nodes that would take them are cordoned"),
    rule("node-taint-stale", "a node that looks well keeps the taint of one that is starting or sick"),
    rule("pod-waits-for-node", "pods wait for nodes that are closed or not well"),
    rule("volume-node-affinity-conflict", "a volume can be reached only from nodes that the pod may not use"),
    rule("host-port-conflict", "another pod holds the host port on every node"),
    rule("topology-spread-unsatisfiable", "no node satisfies a topology spread constraint"),
    rule("pod-affinity-unsatisfiable", "no node runs the pods that have to be near"),
    rule("pod-anti-affinity-unsatisfiable", "every node runs a pod that may not be near"),
    rule("pod-anti-affinity-of-others", "the anti-affinity of another workload keeps pods away"),
    rule("pvc-missing", "a PersistentVolumeClaim that pods mount does not exist"),
    rule("pod-waits-for-claim", "pods wait for a claim that is not bound"),
    rule("scheduling-gated", "a scheduling gate holds pods back"),
    rule("scheduler-missing", "pods ask for a scheduler that does not exist"),
    rule("scheduler-silent", "no scheduler has looked at pods that wait"),
    rule("node-name-unknown", "pods are pinned to a node that does not exist"),
    rule("no-nodes", "the cluster has no nodes"),
    rule("unschedulable", "pods cannot be scheduled for another reason"),
    rule("storage-class-missing", "a claim asks for a StorageClass that does not exist"),
    rule("no-default-storage-class", "a claim names no StorageClass, and there is no default"),
    rule("provisioner-missing", "the provisioner of a claim's class is not installed"),
    rule("provisioner-silent", "the provisioner of a claim's class does not answer"),
    rule("provisioning-denied", "the provisioner is not allowed to make the volume"),
    rule("provisioning-failed", "the provisioner cannot make the volume"),
    rule("access-mode-unsupported", "the storage does not support the claim's access mode"),
    rule("no-matching-volume", "no existing volume suits the claim"),
    rule("volume-released", "a volume still belongs to a claim that is gone"),
    rule("pvc-lost", "a claim's volume was deleted under it"),
    rule("pvc-stuck-terminating", "a claim is being deleted and does not go"),
    rule("volume-expansion-stuck", "a claim was made larger, and its volume does not grow"),
    rule("volume-multi-attach", "a volume is attached to another node already"),
    rule("volume-attach-failed", "a volume cannot be attached to the node"),
    rule("volume-mount-failed", "a volume cannot be mounted"),
    rule("host-path-unusable", "a hostPath is missing on the node or of another type"),
    rule("csi-driver-not-on-node", "the CSI driver of a volume does not run on the node"),
    rule("node-unreachable", "a node's kubelet no longer reports"),
    rule("node-network-not-ready", "a node's network plugin is not ready"),
    rule("node-runtime-down", "a node's container runtime does not work"),
    rule("node-not-ready", "a node's kubelet reports that it cannot work"),
    rule("node-disk-pressure", "a node has too little disk"),
    rule("node-memory-pressure", "a node has too little memory"),
    rule("node-pid-pressure", "a node runs out of process ids"),
    rule("node-problem-detected", "a monitoring agent reports a problem of a node"),
    rule("evicted-for-usage", "pods use up their node and are evicted"),
    rule("evicted-by-node", "a node ran short of something and evicted pods"),
    rule("ephemeral-storage-limit-exceeded", "pods go over their own limit of ephemeral storage"),
    rule("pod-rejected", "a kubelet refuses pods that are bound to its node"),
];

/// Lets every rule look.
pub(super) fn run(facts: &Facts<'_>) -> Vec<Draft> {
    let mut drafts = Vec::new();
    pods::check(facts, &mut drafts);
    drafts
}

/// The containers whose logs would help, most telling first.
pub(super) fn wanted_logs(facts: &Facts<'_>, limit: usize) -> Vec<LogRef> {
    pods::wanted_logs(facts, limit)
}
