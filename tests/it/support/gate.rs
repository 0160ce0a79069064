//! A store whose writes wait until the test lets them through.

use std::sync::Arc;

use drydock::a2a::types::TaskId;
use drydock::tasks::{
    Created, IdempotencyKey, ListPosition, Owner, PushConfig, PushLimits, PushProgress, PushStart, PushState,
    PutPush, SqliteTaskStore, StoredEntry, StoredPush, StoredTask, TaskFilter, TaskPage, TaskStore,
    TaskStoreError,
};
use tokio::sync::{Notify, Semaphore};

/// See the module.
pub struct GatedStore {
    inner: SqliteTaskStore,
    gate: Semaphore,
    arrived: Notify,
}

impl GatedStore {
    pub fn new(inner: SqliteTaskStore) -> Arc<Self> {
        Arc::new(Self { inner, gate: Semaphore::new(0), arrived: Notify::new() })
    }

    /// Waits until a write stands before the gate.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Lets so many writes through.
    pub fn let_through(&self, writes: usize) {
        self.gate.add_permits(writes);
    }

    async fn pass(&self) {
        self.arrived.notify_one();
        self.gate.acquire().await.expect("the gate is never closed").forget();
    }
}

#[async_trait::async_trait]
impl TaskStore for GatedStore {
    async fn create(
        &self,
        new: &StoredTask,
        first: &StoredEntry,
        key: Option<&IdempotencyKey>,
    ) -> Result<Created, TaskStoreError> {
        self.pass().await;
        self.inner.create(new, first, key).await
    }

    async fn append(
        &self,
        after: u64,
        entries: &[StoredEntry],
        stored: &StoredTask,
        key: Option<&IdempotencyKey>,
    ) -> Result<(), TaskStoreError> {
        self.pass().await;
        self.inner.append(after, entries, stored, key).await
    }

    async fn find_key(&self, owner: &Owner, key: &str) -> Result<Option<(TaskId, String)>, TaskStoreError> {
        self.inner.find_key(owner, key).await
    }

    async fn list(
        &self,
        owner: &Owner,
        filter: &TaskFilter,
        position: Option<&ListPosition>,
        limit: u32,
    ) -> Result<TaskPage, TaskStoreError> {
        self.inner.list(owner, filter, position, limit).await
    }

    async fn load(&self, id: &TaskId) -> Result<StoredTask, TaskStoreError> {
        self.inner.load(id).await
    }

    async fn entries(&self, id: &TaskId, after: u64, limit: u32) -> Result<Vec<StoredEntry>, TaskStoreError> {
        self.inner.entries(id, after, limit).await
    }

    async fn unfinished(&self) -> Result<Vec<TaskId>, TaskStoreError> {
        self.inner.unfinished().await
    }

    async fn begin_attempt(&self, id: &TaskId) -> Result<u32, TaskStoreError> {
        self.inner.begin_attempt(id).await
    }

    async fn put_push(
        &self,
        config: &PushConfig,
        start: PushStart,
        limits: PushLimits,
    ) -> Result<PutPush, TaskStoreError> {
        self.inner.put_push(config, start, limits).await
    }

    async fn record_push(&self, stored: &StoredPush, progress: &PushProgress) -> Result<(), TaskStoreError> {
        self.inner.record_push(stored, progress).await
    }

    async fn remove_push(&self, task_id: &TaskId, id: &str) -> Result<(), TaskStoreError> {
        self.inner.remove_push(task_id, id).await
    }

    async fn pushes(&self, task_id: &TaskId) -> Result<Vec<StoredPush>, TaskStoreError> {
        self.inner.pushes(task_id).await
    }

    async fn active_pushes(&self, owner: &Owner) -> Result<u64, TaskStoreError> {
        self.inner.active_pushes(owner).await
    }

    async fn pushes_in_state(
        &self,
        state: PushState,
        after: Option<(&TaskId, &str)>,
        limit: u32,
    ) -> Result<Vec<StoredPush>, TaskStoreError> {
        self.inner.pushes_in_state(state, after, limit).await
    }
}
