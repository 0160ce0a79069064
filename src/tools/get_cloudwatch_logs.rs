//! `get_cloudwatch_logs`: lines of a cluster's logs, as CloudWatch has them, found by Logs Insights.

mod condition;
mod entry;
mod groups;
mod literal;
mod query;
mod running;

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::operation::start_query::StartQueryError;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::aws::AwsError;

use super::eks::{Window, cluster_name};
use super::text::{counted, plain};
use super::{AwsContext, Tool, ToolError, ToolOutcome};
use entry::Entry;
use query::{LogGroup, ResourceType, Wanted};
use running::{Found, PATIENCE, Running};

pub(super) struct GetCloudwatchLogs;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// Name of the EKS cluster
    cluster_name: String,
    /// Which logs: `application` (of pods), `host`, `performance` or `dataplane`, all of Container Insights; `control-plane`
    /// (API server, audit, authenticator, scheduler, controller manager); or the name of any log group
    #[serde(default = "default_log_type")]
    log_type: String,
    /// What `resource_name` is a name of
    #[serde(default)]
    resource_type: ResourceType,
    /// Only lines of this pod, node, container or namespace; a part of its name is enough
    resource_name: Option<String>,
    /// How many minutes before the end to begin, where `start_time` is left out
    #[serde(default = "default_minutes")]
    #[schemars(range(min = 1, max = 525_600))]
    minutes: u32,
    /// Beginning, such as `2026-01-31T09:00:00Z`
    start_time: Option<String>,
    /// End; now where left out
    end_time: Option<String>,
    /// Most lines to return; the newest are kept
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 1000))]
    limit: u32,
    /// Only lines with these words: `timeout`, `"connection refused"`, `-health` without it, `?ERROR ?WARN` any of them,
    /// `/time(d )?out/` a regular expression; or a condition of Logs Insights such as `filter level = "error"`
    filter_pattern: Option<String>,
    /// Fields of each line, with commas between them; `@timestamp, @message, @logStream` where left out
    fields: Option<String>,
}

fn default_log_type() -> String {
    "application".to_owned()
}

fn default_minutes() -> u32 {
    15
}

fn default_limit() -> u32 {
    50
}

/// What a query has found.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Output {
    /// Name of the cluster
    cluster_name: String,
    /// The log group that was searched
    log_group: String,
    /// As it was sent to Logs Insights
    query: String,
    /// Beginning of what was searched
    #[schemars(with = "String")]
    start_time: Timestamp,
    /// End of what was searched
    #[schemars(with = "String")]
    end_time: Timestamp,
    /// Lines that match
    records_matched: Option<u64>,
    /// Lines that were looked at
    records_scanned: Option<u64>,
    /// Bytes that were looked at; AWS bills them
    bytes_scanned: Option<u64>,
    /// The query was stopped before its end
    partial: bool,
    /// The newest lines first
    log_entries: Vec<Entry>,
    /// What to know of it
    note: Option<String>,
}

impl Tool for GetCloudwatchLogs {
    const NAME: &'static str = "get_cloudwatch_logs";
    const TITLE: &'static str = "Search logs in CloudWatch";
    const DESCRIPTION: &'static str = "Lines of an EKS cluster's logs from CloudWatch, the newest first: of pods, nodes and the control plane, also of pods \
         that are gone. Container Insights or the logging of the control plane has to be on. Credentials in lines are \
         replaced. AWS bills what is searched: keep the time short.";
    const SENSITIVE: bool = true;
    type Input = Input;
    type Output = Output;
    type Context = AwsContext;

    async fn run(&self, input: Input, cx: &AwsContext) -> Result<ToolOutcome, ToolError> {
        let cluster = cluster_name(&input.cluster_name)?;
        let window = Window::of(
            input.minutes,
            input.start_time.as_deref(),
            input.end_time.as_deref(),
            Timestamp::now(),
        )?;
        let group = LogGroup::of(&input.log_type, cluster)?;
        let wanted = Wanted {
            group: &group,
            resource: resource(&input)?,
            filter_pattern: input.filter_pattern.as_deref(),
            fields: input.fields.as_deref(),
            limit: input.limit,
        };
        let query = wanted.query()?;
        let client = Client::new(&cx.aws.sdk);
        let running = start(&client, &group.name, &query, window);
        let running = match running.await? {
            Some(running) => running,
            None => return Err(groups::missing(&client, &group.name, cluster, &cx.aws.region).await),
        };
        let found = running.end(&cx.call).await?;
        Ok(outcome(cluster, group.name, query, window, &found))
    }
}

/// The one that is meant, if not the whole cluster.
fn resource(input: &Input) -> Result<Option<(ResourceType, &str)>, ToolError> {
    let name = input.resource_name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    match (input.resource_type, name) {
        (_, None) | (ResourceType::Cluster, Some(_)) => Ok(None),
        // `pod/x`, as kubectl prints it.
        (of, Some(name)) => Ok(Some((of, name.rsplit('/').next().unwrap_or_default()))),
    }
}

/// Starts a query; `None` where there is no such log group.
async fn start(
    client: &Client,
    group: &str,
    query: &str,
    window: Window,
) -> Result<Option<Running>, ToolError> {
    let started = client
        .start_query()
        .log_group_name(group)
        .query_string(query)
        .start_time(window.start.as_second())
        .end_time(window.end.as_second());
    match started.send().await {
        Ok(started) => {
            let id = started.query_id.ok_or_else(|| {
                AwsError::Unavailable("logs:StartQuery answered without a query: try again".to_owned())
            })?;
            Ok(Some(Running::new(client.clone(), id)))
        }
        Err(error)
            if error.as_service_error().is_some_and(StartQueryError::is_resource_not_found_exception) =>
        {
            Ok(None)
        }
        Err(error) => Err(AwsError::of("logs:StartQuery")(error).into()),
    }
}

fn outcome(cluster: &str, group: String, query: String, window: Window, found: &Found) -> ToolOutcome {
    let entries: Vec<Entry> = found.output.results().iter().map(|row| Entry::of(row)).collect();
    let statistics = found.output.statistics.as_ref();
    let mut output = Output {
        cluster_name: cluster.to_owned(),
        log_group: group,
        query,
        start_time: window.start,
        end_time: window.end,
        records_matched: statistics.map(|statistics| whole(statistics.records_matched)),
        records_scanned: statistics.map(|statistics| whole(statistics.records_scanned)),
        bytes_scanned: statistics.map(|statistics| whole(statistics.bytes_scanned)),
        partial: found.partial,
        log_entries: entries,
        note: None,
    };
    output.note = output.note();
    ToolOutcome::new(json!(output), output.text())
}

/// Counts come as floating point numbers; the cast saturates.
fn whole(count: f64) -> u64 {
    count as u64
}

impl Output {
    fn note(&self) -> Option<String> {
        let shown = self.log_entries.len();
        let matched = self.records_matched.and_then(|matched| usize::try_from(matched).ok());
        match (shown, matched, self.records_scanned) {
            _ if self.partial => Some(format!(
                "The query ran for {} s and was stopped: these lines are not all. Take fewer minutes, or another filter.",
                PATIENCE.as_secs()
            )),
            (0, _, Some(0)) => Some(
                "The log group has nothing from this time: take more minutes, or see whether logs still arrive."
                    .to_owned(),
            ),
            (0, _, _) => Some(
                "No line matches: take more minutes, less of filter_pattern, or only a part of resource_name.".to_owned(),
            ),
            (shown, Some(matched), _) if matched > shown => Some(format!(
                "These are the newest {shown} of {matched}: raise limit, or narrow the time or filter_pattern to see others."
            )),
            _ => None,
        }
    }

    fn text(&self) -> String {
        let mut text = format!(
            "# {}, {:.0} to {:.0}: {}",
            self.log_group,
            self.start_time,
            self.end_time,
            counted(self.log_entries.len(), "line", "lines")
        );
        if let (Some(matched), Some(scanned), Some(bytes)) =
            (self.records_matched, self.records_scanned, self.bytes_scanned)
        {
            text.push_str(&format!(" ({matched} of {scanned} match, {bytes} bytes searched)"));
        }
        text.push('\n');
        if let Some(note) = &self.note {
            text.push_str(&format!("# {note}\n"));
        }
        for entry in &self.log_entries {
            text.push_str(&line(entry));
        }
        text
    }
}

fn line(entry: &Entry) -> String {
    let fields = entry.fields.iter().map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), plain);
        format!("{}={value}", plain(name))
    });
    let parts = [entry.timestamp.clone(), entry.writer(), entry.line.clone()];
    let parts = parts.into_iter().chain(fields).filter(|part| !part.is_empty());
    format!("{}\n", parts.collect::<Vec<_>>().join("  "))
}
