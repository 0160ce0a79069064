//! What CloudWatch knows, where there is an AWS account.

use serde_json::{Value, json};

use super::Wanted;
use super::known::Known;
use super::question::Topic;
use super::target::Target;

/// Minutes of metrics that are looked at.
const MINUTES: u32 = 60;
/// Metrics of the nodes together.
const OF_NODES: &str = "node_cpu_utilization,node_memory_utilization,node_filesystem_utilization";
/// Metrics of the pods of a namespace together.
const OF_PODS: &str = "pod_cpu_utilization,pod_memory_utilization";

/// The calls of a topic; what is not offered is left out by whoever calls.
pub(super) fn calls(topic: Topic, target: &Target, known: &Known<'_>) -> Vec<Wanted> {
    let Some(cluster) = known.first_report().map(|report| report.cluster.name.as_str()) else {
        return Vec::new();
    };
    match topic {
        Topic::Performance => metrics(cluster, target),
        Topic::Logs => known.unread_log().map(|pod| logs(cluster, pod)).into_iter().collect(),
        Topic::Health | Topic::Pods | Topic::Nodes | Topic::Rollouts | Topic::Events | Topic::ApiVersions => {
            Vec::new()
        }
    }
}

fn metrics(cluster: &str, target: &Target) -> Vec<Wanted> {
    let metrics = |names: &str, dimensions: Value| {
        let arguments = json!({
            "cluster_name": cluster, "metric_name": names, "dimensions": dimensions, "minutes": MINUTES, "limit": 12,
        });
        ("get_cloudwatch_metrics", arguments)
    };
    let of_namespaces = target.namespaces().into_iter();
    let of_namespaces = of_namespaces.map(|namespace| metrics(OF_PODS, json!({ "Namespace": namespace })));
    std::iter::once(metrics(OF_NODES, json!({}))).chain(of_namespaces).collect()
}

/// The last lines of a pod that the cluster has no log of any more.
fn logs(cluster: &str, pod: &str) -> Wanted {
    let arguments = json!({
        "cluster_name": cluster, "resource_type": "pod", "resource_name": pod, "log_type": "application",
        "minutes": MINUTES, "limit": 60,
    });
    ("get_cloudwatch_logs", arguments)
}
