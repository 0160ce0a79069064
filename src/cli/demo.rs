//! `drydock demo`.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context;
use clap::Args;
use futures::StreamExt;
use include_dir::{Dir, include_dir};
use tokio_util::sync::CancellationToken;

use super::Exit;
use super::serve::{listen, stop_signal};
use super::terminal::{BAD, BOLD, DIM, one_line, print, styled};
use super::transcript::Transcript;
use crate::a2a::types::{Message, PartContent, Role, Task, TaskState};
use crate::a2a::{A2aClient, PushSettings, RequestLimits};
use crate::agent::{Budget, REPORT_ARTIFACT};
use crate::agent_card::Publication;
use crate::app::{App, Settings, Storage, Work};
use crate::auth::Authenticator;
use crate::cluster::{Bundle, Cluster};
use crate::diagnosis::report::{Report, Severity};
use crate::tasks::RunnerLimits;
use crate::tools::Environment;

/// Shows the whole thing on a recorded, broken shop: no cluster, no cloud, no model needed
///
/// Starts the agent on a free port, plays a peer agent that reads its card and asks what is wrong over A2A, prints the
/// stream as it comes, and then goes on serving, so that you can try more.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct DemoArgs {
    /// Stop after the answer
    #[arg(long)]
    once: bool,
    /// Port to listen on; 0 picks a free one
    #[arg(long, value_name = "N", default_value_t = 0)]
    port: u16,
}

const EXAMPLES: &str = "\
Examples:
  drydock demo               goes on serving until Ctrl-C
  drydock demo --once        stops after the answer
  drydock demo --port 9000

Exit codes:
  0   the question was answered
  1   the task failed
  2   could not start";

/// The recorded shop.
static SHOP: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/demo/retail-store");

const QUESTION: &str = "What is wrong with our cluster?";

pub(super) async fn run(args: DemoArgs) -> anyhow::Result<Exit> {
    let stop = stop_signal().context("signals cannot be received")?;
    let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, args.port))).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let settings = Settings {
        storage: Storage::Temporary,
        card: None,
        publication: Publication { rest: true, ..Publication::at(&url) },
        authenticator: Authenticator::anonymous(),
        limits: RunnerLimits::default(),
        requests: RequestLimits::default(),
        push: PushSettings::default(),
        budget: Budget::default(),
    };
    let cluster = Cluster::from_bundle(shop());
    print(&format!(
        "{} {} (Kubernetes {}), as it was recorded on a bad day\n\n",
        styled(BOLD, "The cluster"),
        cluster.info.name,
        cluster.info.version.as_deref().unwrap_or("of some version"),
    ))?;
    let app = App::build(settings, Work::here(Environment::of(cluster))).await?;
    let ended = CancellationToken::new();
    let server = tokio::spawn(app.serve(listener, ended.clone().cancelled_owned()));
    tokio::pin!(stop);
    let asked = tokio::select! {
        asked = play_the_peer(&url) => asked?,
        () = &mut stop => TaskState::Working,
    };
    if asked == TaskState::Completed && !args.once {
        print(&try_next(&url))?;
        stop.await;
    }
    ended.cancel();
    server.await??;
    Ok(if asked == TaskState::Completed { Exit::Fine } else { Exit::Findings })
}

/// The files of the recorded shop, as a bundle.
fn shop() -> Bundle {
    let mut files = Vec::new();
    let mut folders = vec![&SHOP];
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        files.extend(folder.files());
    }
    let files = files.into_iter().map(|file| {
        let path: Vec<&str> = file.path().iter().filter_map(|name| name.to_str()).collect();
        (path.join("/"), file.contents())
    });
    Bundle::from_files("retail-store", files)
}

/// What another agent does: read the card, ask, follow the stream, look at the result.
async fn play_the_peer(url: &str) -> anyhow::Result<TaskState> {
    let client = A2aClient::connect(url, None).await?;
    let card = client.card();
    print(&format!(
        "{} {url}/.well-known/agent-card.json\n  {} {}: {}\n\n{} {QUESTION}\n",
        styled(BOLD, "A peer agent reads the card"),
        card["name"].as_str().unwrap_or_default(),
        card["version"].as_str().unwrap_or_default(),
        card["skills"][0]["name"].as_str().unwrap_or_default(),
        styled(BOLD, "and asks:"),
    ))?;
    let question = Message { role: Role::User, ..Message::agent_text(QUESTION) };
    let mut transcript = Transcript::new(anstream::stdout(), anstream::stdout());
    let mut items = client.stream(&question);
    while let Some(item) = items.next().await {
        transcript.take(&item?)?;
    }
    transcript.finish()?;
    let id = transcript.task_id.context("the agent answered without a task")?;
    let task = client.get(&id).await?;
    print(&summary(&task)?)?;
    Ok(task.status.state)
}

/// The root causes in the task's report, one line each.
fn summary(task: &Task) -> anyhow::Result<String> {
    let artifact = task.artifacts.iter().find(|artifact| artifact.artifact_id == REPORT_ARTIFACT);
    let part = artifact.and_then(|artifact| artifact.parts.first()).map(|part| &part.content);
    let Some(PartContent::Data(report)) = part else { return Ok(String::new()) };
    let report: Report = serde_json::from_value(report.clone())?;
    let roots: Vec<_> = report.findings.iter().filter(|finding| finding.root_cause).collect();
    let mut text = format!(
        "\n{} (findings: {}, root causes: {}, in {} ms)\n",
        styled(BOLD, "The report that the peer got as data"),
        report.findings.len(),
        roots.len(),
        report.duration_ms
    );
    for finding in roots {
        let namespace = finding.object.namespace.as_deref().unwrap_or("the cluster");
        let (severity, title) = (severity(finding.severity), one_line(&finding.title));
        text.push_str(&format!("  {severity}  {namespace}: {title}\n"));
    }
    Ok(text)
}

fn severity(severity: Severity) -> String {
    match severity {
        Severity::Critical => styled(BAD, "critical"),
        Severity::Warning => styled(BOLD, "warning "),
        Severity::Info => styled(DIM, "info    "),
    }
}

fn try_next(url: &str) -> String {
    let drydock = std::env::args().next().unwrap_or_else(|| "drydock".to_owned());
    format!(
        "\n{title} (this agent goes on serving; Ctrl-C stops it)\n\
         \n  ask it yourself\
         \n    {drydock} ask {url} \"Why does the cart not work?\"\
         \n  with curl\
         \n    curl -N {url}/ -H 'A2A-Version: 1.0' -H 'Content-Type: application/json' -d '{{\"jsonrpc\":\"2.0\",\"id\":1,\
         \"method\":\"SendStreamingMessage\",\"params\":{{\"message\":{{\"messageId\":\"1\",\"role\":\"ROLE_USER\",\
         \"parts\":[{{\"text\":\"Which pods do not run?\"}}]}}}}}}'\
         \n  with Python\
         \n    pip install a2a-sdk && python examples/collaborator/python-v1/collaborator.py {url} \"Is anything wrong?\"\
         \n  look at the same cluster with kubectl\
         \n    {drydock} bundle serve demo/retail-store --port 8001 &\
         \n    kubectl --server http://127.0.0.1:8001 get pods -A\
         \n  and at your own\
         \n    {drydock} diagnose\n\n",
        title = styled(BOLD, "Try next"),
    )
}
