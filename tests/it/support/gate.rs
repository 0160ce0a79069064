//! A store whose writes wait until the test lets them through.

use std::sync::Arc;

use drydock::a2a::types::{Task, TaskId};
use drydock::tasks::{
    Created, IdempotencyKey, Owner, SqliteTaskStore, StoredEntry, StoredTask, TaskStore, TaskStoreError,
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
        owner: &Owner,
        first: &StoredEntry,
        task: &Task,
        key: Option<&IdempotencyKey>,
    ) -> Result<Created, TaskStoreError> {
        self.pass().await;
        self.inner.create(owner, first, task, key).await
    }

    async fn append(
        &self,
        id: &TaskId,
        after: u64,
        entries: &[StoredEntry],
        task: &Task,
    ) -> Result<(), TaskStoreError> {
        self.pass().await;
        self.inner.append(id, after, entries, task).await
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
