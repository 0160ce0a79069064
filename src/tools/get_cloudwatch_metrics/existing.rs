//! Which metrics there are, for who asked for one that has no points.

use std::collections::BTreeSet;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::types::DimensionFilter;

use crate::aws::AwsError;

use super::super::text::{nearest, plain};
use super::plan::{Dimensions, Wanted};

/// The most sets of dimensions that are told.
const TOLD: usize = 8;

/// What may be done about a metric without points.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Advice {
    /// These dimensions are meant: there are no others.
    Take(Dimensions),
    /// For the caller to decide.
    Tell(String),
}

/// Looks for a metric under more dimensions, then under others, then for others.
pub(super) async fn advice(client: &Client, namespace: &str, wanted: &Wanted) -> Advice {
    let advice = async {
        let more = sets(client, namespace, Some(&wanted.metric), &wanted.dimensions).await?;
        if !more.is_empty() {
            return Ok(more_dimensions(wanted, more));
        }
        let of_cluster = cluster_only(&wanted.dimensions);
        if of_cluster != wanted.dimensions {
            let others = sets(client, namespace, Some(&wanted.metric), &of_cluster).await?;
            if !others.is_empty() {
                let sets = told(others, &wanted.dimensions);
                return Ok(Advice::Tell(format!("{} is there only with {sets}", wanted.metric)));
            }
        }
        other_metrics(client, namespace, wanted, &of_cluster).await
    };
    advice.await.unwrap_or_else(|error: AwsError| {
        Advice::Tell(format!(
            "{} has no points, and which metrics there are is not known: {error}",
            wanted.metric
        ))
    })
}

/// The metric is there, perhaps with more dimensions than were given.
fn more_dimensions(wanted: &Wanted, more: BTreeSet<Dimensions>) -> Advice {
    let metric = &wanted.metric;
    if more.contains(&wanted.dimensions) {
        return Advice::Tell(format!("{metric} is there, but has no points in this time: take more minutes"));
    }
    match more.len() {
        1 => Advice::Take(more.into_iter().next().unwrap_or_default()),
        _ => Advice::Tell(format!(
            "{metric} needs its whole set of dimensions: {}",
            told(more, &wanted.dimensions)
        )),
    }
}

async fn other_metrics(
    client: &Client,
    namespace: &str,
    wanted: &Wanted,
    of_cluster: &Dimensions,
) -> Result<Advice, AwsError> {
    let names = names(client, namespace, of_cluster).await?;
    let of = of_cluster.get("ClusterName").map(|name| format!(" of cluster {name}")).unwrap_or_default();
    if names.is_empty() {
        let enable = match namespace.starts_with("ContainerInsights") {
            true => "; they come with the add-on amazon-cloudwatch-observability",
            false => "",
        };
        return Ok(Advice::Tell(format!(
            "{namespace} has no metrics{of} here: check region, namespace and the name of the cluster{enable}"
        )));
    }
    let near = nearest(&wanted.metric, names.iter().map(String::as_str), TOLD);
    let shown = if near.is_empty() { names.into_iter().take(TOLD).collect() } else { near };
    Ok(Advice::Tell(format!(
        "{namespace} has no metric {}{of}; there are {} (get_eks_metrics_guidance explains them)",
        wanted.metric,
        shown.join(", ")
    )))
}

fn cluster_only(dimensions: &Dimensions) -> Dimensions {
    let cluster = dimensions.iter().filter(|(name, _)| *name == "ClusterName");
    cluster.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The sets of dimensions of a metric, the first page of them.
async fn sets(
    client: &Client,
    namespace: &str,
    metric: Option<&str>,
    with: &Dimensions,
) -> Result<BTreeSet<Dimensions>, AwsError> {
    let found = list(client, namespace, metric, with).await?;
    Ok(found.into_iter().map(|(_, dimensions)| dimensions).collect())
}

async fn names(client: &Client, namespace: &str, with: &Dimensions) -> Result<BTreeSet<String>, AwsError> {
    Ok(list(client, namespace, None, with).await?.into_iter().map(|(name, _)| name).collect())
}

async fn list(
    client: &Client,
    namespace: &str,
    metric: Option<&str>,
    with: &Dimensions,
) -> Result<Vec<(String, Dimensions)>, AwsError> {
    let filters = with.iter().map(|(name, value)| DimensionFilter::builder().name(name).value(value).build());
    let request = client
        .list_metrics()
        .namespace(namespace)
        .set_metric_name(metric.map(str::to_owned))
        .set_dimensions(Some(filters.collect()).filter(|filters: &Vec<_>| !filters.is_empty()));
    let found = request.send().await.map_err(AwsError::of("cloudwatch:ListMetrics"))?;
    let metrics = found.metrics().iter().map(|metric| {
        let dimensions = metric.dimensions().iter().map(|dimension| {
            let text = |text: Option<&str>| plain(text.unwrap_or_default());
            (text(dimension.name()), text(dimension.value()))
        });
        (plain(metric.metric_name().unwrap_or_default()), dimensions.collect())
    });
    Ok(metrics.collect())
}

/// Some of the sets, those first that have most of what was asked for.
fn told(sets: BTreeSet<Dimensions>, asked: &Dimensions) -> String {
    let count = sets.len();
    let mut sets: Vec<Dimensions> = sets.into_iter().collect();
    let common = |set: &Dimensions| asked.iter().filter(|(name, _)| set.contains_key(*name)).count();
    sets.sort_by_key(|set| (asked.len() - common(set), set.len()));
    let mut text: Vec<String> = sets.iter().take(TOLD).map(words).collect();
    if count > TOLD {
        text.push(format!("{} more", count - TOLD));
    }
    text.join(" | ")
}

/// `ClusterName=prod, PodName=web`.
pub(super) fn words(dimensions: &Dimensions) -> String {
    dimensions.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
}
