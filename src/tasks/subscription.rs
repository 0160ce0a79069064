//! Watching a task: what is stored after a point, then what comes, until the task ends or waits for its client.

use std::sync::Arc;

use futures::stream::{BoxStream, StreamExt};
use tokio::sync::watch;

use crate::a2a::types::{Task, TaskId, TaskState};

use super::event::{LogEntry, StoredEntry, TaskEvent};
use super::store::{TaskStore, TaskStoreError};

/// Entries read from the store at a time; all that a slow reader holds.
const PAGE: u32 = 64;

/// A task as it is, and what happens to it from here on.
pub struct Subscription {
    /// The task after entry `sequence`.
    pub task: Task,
    /// Where `events` goes on.
    pub sequence: u64,
    /// The entries after `sequence`, each once and in order. Ends when the task is terminal or waits for its client.
    pub events: BoxStream<'static, Result<StoredEntry, TaskStoreError>>,
    pub(super) store: Arc<dyn TaskStore>,
    pub(super) news: Option<watch::Receiver<u64>>,
}

impl Subscription {
    /// Waits until the task has ended or waits for its client, and returns it then.
    pub async fn settled(self) -> Result<Task, TaskStoreError> {
        if let Some(mut news) = self.news {
            while news.changed().await.is_ok() {}
        }
        Ok(self.store.load(&self.task.id).await?.task)
    }
}

/// Entries after `position`, of which those up to `stored_until` are known to be there. `news` carries the number of the
/// last stored entry while the task is worked on; it closes when the execution is over.
pub(super) fn entries_after(
    store: Arc<dyn TaskStore>,
    id: TaskId,
    mut position: u64,
    stored_until: u64,
    mut news: Option<watch::Receiver<u64>>,
) -> BoxStream<'static, Result<StoredEntry, TaskStoreError>> {
    async_stream::try_stream! {
        loop {
            let live = match &mut news {
                Some(_) if position < stored_until => true,
                Some(news) => news.wait_for(|last| *last > position).await.is_ok(),
                None => false,
            };
            loop {
                let page = store.entries(&id, position, PAGE).await?;
                let is_last = page.len() < PAGE as usize;
                for stored in page {
                    position = stored.sequence;
                    let settles = settles(&stored) && position >= stored_until;
                    yield stored;
                    if settles {
                        return;
                    }
                }
                if is_last {
                    break;
                }
            }
            if !live {
                return;
            }
        }
    }
    .boxed()
}

/// True for an entry after which the task has ended or waits for its client.
fn settles(stored: &StoredEntry) -> bool {
    match &stored.entry {
        LogEntry::Update(TaskEvent::Status { state, .. }) => is_settled(*state),
        LogEntry::Created(_) | LogEntry::Received(_) | LogEntry::Update(TaskEvent::Artifact { .. }) => false,
    }
}

pub(super) fn is_settled(state: TaskState) -> bool {
    state.is_terminal() || state.is_interrupted()
}
