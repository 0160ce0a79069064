//! Tasks as a terminal shows them. What others wrote is made harmless first.

use std::fmt::Write as _;

use super::receiver;
use crate::a2a::types::{Message, PartContent, Timestamp};
use crate::cli::terminal::{BAD, BOLD, DIM, GOOD, one_line, styled};
use crate::cli::transcript::name_of;
use crate::tasks::{LogEntry, PushState, StoredEntry, StoredPush, StoredTask, TaskEvent, TaskSummary};

/// Characters of a question in a list, and of a message in a log.
const SHORT: usize = 80;

pub(super) fn list(tasks: &[TaskSummary]) -> String {
    if tasks.is_empty() {
        return "no tasks\n".to_owned();
    }
    let owners = tasks.iter().map(|task| shortened(&task.owner.0, 24)).collect::<Vec<_>>();
    let width = owners.iter().map(|owner| owner.chars().count()).max().unwrap_or_default().max(5);
    let mut text = styled(
        BOLD,
        &format!("{:36}  {:14}  {:24}  {:width$}  QUESTION", "TASK", "STATE", "UPDATED", "OWNER"),
    );
    text.push('\n');
    for (task, owner) in tasks.iter().zip(owners) {
        let question = shortened(task.question.as_deref().unwrap_or_default(), SHORT);
        let state = name_of(task.state);
        let _ = writeln!(
            text,
            "{:36}  {state:14}  {:24}  {owner:width$}  {question}",
            task.id.as_str(),
            task.updated_at.to_string()
        );
    }
    text
}

pub(super) fn dead(pushes: &[StoredPush]) -> String {
    if pushes.is_empty() {
        return "no push notifications were given up\n".to_owned();
    }
    let mut text = String::new();
    for stored in pushes {
        let _ = writeln!(text, "{}", stored.config.task_id);
        text.push_str(&push(stored));
    }
    text
}

pub(super) fn show(stored: &StoredTask, log: &[StoredEntry], pushes: &[StoredPush]) -> String {
    let task = &stored.task;
    let question = task.history.first().map(Message::text).unwrap_or_default();
    let mut text = format!("{} {}\n", styled(BOLD, "task"), task.id);
    for (name, value) in [
        ("state", name_of(task.status.state).to_owned()),
        ("updated", task.status.timestamp.to_string()),
        ("owner", one_line(&stored.owner.0)),
        ("context", one_line(task.context_id.as_str())),
        ("question", shortened(&question, SHORT)),
    ] {
        let _ = writeln!(text, "  {}  {value}", styled(DIM, &format!("{name:8}")));
    }
    let _ = writeln!(text, "\n{}", styled(BOLD, "log"));
    for entry in log {
        let at = styled(DIM, &entry.at.to_string());
        let _ = writeln!(text, "{:>5}  {at}  {}", entry.sequence, described(&entry.entry));
    }
    if !pushes.is_empty() {
        let _ = writeln!(text, "\n{}", styled(BOLD, "push notifications"));
        text.extend(pushes.iter().map(push));
    }
    text
}

fn described(entry: &LogEntry) -> String {
    match entry {
        LogEntry::Created(_) => "created".to_owned(),
        LogEntry::Received(message) => format!("received: {}", shortened(&message.text(), SHORT)),
        LogEntry::Update(TaskEvent::Status { state: now, message, .. }) => {
            let message = message.as_ref().map(|message| format!(": {}", shortened(&message.text(), SHORT)));
            format!("{}{}", name_of(*now), message.unwrap_or_default())
        }
        LogEntry::Update(TaskEvent::Artifact { artifact, append, last_chunk }) => {
            let name = one_line(artifact.name.as_ref().unwrap_or(&artifact.artifact_id));
            let size: usize = artifact.parts.iter().map(|part| size(&part.content)).sum();
            let sign = if *append { "+" } else { "" };
            let end = if *last_chunk { ", complete" } else { "" };
            format!("artifact {name}: {sign}{size} bytes{end}")
        }
    }
}

fn size(content: &PartContent) -> usize {
    match content {
        PartContent::Text(text) | PartContent::Raw(text) | PartContent::Url(text) => text.len(),
        PartContent::Data(value) => value.to_string().len(),
    }
}

/// One configuration: what became of it, and what is wrong.
fn push(stored: &StoredPush) -> String {
    let (config, progress) = (&stored.config, &stored.progress);
    let style = match progress.state {
        PushState::Active => BOLD,
        PushState::Done => GOOD,
        PushState::Dead => BAD,
    };
    let mut text = format!(
        "  {}  {}  to {} in {}, delivered up to {}\n",
        styled(style, progress.state.name()),
        one_line(&config.id),
        receiver(stored),
        config.format.version(),
        progress.cursor
    );
    if let Some(error) = &progress.last_error {
        let since = progress.failing_since.map(|since| since.to_string()).unwrap_or_default();
        let next = progress.next_attempt_at.map(|next: Timestamp| format!(", next {next}"));
        let attempts = progress.attempts;
        let plural = if attempts == 1 { "attempt" } else { "attempts" };
        let next = next.unwrap_or_default();
        let _ = writeln!(text, "    {attempts} failed {plural} since {since}{next}: {}", one_line(error));
    }
    text
}

/// One harmless line of at most `most` characters.
fn shortened(text: &str, most: usize) -> String {
    let line = one_line(text);
    match line.char_indices().nth(most.saturating_sub(1)) {
        Some((end, _)) if line.chars().count() > most => format!("{}…", &line[..end]),
        Some(_) | None => line,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("short", 5, "short")]
    #[case("파드가 왜?", 4, "파드가…")]
    #[case("two\n  lines", 80, "two lines")]
    #[case("\u{1b}[31mred", 80, "\\x1b[31mred")]
    fn questions_are_one_harmless_line(#[case] text: &str, #[case] most: usize, #[case] expected: &str) {
        assert_eq!(shortened(text, most), expected);
    }
}
