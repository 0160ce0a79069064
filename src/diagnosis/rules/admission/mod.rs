//! Pods that never appear, because the API server refuses to create them (FAILURES B).
//!
//! What the owner's newest `FailedCreate` says counts only where fewer pods exist than are wanted. Owners that are refused for
//! the same reason become one finding.

mod policy;
mod quota;
mod refusal;
mod victims;
mod webhooks;

use std::collections::BTreeMap;

use crate::diagnosis::draft::Draft;
use crate::diagnosis::facts::Facts;

use refusal::Refusal;
use victims::{Victim, Victims};

const OWNERS: [&str; 6] = ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob"];

pub(super) fn check(facts: &Facts<'_>, drafts: &mut Vec<Draft>) {
    let owners = OWNERS.iter().flat_map(|kind| facts.all(kind));
    let mut groups: BTreeMap<String, Victims<'_>> = BTreeMap::new();
    for victim in owners.filter_map(|owner| Victim::of(facts, *owner)) {
        groups.entry(shared_cause(&victim)).or_insert_with(|| Victims(Vec::new())).0.push(victim);
    }
    drafts.extend(groups.values().map(|victims| draft(facts, victims)));
}

/// Webhooks that will refuse the next object, although nobody has asked them yet.
pub(super) fn check_idle_webhooks(facts: &Facts<'_>, drafts: &mut Vec<Draft>) {
    webhooks::check_idle(facts, drafts);
}

/// Equal for victims whose pods one change would let in.
fn shared_cause(victim: &Victim<'_>) -> String {
    let namespace = victim.owner.namespace();
    match Refusal::of(victim.message) {
        Refusal::Quota { name, .. } => format!("quota {namespace}/{name}"),
        Refusal::ServiceAccount { name } => format!("account {namespace}/{name}"),
        Refusal::WebhookFailed { name, .. } => format!("webhook {name}"),
        Refusal::Terminating => format!("namespace {namespace}"),
        Refusal::QuotaNeeds { .. }
        | Refusal::QuotaScope
        | Refusal::LimitRange
        | Refusal::PodSecurity { .. }
        | Refusal::PriorityClass { .. }
        | Refusal::RuntimeClass { .. }
        | Refusal::Policy { .. }
        | Refusal::Forbidden
        | Refusal::Invalid
        | Refusal::Other => format!("workload {}", victim.workload.key()),
    }
}

fn draft(facts: &Facts<'_>, victims: &Victims<'_>) -> Draft {
    let message = victims.first().message;
    match Refusal::of(message) {
        Refusal::Quota { name, requested, used, limited } => {
            quota::exceeded(facts, victims, &quota::Exceeded { name, requested, used, limited })
        }
        Refusal::QuotaNeeds { quota, missing } => quota::needs(facts, victims, quota, missing),
        Refusal::LimitRange => quota::limit_range(facts, victims),
        Refusal::WebhookFailed { name, answer } => webhooks::failed(facts, victims, name, answer),
        Refusal::PodSecurity { standard } => policy::pod_security(facts, victims, standard),
        Refusal::ServiceAccount { name } => policy::service_account(facts, victims, name),
        Refusal::PriorityClass { name } => policy::class(facts, victims, "PriorityClass", name),
        Refusal::RuntimeClass { name } => policy::class(facts, victims, "RuntimeClass", name),
        Refusal::Policy { by } => policy::denied(victims, by),
        Refusal::Terminating => policy::terminating(facts, victims),
        Refusal::Forbidden => policy::forbidden(facts, victims),
        Refusal::Invalid | Refusal::QuotaScope | Refusal::Other => policy::other(facts, victims),
    }
}

#[cfg(test)]
mod tests;
