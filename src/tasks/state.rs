//! The pure reducer: what an entry of the log makes of a task.

use crate::a2a::types::{
    Artifact, Message, Metadata, Part, PartContent, Task, TaskState, TaskStatus, Timestamp,
};

use super::event::{LogEntry, StoredEntry, TaskEvent};

/// An entry that must not follow what is there; the task stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IllegalEvent {
    /// The task is over.
    #[error("the task has ended and cannot change any more")]
    Terminal,
    /// The log begins with something else than `Created`.
    #[error("the task does not exist yet")]
    NotCreated,
    /// A second `Created`.
    #[error("the task exists already")]
    AlreadyCreated,
    /// A message of the client before the one before was begun with.
    #[error("the task does not wait for a message")]
    NotWaiting,
    /// A chunk for an artifact that was never begun.
    #[error("the artifact {0:?} was never begun")]
    UnknownArtifact(String),
}

/// The task after `stored`; `None` before its first entry.
pub fn apply(task: Option<Task>, stored: &StoredEntry) -> Result<Task, IllegalEvent> {
    match (task, &stored.entry) {
        (None, LogEntry::Created(task)) => Ok(task.clone()),
        (None, LogEntry::Received(_) | LogEntry::Update(_)) => Err(IllegalEvent::NotCreated),
        (Some(mut task), _) => advance(&mut task, stored).map(|()| task),
    }
}

/// Makes of a task what it is after `stored`; leaves it as it is where that is illegal.
pub(super) fn advance(task: &mut Task, stored: &StoredEntry) -> Result<(), IllegalEvent> {
    match &stored.entry {
        LogEntry::Created(_) => Err(IllegalEvent::AlreadyCreated),
        LogEntry::Received(_) | LogEntry::Update(_) if task.status.state.is_terminal() => {
            Err(IllegalEvent::Terminal)
        }
        LogEntry::Received(message) => receive(task, message, stored.at),
        LogEntry::Update(TaskEvent::Status { state, message, metadata: _ }) => {
            set_status(task, *state, message.clone(), stored.at);
            Ok(())
        }
        LogEntry::Update(TaskEvent::Artifact { artifact, append: false, last_chunk: _ }) => {
            put_artifact(task, artifact);
            Ok(())
        }
        LogEntry::Update(TaskEvent::Artifact { artifact, append: true, last_chunk: _ }) => {
            append_artifact(task, artifact)
        }
    }
}

fn receive(task: &mut Task, message: &Message, at: Timestamp) -> Result<(), IllegalEvent> {
    // A task that works takes a message where its work was handed over; the runner knows whether it was.
    if !task.status.state.is_interrupted() && task.status.state != TaskState::Working {
        return Err(IllegalEvent::NotWaiting);
    }
    task.history.extend(task.status.message.take());
    task.history.push(message.clone());
    task.status = TaskStatus { state: TaskState::Submitted, message: None, timestamp: at };
    Ok(())
}

fn set_status(task: &mut Task, state: TaskState, message: Option<Message>, at: Timestamp) {
    let message = message.map(|message| Message {
        task_id: Some(task.id.clone()),
        context_id: Some(task.context_id.clone()),
        ..message
    });
    task.status = TaskStatus { state, message, timestamp: at };
}

fn put_artifact(task: &mut Task, artifact: &Artifact) {
    match task.artifacts.iter_mut().find(|known| known.artifact_id == artifact.artifact_id) {
        Some(known) => *known = artifact.clone(),
        None => task.artifacts.push(artifact.clone()),
    }
}

fn append_artifact(task: &mut Task, chunk: &Artifact) -> Result<(), IllegalEvent> {
    let known = task.artifacts.iter_mut().find(|known| known.artifact_id == chunk.artifact_id);
    let known = known.ok_or_else(|| IllegalEvent::UnknownArtifact(chunk.artifact_id.clone()))?;
    for part in &chunk.parts {
        append_part(&mut known.parts, part);
    }
    if let Some(metadata) = &chunk.metadata {
        known.metadata.get_or_insert_with(Metadata::new).extend(metadata.clone());
    }
    Ok(())
}

/// Text that continues text becomes one part, so that who polls reads what who streams has read.
fn append_part(parts: &mut Vec<Part>, part: &Part) {
    if let (Some(last), PartContent::Text(more)) = (parts.last_mut(), &part.content)
        && last.media_type == part.media_type
        && last.metadata == part.metadata
        && last.filename == part.filename
        && let PartContent::Text(text) = &mut last.content
    {
        text.push_str(more);
        return;
    }
    parts.push(part.clone());
}
