//! What a log entry looks like to who watches a task, in a stream or by push notifications.

use serde_json::Value;

use super::errors::{A2aError, internal};
use super::request::Dialect;
use super::types::{
    ContextId, Message, StreamResponse, TaskArtifactUpdateEvent, TaskId, TaskState, TaskStatus,
    TaskStatusUpdateEvent,
};
use super::v03;
use crate::tasks::{LogEntry, StoredEntry, TaskEvent};

/// A log entry as an item of a stream.
pub(super) fn stream_response(
    stored: StoredEntry,
    task_id: &TaskId,
    context_id: &ContextId,
) -> StreamResponse {
    let status_update = |state, message, metadata| {
        StreamResponse::StatusUpdate(TaskStatusUpdateEvent {
            task_id: task_id.clone(),
            context_id: context_id.clone(),
            status: TaskStatus { state, message, timestamp: stored.at },
            metadata,
        })
    };
    match stored.entry {
        LogEntry::Created(task) => StreamResponse::Task(task),
        LogEntry::Received(_) => status_update(TaskState::Submitted, None, None),
        LogEntry::Update(TaskEvent::Status { state, message, metadata }) => {
            let message = message.map(|message| Message {
                task_id: Some(task_id.clone()),
                context_id: Some(context_id.clone()),
                ..message
            });
            status_update(state, message, metadata)
        }
        LogEntry::Update(TaskEvent::Artifact { artifact, append, last_chunk }) => {
            StreamResponse::ArtifactUpdate(TaskArtifactUpdateEvent {
                task_id: task_id.clone(),
                context_id: context_id.clone(),
                artifact,
                append,
                last_chunk,
                metadata: None,
            })
        }
    }
}

/// An item of a stream on the wire.
pub(super) fn wire(response: &StreamResponse, dialect: Dialect) -> Result<Value, A2aError> {
    let value = serde_json::to_value(response).map_err(|error| internal(&error))?;
    Ok(match dialect {
        Dialect::V1 => value,
        Dialect::V03 => v03::stream_to_v03(value),
    })
}
