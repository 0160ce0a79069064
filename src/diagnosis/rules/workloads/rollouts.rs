//! Rollouts that do not get on (FAILURES J1 to J4, B16).
//!
//! Why pods fail, the rules about pods tell; here is what is left when they have nothing to say.

use serde_json::Value;

use crate::diagnosis::draft::{self, Draft, change, in_namespace, kubectl_name, sh, shorten};
use crate::diagnosis::facts::{Facts, Key, Object, Pod, Read, Workload};
use crate::diagnosis::report::{Confidence, Evidence, Remediation, Risk, Severity};
use crate::diagnosis::rules::kubectl;
use crate::diagnosis::rules::links::Broken;

/// Pods that are not ready for this long, in seconds, are not on their way any more.
const GRACE: i64 = 600;

pub(in crate::diagnosis::rules) fn check(facts: &Facts<'_>, drafts: &mut Vec<Draft>) {
    let broken = Broken::by(drafts);
    for object in ["Deployment", "StatefulSet", "DaemonSet"].iter().flat_map(|kind| facts.all(kind)) {
        let workload = Workload::of(*object);
        drafts.extend(paused(facts, &workload));
        update_blocked(facts, &workload, drafts);
        drafts.extend(on_delete(&workload));
        drafts.extend(stalled(facts, &workload, &broken));
    }
}

fn name(workload: &Workload<'_>) -> String {
    format!("{} {}", workload.kind(), workload.reference.name)
}

/// Nothing is available, or a part is.
fn severity(workload: &Workload<'_>) -> Severity {
    if workload.ready() == Some(0) { Severity::Critical } else { Severity::Warning }
}

/// A Deployment that is paused with changes that have not been rolled out.
fn paused(facts: &Facts<'_>, workload: &Workload<'_>) -> Option<Draft> {
    let object = workload.object.filter(|object| object.value().flag("/spec/paused"))?;
    let wanted = object.value().pointer("/spec/template/spec");
    let sets = facts.children(object);
    let is_current = |set: &Object<'_>| set.value().pointer("/spec/template/spec") == wanted;
    if !facts.was_read("ReplicaSet") || sets.iter().any(is_current) || workload.desired() == Some(0) {
        return None;
    }
    let (namespace, target) = (in_namespace(&workload.reference), kubectl_name(&workload.reference));
    let (severity, effect) = match sets.len() {
        0 => (Severity::Critical, "It has never been rolled out, so it has no pods."),
        _ => (Severity::Warning, "Its pods are still those of the revision before."),
    };
    Some(
        Draft::new(
            "deployment-paused",
            severity,
            workload.reference.clone(),
            format!("{} is paused: its newest changes are not rolled out", name(workload)),
        )
        .summary(format!("spec.paused is true, so changes of the pod template wait. {effect}"))
        .evidence(draft::field(object, "/spec/paused"))
        .evidence(draft::condition(object, "Progressing"))
        .breaks(sets.is_empty().then(|| workload.key()))
        .remedy(change(
            "Resume the rollout, if the pause is over",
            format!("kubectl {namespace}rollout history {target}"),
            format!("kubectl {namespace}rollout resume {target}"),
            format!("kubectl {namespace}rollout pause {target}"),
            kubectl::verify(workload),
            Risk::Medium,
        )),
    )
}

/// A StatefulSet whose corrected template cannot reach a pod: in ordered mode the controller waits for the broken pod of the
/// former revision to become ready, which it never will.
fn update_blocked(facts: &Facts<'_>, workload: &Workload<'_>, drafts: &mut Vec<Draft>) {
    let Some(object) = workload.object.filter(|_| workload.kind() == "StatefulSet") else { return };
    let value = object.value();
    let is_ordered = value.text("/spec/podManagementPolicy") != "Parallel"
        && value.text("/spec/updateStrategy/type") != "OnDelete";
    let newest = value.text("/status/updateRevision");
    if !is_ordered || newest.is_empty() {
        return;
    }
    let key = workload.key();
    let stuck = facts.pods_of(&key).find(|pod| {
        !pod.is_ready()
            && pod.object.label("controller-revision-hash").is_some_and(|revision| revision != newest)
    });
    let Some(pod) = stuck else { return };
    // Only a fault of the pod's own specification is left behind by a new one.
    let place = drafts.iter().position(|draft| {
        draft.object == workload.reference
            && draft.explained_by.is_empty()
            && draft.breaks.contains(&pod.object.key())
    });
    let Some(place) = place else { return };
    drafts[place].explained_by.push(pod.object.key());
    drafts.push(blocked(workload, object, pod));
}

fn blocked(workload: &Workload<'_>, object: Object<'_>, pod: &Pod<'_>) -> Draft {
    let (namespace, pod_name) = (sh(pod.object.namespace()), sh(pod.object.name()));
    Draft::new(
        "statefulset-update-blocked",
        severity(workload),
        workload.reference.clone(),
        format!("{}: pod {} of the former revision blocks the update", name(workload), pod.object.name()),
    )
    .summary(format!(
        "The pod template has been changed since, but a StatefulSet with ordered pods waits for {} to become ready before it replaces it, which this pod never will. It has to be deleted by hand; the new one gets the new template.",
        pod.object.name()
    ))
    .evidence(draft::field(object, "/status/updateRevision"))
    .evidence(draft::field(pod.object, "/metadata/labels/controller-revision-hash"))
    .breaks([pod.object.key(), workload.key()])
    .remedy(change(
        "Delete the pod that blocks the update (its volumes stay)",
        format!("kubectl -n {namespace} rollout history {}", kubectl_name(&workload.reference)),
        format!("kubectl -n {namespace} delete pod {pod_name}"),
        kubectl::undo(workload),
        kubectl::verify(workload),
        Risk::Low,
    ))
}

/// Changes that only reach pods that somebody deletes.
fn on_delete(workload: &Workload<'_>) -> Option<Draft> {
    // An operator that owns it deletes the pods itself.
    let object = workload.object.filter(|object| object.controller().is_none())?;
    let value = object.value();
    let waits = match workload.kind() {
        "StatefulSet" => value.text("/status/updateRevision") != value.text("/status/currentRevision"),
        "DaemonSet" => {
            value.int("/status/updatedNumberScheduled") < value.int("/status/desiredNumberScheduled")
        }
        _ => false,
    };
    (waits && value.text("/spec/updateStrategy/type") == "OnDelete").then(|| {
        let (namespace, target) = (in_namespace(&workload.reference), kubectl_name(&workload.reference));
        Draft::new(
            "update-on-delete",
            Severity::Info,
            workload.reference.clone(),
            format!("{}: the newest changes wait until its pods are deleted (OnDelete)", name(workload)),
        )
        .summary(
            "updateStrategy is OnDelete: a pod gets the new template when somebody deletes it, not before.",
        )
        .evidence(draft::field(object, "/spec/updateStrategy"))
        .remedy(draft::advice(
            "Delete the pods one by one, or set the strategy RollingUpdate",
            format!("kubectl {namespace}rollout history {target}"),
            kubectl::verify(workload),
        ))
    })
}

/// Fewer pods are available than wanted, for long, and nothing else says why.
fn stalled(facts: &Facts<'_>, workload: &Workload<'_>, broken: &Broken) -> Option<Draft> {
    let object = workload.object.filter(|object| !object.is_terminating())?;
    let key = workload.key();
    let pods: Vec<&Pod<'_>> = facts.pods_of(&key).filter(|pod| !pod.is_done()).collect();
    let keys: Vec<Key> = pods.iter().map(|pod| pod.object.key()).chain([key]).collect();
    if !is_stalled(facts, workload, object, &pods) || broken.has_any(&keys) {
        return None;
    }
    let wanted = workload.desired().unwrap_or(0);
    let ready = workload.ready().unwrap_or(0);
    let unready: Vec<&Pod<'_>> = pods.iter().copied().filter(|pod| !pod.is_ready()).collect();
    let says = unready.iter().find_map(|pod| obstacle(pod));
    let told = says.as_ref().map_or_else(|| "nothing says why".to_owned(), |(text, _)| text.clone());
    let nodes = unready.iter().filter_map(|pod| pod.node()).map(|node| Key::new("Node", "", node));
    Some(
        Draft::new(
            "rollout-stalled",
            severity(workload),
            workload.reference.clone(),
            format!("{}: {ready} of {wanted} pods are ready, and it gets no further: {told}", name(workload)),
        )
        .confidence(Confidence::Possible)
        .summary(summary(workload, &pods, &told))
        .evidence(draft::condition(object, "Progressing").filter(|_| deadline_exceeded(object)))
        .evidence(draft::condition(object, "Available").filter(|_| !deadline_exceeded(object)))
        .evidence(says.map(|(_, evidence)| evidence))
        .explained_by(keys.into_iter().chain(nodes))
        .remedies(remedies(workload, unready.first().copied())),
    )
}

fn deadline_exceeded(object: Object<'_>) -> bool {
    object.condition("Progressing").is_some_and(|condition| condition["reason"] == "ProgressDeadlineExceeded")
}

fn is_stalled(facts: &Facts<'_>, workload: &Workload<'_>, object: Object<'_>, pods: &[&Pod<'_>]) -> bool {
    let wanted = workload.desired().unwrap_or(0);
    let value = object.value();
    let available = match workload.kind() {
        "DaemonSet" => value.int("/status/numberAvailable").unwrap_or(0),
        "Deployment" => value.int("/status/availableReplicas").unwrap_or(0),
        _ => workload.ready().unwrap_or(0),
    };
    let updated = value.int("/status/updatedReplicas").unwrap_or(0);
    if deadline_exceeded(object) {
        return available < wanted || updated < wanted;
    }
    let is_old = |time: Option<jiff::Timestamp>| time.is_some_and(|time| facts.seconds_since(time) > GRACE);
    let since = |condition: Option<&Value>| condition.and_then(|found| found.time("/lastTransitionTime"));
    let is_long_unready = |pod: &&Pod<'_>| {
        let time = since(pod.object.condition("Ready")).or(pod.object.created());
        !pod.is_ready() && !pod.object.is_terminating() && is_old(time)
    };
    // Pods that do not exist have no age; a Deployment says since when it lacks them.
    let is_unavailable = object.condition("Available").filter(|condition| condition["status"] == "False");
    available < wanted && (pods.iter().any(is_long_unready) || is_old(since(is_unavailable)))
}

/// What keeps a pod from being ready, as far as its own status tells.
fn obstacle(pod: &Pod<'_>) -> Option<(String, Evidence)> {
    let gates = pod.value().list("/spec/readinessGates").iter().map(|gate| gate.text("/conditionType"));
    let closed =
        |gate: &&str| pod.object.condition(gate).is_none_or(|condition| condition["status"] != "True");
    let mut gates = gates.filter(closed);
    if let Some(gate) = gates.next() {
        let evidence = draft::condition(pod.object, gate).unwrap_or_else(|| {
            draft::absent(pod.object.reference(), format!("there is no condition {gate}"))
        });
        return Some((format!("its pods wait for the readiness gate {gate}"), evidence));
    }
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"];
    let failing = conditions
        .iter()
        .find(|name| pod.object.condition(name).is_some_and(|condition| condition["status"] != "True"))?;
    let said = shorten(pod.object.condition(failing)?.text("/message"), 160);
    let text = if said.is_empty() { format!("{failing} is not true") } else { said };
    Some((text, draft::condition(pod.object, failing)?))
}

fn summary(workload: &Workload<'_>, pods: &[&Pod<'_>], told: &str) -> String {
    let exist = pods.len();
    let wanted = workload.desired().unwrap_or(0);
    let serves = match workload.ready() {
        Some(ready) if ready > 0 => " Those that are ready still serve.",
        _ => " Nothing serves.",
    };
    format!("{wanted} pods are wanted and {exist} exist: {told}.{serves}")
}

fn remedies(workload: &Workload<'_>, unready: Option<&Pod<'_>>) -> Vec<Remediation> {
    let object = unready.map_or_else(|| workload.reference.clone(), |pod| pod.object.reference());
    let show = kubectl::describe(&object);
    let look = draft::advice("Look at a pod that is not ready", show, kubectl::verify(workload));
    std::iter::once(look).chain(kubectl::rollback(workload)).collect()
}
