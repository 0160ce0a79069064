//! The kinds that Kubernetes brings along: plural, short names and whether they live in a namespace.

use crate::cluster::kind::{self, Kind};

/// Group/version, kind, plural, short names (comma-separated), namespaced.
#[rustfmt::skip]
const BUILT_IN: &[(&str, &str, &str, &str, bool)] = &[
    ("v1", "Pod", "pods", "po", true),
    ("v1", "Service", "services", "svc", true),
    ("v1", "Endpoints", "endpoints", "ep", true),
    ("v1", "Event", "events", "ev", true),
    ("v1", "Node", "nodes", "no", false),
    ("v1", "Namespace", "namespaces", "ns", false),
    ("v1", "ConfigMap", "configmaps", "cm", true),
    ("v1", "Secret", "secrets", "", true),
    ("v1", "ServiceAccount", "serviceaccounts", "sa", true),
    ("v1", "PersistentVolumeClaim", "persistentvolumeclaims", "pvc", true),
    ("v1", "PersistentVolume", "persistentvolumes", "pv", false),
    ("v1", "ResourceQuota", "resourcequotas", "quota", true),
    ("v1", "LimitRange", "limitranges", "limits", true),
    ("v1", "ReplicationController", "replicationcontrollers", "rc", true),
    ("apps/v1", "Deployment", "deployments", "deploy", true),
    ("apps/v1", "ReplicaSet", "replicasets", "rs", true),
    ("apps/v1", "StatefulSet", "statefulsets", "sts", true),
    ("apps/v1", "DaemonSet", "daemonsets", "ds", true),
    ("apps/v1", "ControllerRevision", "controllerrevisions", "", true),
    ("batch/v1", "Job", "jobs", "", true),
    ("batch/v1", "CronJob", "cronjobs", "cj", true),
    ("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa", true),
    ("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", "pdb", true),
    ("networking.k8s.io/v1", "Ingress", "ingresses", "ing", true),
    ("networking.k8s.io/v1", "IngressClass", "ingressclasses", "", false),
    ("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", "netpol", true),
    ("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", "", true),
    ("storage.k8s.io/v1", "StorageClass", "storageclasses", "sc", false),
    ("storage.k8s.io/v1", "CSIDriver", "csidrivers", "", false),
    ("storage.k8s.io/v1", "CSINode", "csinodes", "", false),
    ("storage.k8s.io/v1", "VolumeAttachment", "volumeattachments", "", false),
    ("rbac.authorization.k8s.io/v1", "Role", "roles", "", true),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", "", true),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", "", false),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", "", false),
    ("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", "pc", false),
    ("coordination.k8s.io/v1", "Lease", "leases", "", true),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", "", false),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", "", false),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", "crd,crds", false),
    ("apiregistration.k8s.io/v1", "APIService", "apiservices", "", false),
    ("events.k8s.io/v1", "Event", "events", "ev", true),
    ("node.k8s.io/v1", "RuntimeClass", "runtimeclasses", "", false),
];

/// Every built-in kind.
pub fn built_in() -> Vec<Kind> {
    BUILT_IN
        .iter()
        .map(|(api_version, kind, plural, short_names, namespaced)| {
            let (group, version) = kind::split_api_version(api_version);
            Kind {
                group,
                version,
                kind: (*kind).to_owned(),
                plural: (*plural).to_owned(),
                short_names: short_names
                    .split(',')
                    .filter(|name| !name.is_empty())
                    .map(str::to_owned)
                    .collect(),
                namespaced: *namespaced,
            }
        })
        .collect()
}

/// The plural that a kind most likely has, for kinds that nobody describes.
pub fn guess_plural(kind: &str) -> String {
    let kind = kind.to_lowercase();
    if kind.ends_with('s') || kind.ends_with('x') || kind.ends_with("ch") {
        format!("{kind}es")
    } else if let Some(stem) = kind.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u'])) {
        format!("{stem}ies")
    } else {
        format!("{kind}s")
    }
}
