//! One execution of a task: takes the executor's events one by one, stores each, then announces it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::a2a::types::{Message, TaskState, Timestamp};

use super::event::{LogEntry, StoredEntry, TaskEvent};
use super::executor::ExecutionRequest;
use super::runner::Inner;
use super::state;
use super::store::{StoredTask, TaskStoreError};
use super::subscription::is_settled;

/// Events in one transaction at most.
const GROUP: usize = 64;

pub(super) struct Execution {
    pub(super) inner: Arc<Inner>,
    pub(super) ticket: u64,
    pub(super) cancellation: CancellationToken,
    pub(super) stored: StoredTask,
    pub(super) message: Message,
}

/// Why an execution came to an end that is not in the log.
enum Left {
    /// The process stops; the next one takes the task up.
    Abandoned,
    /// The store did not take it; the next start tries again.
    Store(TaskStoreError),
}

pub(super) fn canceled() -> TaskEvent {
    TaskEvent::Status { state: TaskState::Canceled, message: None, metadata: None }
}

pub(super) fn failed(reason: &str) -> TaskEvent {
    TaskEvent::Status { state: TaskState::Failed, message: Some(Message::agent_text(reason)), metadata: None }
}

impl Execution {
    pub(super) async fn run(mut self, news: &watch::Sender<u64>) {
        let id = self.stored.task.id.clone();
        let started = Instant::now();
        match self.work(news).await {
            Ok(()) => tracing::info!(
                task.id = %id,
                context.id = %self.stored.task.context_id,
                state = ?self.stored.task.status.state,
                entries = self.stored.sequence,
                duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
                "a task has ended or waits for its client"
            ),
            Err(Left::Abandoned) => tracing::info!(task.id = %id, "left for the next start"),
            Err(Left::Store(error)) => {
                tracing::error!(task.id = %id, error = &error as &dyn std::error::Error, "could not be stored");
            }
        }
    }

    async fn work(&mut self, news: &watch::Sender<u64>) -> Result<(), Left> {
        let inner = Arc::clone(&self.inner);
        let _slot = tokio::select! {
            biased;
            () = inner.abandon.cancelled() => return Err(Left::Abandoned),
            () = self.cancellation.cancelled() => return self.commit(vec![canceled()], news).await,
            slot = inner.slots.acquire() => slot,
        };
        inner.store.begin_attempt(&self.stored.task.id).await.map_err(Left::Store)?;
        let mut events = self.events();
        let cancellation = self.cancellation.clone();
        let grace_is_over = async {
            cancellation.cancelled().await;
            tokio::time::sleep(inner.limits.cancel_grace).await;
        };
        tokio::pin!(grace_is_over);
        while !is_settled(self.stored.task.status.state) {
            let event = tokio::select! {
                biased;
                () = inner.abandon.cancelled() => return Err(Left::Abandoned),
                () = &mut grace_is_over => canceled(),
                event = next_of(&mut events) => match event {
                    Ok(None) if self.is_handed_over() => return Ok(()),
                    event => self.event_or_end(event),
                },
            };
            let group = self.with_what_is_ready(event, &mut events);
            self.commit(group, news).await?;
        }
        Ok(())
    }

    /// Chunks that are there already share a transaction. Anything else is shown at once.
    fn with_what_is_ready(
        &self,
        first: TaskEvent,
        events: &mut BoxStream<'static, TaskEvent>,
    ) -> Vec<TaskEvent> {
        let mut group = vec![first];
        while group.len() < GROUP && matches!(group.last(), Some(TaskEvent::Artifact { .. })) {
            match next_of(events).now_or_never() {
                None | Some(Ok(None)) => break,
                Some(event) => group.push(self.event_or_end(event)),
            }
        }
        group
    }

    /// What the executor does, begun when first polled, so that a panic at the beginning is caught like a later one.
    fn events(&self) -> BoxStream<'static, TaskEvent> {
        let executor = Arc::clone(&self.inner.executor);
        let request = ExecutionRequest {
            owner: self.stored.owner.clone(),
            task: self.stored.task.clone(),
            message: self.message.clone(),
            options: self.stored.options.clone(),
            cancellation: self.cancellation.clone(),
        };
        stream::once(async move { executor.execute(request) }).flatten().fuse().boxed()
    }

    /// True where the task goes on working elsewhere.
    fn is_handed_over(&self) -> bool {
        self.inner.executor.hands_over()
            && self.stored.task.status.state == TaskState::Working
            && !self.cancellation.is_cancelled()
    }

    /// The executor's event, or what it means that there is none.
    fn event_or_end(&self, event: std::thread::Result<Option<TaskEvent>>) -> TaskEvent {
        match event {
            Ok(Some(event)) => event,
            Ok(None) if self.cancellation.is_cancelled() => canceled(),
            Ok(None) => {
                tracing::error!(task.id = %self.stored.task.id, "bug: the executor ended without a result");
                failed("the agent stopped without a result")
            }
            Err(_) => {
                tracing::error!(task.id = %self.stored.task.id, "bug: the executor panicked");
                failed("the agent stopped because of an internal error")
            }
        }
    }

    /// Stores events, then announces them. An illegal one fails the task. Where the store fails, this execution is over.
    async fn commit(&mut self, events: Vec<TaskEvent>, news: &watch::Sender<u64>) -> Result<(), Left> {
        let entries = self.advance(events);
        let (id, after) = (self.stored.task.id.clone(), self.stored.sequence);
        self.stored.sequence += entries.len() as u64;
        self.inner.store.append(after, &entries, &self.stored, None).await.map_err(Left::Store)?;
        if is_settled(self.stored.task.status.state) {
            self.inner.claims.release(&id, self.ticket);
        }
        news.send_replace(self.stored.sequence);
        Ok(())
    }

    /// Events as the entries that follow, up to one after which the task is not worked on; the task moves on with them.
    fn advance(&mut self, events: Vec<TaskEvent>) -> Vec<StoredEntry> {
        let mut entries = Vec::with_capacity(events.len());
        for event in events {
            if is_settled(self.stored.task.status.state) {
                break;
            }
            let mut entry = self.entry(entries.len(), event);
            if let Err(illegal) = state::advance(&mut self.stored.task, &entry) {
                tracing::error!(task.id = %self.stored.task.id, %illegal, "bug: the executor sent an illegal event");
                entry = self.entry(entries.len(), failed("the agent stopped because of an internal error"));
                if state::advance(&mut self.stored.task, &entry).is_err() {
                    break;
                }
            }
            entries.push(entry);
        }
        entries
    }

    fn entry(&self, offset: usize, event: TaskEvent) -> StoredEntry {
        StoredEntry {
            sequence: self.stored.sequence + offset as u64 + 1,
            at: Timestamp::now(),
            entry: LogEntry::Update(event),
        }
    }
}

/// The next event; a panic of the executor comes back as an error.
async fn next_of(events: &mut BoxStream<'static, TaskEvent>) -> std::thread::Result<Option<TaskEvent>> {
    AssertUnwindSafe(events.next()).catch_unwind().await
}
