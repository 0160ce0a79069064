//! The record of what was done: one JSON object per act, in the log and, if wanted, in a file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::{Act, Approval};

/// Where acts are written down.
#[derive(Debug, Default)]
pub(super) struct Audit {
    file: Option<Mutex<File>>,
}

/// An act that is being done. Whatever becomes of it is written down, also if the call is given up half way.
#[derive(Debug)]
#[must_use]
pub struct Approved {
    entry: Value,
    audit: Option<Arc<Audit>>,
}

impl Audit {
    pub(super) fn append_to(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file: Some(Mutex::new(file)) })
    }

    pub(super) fn begin(self: &Arc<Self>, caller: &str, act: &Act<'_>, approval: Approval) -> Approved {
        let approval = if approval == Approval::Ask { "plan" } else { "none" };
        let entry = json!({
            "at": jiff::Timestamp::now().to_string(), "caller": caller, "tool": act.tool, "act": act.summary,
            "place": act.place, "approval": approval,
        });
        Approved { entry, audit: Some(Arc::clone(self)) }
    }

    fn write(&self, entry: &Value) {
        let line = entry.to_string();
        tracing::info!(target: "drydock::audit", "{line}");
        let Some(file) = &self.file else { return };
        // In one write, so that lines of several processes do not mix.
        let written =
            file.lock().unwrap_or_else(PoisonError::into_inner).write_all(format!("{line}\n").as_bytes());
        if let Err(error) = written {
            tracing::error!(%error, "the audit file cannot be written; the record of this act is in this log only");
        }
    }
}

impl Approved {
    pub(super) fn end(mut self, outcome: &str) {
        self.write(outcome);
    }

    fn write(&mut self, outcome: &str) {
        if let Some(audit) = self.audit.take() {
            self.entry["outcome"] = outcome.into();
            audit.write(&self.entry);
        }
    }
}

impl Drop for Approved {
    fn drop(&mut self) {
        self.write("unknown: the call ended before the answer came");
    }
}
