//! Pods that are being deleted and do not go (I12, J12).

use crate::diagnosis::draft::{self, Draft, absent, advice, change, in_namespace, sh};
use crate::diagnosis::facts::{Facts, Pod, Read, reference};
use crate::diagnosis::report::{Remediation, Risk, Severity};
use crate::diagnosis::rules::pods::Group;

/// A pod is gone when its grace has passed; this much longer, in seconds, is stuck.
const PATIENCE: i64 = 300;

/// True where the pod should be gone. `deletionTimestamp` lies at the end of its grace.
pub(in crate::diagnosis::rules) fn is_overdue(facts: &Facts<'_>, pod: &Pod<'_>) -> bool {
    let due = pod.value().time("/metadata/deletionTimestamp");
    due.is_some_and(|due| facts.seconds_since(due) > PATIENCE)
}

pub(in crate::diagnosis::rules) fn check<'a>(facts: &Facts<'a>, group: &Group<'_, 'a>) -> Draft {
    let pod = group.sample().pod;
    let finalizers: Vec<&str> =
        pod.value().list("/metadata/finalizers").iter().filter_map(serde_json::Value::as_str).collect();
    let gone = gone_node(facts, pod);
    let (held, why) = match (finalizers.is_empty(), gone) {
        (false, _) => (
            format!("the finalizer {} is not removed", finalizers.join(", ")),
            "A finalizer is removed by the controller that set it; that controller is gone, or does not come to its end.",
        ),
        (true, Some(node)) => (
            format!("its node {node} does not exist any more"),
            "Nobody is left who could confirm that its containers have ended.",
        ),
        (true, None) => (
            "its node does not report its end".to_owned(),
            "The kubelet has not confirmed that the containers have ended and the volumes are unmounted: the container runtime hangs, or a volume cannot be released.",
        ),
    };
    let title = format!("{}: pod {} is being deleted, but {held}", group.name(), pod.object.name());
    let telling =
        ["FailedKillPod", "FailedUnmount", "FailedUnmapDevice", "FailedPreStopHook", "ExceededGracePeriod"];
    let event = facts.events(pod.object).find(|event| telling.contains(&event.reason));
    let mut draft = group
        .draft("pod-stuck-terminating", title)
        .summary(format!("{why}{}", group.impact()))
        .cause(finalizers.join(","))
        .evidence(draft::field(pod.object, "/metadata/deletionTimestamp"))
        .evidence(draft::field(pod.object, "/metadata/finalizers"))
        .evidence(event.map(|event| draft::event(&event)))
        .evidence(
            gone.map(|node| absent(reference("v1", "Node", "", node), format!("there is no Node {node}"))),
        )
        .remedy(remedy(pod, !finalizers.is_empty(), gone.is_some()));
    let is_replaced = match (group.workload.ready(), group.workload.desired()) {
        (Some(ready), Some(desired)) => ready >= desired,
        _ => group.workload.kind() != "StatefulSet",
    };
    if is_replaced {
        draft.severity = Severity::Warning;
        draft.breaks.retain(|key| key.kind == "Pod");
    }
    draft
}

/// The node of a pod, where it is known not to exist.
fn gone_node<'a>(facts: &Facts<'a>, pod: &Pod<'a>) -> Option<&'a str> {
    pod.node().filter(|node| facts.was_read("Node") && facts.get("Node", "", node).is_none())
}

fn remedy(pod: &Pod<'_>, has_finalizers: bool, is_node_gone: bool) -> Remediation {
    let (namespace, name) = (in_namespace(&pod.object.reference()), sh(pod.object.name()));
    let check = format!(
        "kubectl {namespace}get pod {name} -o jsonpath='{{.metadata.finalizers}} {{.spec.nodeName}}'"
    );
    let verify = format!("kubectl {namespace}get pod {name}");
    if has_finalizers {
        return advice(
            "Heal the controller of the finalizer; remove the finalizer by hand only when it will never come back",
            check,
            verify,
        );
    }
    change(
        "Delete it by force, when its containers have surely ended (for a StatefulSet two pods of one name would damage data)",
        check,
        format!("kubectl {namespace}delete pod {name} --grace-period=0 --force"),
        "cannot be taken back",
        verify,
        if is_node_gone { Risk::Medium } else { Risk::High },
    )
}
