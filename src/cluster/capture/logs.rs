//! The logs of a recording: of every container that has run, and of the instance before where it was restarted.

use futures::StreamExt;
use serde_json::Value;

use crate::cluster::kind::segment;
use crate::cluster::snapshot::{CONCURRENCY, KindRead, gap, note};
use crate::cluster::{Cluster, LogQuery};
use crate::diagnosis::LogRef;

use super::files::Files;
use super::{CaptureLimits, Captured};

/// The logs that the pods have.
pub(super) fn wanted(reads: &[KindRead], limits: CaptureLimits) -> Vec<LogRef> {
    if limits.log_lines == 0 {
        return Vec::new();
    }
    let pods = reads.iter().filter(|read| read.plural == "pods").flat_map(|read| &read.items);
    pods.flat_map(logs_of).collect()
}

fn logs_of(pod: &Value) -> Vec<LogRef> {
    let lists = ["initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"];
    let statuses = lists.iter().flat_map(|list| pod["status"][list].as_array().into_iter().flatten());
    let mut logs = Vec::new();
    for status in statuses {
        let restarted = status["restartCount"].as_u64().unwrap_or(0) > 0;
        let before = restarted || status["lastState"]["terminated"].is_object();
        let ran = status["state"]["running"].is_object() || status["state"]["terminated"].is_object();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let log = |previous| LogRef {
            namespace: text(&pod["metadata"]["namespace"]),
            pod: text(&pod["metadata"]["name"]),
            container: text(&status["name"]),
            previous,
        };
        if ran || before {
            logs.push(log(false));
        }
        if before {
            logs.push(log(true));
        }
    }
    logs
}

/// Reads these logs and adds them to the files. Empty ones are left out: no log reads the same.
pub(super) async fn record(
    cluster: &Cluster,
    wanted: Vec<LogRef>,
    limits: CaptureLimits,
    files: &Files,
    captured: &mut Captured,
) {
    let reading = wanted.into_iter().filter_map(|of| Some((path(&of)?, of))).map(|(path, of)| async move {
        let log = cluster.logs_within(&LogQuery::newest(&of, limits.log_lines), limits.log_bytes).await;
        (path, of, log)
    });
    let mut reading = futures::stream::iter(reading).buffered(CONCURRENCY);
    while let Some((path, of, log)) = reading.next().await {
        match log {
            Ok(text) if text.is_empty() => {}
            Ok(text) => {
                captured.logs += 1;
                files.add(path, text.into_bytes()).await;
            }
            Err(error) => note(&mut captured.missing, gap(&of, &error)),
        }
    }
}

/// Where a log is kept. Names come from the cluster: none may lead out of the recording.
fn path(of: &LogRef) -> Option<String> {
    let [namespace, pod, container] = [&of.namespace, &of.pod, &of.container].map(|name| segment(name).ok());
    let suffix = if of.previous { ".previous.log" } else { ".log" };
    Some(format!("logs/{}/{}/{}{suffix}", namespace?, pod?, container?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_the_cluster_does_not_lead_out_of_the_recording() {
        let of = |pod: &str| LogRef {
            namespace: "shop".to_owned(),
            pod: pod.to_owned(),
            container: "app".to_owned(),
            previous: true,
        };
        assert_eq!(path(&of("web-1")).as_deref(), Some("logs/shop/web-1/app.previous.log"));
        assert_eq!(path(&of("../../etc")), None);
        assert_eq!(path(&of("..")), None);
    }
}
