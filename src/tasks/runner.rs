//! Runs tasks. What it guarantees, each the name of a test:
//!
//! 1. A subscriber never sees an event that is not stored; events are numbered from 1 without gaps; who comes back with
//!    the last number loses and repeats nothing.
//! 2. A task outlives the request that made it.
//! 3. One execution per task at a time; a process killed at any instant leaves no task stuck, because [`recover`]
//!    executes it again or fails it with a reason. A terminal task never changes.
//! 4. The same idempotency key of the same owner makes no second task.
//! 5. An owner sees its own tasks only; another's is not found.
//! 6. Cancels at the same time share one outcome.
//!
//! [`recover`]: TaskRunner::recover

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::a2a::types::{ContextId, Message, Metadata, Role, Task, TaskId, TaskState, TaskStatus, Timestamp};

use super::claims::{Claim, Claims};
use super::errors::{StartError, TaskError};
use super::event::{LogEntry, Owner, RequestOptions, StoredEntry};
use super::execution::Execution;
use super::executor::AgentExecutor;
use super::state;
use super::store::{
    Created, IdempotencyKey, ListPosition, StoredTask, TaskFilter, TaskPage, TaskStore, TaskStoreError,
};
use super::subscription::{Followed, Subscription, Until};

/// Upper bounds of a runner.
#[derive(Debug, Clone, Copy)]
pub struct RunnerLimits {
    /// Tasks that are executed at the same time.
    pub max_concurrent: usize,
    /// Tasks that may wait for their turn; further ones are refused.
    pub max_waiting: usize,
    /// Tasks of one owner that are executed or wait for their turn; further ones are refused.
    pub max_per_owner: usize,
    /// How long a canceled execution may take to end by itself.
    pub cancel_grace: Duration,
    /// Executions of one task that may be cut short by the end of the process before the task is given up.
    pub max_attempts: u32,
}

impl Default for RunnerLimits {
    fn default() -> Self {
        Self {
            max_concurrent: 64,
            max_waiting: 4096,
            max_per_owner: 2048,
            cancel_grace: Duration::from_secs(2),
            max_attempts: 3,
        }
    }
}

/// A message of a client, on its way to a task.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// The message. Its `task_id` says which task it continues; its `context_id` which conversation.
    pub message: Message,
    /// Metadata for a new task.
    pub metadata: Option<Metadata>,
    /// How the client asks.
    pub options: RequestOptions,
    /// Makes a repeated request find the task of the first.
    pub idempotency_key: Option<String>,
}

/// What [`TaskRunner::recover`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Tasks that are executed again.
    pub resumed: usize,
    /// Tasks that were cut short too often and have failed.
    pub given_up: usize,
}

/// Creates, executes, watches and ends tasks. Cheap to clone.
#[derive(Clone)]
pub struct TaskRunner {
    inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) store: Arc<dyn TaskStore>,
    pub(super) executor: Arc<dyn AgentExecutor>,
    pub(super) limits: RunnerLimits,
    pub(super) slots: Arc<Semaphore>,
    /// Fires when executions are to be left as they are, for the next start.
    pub(super) abandon: CancellationToken,
    pub(super) claims: Arc<Claims>,
    tracker: TaskTracker,
}

impl TaskRunner {
    /// A runner that keeps tasks in `store` and lets `executor` do the work.
    pub fn new(store: Arc<dyn TaskStore>, executor: Arc<dyn AgentExecutor>, limits: RunnerLimits) -> Self {
        let inner = Inner {
            store,
            executor,
            limits,
            slots: Arc::new(Semaphore::new(limits.max_concurrent.max(1))),
            abandon: CancellationToken::new(),
            claims: Arc::default(),
            tracker: TaskTracker::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Takes a message: begins a task, or continues the one it names. Returns as soon as that is stored.
    ///
    /// A caller that stops waiting changes nothing: what is stored is also executed.
    pub async fn start(&self, owner: &Owner, new: NewMessage) -> Result<Subscription, StartError> {
        if self.inner.tracker.is_closed() {
            return Err(StartError::Stopping);
        }
        let (this, owner) = (self.clone(), owner.clone());
        let started = self.inner.tracker.spawn(async move {
            match new.message.task_id.clone() {
                None => this.begin(&owner, new).await,
                Some(id) => this.continue_task(&owner, &id, new).await,
            }
        });
        started.await.unwrap_or_else(|error| Err(StartError::Store(broken(error))))
    }

    async fn begin(&self, owner: &Owner, new: NewMessage) -> Result<Subscription, StartError> {
        let at = Timestamp::now();
        let task = submitted(&new, at);
        let message = task.history.last().cloned().unwrap_or_else(|| new.message.clone());
        let key = key_of(&new);
        let claim = self.claim(owner, &task.id)?;
        let first = StoredEntry { sequence: 1, at, entry: LogEntry::Created(task.clone()) };
        let stored = StoredTask::first(owner.clone(), task, new.options);
        let created = self.inner.store.create(&stored, &first, key.as_ref()).await;
        if let Created::Existing { task_id, request } = created.map_err(StartError::Store)? {
            drop(claim);
            return self.repeated(owner, key, &task_id, &request).await;
        }
        Ok(self.spawn(claim, stored, message))
    }

    /// The task that a repeated request finds, if it is the same request.
    async fn repeated(
        &self,
        owner: &Owner,
        key: Option<IdempotencyKey>,
        id: &TaskId,
        request: &str,
    ) -> Result<Subscription, StartError> {
        if key.is_some_and(|key| key.request != request) {
            return Err(StartError::IdempotencyMismatch);
        }
        self.subscribe(owner, id, None, Until::Settled).await.map_err(|error| match error {
            TaskError::NotFound(id) | TaskError::NotCancelable { id, .. } => StartError::TaskNotFound(id),
            TaskError::Store(error) => StartError::Store(error),
        })
    }

    async fn continue_task(
        &self,
        owner: &Owner,
        id: &TaskId,
        new: NewMessage,
    ) -> Result<Subscription, StartError> {
        let not_found = || StartError::TaskNotFound(id.clone());
        let mine = self.load(owner, id).await.map_err(StartError::Store)?.ok_or_else(not_found)?;
        if new.message.context_id.as_ref().is_some_and(|context| *context != mine.task.context_id) {
            return Err(StartError::ContextMismatch { id: id.clone() });
        }
        let key = key_of(&new);
        if let Some(known) = &key
            && let Some((task_id, request)) =
                self.inner.store.find_key(owner, &known.key).await.map_err(StartError::Store)?
        {
            return self.repeated(owner, key, &task_id, &request).await;
        }
        let ended = |state| StartError::TaskTerminal { id: id.clone(), state };
        if mine.task.status.state.is_terminal() {
            return Err(ended(mine.task.status.state));
        }
        let claim = self.claim(owner, id)?;
        let now = self.load(owner, id).await.map_err(StartError::Store)?.ok_or_else(not_found)?;
        let state = now.task.status.state;
        let message = Message { context_id: Some(now.task.context_id.clone()), ..new.message };
        let now = StoredTask { options: new.options, ..now };
        match self.append(now, LogEntry::Received(message.clone()), key.as_ref()).await {
            Ok(stored) => Ok(self.spawn(claim, stored, message)),
            Err(AppendError::Illegal(state::IllegalEvent::Terminal)) => Err(ended(state)),
            Err(AppendError::Illegal(_)) => Err(StartError::Busy(id.clone())),
            Err(AppendError::Store(error)) => Err(StartError::Store(error)),
        }
    }

    /// The task as it is now.
    pub async fn get(&self, owner: &Owner, id: &TaskId) -> Result<Task, TaskError> {
        Ok(self.load_or_not_found(owner, id).await?.task)
    }

    /// Tasks of an owner, newest status first.
    pub async fn list(
        &self,
        owner: &Owner,
        filter: &TaskFilter,
        position: Option<&ListPosition>,
        limit: u32,
    ) -> Result<TaskPage, TaskStoreError> {
        self.inner.store.list(owner, filter, position, limit).await
    }

    /// Watches a task: after entry number `after` where that is given, else from now on.
    pub async fn subscribe(
        &self,
        owner: &Owner,
        id: &TaskId,
        after: Option<u64>,
        until: Until,
    ) -> Result<Subscription, TaskError> {
        // Before the store is read: an execution that ends in between is then still followed to its last entry.
        let news = self.inner.claims.news(id);
        let stored = self.load_or_not_found(owner, id).await?;
        let sequence = after.unwrap_or(stored.sequence).min(stored.sequence);
        let position = Position { sequence, stored_until: stored.sequence };
        Ok(self.subscription(stored.task, position, news, until))
    }

    /// Ends a task as canceled and returns it.
    pub async fn cancel(&self, owner: &Owner, id: &TaskId) -> Result<Task, TaskError> {
        let (this, owner, id) = (self.clone(), owner.clone(), id.clone());
        let canceled = self.inner.tracker.spawn(async move { this.cancel_to_the_end(&owner, &id).await });
        canceled.await.unwrap_or_else(|error| Err(TaskError::Store(broken(error))))
    }

    async fn cancel_to_the_end(&self, owner: &Owner, id: &TaskId) -> Result<Task, TaskError> {
        let mut waited = false;
        loop {
            let stored = self.load_or_not_found(owner, id).await?;
            match stored.task.status.state {
                TaskState::Canceled if waited => return Ok(stored.task),
                state if state.is_terminal() => {
                    return Err(TaskError::NotCancelable { id: id.clone(), state });
                }
                _ => {}
            }
            match self.inner.claims.claim_unbounded(owner, id) {
                Ok(claim) => return self.cancel_idle(owner, &claim).await,
                Err(_) => waited |= self.cancel_running(id).await,
            }
        }
    }

    /// Cancels a task that nobody works on.
    async fn cancel_idle(&self, owner: &Owner, claim: &Claim) -> Result<Task, TaskError> {
        // What was read before the claim may be old.
        let stored = self.load_or_not_found(owner, &claim.id).await?;
        let state = stored.task.status.state;
        match self.append(stored, LogEntry::Update(super::execution::canceled()), None).await {
            Ok(stored) => Ok(stored.task),
            Err(AppendError::Store(error)) => Err(TaskError::Store(error)),
            Err(AppendError::Illegal(_)) => Err(TaskError::NotCancelable { id: claim.id.clone(), state }),
        }
    }

    /// Tells an execution to end and waits until it has. False where there is none any more.
    async fn cancel_running(&self, id: &TaskId) -> bool {
        let Some(mut live) = self.inner.claims.of(id) else { return false };
        live.cancellation.cancel();
        while live.news.changed().await.is_ok() {}
        true
    }

    /// Takes up what an earlier process left unfinished. To be called once, before requests are served.
    pub async fn recover(&self) -> Result<Recovered, TaskStoreError> {
        let mut recovered = Recovered::default();
        for id in self.inner.store.unfinished().await? {
            let stored = match self.inner.store.load(&id).await {
                Ok(stored) => stored,
                // One task that cannot be read keeps no other from being taken up.
                Err(error) => {
                    let error: &(dyn std::error::Error + 'static) = &error;
                    tracing::error!(task.id = %id, error, "an unfinished task cannot be read; it stays as it is");
                    continue;
                }
            };
            let Ok(claim) = self.inner.claims.claim_unbounded(&stored.owner, &id) else { continue };
            let history = &stored.task.history;
            let of_client = history.iter().rev().find(|message| message.role == Role::User);
            let message = of_client.or_else(|| history.last()).cloned();
            match message {
                Some(message) if stored.attempts < self.inner.limits.max_attempts => {
                    recovered.resumed += 1;
                    drop(self.spawn(claim, stored, message));
                }
                Some(_) | None => {
                    recovered.given_up += 1;
                    let entry = LogEntry::Update(super::execution::failed(
                        "the server stopped several times while it worked on this task; it was given up",
                    ));
                    if let Err(AppendError::Store(error)) = self.append(stored, entry, None).await {
                        return Err(error);
                    }
                }
            }
        }
        Ok(recovered)
    }

    /// Takes no more messages, lets executions end for `grace`, and leaves the rest for the next start.
    pub async fn shutdown(&self, grace: Duration) {
        self.inner.tracker.close();
        if tokio::time::timeout(grace, self.inner.tracker.wait()).await.is_err() {
            self.inner.abandon.cancel();
            self.inner.tracker.wait().await;
        }
    }

    /// How many tasks are worked on or wait for their turn.
    pub fn active(&self) -> usize {
        self.inner.claims.active()
    }

    async fn load(&self, owner: &Owner, id: &TaskId) -> Result<Option<StoredTask>, TaskStoreError> {
        match self.inner.store.load(id).await {
            Ok(stored) if stored.owner == *owner => Ok(Some(stored)),
            Ok(_) | Err(TaskStoreError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn load_or_not_found(&self, owner: &Owner, id: &TaskId) -> Result<StoredTask, TaskError> {
        let stored = self.load(owner, id).await.map_err(TaskError::Store)?;
        stored.ok_or_else(|| TaskError::NotFound(id.clone()))
    }

    /// Appends one entry outside an execution; the caller holds the claim.
    async fn append(
        &self,
        stored: StoredTask,
        entry: LogEntry,
        key: Option<&IdempotencyKey>,
    ) -> Result<StoredTask, AppendError> {
        let next = StoredEntry { sequence: stored.sequence + 1, at: Timestamp::now(), entry };
        let after = stored.sequence;
        let task = state::apply(Some(stored.task), &next).map_err(AppendError::Illegal)?;
        let stored = StoredTask { task, sequence: next.sequence, ..stored };
        let appended = self.inner.store.append(after, std::slice::from_ref(&next), &stored, key).await;
        appended.map_err(AppendError::Store)?;
        Ok(stored)
    }

    fn claim(&self, owner: &Owner, id: &TaskId) -> Result<Claim, StartError> {
        let claim = self.inner.claims.claim(owner, id, &self.inner.limits);
        claim.map_err(|taken| taken.refuse(id))
    }

    /// Executes on a task of its own, which no request owns.
    fn spawn(&self, claim: Claim, stored: StoredTask, message: Message) -> Subscription {
        let news = Some(claim.news.subscribe());
        let position = Position { sequence: stored.sequence, stored_until: stored.sequence };
        let subscription = self.subscription(stored.task.clone(), position, news, Until::Settled);
        let execution = Execution {
            inner: Arc::clone(&self.inner),
            ticket: claim.ticket,
            cancellation: claim.cancellation.clone(),
            stored,
            message,
        };
        self.inner.tracker.spawn(async move { execution.run(&claim.news).await });
        subscription
    }

    fn subscription(
        &self,
        task: Task,
        position: Position,
        news: Option<watch::Receiver<u64>>,
        until: Until,
    ) -> Subscription {
        let Position { sequence, stored_until } = position;
        let inner = Arc::clone(&self.inner);
        let (id, followed) = (task.id.clone(), news.clone());
        let events = Followed {
            inner: Arc::clone(&inner),
            id,
            position: sequence,
            stored_until,
            news: followed,
            until,
        };
        Subscription { task, sequence, stored_until, events: events.entries(), inner, news }
    }
}

/// Where a watcher begins.
struct Position {
    /// Number of the last entry that it has.
    sequence: u64,
    /// Number of the last entry that is stored.
    stored_until: u64,
}

/// A task of ours panicked, or the runtime ends.
fn broken(error: tokio::task::JoinError) -> TaskStoreError {
    TaskStoreError::Unavailable(Box::new(error))
}

enum AppendError {
    Illegal(state::IllegalEvent),
    Store(TaskStoreError),
}

/// A new task with its first message.
fn submitted(new: &NewMessage, at: Timestamp) -> Task {
    let id = TaskId::generate();
    let context_id = new.message.context_id.clone().unwrap_or_else(ContextId::generate);
    let message =
        Message { task_id: Some(id.clone()), context_id: Some(context_id.clone()), ..new.message.clone() };
    Task {
        id,
        context_id,
        status: TaskStatus { state: TaskState::Submitted, message: None, timestamp: at },
        artifacts: Vec::new(),
        history: vec![message],
        metadata: new.metadata.clone(),
    }
}

fn key_of(new: &NewMessage) -> Option<IdempotencyKey> {
    let key = new.idempotency_key.as_ref()?;
    Some(IdempotencyKey { key: key.clone(), request: digest(new) })
}

/// Tells a repeated message from another one.
fn digest(new: &NewMessage) -> String {
    let request = serde_json::to_vec(&(&new.message, &new.metadata)).unwrap_or_default();
    Sha256::digest(&request).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl std::fmt::Debug for TaskRunner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskRunner").field("active", &self.active()).finish_non_exhaustive()
    }
}
