//! Ties between drafts of different rules.

use std::collections::HashSet;

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

/// Everything that the findings so far break.
pub(super) struct Broken(HashSet<Key>);

impl Broken {
    pub(super) fn by(drafts: &[Draft]) -> Self {
        Self(drafts.iter().flat_map(|draft| draft.breaks.iter().cloned()).collect())
    }

    pub(super) fn has(&self, key: &Key) -> bool {
        self.0.contains(key)
    }

    pub(super) fn has_any(&self, keys: &[Key]) -> bool {
        keys.iter().any(|key| self.has(key))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::diagnosis::facts::reference;
    use crate::diagnosis::report::Severity;

    #[rstest]
    #[case::how_it_fails("app-crash", "web", true)]
    #[case::why_it_fails("image-not-found", "web", false)]
    #[case::of_another_workload("app-crash", "api", false)]
    fn a_cause_explains_how_its_workload_fails(
        #[case] rule: &'static str,
        #[case] of: &str,
        #[case] explained: bool,
    ) {
        let [workload, cause] = ["Deployment", "Role"].map(|kind| Key::new(kind, "shop", "web"));
        let object = reference("apps/v1", "Deployment", "shop", of);
        let broken = Key::from(&object);
        let mut drafts =
            [Draft::new(rule, Severity::Critical, object, String::new()).breaks([broken.clone()])];
        explain(&mut drafts, &workload, &cause);
        assert_eq!(drafts[0].explained_by.contains(&cause), explained);
        assert!(Broken::by(&drafts).has_any(&[cause, broken]));
    }
}
