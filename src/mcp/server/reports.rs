//! The last reports, so that a client can read them again.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Reports that are kept, of all callers together.
const MAX_REPORTS: usize = 32;

/// A report that was given to a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeptReport {
    caller: String,
    /// Its number; rises.
    pub(super) number: u64,
    /// When it was made.
    pub(super) made_at: jiff::Timestamp,
    /// The namespace that was asked about.
    pub(super) scope: Option<String>,
    /// As it was answered.
    pub(super) text: String,
}

/// The last reports; the oldest is forgotten first.
#[derive(Debug, Default)]
pub(super) struct Reports {
    kept: Mutex<VecDeque<KeptReport>>,
}

impl Reports {
    pub(super) fn keep(&self, caller: &str, scope: Option<&str>, text: &str) {
        let mut kept = self.lock();
        let report = KeptReport {
            caller: caller.to_owned(),
            number: kept.back().map_or(1, |last| last.number + 1),
            made_at: jiff::Timestamp::now(),
            scope: scope.map(str::to_owned),
            text: text.to_owned(),
        };
        if kept.len() >= MAX_REPORTS {
            kept.pop_front();
        }
        kept.push_back(report);
    }

    /// Those of a caller, newest first.
    pub(super) fn of(&self, caller: &str) -> Vec<KeptReport> {
        self.lock().iter().rev().filter(|report| report.caller == caller).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<KeptReport>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_reads_its_own_reports_only() {
        let reports = Reports::default();
        reports.keep("alice", Some("shop"), "one");
        reports.keep("bob", None, "two");
        let texts: Vec<_> = reports.of("alice").into_iter().map(|report| report.text).collect();
        assert_eq!(texts, ["one"]);
    }

    #[test]
    fn the_oldest_report_is_forgotten() {
        let reports = Reports::default();
        for number in 0..=MAX_REPORTS {
            reports.keep("alice", None, &number.to_string());
        }
        let kept = reports.of("alice");
        assert_eq!((kept.len(), kept[0].text.as_str()), (MAX_REPORTS, "32"));
        assert_eq!(kept.last().map(|report| report.number), Some(2));
    }
}
