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
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        // What was changed, and by whom, is not for everyone on this machine.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Ok(Self { file: Some(Mutex::new(options.open(path)?)) })
    }

    /// Writes down that an act begins, so that a process that is killed half way has said what it was about.
    ///
    /// # Errors
    /// It cannot be written down; then it must not be done.
    pub(super) fn begin(
        self: &Arc<Self>,
        caller: &str,
        act: &Act<'_>,
        approval: Approval,
    ) -> io::Result<Approved> {
        let approval = if approval == Approval::Ask { "plan" } else { "none" };
        let mut entry = json!({
            "id": uuid::Uuid::new_v4(), "at": jiff::Timestamp::now().to_string(), "caller": caller, "tool": act.tool, "act": act.summary,
            "place": act.place, "approval": approval,
        });
        entry["outcome"] = "begun".into();
        self.write(&entry)?;
        Ok(Approved { entry, audit: Some(Arc::clone(self)) })
    }

    fn write(&self, entry: &Value) -> io::Result<()> {
        let line = entry.to_string();
        tracing::info!(target: "drydock::audit", "{line}");
        let Some(file) = &self.file else { return Ok(()) };
        // In one write, so that lines of several processes do not mix.
        file.lock().unwrap_or_else(PoisonError::into_inner).write_all(format!("{line}\n").as_bytes())
    }
}

impl Approved {
    pub(super) fn end(mut self, outcome: &str) {
        self.write(outcome);
    }

    fn write(&mut self, outcome: &str) {
        if let Some(audit) = self.audit.take() {
            self.entry["outcome"] = outcome.into();
            self.entry["at"] = jiff::Timestamp::now().to_string().into();
            if let Err(error) = audit.write(&self.entry) {
                tracing::error!(%error, "the audit file cannot be written; what came of this act is in this log only");
            }
        }
    }
}

impl Drop for Approved {
    fn drop(&mut self) {
        self.write("unknown: the call ended before the answer came");
    }
}
