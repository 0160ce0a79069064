//! Watching a task: what is stored after a point, then what comes, until the task ends or waits for its client.

use std::sync::Arc;

use futures::stream::{BoxStream, StreamExt};
use tokio::sync::watch;

use crate::a2a::types::{Task, TaskId, TaskState};

use super::event::{LogEntry, StoredEntry, TaskEvent};
use super::runner::Inner;
use super::store::TaskStoreError;

/// Entries read from the store at a time; all that a slow reader holds.
const PAGE: u32 = 64;

/// A task as it is, and what happens to it from here on.
pub struct Subscription {
    /// The task after entry `sequence`.
    pub task: Task,
    /// Where `events` goes on.
    pub sequence: u64,
    /// Number of the last entry that was stored when the subscription began.
    pub stored_until: u64,
    /// The entries after `sequence`, each once and in order, as long as was asked for.
    pub events: BoxStream<'static, Result<StoredEntry, TaskStoreError>>,
    pub(super) inner: Arc<Inner>,
    pub(super) news: Option<watch::Receiver<u64>>,
}

impl Subscription {
    /// Waits until the task has ended or waits for its client, and returns it then.
    pub async fn settled(self) -> Result<Task, TaskStoreError> {
        if let Some(mut news) = self.news {
            while news.changed().await.is_ok() {}
        }
        Ok(self.inner.store.load(&self.task.id).await?.task)
    }
}

/// How long a stream of entries goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Until the task has ended or waits for its client.
    Settled,
    /// Until the task has ended, over every message that it still waits for.
    Terminal,
}

/// What a stream of entries follows.
pub(super) struct Followed {
    pub(super) inner: Arc<Inner>,
    pub(super) id: TaskId,
    /// Number of the last entry that is not wanted.
    pub(super) position: u64,
    /// Entries up to this number are known to be there.
    pub(super) stored_until: u64,
    /// Carries the number of the last stored entry while the task is worked on; closes when the execution is over.
    pub(super) news: Option<watch::Receiver<u64>>,
    pub(super) until: Until,
}

impl Followed {
    /// The entries after `position`, each once and in order.
    pub(super) fn entries(mut self) -> BoxStream<'static, Result<StoredEntry, TaskStoreError>> {
        async_stream::try_stream! {
            let bell = self.inner.claims.bell(&self.id);
            loop {
                let rung = bell.notify.notified();
                tokio::pin!(rung);
                rung.as_mut().enable();
                let live = self.wait_for_news().await;
                loop {
                    let page = self.inner.store.entries(&self.id, self.position, PAGE).await?;
                    let is_last = page.len() < PAGE as usize;
                    for stored in page {
                        self.position = stored.sequence;
                        let ends = self.ends_with(&stored);
                        yield stored;
                        if ends {
                            return;
                        }
                    }
                    if is_last {
                        break;
                    }
                }
                if !live {
                    if self.until == Until::Settled || self.is_over().await? {
                        return;
                    }
                    self.news = self.inner.claims.news(&self.id);
                    if self.news.is_none() {
                        rung.await;
                        self.news = self.inner.claims.news(&self.id);
                    }
                }
            }
        }
        .boxed()
    }

    /// Waits until there is more to read. False where nobody works on the task any more.
    async fn wait_for_news(&mut self) -> bool {
        match &mut self.news {
            Some(_) if self.position < self.stored_until => true,
            Some(news) => news.wait_for(|last| *last > self.position).await.is_ok(),
            None => false,
        }
    }

    fn ends_with(&self, stored: &StoredEntry) -> bool {
        let LogEntry::Update(TaskEvent::Status { state, .. }) = &stored.entry else { return false };
        match self.until {
            _ if state.is_terminal() => true,
            Until::Settled => state.is_interrupted() && self.position >= self.stored_until,
            Until::Terminal => false,
        }
    }

    /// True where the task had ended before the stream began, so that no entry says so.
    async fn is_over(&self) -> Result<bool, TaskStoreError> {
        let now = self.inner.store.load(&self.id).await?;
        Ok(now.task.status.state.is_terminal() && now.sequence <= self.position)
    }
}

pub(super) fn is_settled(state: TaskState) -> bool {
    state.is_terminal() || state.is_interrupted()
}
