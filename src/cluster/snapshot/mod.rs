//! Reading everything that a diagnosis needs, side by side and page by page.

mod logs;
mod objects;

use std::fmt;
use std::time::Instant;

use jiff::Timestamp;
use serde_json::Value;

use crate::diagnosis::report::{Missing, Report, ReportCluster, Scope};
use crate::diagnosis::{
    self, ACCESS_KINDS, Access, AccessQuery, Hop, READ_KINDS, ReadKind, Snapshot, TRACED_KINDS, TraceQuery,
};

use super::{Cluster, ClusterError};
pub(super) use logs::{gap, note};
pub(super) use objects::{CONCURRENCY, KindRead, Reading};

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

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { done, of, objects } => write!(f, "reading: {done} of {of} kinds, {objects} objects"),
            Self::Logs { count } => write!(f, "reading {count} logs"),
            Self::Reasoning => f.write_str("looking for causes"),
        }
    }
}

/// Reads the cluster and diagnoses it. Whatever the scope, the whole cluster is read as far as it may be: causes lie
/// elsewhere. What cannot be read is named in the report's coverage.
pub async fn diagnose(
    cluster: &Cluster,
    scope: &Scope,
    limits: SnapshotLimits,
    progress: impl Fn(Progress) + Send + Sync,
) -> Result<Report, ClusterError> {
    let _turn = cluster.snapshots.acquire().await;
    let (started_at, clock) = (Timestamp::now(), Instant::now());
    let limit = limits.objects_per_kind;
    let reading = Reading { cluster, namespaces: namespaces(scope), limit, confined: false };
    let reads = reading.kinds(READ_KINDS, &progress).await?;
    let snapshot = assemble(cluster, reads, started_at);
    let (snapshot, wanted) = apart(move || {
        let wanted = diagnosis::wanted_logs(&snapshot, limits.logs);
        (snapshot, wanted)
    })
    .await?;
    progress(Progress::Logs { count: wanted.len() });
    let snapshot = logs::add(cluster, snapshot, wanted, limits).await;
    progress(Progress::Reasoning);
    let scope = scope.clone();
    let mut report = apart(move || diagnosis::diagnose(&snapshot, &scope)).await?;
    report.started_at = started_at.to_string();
    report.duration_ms = u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(report)
}

/// Follows a request through these namespaces, and says what of them could not be read.
pub async fn trace(
    cluster: &Cluster,
    query: TraceQuery,
    namespaces: Vec<String>,
) -> Result<(Vec<Hop>, Vec<Missing>), ClusterError> {
    let _turn = cluster.snapshots.acquire().await;
    let snapshot = gather(cluster, &TRACED_KINDS, namespaces, true).await?;
    apart(move || (diagnosis::trace(&snapshot, &query), snapshot.coverage.missing)).await
}

/// Says who may do what, by the roles and bindings of the cluster, and what of these could not be read.
pub async fn access(cluster: &Cluster, query: AccessQuery) -> Result<(Access, Vec<Missing>), ClusterError> {
    let _turn = cluster.snapshots.acquire().await;
    let namespaces = query.namespace.iter().cloned().collect();
    let snapshot = gather(cluster, &ACCESS_KINDS, namespaces, false).await?;
    apart(move || (diagnosis::access(&snapshot, &query), snapshot.coverage.missing)).await
}

/// A snapshot of some kinds only.
async fn gather(
    cluster: &Cluster,
    kinds: &[&str],
    namespaces: Vec<String>,
    confined: bool,
) -> Result<Snapshot, ClusterError> {
    let limit = SnapshotLimits::default().objects_per_kind;
    let reading = Reading { cluster, namespaces, limit, confined };
    let wanted: Vec<ReadKind> =
        READ_KINDS.iter().copied().filter(|kind| kinds.contains(&kind.kind)).collect();
    let reads = reading.kinds(&wanted, &|_| {}).await?;
    Ok(assemble(cluster, reads, Timestamp::now()))
}

/// The rules take a while on a large cluster.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ClusterError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| {
        tracing::error!(%error, "bug: a diagnosis panicked");
        ClusterError::Invalid("the diagnosis failed; this is a bug of drydock".to_owned())
    })
}

fn namespaces(scope: &Scope) -> Vec<String> {
    let mut namespaces = scope.namespaces.clone();
    let of_object = scope.object.iter().filter_map(|object| object.namespace.clone());
    namespaces.extend(of_object);
    namespaces.sort();
    namespaces.dedup();
    namespaces
}

fn assemble(cluster: &Cluster, reads: Vec<KindRead>, now: Timestamp) -> Snapshot {
    let info = &cluster.info;
    let mut snapshot = Snapshot {
        cluster: ReportCluster {
            name: info.name.clone(),
            version: info.version.clone(),
            region: None,
            source: if info.recorded { "bundle" } else { "live" }.to_owned(),
            captured_at: info.captured_at.map(|time| time.to_string()),
        },
        now: info.captured_at.unwrap_or(now),
        ..Snapshot::default()
    };
    for read in reads {
        if read.read {
            snapshot.coverage.read.push(read.plural.to_owned());
        }
        snapshot.coverage.missing.extend(read.missing);
        snapshot.objects.extend(read.items.into_iter().map(core_event));
    }
    let damaged = cluster.bundle.iter().flat_map(|bundle| bundle.damaged());
    let damaged = damaged.map(|damaged| Missing { what: damaged.file.clone(), why: damaged.why.clone() });
    snapshot.coverage.missing.extend(damaged);
    snapshot
}

/// An event of `events.k8s.io` in the shape of the core group, which the rules know: they are the same objects.
fn core_event(mut object: Value) -> Value {
    const NAMES: [(&str, &str); 6] = [
        ("regarding", "involvedObject"),
        ("note", "message"),
        ("deprecatedSource", "source"),
        ("deprecatedFirstTimestamp", "firstTimestamp"),
        ("deprecatedLastTimestamp", "lastTimestamp"),
        ("deprecatedCount", "count"),
    ];
    let is_new = object["apiVersion"].as_str().is_some_and(|version| version.starts_with("events.k8s.io/"));
    if let Some(fields) = object.as_object_mut().filter(|_| is_new) {
        for (name, core) in NAMES {
            if let Some(value) = fields.remove(name) {
                fields.insert(core.to_owned(), value);
            }
        }
        fields.insert("apiVersion".to_owned(), "v1".into());
    }
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_of_the_newer_group_is_read_as_one_of_the_core() {
        let new = json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event", "type": "Warning", "reason": "BackOff", "note": "again",
            "regarding": { "kind": "Pod", "name": "web-1" }, "deprecatedCount": 3,
            "deprecatedLastTimestamp": "2025-03-11T08:00:00Z", "deprecatedSource": { "component": "kubelet" },
        });
        let core = json!({
            "apiVersion": "v1", "kind": "Event", "type": "Warning", "reason": "BackOff", "message": "again",
            "involvedObject": { "kind": "Pod", "name": "web-1" }, "count": 3,
            "lastTimestamp": "2025-03-11T08:00:00Z", "source": { "component": "kubelet" },
        });
        assert_eq!(core_event(new), core);
        let other = json!({ "apiVersion": "v1", "kind": "Pod", "note": "mine" });
        assert_eq!(core_event(other.clone()), other);
    }

    #[test]
    fn the_namespaces_of_a_scope_are_its_own_and_that_of_its_object() {
        let object = crate::diagnosis::report::ObjectRef {
            api_version: "v1".to_owned(),
            kind: "Pod".to_owned(),
            namespace: Some("shop".to_owned()),
            name: "web-1".to_owned(),
        };
        let scope = Scope { namespaces: vec!["web".to_owned(), "shop".to_owned()], object: Some(object) };
        assert_eq!(namespaces(&scope), ["shop", "web"]);
    }
}
