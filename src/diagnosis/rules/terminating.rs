//! Deletions that do not come to their end (FAILURES L6, J12).

use serde_json::Value;

use crate::diagnosis::draft::{self, Draft, absent, advice, change, sh};
use crate::diagnosis::facts::{Facts, Key, Object, Pod, Read, reference};
use crate::diagnosis::report::{Confidence, Evidence, Remediation, Risk, Severity};

use super::kubectl;
use super::pods::is_node_down;

/// A deletion that takes longer than this, in seconds, after the time that it was given, hangs.
const GRACE: i64 = 600;

/// What keeps a namespace, as its conditions tell.
const CONDITIONS: [&str; 5] = [
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionGroupVersionParsingFailure",
    "NamespaceDeletionContentFailure",
    "NamespaceFinalizersRemaining",
    "NamespaceContentRemaining",
];

pub(super) fn check(facts: &Facts<'_>, drafts: &mut Vec<Draft>) {
    let stuck = |object: &&Object<'_>| is_stuck(facts, **object);
    drafts.extend(facts.all("Namespace").iter().filter(stuck).filter_map(|found| namespace(facts, *found)));
    drafts.extend(
        facts.pods().iter().filter(|found| is_stuck(facts, found.object)).map(|found| pod(facts, found)),
    );
}

/// The deletion should be over for long. A pod's time includes what it was given to end.
fn is_stuck(facts: &Facts<'_>, object: Object<'_>) -> bool {
    let since = object.value().time("/metadata/deletionTimestamp");
    since.is_some_and(|time| facts.seconds_since(time) > GRACE)
}

fn namespace(facts: &Facts<'_>, namespace: Object<'_>) -> Option<Draft> {
    let is_true =
        |name: &&&str| namespace.condition(name).is_some_and(|condition| condition["status"] == "True");
    let telling: Vec<&str> = CONDITIONS.iter().filter(is_true).copied().collect();
    let first = telling.first()?;
    let says = namespace.condition(first).map(|condition| draft::shorten(condition.text("/message"), 300));
    let show = kubectl::get(&namespace.reference(), "yaml");
    let apis = facts.all("APIService").iter().map(|api| api.key());
    let discovery = telling.contains(&"NamespaceDeletionDiscoveryFailure");
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
        .explained_by(apis.filter(|_| discovery))
        .remedy(advice("See what is left in it", format!("{show}; kubectl get apiservices"), show)),
    )
}

fn pod(facts: &Facts<'_>, pod: &Pod<'_>) -> Draft {
    let name = pod.object.name();
    let finalizers = pod.value().list("/metadata/finalizers");
    let finalizers: Vec<&str> = finalizers.iter().filter_map(Value::as_str).collect();
    let node = pod.node().unwrap_or_default();
    let is_gone = facts.was_read("Node") && !node.is_empty() && facts.get("Node", "", node).is_none();
    let why = if !finalizers.is_empty() {
        format!("it waits for finalizer {}", finalizers.join(", "))
    } else if is_gone {
        format!("its node {node} does not exist any more")
    } else if is_node_down(facts, node) {
        format!("its node {node} does not answer")
    } else {
        "the kubelet has not ended it".to_owned()
    };
    Draft::new(
        "pod-stuck-terminating",
        Severity::Warning,
        pod.object.reference(),
        format!("Pod {name} is not deleted: {why}"),
    )
    .confidence(if finalizers.is_empty() && !is_gone { Confidence::Likely } else { Confidence::Certain })
    .cause(if finalizers.is_empty() { "node" } else { "finalizer" })
    .summary(format!(
        "The pod should be gone by now: {why}. A StatefulSet makes no new pod of this name before."
    ))
    .evidence(draft::field(pod.object, "/metadata/deletionTimestamp"))
    .evidence(draft::field(pod.object, "/metadata/finalizers"))
    .evidence(gone_node(is_gone, node))
    .explained_by([Key::new("Node", "", node)])
    .remedy(remove(pod, is_gone))
}

fn gone_node(is_gone: bool, node: &str) -> Option<Evidence> {
    is_gone.then(|| absent(reference("v1", "Node", "", node), format!("there is no Node {node}")))
}

fn remove(pod: &Pod<'_>, is_gone: bool) -> Remediation {
    let (namespace, name) = (sh(pod.object.namespace()), sh(pod.object.name()));
    let show = kubectl::describe(&pod.object.reference());
    match is_gone {
        true => change(
            "Remove it by force: the machine is gone, so nothing runs twice",
            show,
            format!("kubectl -n {namespace} delete pod {name} --force --grace-period=0"),
            "nothing: its controller makes a new one",
            format!("kubectl -n {namespace} get pod {name}"),
            Risk::Medium,
        ),
        false => advice(
            "See what holds it, and repair that",
            show,
            format!("kubectl -n {namespace} get pod {name}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use crate::diagnosis::testing::{diagnosed, healthy_deployment, node, object, roots, symptoms, with};

    const LONG_AGO: &str = "2026-01-01T11:00:00Z";

    fn namespace(deleted: &str) -> Value {
        let condition = json!({ "type": "NamespaceFinalizersRemaining", "status": "True", "message": "example.com/keep in 1 resource instances" });
        let other = json!({ "type": "NamespaceContentRemaining", "status": "False" });
        with(
            object(
                "v1",
                "Namespace",
                "old",
                json!({ "status": { "phase": "Terminating", "conditions": [other, condition] } }),
            ),
            json!({ "metadata": { "namespace": null, "deletionTimestamp": deleted } }),
        )
    }

    #[rstest]
    #[case::long_ago(LONG_AGO, true)]
    #[case::just_now("2026-01-01T11:59:00Z", false)]
    fn a_namespace_that_does_not_go_says_why(#[case] deleted: &str, #[case] told: bool) {
        let report = diagnosed(vec![namespace(deleted)]);
        assert_eq!(roots(&report) == ["namespace-stuck-terminating Namespace/old"], told);
        if told {
            assert!(
                report.findings[0].summary.contains("example.com/keep"),
                "{}",
                report.findings[0].summary
            );
        }
    }

    fn leaving(metadata: Value) -> Value {
        let base = json!({ "metadata": { "deletionTimestamp": LONG_AGO } });
        with(with(healthy_deployment("web", json!({}))[2].clone(), base), json!({ "metadata": metadata }))
    }

    #[test]
    fn a_finalizer_that_holds_a_pod_is_named() {
        let pod = leaving(json!({ "finalizers": ["example.com/hold"] }));
        let report = diagnosed(vec![pod, node("n1", json!({}))]);
        assert_eq!(roots(&report), ["pod-stuck-terminating Pod/web-1"]);
        assert!(report.findings[0].title.contains("example.com/hold"), "{}", report.findings[0].title);
    }

    #[test]
    fn a_pod_whose_machine_is_gone_may_be_removed_by_force() {
        let report = diagnosed(vec![leaving(json!({})), node("n2", json!({}))]);
        let command = &report.findings[0].remediation[0].command;
        assert_eq!(command, "kubectl -n shop delete pod web-1 --force --grace-period=0");
    }

    #[test]
    fn a_pod_on_a_lost_node_is_a_symptom_of_the_node() {
        let lost = json!({ "status": { "conditions": [{ "type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "lastTransitionTime": LONG_AGO }] } });
        let report = diagnosed(vec![leaving(json!({})), node("n1", lost)]);
        assert_eq!(symptoms(&report), ["pod-stuck-terminating Pod/web-1"]);
    }
}
