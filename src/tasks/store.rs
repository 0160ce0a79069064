//! Where tasks are kept: the seam, and what is said over it.

use async_trait::async_trait;

use crate::a2a::types::{ContextId, Task, TaskId, TaskState, Timestamp};

use super::event::{Owner, RequestOptions, StoredEntry};
use super::push::{PushConfig, PushLimits, PushProgress, PushStart, PushState, PutPush, StoredPush};

/// A task as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTask {
    /// Whose it is.
    pub owner: Owner,
    /// The task after entry `sequence`.
    pub task: Task,
    /// Number of its last entry.
    pub sequence: u64,
    /// How often its execution was begun since its last message.
    pub attempts: u32,
    /// How its client asked with its last message.
    pub options: RequestOptions,
}

impl StoredTask {
    /// A task as it is after its first entry.
    pub fn first(owner: Owner, task: Task, options: RequestOptions) -> Self {
        Self { owner, task, sequence: 1, attempts: 0, options }
    }
}

/// Which tasks of an owner are meant; what is `None` does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Those of this conversation.
    pub context_id: Option<ContextId>,
    /// Those in this state now.
    pub state: Option<TaskState>,
    /// Those whose status is of this time or later.
    pub since: Option<Timestamp>,
}

/// A place in a list of tasks: just behind this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPosition {
    /// Time of its status.
    pub at: Timestamp,
    /// Its id, which orders tasks of the same time.
    pub id: TaskId,
}

/// A piece of a list of tasks.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskPage {
    /// Newest status first.
    pub tasks: Vec<Task>,
    /// How many there are over all pages.
    pub total: u64,
    /// Where the next page begins; `None` on the last.
    pub next: Option<ListPosition>,
}

/// A key under which a repeated request finds the task of the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The caller's key; counts per owner.
    pub key: String,
    /// Digest of the request, to notice a key that is used for something else.
    pub request: String,
}

/// What came of [`TaskStore::create`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The task is new.
    New,
    /// The owner used the key before.
    Existing {
        /// For this task.
        task_id: TaskId,
        /// With this request.
        request: String,
    },
}

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum TaskStoreError {
    /// There is no such task.
    #[error("there is no such task")]
    NotFound,
    /// Someone else appended first.
    #[error("the task was changed by someone else")]
    Conflict,
    /// Another process works on it.
    #[error("{0} is in use by another drydock: stop that one, or choose another folder with --data")]
    InUse(String),
    /// Another version of drydock wrote it.
    #[error(
        "{0} was written by another version of drydock; use that one, or start `drydock serve` on it once"
    )]
    OtherVersion(String),
    /// The store cannot be reached or does not work.
    #[error("the task store is not available")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Keeps tasks and their logs. What a call returns as done is durable.
#[async_trait]
pub trait TaskStore: Send + Sync + 'static {
    /// Keeps a new task with its first entry, unless the owner's key is taken.
    async fn create(
        &self,
        new: &StoredTask,
        first: &StoredEntry,
        key: Option<&IdempotencyKey>,
    ) -> Result<Created, TaskStoreError>;

    /// Adds entries that follow `after` without a gap; `stored` is the task after the last of them. Where it has ended
    /// or waits for its client with that, its attempts are counted anew. The owner's key is kept with them.
    async fn append(
        &self,
        after: u64,
        entries: &[StoredEntry],
        stored: &StoredTask,
        key: Option<&IdempotencyKey>,
    ) -> Result<(), TaskStoreError>;

    /// The task for which the owner used a key, with the digest of that request.
    async fn find_key(&self, owner: &Owner, key: &str) -> Result<Option<(TaskId, String)>, TaskStoreError>;

    /// The task as it is now.
    async fn load(&self, id: &TaskId) -> Result<StoredTask, TaskStoreError>;

    /// Up to `limit` tasks of an owner from `position` on, newest status first.
    async fn list(
        &self,
        owner: &Owner,
        filter: &TaskFilter,
        position: Option<&ListPosition>,
        limit: u32,
    ) -> Result<TaskPage, TaskStoreError>;

    /// Up to `limit` entries after number `after`, in order.
    async fn entries(&self, id: &TaskId, after: u64, limit: u32) -> Result<Vec<StoredEntry>, TaskStoreError>;

    /// Tasks that are neither terminal nor wait for their client, oldest first.
    async fn unfinished(&self) -> Result<Vec<TaskId>, TaskStoreError>;

    /// Counts one more attempt to execute, and returns how many there were with it.
    async fn begin_attempt(&self, id: &TaskId) -> Result<u32, TaskStoreError>;

    /// Keeps a push configuration. It takes the place of one with the same id, and goes on where that had come to.
    async fn put_push(
        &self,
        config: &PushConfig,
        start: PushStart,
        limits: PushLimits,
    ) -> Result<PutPush, TaskStoreError>;

    /// Notes how far the deliveries have come; a conflict where the configuration was replaced or removed meanwhile.
    async fn record_push(&self, stored: &StoredPush, progress: &PushProgress) -> Result<(), TaskStoreError>;

    /// Forgets a push configuration; fine where there is none.
    async fn remove_push(&self, task_id: &TaskId, id: &str) -> Result<(), TaskStoreError>;

    /// The push configurations of a task, ordered by their ids.
    async fn pushes(&self, task_id: &TaskId) -> Result<Vec<StoredPush>, TaskStoreError>;

    /// How many active push configurations an owner has.
    async fn active_pushes(&self, owner: &Owner) -> Result<u64, TaskStoreError>;

    /// Up to `limit` push configurations in a state, ordered by task and id, after the given one.
    async fn pushes_in_state(
        &self,
        state: PushState,
        after: Option<(&TaskId, &str)>,
        limit: u32,
    ) -> Result<Vec<StoredPush>, TaskStoreError>;
}
