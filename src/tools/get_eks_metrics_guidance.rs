//! `get_eks_metrics_guidance`: which metrics CloudWatch may have of a cluster, and under which dimensions.

mod known;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::table::table;
use super::{Annotations, CallContext, Tool, ToolError, ToolOutcome};
use known::{Metric, metrics};

pub(super) struct GetEksMetricsGuidance;

#[derive(Clone, Copy, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum ResourceType {
    Cluster,
    Node,
    Pod,
    Namespace,
    Service,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// What the metrics are of
    resource_type: ResourceType,
}

impl Tool for GetEksMetricsGuidance {
    const NAME: &'static str = "get_eks_metrics_guidance";
    const TITLE: &'static str = "List the metrics of EKS";
    const DESCRIPTION: &'static str = "Names of the CloudWatch metrics of a cluster, a node, a pod, a namespace or a service, with the namespace, the \
         unit and the sets of dimensions that a query of CloudWatch needs. A set has to be given whole.";
    const ANNOTATIONS: Annotations = Annotations::COMPUTES;
    type Input = Input;
    type Output = Value;
    type Context = CallContext;

    async fn run(&self, input: Input, _cx: &CallContext) -> Result<ToolOutcome, ToolError> {
        Ok(answer(input.resource_type))
    }
}

fn answer(of: ResourceType) -> ToolOutcome {
    let metrics = metrics(of);
    let rows: Vec<Vec<String>> = metrics.iter().map(row).collect();
    let mut text = table(&["NAMESPACE", "METRIC", "SOURCE", "UNIT", "DIMENSIONS", "MEANING"], &rows);
    text.push_str(
        "\nclassic: Container Insights; enhanced: Container Insights with enhanced observability; control-plane: sent \
         by EKS itself, from Kubernetes 1.28\n",
    );
    ToolOutcome::new(json!({ "resourceType": of, "metrics": metrics }), text)
}

/// The unit of a metric, where it is known.
pub(super) fn unit_of(namespace: &str, name: &str) -> Option<&'static str> {
    use ResourceType::{Cluster, Namespace, Node, Pod, Service};
    let known = [Cluster, Node, Pod, Namespace, Service].into_iter().flat_map(metrics);
    known
        .filter(|metric| metric.namespace == namespace)
        .find(|metric| metric.name == name)
        .map(|metric| metric.unit)
}

fn row(metric: &Metric) -> Vec<String> {
    let dimensions = metric.dimensions.join(" | ");
    let cells = [metric.namespace, metric.name, metric.source, metric.unit, &dimensions, metric.description];
    cells.map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [ResourceType; 5] = [
        ResourceType::Cluster,
        ResourceType::Node,
        ResourceType::Pod,
        ResourceType::Namespace,
        ResourceType::Service,
    ];

    #[test]
    fn every_metric_is_found_by_cluster_and_listed_once() {
        for of in ALL {
            let metrics = metrics(of);
            assert!(!metrics.is_empty());
            for metric in &metrics {
                assert!(metric.dimensions.iter().all(|set| set.split(',').any(|name| name == "ClusterName")));
                assert_eq!(
                    metrics.iter().filter(|other| other.name == metric.name).count(),
                    1,
                    "{}",
                    metric.name
                );
            }
        }
    }

    #[test]
    fn classic_enhanced_and_control_plane_metrics_are_told_apart() {
        let source = |of, name: &str| metrics(of).iter().find(|m| m.name == name).map(|m| m.source);
        assert_eq!(source(ResourceType::Pod, "pod_cpu_utilization"), Some("classic"));
        assert_eq!(source(ResourceType::Pod, "pod_status_pending"), Some("enhanced"));
        assert_eq!(source(ResourceType::Cluster, "scheduler_pending_pods"), Some("control-plane"));
    }
}
