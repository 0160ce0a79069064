//! Why a task was not begun, continued, read, watched or canceled.

use crate::a2a::types::{TaskId, TaskState};

use super::store::TaskStoreError;

/// Why a message was not taken.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The message continues a task that does not exist, or is another's.
    #[error("there is no task {0}")]
    TaskNotFound(TaskId),
    /// The message continues a task that has ended.
    #[error("task {id} has ended ({state:?}); send the message without a taskId to begin a new one")]
    TaskTerminal {
        /// The task.
        id: TaskId,
        /// How it ended.
        state: TaskState,
    },
    /// The task is being worked on and does not wait for a message.
    #[error("task {0} is being worked on and does not wait for a message; wait for it to end, or cancel it")]
    Busy(TaskId),
    /// `contextId` is not that of the task.
    #[error("task {id} belongs to another context")]
    ContextMismatch {
        /// The task.
        id: TaskId,
    },
    /// The idempotency key was used for another message.
    #[error("this idempotency key was used for another message")]
    IdempotencyMismatch,
    /// Too many tasks wait already.
    #[error("too many tasks are waiting; try again later")]
    Overloaded,
    /// The owner has too many at a time.
    #[error("{0} tasks of this caller are being worked on or wait; try again when one of them has ended")]
    TooManyOfOwner(usize),
    /// The server stops.
    #[error("the server is stopping; try again later")]
    Stopping,
    /// The store.
    #[error(transparent)]
    Store(TaskStoreError),
}

/// Why a task could not be read, watched or canceled.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// It does not exist, or is another's.
    #[error("there is no task {0}")]
    NotFound(TaskId),
    /// It has ended already.
    #[error("task {id} has ended already ({state:?})")]
    NotCancelable {
        /// The task.
        id: TaskId,
        /// How it ended.
        state: TaskState,
    },
    /// The store.
    #[error(transparent)]
    Store(TaskStoreError),
}
