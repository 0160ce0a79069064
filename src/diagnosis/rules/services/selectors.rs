//! Selectors that select nothing, or too much (FAILURES G1, G5).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::diagnosis::draft::{self, Draft, absent, change, sh};
use crate::diagnosis::facts::{Facts, Key, Workload, nearest, selector};
use crate::diagnosis::report::{Confidence, Remediation, Risk, Severity};
use crate::diagnosis::rules::kubectl;

use super::backing::{Backing, all_workloads, template_labels};
use super::usage::Users;

/// Kinds that make pods which serve.
const MAKERS: [&str; 4] = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"];

/// A workload whose pods the Service may be meant for.
#[derive(Debug)]
struct Candidate<'a> {
    workload: Workload<'a>,
    labels: &'a Map<String, Value>,
    score: usize,
}

pub(super) fn matches_nothing(
    facts: &Facts<'_>,
    backing: &Backing<'_, '_>,
    users: impl FnOnce() -> Users,
) -> Option<Draft> {
    if backing.is_served(facts) {
        return None;
    }
    let candidate = likeliest(facts, backing);
    let is_meant = candidate.as_ref().is_some_and(|candidate| is_meant(facts, backing, candidate));
    // What makes its pods may be of a kind that was not read.
    if !is_meant && MAKERS.iter().any(|kind| !facts.was_read(kind)) {
        return None;
    }
    let users = users();
    let severity = if is_meant { Severity::Critical } else { users.severity() };
    let (service, written) = (backing.service, selector::show_map(backing.selector));
    let (title, nearest) = match &candidate {
        Some(candidate) => {
            let (differences, name) = (differences(backing, candidate), name(&candidate.workload));
            (format!("{differences} ({name})"), format!("The nearest are those of {name}: {differences}."))
        }
        None => (format!("none has the labels {written}"), elsewhere(facts, backing)),
    };
    let namespace = service.namespace();
    Some(
        Draft::new(
            "service-selector-mismatch",
            severity,
            service.reference(),
            format!("Service {} selects no pods: {title}", service.name()),
        )
        .cause(written.clone())
        .summary(format!(
            "The selector {written} matches the labels of no pod and of no workload's pod template in namespace {namespace}, so the Service has no endpoints and refuses connections. {nearest}{}",
            users.text()
        ))
        .evidence(draft::field(service, "/spec/selector"))
        .evidence(candidate.as_ref().and_then(labels_evidence))
        .evidence([absent(service.reference(), format!("no pod in namespace {namespace} has the labels {written}"))])
        .evidence(users.evidence())
        .breaks((severity != Severity::Info).then(|| backing.key()))
        .remedies(candidate.map(|candidate| correct(backing, &candidate))),
    )
}

/// The workload for whose pods the Service is most likely meant.
fn likeliest<'a>(facts: &Facts<'a>, backing: &Backing<'_, 'a>) -> Option<Candidate<'a>> {
    candidates(facts, backing).into_iter().max_by_key(|candidate| candidate.score)
}

/// Of a Service that selects nothing: what the nearest pods have instead, or where pods with its labels are.
pub(in crate::diagnosis) fn nearest_instead<'a>(facts: &Facts<'a>, backing: &Backing<'_, 'a>) -> String {
    match likeliest(facts, backing) {
        Some(candidate) => format!("{} ({})", differences(backing, &candidate), name(&candidate.workload)),
        None => elsewhere(facts, backing),
    }
}

/// Pods that have the labels, in a namespace where the Service does not reach them.
fn elsewhere(facts: &Facts<'_>, backing: &Backing<'_, '_>) -> String {
    let mut pods = facts.pods().iter();
    match pods.find(|pod| selector::map_matches(backing.selector, pod.object.labels())) {
        Some(pod) => format!(
            "Pods with these labels are in namespace {}; a Service selects pods of its own namespace only.",
            pod.object.namespace()
        ),
        None => "Nothing in the namespace has similar labels.".to_owned(),
    }
}

fn name(workload: &Workload<'_>) -> String {
    format!("{} {}", workload.kind(), workload.reference.name)
}

/// Workloads with some likeness, from their templates; pods of owners that were not read stand for themselves.
fn candidates<'a>(facts: &Facts<'a>, backing: &Backing<'_, 'a>) -> Vec<Candidate<'a>> {
    let namespace = backing.service.namespace();
    let templates = all_workloads(facts, namespace)
        .into_iter()
        .filter(|workload| MAKERS.contains(&workload.kind()))
        .filter_map(|workload| Some((Workload::of(workload), template_labels(workload)?)));
    let pods = facts
        .pods_in(namespace)
        .filter(|pod| pod.workload.object.is_none() || pod.workload.kind() == "Pod")
        .filter_map(|pod| Some((pod.workload.clone(), pod.object.labels()?)));
    let all: BTreeMap<Key, Candidate<'a>> = templates
        .chain(pods)
        .map(|(workload, labels)| {
            let score = score(backing, &workload, labels);
            (workload.key(), Candidate { workload, labels, score })
        })
        .collect();
    all.into_values().filter(|candidate| candidate.score > 0).collect()
}

fn score(backing: &Backing<'_, '_>, workload: &Workload<'_>, labels: &Map<String, Value>) -> usize {
    let pairs = backing.selector.iter().map(|(key, wanted)| {
        let wanted = wanted.as_str().unwrap_or_default();
        match labels.get(key).and_then(Value::as_str) {
            Some(value) if value == wanted => 3,
            Some(value) if nearest(wanted, [value]).is_some() => 2,
            None if labels.values().any(|value| value == wanted) => 2,
            Some(_) | None => 0,
        }
    });
    pairs.sum::<usize>() + if is_namesake(backing, workload) { 2 } else { 0 }
}

fn is_namesake(backing: &Backing<'_, '_>, workload: &Workload<'_>) -> bool {
    let (service, workload) = (backing.service.name(), workload.reference.name.as_str());
    service == workload || nearest(service, [workload]).is_some()
}

/// The Service is surely meant for it: it bears its name, or no other Service reaches it. Labels that a controller sets at run
/// time (the role of a database's member, say) may be missing for good reasons.
fn is_meant(facts: &Facts<'_>, backing: &Backing<'_, '_>, candidate: &Candidate<'_>) -> bool {
    let is_known = candidate.workload.object.is_some();
    let is_dynamic = |key: &String| {
        candidate.labels.get(key).is_none()
            && facts.pods_in(backing.service.namespace()).any(|pod| pod.object.label(key).is_some())
    };
    if !is_known || backing.selector.keys().any(is_dynamic) {
        return false;
    }
    let is_served = facts.all_in("Service", backing.service.namespace()).any(|service| {
        let selector = service.value().pointer("/spec/selector").and_then(Value::as_object);
        selector.is_some_and(|selector| selector::map_matches(selector, Some(candidate.labels)))
    });
    !is_served || candidate.workload.reference.name == backing.service.name()
}

/// `it wants app=web, the pods have app=www`.
fn differences(backing: &Backing<'_, '_>, candidate: &Candidate<'_>) -> String {
    let differing =
        backing.selector.iter().filter(|(key, wanted)| candidate.labels.get(*key) != Some(wanted));
    let parts: Vec<String> = differing
        .map(|(key, wanted)| {
            let wanted = wanted.as_str().unwrap_or_default();
            match candidate.labels.get(key).and_then(Value::as_str) {
                Some(value) => format!("it wants {key}={wanted}, the pods have {key}={value}"),
                None => format!("it wants {key}={wanted}, the pods have no label {key}"),
            }
        })
        .collect();
    parts.join("; ")
}

fn labels_evidence(candidate: &Candidate<'_>) -> Option<crate::diagnosis::report::Evidence> {
    draft::field(candidate.workload.object?, "/spec/template/metadata/labels")
}

fn correct(backing: &Backing<'_, '_>, candidate: &Candidate<'_>) -> Remediation {
    let service = backing.service.reference();
    let (namespace, name) = (sh(backing.service.namespace()), sh(backing.service.name()));
    let mut right: Map<String, Value> = backing
        .selector
        .keys()
        .filter_map(|key| Some((key.clone(), candidate.labels.get(key)?.clone())))
        .collect();
    if right.is_empty() {
        let own =
            candidate.workload.object.and_then(|object| object.value().pointer("/spec/selector/matchLabels"));
        right = own.and_then(Value::as_object).unwrap_or(candidate.labels).clone();
    }
    let set = |selector: &Map<String, Value>| {
        format!("kubectl -n {namespace} set selector service {name} {}", sh(&selector::show_map(selector)))
    };
    change(
        "Let the Service select the pods that it is meant for",
        format!("kubectl -n {namespace} get pods --show-labels"),
        set(&right),
        set(backing.selector),
        kubectl::get(&service, "wide").replace("get service/", "get endpoints "),
        Risk::Low,
    )
}

/// Pods of different programs behind one Service, and some of them do not have the port.
pub(super) fn matches_too_much(backing: &Backing<'_, '_>) -> Option<Draft> {
    let service = backing.service;
    let target = super::ports::only_number(service)?;
    let mut owners: BTreeMap<Key, (&Workload<'_>, bool, bool)> = BTreeMap::new();
    for pod in backing.pods.iter().filter(|pod| pod.is_ready()) {
        let declared = super::ports::declared(pod);
        let entry = owners.entry(pod.workload.key()).or_insert((&pod.workload, false, false));
        entry.1 |= declared.iter().any(|port| port.number == target);
        entry.2 |= !declared.is_empty();
    }
    let (right, wrong): (Vec<_>, Vec<_>) = owners.values().partition(|(_, has, _)| *has);
    let strangers: Vec<&Workload<'_>> =
        wrong.iter().filter(|(_, _, declares)| *declares).map(|(workload, ..)| *workload).collect();
    let (Some((meant, ..)), Some(stranger)) = (right.first(), strangers.first()) else { return None };
    if backing.is_headless() {
        return None;
    }
    let written = selector::show_map(backing.selector);
    let title = format!(
        "Service {} also selects pods of {}, which do not have port {target}",
        service.name(),
        name(stranger)
    );
    Some(
        Draft::new("service-selector-too-broad", Severity::Warning, service.reference(), title)
            .confidence(Confidence::Likely)
            .cause(written.clone())
            .summary(format!(
                "The selector {written} matches pods of {} and of {}. The latter declare other ports, so a part of all connections is refused.",
                name(meant),
                name(stranger)
            ))
            .evidence(draft::field(service, "/spec/selector"))
            .evidence(draft::field(service, "/spec/ports"))
            .evidence(stranger.object.and_then(|object| draft::field(object, "/spec/template/metadata/labels")))
            .evidence(stranger.object.and_then(|object| draft::field(object, "/spec/template/spec/containers/0/ports")))
            .remedies(narrow(backing, meant)),
    )
}

/// The selector of the workload that is meant.
fn narrow(backing: &Backing<'_, '_>, meant: &Workload<'_>) -> Option<Remediation> {
    let own = meant.object?.value().pointer("/spec/selector/matchLabels")?.as_object()?;
    let (namespace, name) = (sh(backing.service.namespace()), sh(backing.service.name()));
    let set = |selector: &Map<String, Value>| {
        format!("kubectl -n {namespace} set selector service {name} {}", sh(&selector::show_map(selector)))
    };
    Some(change(
        format!("Select the pods of {} only", self::name(meant)),
        format!(
            "kubectl -n {namespace} get pods --show-labels -l {}",
            sh(&selector::show_map(backing.selector))
        ),
        set(own),
        set(backing.selector),
        format!("kubectl -n {namespace} get endpoints {name}"),
        Risk::Medium,
    ))
}
