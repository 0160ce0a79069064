//! `get_metrics`: what pods and nodes use now, against what they ask for, may take, and have.

mod usage;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cluster::{ClusterError, Kind, ListQuery, age};

use super::objects::{Presence, list_all, name_of, namespace_of, presence};
use super::table::{cell, table};
use super::text::{counted, near_names, nearest, plain};
use super::{Tool, ToolContext, ToolError, ToolOutcome};

use usage::{Amounts, Usage, container_usages, of_node, of_pod, requests};

const GROUP: &str = "metrics.k8s.io";
/// Most objects of one kind that are read.
const MAX_OBJECTS: usize = 50_000;

pub(super) struct GetMetrics;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum What {
    Pods,
    Nodes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum SortBy {
    Cpu,
    Memory,
    Name,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// Whose usage
    #[serde(default = "default_kind")]
    kind: What,
    /// Only this pod or node
    name: Option<String>,
    /// Only pods of this namespace; all namespaces where left out
    namespace: Option<String>,
    /// Label selector as kubectl takes it
    label_selector: Option<String>,
    /// What comes first: the most CPU, the most memory, or the names in their order
    #[serde(default = "default_sort")]
    sort_by: SortBy,
    /// Of pods: each container by itself
    #[serde(default)]
    containers: bool,
    /// Most rows to return
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 500))]
    limit: usize,
}

fn default_kind() -> What {
    What::Pods
}

fn default_sort() -> SortBy {
    SortBy::Memory
}

fn default_limit() -> usize {
    50
}

/// Usage, the greatest first.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Output {
    /// `pods`, `containers` or `nodes`.
    kind: &'static str,
    /// Rows in all; `items` may be fewer.
    total: usize,
    /// When the oldest of these was measured, RFC 3339.
    measured_at: Option<String>,
    items: Vec<Usage>,
    /// Sums over all rows.
    sum: Amounts,
    /// Pods that should run and have no measurement.
    not_measured: Vec<String>,
}

impl Tool for GetMetrics {
    const NAME: &'static str = "get_metrics";
    const TITLE: &'static str = "Read CPU and memory usage";
    const DESCRIPTION: &'static str = "CPU and memory that pods, their containers or nodes use now (metrics.k8s.io), in per cent of requests and limits, \
         of nodes in per cent of what they can allocate, with what is requested on them. The greatest comes first. Needs \
         metrics-server; for the past use get_cloudwatch_metrics.";
    type Input = Input;
    type Output = Output;
    type Context = ToolContext;

    async fn run(&self, input: Input, cx: &ToolContext) -> Result<ToolOutcome, ToolError> {
        let kind = metrics_kind(cx, input.kind).await?;
        let (mut items, not_measured) = match input.kind {
            What::Pods => pods(cx, &kind, &input).await?,
            What::Nodes => (nodes(cx, &kind, &input).await?, Vec::new()),
        };
        if items.is_empty() {
            return Err(nothing(cx, &kind, &input, &not_measured).await);
        }
        sort(&mut items, input.sort_by);
        let total = items.len();
        let output = Output {
            kind: match (input.kind, input.containers) {
                (What::Nodes, _) => "nodes",
                (What::Pods, true) => "containers",
                (What::Pods, false) => "pods",
            },
            total,
            measured_at: items.iter().filter_map(|item| item.measured).min().map(|time| time.to_string()),
            sum: Amounts::sum(items.iter().map(|item| &item.used)),
            items: items.into_iter().take(input.limit).collect(),
            not_measured,
        };
        outcome(&output, input.namespace.is_none(), cx.now())
    }
}

/// The kind of the measurements. Where there is none, the error says what is in the way.
async fn metrics_kind(cx: &ToolContext, what: What) -> Result<Kind, ToolError> {
    let wanted = match what {
        What::Pods => "PodMetrics",
        What::Nodes => "NodeMetrics",
    };
    let kinds = cx.cluster.kinds().await?;
    match kinds.into_iter().find(|kind| kind.group == GROUP && kind.kind == wanted) {
        Some(kind) => Ok(kind),
        None => Err(unavailable(cx).await),
    }
}

/// Why there are no measurements.
async fn unavailable(cx: &ToolContext) -> ToolError {
    if cx.cluster.info.recorded {
        let message = "this recording has no usage of pods and nodes (metrics.k8s.io); requests, limits and OOM kills are in the \
                       objects: use diagnose_cluster";
        return ToolError::NotFound(message.to_owned());
    }
    let service = async {
        let kind = cx.cluster.resolve("APIService", None).await.ok()?;
        cx.cluster.get(&kind, None, "v1beta1.metrics.k8s.io").await.ok()
    };
    let Some(service) = service.await else {
        let message = "this cluster has no metrics API (metrics.k8s.io): metrics-server is not installed; on EKS install the add-on \
                       metrics-server, or use get_cloudwatch_metrics";
        return ToolError::NotFound(message.to_owned());
    };
    let conditions = service["status"]["conditions"].as_array().into_iter().flatten();
    let available = conditions.into_iter().find(|condition| condition["type"] == "Available");
    let said = available.map(|available| {
        let text = |field: &str| plain(available[field].as_str().unwrap_or_default());
        format!(" ({}: {})", text("reason"), text("message"))
    });
    ToolError::NotFound(format!(
        "the metrics API of this cluster does not answer{}: look at the pods of {} with diagnose_cluster",
        said.unwrap_or_default(),
        backend(&service)
    ))
}

/// `kube-system/metrics-server`.
fn backend(service: &Value) -> String {
    let backend = &service["spec"]["service"];
    let text = |field: &str| backend[field].as_str().unwrap_or_default();
    plain(&format!("{}/{}", text("namespace"), text("name")))
}

fn query(input: &Input) -> ListQuery {
    ListQuery {
        namespace: input.namespace.clone().filter(|_| input.kind == What::Pods),
        label_selector: input.label_selector.clone(),
        ..ListQuery::default()
    }
}

fn is_wanted(input: &Input, object: &Value) -> bool {
    let wanted = input.name.as_deref().map(|name| name.rsplit('/').next().unwrap_or(name));
    wanted.is_none_or(|wanted| name_of(object) == wanted)
}

/// The usages, and the pods that run and have none.
async fn pods(cx: &ToolContext, kind: &Kind, input: &Input) -> Result<(Vec<Usage>, Vec<String>), ToolError> {
    let of_pods = cx.cluster.resolve("Pod", Some("v1")).await?;
    let wanted = |object: &Value| is_wanted(input, object).then(|| object.clone());
    let measured = measured(cx, kind, input, wanted).await?;
    let (pods, _) = list_all(cx, &of_pods, query(input), MAX_OBJECTS, |pod| {
        let is_running = pod["status"]["phase"] == "Running";
        (is_wanted(input, pod)).then(|| (key(pod), is_running, pod["spec"].clone()))
    })
    .await?;
    let pods: Vec<(String, bool, Value)> = pods.into_iter().flatten().collect();
    let spec_of: std::collections::HashMap<&str, &Value> =
        pods.iter().map(|(key, _, spec)| (key.as_str(), spec)).collect();
    let has: std::collections::HashSet<String> = measured.iter().map(key).collect();
    let usages = measured.iter().flat_map(|of| {
        let spec = spec_of.get(key(of).as_str()).copied().unwrap_or(&Value::Null);
        if input.containers { container_usages(of, spec) } else { vec![of_pod(of, spec)] }
    });
    let missing = pods.iter().filter(|(key, is_running, _)| *is_running && !has.contains(key));
    Ok((usages.collect(), missing.map(|(key, ..)| key.clone()).collect()))
}

/// `shop/web-1`.
fn key(object: &Value) -> String {
    format!("{}/{}", namespace_of(object), name_of(object))
}

/// What was measured. A server of measurements that has just gone is not an unreachable cluster.
async fn measured(
    cx: &ToolContext,
    kind: &Kind,
    input: &Input,
    read: impl Fn(&Value) -> Option<Value>,
) -> Result<Vec<Value>, ToolError> {
    match list_all(cx, kind, query(input), MAX_OBJECTS, read).await {
        Ok((found, _)) => Ok(found.into_iter().flatten().collect()),
        Err(ClusterError::Unreachable(_) | ClusterError::NotFound(_)) => Err(unavailable(cx).await),
        Err(error) => Err(error.into()),
    }
}

async fn nodes(cx: &ToolContext, kind: &Kind, input: &Input) -> Result<Vec<Usage>, ToolError> {
    let wanted = |object: &Value| is_wanted(input, object).then(|| object.clone());
    let measured = measured(cx, kind, input, wanted).await?;
    let of_nodes = cx.cluster.resolve("Node", Some("v1")).await?;
    let (nodes, _) = list_all(cx, &of_nodes, query(input), MAX_OBJECTS, |node| {
        (name_of(node).to_owned(), node["status"]["allocatable"].clone())
    })
    .await?;
    let of_pods = cx.cluster.resolve("Pod", Some("v1")).await?;
    let (asked, _) = list_all(cx, &of_pods, ListQuery::default(), MAX_OBJECTS, |pod| {
        let is_over = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
        let node = pod["spec"]["nodeName"].as_str().filter(|_| !is_over);
        node.map(|node| (node.to_owned(), requests(&pod["spec"])))
    })
    .await?;
    let usages = measured.iter().map(|of| {
        let allocatable = nodes.iter().find(|(name, _)| name == name_of(of)).map(|(_, amounts)| amounts);
        let on_it =
            asked.iter().flatten().filter(|(node, _)| node == name_of(of)).map(|(_, amounts)| amounts);
        of_node(of, allocatable.unwrap_or(&Value::Null), Amounts::sum(on_it))
    });
    Ok(usages.collect())
}

/// Why there is nothing to show.
async fn nothing(cx: &ToolContext, kind: &Kind, input: &Input, not_measured: &[String]) -> ToolError {
    if let Some(namespace) = input.namespace.as_ref().filter(|_| input.kind == What::Pods)
        && let Presence::Missing(missing) = presence(cx, namespace).await
    {
        return ToolError::NotFound(missing);
    }
    if let Some(first) = not_measured.first() {
        return ToolError::NotFound(format!(
            "{} and none has been measured yet, such as {first}: a measurement comes about a minute after the start",
            counted(not_measured.len(), "pod runs", "pods run")
        ));
    }
    let Some(name) = &input.name else {
        return ToolError::NotFound(
            "nothing that runs matches: leave out namespace or label_selector".to_owned(),
        );
    };
    let all = list_all(cx, kind, ListQuery { label_selector: None, ..query(input) }, MAX_OBJECTS, |object| {
        name_of(object).to_owned()
    });
    let all = all.await.map(|(names, _)| names).unwrap_or_default();
    let near = nearest(name, all.iter().map(String::as_str), 5);
    ToolError::NotFound(format!("there is no measurement of {name:?}{}", near_names(&near)))
}

fn sort(items: &mut [Usage], by: SortBy) {
    items.sort_by(|a, b| {
        let amount = |usage: &Usage| match by {
            SortBy::Cpu => usage.used.cpu,
            SortBy::Memory => usage.used.memory,
            SortBy::Name => None,
        };
        let greater = amount(b).unwrap_or(0.0).total_cmp(&amount(a).unwrap_or(0.0));
        greater.then_with(|| a.names().cmp(&b.names()))
    });
}

fn outcome(output: &Output, with_namespace: bool, now: Timestamp) -> Result<ToolOutcome, ToolError> {
    let with_namespace = with_namespace && output.kind != "nodes";
    let mut titles = Vec::new();
    if with_namespace {
        titles.push("NAMESPACE");
    }
    titles.push("NAME");
    if output.kind == "containers" {
        titles.push("CONTAINER");
    }
    titles.extend(match output.kind {
        "nodes" => ["CPU", "OF ALLOCATABLE", "REQUESTED", "MEMORY", "OF ALLOCATABLE", "REQUESTED"],
        _ => ["CPU", "OF REQUEST", "OF LIMIT", "MEMORY", "OF REQUEST", "OF LIMIT"],
    });
    let rows: Vec<Vec<String>> =
        output.items.iter().map(|item| item.row(with_namespace, output.kind)).collect();
    let mut text = table(&titles, &rows);
    let left_out = output.total - output.items.len();
    if left_out > 0 {
        text.push_str(&format!(
            "\n{} left out: raise limit, or narrow with namespace\n",
            counted(left_out, "row is", "rows are")
        ));
    }
    if output.total > 1 {
        text.push_str(&format!("\nAll {}: {}\n", output.total, output.sum.shown()));
    }
    if let Some(first) = output.not_measured.first() {
        let count = counted(output.not_measured.len(), "running pod has", "running pods have");
        text.push_str(&format!("\n{count} no measurement, such as {first}\n"));
    }
    if let Some(measured) = output.measured_at.as_deref().and_then(|time| time.parse().ok()) {
        text.push_str(&format!("\nMeasured {} ago\n", age(measured, now)));
    }
    let structured = serde_json::to_value(output).map_err(|error| {
        tracing::error!(%error, "bug: usage cannot be written as JSON");
        ToolError::Bug
    })?;
    Ok(ToolOutcome { truncated: left_out > 0, ..ToolOutcome::new(structured, text) })
}

/// `87%`, or nothing where it is per cent of nothing.
fn percent(value: Option<u64>) -> String {
    value.map_or_else(|| cell(&Value::Null), |value| format!("{value}%"))
}
