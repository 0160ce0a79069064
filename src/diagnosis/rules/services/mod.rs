//! Services that reach nobody (FAILURES G1 to G5, B16).
//!
//! A Service without ready endpoints is most often a symptom: its pods do not work. It is the cause where its selector or its
//! ports are wrong.

mod backing;
mod local;
mod ports;
mod selectors;
mod usage;
mod zero;

use crate::diagnosis::draft::{self, Draft, advice, sh};
use crate::diagnosis::facts::{Facts, Read};
use crate::diagnosis::report::Severity;
use crate::diagnosis::snapshot::LogRef;

use super::links::Broken;

pub(in crate::diagnosis) use backing::{Backing, Endpoint, endpoints, template_labels};
pub(in crate::diagnosis) use ports::{declared, has_name, shown};
pub(in crate::diagnosis) use selectors::nearest_instead;
pub(super) use usage::{Clients, running_logs};

pub(super) fn check(facts: &Facts<'_>, drafts: &mut Vec<Draft>) {
    let backings = backings(facts);
    // Who needs a Service is searched for only where one may not work.
    let clients = Clients::of(facts, suspects(facts, &backings).map(|backing| backing.service));
    zero::check(facts, &clients, &backings, drafts);
    local::check(facts, &backings, drafts);
    for backing in &backings {
        drafts.extend(fault(facts, &clients, backing, drafts));
    }
    let broken = Broken::by(drafts);
    drafts.extend(backings.iter().filter_map(|backing| symptom(facts, backing, &broken)));
}

/// Logs of the clients and pods of Services that may not work.
pub(super) fn wanted_logs(facts: &Facts<'_>) -> Vec<LogRef> {
    let backings = backings(facts);
    let clients = Clients::of(facts, suspects(facts, &backings).map(|backing| backing.service));
    let logs = suspects(facts, &backings).flat_map(|backing| {
        let own = backing.pods.iter().filter(|pod| pod.is_ready()).take(1);
        own.flat_map(|pod| running_logs(pod)).chain(clients.logs(&backing.key()))
    });
    logs.collect()
}

fn backings<'f, 'a>(facts: &'f Facts<'a>) -> Vec<Backing<'f, 'a>> {
    facts.all("Service").iter().filter_map(|service| Backing::of(facts, *service)).collect()
}

/// Nothing of it is ready, it forwards to a port that nobody declares, or it serves its own nodes only.
fn suspects<'b, 'f, 'a>(
    facts: &'b Facts<'a>,
    backings: &'b [Backing<'f, 'a>],
) -> impl Iterator<Item = &'b Backing<'f, 'a>> {
    backings.iter().filter(|backing| {
        let is_local = backing.service.value().text("/spec/internalTrafficPolicy") == "Local";
        is_local || !backing.is_served(facts) || ports::undeclared(backing).is_some()
    })
}

/// What is wrong with the Service itself.
fn fault<'a>(
    facts: &Facts<'a>,
    clients: &Clients<'_, 'a>,
    backing: &Backing<'_, 'a>,
    drafts: &[Draft],
) -> Option<Draft> {
    let users = || usage::users(facts, clients, backing.service, drafts);
    if backing.pods.is_empty() && backing.workloads.is_empty() {
        return selectors::matches_nothing(facts, backing, users);
    }
    ports::undefined(facts, backing)
        .or_else(|| ports::unheard(facts, backing, users))
        .or_else(|| selectors::matches_too_much(backing))
}

/// Nothing of it is ready, and it is known why.
fn symptom(facts: &Facts<'_>, backing: &Backing<'_, '_>, broken: &Broken) -> Option<Draft> {
    let causes = backing.depends_on();
    if broken.has(&backing.key()) || backing.is_served(facts) || !broken.has_any(&causes) {
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
        Draft::new("service-without-endpoints", Severity::Critical, service.reference(), title)
            .summary(format!(
                "Clients of Service {} are refused until a pod behind it is ready.",
                service.name()
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
