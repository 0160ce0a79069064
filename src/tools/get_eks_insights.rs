//! `get_eks_insights`: what AWS has found out about a cluster by itself.

use aws_sdk_eks::types::{
    Category, DeprecationDetail, Insight, InsightCategorySpecificSummary, InsightResourceDetail,
    InsightStatus, InsightStatusValue, InsightSummary, InsightsFilter,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::aws::{self, AwsError, ClusterName};
use crate::cluster::redact;

use super::table::table;
use super::text::{counted, plain, shorten};
use super::{AwsContext, Tool, ToolError, ToolOutcome};

/// The most pages that one call reads on its own.
const MAX_PAGES: usize = 10;

pub(super) struct GetEksInsights;

#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum InsightCategory {
    UpgradeReadiness,
    Misconfiguration,
    RollbackReadiness,
}

#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Status {
    Passing,
    Warning,
    Error,
    Unknown,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// Name of the EKS cluster, as list_eks_clusters gives it
    cluster_name: String,
    /// One insight in full, by its id
    insight_id: Option<String>,
    /// Only insights of this category
    category: Option<InsightCategory>,
    /// Only insights with this status
    status: Option<Status>,
    /// Only insights about this Kubernetes version, such as `1.33`
    kubernetes_version: Option<String>,
    /// Reads on where the call before ended
    next_token: Option<String>,
}

impl Tool for GetEksInsights {
    const NAME: &'static str = "get_eks_insights";
    const TITLE: &'static str = "Read the EKS insights of a cluster";
    const DESCRIPTION: &'static str = "Lists what EKS itself has found out about a cluster: what is in the way of an upgrade (deprecated APIs in use, \
         version skew, add-ons) and misconfigurations of hybrid nodes. With insight_id: one insight in full, with the \
         objects and clients concerned and what AWS recommends.";
    type Input = Input;
    type Output = Value;
    type Context = AwsContext;

    async fn run(&self, input: Input, cx: &AwsContext) -> Result<ToolOutcome, ToolError> {
        // Names others if there is none of this name.
        let cluster = cx.aws.eks_cluster(&input.cluster_name).await?;
        let name = cluster.name().unwrap_or(ClusterName::of(&input.cluster_name).name);
        match input.insight_id.as_deref().map(str::trim).filter(|id| !id.is_empty()) {
            Some(id) => detail(cx, name, id).await,
            None => list(cx, name, cluster.version(), &input).await,
        }
    }
}

impl Input {
    fn filter(&self) -> InsightsFilter {
        let word = |value: Value| value.as_str().unwrap_or_default().to_owned();
        let category = self.category.map(|category| Category::from(word(json!(category)).as_str()));
        let status = self.status.map(|status| InsightStatusValue::from(word(json!(status)).as_str()));
        InsightsFilter::builder()
            .set_categories(category.map(|category| vec![category]))
            .set_statuses(status.map(|status| vec![status]))
            .set_kubernetes_versions(self.kubernetes_version.clone().map(|version| vec![version]))
            .build()
    }
}

async fn list(
    cx: &AwsContext,
    cluster: &str,
    version: Option<&str>,
    input: &Input,
) -> Result<ToolOutcome, ToolError> {
    let filtered = input.category.is_some() || input.status.is_some() || input.kubernetes_version.is_some();
    let mut insights = Vec::new();
    let mut token = input.next_token.clone();
    for _ in 0..MAX_PAGES {
        let page = cx.aws.eks().list_insights().cluster_name(cluster).set_next_token(token.take());
        let page = page.set_filter(filtered.then(|| input.filter()));
        let page = Box::pin(page.send()).await.map_err(AwsError::of("eks:ListInsights"))?;
        insights.extend(page.insights.unwrap_or_default());
        token = page.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            break;
        }
    }
    insights.sort_by_key(|insight| urgency(insight.insight_status()));
    let mut shown: Value = insights.iter().map(summary).collect();
    redact::object(&mut shown);
    let mut text = redact::text(&list_text(cluster, version, &insights));
    // By its name it is a credential.
    if let Some(token) = &token {
        text.push_str(&format!("There are more: call again with next_token={}\n", plain(token)));
    }
    let structured = json!({
        "clusterName": cluster, "kubernetesVersion": version, "count": insights.len(), "nextToken": token,
        "insights": shown,
    });
    Ok(ToolOutcome::new(structured, text))
}

/// What needs work comes first.
fn urgency(status: Option<&InsightStatus>) -> u8 {
    match status.and_then(InsightStatus::status) {
        Some(InsightStatusValue::Error) => 0,
        Some(InsightStatusValue::Warning) => 1,
        Some(InsightStatusValue::Passing) => 3,
        _ => 2,
    }
}

fn status(status: Option<&InsightStatus>) -> (&str, String) {
    let word = status.and_then(InsightStatus::status).map_or("UNKNOWN", InsightStatusValue::as_str);
    let reason = status.and_then(InsightStatus::reason).unwrap_or_default();
    (word, redact::text(reason))
}

fn summary(insight: &InsightSummary) -> Value {
    let (status, reason) = status(insight.insight_status());
    json!({
        "id": insight.id(), "name": insight.name(), "category": insight.category().map(Category::as_str),
        "kubernetesVersion": insight.kubernetes_version(), "status": status, "reason": reason,
        "description": insight.description().map(redact::text),
        "lastRefreshTime": insight.last_refresh_time().map(aws::time),
        "lastTransitionTime": insight.last_transition_time().map(aws::time),
    })
}

fn list_text(cluster: &str, version: Option<&str>, insights: &[InsightSummary]) -> String {
    let version = version.map(|version| format!(" (Kubernetes {version})")).unwrap_or_default();
    let count = counted(insights.len(), "insight", "insights");
    let mut text = format!("{count} about {cluster}{version}\n");
    if !insights.is_empty() {
        let row = |insight: &InsightSummary| {
            let (status, reason) = status(insight.insight_status());
            let or_none = |text: Option<&str>| text.map_or_else(|| "<none>".to_owned(), plain);
            vec![
                status.to_owned(),
                or_none(insight.category().map(Category::as_str)),
                or_none(insight.kubernetes_version()),
                or_none(insight.name()),
                shorten(&plain(&reason), 120),
                or_none(insight.id()),
            ]
        };
        let rows: Vec<Vec<String>> = insights.iter().map(row).collect();
        text.push_str(&format!("\n{}", table(&["STATUS", "CATEGORY", "FOR", "NAME", "REASON", "ID"], &rows)));
        text.push_str("\nOne of them in full: call again with its id as insight_id.\n");
    }
    text
}

async fn detail(cx: &AwsContext, cluster: &str, id: &str) -> Result<ToolOutcome, ToolError> {
    let asked = cx.aws.eks().describe_insight().cluster_name(cluster).id(id);
    let answer = match is_id(id) {
        false => None,
        true => match Box::pin(asked.send()).await.map_err(AwsError::of("eks:DescribeInsight")) {
            Err(AwsError::NotFound(_)) => None,
            answered => answered?.insight,
        },
    };
    let insight = answer.ok_or_else(|| {
        ToolError::NotFound(format!(
            "the cluster {cluster} has no insight {:?}: call without insight_id to see their ids",
            shorten(id, 60)
        ))
    })?;
    let mut structured = full(cluster, &insight);
    redact::object(&mut structured);
    Ok(ToolOutcome::new(structured, redact::text(&detail_text(&insight))))
}

/// It becomes part of a path, where `..` would lead to something else.
fn is_id(id: &str) -> bool {
    id.len() <= 100 && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

fn full(cluster: &str, insight: &Insight) -> Value {
    let (status, reason) = status(insight.insight_status());
    json!({
        "clusterName": cluster, "insight": {
            "id": insight.id(), "name": insight.name(), "category": insight.category().map(Category::as_str),
            "kubernetesVersion": insight.kubernetes_version(), "status": status, "reason": reason,
            "description": insight.description().map(redact::text),
            "recommendation": insight.recommendation().map(redact::text),
            "additionalInfo": insight.additional_info(),
            "lastRefreshTime": insight.last_refresh_time().map(aws::time),
            "lastTransitionTime": insight.last_transition_time().map(aws::time),
            "resources": insight.resources().iter().map(resource).collect::<Vec<_>>(),
            "categorySpecificSummary": insight.category_specific_summary().map(specific),
        },
    })
}

fn resource(resource: &InsightResourceDetail) -> Value {
    let (status, reason) = status(resource.insight_status());
    json!({
        "status": status, "reason": reason, "kubernetesResourceUri": resource.kubernetes_resource_uri(),
        "arn": resource.arn(),
    })
}

fn specific(summary: &InsightCategorySpecificSummary) -> Value {
    let deprecations = summary.deprecation_details().iter().map(deprecation).collect::<Vec<_>>();
    let addons = summary.addon_compatibility_details().iter();
    let addons = addons
        .map(|addon| json!({ "name": addon.name(), "compatibleVersions": addon.compatible_versions() }));
    json!({ "deprecationDetails": deprecations, "addonCompatibilityDetails": addons.collect::<Vec<_>>() })
}

fn deprecation(detail: &DeprecationDetail) -> Value {
    let clients = detail.client_stats().iter().map(|client| {
        json!({
            "userAgent": client.user_agent(), "numberOfRequestsLast30Days": client.number_of_requests_last30_days(),
            "lastRequestTime": client.last_request_time().map(aws::time),
        })
    });
    json!({
        "usage": detail.usage(), "replacedWith": detail.replaced_with(),
        "stopServingVersion": detail.stop_serving_version(),
        "startServingReplacementVersion": detail.start_serving_replacement_version(),
        "clientStats": clients.collect::<Vec<_>>(),
    })
}

fn detail_text(insight: &Insight) -> String {
    let (word, reason) = status(insight.insight_status());
    let mut text = format!("{}: {word}\n{}\n", plain(insight.name().unwrap_or("insight")), plain(&reason));
    for (title, words) in [("", insight.description()), ("Recommendation: ", insight.recommendation())] {
        if let Some(words) = words.filter(|words| !words.is_empty()) {
            text.push_str(&format!("\n{title}{}\n", redact::text(words).trim_end()));
        }
    }
    let specific = insight.category_specific_summary();
    for detail in specific.map(|specific| specific.deprecation_details()).unwrap_or_default() {
        text.push_str(&deprecation_text(detail));
    }
    for addon in specific.map(|specific| specific.addon_compatibility_details()).unwrap_or_default() {
        let versions = plain(&addon.compatible_versions().join(", "));
        text.push_str(&format!(
            "\nAdd-on {}: compatible versions {versions}\n",
            plain(addon.name().unwrap_or("?"))
        ));
    }
    let row = |resource: &InsightResourceDetail| {
        let (status, reason) = status(resource.insight_status());
        let of = resource.kubernetes_resource_uri().or(resource.arn()).unwrap_or("?");
        vec![status.to_owned(), plain(of), plain(&reason)]
    };
    let rows: Vec<Vec<String>> = insight.resources().iter().map(row).collect();
    if !rows.is_empty() {
        text.push_str(&format!("\n{}", table(&["STATUS", "RESOURCE", "REASON"], &rows)));
    }
    let mut links: Vec<_> = insight.additional_info().into_iter().flatten().collect();
    links.sort_unstable();
    text.extend(links.into_iter().map(|(name, link)| format!("\n{}: {}\n", plain(name), plain(link))));
    text
}

fn deprecation_text(detail: &DeprecationDetail) -> String {
    let or_unknown = |text: Option<&str>| plain(text.unwrap_or("?"));
    let mut text = format!(
        "\n{} goes away in {}; use {} (served from {})\n",
        or_unknown(detail.usage()),
        or_unknown(detail.stop_serving_version()),
        or_unknown(detail.replaced_with()),
        or_unknown(detail.start_serving_replacement_version()),
    );
    for client in detail.client_stats() {
        let last = client.last_request_time().map(aws::time).unwrap_or_default();
        let requests = client.number_of_requests_last30_days();
        let agent = or_unknown(client.user_agent());
        text.push_str(&format!("  {agent}: {requests} requests in 30 days, last {last}\n"));
    }
    text
}
