//! An executor that does what the message says. `examples/conformance.rs` serves the same one to real clients.
//!
//! | first word | what happens |
//! |---|---|
//! | `hold` | works until canceled |
//! | `slow N MS` | N chunks (25), one every MS milliseconds (200), then completed |
//! | `big N` | N chunks of 1 KiB (64), then completed |
//! | `ask` | input required; the next message completes the task |
//! | `fail` | failed, with a reason |
//! | `reject` | rejected |
//! | anything else | echoed in three chunks, then completed |

use std::time::Duration;

use drydock::a2a::types::{Artifact, Message, Part, TaskState};
use drydock::tasks::{AgentExecutor, ExecutionRequest, TaskEvent};
use futures::stream::{self, BoxStream, StreamExt};

/// Does what the message says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scripted;

impl AgentExecutor for Scripted {
    fn execute(&self, request: ExecutionRequest) -> BoxStream<'static, TaskEvent> {
        let text = request.message.text();
        let mut words = text.split_whitespace();
        let word = words.next().unwrap_or_default().to_owned();
        let mut number = |default: u64| words.next().and_then(|word| word.parse().ok()).unwrap_or(default);
        let is_follow_up = request.task.history.len() > 1;
        let working = stream::iter([status(TaskState::Working, None)]);
        match word.as_str() {
            "hold" => {
                let canceled = async move {
                    request.cancellation.cancelled().await;
                    status(TaskState::Canceled, None)
                };
                working.chain(stream::once(canceled)).boxed()
            }
            "slow" => {
                let (count, pause) = (number(25), Duration::from_millis(number(200)));
                let chunks = stream::iter(chunks(numbered(count))).then(move |chunk| async move {
                    tokio::time::sleep(pause).await;
                    chunk
                });
                until_canceled(working.chain(chunks).chain(completed()).boxed(), request)
            }
            "big" => {
                let texts = vec!["x".repeat(1023) + "\n"; usize::try_from(number(64)).unwrap_or(64)];
                until_canceled(working.chain(stream::iter(chunks(texts))).chain(completed()).boxed(), request)
            }
            "ask" if !is_follow_up => working
                .chain(stream::iter([status(TaskState::InputRequired, Some("Which namespace?"))]))
                .boxed(),
            "fail" => working.chain(stream::iter([status(TaskState::Failed, Some("as asked"))])).boxed(),
            "reject" => stream::iter([status(TaskState::Rejected, Some("as asked"))]).boxed(),
            _ => {
                let texts = ["You said: ", text.as_str(), "\n"].map(str::to_owned).to_vec();
                working.chain(stream::iter(chunks(texts))).chain(completed()).boxed()
            }
        }
    }
}

/// A status event.
pub fn status(state: TaskState, says: Option<&str>) -> TaskEvent {
    TaskEvent::Status { state, message: says.map(Message::agent_text), metadata: None }
}

/// Texts as the chunks of one artifact.
pub fn chunks(texts: Vec<String>) -> Vec<TaskEvent> {
    let last = texts.len().saturating_sub(1);
    let chunk = |(index, text): (usize, String)| TaskEvent::Artifact {
        artifact: Artifact {
            artifact_id: "answer".to_owned(),
            name: Some("answer".to_owned()),
            description: None,
            parts: vec![Part::text(text, "text/plain")],
            metadata: None,
            extensions: Vec::new(),
        },
        append: index > 0,
        last_chunk: index == last,
    };
    texts.into_iter().enumerate().map(chunk).collect()
}

fn numbered(count: u64) -> Vec<String> {
    (1..=count).map(|index| format!("chunk {index} of {count}\n")).collect()
}

fn completed() -> impl futures::Stream<Item = TaskEvent> {
    stream::iter([status(TaskState::Completed, None)])
}

fn until_canceled(
    events: BoxStream<'static, TaskEvent>,
    request: ExecutionRequest,
) -> BoxStream<'static, TaskEvent> {
    let cancellation = request.cancellation;
    let canceled = stream::once(async { status(TaskState::Canceled, None) });
    events.take_until(cancellation.clone().cancelled_owned()).chain(canceled).boxed()
}
