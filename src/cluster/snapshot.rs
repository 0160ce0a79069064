//! Reading everything that a diagnosis needs, side by side and page by page.

use crate::diagnosis::report::{Report, Scope};

use super::{Cluster, ClusterError};

/// Upper bounds of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotLimits {
    /// Objects of one kind.
    pub objects_per_kind: usize,
    /// Logs that are read.
    pub logs: usize,
    /// Lines of one log.
    pub log_lines: u32,
    /// Bytes of one log.
    pub log_bytes: usize,
}

impl Default for SnapshotLimits {
    fn default() -> Self {
        Self { objects_per_kind: 50_000, logs: 40, log_lines: 200, log_bytes: 64 << 10 }
    }
}

/// A step of a diagnosis, for who shows progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// This many of all kinds are read.
    Read {
        /// Kinds read so far.
        done: usize,
        /// Kinds in all.
        of: usize,
        /// Objects read so far.
        objects: usize,
    },
    /// Logs are being read.
    Logs {
        /// How many.
        count: usize,
    },
    /// The rules run.
    Reasoning,
}

/// Reads the cluster and diagnoses it.
pub async fn diagnose(
    _cluster: &Cluster,
    _scope: &Scope,
    _limits: SnapshotLimits,
    _progress: impl Fn(Progress) + Send + Sync,
) -> Result<Report, ClusterError> {
    Err(ClusterError::Invalid("diagnosing is being built".to_owned()))
}
