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
mod pods;
mod probes;
mod sandbox;

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
