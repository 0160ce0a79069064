//! Services whose pods are scaled away (FAILURES B16).

use std::collections::BTreeMap;

use crate::diagnosis::draft::{self, Draft, change, in_namespace, kubectl_name};
use crate::diagnosis::facts::{Facts, Key, Object, Read, Workload};
use crate::diagnosis::report::{Remediation, Risk, Severity};
use crate::diagnosis::rules::kubectl;

use super::backing::Backing;
use super::usage::{self, Clients, Users};

/// Workloads that are scaled to zero although a Service points to them: one finding for each.
pub(super) fn check<'a>(
    facts: &Facts<'a>,
    clients: &Clients<'_, 'a>,
    backings: &[Backing<'_, 'a>],
    drafts: &mut Vec<Draft>,
) {
    let mut workloads: BTreeMap<Key, (&Workload<'a>, Vec<&Backing<'_, 'a>>)> = BTreeMap::new();
    for backing in backings.iter().filter(|backing| is_idle(facts, backing)) {
        for workload in &backing.workloads {
            workloads.entry(workload.key()).or_insert((workload, Vec::new())).1.push(backing);
        }
    }
    let found: Vec<Draft> = workloads
        .into_values()
        .map(|(workload, services)| {
            let users =
                services.iter().flat_map(|backing| usage::users(facts, clients, backing.service, drafts).0);
            draft(facts, workload, &services, &Users(users.collect()))
        })
        .collect();
    drafts.extend(found);
}

/// Everything that it selects is scaled to zero.
fn is_idle(facts: &Facts<'_>, backing: &Backing<'_, '_>) -> bool {
    let is_zero = |workload: &Workload<'_>| {
        matches!(workload.kind(), "Deployment" | "StatefulSet" | "ReplicaSet")
            && workload.desired() == Some(0)
    };
    backing.pods.is_empty()
        && !backing.workloads.is_empty()
        && backing.workloads.iter().all(is_zero)
        && !backing.is_served(facts)
}

fn draft(facts: &Facts<'_>, workload: &Workload<'_>, services: &[&Backing<'_, '_>], users: &Users) -> Draft {
    let scaler = autoscaler(facts, workload);
    let severity = match scaler.is_some_and(is_of_keda) {
        true => Severity::Info,
        false => users.severity(),
    };
    let names: Vec<&str> = services.iter().map(|backing| backing.service.name()).collect();
    let names = names.join(", ");
    let name = format!("{} {}", workload.kind(), workload.reference.name);
    let selectors = services.iter().filter_map(|backing| draft::field(backing.service, "/spec/selector"));
    let broken = services.iter().map(|backing| backing.key()).chain([workload.key()]);
    Draft::new(
        "scaled-to-zero",
        severity,
        workload.reference.clone(),
        format!("{name} is scaled to zero replicas: Service {names} has no pods"),
    )
    .summary(format!(
        "spec.replicas of {name} is 0, so nothing answers behind Service {names}; connections to it are refused.{}{}",
        users.text(),
        scaler_text(scaler)
    ))
    .evidence(workload.object.and_then(|object| draft::field(object, "/spec/replicas")))
    .evidence(selectors)
    .evidence(scaled_down(facts, workload).map(|(evidence, _)| evidence))
    .evidence(users.evidence())
    .breaks(broken.filter(|_| severity != Severity::Info))
    .remedy(scale_up(facts, workload, scaler))
}

/// KEDA scales to zero while there is nothing to do.
fn is_of_keda(scaler: Object<'_>) -> bool {
    scaler.name().starts_with("keda-hpa-")
}

/// The HorizontalPodAutoscaler of a workload.
fn autoscaler<'a>(facts: &Facts<'a>, workload: &Workload<'_>) -> Option<Object<'a>> {
    let namespace = workload.reference.namespace.as_deref().unwrap_or_default();
    facts.all_in("HorizontalPodAutoscaler", namespace).find(|scaler| {
        let target = &scaler.value()["spec"]["scaleTargetRef"];
        target["kind"] == workload.kind() && target["name"] == workload.reference.name.as_str()
    })
}

fn scaler_text(scaler: Option<Object<'_>>) -> String {
    match scaler {
        Some(scaler) if is_of_keda(scaler) => {
            format!(" KEDA scales it ({}); zero may be meant while there is nothing to do.", scaler.name())
        }
        Some(scaler) => {
            format!(" HorizontalPodAutoscaler {} does not scale while the replicas are zero.", scaler.name())
        }
        None => String::new(),
    }
}

/// The event of the last scaling down, and the replicas before it.
fn scaled_down(
    facts: &Facts<'_>,
    workload: &Workload<'_>,
) -> Option<(crate::diagnosis::report::Evidence, i64)> {
    let mut events = facts.events(workload.object?);
    let event =
        events.find(|event| event.reason == "ScalingReplicaSet" && event.message.contains(" to 0"))?;
    let former = event.message.rsplit_once(" from ").and_then(|(_, number)| number.trim().parse().ok());
    Some((draft::event(&event), former.unwrap_or(0)))
}

fn scale_up(facts: &Facts<'_>, workload: &Workload<'_>, scaler: Option<Object<'_>>) -> Remediation {
    let least = scaler.and_then(|scaler| scaler.value().int("/spec/minReplicas"));
    let former = scaled_down(facts, workload).map(|(_, former)| former);
    let replicas = former.into_iter().chain(least).max().unwrap_or(1).max(1);
    let (namespace, name) = (in_namespace(&workload.reference), kubectl_name(&workload.reference));
    change(
        "Scale it up, if nobody keeps it at zero on purpose",
        kubectl::get(&workload.reference, ""),
        format!("kubectl {namespace}scale {name} --replicas={replicas}"),
        format!("kubectl {namespace}scale {name} --replicas=0"),
        kubectl::verify(workload),
        Risk::Low,
    )
}
