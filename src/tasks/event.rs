//! What happens to a task, and what of it is kept.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::a2a::types::{Artifact, Message, Metadata, Task, TaskState, Timestamp};

/// Whose task it is: the authenticated caller's stable name. Callers see their own tasks only.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Owner(pub String);

impl Owner {
    /// The one owner of everything on a server without authentication.
    pub fn anonymous() -> Self {
        Self("anonymous".to_owned())
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a client asked: what its message does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RequestOptions {
    /// Media types that it accepts, the best first; empty means any.
    pub accepted_output_modes: Vec<String>,
    /// The version of A2A that it speaks, such as `1.0`.
    pub protocol_version: String,
    /// How it waits for the result.
    pub delivery: Delivery,
}

/// How a client waits for the result of its message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Delivery {
    /// It does not say, and gets the result.
    #[default]
    Unsaid,
    /// It wants the result.
    Awaited,
    /// It goes on at once, and asks later or is told.
    Later,
    /// It watches the stream.
    Streamed,
}

/// A status or artifact update, as an executor emits it. Ids and time are added when it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TaskEvent {
    /// The task is now in this state, or still is and has something to say (progress).
    Status {
        /// The state.
        state: TaskState,
        /// What the agent says about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<Message>,
        /// Structured companion of the message (tool, duration, outcome).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        metadata: Option<Metadata>,
    },
    /// An artifact, or a chunk of one; see [`crate::a2a::types::TaskArtifactUpdateEvent`].
    Artifact {
        /// The artifact or chunk.
        artifact: Artifact,
        /// Appends to the artifact of the same id instead of replacing it.
        #[serde(default)]
        append: bool,
        /// Nothing more will be appended.
        #[serde(default)]
        last_chunk: bool,
    },
}

/// One entry of a task's log. The first is always `Created`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LogEntry {
    /// The task as it began: submitted, with the first message in its history.
    Created(Task),
    /// A further message of the client.
    Received(Message),
    /// An update by the executor, or by the runner (canceled, failed).
    Update(TaskEvent),
}

/// A log entry with its place in the task's log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredEntry {
    /// Counted from 1 in each task, without gaps.
    pub sequence: u64,
    /// When it was stored; also the timestamp of a status.
    pub at: Timestamp,
    /// What happened.
    pub entry: LogEntry,
}
