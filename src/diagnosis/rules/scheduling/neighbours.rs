//! Rules about other pods: topology spread, affinity and anti-affinity.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use crate::diagnosis::facts::{Facts, Object, Pod, Read, selector};

use super::demand;
use super::rooms::{Room, Rooms};
use super::selectors::NodeChoice;

const SPREAD: &str = "/spec/topologySpreadConstraints";
const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";

/// What rules about other pods say of one pod, counted over all nodes.
#[derive(Debug)]
pub(super) struct Neighbours<'f, 'a> {
    pub(super) spreads: Vec<Spread<'a>>,
    /// `podAffinity` terms: a matching pod has to be near.
    pub(super) together: Vec<Term<'f, 'a>>,
    /// `podAntiAffinity` terms: no matching pod may be near.
    pub(super) apart: Vec<Term<'f, 'a>>,
    /// Pods whose anti-affinity is about this pod, by topology key and domain.
    shunned: HashMap<(&'a str, &'a str), &'f Pod<'a>>,
}

/// A constraint that must hold, with the matching pods counted in each domain.
#[derive(Debug)]
pub(super) struct Spread<'a> {
    /// Its place in the list.
    pub(super) index: usize,
    pub(super) constraint: &'a Value,
    pub(super) domains: BTreeMap<&'a str, i64>,
    /// The pod itself counts.
    counts_itself: bool,
}

/// A term of affinity or anti-affinity, with a matching pod in each domain that has one.
#[derive(Debug)]
pub(super) struct Term<'f, 'a> {
    /// Its place in the list.
    pub(super) index: usize,
    pub(super) term: &'a Value,
    domains: HashMap<&'a str, &'f Pod<'a>>,
    /// No pod matches yet, and this one does: the first of its kind may go anywhere.
    is_first: bool,
}

impl<'f, 'a> Neighbours<'f, 'a> {
    pub(super) fn new(facts: &Facts<'a>, rooms: &Rooms<'f, 'a>, pod: &Pod<'a>, choice: &NodeChoice) -> Self {
        let terms = |kind: &str| terms(facts, rooms, pod, kind);
        let mut together = terms("podAffinity");
        // Only where no term has a match anywhere is the pod the first of its kind.
        let none_anywhere = together.iter().all(|term| term.domains.is_empty());
        together.iter_mut().for_each(|term| term.is_first &= none_anywhere);
        Self {
            spreads: spreads(rooms, pod, choice),
            together,
            apart: terms("podAntiAffinity"),
            shunned: shunned(facts, rooms, pod),
        }
    }

    /// The pod on or near this node that does not want this one.
    pub(super) fn shunned_by(&self, node: Object<'_>) -> Option<&'f Pod<'a>> {
        let mut found = self.shunned.iter();
        found.find(|((key, domain), _)| node.label(key) == Some(*domain)).map(|(_, pod)| *pod)
    }
}

impl<'a> Spread<'a> {
    pub(super) fn key(&self) -> &'a str {
        self.constraint.text("/topologyKey")
    }

    pub(super) fn max_skew(&self) -> i64 {
        self.constraint.int("/maxSkew").unwrap_or(1)
    }

    fn least(&self) -> i64 {
        let domains = i64::try_from(self.domains.len()).unwrap_or(i64::MAX);
        match self.constraint.int("/minDomains") {
            Some(wanted) if domains < wanted => 0,
            _ => self.domains.values().copied().min().unwrap_or(0),
        }
    }

    /// True where the pod would make this node's domain too full.
    pub(super) fn is_skewed_by(&self, node: Object<'_>) -> bool {
        let here = node.label(self.key()).and_then(|domain| self.domains.get(domain)).copied().unwrap_or(0);
        here + i64::from(self.counts_itself) - self.least() > self.max_skew()
    }
}

impl<'f, 'a> Term<'f, 'a> {
    pub(super) fn key(&self) -> &'a str {
        self.term.text("/topologyKey")
    }

    /// The matching pod in this node's domain.
    pub(super) fn near(&self, node: Object<'_>) -> Option<&'f Pod<'a>> {
        node.label(self.key()).and_then(|domain| self.domains.get(domain)).copied()
    }

    /// True where affinity is satisfied on this node.
    pub(super) fn is_met(&self, node: Object<'_>) -> bool {
        node.label(self.key()).is_some() && (self.is_first || self.near(node).is_some())
    }

    /// No pod matches on any node.
    pub(super) fn matches_nothing(&self) -> bool {
        self.domains.is_empty()
    }
}

fn spreads<'a>(rooms: &Rooms<'_, 'a>, pod: &Pod<'a>, choice: &NodeChoice) -> Vec<Spread<'a>> {
    let all = pod.value().list(SPREAD).iter().enumerate();
    let must: Vec<(usize, &'a Value)> =
        all.filter(|(_, constraint)| constraint["whenUnsatisfiable"] != "ScheduleAnyway").collect();
    let has_all_keys = |node: Object<'_>| {
        must.iter().all(|(_, constraint)| node.label(constraint.text("/topologyKey")).is_some())
    };
    let counted: Vec<&Room<'_, 'a>> = rooms.iter().filter(|room| has_all_keys(room.node)).collect();
    must.iter().map(|(index, constraint)| spread(&counted, pod, choice, *index, constraint)).collect()
}

fn spread<'a>(
    rooms: &[&Room<'_, 'a>],
    pod: &Pod<'a>,
    choice: &NodeChoice,
    index: usize,
    constraint: &'a Value,
) -> Spread<'a> {
    let selector = spread_selector(constraint, pod);
    let matches = |other: &Pod<'_>| selector::matches(&selector, other.object.labels());
    let mut domains = BTreeMap::new();
    for room in rooms.iter().filter(|room| is_counted(room, pod, choice, constraint)) {
        let Some(domain) = room.node.label(constraint.text("/topologyKey")) else { continue };
        let same = room.pods.iter().filter(|other| {
            other.object.namespace() == pod.object.namespace()
                && !other.object.is_terminating()
                && matches(other)
        });
        *domains.entry(domain).or_insert(0) += i64::try_from(same.count()).unwrap_or(i64::MAX);
    }
    Spread { index, constraint, domains, counts_itself: matches(pod) }
}

/// Domains that the pod may not use count by default where a taint forbids them, but not where its node affinity does.
fn is_counted(room: &Room<'_, '_>, pod: &Pod<'_>, choice: &NodeChoice, constraint: &Value) -> bool {
    let by_affinity = constraint.text("/nodeAffinityPolicy") == "Ignore" || choice.matches(room.node);
    let heeds_taints = constraint.text("/nodeTaintsPolicy") == "Honor";
    let mut taints = demand::repelling_taints(room.node.value());
    by_affinity && !(heeds_taints && taints.any(|taint| !demand::tolerates(pod, taint)))
}

/// The constraint's selector, with the pod's own values of `matchLabelKeys`.
fn spread_selector(constraint: &Value, pod: &Pod<'_>) -> Value {
    let Some(selector) = constraint.get("labelSelector").filter(|selector| selector.is_object()) else {
        // Without a selector, nothing is counted.
        return json!({ "matchExpressions": [{ "key": "", "operator": "Exists" }] });
    };
    with_label_keys(selector, constraint, pod)
}

fn with_label_keys(selector: &Value, from: &Value, pod: &Pod<'_>) -> Value {
    let mut expressions = selector.list("/matchExpressions").to_vec();
    for (list, operator) in [("/matchLabelKeys", "In"), ("/mismatchLabelKeys", "NotIn")] {
        for key in from.list(list).iter().filter_map(Value::as_str) {
            if let Some(value) = pod.object.label(key) {
                expressions.push(json!({ "key": key, "operator": operator, "values": [value] }));
            }
        }
    }
    json!({ "matchLabels": selector["matchLabels"], "matchExpressions": expressions })
}

fn terms<'f, 'a>(facts: &Facts<'a>, rooms: &Rooms<'f, 'a>, pod: &Pod<'a>, kind: &str) -> Vec<Term<'f, 'a>> {
    let all = pod.value().list(&format!("/spec/affinity/{kind}/{REQUIRED}")).iter().enumerate();
    all.map(|(index, term)| {
        let rule = PodRule::new(facts, term, pod);
        let mut domains = HashMap::new();
        for room in rooms.iter() {
            let near = room.pods.iter().find(|other| rule.is_about(other));
            if let (Some(domain), Some(near)) = (room.node.label(term.text("/topologyKey")), near) {
                domains.entry(domain).or_insert(*near);
            }
        }
        Term { index, term, domains, is_first: rule.is_about(pod) }
    })
    .collect()
}

/// Which pods a term is about.
struct PodRule {
    namespaces: Vec<String>,
    selector: Option<Value>,
}

impl PodRule {
    /// The rule as `owner`'s specification states it.
    fn new(facts: &Facts<'_>, term: &Value, owner: &Pod<'_>) -> Self {
        let mut namespaces: Vec<String> =
            term.list("/namespaces").iter().filter_map(Value::as_str).map(str::to_owned).collect();
        match term.get("namespaceSelector").filter(|selector| selector.is_object()) {
            Some(selector) => namespaces.extend(selected_namespaces(facts, selector)),
            None if namespaces.is_empty() => namespaces.push(owner.object.namespace().to_owned()),
            None => {}
        }
        let selector = term.get("labelSelector").filter(|selector| selector.is_object());
        Self { namespaces, selector: selector.map(|selector| with_label_keys(selector, term, owner)) }
    }

    fn is_about(&self, pod: &Pod<'_>) -> bool {
        let in_namespace = self.namespaces.iter().any(|name| name == pod.object.namespace());
        let selected = |selector: &Value| selector::matches(selector, pod.object.labels());
        in_namespace && self.selector.as_ref().is_some_and(selected)
    }
}

fn selected_namespaces(facts: &Facts<'_>, selector: &Value) -> Vec<String> {
    let selected = facts.all("Namespace").iter().filter(|space| selector::matches(selector, space.labels()));
    selected.map(|space| space.name().to_owned()).collect()
}

fn shunned<'f, 'a>(
    facts: &Facts<'a>,
    rooms: &Rooms<'f, 'a>,
    pod: &Pod<'a>,
) -> HashMap<(&'a str, &'a str), &'f Pod<'a>> {
    let mut found = HashMap::new();
    for room in rooms.iter() {
        for other in &room.pods {
            for term in other.value().list(&format!("/spec/affinity/podAntiAffinity/{REQUIRED}")) {
                let key = term.text("/topologyKey");
                let Some(domain) = room.node.label(key) else { continue };
                if PodRule::new(facts, term, other).is_about(pod) {
                    found.entry((key, domain)).or_insert(*other);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diagnosis::testing;

    /// Nodes n1 and n2 in zone a, n3 in zone b; `app: web` runs on n1.
    fn cluster(wanting: Value) -> Vec<Value> {
        let zoned = |name: &str, zone: &str| {
            testing::node(name, json!({ "metadata": { "labels": { "zone": zone } } }))
        };
        let pod = |name: &str, rest: Value| {
            let base =
                json!({ "metadata": { "labels": { "app": "web" } }, "status": { "phase": "Running" } });
            testing::object("v1", "Pod", name, testing::with(base, rest))
        };
        vec![
            zoned("n1", "a"),
            zoned("n2", "a"),
            zoned("n3", "b"),
            pod("running", json!({ "spec": { "nodeName": "n1" } })),
            pod("waiting", json!({ "spec": wanting, "status": { "phase": "Pending" } })),
            testing::object("v1", "Namespace", "shop", json!({ "metadata": { "namespace": null } })),
        ]
    }

    /// What `check` says of each node, for the pod `waiting`.
    fn on_nodes(objects: Vec<Value>, check: impl Fn(&Neighbours<'_, '_>, Object<'_>) -> bool) -> Vec<bool> {
        let snapshot = testing::snapshot(objects);
        let facts = Facts::new(&snapshot);
        let rooms = Rooms::new(&facts);
        let pod = facts.pods().iter().find(|pod| pod.object.name() == "waiting").unwrap();
        let neighbours = Neighbours::new(&facts, &rooms, pod, &NodeChoice::of_pod(pod));
        rooms.iter().map(|room| check(&neighbours, room.node)).collect()
    }

    fn spread_by(key: &str, more: Value) -> Value {
        let base = json!({ "topologyKey": key, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": { "matchLabels": { "app": "web" } } });
        json!({ "topologySpreadConstraints": [testing::with(base, more)] })
    }

    fn skewed(objects: Vec<Value>) -> Vec<bool> {
        on_nodes(objects, |neighbours, node| {
            neighbours.spreads.iter().any(|spread| spread.is_skewed_by(node))
        })
    }

    #[test]
    fn a_domain_with_more_pods_than_the_least_is_too_full() {
        assert_eq!(skewed(cluster(spread_by("zone", json!({})))), [true, true, false]);
        assert_eq!(skewed(cluster(spread_by("zone", json!({ "maxSkew": 2 })))), [false, false, false]);
    }

    #[test]
    fn a_constraint_that_need_not_hold_does_not_count() {
        let soft = spread_by("zone", json!({ "whenUnsatisfiable": "ScheduleAnyway" }));
        assert_eq!(skewed(cluster(soft)), [false, false, false]);
    }

    #[test]
    fn domains_that_a_taint_forbids_count_unless_taints_are_honoured() {
        let mut objects = cluster(spread_by("zone", json!({})));
        objects[2]["spec"]["taints"] = json!([{ "key": "x", "effect": "NoSchedule" }]);
        assert_eq!(skewed(objects), [true, true, false]);
        let mut objects = cluster(spread_by("zone", json!({ "nodeTaintsPolicy": "Honor" })));
        objects[2]["spec"]["taints"] = json!([{ "key": "x", "effect": "NoSchedule" }]);
        assert_eq!(skewed(objects)[..2], [false, false]);
    }

    fn term(selector: Value) -> Value {
        json!({ REQUIRED: [{ "topologyKey": "zone", "labelSelector": selector }] })
    }

    #[test]
    fn anti_affinity_forbids_the_whole_domain() {
        let wanting =
            json!({ "affinity": { "podAntiAffinity": term(json!({ "matchLabels": { "app": "web" } })) } });
        let near = |neighbours: &Neighbours<'_, '_>, node: Object<'_>| {
            neighbours.apart.iter().any(|term| term.near(node).is_some())
        };
        assert_eq!(on_nodes(cluster(wanting), near), [true, true, false]);
    }

    #[test]
    fn affinity_wants_a_pod_in_the_domain() {
        let met = |neighbours: &Neighbours<'_, '_>, node: Object<'_>| {
            neighbours.together.iter().all(|term| term.is_met(node))
        };
        let to = |app: &str| json!({ "affinity": { "podAffinity": term(json!({ "matchLabels": { "app": app } })) } });
        assert_eq!(on_nodes(cluster(to("web")), met), [true, true, false]);
        assert_eq!(on_nodes(cluster(to("cache")), met), [false, false, false]);
    }

    #[test]
    fn the_first_pod_of_its_kind_may_go_anywhere() {
        let wanting =
            json!({ "affinity": { "podAffinity": term(json!({ "matchLabels": { "app": "web" } })) } });
        let mut objects = cluster(wanting);
        objects.remove(3);
        let met = |neighbours: &Neighbours<'_, '_>, node: Object<'_>| {
            neighbours.together.iter().all(|term| term.is_met(node))
        };
        assert_eq!(on_nodes(objects, met), [true, true, true]);
    }

    #[test]
    fn a_pod_is_the_first_of_its_kind_only_where_none_of_its_rules_has_a_match() {
        let of =
            |app: &str| json!({ "topologyKey": "zone", "labelSelector": { "matchLabels": { "app": app } } });
        let both = json!({ "affinity": { "podAffinity": { REQUIRED: [of("web"), of("other")] } } });
        let mut objects = cluster(both);
        objects[3]["metadata"]["labels"] = json!({ "app": "other" });
        let met = |neighbours: &Neighbours<'_, '_>, node: Object<'_>| {
            neighbours.together.iter().all(|term| term.is_met(node))
        };
        assert_eq!(on_nodes(objects, met), [false, false, false]);
    }

    #[test]
    fn another_pods_anti_affinity_counts_as_well() {
        let mut objects = cluster(json!({}));
        objects[3]["spec"]["affinity"] = json!({ "podAntiAffinity": term(json!({})) });
        let shunned =
            |neighbours: &Neighbours<'_, '_>, node: Object<'_>| neighbours.shunned_by(node).is_some();
        assert_eq!(on_nodes(objects, shunned), [true, true, false]);
    }
}
