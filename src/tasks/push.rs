//! Push configurations as they are kept: where a task's entries are to be delivered, and how far that has come.
//!
//! There is no outbox apart from the log: what follows a configuration's cursor in the log is still to be delivered.

use std::fmt;

use crate::a2a::types::{TaskId, Timestamp};

use super::event::Owner;

/// Text that must not be seen: `Debug` hides it, and it has no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The version of A2A in which notifications are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushFormat {
    /// 1.0: every entry as an item of a stream.
    V1,
    /// 0.3: the task as it is.
    V03,
}

impl PushFormat {
    /// `1.0` or `0.3`.
    pub fn version(self) -> &'static str {
        match self {
            Self::V1 => "1.0",
            Self::V03 => "0.3",
        }
    }

    /// The format of a version; whatever is not 0.3 is 1.0.
    pub(super) fn of_version(version: &str) -> Self {
        match version {
            "0.3" => Self::V03,
            _ => Self::V1,
        }
    }
}

/// How a receiver is to know that a notification comes from us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushAuthentication {
    /// A scheme of HTTP authentication (`Bearer`), or one of our signatures (`HMAC-SHA256`, `JWT`).
    pub scheme: String,
    /// What goes with it: a token, or the secret with which is signed.
    pub credentials: Option<Secret>,
}

/// Where the entries of a task are to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushConfig {
    /// The task.
    pub task_id: TaskId,
    /// Unique within the task.
    pub id: String,
    /// Whose it is; also the task's owner.
    pub owner: Owner,
    /// How to write the notifications.
    pub format: PushFormat,
    /// The receiver, as its owner wrote it. May hold a secret in its path or query.
    pub url: String,
    /// Sent along, so that the receiver knows which task it is about.
    pub token: Option<Secret>,
    /// How we prove who we are.
    pub authentication: Option<PushAuthentication>,
}

/// What is to become of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushState {
    /// There is something to deliver, or there will be.
    Active,
    /// The task has ended and everything was delivered.
    Done,
    /// Given up; what follows the cursor will not be delivered.
    Dead,
}

impl PushState {
    /// As it is kept and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Done => "done",
            Self::Dead => "dead",
        }
    }

    pub(super) fn of_name(name: &str) -> Self {
        match name {
            "done" => Self::Done,
            "dead" => Self::Dead,
            _ => Self::Active,
        }
    }
}

/// How far the deliveries to one configuration have come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushProgress {
    /// Number of the last entry that was delivered.
    pub cursor: u64,
    /// Whether there is more to do.
    pub state: PushState,
    /// Attempts since the last success.
    pub attempts: u32,
    /// Of these, attempts that the receiver refused (4xx), which trying again seldom cures.
    pub refusals: u32,
    /// When the first of the attempts was made.
    pub failing_since: Option<Timestamp>,
    /// Not to be tried before.
    pub next_attempt_at: Option<Timestamp>,
    /// Why the last attempt failed, in our words.
    pub last_error: Option<String>,
}

impl PushProgress {
    /// Nothing has gone wrong, and what follows `cursor` is to be delivered.
    pub fn after(cursor: u64) -> Self {
        Self {
            cursor,
            state: PushState::Active,
            attempts: 0,
            refusals: 0,
            failing_since: None,
            next_attempt_at: None,
            last_error: None,
        }
    }
}

/// A configuration as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPush {
    /// What its owner asked for.
    pub config: PushConfig,
    /// Differs with each replacement, so that a delivery to what was there before changes nothing.
    pub revision: u64,
    /// When it was made, or last replaced.
    pub created_at: Timestamp,
    /// How far it has come.
    pub progress: PushProgress,
}

/// Which entries a new configuration wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushStart {
    /// All, from the first.
    First,
    /// Those that come from now on.
    Now,
}

/// How many configurations there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushLimits {
    /// Of one task, in whatever state.
    pub per_task: u32,
    /// Active ones of one owner.
    pub per_owner: u32,
}

impl Default for PushLimits {
    fn default() -> Self {
        Self { per_task: 10, per_owner: 1000 }
    }
}

/// What came of [`super::TaskStore::put_push`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutPush {
    /// It is kept.
    Kept,
    /// The task has as many as it may have.
    TaskIsFull,
    /// The owner has as many active ones as it may have.
    OwnerIsFull,
}
