//! The rules: what each is called, and the order in which they look.
//!
//! A pod's trouble is classified once (`pods`), so that no two rules claim the same one; pods of one workload with the
//! same trouble become one finding about the workload. Everything else (services, storage, nodes, …) looks at its own objects.

mod admission;
mod config;
mod crashes;
mod dependencies;
mod dns;
mod images;
pub(in crate::diagnosis) mod ingress;
mod kubectl;
mod links;
pub(in crate::diagnosis) mod load_balancers;
mod logs;
mod merge;
mod namespaces;
pub(in crate::diagnosis) mod networkpolicy;
mod nodes;
pub(in crate::diagnosis) mod pods;
mod probes;
pub(in crate::diagnosis) mod rbac;
mod revisions;
mod sandbox;
mod scheduling;
pub(in crate::diagnosis) mod services;
mod storage;
mod workloads;

use std::collections::HashSet;

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
    rule("quota-exceeded", "a ResourceQuota is used up, and pods cannot be created"),
    rule("quota-needs-resources", "a ResourceQuota demands resources that pods do not state"),
    rule("limit-range-violated", "pods ask for resources outside of a LimitRange"),
    rule("pod-security-violation", "Pod Security of the namespace forbids the pods"),
    rule("service-account-missing", "a ServiceAccount that pods name does not exist"),
    rule("priority-class-missing", "a PriorityClass that pods name does not exist"),
    rule("runtime-class-missing", "a RuntimeClass that pods name does not exist"),
    rule("admission-webhook-unavailable", "an admission webhook cannot be asked, and objects are refused"),
    rule("admission-webhook-timeout", "an admission webhook does not answer in time"),
    rule("admission-webhook-tls", "the certificate of an admission webhook is not accepted"),
    rule("policy-denied", "an admission policy denies the pods"),
    rule("namespace-terminating", "the namespace is being deleted, and nothing can be created in it"),
    rule("pod-creation-refused", "the API server refuses the pods for another reason"),
    rule("rbac-wrong-subject", "a binding gives the right that is missing to another account"),
    rule("rbac-role-missing", "a binding names a role that does not exist"),
    rule("rbac-wrong-scope", "a binding gives the right in another namespace only"),
    rule("rbac-role-lacks", "the role of an account does not have the right that it needs"),
    rule("rbac-not-bound", "an account needs a right that no binding gives it"),
    rule("service-selector-mismatch", "a Service's selector matches no pods"),
    rule("service-selector-too-broad", "a Service also selects pods that do not have its port"),
    rule("service-target-port-undefined", "a Service forwards to a port name that no container has"),
    rule("service-target-port-wrong", "a Service forwards to a port on which nothing listens"),
    rule("service-without-endpoints", "nothing behind a Service is ready"),
    rule("scaled-to-zero", "a Service points to a workload that is scaled to zero"),
    rule("ingress-class-missing", "no ingress controller takes an Ingress, because of its class"),
    rule("ingress-backend-missing", "an Ingress routes to a Service or port that does not exist"),
    rule("ingress-tls-secret-missing", "the TLS secret of an Ingress does not exist or is none"),
    rule("ingress-backend-down", "nothing answers behind an Ingress"),
    rule("service-local-only", "a Service serves only clients on its own nodes, and one runs elsewhere"),
    rule("dns-policy-excludes-cluster", "a pod needs names of the cluster and asks another resolver"),
    rule("dns-answers-wrong", "the configuration of the cluster's DNS makes a Service unknown"),
    rule("dns-config-invalid", "CoreDNS cannot use its configuration"),
    rule("pod-stuck-terminating", "a pod is being deleted and does not go"),
    rule("namespace-stuck-terminating", "a namespace is being deleted and does not go"),
    rule("network-policy-blocks", "a NetworkPolicy cuts a way that a workload needs"),
    rule("load-balancer-failed", "the load balancer of a Service or Ingress cannot be made"),
    rule("deployment-paused", "a Deployment is paused, and its newest changes are not rolled out"),
    rule("statefulset-update-blocked", "a broken pod of the former revision keeps a StatefulSet from its update"),
    rule("update-on-delete", "changes wait until pods are deleted by hand"),
    rule("rollout-stalled", "pods are not ready for long, and nothing else says why"),
    rule("job-failed", "a Job has failed"),
    rule("job-sidecar-runs-on", "a Job does not end because one of its containers runs on"),
    rule("cronjob-suspended", "a CronJob is suspended"),
    rule("cronjob-does-not-fire", "a CronJob cannot start its Jobs"),
    rule("cronjob-blocked", "a CronJob waits for a Job that does not end"),
    rule("api-service-unavailable", "the server behind an aggregated API does not answer"),
    rule("metrics-api-missing", "autoscalers need a metrics API that is not installed"),
    rule("autoscaler-target-missing", "an autoscaler's target does not exist"),
    rule("autoscaler-request-missing", "an autoscaler needs a resource request that a container does not state"),
    rule("autoscaler-no-metrics", "an autoscaler gets no metrics"),
    rule("autoscaler-failing", "an autoscaler cannot scale for another reason"),
    rule("disruption-budget-blocks", "a PodDisruptionBudget never allows a disruption"),
    rule("rbac-no-token", "pods ask the API server without a token"),
    rule("rbac-default-account", "pods run as the account default, another one has the right"),
    rule("request-exceeds-nodes", "a pod asks for more than the largest node offers"),
    rule("insufficient-capacity", "the nodes have too little left for what pods request"),
    rule("extended-resource-missing", "no node offers the extended resource (a GPU, for example) that pods ask for"),
    rule("node-pod-limit", "every node runs as many pods as it may"),
    rule("node-volume-limit", "no node can attach another volume"),
    rule("node-selector-mismatch", "no node satisfies the node selector or required affinity"),
    rule("taint-not-tolerated", "the nodes that would take the pods are reserved by a taint"),
    rule("node-cordoned", "pods wait because the nodes that would take them are cordoned"),
    rule("node-reserved", "pods wait because a taint took the nodes out of use"),
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
    rule("preempted", "pods gave way to others of higher priority, and find no other node"),
];

/// Lets every rule look.
pub(super) fn run(facts: &Facts<'_>) -> Vec<Draft> {
    let mut drafts = Vec::new();
    pods::check(facts, &mut drafts);
    workloads::jobs::check(facts, &mut drafts);
    rbac::check(facts, &mut drafts);
    networkpolicy::check(facts, &mut drafts);
    dns::check(facts, &mut drafts);
    dns::check_config(facts, &mut drafts);
    admission::check(facts, &mut drafts);
    // What follows only speaks where what came before has not said why, or shows its effects.
    workloads::rollouts::check(facts, &mut drafts);
    services::check(facts, &mut drafts);
    dns::link(facts, &mut drafts);
    ingress::check(facts, &mut drafts);
    load_balancers::check(facts, &mut drafts);
    admission::check_idle_webhooks(facts, &mut drafts);
    workloads::cronjobs::check(facts, &mut drafts);
    workloads::autoscaling::check(facts, &mut drafts);
    workloads::budgets::check(facts, &mut drafts);
    namespaces::check(facts, &mut drafts);
    drafts
}

/// The containers whose logs would help, most telling first.
pub(super) fn wanted_logs(facts: &Facts<'_>, limit: usize) -> Vec<LogRef> {
    let mut logs = pods::wanted_logs(facts, limit);
    let others = services::wanted_logs(facts).into_iter().chain(networkpolicy::wanted_logs(facts));
    let mut seen: HashSet<LogRef> = logs.iter().cloned().collect();
    logs.extend(others.filter(|log| seen.insert(log.clone())));
    logs.truncate(limit);
    logs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_name_of_its_own() {
        let names: HashSet<&str> = RULES.iter().map(|rule| rule.id).collect();
        assert_eq!(names.len(), RULES.len());
    }
}
