//! Ties between drafts of different rules.

use crate::diagnosis::draft::Draft;
use crate::diagnosis::facts::Key;

/// Rules that tell how a workload fails, not why.
const SYMPTOMS: [&str; 12] = [
    "app-crash",
    "app-config-error",
    "app-dependency-unavailable",
    "app-permission-denied",
    "container-completes",
    "init-container-fails",
    "init-container-waits",
    "liveness-probe-kills",
    "probe-timeout",
    "readiness-failing",
    "startup-too-slow",
    "job-failed",
];

/// Lets `cause` explain what was found of this workload so far.
pub(super) fn explain(drafts: &mut [Draft], workload: &Key, cause: &Key) {
    let of_workload = |draft: &&mut Draft| SYMPTOMS.contains(&draft.rule) && draft.breaks.contains(workload);
    for draft in drafts.iter_mut().filter(of_workload) {
        draft.explained_by.push(cause.clone());
    }
}

/// True where something found so far breaks one of these.
pub(super) fn is_broken(drafts: &[Draft], keys: &[Key]) -> bool {
    drafts.iter().any(|draft| draft.breaks.iter().any(|broken| keys.contains(broken)))
}
