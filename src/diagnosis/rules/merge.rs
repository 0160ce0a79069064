//! Several workloads may suffer from one thing, which is then one finding.

use crate::diagnosis::draft::Draft;
use crate::diagnosis::facts::Key;

/// Drafts of the same rule about the same object become one, with the victims of all.
pub(super) fn merged(drafts: Vec<Draft>) -> Vec<Draft> {
    let mut all: Vec<Draft> = Vec::new();
    for draft in drafts {
        let same = |known: &&mut Draft| {
            known.rule == draft.rule && Key::from(&known.object) == Key::from(&draft.object)
        };
        match all.iter_mut().find(same) {
            Some(known) => join(known, draft),
            None => all.push(draft),
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
