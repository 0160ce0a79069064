//! Claims that keep a pod from being scheduled: they do not exist (A12), or are not bound (A11).

use crate::diagnosis::draft::{Draft, absent, change, field, in_namespace, sh};
use crate::diagnosis::facts::{Key, Object, Pod, Read, nearest, reference};
use crate::diagnosis::report::{ObjectRef, Risk};
use crate::diagnosis::rules::{kubectl, storage};

use super::message::Reason;
use super::waiting::{DEFAULT_SCHEDULER, Waiting};

/// The names of all claims that a pod mounts; those of generic ephemeral volumes are made from the pod's name.
pub(in crate::diagnosis::rules) fn names(pod: &Pod<'_>) -> Vec<String> {
    let volumes = pod.value().list("/spec/volumes").iter();
    let name = |volume: &serde_json::Value| match volume.maybe_text("/persistentVolumeClaim/claimName") {
        Some(name) => Some(name.to_owned()),
        None => volume.get("ephemeral").map(|_| format!("{}-{}", pod.object.name(), volume.text("/name"))),
    };
    volumes.filter_map(name).collect()
}

/// A claim is new and nothing speaks against it, or has just been bound: the pod is about to be scheduled.
pub(super) fn are_settling(waiting: &Waiting<'_, '_, '_>) -> bool {
    let is = |claim: &Object<'_>, phase: &str| claim.value().text("/status/phase") == phase;
    let all = claims(waiting);
    let waits_for_claims_only =
        waiting.said.reasons.iter().all(|counted| counted.reason == Reason::ClaimUnbound);
    if !waiting.said.is_silent() && waits_for_claims_only && !all.is_empty() {
        return all.iter().all(|claim| is(claim, "Bound"));
    }
    let mut unbound = all.into_iter().filter(|claim| is(claim, "Pending"));
    waiting.said.reasons.is_empty() && unbound.any(|claim| storage::is_settling(waiting.facts, claim))
}

pub(super) fn check(waiting: &Waiting<'_, '_, '_>) -> Option<Draft> {
    missing(waiting).map(|name| claim_missing(waiting, &name)).or_else(|| unbound(waiting))
}

/// The claims of all waiting pods, as far as they exist.
fn claims<'a>(waiting: &Waiting<'_, '_, 'a>) -> Vec<Object<'a>> {
    let namespace = waiting.pod.object.namespace();
    let mut all: Vec<String> = waiting.group.cases.iter().flat_map(|case| names(case.pod)).collect();
    all.sort();
    all.dedup();
    all.iter().filter_map(|name| waiting.facts.get("PersistentVolumeClaim", namespace, name)).collect()
}

fn missing(waiting: &Waiting<'_, '_, '_>) -> Option<String> {
    let told = waiting.said.reasons.iter().find_map(|counted| match &counted.reason {
        Reason::ClaimMissing(name) => Some(name.clone()),
        _ => None,
    });
    let namespace = waiting.pod.object.namespace();
    let absent = |name: &String| waiting.facts.get("PersistentVolumeClaim", namespace, name).is_none();
    match waiting.facts.was_read("PersistentVolumeClaim") {
        true => names(waiting.pod).into_iter().find(absent),
        false => told,
    }
}

fn claim_missing(waiting: &Waiting<'_, '_, '_>, name: &str) -> Draft {
    let namespace = waiting.pod.object.namespace();
    let object = reference("v1", "PersistentVolumeClaim", namespace, name);
    let group = waiting.group;
    let title = format!("PersistentVolumeClaim {name} does not exist; {} mounts it", group.name());
    let others = waiting.facts.all_in("PersistentVolumeClaim", namespace).map(|claim| claim.name());
    let meant = nearest(name, others);
    let hint = meant.map(|meant| format!(" There is a claim {meant} in the namespace, which may be meant."));
    let elsewhere = waiting.facts.all("PersistentVolumeClaim").iter().find(|claim| claim.name() == name);
    let elsewhere = elsewhere.filter(|_| hint.is_none()).map(|claim| {
        format!(
            " Namespace {} has a claim of this name, but pods only see those of their own.",
            claim.namespace()
        )
    });
    let hint = hint.or(elsewhere).unwrap_or_default();
    let why = format!("The pods cannot be scheduled until the claim exists.{hint}");
    let mut draft = waiting.draft("pvc-missing", title, &why).cause(name);
    draft.breaks.push(Key::from(&object));
    let reference_field = volume_of(waiting.pod, name)
        .and_then(|index| group.spec_field(&format!("/volumes/{index}/persistentVolumeClaim/claimName")));
    draft.object = object.clone();
    draft
        .evidence(reference_field)
        .evidence([absent(
            object.clone(),
            format!("there is no PersistentVolumeClaim {name} in {namespace}"),
        )])
        .remedy(waiting.edit(
            "Correct the name of the claim in the pod template, if another one is meant",
            list(&object),
        ))
        .remedy(create(waiting, &object))
}

fn volume_of(pod: &Pod<'_>, claim: &str) -> Option<usize> {
    let volumes = pod.value().list("/spec/volumes");
    volumes.iter().position(|volume| volume.text("/persistentVolumeClaim/claimName") == claim)
}

fn list(claim: &ObjectRef) -> String {
    format!("kubectl {}get pvc", in_namespace(claim))
}

fn create(waiting: &Waiting<'_, '_, '_>, claim: &ObjectRef) -> crate::diagnosis::report::Remediation {
    let (namespace, name) = (in_namespace(claim), sh(&claim.name));
    let manifest = serde_json::json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": claim.name },
        "spec": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "<SIZE>" } } },
    });
    change(
        "Or make the claim",
        list(claim),
        format!("echo {} | kubectl {namespace}apply -f -", sh(&manifest.to_string())),
        format!("kubectl {namespace}delete pvc {name}"),
        kubectl::verify(waiting.group.workload),
        Risk::Low,
    )
}

/// Claims that exist and are the reason.
fn unbound(waiting: &Waiting<'_, '_, '_>) -> Option<Draft> {
    let told = says(waiting, |reason| {
        matches!(
            reason,
            Reason::ClaimUnbound | Reason::Binding | Reason::NothingToBind | Reason::ClaimDeleted(_)
        )
    });
    let at_fault = |claim: &Object<'_>| match claim.value().text("/status/phase") {
        "Bound" => claim.is_terminating() && told,
        "Lost" => true,
        _ => is_awaited(waiting, *claim),
    };
    let found: Vec<ObjectRef> = claims(waiting).into_iter().filter(at_fault).map(Object::reference).collect();
    if !found.is_empty() {
        return Some(unbound_draft(waiting, &found));
    }
    told.then(|| unread_draft(waiting))
}

fn says(waiting: &Waiting<'_, '_, '_>, what: impl Fn(&Reason) -> bool) -> bool {
    waiting.said.reasons.iter().any(|counted| what(&counted.reason))
}

/// The scheduler waits for this claim. One that waits for its first consumer is not the reason, unless the scheduler has
/// chosen a node already, or finds nothing to bind.
fn is_awaited<'a>(waiting: &Waiting<'_, '_, 'a>, claim: Object<'a>) -> bool {
    if storage::waits_for_consumer(waiting.facts, claim) {
        let chosen = claim.annotation("volume.kubernetes.io/selected-node").is_some();
        let in_vain = says(waiting, |reason| matches!(reason, Reason::Binding | Reason::NothingToBind));
        return in_vain || (chosen && waiting.said.is_silent());
    }
    !waiting.said.is_silent() || waiting.scheduler() == DEFAULT_SCHEDULER
}

/// The scheduler speaks of claims that could not be read.
fn unread_draft(waiting: &Waiting<'_, '_, '_>) -> Draft {
    let mut draft = unbound_draft(waiting, &[]);
    if let ([only], false) = (names(waiting.pod).as_slice(), waiting.facts.was_read("PersistentVolumeClaim"))
    {
        draft.object = reference("v1", "PersistentVolumeClaim", waiting.pod.object.namespace(), only);
    }
    draft
}

fn unbound_draft(waiting: &Waiting<'_, '_, '_>, claims: &[ObjectRef]) -> Draft {
    let which: Vec<String> = match claims {
        [] => names(waiting.pod),
        claims => claims.iter().map(|claim| claim.name.clone()).collect(),
    };
    let which = which.join(", ");
    let title =
        format!("{} waits for PersistentVolumeClaim {which}, which is not bound", waiting.group.name());
    let check = match claims.first() {
        Some(claim) => kubectl::describe(claim),
        None => kubectl::describe(&waiting.pod.object.reference()),
    };
    let why = "The scheduler places a pod only when its claims are bound to volumes, or can be.";
    let verify = kubectl::verify(waiting.group.workload);
    let phases = claims.iter().filter_map(|claim| {
        let found =
            waiting.facts.get("PersistentVolumeClaim", waiting.pod.object.namespace(), &claim.name)?;
        field(found, "/status/phase")
    });
    waiting
        .draft("pod-waits-for-claim", title, why)
        .evidence(phases.collect::<Vec<_>>())
        .explained_by(claims.iter().map(Key::from))
        .remedy(crate::diagnosis::draft::advice("Get the claim bound", check, verify))
}
