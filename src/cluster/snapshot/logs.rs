//! Reading the logs of suspects, side by side.

use std::collections::BTreeSet;

use futures::StreamExt;

use crate::cluster::{Cluster, ClusterError, LogQuery};
use crate::diagnosis::report::Missing;
use crate::diagnosis::{ContainerLog, LogRef, Snapshot};

use super::SnapshotLimits;
use super::objects::CONCURRENCY;

/// Adds these logs to the snapshot, as far as they can be read.
pub(super) async fn add(
    cluster: &Cluster,
    mut snapshot: Snapshot,
    wanted: Vec<LogRef>,
    limits: SnapshotLimits,
) -> Snapshot {
    let reading = wanted.into_iter().map(|of| async move {
        let log = cluster.logs_within(&query(&of, limits), limits.log_bytes).await;
        (of, log)
    });
    let logs: Vec<_> = futures::stream::iter(reading).buffered(CONCURRENCY).collect().await;
    let mut missing = BTreeSet::new();
    for (of, log) in logs {
        match log {
            Ok(text) => snapshot.logs.push(ContainerLog { of, text }),
            Err(error) => missing.extend(gap(&of, &error)),
        }
    }
    let missing = missing.into_iter().map(|(what, why)| Missing { what, why });
    snapshot.coverage.missing.extend(missing);
    snapshot
}

fn query(of: &LogRef, limits: SnapshotLimits) -> LogQuery {
    LogQuery {
        namespace: of.namespace.clone(),
        pod: of.pod.clone(),
        container: Some(of.container.clone()),
        previous: of.previous,
        tail_lines: Some(limits.log_lines),
        since_seconds: None,
    }
}

/// What is missing without this log. Where a container has none, nothing is.
fn gap(of: &LogRef, error: &ClusterError) -> Option<(String, String)> {
    match error {
        ClusterError::NotFound(_) | ClusterError::Invalid(_) | ClusterError::Expired(_) => None,
        ClusterError::Forbidden(_) => {
            Some((format!("logs in the namespace {}", of.namespace), "forbidden".to_owned()))
        }
        ClusterError::Unreachable(message) => {
            let which = if of.previous { "previous log" } else { "log" };
            Some((format!("{which} of {}/{}, {}", of.namespace, of.pod, of.container), message.clone()))
        }
    }
}
