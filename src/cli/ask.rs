//! `drydock ask`.

use std::io::{self, IsTerminal};
use std::pin::pin;

use anyhow::Context;
use clap::Args;
use futures::StreamExt;

use super::Exit;
use super::credentials::CredentialArgs;
use super::terminal::{Output, print};
use super::transcript::{Transcript, name_of};
use crate::a2a::A2aClient;
use crate::a2a::types::{ContextId, Message, Part, Role, StreamResponse, TaskId, TaskState};

/// Asks an A2A agent a question and prints the answer as it comes
///
/// Works with any agent that speaks A2A 1.0 or 0.3 over JSON-RPC. The answer goes to stdout, progress to stderr. A
/// connection that breaks is taken up where it broke. Ctrl-C cancels the task.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct AskArgs {
    /// Where the agent is: its base URL, or that of its card
    url: String,
    /// The question
    #[arg(required = true, num_args = 1..)]
    question: Vec<String>,
    /// Conversation to go on with
    #[arg(long, value_name = "ID")]
    context_id: Option<String>,
    /// Task to go on with, where it waits for input
    #[arg(long, value_name = "ID")]
    task: Option<String>,
    /// What to print on stdout: the answer's text, or the task as it is in the end
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    credentials: CredentialArgs,
}

const EXAMPLES: &str = "\
Examples:
  drydock ask http://127.0.0.1:9000 \"Is anything wrong in my cluster?\"
  drydock ask http://127.0.0.1:9000 why is checkout down
  drydock ask http://127.0.0.1:9000 \"Check the orders namespace\" -o json | jq '.artifacts[].name'
  drydock ask https://agent.example.com \"Is anything wrong?\" --client-id 1example23456789 \\
    --client-secret-file ./secret --issuer https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example

Tokens:
  A machine's token is fetched from its identity provider, kept while it lives, and sent to this
  agent only. Without --token-url and --issuer the error says where the agent's card says tokens
  come from: the secret goes only where you say.

Exit codes:
  0   the task completed, or the agent asks back
  1   the task failed, was rejected or canceled
  2   the agent could not be reached or understood
  64  wrong usage";

pub(super) async fn run(args: AskArgs) -> anyhow::Result<Exit> {
    let message = message(&args);
    let url = with_scheme(&args.url);
    let client = A2aClient::connect(&url, args.credentials.token_source(&url).await?).await?;
    let answer: Box<dyn io::Write> = match args.output {
        Output::Text => Box::new(anstream::stdout()),
        Output::Json => Box::new(io::sink()),
    };
    let mut transcript = Transcript::new(anstream::stderr(), answer);
    let mut last = None;
    let mut items = client.stream(&message);
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            item = items.next() => match item {
                Some(item) => {
                    let item = item?;
                    transcript.take(&item)?;
                    last = Some(item);
                }
                None => break,
            },
            _ = &mut interrupted => return cancel(&client, transcript.task_id.as_ref()).await,
        }
    }
    transcript.finish()?;
    if args.output == Output::Json {
        print(&format!("{:#}\n", result(&client, transcript.task_id.as_ref(), last).await?))?;
    }
    let state = transcript.state.context("the agent's stream ended before it said anything")?;
    if state.is_interrupted() && io::stderr().is_terminal() {
        let task = transcript.task_id.as_ref().map(TaskId::as_str).unwrap_or_default();
        eprintln!("\nanswer with: drydock ask {} --task {task} \"…\"", args.url);
    }
    Ok(exit_of(state))
}

fn message(args: &AskArgs) -> Message {
    Message {
        message_id: uuid::Uuid::now_v7().to_string(),
        context_id: args.context_id.as_deref().map(ContextId::from),
        task_id: args.task.as_deref().map(TaskId::from),
        role: Role::User,
        parts: vec![Part::text(args.question.join(" "), "text/plain")],
        metadata: None,
        extensions: Vec::new(),
        reference_task_ids: Vec::new(),
    }
}

/// `localhost:9000` means `http://localhost:9000`.
fn with_scheme(url: &str) -> String {
    if url.contains("://") { url.to_owned() } else { format!("http://{url}") }
}

/// The task as it is in the end, or the message that was the answer.
async fn result(
    client: &A2aClient,
    task: Option<&TaskId>,
    last: Option<StreamResponse>,
) -> anyhow::Result<serde_json::Value> {
    Ok(match (task, last) {
        (Some(id), _) => serde_json::to_value(client.get(id).await?)?,
        (None, Some(StreamResponse::Message(message))) => serde_json::to_value(message)?,
        (None, _) => anyhow::bail!("the agent's stream ended before it said anything"),
    })
}

async fn cancel(client: &A2aClient, task: Option<&TaskId>) -> anyhow::Result<Exit> {
    let Some(id) = task else { return Ok(Exit::Failed) };
    let task = client.cancel(id).await.with_context(|| format!("task {id} could not be canceled"))?;
    eprintln!("{}", name_of(task.status.state));
    Ok(exit_of(task.status.state))
}

fn exit_of(state: TaskState) -> Exit {
    match state {
        TaskState::Completed | TaskState::InputRequired | TaskState::AuthRequired => Exit::Fine,
        TaskState::Failed | TaskState::Canceled | TaskState::Rejected => Exit::Findings,
        TaskState::Submitted | TaskState::Working => Exit::Failed,
    }
}
