//! What the engine works on: the objects of a cluster, the logs of its suspects, and what could not be read.

use serde_json::Value;

use super::report::{Coverage, ReportCluster};

/// A cluster at one point in time. Objects are as the API gives them, secrets redacted.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Which cluster.
    pub cluster: ReportCluster,
    /// The present: of a recording, the time at which it was made. Ages count from here.
    pub now: jiff::Timestamp,
    /// Every object that was read, in any order, each with its `apiVersion` and `kind`.
    pub objects: Vec<Value>,
    /// Logs of the containers that [`super::wanted_logs`] asked for, as far as they could be read.
    pub logs: Vec<ContainerLog>,
    /// What could be read and what could not.
    pub coverage: Coverage,
}

/// A container's log, as a reader asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogRef {
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub pod: String,
    /// Name of the container.
    pub container: String,
    /// The log of the instance before the current one.
    pub previous: bool,
}

/// The newest lines of a container's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerLog {
    /// Whose log it is.
    pub of: LogRef,
    /// The lines, oldest first, secrets redacted.
    pub text: String,
}

/// A kind that a diagnosis reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadKind {
    /// API group, empty for the core.
    pub group: &'static str,
    /// The version whose shape the rules know.
    pub version: &'static str,
    /// `Pod`.
    pub kind: &'static str,
    /// `pods`.
    pub plural: &'static str,
    /// True where objects live in a namespace.
    pub namespaced: bool,
    /// True where a diagnosis without it is blind: its absence makes a healthy verdict `unknown`.
    pub essential: bool,
}

const fn kind(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    namespaced: bool,
    essential: bool,
) -> ReadKind {
    ReadKind { group, version, kind, plural, namespaced, essential }
}

/// Every kind that a diagnosis reads, the telling ones first.
#[rustfmt::skip]
pub const READ_KINDS: &[ReadKind] = &[
    kind("", "v1", "Pod", "pods", true, true),
    kind("", "v1", "Event", "events", true, false),
    kind("", "v1", "Node", "nodes", false, true),
    kind("", "v1", "Namespace", "namespaces", false, false),
    kind("", "v1", "Service", "services", true, true),
    kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", true, false),
    kind("", "v1", "Endpoints", "endpoints", true, false),
    kind("apps", "v1", "Deployment", "deployments", true, true),
    kind("apps", "v1", "ReplicaSet", "replicasets", true, false),
    kind("apps", "v1", "StatefulSet", "statefulsets", true, true),
    kind("apps", "v1", "DaemonSet", "daemonsets", true, true),
    kind("batch", "v1", "Job", "jobs", true, false),
    kind("batch", "v1", "CronJob", "cronjobs", true, false),
    kind("", "v1", "ConfigMap", "configmaps", true, false),
    kind("", "v1", "Secret", "secrets", true, false),
    kind("", "v1", "ServiceAccount", "serviceaccounts", true, false),
    kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", true, false),
    kind("", "v1", "PersistentVolume", "persistentvolumes", false, false),
    kind("", "v1", "ResourceQuota", "resourcequotas", true, false),
    kind("", "v1", "LimitRange", "limitranges", true, false),
    kind("storage.k8s.io", "v1", "StorageClass", "storageclasses", false, false),
    kind("storage.k8s.io", "v1", "VolumeAttachment", "volumeattachments", false, false),
    kind("storage.k8s.io", "v1", "CSIDriver", "csidrivers", false, false),
    kind("networking.k8s.io", "v1", "Ingress", "ingresses", true, false),
    kind("networking.k8s.io", "v1", "IngressClass", "ingressclasses", false, false),
    kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", true, false),
    kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true, false),
    kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", true, false),
    kind("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", false, false),
    kind("rbac.authorization.k8s.io", "v1", "Role", "roles", true, false),
    kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", true, false),
    kind("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", false, false),
    kind("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", false, false),
    kind("admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", false, false),
    kind("admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", false, false),
    kind("apiregistration.k8s.io", "v1", "APIService", "apiservices", false, false),
];
