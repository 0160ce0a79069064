//! An executor that does what the message says.
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

/// One line of a script.
pub enum Step {
    Emit(Box<TaskEvent>),
    Pause(Duration),
    UntilCanceled,
}

fn emit(event: TaskEvent) -> Step {
    Step::Emit(Box::new(event))
}

impl AgentExecutor for Scripted {
    fn execute(&self, request: ExecutionRequest) -> BoxStream<'static, TaskEvent> {
        play(script(&request), request)
    }
}

fn script(request: &ExecutionRequest) -> Vec<Step> {
    let text = request.message.text();
    let mut words = text.split_whitespace();
    let word = words.next().unwrap_or_default();
    let mut number = |default: u64| words.next().and_then(|word| word.parse().ok()).unwrap_or(default);
    let is_follow_up = request.task.history.len() > 1;
    match word {
        "hold" => vec![working(), Step::UntilCanceled],
        "slow" => {
            let (count, pause) = (number(25), Duration::from_millis(number(200)));
            completes(paced(chunks(numbered(count)), pause))
        }
        "big" => {
            let texts = vec!["x".repeat(1023) + "\n"; usize::try_from(number(64)).unwrap_or(64)];
            completes(emitted(chunks(texts)))
        }
        "ask" if !is_follow_up => asks("Which namespace?"),
        "fail" => vec![working(), says(TaskState::Failed, "as asked")],
        "reject" => vec![says(TaskState::Rejected, "as asked")],
        _ => completes(emitted(chunks(["You said: ", text.as_str(), "\n"].map(str::to_owned).to_vec()))),
    }
}

/// A script as a stream; a cancel ends it wherever it is.
pub fn play(script: Vec<Step>, request: ExecutionRequest) -> BoxStream<'static, TaskEvent> {
    let cancellation = request.cancellation;
    let canceled = cancellation.clone();
    let events = stream::iter(script).filter_map(move |step| {
        let cancellation = cancellation.clone();
        async move {
            match step {
                Step::Emit(event) => Some(*event),
                Step::Pause(pause) => {
                    let _ = tokio::time::timeout(pause, cancellation.cancelled()).await;
                    None
                }
                Step::UntilCanceled => {
                    cancellation.cancelled().await;
                    None
                }
            }
        }
    });
    let end = stream::once(async move { canceled });
    let end = end.filter_map(|canceled| async move {
        canceled.is_cancelled().then(|| status(TaskState::Canceled, None))
    });
    events.chain(end).boxed()
}

/// A status event.
pub fn status(state: TaskState, says: Option<&str>) -> TaskEvent {
    TaskEvent::Status { state, message: says.map(Message::agent_text), metadata: None }
}

/// Texts as the chunks of one artifact.
pub fn chunks(texts: Vec<String>) -> Vec<TaskEvent> {
    let last = texts.len().saturating_sub(1);
    let event = |(index, text): (usize, String)| {
        chunk(vec![Part::text(text, "text/plain")], index > 0, index == last)
    };
    texts.into_iter().enumerate().map(event).collect()
}

pub fn chunk(parts: Vec<Part>, append: bool, last_chunk: bool) -> TaskEvent {
    TaskEvent::Artifact {
        artifact: Artifact {
            artifact_id: "answer".to_owned(),
            name: Some("answer".to_owned()),
            description: None,
            parts,
            metadata: None,
            extensions: Vec::new(),
        },
        append,
        last_chunk,
    }
}

pub fn numbered(count: u64) -> Vec<String> {
    (1..=count).map(|index| format!("chunk {index} of {count}\n")).collect()
}

pub fn working() -> Step {
    emit(status(TaskState::Working, None))
}

pub fn says(state: TaskState, text: &str) -> Step {
    emit(status(state, Some(text)))
}

pub fn asks(question: &str) -> Vec<Step> {
    vec![working(), says(TaskState::InputRequired, question)]
}

pub fn emitted(events: Vec<TaskEvent>) -> Vec<Step> {
    events.into_iter().map(emit).collect()
}

pub fn paced(events: Vec<TaskEvent>, pause: Duration) -> Vec<Step> {
    events.into_iter().flat_map(|event| [Step::Pause(pause), emit(event)]).collect()
}

pub fn completes(middle: Vec<Step>) -> Vec<Step> {
    let end = emit(status(TaskState::Completed, None));
    std::iter::once(working()).chain(middle).chain(std::iter::once(end)).collect()
}
