//! Reading the logs of suspects, side by side.

use futures::StreamExt;

use crate::cluster::{Cluster, ClusterError, LogQuery};
use crate::diagnosis::report::Missing;
use crate::diagnosis::{ContainerLog, LogRef, Snapshot};

use super::SnapshotLimits;
use super::objects::{CONCURRENCY, FORBIDDEN};

/// Adds these logs to the snapshot, as far as they can be read.
pub(super) async fn add(
    cluster: &Cluster,
    mut snapshot: Snapshot,
    wanted: Vec<LogRef>,
    limits: SnapshotLimits,
) -> Snapshot {
    let reading = wanted.into_iter().map(|of| async move {
        let log = cluster.logs_within(&LogQuery::newest(&of, limits.log_lines), limits.log_bytes).await;
        (of, log)
    });
    let logs: Vec<_> = futures::stream::iter(reading).buffered(CONCURRENCY).collect().await;
    for (of, log) in logs {
        match log {
            Ok(text) => snapshot.logs.push(ContainerLog { of, text }),
            Err(error) => note(&mut snapshot.coverage.missing, gap(&of, &error)),
        }
    }
    snapshot
}

/// Says what is missing, once.
pub(in crate::cluster) fn note(all: &mut Vec<Missing>, missing: Option<Missing>) {
    all.extend(missing.filter(|missing| !all.contains(missing)));
}

/// What is missing without this log. Where a container has none, nothing is.
pub(in crate::cluster) fn gap(of: &LogRef, error: &ClusterError) -> Option<Missing> {
    match error {
        ClusterError::NotFound(_)
        | ClusterError::Invalid(_)
        | ClusterError::Conflict(_)
        | ClusterError::Expired(_) => None,
        ClusterError::Forbidden(_) => {
            let what = format!("logs in the namespace {}", of.namespace);
            Some(Missing { what, why: FORBIDDEN.to_owned() })
        }
        ClusterError::Unreachable(message) => {
            let which = if of.previous { "previous log" } else { "log" };
            let what = format!("{which} of {}/{}, {}", of.namespace, of.pod, of.container);
            Some(Missing { what, why: message.clone() })
        }
    }
}
