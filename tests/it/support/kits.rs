//! The executor of `examples/conformance.rs`: what conformance kits call for, and else what [`Scripted`] does.
//!
//! Kits say it with the beginning of the messageId, or with the first word of the text; their session and transport
//! follow the name.
//!
//! | name | what happens |
//! |---|---|
//! | `tck-complete-task`, and any other | completed at once |
//! | `tck-artifact-text`, `-file`, `-file-url`, `-data` | one such artifact, then completed |
//! | `tck-message-response` | completed with that message: drydock answers with a Task always |
//! | `tck-input-required` | input required; the next message completes the task |
//! | `tck-multi-turn` | the same, but only the message `done` completes it |
//! | `tck-auth-required` | auth required; the next message completes the task |
//! | `tck-reject-task`, `tck-task-failure` | rejected, failed |
//! | `tck-cancel` | works until canceled |
//! | `tck-delayed-complete` | works for the timeout, then completed |
//! | `tck-long-running` | one chunk after the other for a while, then completed |
//! | `tck-stream-…` | working, an artifact, completed |
//! | `test-resubscribe-message-id` | emits for twice the timeout, and for 4 s at least |

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use drydock::a2a::types::{Message, Part, PartContent, TaskState};
use drydock::tasks::{AgentExecutor, Delivery, ExecutionRequest, TaskEvent};
use futures::stream::BoxStream;
use serde_json::json;

use super::script::{
    Scripted, Step, asks, chunk, chunks, completes, emitted, numbered, paced, play, says, working,
};

/// Does what kits call for.
#[derive(Debug, Clone, Copy)]
pub struct ForKits {
    /// What a kit calls its streaming timeout: what is to outlast it takes twice as long.
    pub timeout: Duration,
}

/// What [`Scripted`] knows by its first word.
const WORDS: [&str; 6] = ["hold", "slow", "big", "ask", "fail", "reject"];

impl AgentExecutor for ForKits {
    fn execute(&self, request: ExecutionRequest) -> BoxStream<'static, TaskEvent> {
        let text = request.message.text();
        let name = name_of(&request.message, &text);
        let is_follow_up = request.task.history.len() > 1;
        if is_follow_up && asks_until_done(&request) && text.trim() != "done" {
            play(asks("Say done when there is nothing more"), request)
        } else if is_of_kit(&name) {
            play(kit_script(&name, self.timeout, is_follow_up), request)
        } else if !WORDS.contains(&name.as_str()) && leaves_working(&request) {
            play(vec![working()], request)
        } else {
            Scripted.execute(request)
        }
    }

    fn hands_over(&self) -> bool {
        true
    }
}

/// The kits of 0.3 want to find the task of a plain `message/send` working: they continue, read and cancel it.
fn leaves_working(request: &ExecutionRequest) -> bool {
    let options = &request.options;
    options.protocol_version.starts_with("0.3") && options.delivery == Delivery::Unsaid
}

fn is_of_kit(name: &str) -> bool {
    name.starts_with("tck-") || name.starts_with("test-resubscribe-message-id")
}

/// A kit's messageId names what it wants; the first word of other messages may.
fn name_of(message: &Message, text: &str) -> String {
    match is_of_kit(&message.message_id) {
        true => message.message_id.clone(),
        false => text.split_whitespace().next().unwrap_or_default().to_owned(),
    }
}

fn asks_until_done(request: &ExecutionRequest) -> bool {
    let first = request.task.history.first();
    first.is_some_and(|first| name_of(first, &first.text()).starts_with("tck-multi-turn"))
}

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

fn part(content: PartContent, media_type: &str) -> Part {
    Part { content, ..Part::text("", media_type) }
}
