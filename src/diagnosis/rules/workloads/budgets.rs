//! Disruption budgets that never allow a disruption (FAILURES J11).

use serde_json::Value;

use crate::diagnosis::draft::{self, Draft, change, in_namespace, kubectl_name};
use crate::diagnosis::facts::{Facts, Object, Pod, Read, selector};
use crate::diagnosis::report::{Risk, Severity};
use crate::diagnosis::rules::kubectl;

/// Harmless until somebody drains a node; then the drain waits for ever.
pub(in crate::diagnosis::rules) fn check(facts: &Facts<'_>, drafts: &mut Vec<Draft>) {
    drafts.extend(facts.all("PodDisruptionBudget").iter().filter_map(|budget| blocking(facts, *budget)));
}

fn blocking(facts: &Facts<'_>, budget: Object<'_>) -> Option<Draft> {
    let value = budget.value();
    let expected = value.int("/status/expectedPods").filter(|expected| *expected > 0)?;
    let (field, setting) = never_allows(value, expected)?;
    let draining = draining(facts, budget);
    let (severity, effect) = match draining {
        Some(pod) => (
            Severity::Warning,
            format!(
                " Node {} is cordoned, and pod {} cannot be evicted from it.",
                pod.node().unwrap_or_default(),
                pod.object.name()
            ),
        ),
        None => (Severity::Info, String::new()),
    };
    let object = budget.reference();
    let (namespace, name) = (in_namespace(&object), kubectl_name(&object));
    let former = value.pointer(&format!("/spec/{field}")).cloned().unwrap_or(Value::Null);
    let patch = |limits: Value| {
        format!("kubectl {namespace}patch {name} --type merge -p '{}'", serde_json::json!({ "spec": limits }))
    };
    let undo = match field {
        "minAvailable" => patch(serde_json::json!({ "minAvailable": former, "maxUnavailable": null })),
        _ => patch(serde_json::json!({ "maxUnavailable": former })),
    };
    Some(
        Draft::new(
            "disruption-budget-blocks",
            severity,
            object.clone(),
            format!("PodDisruptionBudget {} never allows a disruption ({field} {setting} of {expected} pods)", budget.name()),
        )
        .summary(format!(
            "Draining a node, updating a node group or scaling nodes down waits for ever for its pods.{effect}"
        ))
        .evidence(draft::field(budget, &format!("/spec/{field}")))
        .evidence(draft::field(budget, "/status/expectedPods"))
        .evidence(draft::field(budget, "/status/disruptionsAllowed"))
        .remedy(change(
            "Allow one pod at a time to be evicted, and run at least two",
            kubectl::describe(&object),
            patch(serde_json::json!({ "minAvailable": null, "maxUnavailable": 1 })),
            undo,
            kubectl::get(&object, ""),
            Risk::Medium,
        )),
    )
}

/// The setting by which not one of the expected pods may go, even if all are healthy.
fn never_allows(value: &Value, expected: i64) -> Option<(&'static str, String)> {
    let amount = |field: &str| {
        value.pointer(&format!("/spec/{field}")).map(|setting| (setting.clone(), share(setting, expected)))
    };
    let shown = |setting: &Value| setting.as_str().map_or_else(|| setting.to_string(), str::to_owned);
    match (amount("minAvailable"), amount("maxUnavailable")) {
        (Some((setting, Some(least))), _) if least >= expected => Some(("minAvailable", shown(&setting))),
        (_, Some((setting, Some(most)))) if most <= 0 => Some(("maxUnavailable", shown(&setting))),
        _ => None,
    }
}

/// A number, or a percentage of the pods, rounded up as the controller does.
fn share(setting: &Value, expected: i64) -> Option<i64> {
    match setting {
        Value::String(text) => {
            let percent: i64 = text.strip_suffix('%')?.parse().ok()?;
            Some((expected * percent + 99) / 100)
        }
        number => number.as_i64(),
    }
}

/// A pod of the budget on a node that somebody drains.
fn draining<'f, 'a>(facts: &'f Facts<'a>, budget: Object<'a>) -> Option<&'f Pod<'a>> {
    let selector = budget.value().pointer("/spec/selector")?;
    facts.pods_in(budget.namespace()).find(|pod| {
        let node = pod.node().and_then(|node| facts.get("Node", "", node));
        node.is_some_and(|node| node.value().flag("/spec/unschedulable"))
            && !pod.is_done()
            && selector::matches(selector, pod.object.labels())
    })
}
