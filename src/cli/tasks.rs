//! `drydock tasks`.

mod text;

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use reqwest::Url;
use serde_json::{Value, json};

use super::Exit;
use super::terminal::{Output, print};
use crate::a2a::types::TaskId;
use crate::config::default_data_dir;
use crate::tasks::{StoredEntry, StoredPush, StoredTask, TaskArchive, TaskStoreError, TaskSummary};

/// Looks at the tasks of a server, while it runs or not
///
/// Reads the folder that `drydock serve` keeps its tasks in, takes no lock and changes nothing.
#[derive(Debug, Subcommand)]
pub(super) enum TasksCommand {
    List(ListArgs),
    Show(ShowArgs),
}

/// Where the tasks are and how they are printed.
#[derive(Debug, Args)]
struct Common {
    /// Folder of the tasks [default: $XDG_DATA_HOME/drydock or ~/.local/share/drydock]
    #[arg(long, value_name = "DIR", env = "DRYDOCK_DATA")]
    data: Option<PathBuf>,
    /// How to print
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    output: Output,
}

/// Lists tasks, those that changed last first; with --dead, the push notifications that were given up
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct ListArgs {
    /// Push configurations that were given up, instead of tasks
    #[arg(long)]
    dead: bool,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
    #[command(flatten)]
    common: Common,
}

/// Shows one task: its log, and how far its push notifications have come
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct ShowArgs {
    /// The task
    #[arg(value_name = "TASK")]
    id: String,
    #[command(flatten)]
    common: Common,
}

const EXAMPLES: &str = "\
Examples:
  drydock tasks list
  drydock tasks list --dead -o json | jq -r '.pushNotifications[].lastError'
  drydock tasks show 01a21048-2aad-731f-878c-df2ce6590f13

Exit codes:
  0   fine
  2   there are no tasks in the folder, no such task, or they cannot be read
  64  wrong usage";

pub(super) async fn run(command: TasksCommand) -> anyhow::Result<Exit> {
    let printed = match command {
        TasksCommand::List(args) => list(args).await?,
        TasksCommand::Show(args) => show(args).await?,
    };
    print(&printed)?;
    Ok(Exit::Fine)
}

async fn list(args: ListArgs) -> anyhow::Result<String> {
    let archive = open(args.common.data).await?;
    if args.dead {
        let dead = archive.dead_pushes(args.limit).await?;
        return Ok(match args.common.output {
            Output::Text => text::dead(&dead),
            Output::Json => {
                pretty(&json!({ "pushNotifications": dead.iter().map(push_json).collect::<Vec<_>>() }))
            }
        });
    }
    let tasks = archive.tasks(args.limit).await?;
    Ok(match args.common.output {
        Output::Text => text::list(&tasks),
        Output::Json => pretty(&json!({ "tasks": tasks.iter().map(summary_json).collect::<Vec<_>>() })),
    })
}

async fn show(args: ShowArgs) -> anyhow::Result<String> {
    let archive = open(args.common.data).await?;
    let id = TaskId(args.id);
    let stored = archive.task(&id).await.map_err(|error| match error {
        TaskStoreError::NotFound => anyhow::anyhow!("there is no task {id}: see `drydock tasks list`"),
        error => error.into(),
    })?;
    let (log, pushes) = (archive.log(&id).await?, archive.pushes(&id).await?);
    Ok(match args.common.output {
        Output::Text => text::show(&stored, &log, &pushes),
        Output::Json => pretty(&task_json(&stored, &log, &pushes)?),
    })
}

async fn open(data: Option<PathBuf>) -> anyhow::Result<TaskArchive> {
    let folder = data.or_else(default_data_dir);
    let folder = folder.context("where is the folder of the tasks? There is no HOME: say --data DIR")?;
    TaskArchive::open(&folder.join("tasks.db")).await.map_err(|error| match error {
        TaskStoreError::NotFound => anyhow::anyhow!(
            "there are no tasks in {}: say with --data where `drydock serve` keeps them",
            folder.display()
        ),
        error => {
            anyhow::Error::new(error).context(format!("the tasks in {} cannot be read", folder.display()))
        }
    })
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

fn summary_json(task: &TaskSummary) -> Value {
    json!({
        "id": task.id, "owner": task.owner, "contextId": task.context_id, "state": task.state,
        "updatedAt": task.updated_at, "entries": task.sequence, "question": task.question,
    })
}

fn task_json(stored: &StoredTask, log: &[StoredEntry], pushes: &[StoredPush]) -> anyhow::Result<Value> {
    Ok(json!({
        "task": stored.task, "owner": stored.owner, "attempts": stored.attempts,
        "log": serde_json::to_value(log)?,
        "pushNotifications": pushes.iter().map(push_json).collect::<Vec<_>>(),
    }))
}

/// A configuration without what is secret in it: credentials, the token, and the path of the receiver.
fn push_json(stored: &StoredPush) -> Value {
    let progress = &stored.progress;
    json!({
        "taskId": stored.config.task_id, "id": stored.config.id, "owner": stored.config.owner,
        "receiver": receiver(stored), "version": stored.config.format.version(),
        "state": progress.state.name(), "delivered": progress.cursor, "attempts": progress.attempts,
        "createdAt": stored.created_at, "failingSince": progress.failing_since,
        "nextAttemptAt": progress.next_attempt_at, "lastError": progress.last_error,
    })
}

/// Scheme, host and port: the rest of a URL may be a secret.
fn receiver(stored: &StoredPush) -> String {
    let url = Url::parse(&stored.config.url);
    url.map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}
