//! The pass from a snapshot to a report.

use super::report::{Report, SCHEMA, Scope, Verdict};
use super::snapshot::{LogRef, Snapshot};

/// The containers whose logs would help, most telling first, at most `limit`.
pub fn wanted_logs(_snapshot: &Snapshot, _limit: usize) -> Vec<LogRef> {
    Vec::new()
}

/// Diagnoses a snapshot. `startedAt` is the snapshot's present and `durationMs` 0: who reads the clock sets both.
pub fn diagnose(snapshot: &Snapshot, scope: &Scope) -> Report {
    Report {
        schema: SCHEMA.to_owned(),
        cluster: snapshot.cluster.clone(),
        scope: scope.clone(),
        started_at: snapshot.now.to_string(),
        duration_ms: 0,
        verdict: Verdict::Unknown,
        findings: Vec::new(),
        root_causes: Vec::new(),
        coverage: snapshot.coverage.clone(),
        notes: Vec::new(),
    }
}
