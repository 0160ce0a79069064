//! Which configurations are worked on: one worker for each that has something to deliver or whose task goes on.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::PushSettings;
use super::retry::RetryPolicy;
use super::sender::Sender;
use super::wire::NewPush;
use super::worker::work;
use crate::a2a::types::{Task, TaskId};
use crate::tasks::{
    NewMessage, Owner, PushConfig, PushLimits, PushStart, PushState, PutPush, StartError, StoredPush,
    Subscription, TaskError, TaskRunner, TaskStore, TaskStoreError,
};

/// Configurations read from the store at a time.
const PAGE: u32 = 256;

/// Delivers push notifications. Cheap to clone.
#[derive(Clone)]
pub struct Push {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) store: Arc<dyn TaskStore>,
    pub(super) runner: TaskRunner,
    pub(super) sender: Sender,
    pub(super) retry: RetryPolicy,
    limits: PushLimits,
    workers: Mutex<Workers>,
    tracker: TaskTracker,
    /// Fires when workers are to finish what they send and wait for nothing more.
    draining: CancellationToken,
    /// Fires when they are to drop that, too.
    abort: CancellationToken,
}

#[derive(Default)]
struct Workers {
    slots: HashMap<Key, Slot>,
    tickets: u64,
}

/// A configuration: its task and its id.
type Key = (TaskId, String);

fn key_of(stored: &StoredPush) -> Key {
    (stored.config.task_id.clone(), stored.config.id.clone())
}

/// A worker as the dispatcher knows it.
struct Slot {
    ticket: u64,
    /// Something happened that the worker may not have seen.
    woken: bool,
    stop: CancellationToken,
}

impl Inner {
    fn workers(&self) -> MutexGuard<'_, Workers> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits; false where the server stops meanwhile.
    pub(super) async fn pause(&self, pause: Duration) -> bool {
        if pause.is_zero() {
            return !self.draining.is_cancelled();
        }
        self.draining.run_until_cancelled(tokio::time::sleep(pause)).await.is_some()
    }
}

/// A worker's place, given back when dropped.
pub(super) struct Seat {
    pub(super) inner: Arc<Inner>,
    pub(super) key: Key,
    ticket: u64,
}

impl Seat {
    /// Gives the place back, unless something happened that has to be looked at first.
    pub(super) fn leave(&self) -> bool {
        let mut workers = self.inner.workers();
        match workers.slots.get_mut(&self.key) {
            Some(slot) if slot.ticket == self.ticket && slot.woken => {
                slot.woken = false;
                false
            }
            Some(_) | None => {
                self.remove(&mut workers);
                true
            }
        }
    }

    fn remove(&self, workers: &mut Workers) {
        if workers.slots.get(&self.key).is_some_and(|slot| slot.ticket == self.ticket) {
            workers.slots.remove(&self.key);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.remove(&mut self.inner.workers());
    }
}

/// Why a configuration is not kept.
#[derive(Debug, thiserror::Error)]
pub(in crate::a2a) enum PutError {
    #[error("this task has {0} push notification configurations, and may not have more; delete one")]
    TaskIsFull(u32),
    #[error("this caller has {0} active push notification configurations, and may not have more")]
    OwnerIsFull(u32),
    #[error(transparent)]
    Store(#[from] TaskStoreError),
}

/// Why a message with a configuration is not taken.
#[derive(Debug, thiserror::Error)]
pub(in crate::a2a) enum AttachError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Task(#[from] TaskError),
    #[error(transparent)]
    Put(#[from] PutError),
}

impl Push {
    /// Delivers what happens to the tasks of `runner`, whose store is `store`.
    pub fn new(store: Arc<dyn TaskStore>, runner: TaskRunner, settings: PushSettings) -> Self {
        let inner = Inner {
            store,
            runner,
            retry: settings.retry,
            limits: settings.limits,
            sender: Sender::new(settings),
            workers: Mutex::default(),
            tracker: TaskTracker::new(),
            draining: CancellationToken::new(),
            abort: CancellationToken::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Goes on with what an earlier process left undelivered; returns how many configurations that concerns. To be
    /// called once, after the runner has recovered its tasks.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn resume(&self) -> Result<usize, TaskStoreError> {
        let (mut count, mut last): (usize, Option<Key>) = (0, None);
        loop {
            let after = last.as_ref().map(|(task_id, id)| (task_id, id.as_str()));
            let page = self.inner.store.pushes_in_state(PushState::Active, after, PAGE).await?;
            let Some(end) = page.last() else { return Ok(count) };
            last = Some(key_of(end));
            count += page.len();
            page.iter().for_each(|stored| self.employ(key_of(stored)));
        }
    }

    /// Lets deliveries that are under way end for `grace`; what is left is for the next start.
    pub async fn shutdown(&self, grace: Duration) {
        self.inner.tracker.close();
        self.inner.draining.cancel();
        if tokio::time::timeout(grace, self.inner.tracker.wait()).await.is_err() {
            self.inner.abort.cancel();
            self.inner.tracker.wait().await;
        }
    }

    /// Takes a message, with the configuration that came with it. What was begun is also ended where the caller stops
    /// waiting.
    pub(in crate::a2a) async fn start(
        &self,
        owner: &Owner,
        new: NewMessage,
        config: Option<NewPush>,
    ) -> Result<Subscription, AttachError> {
        let (this, owner) = (self.clone(), owner.clone());
        let started = match (new.message.task_id.clone(), config) {
            (None, None) => return Ok(self.inner.runner.start(&owner, new).await?),
            (None, Some(config)) => {
                self.inner.tracker.spawn(async move { this.begin(&owner, new, config).await })
            }
            (Some(task_id), config) => self
                .inner
                .tracker
                .spawn(async move { this.continue_task(&owner, &task_id, new, config).await }),
        };
        started.await.unwrap_or_else(|error| Err(PutError::Store(broken(error)).into()))
    }

    async fn begin(
        &self,
        owner: &Owner,
        new: NewMessage,
        config: NewPush,
    ) -> Result<Subscription, AttachError> {
        let limit = self.inner.limits.per_owner;
        if self.inner.store.active_pushes(owner).await.map_err(PutError::Store)? >= u64::from(limit) {
            return Err(PutError::OwnerIsFull(limit).into());
        }
        let started = self.inner.runner.start(owner, new).await?;
        let task_id = started.task.id.clone();
        // A repeated message finds the task of the first, and its configuration. The room was there before it began.
        let id = config.id.clone().unwrap_or_else(|| task_id.0.clone());
        let config = config.of_task(task_id, owner.clone(), id);
        let limits = PushLimits { per_owner: u32::MAX, ..self.inner.limits };
        self.keep(&config, PushStart::First, limits).await?;
        Ok(started)
    }

    async fn continue_task(
        &self,
        owner: &Owner,
        task_id: &TaskId,
        new: NewMessage,
        config: Option<NewPush>,
    ) -> Result<Subscription, AttachError> {
        if let Some(config) = config {
            self.inner.runner.get(owner, task_id).await?;
            let id = config.id.clone().unwrap_or_else(|| task_id.0.clone());
            self.keep(&config.of_task(task_id.clone(), owner.clone(), id), PushStart::Now, self.inner.limits)
                .await?;
        }
        let started = self.inner.runner.start(owner, new).await?;
        self.wake(task_id).await.map_err(PutError::Store)?;
        Ok(started)
    }

    /// Cancels a task. What was begun is also ended where the caller stops waiting.
    pub(in crate::a2a) async fn cancel(&self, owner: &Owner, task_id: &TaskId) -> Result<Task, TaskError> {
        let (this, owner, task_id) = (self.clone(), owner.clone(), task_id.clone());
        let canceled = self.inner.tracker.spawn(async move {
            let task = this.inner.runner.cancel(&owner, &task_id).await?;
            this.wake(&task_id).await.map_err(TaskError::Store)?;
            Ok(task)
        });
        canceled.await.unwrap_or_else(|error| Err(TaskError::Store(broken(error))))
    }

    /// Keeps a configuration and begins to deliver to it.
    pub(super) async fn put(&self, config: &PushConfig) -> Result<(), PutError> {
        self.keep(config, PushStart::Now, self.inner.limits).await
    }

    async fn keep(&self, config: &PushConfig, start: PushStart, limits: PushLimits) -> Result<(), PutError> {
        match self.inner.store.put_push(config, start, limits).await? {
            PutPush::Kept => {
                self.replace((config.task_id.clone(), config.id.clone()));
                Ok(())
            }
            PutPush::TaskIsFull => Err(PutError::TaskIsFull(limits.per_task)),
            PutPush::OwnerIsFull => Err(PutError::OwnerIsFull(limits.per_owner)),
        }
    }

    /// Forgets a configuration and delivers nothing to it any more.
    pub(super) async fn remove(&self, task_id: &TaskId, id: &str) -> Result<(), TaskStoreError> {
        self.inner.store.remove_push(task_id, id).await?;
        self.replace((task_id.clone(), id.to_owned()));
        Ok(())
    }

    /// Something happened to a task that nobody may be watching.
    async fn wake(&self, task_id: &TaskId) -> Result<(), TaskStoreError> {
        let pushes = self.inner.store.pushes(task_id).await?;
        let active = pushes.into_iter().filter(|stored| stored.progress.state == PushState::Active);
        active.for_each(|stored| self.employ(key_of(&stored)));
        Ok(())
    }

    /// Gives a configuration a worker, or wakes the one it has.
    fn employ(&self, key: Key) {
        let mut workers = self.inner.workers();
        if let Some(slot) = workers.slots.get_mut(&key) {
            slot.woken = true;
            return;
        }
        let (seat, stop) = self.seat(key, &mut workers);
        drop(workers);
        self.spawn(seat, stop);
    }

    /// Lets a configuration's worker make way for one that reads what is kept now, even if that is nothing. Both a new
    /// configuration and the end of one come to this, so that whichever comes last is what counts.
    fn replace(&self, key: Key) {
        let mut workers = self.inner.workers();
        if let Some(slot) = workers.slots.remove(&key) {
            slot.stop.cancel();
        }
        let (seat, stop) = self.seat(key, &mut workers);
        drop(workers);
        self.spawn(seat, stop);
    }

    fn seat(&self, key: Key, workers: &mut Workers) -> (Seat, CancellationToken) {
        workers.tickets += 1;
        let (ticket, stop) = (workers.tickets, self.inner.abort.child_token());
        workers.slots.insert(key.clone(), Slot { ticket, woken: false, stop: stop.clone() });
        (Seat { inner: Arc::clone(&self.inner), key, ticket }, stop)
    }

    /// Not to be called while the workers are locked: a runtime that ends drops the seat at once.
    fn spawn(&self, seat: Seat, stop: CancellationToken) {
        self.inner.tracker.spawn(async move {
            stop.run_until_cancelled(work(seat)).await;
        });
    }
}

/// A task of ours panicked, or the runtime ends.
fn broken(error: tokio::task::JoinError) -> TaskStoreError {
    TaskStoreError::Unavailable(Box::new(error))
}

impl fmt::Debug for Push {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Push").field("workers", &self.inner.workers().slots.len()).finish_non_exhaustive()
    }
}
