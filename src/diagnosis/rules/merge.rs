//! Several workloads may suffer from one thing, which is then one finding.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::diagnosis::draft::Draft;
use crate::diagnosis::facts::Key;

/// Drafts of the same rule about the same object become one, with the victims of all.
pub(super) fn merged(drafts: Vec<Draft>) -> Vec<Draft> {
    let mut all: Vec<Draft> = Vec::new();
    let mut places = HashMap::new();
    for draft in drafts {
        match places.entry((draft.rule, Key::from(&draft.object))) {
            Entry::Occupied(place) => join(&mut all[*place.get()], draft),
            Entry::Vacant(place) => {
                place.insert(all.len());
                all.push(draft);
            }
        }
    }
    all
}

fn join(known: &mut Draft, other: Draft) {
    known.severity = known.severity.min(other.severity);
    known.confidence = known.confidence.min(other.confidence);
    let more = other.breaks.iter().find(|key| !known.breaks.contains(key) && key.kind != "Pod");
    if let Some(key) = more {
        known.summary.push_str(&format!(" The same holds for {key}."));
    }
    known.breaks.extend(other.breaks);
    known.explained_by.extend(other.explained_by);
}
