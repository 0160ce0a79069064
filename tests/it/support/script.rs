//! An executor that does what the message says. `examples/conformance.rs` serves the same one to real clients and to
//! conformance kits.
//!
//! The first word of the text decides:
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
//!
//! Conformance kits say it with the beginning of the messageId, or with the first word: see [`kit_script`].

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use drydock::a2a::types::{Artifact, Message, Part, PartContent, TaskState};
use drydock::tasks::{AgentExecutor, Delivery, ExecutionRequest, TaskEvent};
use futures::stream::{self, BoxStream, StreamExt};
use serde_json::json;

/// Does what the message says.
#[derive(Debug, Clone, Copy)]
pub struct Scripted {
    /// What a kit calls its streaming timeout: courses that are to outlast it take twice as long.
    pub timeout: Duration,
    /// Leaves the task of a plain 0.3 `message/send` working, as the kits of 0.3 want it: the next message, or a cancel,
    /// finds it so.
    pub leaves_v03_working: bool,
}

impl Default for Scripted {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(2), leaves_v03_working: false }
    }
}

/// One line of a script.
enum Step {
    Emit(TaskEvent),
    Pause(Duration),
    UntilCanceled,
}

impl AgentExecutor for Scripted {
    fn execute(&self, request: ExecutionRequest) -> BoxStream<'static, TaskEvent> {
        play(self.script(&request), request)
    }

    fn hands_over(&self) -> bool {
        self.leaves_v03_working
    }
}

impl Scripted {
    fn script(&self, request: &ExecutionRequest) -> Vec<Step> {
        let text = request.message.text();
        let steering = steering_word(&request.message, &text);
        let is_follow_up = request.task.history.len() > 1;
        if is_follow_up && asks_until_done(request) && text.trim() != "done" {
            return asks("Say done when there is nothing more");
        }
        if steering.starts_with("tck-") || steering.starts_with("test-resubscribe-message-id") {
            return kit_script(&steering, self.timeout, is_follow_up);
        }
        let mut words = text.split_whitespace().skip(1);
        let mut number = |default: u64| words.next().and_then(|word| word.parse().ok()).unwrap_or(default);
        match steering.as_str() {
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
            _ if self.leaves_working(request) => vec![working()],
            _ => completes(emitted(chunks(["You said: ", text.as_str(), "\n"].map(str::to_owned).to_vec()))),
        }
    }

    fn leaves_working(&self, request: &ExecutionRequest) -> bool {
        let options = &request.options;
        self.leaves_v03_working
            && options.protocol_version.starts_with("0.3")
            && options.delivery == Delivery::Unsaid
    }
}

/// What kits call for. Their session and transport follow the name.
///
/// | name | what happens |
/// |---|---|
/// | `tck-complete-task`, and any other | completed at once |
/// | `tck-artifact-text`, `-file`, `-file-url`, `-data` | one such artifact, then completed |
/// | `tck-message-response` | completed with that message: drydock answers with a Task always |
/// | `tck-input-required`, `tck-multi-turn` | input required; the next message completes it, or only `done` does |
/// | `tck-auth-required` | auth required |
/// | `tck-reject-task`, `tck-task-failure` | rejected, failed |
/// | `tck-cancel` | works until canceled |
/// | `tck-delayed-complete` | works for the timeout, then completed |
/// | `tck-long-running` | one chunk after the other for a while, then completed |
/// | `tck-stream-…` | working, an artifact, completed |
/// | `test-resubscribe-message-id` | emits for twice the timeout, and for 4 s at least |
fn kit_script(name: &str, timeout: Duration, is_follow_up: bool) -> Vec<Step> {
    let is = |prefix: &str| name.strip_prefix("tck-").is_some_and(|name| name.starts_with(prefix));
    let outlasting = || paced(chunks(numbered(20)), (2 * timeout).max(Duration::from_secs(4)) / 20);
    match name {
        _ if name.starts_with("test-resubscribe") => completes(outlasting()),
        _ if is("input-required") && !is_follow_up => asks("What is missing?"),
        _ if is("multi-turn") && !is_follow_up => asks("Go on"),
        _ if is("auth-required") && !is_follow_up => {
            vec![working(), says(TaskState::AuthRequired, "Sign in at the issuer, then go on")]
        }
        _ if is("reject-task") => vec![says(TaskState::Rejected, "rejected")],
        _ if is("task-failure") => vec![working(), says(TaskState::Failed, "as asked")],
        _ if is("cancel") => vec![working(), Step::UntilCanceled],
        _ if is("delayed-complete") => {
            vec![working(), Step::Pause(timeout), says(TaskState::Completed, "Done after delay")]
        }
        _ if is("long-running") => completes(outlasting()),
        _ if is("artifact-") || is("stream-") => completes(emitted(kit_artifact(name))),
        _ if is("message-response") => vec![says(TaskState::Completed, "Direct message response")],
        _ => vec![says(TaskState::Completed, "Hello from TCK")],
    }
}

fn kit_artifact(name: &str) -> Vec<TaskEvent> {
    let is = |what: &str| name.trim_start_matches("tck-").trim_start_matches("stream-").starts_with(what);
    let named = |part: Part| Part { filename: Some("output.txt".to_owned()), ..part };
    let content = match name {
        _ if is("artifact-file-url") => {
            let url = "https://example.com/output.txt".to_owned();
            named(part(PartContent::Url(url), "text/plain"))
        }
        _ if is("artifact-file") => {
            named(part(PartContent::Raw(BASE64_STANDARD.encode("tck")), "text/plain"))
        }
        _ if is("artifact-data") => {
            part(PartContent::Data(json!({ "key": "value", "count": 42 })), "application/json")
        }
        _ if is("artifact-text") => Part::text("Generated text content", "text/plain"),
        _ if is("artifact-chunked") || is("chunked") => {
            return chunks(["chunk-1 ", "chunk-2 ", "chunk-3"].map(str::to_owned).to_vec());
        }
        _ => return chunks(vec!["Ordered ".to_owned(), "output".to_owned()]),
    };
    vec![chunk(vec![content], false, true)]
}

/// A kit's messageId says what it wants; other clients' first word does.
fn steering_word(message: &Message, text: &str) -> String {
    let id = &message.message_id;
    match id.starts_with("tck-") || id.starts_with("test-resubscribe-message-id") {
        true => id.clone(),
        false => text.split_whitespace().next().unwrap_or_default().to_owned(),
    }
}

fn asks_until_done(request: &ExecutionRequest) -> bool {
    let first = request.task.history.first();
    first.is_some_and(|first| steering_word(first, &first.text()).starts_with("tck-multi-turn"))
}

/// A script as a stream; a cancel ends it wherever it is.
fn play(script: Vec<Step>, request: ExecutionRequest) -> BoxStream<'static, TaskEvent> {
    let cancellation = request.cancellation;
    let canceled = cancellation.clone();
    let events = stream::iter(script).filter_map(move |step| {
        let cancellation = cancellation.clone();
        async move {
            match step {
                Step::Emit(event) => Some(event),
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

fn chunk(parts: Vec<Part>, append: bool, last_chunk: bool) -> TaskEvent {
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

fn part(content: PartContent, media_type: &str) -> Part {
    Part { content, ..Part::text("", media_type) }
}

fn numbered(count: u64) -> Vec<String> {
    (1..=count).map(|index| format!("chunk {index} of {count}\n")).collect()
}

fn working() -> Step {
    Step::Emit(status(TaskState::Working, None))
}

fn says(state: TaskState, text: &str) -> Step {
    Step::Emit(status(state, Some(text)))
}

fn asks(question: &str) -> Vec<Step> {
    vec![working(), says(TaskState::InputRequired, question)]
}

fn emitted(events: Vec<TaskEvent>) -> Vec<Step> {
    events.into_iter().map(Step::Emit).collect()
}

fn paced(events: Vec<TaskEvent>, pause: Duration) -> Vec<Step> {
    events.into_iter().flat_map(|event| [Step::Pause(pause), Step::Emit(event)]).collect()
}

fn completes(middle: Vec<Step>) -> Vec<Step> {
    let end = Step::Emit(status(TaskState::Completed, None));
    std::iter::once(working()).chain(middle).chain(std::iter::once(end)).collect()
}
