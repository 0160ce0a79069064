//! `get_cloudwatch_metrics`: metrics of a cluster over time, as CloudWatch has them.

mod existing;
mod plan;
mod series;

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy, Statistic, StatusCode,
};
use futures::future::join_all;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::aws::AwsError;
use crate::cluster::redact;

use super::eks::{Window, cluster_name};
use super::get_eks_metrics_guidance::unit_of;
use super::table::table;
use super::text::{plain, shorten};
use super::{AwsContext, Tool, ToolError, ToolOutcome};
use existing::{Advice, advice, words};
use plan::{Dimensions, Steps, Wanted, wanted};
use series::{Series, number};

/// The most pages of points.
const MAX_PAGES: usize = 20;
/// The most metrics without points that are looked into.
const MAX_ADVICE: usize = 5;

pub(super) struct GetCloudwatchMetrics;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// Name of the EKS cluster
    cluster_name: String,
    /// Name of the metric such as `pod_cpu_utilization`, or several with commas between them; get_eks_metrics_guidance has
    /// them
    metric_name: String,
    /// `ContainerInsights`, `AWS/EKS`, `AWS/EC2` or another namespace of CloudWatch
    #[serde(default = "default_namespace")]
    namespace: String,
    /// The whole set of dimensions, such as `{"Namespace": "shop", "PodName": "web"}`; ClusterName is added where the
    /// metrics have it, and what is left out where only one set fits
    #[serde(default)]
    dimensions: Dimensions,
    /// How many minutes before the end to begin, where `start_time` is left out
    #[serde(default = "default_minutes")]
    #[schemars(range(min = 1, max = 655_200))]
    minutes: u32,
    /// Beginning, such as `2026-01-31T09:00:00Z`
    start_time: Option<String>,
    /// End; now where left out
    end_time: Option<String>,
    /// Most points of each series to list; the newest are kept, and the summary is of all
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
    /// Seconds of each step; where left out 60, or more for a long time
    period: Option<u32>,
    /// `Average`, `Sum`, `Maximum`, `Minimum`, `SampleCount` or a percentile such as `p99`; several with commas between them
    #[serde(default = "default_stat")]
    stat: String,
}

fn default_namespace() -> String {
    "ContainerInsights".to_owned()
}

fn default_minutes() -> u32 {
    15
}

fn default_limit() -> usize {
    50
}

fn default_stat() -> String {
    "Average".to_owned()
}

/// Metrics over time.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Output {
    /// Name of the cluster
    cluster_name: String,
    /// Namespace of the metrics
    namespace: String,
    /// Beginning of the first step
    #[schemars(with = "String")]
    start_time: Timestamp,
    /// End of the last step
    #[schemars(with = "String")]
    end_time: Timestamp,
    /// Seconds of each step
    period: i64,
    /// Each metric by each statistic
    series: Vec<Series>,
    /// What to know of it
    notes: Vec<String>,
}

impl Tool for GetCloudwatchMetrics {
    const NAME: &'static str = "get_cloudwatch_metrics";
    const TITLE: &'static str = "Read metrics from CloudWatch";
    const DESCRIPTION: &'static str = "Metrics of an EKS cluster over time from CloudWatch: least, mean, most and newest value, gaps, the course as a line, \
         and the points. Where a metric has no points it says which metrics and dimensions there are.";
    type Input = Input;
    type Output = Output;
    type Context = AwsContext;

    async fn run(&self, input: Input, cx: &AwsContext) -> Result<ToolOutcome, ToolError> {
        let cluster = cluster_name(&input.cluster_name, &cx.aws.region)?;
        let now = Timestamp::now();
        let window = Window::of(input.minutes, input.start_time.as_deref(), input.end_time.as_deref(), now)?;
        let steps = Steps::of(window, input.period, now)?;
        let namespace = input.namespace.trim().to_owned();
        let dimensions = completed(input.dimensions, &namespace, cluster)?;
        let asked = Asked { client: Client::new(&cx.aws.sdk), namespace, steps };
        let mut notes = Vec::new();
        let mut series =
            asked.series(wanted(&input.metric_name, &input.stat, &dimensions)?, &mut notes).await?;
        asked.look_again(&mut series, &mut notes).await?;
        asked.find_units(&mut series).await;
        for one in &mut series {
            one.finish(&steps, input.limit, now);
            notes.extend(self::notes(one, &steps, now));
        }
        let time = |seconds: i64| Timestamp::from_second(seconds).map_err(|_| ToolError::Bug);
        let output = Output {
            cluster_name: cluster.to_owned(),
            namespace: asked.namespace,
            start_time: time(steps.start)?,
            end_time: time(steps.end)?,
            period: steps.period,
            series,
            notes,
        };
        let mut structured = json!(output);
        redact::object(&mut structured);
        Ok(ToolOutcome::new(structured, redact::text(&output.text(&steps))))
    }
}

/// The dimensions with the name of the cluster, where metrics of this namespace have it.
fn completed(mut given: Dimensions, namespace: &str, cluster: &str) -> Result<Dimensions, ToolError> {
    match given.get("ClusterName") {
        Some(other) if other != cluster => {
            return Err(ToolError::InvalidInput(format!(
                "cluster_name {cluster} and the dimension ClusterName {:?} differ: leave the dimension out",
                shorten(other, 60)
            )));
        }
        _ => {}
    }
    if namespace.starts_with("ContainerInsights") || namespace == "AWS/EKS" {
        given.insert("ClusterName".to_owned(), cluster.to_owned());
    }
    Ok(given)
}

fn notes(series: &Series, steps: &Steps, now: Timestamp) -> Vec<String> {
    let name = &series.metric_name;
    let sparse = series.sparse(steps).map(|seconds| {
        format!("{name} has a point every {seconds} s at most: a period of that length has no gaps")
    });
    let stale = series.ends_early(steps, now).map(|last| format!("{name} has no points after {last}"));
    sparse.into_iter().chain(stale).collect()
}

/// What all series have in common.
struct Asked {
    client: Client,
    namespace: String,
    steps: Steps,
}

impl Asked {
    async fn series(&self, wanted: Vec<Wanted>, notes: &mut Vec<String>) -> Result<Vec<Series>, ToolError> {
        let queries: Vec<MetricDataQuery> =
            wanted.iter().enumerate().map(|(number, wanted)| self.query(number, wanted)).collect();
        let mut series: Vec<Series> = wanted.into_iter().map(Series::new).collect();
        let mut token = None;
        for _ in 0..MAX_PAGES {
            let page = self
                .client
                .get_metric_data()
                .set_metric_data_queries(Some(queries.clone()))
                .start_time(DateTime::from_secs(self.steps.start))
                .end_time(DateTime::from_secs(self.steps.end))
                .scan_by(ScanBy::TimestampDescending)
                .set_next_token(token.take());
            let page = page.send().await.map_err(AwsError::of("cloudwatch:GetMetricData"))?;
            for result in page.metric_data_results() {
                self.take(result, &mut series, notes);
            }
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(series);
            }
        }
        notes.push("There are more points than were read: take a longer period or a shorter time".to_owned());
        Ok(series)
    }

    fn query(&self, number: usize, wanted: &Wanted) -> MetricDataQuery {
        let metric = Metric::builder()
            .namespace(&self.namespace)
            .metric_name(&wanted.metric)
            .set_dimensions(Some(dimensions(&wanted.dimensions)));
        let stat = MetricStat::builder()
            .metric(metric.build())
            .period(i32::try_from(self.steps.period).unwrap_or(i32::MAX))
            .stat(&wanted.stat);
        MetricDataQuery::builder()
            .id(format!("m{number}"))
            .metric_stat(stat.build())
            .return_data(true)
            .build()
    }

    fn take(&self, result: &MetricDataResult, series: &mut [Series], notes: &mut Vec<String>) {
        let number = result.id().and_then(|id| id.strip_prefix('m')?.parse::<usize>().ok());
        let Some(series) = number.and_then(|number| series.get_mut(number)) else { return };
        for (time, value) in result.timestamps().iter().zip(result.values()) {
            series.values.insert(self.steps.slot(time.secs()), *value);
        }
        let said = result.messages().iter().filter_map(|message| message.value());
        notes.extend(
            said.map(|said| format!("{}: {}", series.metric_name, shorten(&plain(&redact::text(said)), 200))),
        );
        if let Some(status @ (StatusCode::InternalError | StatusCode::Forbidden)) = result.status_code() {
            notes.push(format!("{}: CloudWatch says {}", series.metric_name, status.as_str()));
        }
    }

    /// Looks for the metrics without points under the dimensions that they do have.
    async fn look_again(&self, series: &mut [Series], notes: &mut Vec<String>) -> Result<(), ToolError> {
        let mut empty: BTreeMap<String, Wanted> = BTreeMap::new();
        for one in series.iter().filter(|one| one.values.is_empty()) {
            empty.entry(one.metric_name.clone()).or_insert_with(|| one.wanted());
        }
        let advised = empty.values().take(MAX_ADVICE);
        let advised = join_all(
            advised
                .map(|wanted| async move { (wanted, advice(&self.client, &self.namespace, wanted).await) }),
        );
        for (wanted, advice) in advised.await {
            let dimensions = match advice {
                Advice::Take(dimensions) => dimensions,
                Advice::Tell(said) => {
                    notes.push(said);
                    continue;
                }
            };
            notes.push(format!("{} is there only with {}", wanted.metric, words(&dimensions)));
            let is_meant = |one: &Series| one.metric_name == wanted.metric && one.values.is_empty();
            let again = series
                .iter()
                .filter(|one| is_meant(one))
                .map(|one| Wanted { dimensions: dimensions.clone(), ..one.wanted() });
            let found = self.series(again.collect(), notes).await?;
            let places = series.iter_mut().filter(|one| is_meant(one));
            places.zip(found).for_each(|(place, found)| *place = found);
        }
        Ok(())
    }

    /// Points come without a unit: it is known, or the older way of asking tells it.
    async fn find_units(&self, series: &mut [Series]) {
        let units = series.iter().map(|one| async move {
            match unit_of(&self.namespace, &one.metric_name) {
                _ if one.stat == "SampleCount" => Some("Count".to_owned()),
                Some(unit) => Some(unit.to_owned()),
                None if one.values.is_empty() => None,
                None => self.ask_unit(one).await,
            }
        });
        let units = join_all(units).await;
        series.iter_mut().zip(units).for_each(|(one, unit)| one.unit = unit);
    }

    async fn ask_unit(&self, series: &Series) -> Option<String> {
        let whole = (self.steps.end - self.steps.start + 59) / 60 * 60;
        let request = self
            .client
            .get_metric_statistics()
            .namespace(&self.namespace)
            .metric_name(&series.metric_name)
            .set_dimensions(Some(dimensions(&series.dimensions)))
            .start_time(DateTime::from_secs(self.steps.start))
            .end_time(DateTime::from_secs(self.steps.end))
            .period(i32::try_from(whole).unwrap_or(i32::MAX))
            .statistics(Statistic::SampleCount);
        let found = request.send().await.ok()?;
        found.datapoints().first()?.unit().map(|unit| unit.as_str().to_owned())
    }
}

fn dimensions(of: &Dimensions) -> Vec<Dimension> {
    of.iter().map(|(name, value)| Dimension::builder().name(name).value(value).build()).collect()
}

impl Output {
    fn text(&self, steps: &Steps) -> String {
        let mut text = format!(
            "# {}, {} to {}, steps of {} s\n",
            self.namespace, self.start_time, self.end_time, self.period
        );
        let rows: Vec<Vec<String>> = self.series.iter().map(|series| row(series, steps)).collect();
        text.push_str(&table(
            &["METRIC", "STAT", "UNIT", "MIN", "AVG", "MAX", "LAST", "POINTS", "DIMENSIONS", "COURSE"],
            &rows,
        ));
        for note in &self.notes {
            text.push_str(&format!("# {note}\n"));
        }
        text.push_str(&self.points(steps));
        text
    }

    /// The points by time, those of one time in one row.
    fn points(&self, steps: &Steps) -> String {
        let oldest = self.series.iter().filter_map(|series| series.data_points.last());
        let Some(oldest) = oldest.map(|point| point.timestamp.as_second()).min() else {
            return String::new();
        };
        let newest = self.series.iter().filter_map(|series| series.values.keys().next_back());
        let newest = newest.max().copied().unwrap_or(oldest);
        let rows: Vec<Vec<String>> = steps
            .slots()
            .rev()
            .filter(|slot| (oldest..=newest).contains(slot))
            .map(|slot| {
                let time = Timestamp::from_second(slot).map(|time| time.to_string()).unwrap_or_default();
                let value = |series: &Series| {
                    series.values.get(&slot).map_or_else(|| "-".to_owned(), |value| number(*value))
                };
                [time].into_iter().chain(self.series.iter().map(value)).collect()
            })
            .collect();
        let titles: Vec<String> =
            self.series.iter().map(|series| format!("{} {}", series.metric_name, series.stat)).collect();
        let titles: Vec<&str> = ["TIME"].into_iter().chain(titles.iter().map(String::as_str)).collect();
        format!("\n{}", table(&titles, &rows))
    }
}

fn row(series: &Series, steps: &Steps) -> Vec<String> {
    let summary = series.summary.as_ref();
    let value = |of: fn(&series::Summary) -> f64| {
        summary.map_or_else(|| "-".to_owned(), |summary| number(of(summary)))
    };
    let missing = match series.missing {
        0 => String::new(),
        missing => format!(" ({missing} missing)"),
    };
    vec![
        series.metric_name.clone(),
        series.stat.clone(),
        series.unit.clone().unwrap_or_else(|| "-".to_owned()),
        value(|summary| summary.minimum),
        value(|summary| summary.average),
        value(|summary| summary.maximum),
        value(|summary| summary.last),
        format!("{}{missing}", series.values.len()),
        words(&series.dimensions),
        series.line(steps),
    ]
}
