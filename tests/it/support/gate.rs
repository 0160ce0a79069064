//! A store whose writes wait until the test lets them through.

use std::sync::Arc;

use drydock::a2a::types::TaskId;
use drydock::tasks::{
    Created, IdempotencyKey, ListPosition, Owner, SqliteTaskStore, StoredEntry, StoredTask, TaskFilter,
    TaskPage, TaskStore, TaskStoreError,
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
    ) -> Result<(), TaskStoreError> {
        self.pass().await;
        self.inner.append(after, entries, stored).await
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
}
