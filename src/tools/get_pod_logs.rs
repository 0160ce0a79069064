//! `get_pod_logs`: the newest lines of a container's log.

use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cluster::{ClusterError, LogQuery};

use super::bounds::size;
use super::objects::get;
use super::pod_containers::{Container, choose, containers};
use super::text::{counted, plain, shorten};
use super::{Tool, ToolContext, ToolError, ToolOutcome};

/// How many of the newest lines `grep` searches.
const SEARCHED: u32 = 5000;

pub(super) struct GetPodLogs;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// Namespace of the pod
    #[serde(default = "default_namespace")]
    namespace: String,
    /// Name of the pod
    pod_name: String,
    /// Container, where the pod has several; where left out, the one that is in trouble, or else the first
    container_name: Option<String>,
    /// Only lines from the last so many seconds
    #[schemars(range(min = 1))]
    since_seconds: Option<u32>,
    /// Only so many of the newest lines
    #[serde(default = "default_tail_lines")]
    #[schemars(range(min = 1, max = 5000))]
    tail_lines: u32,
    /// Most bytes to return; the newest lines are kept
    #[serde(default = "default_limit_bytes")]
    #[schemars(range(min = 1, max = 1_048_576))]
    limit_bytes: usize,
    /// The log of the instance before the last restart
    #[serde(default)]
    previous: bool,
    /// Each line begins with its time, as the node wrote it
    #[serde(default)]
    timestamps: bool,
    /// Only lines that match this regular expression, among the newest 5000; `(?i)` before it ignores case
    grep: Option<String>,
}

fn default_namespace() -> String {
    "default".to_owned()
}

fn default_tail_lines() -> u32 {
    100
}

fn default_limit_bytes() -> usize {
    10_240
}

impl Tool for GetPodLogs {
    const NAME: &'static str = "get_pod_logs";
    const TITLE: &'static str = "Read the log of a pod";
    const DESCRIPTION: &'static str = "The newest lines of a pod's log, of the container in trouble unless one is named. For a container that crashes, \
         previous=true shows what it wrote before it ended. Credentials in the log are replaced.";
    const SENSITIVE: bool = true;
    type Input = Input;
    type Output = Value;
    type Context = ToolContext;

    async fn run(&self, input: Input, cx: &ToolContext) -> Result<ToolOutcome, ToolError> {
        let grep = input.grep.as_deref().map(pattern).transpose()?;
        let kind = cx.cluster.resolve("Pod", Some("v1")).await?;
        // `pod/x`, as kubectl prints it.
        let name = input.pod_name.rsplit('/').next().unwrap_or_default();
        let pod = get(cx, &kind, Some(&input.namespace), name).await?;
        let all = containers(&pod);
        let container = container(&all, &pod, &input, name)?;
        let query = LogQuery {
            namespace: input.namespace.clone(),
            pod: name.to_owned(),
            container: Some(container.name.clone()),
            previous: input.previous,
            tail_lines: Some(if grep.is_some() { SEARCHED } else { input.tail_lines }),
            since_seconds: input.since_seconds,
            timestamps: input.timestamps,
        };
        let (log, refusal) = match cx.cluster.logs(&query).await {
            Ok(log) => (log, None),
            Err(ClusterError::Invalid(why) | ClusterError::NotFound(why))
                if input.previous || container.waiting.is_some() =>
            {
                (String::new(), Some(no_log(container, input.previous, &why)))
            }
            Err(error) => return Err(error.into()),
        };
        let room =
            input.limit_bytes.min(cx.call.max_bytes - cx.call.max_bytes.min(1024).min(cx.call.max_bytes / 2));
        let lines = Lines::newest(&log, grep.as_ref(), input.tail_lines as usize, room);
        let note = refusal.or_else(|| lines.note(container, &input));
        Ok(outcome(&query, container, &all, &lines, note))
    }
}

fn pattern(text: &str) -> Result<Regex, ToolError> {
    Regex::new(text).map_err(|error| {
        let error = error.to_string();
        let why = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
        ToolError::InvalidInput(format!(
            "grep must be a regular expression, not {:?}: {why}",
            shorten(text, 60)
        ))
    })
}

fn container<'a>(
    all: &'a [Container],
    pod: &Value,
    input: &Input,
    pod_name: &str,
) -> Result<&'a Container, ToolError> {
    let chosen = match &input.container_name {
        Some(name) => all.iter().find(|container| container.name == *name),
        None => choose(all, pod, input.previous),
    };
    chosen.ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|container| container.name.as_str()).collect();
        let asked = input.container_name.as_deref().unwrap_or_default();
        ToolError::InvalidInput(format!(
            "container_name {asked:?} is no container of pod {pod_name:?}; it has {}",
            names.join(", ")
        ))
    })
}

/// Why there is no log, in the words of the container's state rather than of the API.
fn no_log(container: &Container, previous: bool, why: &str) -> String {
    let name = &container.name;
    match (&container.waiting, previous, container.restarts) {
        (_, true, 0) => format!("Container {name} has no previous log: it was never restarted."),
        (_, true, _) => format!("Container {name} has no previous log: {}.", plain(why)),
        (Some(waiting), false, _) => {
            format!("Container {name} has no log yet: it waits ({}).", shorten(&plain(waiting), 300))
        }
        (None, false, _) => format!("Container {name} has no log: {}.", plain(why)),
    }
}

/// The newest lines of a log, oldest first.
struct Lines {
    kept: Vec<String>,
    /// Lines that were there to choose from, after `grep`.
    matching: usize,
    /// Lines that `limit_bytes` has cost.
    cut: usize,
    /// Not even the newest line fits.
    shortened: bool,
}

impl Lines {
    fn newest(log: &str, grep: Option<&Regex>, count: usize, room: usize) -> Self {
        let matching = log.lines().map(plain).filter(|line| grep.is_none_or(|grep| grep.is_match(line)));
        let mut lines: Vec<String> = matching.collect();
        let matching = lines.len();
        lines.drain(..matching.saturating_sub(count));
        let mut kept = lines.split_off(lines.len() - fitting(&lines, room));
        let mut shortened = false;
        if kept.is_empty()
            && let Some(newest) = lines.pop()
        {
            // Its beginning and its end are better than nothing.
            kept.push(shorten(&newest, room / 4));
            shortened = true;
        }
        Self { kept, matching, cut: lines.len(), shortened }
    }

    fn is_cut(&self) -> bool {
        self.cut > 0 || self.shortened
    }

    fn note(&self, container: &Container, input: &Input) -> Option<String> {
        let restarts = counted(usize::try_from(container.restarts).unwrap_or(usize::MAX), "time", "times");
        let hint = match container.restarts > 0 && !input.previous {
            true => format!(" It restarted {restarts}: previous=true shows what it wrote before."),
            false => String::new(),
        };
        match (&input.grep, input.since_seconds) {
            _ if self.is_cut() => {
                let lines = counted(self.cut, "older line is", "older lines are");
                let this = if self.shortened { ", and this one is shortened" } else { "" };
                Some(format!("{lines} left out{this}: raise limit_bytes, or search with grep."))
            }
            _ if self.matching > 0 => None,
            (Some(grep), _) => Some(format!("No line matches {grep:?}.")),
            (None, Some(seconds)) => Some(format!("The log has nothing from the last {seconds} s.{hint}")),
            (None, None) => Some(format!("The log is empty.{hint}")),
        }
    }
}

/// How many of the last lines fit into so many bytes, as text with their newlines and as JSON with commas and escapes.
fn fitting(lines: &[String], room: usize) -> usize {
    let mut left = room;
    let fits = |line: &&String| match left.checked_sub(size(line) + 1) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    lines.iter().rev().take_while(fits).count()
}

fn outcome(
    query: &LogQuery,
    container: &Container,
    all: &[Container],
    lines: &Lines,
    note: Option<String>,
) -> ToolOutcome {
    let others: Vec<&str> =
        all.iter().map(|other| other.name.as_str()).filter(|name| *name != container.name).collect();
    let mut text = format!("# {}/{}, container {}", query.namespace, query.pod, container.name);
    if query.previous && !lines.kept.is_empty() {
        text.push_str(", the instance before its last restart");
    } else if container.restarts > 0 {
        text.push_str(&format!(
            ", restarted {}",
            counted(usize::try_from(container.restarts).unwrap_or(usize::MAX), "time", "times")
        ));
    }
    if !others.is_empty() {
        text.push_str(&format!("; other containers: {}", others.join(", ")));
    }
    text.push('\n');
    if let Some(note) = &note {
        text.push_str(&format!("# {note}\n"));
    }
    for line in &lines.kept {
        text.push_str(line);
        text.push('\n');
    }
    let structured = json!({
        "namespace": query.namespace, "podName": query.pod, "containerName": container.name,
        "previous": query.previous, "otherContainers": others, "restarts": container.restarts,
        "lineCount": lines.kept.len(), "logLines": lines.kept, "note": note,
    });
    ToolOutcome { truncated: lines.is_cut(), ..ToolOutcome::new(structured, text) }
}
