//! The seam between a task's life and the work: who executes need not know how tasks are stored or served.

use futures::stream::BoxStream;
use tokio_util::sync::CancellationToken;

use crate::a2a::types::{Message, Task};

use super::event::{Owner, RequestOptions, TaskEvent};

/// What an executor gets to work on.
#[derive(Debug, Clone)]
pub struct ExecutionRequest {
    /// Whose task it is.
    pub owner: Owner,
    /// The task as it is now, its history ending with `message`.
    pub task: Task,
    /// The message to answer.
    pub message: Message,
    /// How the client asked.
    pub options: RequestOptions,
    /// Fires when the task is canceled or the server stops; the executor should then end soon.
    pub cancellation: CancellationToken,
}

/// Does the work of a task.
///
/// The stream should end with a status in a terminal or interrupted state; one that ends without is recorded as
/// failed by the runner, unless the executor [hands over](Self::hands_over). Dropping the stream must stop the work.
pub trait AgentExecutor: Send + Sync + 'static {
    /// Starts the work; nothing happens until the stream is polled.
    fn execute(&self, request: ExecutionRequest) -> BoxStream<'static, TaskEvent>;

    /// Whether an execution may end while its task goes on working elsewhere. Until the next message or a cancel nobody
    /// works on such a task here.
    fn hands_over(&self) -> bool {
        false
    }
}
