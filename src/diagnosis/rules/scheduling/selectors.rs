//! Which nodes a pod or a volume wants: `nodeSelector`, required node affinity, and the requirement that fails.

use serde_json::{Value, json};

use crate::diagnosis::draft::pointer_token;
use crate::diagnosis::facts::{Object, Pod, Read, selector};

const REQUIRED: &str = "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution";

/// One thing that a node has to have.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Requirement {
    /// `key`, `operator`, `values`.
    pub(super) expression: Value,
    /// Where it stands, below the specification.
    pub(super) pointer: String,
    /// It is about a field of the node (its name), not about its labels.
    is_field: bool,
}

/// All requirements: every one of `always`, and all of at least one of `either`, where there are any.
#[derive(Debug, Default)]
pub(super) struct NodeChoice {
    always: Vec<Requirement>,
    either: Vec<Vec<Requirement>>,
}

impl NodeChoice {
    pub(super) fn of_pod(pod: &Pod<'_>) -> Self {
        let always = pod.value().members("/spec/nodeSelector").map(|(key, value)| Requirement {
            expression: json!({ "key": key, "operator": "In", "values": [value] }),
            pointer: format!("/nodeSelector/{}", pointer_token(key)),
            is_field: false,
        });
        let either = terms(pod.value(), &format!("/spec{REQUIRED}"), REQUIRED);
        Self { always: always.collect(), either }
    }

    /// The nodes from which a volume can be reached.
    pub(super) fn of_volume(volume: Object<'_>) -> Self {
        let at = "/spec/nodeAffinity/required";
        let zones = ["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"];
        let either = terms(volume.value(), at, at);
        // Volumes from before CSI carry their zone as a label; several are joined by `__`.
        let zone = zones.into_iter().find_map(|key| Some((key, volume.label(key)?)));
        let labelled = zone.filter(|_| either.is_empty()).map(|(key, value)| Requirement {
            expression: json!({ "key": key, "operator": "In", "values": value.split("__").collect::<Vec<_>>() }),
            pointer: format!("/metadata/labels/{}", pointer_token(key)),
            is_field: false,
        });
        Self { always: labelled.into_iter().collect(), either }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.always.is_empty() && self.either.is_empty()
    }

    /// What this node does not satisfy, by the alternative that it comes closest to. Empty where it matches.
    pub(super) fn failing(&self, node: Object<'_>) -> Vec<&Requirement> {
        let fails = |requirement: &&Requirement| !requirement.matches(node);
        let alternatives = self.either.iter().map(|term| term.iter().filter(fails).collect::<Vec<_>>());
        let nearest = alternatives.min_by_key(Vec::len).unwrap_or_default();
        self.always.iter().filter(fails).chain(nearest).collect()
    }

    pub(super) fn matches(&self, node: Object<'_>) -> bool {
        self.failing(node).is_empty()
    }

    /// `disktype=ssd, topology.kubernetes.io/zone in (a, b)`; alternatives are joined by `or`.
    pub(super) fn show(&self) -> String {
        let join = |requirements: &[Requirement]| {
            requirements.iter().map(Requirement::show).collect::<Vec<_>>().join(", ")
        };
        let either: Vec<String> = self.either.iter().map(|term| join(term)).collect();
        let parts = [join(&self.always), either.join(" or ")];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }
}

fn terms(value: &Value, at: &str, shown_at: &str) -> Vec<Vec<Requirement>> {
    let terms = value.list(&format!("{at}/nodeSelectorTerms")).iter().enumerate();
    let terms =
        terms.map(|(index, term)| requirements(term, &format!("{shown_at}/nodeSelectorTerms/{index}")));
    // A term without requirements matches no node; the API server refuses it in new objects.
    terms.filter(|term| !term.is_empty()).collect()
}

fn requirements(term: &Value, at: &str) -> Vec<Requirement> {
    let of = |list: &'static str, is_field: bool| {
        term.list(&format!("/{list}")).iter().enumerate().map(move |(index, expression)| Requirement {
            expression: expression.clone(),
            pointer: format!("{at}/{list}/{index}"),
            is_field,
        })
    };
    of("matchExpressions", false).chain(of("matchFields", true)).collect()
}

impl Requirement {
    fn matches(&self, node: Object<'_>) -> bool {
        if !self.is_field {
            return selector::expression_matches(&self.expression, node.labels());
        }
        let fields = json!({ "metadata.name": node.name() });
        selector::expression_matches(&self.expression, fields.as_object())
    }

    pub(super) fn show(&self) -> String {
        selector::show_expression(&self.expression)
    }

    pub(super) fn key(&self) -> &str {
        self.expression.text("/key")
    }

    /// The values that would do.
    pub(super) fn wanted(&self) -> Vec<&str> {
        let asks = self.expression.text("/operator") == "In";
        let values = self.expression.list("/values").iter().filter(|_| asks);
        values.filter_map(Value::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::facts::Workload;
    use crate::diagnosis::testing;

    fn failing(spec: Value) -> Vec<String> {
        let value = json!({ "kind": "Pod", "spec": spec });
        let pod = Pod::new(Object::new(&value), Workload::of(Object::new(&value)));
        let labels = json!({ "zone": "a", "disk": "ssd" });
        let node = testing::node("n1", json!({ "metadata": { "labels": labels } }));
        let choice = NodeChoice::of_pod(&pod);
        choice
            .failing(Object::new(&node))
            .iter()
            .map(|requirement| format!("{} {}", requirement.pointer, requirement.show()))
            .collect()
    }

    fn affinity(terms: Value) -> Value {
        json!({ "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": terms } } } })
    }

    fn is(key: &str, value: &str) -> Value {
        json!({ "key": key, "operator": "In", "values": [value] })
    }

    #[test]
    fn a_pod_without_wishes_fits_everywhere() {
        assert!(failing(json!({})).is_empty());
    }

    #[test]
    fn every_pair_of_a_node_selector_has_to_match() {
        assert_eq!(
            failing(json!({ "nodeSelector": { "zone": "a", "disk": "hdd" } })),
            ["/nodeSelector/disk disk=hdd"]
        );
    }

    #[test]
    fn one_of_several_terms_is_enough() {
        let other = json!({ "matchExpressions": [is("zone", "b")] });
        let good = json!({ "matchExpressions": [is("zone", "a"), is("disk", "ssd")] });
        assert!(failing(affinity(json!([other, good]))).is_empty());
    }

    #[test]
    fn the_nearest_term_tells_what_fails() {
        let far = json!({ "matchExpressions": [is("zone", "b"), is("disk", "hdd")] });
        let near = json!({ "matchExpressions": [is("zone", "a"), is("disk", "hdd")] });
        let found = failing(affinity(json!([far, near])));
        assert_eq!(found.len(), 1);
        assert!(found[0].ends_with("nodeSelectorTerms/1/matchExpressions/1 disk=hdd"), "{found:?}");
    }

    #[test]
    fn fields_are_compared_with_the_nodes_name() {
        let named = |name: &str| affinity(json!([{ "matchFields": [is("metadata.name", name)] }]));
        assert!(failing(named("n1")).is_empty());
        assert_eq!(failing(named("n2")).len(), 1);
    }

    #[test]
    fn volumes_from_before_csi_name_their_zones_in_a_label() {
        let volume = json!({ "kind": "PersistentVolume", "metadata": { "labels": { "topology.kubernetes.io/zone": "a__b" } } });
        let zone = |zone: &str| {
            testing::node("n", json!({ "metadata": { "labels": { "topology.kubernetes.io/zone": zone } } }))
        };
        let choice = NodeChoice::of_volume(Object::new(&volume));
        assert!(choice.matches(Object::new(&zone("b"))));
        assert!(!choice.matches(Object::new(&zone("c"))));
    }
}
