//! Services that reach nobody (FAILURES G1 to G5, B16).
//!
//! A Service without ready endpoints is most often a symptom: its pods do not work. It is the cause where its selector or its
//! ports are wrong.

mod backing;
mod ports;
mod selectors;
mod usage;
mod zero;

use crate::diagnosis::draft::{self, Draft, advice, sh};
use crate::diagnosis::facts::{Facts, Read};
use crate::diagnosis::report::Severity;

use super::links;

pub(super) use backing::Backing;

pub(super) fn check(facts: &Facts<'_>, drafts: &mut Vec<Draft>) {
    let services = facts.all("Service").iter();
    let backings: Vec<Backing<'_, '_>> =
        services.filter_map(|service| Backing::of(facts, *service)).collect();
    zero::check(facts, &backings, drafts);
    for backing in &backings {
        drafts.extend(fault(facts, backing, drafts));
    }
    for backing in &backings {
        drafts.extend(symptom(facts, backing, drafts));
    }
}

/// What is wrong with the Service itself.
fn fault(facts: &Facts<'_>, backing: &Backing<'_, '_>, drafts: &[Draft]) -> Option<Draft> {
    if backing.pods.is_empty() && backing.workloads.is_empty() {
        return selectors::matches_nothing(facts, backing, drafts);
    }
    let port = ports::undefined(facts, backing).or_else(|| ports::unheard(facts, backing, drafts));
    port.or_else(|| selectors::matches_too_much(backing))
}

/// Nothing of it is ready, and it is known why.
fn symptom(facts: &Facts<'_>, backing: &Backing<'_, '_>, drafts: &[Draft]) -> Option<Draft> {
    let causes = backing.depends_on();
    if backing.is_served(facts) || !links::is_broken(drafts, &causes) {
        return None;
    }
    let service = backing.service;
    let why = match backing.pods.len() {
        0 => "its pods do not exist".to_owned(),
        1 => "its only pod is not ready".to_owned(),
        several => format!("none of its {several} pods is ready"),
    };
    let title = format!("Service {} has no ready endpoints: {why}", service.name());
    let (namespace, name) = (sh(service.namespace()), sh(service.name()));
    let show = format!("kubectl -n {namespace} get endpointslices -l kubernetes.io/service-name={name}");
    let unready = backing.pods.iter().filter(|pod| !pod.is_ready()).take(3);
    Some(
        draft::Draft::new("service-without-endpoints", Severity::Critical, service.reference(), title)
            .summary(format!(
                "Clients of Service {} are refused until a pod behind it is ready.",
                service.value().text("/metadata/name")
            ))
            .evidence(draft::field(service, "/spec/selector"))
            .evidence(unready.filter_map(|pod| draft::condition(pod.object, "Ready")))
            .breaks([backing.key()])
            .explained_by(causes)
            .remedy(advice("Repair what its pods suffer from", show.clone(), show)),
    )
}

#[cfg(test)]
mod tests;
