//! `list_eks_clusters`: the EKS clusters of a region.

use aws_sdk_eks::types::{Cluster, ClusterStatus, SupportType};
use futures::{StreamExt, stream};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws::{self, AwsError};
use crate::cluster::redact;

use super::table::table;
use super::text::{counted, plain};
use super::{AwsContext, Tool, ToolError, ToolOutcome};

/// Clusters that are described at the same time.
const AT_ONCE: usize = 8;
/// Clusters that are described; of those that follow only the names are told.
const MAX_DESCRIBED: usize = 100;

pub(super) struct ListEksClusters;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// False for the names alone, which needs no right but eks:ListClusters
    #[serde(default = "yes")]
    include_details: bool,
}

fn yes() -> bool {
    true
}

impl Tool for ListEksClusters {
    const NAME: &'static str = "list_eks_clusters";
    const TITLE: &'static str = "List the EKS clusters of a region";
    const DESCRIPTION: &'static str = "Lists all EKS clusters of a region: status, Kubernetes version, platform version, from where the endpoint can be \
         reached, and health issues. Use it to learn the cluster_name of other tools.";
    type Input = Input;
    type Output = Value;
    type Context = AwsContext;

    async fn run(&self, input: Input, cx: &AwsContext) -> Result<ToolOutcome, ToolError> {
        let region = &cx.aws.region;
        let names = cx.aws.eks_cluster_names().await?;
        let described = if input.include_details { names.len().min(MAX_DESCRIBED) } else { 0 };
        let (to_describe, others) = names.split_at(described);
        let describe: Vec<_> = to_describe.iter().map(|name| cx.aws.eks_cluster(name)).collect();
        let described: Vec<_> = stream::iter(describe).buffered(AT_ONCE).collect().await;
        let clusters: Vec<Value> =
            to_describe.iter().zip(&described).map(|(name, cluster)| entry(name, cluster)).collect();
        let text = match names.as_slice() {
            [] => format!("There are no EKS clusters in {region} that this identity can see.\n"),
            names => {
                let count = counted(names.len(), "EKS cluster", "EKS clusters");
                format!("{count} in {region}\n\n{}{}{}", rows(&clusters), lines(&clusters), listed(others))
            }
        };
        let others = others.iter().map(|name| json!({ "name": name }));
        let clusters: Vec<Value> = clusters.into_iter().chain(others).collect();
        let structured = json!({ "region": region, "count": names.len(), "clusters": clusters });
        Ok(ToolOutcome::new(structured, text))
    }
}

fn entry(name: &str, cluster: &Result<Cluster, AwsError>) -> Value {
    let cluster = match cluster {
        Ok(cluster) => cluster,
        Err(error) => return json!({ "name": name, "error": plain(&error.to_string()) }),
    };
    let issues = cluster.health().map(|health| health.issues()).unwrap_or_default();
    let issues = issues.iter().map(|issue| {
        json!({
            "code": issue.code().map(|code| code.as_str()), "message": issue.message().map(said),
            "resourceIds": issue.resource_ids(),
        })
    });
    json!({
        "name": name, "arn": cluster.arn(), "status": cluster.status().map(ClusterStatus::as_str),
        "version": cluster.version(), "platformVersion": cluster.platform_version(),
        "endpointAccess": endpoint_access(cluster), "createdAt": cluster.created_at().map(aws::time),
        "supportType": cluster.upgrade_policy().and_then(|policy| policy.support_type()).map(SupportType::as_str),
        "healthIssues": issues.collect::<Vec<_>>(),
    })
}

/// What AWS says, which may quote anything.
fn said(message: &str) -> String {
    plain(&redact::text(message))
}

/// From where the endpoint can be reached.
fn endpoint_access(cluster: &Cluster) -> Option<&'static str> {
    let network = cluster.resources_vpc_config()?;
    Some(match (network.endpoint_public_access(), network.endpoint_private_access()) {
        (true, true) => "public and private",
        (true, false) => "public",
        (false, _) => "private",
    })
}

fn rows(clusters: &[Value]) -> String {
    let columns = ["name", "status", "version", "platformVersion", "endpointAccess", "createdAt"];
    let cell = |value: &Value| value.as_str().map_or_else(|| "?".to_owned(), plain);
    let row = |cluster: &Value| columns.iter().map(|column| cell(&cluster[column])).collect();
    let rows: Vec<Vec<String>> = clusters.iter().map(row).collect();
    match rows.is_empty() {
        true => String::new(),
        false => table(&["NAME", "STATUS", "VERSION", "PLATFORM", "ENDPOINT", "CREATED"], &rows),
    }
}

/// What does not fit into a row.
fn lines(clusters: &[Value]) -> String {
    let mut text = String::new();
    for cluster in clusters {
        let name = cluster["name"].as_str().unwrap_or_default();
        if let Some(error) = cluster["error"].as_str() {
            text.push_str(&format!("\n{name}: {error}\n"));
        }
        for issue in cluster["healthIssues"].as_array().into_iter().flatten() {
            let (code, message) = (issue["code"].as_str(), issue["message"].as_str());
            text.push_str(&format!("\n{name}: {}: {}\n", code.unwrap_or("?"), message.unwrap_or_default()));
        }
    }
    text
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("{name}\n")).collect()
}
