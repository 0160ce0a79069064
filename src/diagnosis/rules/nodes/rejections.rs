//! Pods that a kubelet refused although they were bound to its node (A18).

use crate::diagnosis::draft::{self, Draft, change};
use crate::diagnosis::facts::{Facts, Key, Read};
use crate::diagnosis::report::{Risk, Severity};
use crate::diagnosis::rules::kubectl;
use crate::diagnosis::rules::pods::Group;

/// Reasons of `Failed` pods that never started.
pub(in crate::diagnosis::rules) fn is_rejection(reason: &str) -> bool {
    let known = [
        "NodeAffinity",
        "NodePorts",
        "NodeName",
        "UnexpectedAdmissionError",
        "TopologyAffinityError",
        "AppArmor",
        "SysctlForbidden",
        "PodFeatureUnsupported",
        "InvalidNodeInfo",
    ];
    reason.starts_with("OutOf") || known.contains(&reason)
}

/// After a restart of a node, pods are refused once and replaced; what repeats, or is not replaced, is trouble.
pub(super) fn check<'a>(facts: &Facts<'a>, group: &Group<'_, 'a>) -> Draft {
    let pod = group.sample().pod;
    let (reason, message) = (pod.value().text("/status/reason"), pod.value().text("/status/message"));
    let node = pod.node().unwrap_or_default();
    let pins = group.workload.object.map(|object| {
        object.value().text(&format!("{}/nodeName", group.workload.pod_spec_pointer())).to_owned()
    });
    let pinned = match pins.filter(|pinned| !pinned.is_empty()) {
        Some(pinned) => format!(
            " Its pod template pins the pods to node {pinned} (nodeName), so the scheduler is not asked whether they fit."
        ),
        None => String::new(),
    };
    let title = format!("The kubelet of {node} refuses pods of {}: {reason}", group.name());
    let event = facts.events(pod.object).find(|event| event.is_warning);
    let mut draft = group
        .draft("pod-rejected", title)
        .summary(format!("{}.{pinned}{}", draft::shorten(message.trim_end_matches('.'), 300), group.impact()))
        .cause(reason)
        .explained_by([Key::new("Node", "", node)])
        .evidence(draft::field(pod.object, "/status/reason"))
        .evidence(draft::field(pod.object, "/status/message"))
        .evidence(group.spec_field("/nodeName"))
        .evidence(event.map(|event| draft::event(&event)))
        .remedy(change(
            "Let the scheduler choose the node (no nodeName), or ask for what the node has",
            format!("kubectl describe node {}", draft::sh(node)),
            kubectl::edit(&group.workload.reference),
            kubectl::undo(group.workload),
            kubectl::verify(group.workload),
            Risk::Low,
        ));
    let is_replaced = match (group.workload.ready(), group.workload.desired()) {
        (Some(ready), Some(desired)) => ready >= desired,
        _ => group.workload.kind() != "Pod",
    };
    if is_replaced {
        draft.severity = Severity::Info;
    }
    draft
}
