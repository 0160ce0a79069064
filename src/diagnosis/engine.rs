//! The pass from a snapshot to a report: facts, rules, causes, scope, order.

use std::collections::{BTreeMap, BTreeSet};

use super::causes::Causes;
use super::draft::Draft;
use super::facts::{Facts, Key};
use super::report::{Finding, Report, SCHEMA, Scope, Severity, Verdict};
use super::rules;
use super::snapshot::{LogRef, READ_KINDS, Snapshot};

/// The containers whose logs would help, most telling first, at most `limit`.
pub fn wanted_logs(snapshot: &Snapshot, limit: usize) -> Vec<LogRef> {
    rules::wanted_logs(&Facts::new(snapshot), limit)
}

/// Diagnoses a snapshot. `startedAt` is the snapshot's present and `durationMs` 0: who reads the clock sets both.
pub fn diagnose(snapshot: &Snapshot, scope: &Scope) -> Report {
    let facts = Facts::new(snapshot);
    let drafts = rules::run(&facts);
    let causes = Causes::link(&drafts);
    let kept = in_scope(&facts, &drafts, &causes, scope);
    let findings = findings(drafts, &causes, &kept);
    Report {
        schema: SCHEMA.to_owned(),
        cluster: snapshot.cluster.clone(),
        scope: scope.clone(),
        started_at: snapshot.now.to_string(),
        duration_ms: 0,
        verdict: verdict(&findings, &facts),
        root_causes: findings.iter().filter(|finding| finding.root_cause).map(|f| f.id.clone()).collect(),
        findings,
        coverage: snapshot.coverage.clone(),
        notes: notes(&facts),
    }
}

/// The drafts that the scope is about, and what explains them.
fn in_scope(facts: &Facts<'_>, drafts: &[Draft], causes: &Causes, scope: &Scope) -> BTreeSet<usize> {
    let wanted = scope_keys(facts, scope);
    let touches = |key: &Key| match &wanted {
        Some(wanted) => wanted.contains(key),
        None => scope.namespaces.is_empty() || scope.namespaces.contains(&key.namespace),
    };
    let about = |draft: &Draft| touches(&Key::from(&draft.object)) || draft.breaks.iter().any(touches);
    causes.with_ancestors((0..drafts.len()).filter(|index| about(&drafts[*index])))
}

/// The objects that a scope of one object is about: itself, and the workload that it belongs to.
fn scope_keys(facts: &Facts<'_>, scope: &Scope) -> Option<BTreeSet<Key>> {
    let object = scope.object.as_ref()?;
    let key = Key::from(object);
    let mut keys = BTreeSet::from([key.clone()]);
    if let Some(found) = facts.get(&key.kind, &key.namespace, &key.name) {
        keys.insert(facts.workload(found).key());
    }
    Some(keys)
}

/// Root causes first, then worst first; ids in that order.
fn findings(drafts: Vec<Draft>, causes: &Causes, kept: &BTreeSet<usize>) -> Vec<Finding> {
    let mut order: Vec<usize> = kept.iter().copied().collect();
    order.sort_by_cached_key(|index| {
        let draft = &drafts[*index];
        let victims = causes.victims(*index);
        (
            !causes.is_root(*index),
            draft.severity,
            draft.confidence,
            std::cmp::Reverse(victims),
            Key::from(&draft.object),
            draft.rule,
            draft.cause.clone(),
        )
    });
    let ids: BTreeMap<usize, String> =
        order.iter().enumerate().map(|(place, index)| (*index, format!("F{}", place + 1))).collect();
    let named = |indices: &mut dyn Iterator<Item = usize>| {
        let mut known: Vec<usize> = indices.filter(|index| ids.contains_key(index)).collect();
        known.sort_by_key(|index| order.iter().position(|placed| placed == index));
        known.iter().filter_map(|index| ids.get(index).cloned()).collect::<Vec<_>>()
    };
    let mut drafts: Vec<Option<Draft>> = drafts.into_iter().map(Some).collect();
    order
        .iter()
        .filter_map(|index| {
            let draft = drafts[*index].take()?;
            let caused_by = named(&mut causes.of(*index).iter().copied());
            let affects = named(&mut causes.explained_by(*index));
            Some(draft.into_finding(ids[index].clone(), caused_by, affects))
        })
        .collect()
}

fn verdict(findings: &[Finding], facts: &Facts<'_>) -> Verdict {
    let worst = findings.iter().map(|finding| finding.severity).min();
    match worst {
        Some(Severity::Critical) => Verdict::Failing,
        Some(Severity::Warning) => Verdict::Degraded,
        Some(Severity::Info) | None if is_blind(facts) => Verdict::Unknown,
        Some(Severity::Info) | None => Verdict::Healthy,
    }
}

/// Without these kinds, finding nothing means nothing.
fn is_blind(facts: &Facts<'_>) -> bool {
    READ_KINDS.iter().any(|kind| kind.essential && !facts.was_read(kind.kind))
}

fn notes(facts: &Facts<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if facts.was_read("Event") {
        notes.push(
            "Events are kept for about an hour: that there is none does not mean that nothing happened."
                .to_owned(),
        );
    } else {
        notes.push("Events could not be read: causes that only events tell are missing.".to_owned());
    }
    let blind: Vec<&str> = READ_KINDS
        .iter()
        .filter(|kind| kind.essential && !facts.was_read(kind.kind))
        .map(|kind| kind.plural)
        .collect();
    if !blind.is_empty() {
        notes.push(format!("Could not be read: {}. What depends on them was not judged.", blind.join(", ")));
    }
    notes
}
