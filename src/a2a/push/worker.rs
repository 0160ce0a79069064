//! Delivers what a task's log has to one receiver: entry by entry, in order, each until it is taken or given up.

use std::time::Duration;

use aws_lc_rs::rand;
use bytes::Bytes;
use futures::StreamExt;
use serde::Serialize;

use super::dispatcher::Seat;
use super::retry::between;
use super::sender::origin;
use crate::a2a::events::stream_response;
use crate::a2a::types::{Task, Timestamp};
use crate::a2a::v03;
use crate::tasks::{
    LogEntry, PushFormat, PushState, StoredPush, Subscription, TaskError, TaskEvent, TaskStoreError, Until,
};

/// How long to wait where the store does not work.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// Works on the configuration of this place as it is kept now, if there still is one.
pub(super) async fn work(seat: Seat) {
    loop {
        match find(&seat).await {
            Ok(Some(stored)) => return Worker { seat, stored }.run().await,
            Ok(None) => return,
            Err(error) if !pause(&seat, &error).await => return,
            Err(_) => {}
        }
    }
}

async fn find(seat: &Seat) -> Result<Option<StoredPush>, TaskStoreError> {
    let (task_id, id) = &seat.key;
    let pushes = seat.inner.store.pushes(task_id).await?;
    let is_it = |stored: &StoredPush| stored.config.id == *id && stored.progress.state == PushState::Active;
    Ok(pushes.into_iter().find(is_it))
}

/// Waits where the store does not work; false where the server stops meanwhile.
async fn pause(seat: &Seat, error: &TaskStoreError) -> bool {
    let error = error as &(dyn std::error::Error + Sync);
    tracing::error!(task.id = %seat.key.0, %error, "push notifications pause");
    seat.inner.pause(STORE_PAUSE).await
}

struct Worker {
    seat: Seat,
    stored: StoredPush,
}

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// There may be more at once, or after a pause.
    GoOn,
    /// The task waits for its client, and everything was delivered.
    Rest,
    /// Nothing, ever; or nothing before the next start.
    End,
}

impl Worker {
    async fn run(mut self) {
        loop {
            match self.step().await {
                Ok(Next::GoOn) => {}
                Ok(Next::Rest) if self.seat.leave() => return,
                Ok(Next::Rest) => {}
                // Replaced or removed, or its task is gone.
                Ok(Next::End) | Err(TaskStoreError::Conflict | TaskStoreError::NotFound) => return,
                Err(error) if !pause(&self.seat, &error).await => return,
                Err(_) => {}
            }
        }
    }

    async fn step(&mut self) -> Result<Next, TaskStoreError> {
        if let Some(at) = self.stored.progress.next_attempt_at
            && !self.seat.inner.pause(between(Timestamp::now(), at)).await
        {
            return Ok(Next::End);
        }
        match self.stored.config.format {
            PushFormat::V1 => self.deliver_entries().await,
            PushFormat::V03 => self.deliver_task().await,
        }
    }

    /// Every entry as an item of a stream, from the cursor on.
    async fn deliver_entries(&mut self) -> Result<Next, TaskStoreError> {
        let Subscription { task, mut events, .. } = self.watch(Some(self.stored.progress.cursor)).await?;
        let (task_id, context_id) = (task.id.clone(), task.context_id.clone());
        let has_ended = task.status.state.is_terminal();
        // A receiver that is slow must not keep the task in memory.
        drop(task);
        while let Some(stored) = events.next().await {
            let stored = stored?;
            let (sequence, is_last) = (stored.sequence, ends(&stored.entry));
            let body = body(&stream_response(stored, &task_id, &context_id))?;
            if !self.attempt(sequence, is_last, body).await? {
                return Ok(self.after_failure());
            }
            if is_last {
                return Ok(Next::End);
            }
        }
        self.after_all(has_ended).await
    }

    /// The task as it is, whenever it is not what was delivered last.
    async fn deliver_task(&mut self) -> Result<Next, TaskStoreError> {
        let Subscription { task, sequence, mut events, .. } = self.watch(None).await?;
        let has_ended = task.status.state.is_terminal();
        if sequence > self.stored.progress.cursor {
            let body = task_body(task)?;
            return Ok(match self.attempt(sequence, has_ended, body).await? {
                true if has_ended => Next::End,
                true => Next::GoOn,
                false => self.after_failure(),
            });
        }
        drop(task);
        match events.next().await {
            Some(Ok(_)) => Ok(Next::GoOn),
            Some(Err(error)) => Err(error),
            None => self.after_all(has_ended).await,
        }
    }

    async fn watch(&self, after: Option<u64>) -> Result<Subscription, TaskStoreError> {
        let config = &self.stored.config;
        let watched =
            self.seat.inner.runner.subscribe(&config.owner, &config.task_id, after, Until::Settled).await;
        watched.map_err(|error| match error {
            TaskError::NotFound(_) | TaskError::NotCancelable { .. } => TaskStoreError::NotFound,
            TaskError::Store(error) => error,
        })
    }

    /// One attempt, and a note of how it went. True where it was delivered.
    async fn attempt(&mut self, sequence: u64, is_last: bool, body: Bytes) -> Result<bool, TaskStoreError> {
        let answer = Box::pin(self.seat.inner.sender.deliver(&self.stored.config, sequence, body)).await;
        let entry = (sequence, is_last);
        let progress =
            self.seat.inner.retry.after(&self.stored.progress, entry, answer, Timestamp::now(), chance());
        self.seat.inner.store.record_push(&self.stored, &progress).await?;
        let delivered = progress.cursor == sequence;
        self.stored.progress = progress;
        Ok(delivered)
    }

    fn after_failure(&self) -> Next {
        let (config, progress) = (&self.stored.config, &self.stored.progress);
        let receiver = config.url.parse().map(|url| origin(&url)).unwrap_or_default();
        let error = progress.last_error.as_deref().unwrap_or_default();
        let (task, attempts) = (&config.task_id, progress.attempts);
        if progress.state == PushState::Dead {
            tracing::warn!(task.id = %task, push.id = config.id, receiver, attempts, error, "push notifications given up");
            return Next::End;
        }
        tracing::debug!(task.id = %task, push.id = config.id, receiver, attempts, error, "a push notification failed");
        Next::GoOn
    }

    /// Everything that is there was delivered.
    async fn after_all(&mut self, has_ended: bool) -> Result<Next, TaskStoreError> {
        if !has_ended {
            return Ok(Next::Rest);
        }
        self.stored.progress.state = PushState::Done;
        self.seat.inner.store.record_push(&self.stored, &self.stored.progress).await?;
        Ok(Next::End)
    }
}

/// True for an entry after which there is none.
fn ends(entry: &LogEntry) -> bool {
    match entry {
        LogEntry::Update(TaskEvent::Status { state, .. }) => state.is_terminal(),
        LogEntry::Created(_) | LogEntry::Received(_) | LogEntry::Update(TaskEvent::Artifact { .. }) => false,
    }
}

fn body(value: &impl Serialize) -> Result<Bytes, TaskStoreError> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|error| TaskStoreError::Unavailable(error.into()))
}

fn task_body(task: Task) -> Result<Bytes, TaskStoreError> {
    let task = serde_json::to_value(task).map_err(|error| TaskStoreError::Unavailable(error.into()))?;
    body(&v03::task_to_v03(task))
}

/// A number between 0 and 1.
fn chance() -> f64 {
    let mut bytes = [0; 4];
    match rand::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 1.0,
    }
}
