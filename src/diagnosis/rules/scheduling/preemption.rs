//! Pods that had to give way to others of higher priority, and find no other place (A15).

use crate::diagnosis::draft::{self, Draft, advice};
use crate::diagnosis::facts::{Facts, KubeEvent, Object, Pod, Read};
use crate::diagnosis::report::Confidence;
use crate::diagnosis::rules::kubectl;

use super::waiting::Waiting;

/// A pod that replaces a displaced one is made within this time, in seconds.
const REPLACED: i64 = 900;

/// A finding about what displaced the pods that wait now.
pub(super) fn check(waiting: &Waiting<'_, '_, '_>) -> Option<Draft> {
    let event = displaced(waiting)?;
    let winner = winner(waiting.facts, &event)?;
    if winner.workload.key() == waiting.group.workload.key() {
        return None;
    }
    let by = format!("{} {}", winner.workload.kind(), winner.workload.reference.name);
    let priority = |pod: &Pod<'_>| pod.value().int("/spec/priority").unwrap_or(0);
    let (high, low) = (priority(winner), priority(waiting.pod));
    let title = format!(
        "{by} (priority {high}) displaced pods of {} (priority {low}), which find no other node",
        waiting.group.name()
    );
    let why = "There is not enough room for both, so the scheduler ended pods of lower priority to place those of higher priority (preemption).";
    let mut draft = waiting
        .draft("preempted", title, why)
        .confidence(Confidence::Likely)
        .cause(waiting.group.workload.key().to_string())
        .evidence([draft::event(&event)])
        .evidence(draft::field(winner.object, "/spec/priorityClassName"))
        .evidence(draft::field(winner.object, "/spec/priority"))
        .remedy(advice(
            "Give the displacing pods preemptionPolicy: Never or a lower priority, or add nodes",
            "kubectl get priorityclasses; kubectl get pods -A -o custom-columns=NS:.metadata.namespace,NAME:.metadata.name,PRIORITY:.spec.priority",
            kubectl::verify(waiting.group.workload),
        ));
    match unasked_class(waiting.facts, winner) {
        Some(class) => {
            draft.title = format!(
                "PriorityClass {} is the default for all pods, so {by} displaced pods of {}",
                class.name(),
                waiting.group.name()
            );
            draft.object = class.reference();
            draft = draft.evidence(draft::field(class, "/globalDefault"));
        }
        None => draft.object = winner.workload.reference.clone(),
    }
    Some(draft)
}

/// The newest event by which a pod of this workload was displaced.
fn displaced<'a>(waiting: &Waiting<'_, '_, 'a>) -> Option<KubeEvent<'a>> {
    let pod = waiting.pod.value();
    let stem = pod.maybe_text("/metadata/generateName").unwrap_or(waiting.pod.object.name());
    let events = waiting
        .facts
        .pod_events(waiting.pod.object.namespace())
        .filter(|event| event.reason == "Preempted" && event.involved().text("/name").starts_with(stem));
    let newest = events.max_by_key(|event| (event.last, event.object.name()))?;
    let apart = newest.last?.duration_since(waiting.pod.object.created()?).as_secs();
    (apart.abs() < REPLACED).then_some(newest)
}

/// The pod that took the place: `Preempted by shop/batch-1 on node n1`, in newer releases `by pod UID`.
fn winner<'f, 'a>(facts: &'f Facts<'a>, event: &KubeEvent<'a>) -> Option<&'f Pod<'a>> {
    let related = event.object.value().pointer("/related");
    let named = event.message.split_once("Preempted by ")?.1.split_once(" on node")?.0;
    let uid = named.strip_prefix("pod ").unwrap_or_default();
    let is_it = |pod: &&Pod<'_>| {
        let by_uid = !uid.is_empty() && pod.object.uid() == uid;
        let by_name = named.split_once('/') == Some((pod.object.namespace(), pod.object.name()));
        let by_relation = related.is_some_and(|related| related.text("/uid") == pod.object.uid());
        by_uid || by_name || by_relation
    };
    facts.pods().iter().find(is_it)
}

/// The class by which the pod has its priority without having asked for one.
fn unasked_class<'a>(facts: &Facts<'a>, pod: &Pod<'a>) -> Option<Object<'a>> {
    let class = facts.get("PriorityClass", "", pod.value().text("/spec/priorityClassName"))?;
    let pointer = format!("{}/priorityClassName", pod.workload.pod_spec_pointer());
    let asked = pod.workload.object?.value().pointer(&pointer).is_some();
    (class.value().flag("/globalDefault") && !asked).then_some(class)
}
