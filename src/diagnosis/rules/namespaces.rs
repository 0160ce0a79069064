//! Namespaces whose deletion does not come to its end (FAILURES L6).

use crate::diagnosis::draft::{self, Draft, advice};
use crate::diagnosis::facts::{Facts, Object, Read};
use crate::diagnosis::report::Severity;

use super::kubectl;

/// A deletion that takes longer than this, in seconds, hangs.
const GRACE: i64 = 600;

/// What keeps a namespace, as its conditions tell; what lies deepest first.
const CONDITIONS: [&str; 5] = [
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionGroupVersionParsingFailure",
    "NamespaceDeletionContentFailure",
    "NamespaceFinalizersRemaining",
    "NamespaceContentRemaining",
];

pub(super) fn check(facts: &Facts<'_>, drafts: &mut Vec<Draft>) {
    for namespace in facts.all("Namespace") {
        let is_told = drafts.iter().any(|draft| draft.object == namespace.reference());
        let since = namespace.value().time("/metadata/deletionTimestamp");
        if !is_told && since.is_some_and(|time| facts.seconds_since(time) > GRACE) {
            drafts.extend(stuck(facts, *namespace));
        }
    }
}

fn stuck(facts: &Facts<'_>, namespace: Object<'_>) -> Option<Draft> {
    let is_true =
        |name: &&&str| namespace.condition(name).is_some_and(|condition| condition["status"] == "True");
    let telling: Vec<&str> = CONDITIONS.iter().filter(is_true).copied().collect();
    let first = telling.first()?;
    let says = namespace.condition(first).map(|condition| draft::shorten(condition.text("/message"), 300));
    let show = kubectl::get(&namespace.reference(), "yaml");
    let apis = facts.all("APIService").iter().map(|api| api.key());
    let cannot_discover = telling.contains(&CONDITIONS[0]);
    Some(
        Draft::new(
            "namespace-stuck-terminating",
            Severity::Warning,
            namespace.reference(),
            format!("Namespace {} cannot be deleted: {first}", namespace.name()),
        )
        .cause(*first)
        .summary(format!(
            "Its deletion waits. Kubernetes says: {}. Repair what is named there (an API that does not answer, or the controller behind a finalizer) instead of removing finalizers.",
            says.unwrap_or_default()
        ))
        .evidence(draft::field(namespace, "/metadata/deletionTimestamp"))
        .evidence(telling.iter().filter_map(|name| draft::condition(namespace, name)))
        .explained_by(apis.filter(|_| cannot_discover))
        .remedy(advice("See what is left in it", format!("{show}; kubectl get apiservices"), show)),
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use crate::diagnosis::testing::{diagnosed, object, roots, symptoms, with};

    const LONG_AGO: &str = "2026-01-01T11:00:00Z";

    fn namespace(deleted: &str, condition: &str) -> Value {
        let condition = json!({ "type": condition, "status": "True", "message": "example.com/keep in 1 resource instances" });
        let other = json!({ "type": "NamespaceContentRemaining", "status": "False" });
        let status = json!({ "phase": "Terminating", "conditions": [other, condition] });
        with(
            object("v1", "Namespace", "old", json!({ "status": status })),
            json!({ "metadata": { "namespace": null, "deletionTimestamp": deleted } }),
        )
    }

    #[rstest]
    #[case::long_ago(LONG_AGO, true)]
    #[case::just_now("2026-01-01T11:59:00Z", false)]
    fn a_namespace_that_does_not_go_says_why(#[case] deleted: &str, #[case] told: bool) {
        let report = diagnosed(vec![namespace(deleted, "NamespaceFinalizersRemaining")]);
        assert_eq!(roots(&report) == ["namespace-stuck-terminating Namespace/old"], told);
        if told {
            assert!(
                report.findings[0].summary.contains("example.com/keep"),
                "{}",
                report.findings[0].summary
            );
        }
    }

    #[test]
    fn an_api_that_does_not_answer_keeps_every_namespace() {
        let api = json!({
            "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": { "name": "v1.example.com", "uid": "a" },
            "spec": { "group": "example.com", "service": { "namespace": "shop", "name": "gone" } },
            "status": { "conditions": [{ "type": "Available", "status": "False", "reason": "ServiceNotFound" }] },
        });
        let report = diagnosed(vec![namespace(LONG_AGO, "NamespaceDeletionDiscoveryFailure"), api]);
        assert_eq!(roots(&report), ["api-service-unavailable APIService/v1.example.com"]);
        assert_eq!(symptoms(&report), ["namespace-stuck-terminating Namespace/old"]);
    }
}
