//! Many streaming tasks at once against one server, and proof that none of them lost anything.
//!
//! `cargo run --example load -- http://127.0.0.1:9000 --tasks 1000 --text "Is anything wrong?"`
//!
//! Each stream is read to the end of its task. A connection that breaks is taken up with `Last-Event-ID`, a message that
//! was not acknowledged is sent again under the same `Idempotency-Key`: a server that is killed and started again
//! meanwhile makes no difference to the outcome. Exit code 1 where a task was lost, or an event was lost or repeated.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use eventsource_stream::{Event, Eventsource};
use futures::StreamExt;
use futures::future::join_all;
use serde_json::{Value, json};

/// How long to wait before a broken connection is tried again.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Parser)]
struct Args {
    /// Where the server is
    url: String,
    /// Streaming tasks, all at once
    #[arg(long, default_value_t = 100)]
    tasks: usize,
    /// What each message says
    #[arg(long, default_value = "Is anything wrong in my cluster?")]
    text: String,
    /// Give up on a task that has not ended after so many seconds
    #[arg(long, default_value_t = 300)]
    patience: u64,
}

/// One task as its reader sees it.
#[derive(Default)]
struct Reader {
    task: Option<String>,
    last_event_id: Option<u64>,
    state: String,
    artifacts: BTreeMap<String, String>,
    reconnects: usize,
    problems: Vec<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = Arc::new(Args::parse());
    let http = reqwest::Client::builder().pool_max_idle_per_host(0).build()?;
    let run = uuid::Uuid::new_v4();
    let (started, ended) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let readers = (0..args.tasks).map(|index| {
        let (args, http, ended) = (Arc::clone(&args), http.clone(), Arc::clone(&ended));
        tokio::spawn(async move {
            let reader = read_to_the_end(&http, &args, &format!("{run}-{index}")).await;
            ended.fetch_add(1, Ordering::Relaxed);
            (reader, started.elapsed())
        })
    });
    let results = join_all(readers).await.into_iter().collect::<Result<Vec<_>, _>>()?;
    Ok(report(&results, started.elapsed()))
}

async fn read_to_the_end(http: &reqwest::Client, args: &Args, key: &str) -> Reader {
    let mut reader = Reader::default();
    let patience = tokio::time::timeout(Duration::from_secs(args.patience), async {
        while !is_terminal(&reader.state) {
            if let Err(broken) = read_until_it_breaks(http, args, key, &mut reader).await {
                reader.reconnects += 1;
                if broken.is::<NotPassing>() {
                    reader.problems.push(broken.to_string());
                    return;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    });
    if patience.await.is_err() {
        reader.problems.push(format!("not ended after {} s (state {:?})", args.patience, reader.state));
    }
    if reader.problems.is_empty()
        && let Err(error) = compare_with_get(http, args, &mut reader).await
    {
        reader.problems.push(error.to_string());
    }
    reader
}

/// An answer that trying again does not change.
#[derive(Debug, thiserror::Error)]
#[error("the server answered {0}")]
struct NotPassing(String);

async fn read_until_it_breaks(
    http: &reqwest::Client,
    args: &Args,
    key: &str,
    reader: &mut Reader,
) -> anyhow::Result<()> {
    let request = match &reader.task {
        None => {
            let message = json!({ "messageId": key, "role": "ROLE_USER", "parts": [{ "text": args.text }] });
            rpc(http, &args.url, "SendStreamingMessage", json!({ "message": message }))
                .header("Idempotency-Key", key)
        }
        Some(task) => {
            let last = reader.last_event_id.unwrap_or_default();
            rpc(http, &args.url, "SubscribeToTask", json!({ "id": task }))
                .header("Last-Event-ID", last.to_string())
        }
    };
    let response = request.send().await?.error_for_status()?;
    let is_stream = response.headers().get("content-type").is_some_and(|value| value == "text/event-stream");
    if !is_stream {
        return Err(NotPassing(response.text().await?).into());
    }
    let mut events = response.bytes_stream().eventsource();
    while let Some(event) = events.next().await {
        reader.take(&event?)?;
    }
    anyhow::ensure!(is_terminal(&reader.state), "the stream ended before its task");
    Ok(())
}

impl Reader {
    fn take(&mut self, event: &Event) -> anyhow::Result<()> {
        let number: u64 = event.id.parse()?;
        if self.last_event_id.is_some_and(|last| number != last + 1) {
            self.problems.push(format!("event {number} came after {:?}", self.last_event_id));
        }
        self.last_event_id = Some(number);
        let data: Value = serde_json::from_str(&event.data)?;
        let result = &data["result"];
        if let Some(task) = result.get("task") {
            self.task = task["id"].as_str().map(str::to_owned);
            self.take_state(&task["status"]);
            for artifact in task["artifacts"].as_array().into_iter().flatten() {
                self.take_artifact(artifact, false);
            }
        } else if let Some(update) = result.get("artifactUpdate") {
            self.take_artifact(&update["artifact"], update["append"] == true);
        } else {
            self.take_state(&result["statusUpdate"]["status"]);
        }
        Ok(())
    }

    fn take_state(&mut self, status: &Value) {
        self.state = status["state"].as_str().unwrap_or_default().to_owned();
    }

    fn take_artifact(&mut self, artifact: &Value, append: bool) {
        let text = self.artifacts.entry(artifact["artifactId"].to_string()).or_default();
        if !append {
            text.clear();
        }
        text.push_str(&content_of(artifact));
    }
}

fn content_of(artifact: &Value) -> String {
    let parts = artifact["parts"].as_array().into_iter().flatten();
    parts.map(|part| part["text"].as_str().map_or_else(|| part["data"].to_string(), str::to_owned)).collect()
}

/// What was streamed has to be what is kept.
async fn compare_with_get(http: &reqwest::Client, args: &Args, reader: &mut Reader) -> anyhow::Result<()> {
    let answer = get_task(http, args, reader).await?;
    let kept: BTreeMap<String, String> = answer["result"]["artifacts"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|artifact| (artifact["artifactId"].to_string(), content_of(artifact)))
        .collect();
    anyhow::ensure!(kept == reader.artifacts, "the streamed artifacts are not those that GetTask shows");
    Ok(())
}

/// Reads the task. The server may be on its way back just now, so a broken connection is tried again.
async fn get_task(http: &reqwest::Client, args: &Args, reader: &Reader) -> anyhow::Result<Value> {
    let started = Instant::now();
    loop {
        let answer = async {
            let request = rpc(http, &args.url, "GetTask", json!({ "id": reader.task }));
            request.send().await?.json::<Value>().await
        };
        match answer.await {
            Ok(answer) => return Ok(answer),
            Err(_) if started.elapsed() < Duration::from_secs(args.patience) => {
                tokio::time::sleep(PAUSE).await
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn rpc(http: &reqwest::Client, url: &str, method: &str, params: Value) -> reqwest::RequestBuilder {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    http.post(url).header("A2A-Version", "1.0").json(&body)
}

fn is_terminal(state: &str) -> bool {
    ["COMPLETED", "FAILED", "CANCELED", "REJECTED"].iter().any(|end| state.ends_with(end))
}

fn report(results: &[(Reader, Duration)], elapsed: Duration) -> ExitCode {
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    for (reader, _) in results {
        *states.entry(&reader.state).or_default() += 1;
    }
    let mut times: Vec<Duration> = results.iter().map(|(_, time)| *time).collect();
    times.sort_unstable();
    let percentile = |share: usize| times.get((times.len() * share / 100).min(times.len().saturating_sub(1)));
    let events: u64 = results.iter().filter_map(|(reader, _)| reader.last_event_id).sum();
    let reconnects: usize = results.iter().map(|(reader, _)| reader.reconnects).sum();
    let problems: Vec<&String> = results.iter().flat_map(|(reader, _)| &reader.problems).collect();
    println!(
        "{} tasks in {:.2} s: {states:?}, {events} events, {reconnects} reconnects, ended p50 {:.2?} p99 {:.2?}",
        results.len(),
        elapsed.as_secs_f64(),
        percentile(50).copied().unwrap_or_default(),
        percentile(99).copied().unwrap_or_default(),
    );
    println!("lost or repeated: {}", problems.len());
    for problem in problems.iter().take(10) {
        println!("  {problem}");
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
