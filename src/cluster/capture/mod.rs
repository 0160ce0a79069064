//! Recording a cluster as a bundle: every kind that a diagnosis reads, and the logs of all pods, secrets redacted.

mod files;
mod logs;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::json;

use crate::diagnosis::report::Missing;
use crate::diagnosis::{READ_KINDS, ReadKind};

use super::snapshot::{KindRead, Reading};
use super::{Cluster, ClusterError, Progress};
use files::{Files, Writer};

/// Upper bounds of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaptureLimits {
    /// Objects of one kind.
    pub objects_per_kind: usize,
    /// Newest lines of one log; none where 0.
    pub log_lines: u32,
    /// Bytes of one log.
    pub log_bytes: usize,
}

impl Default for CaptureLimits {
    fn default() -> Self {
        Self { objects_per_kind: 50_000, log_lines: 1000, log_bytes: 1 << 20 }
    }
}

/// What was recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captured {
    /// Objects.
    pub objects: usize,
    /// Logs.
    pub logs: usize,
    /// What could not be recorded, and why.
    pub missing: Vec<Missing>,
}

/// Why there is no recording.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// Something is there already.
    #[error("{} exists and is not an empty folder: name a new one, or a new .tar.gz", path.display())]
    Occupied {
        /// Where the recording should have been written.
        path: PathBuf,
    },
    /// The cluster cannot be read.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The files cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// Where the recording should have been written.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

const fn also(group: &'static str, kind: &'static str, plural: &'static str, namespaced: bool) -> ReadKind {
    ReadKind { group, version: "v1", kind, plural, namespaced, essential: false }
}

/// Kinds that no rule reads yet and that people look for in a recording.
const ALSO_RECORDED: [ReadKind; 6] = [
    also("apps", "ControllerRevision", "controllerrevisions", true),
    also("apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions", false),
    also("coordination.k8s.io", "Lease", "leases", true),
    also("storage.k8s.io", "CSINode", "csinodes", false),
    also("node.k8s.io", "RuntimeClass", "runtimeclasses", false),
    also("", "ReplicationController", "replicationcontrollers", true),
];

/// Records a cluster at `path`: a folder, or an archive where the name ends in `.tar.gz` or `.tgz`. It appears there when
/// it is complete, and not at all where recording fails.
pub async fn capture(
    cluster: &Cluster,
    path: &Path,
    limits: CaptureLimits,
    progress: impl Fn(Progress) + Send + Sync,
) -> Result<Captured, CaptureError> {
    let write_error = |source| CaptureError::Write { path: path.to_owned(), source };
    if files::is_occupied(path) {
        return Err(CaptureError::Occupied { path: path.to_owned() });
    }
    let now = cluster.info.captured_at.unwrap_or_else(Timestamp::now);
    let reading =
        Reading { cluster, namespaces: Vec::new(), limit: limits.objects_per_kind, confined: false };
    let wanted: Vec<ReadKind> = READ_KINDS.iter().chain(&ALSO_RECORDED).copied().collect();
    let reads = reading.kinds(&wanted, &progress).await?;
    let writer = Writer::create(path).map_err(write_error)?;
    let files = Files::start(writer);
    let captured = record(cluster, reads, now, limits, &files, &progress).await;
    files.finish().await.map_err(write_error)?;
    Ok(captured)
}

/// Hands everything to the writer, which knows whether it could write.
async fn record(
    cluster: &Cluster,
    reads: Vec<KindRead>,
    now: Timestamp,
    limits: CaptureLimits,
    files: &Files,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Captured {
    let about = json!({
        "name": cluster.info.name, "kubernetesVersion": cluster.info.version, "capturedAt": now.to_string(),
    });
    files.add("cluster.json".to_owned(), pretty(&about)).await;
    let mut captured = Captured::default();
    let wanted = logs::wanted(&reads, limits);
    for read in reads {
        captured.missing.extend(read.missing);
        if read.read {
            captured.objects += read.items.len();
            let list = json!({ "apiVersion": "v1", "kind": "List", "items": read.items });
            files.add(format!("resources/{}.json", read.plural), pretty(&list)).await;
        }
    }
    let damaged = cluster.bundle.iter().flat_map(|bundle| bundle.damaged());
    captured
        .missing
        .extend(damaged.map(|damaged| Missing { what: damaged.file.clone(), why: damaged.why.clone() }));
    progress(Progress::Logs { count: wanted.len() });
    logs::record(cluster, wanted, limits, files, &mut captured).await;
    captured
}

fn pretty(value: &serde_json::Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}
