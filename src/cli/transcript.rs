//! A task's stream as people read it: what happens on one side, the answer as it grows on the other.

use std::collections::HashMap;
use std::io::{self, Write};

use crate::a2a::types::{
    Artifact, ContextId, Message, PartContent, StreamResponse, Task, TaskId, TaskState, TaskStatus,
};

use super::terminal::{BAD, BOLD, DIM, GOOD, one_line, sanitized, styled};

/// Writes a stream to two writers, progress and answer; they may be the same terminal.
pub(super) struct Transcript<P, A> {
    progress: P,
    answer: A,
    /// How many bytes of each artifact's text are written already.
    written: HashMap<String, usize>,
    at_line_start: bool,
    /// The task, once it is known.
    pub(super) task_id: Option<TaskId>,
    /// Its conversation.
    pub(super) context_id: Option<ContextId>,
    /// Where it stands.
    pub(super) state: Option<TaskState>,
}

impl<P: Write, A: Write> Transcript<P, A> {
    pub(super) fn new(progress: P, answer: A) -> Self {
        Self {
            progress,
            answer,
            written: HashMap::new(),
            at_line_start: true,
            task_id: None,
            context_id: None,
            state: None,
        }
    }

    /// Writes one item.
    pub(super) fn take(&mut self, item: &StreamResponse) -> io::Result<()> {
        match item {
            StreamResponse::Task(task) => self.take_task(task),
            StreamResponse::Message(message) => self.take_message(message),
            StreamResponse::StatusUpdate(event) => self.take_status(&event.status),
            StreamResponse::ArtifactUpdate(event) => self.take_artifact(&event.artifact, event.append),
        }
    }

    /// Ends an answer that did not end its last line.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if !self.at_line_start {
            self.answer.write_all(b"\n")?;
            self.at_line_start = true;
        }
        self.answer.flush()
    }

    /// A snapshot: of the artifacts in it, only what is not written yet.
    fn take_task(&mut self, task: &Task) -> io::Result<()> {
        if self.task_id.is_none() {
            writeln!(self.progress, "{}", styled(DIM, &format!("task {}", one_line(task.id.as_str()))))?;
        }
        self.task_id = Some(task.id.clone());
        self.context_id = Some(task.context_id.clone());
        for artifact in &task.artifacts {
            let text = text_of(artifact);
            let written = self.written.get(&artifact.artifact_id).copied().unwrap_or(0);
            match text.get(written..) {
                Some(rest) => self.write_answer(&artifact.artifact_id, rest)?,
                None => self.take_artifact(artifact, false)?,
            }
        }
        self.take_status(&task.status)
    }

    /// A direct answer, which is all there will be.
    fn take_message(&mut self, message: &Message) -> io::Result<()> {
        self.state = Some(TaskState::Completed);
        self.write_answer(&message.message_id, &message.text())
    }

    fn take_status(&mut self, status: &TaskStatus) -> io::Result<()> {
        let says = status.message.as_ref().map(Message::text).filter(|text| !text.trim().is_empty());
        let state = status.state;
        if self.state != Some(state) {
            self.end_line()?;
            writeln!(self.progress, "{}", styled(style_of(state), name_of(state)))?;
        }
        self.state = Some(state);
        match says {
            Some(text) if state.is_interrupted() => self.write_answer("question", &text),
            Some(text) => writeln!(self.progress, "{}", styled(DIM, &format!("  {}", one_line(&text)))),
            None => Ok(()),
        }?;
        self.progress.flush()
    }

    fn take_artifact(&mut self, artifact: &Artifact, append: bool) -> io::Result<()> {
        let text = text_of(artifact);
        let id = &artifact.artifact_id;
        if !append && self.written.get(id).is_some_and(|written| *written > 0) {
            self.end_line()?;
            writeln!(self.progress, "{}", styled(DIM, "  the agent begins its answer anew"))?;
            self.written.remove(id);
        }
        self.write_answer(id, &text)
    }

    fn write_answer(&mut self, id: &str, text: &str) -> io::Result<()> {
        *self.written.entry(id.to_owned()).or_default() += text.len();
        for line in sanitized(text).split_inclusive('\n') {
            let heading = self.at_line_start && line.starts_with('#');
            if heading {
                write!(self.answer, "{BOLD}")?;
            }
            self.answer.write_all(line.trim_end_matches('\n').as_bytes())?;
            self.at_line_start = line.ends_with('\n');
            if self.at_line_start {
                writeln!(self.answer, "{BOLD:#}")?;
            }
        }
        self.answer.flush()
    }

    fn end_line(&mut self) -> io::Result<()> {
        if self.at_line_start { Ok(()) } else { self.finish() }
    }
}

/// All text of an artifact. What has no text (the report's data) is not for reading.
fn text_of(artifact: &Artifact) -> String {
    let texts = artifact.parts.iter().filter_map(|part| match &part.content {
        PartContent::Text(text) => Some(text.as_str()),
        PartContent::Raw(_) | PartContent::Url(_) | PartContent::Data(_) => None,
    });
    texts.collect()
}

/// The state's name, as 0.3 writes it and people read it.
pub(super) fn name_of(state: TaskState) -> &'static str {
    match state {
        TaskState::Submitted => "submitted",
        TaskState::Working => "working",
        TaskState::Completed => "completed",
        TaskState::Failed => "failed",
        TaskState::Canceled => "canceled",
        TaskState::InputRequired => "input required",
        TaskState::Rejected => "rejected",
        TaskState::AuthRequired => "authentication required",
    }
}

fn style_of(state: TaskState) -> anstyle::Style {
    match state {
        TaskState::Submitted | TaskState::Working => DIM,
        TaskState::Completed | TaskState::InputRequired | TaskState::AuthRequired => GOOD,
        TaskState::Failed | TaskState::Canceled | TaskState::Rejected => BAD,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn item(value: Value) -> StreamResponse {
        serde_json::from_value(value).unwrap()
    }

    fn chunk(text: &str, append: bool) -> StreamResponse {
        item(json!({ "artifactUpdate": {
            "taskId": "t", "contextId": "c", "append": append,
            "artifact": { "artifactId": "a", "parts": [{ "text": text }] },
        }}))
    }

    fn snapshot(state: &str, text: &str) -> StreamResponse {
        item(json!({ "task": {
            "id": "t", "contextId": "c", "status": { "state": state },
            "artifacts": [{ "artifactId": "a", "parts": [{ "text": text }] }],
        }}))
    }

    fn transcript(items: &[StreamResponse]) -> (String, String) {
        let (mut progress, mut answer) = (Vec::new(), Vec::new());
        let mut transcript = Transcript::new(&mut progress, &mut answer);
        for item in items {
            transcript.take(item).unwrap();
        }
        transcript.finish().unwrap();
        let plain =
            |bytes: Vec<u8>| anstream::adapter::strip_str(&String::from_utf8(bytes).unwrap()).to_string();
        (plain(progress), plain(answer))
    }

    #[test]
    fn chunks_are_written_as_they_come_and_the_last_line_is_ended() {
        let items = [chunk("# Title\nFirst ", false), chunk("line\nSecond", true)];
        assert_eq!(transcript(&items).1, "# Title\nFirst line\nSecond\n");
    }

    #[test]
    fn a_snapshot_adds_only_what_was_not_written_yet() {
        let items = [chunk("one\n", false), snapshot("TASK_STATE_COMPLETED", "one\ntwo\n")];
        let (progress, answer) = transcript(&items);
        assert_eq!(answer, "one\ntwo\n");
        assert_eq!(progress, "task t\ncompleted\n");
    }

    #[test]
    fn an_answer_that_begins_anew_says_so() {
        let (progress, answer) = transcript(&[chunk("one\n", false), chunk("uno\n", false)]);
        assert_eq!(answer, "one\nuno\n");
        assert!(progress.contains("anew"), "{progress}");
    }

    #[test]
    fn text_of_others_cannot_steer_the_terminal() {
        let status = item(json!({ "statusUpdate": {
            "taskId": "t", "contextId": "c",
            "status": { "state": "TASK_STATE_WORKING",
                        "message": { "messageId": "m", "role": "ROLE_AGENT", "parts": [{ "text": "\u{1b}[2Jx\ny" }] } },
        }}));
        let (progress, answer) = transcript(&[chunk("\u{1b}]0;x\u{7}", false), status]);
        assert_eq!(answer, "\\x1b]0;x\\x07\n");
        assert_eq!(progress, "working\n  \\x1b[2Jx y\n");
    }
}
