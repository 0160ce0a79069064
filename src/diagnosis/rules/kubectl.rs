//! The commands that several rules give: looking at a pod, undoing a rollout, waiting for one.

use crate::diagnosis::draft::{change, in_namespace, kubectl_name, sh};
use crate::diagnosis::facts::{Object, Workload};
use crate::diagnosis::report::{ObjectRef, Remediation, Risk};

/// `kubectl -n shop describe pod catalog-1`.
pub(super) fn describe(object: &ObjectRef) -> String {
    format!("kubectl {}describe {}", in_namespace(object), kubectl_name(object))
}

/// `kubectl -n shop get deployment/catalog -o yaml`.
pub(super) fn get(object: &ObjectRef, output: &str) -> String {
    let output = if output.is_empty() { String::new() } else { format!(" -o {output}") };
    format!("kubectl {}get {}{output}", in_namespace(object), kubectl_name(object))
}

/// `kubectl -n shop edit deployment/catalog`.
pub(super) fn edit(object: &ObjectRef) -> String {
    format!("kubectl {}edit {}", in_namespace(object), kubectl_name(object))
}

/// `kubectl -n shop logs catalog-1 -c web --previous`.
pub(super) fn logs(pod: Object<'_>, container: &str, previous: bool) -> String {
    let previous = if previous { " --previous" } else { "" };
    let (namespace, name) = (sh(pod.namespace()), sh(pod.name()));
    format!("kubectl -n {namespace} logs {name} -c {}{previous} --tail=100", sh(container))
}

/// Waits until the workload is as wanted; for kinds without rollouts, shows it.
pub(super) fn verify(workload: &Workload<'_>) -> String {
    match has_rollout(workload) {
        true => format!(
            "kubectl {}rollout status {} --timeout=120s",
            in_namespace(&workload.reference),
            kubectl_name(&workload.reference)
        ),
        false => get(&workload.reference, ""),
    }
}

pub(super) fn has_rollout(workload: &Workload<'_>) -> bool {
    matches!(workload.kind(), "Deployment" | "StatefulSet" | "DaemonSet")
}

/// Takes the last change of a workload back.
pub(super) fn undo(workload: &Workload<'_>) -> String {
    match has_rollout(workload) {
        true => format!(
            "kubectl {}rollout undo {}",
            in_namespace(&workload.reference),
            kubectl_name(&workload.reference)
        ),
        false => format!("apply the former manifest of {} again", kubectl_name(&workload.reference)),
    }
}

/// Goes back to the revision before, where there is one.
pub(super) fn rollback(workload: &Workload<'_>) -> Option<Remediation> {
    let revision = workload.object?.annotation("deployment.kubernetes.io/revision")?.parse::<u64>().ok()?;
    if revision < 2 {
        return None;
    }
    let (namespace, name) = (in_namespace(&workload.reference), kubectl_name(&workload.reference));
    Some(change(
        format!("Go back to revision {} if it worked", revision - 1),
        format!("kubectl {namespace}rollout history {name}"),
        format!("kubectl {namespace}rollout undo {name}"),
        format!("kubectl {namespace}rollout undo {name} --to-revision={revision}"),
        verify(workload),
        Risk::Medium,
    ))
}
