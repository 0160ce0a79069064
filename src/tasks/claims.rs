//! Who works on which task: one execution at a time, and a bell for those who wait for the next.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::a2a::types::TaskId;

use super::errors::StartError;
use super::event::Owner;
use super::runner::RunnerLimits;

/// The tasks that are worked on.
#[derive(Default)]
pub(super) struct Claims {
    live: Mutex<HashMap<TaskId, Live>>,
    /// Who watches a task that nobody works on is woken through these.
    bells: Mutex<HashMap<TaskId, Arc<Notify>>>,
    tickets: AtomicU64,
}

/// A task that is being worked on, or waits for its turn.
#[derive(Clone)]
pub(super) struct Live {
    ticket: u64,
    owner: Owner,
    pub(super) cancellation: CancellationToken,
    pub(super) news: watch::Receiver<u64>,
}

impl Claims {
    fn live(&self) -> MutexGuard<'_, HashMap<TaskId, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bells(&self) -> MutexGuard<'_, HashMap<TaskId, Arc<Notify>>> {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to work on a task, within the limits.
    pub(super) fn claim(
        self: &Arc<Self>,
        owner: &Owner,
        id: &TaskId,
        limits: &RunnerLimits,
    ) -> Result<Claim, Taken> {
        if self.active() >= limits.max_concurrent.saturating_add(limits.max_waiting) {
            return Err(Taken::Full);
        }
        let of_owner = self.live().values().filter(|live| live.owner == *owner).count();
        if of_owner >= limits.max_per_owner {
            return Err(Taken::FullOfOwner(of_owner));
        }
        self.claim_unbounded(owner, id)
    }

    /// The right to work on a task, however many are worked on.
    pub(super) fn claim_unbounded(self: &Arc<Self>, owner: &Owner, id: &TaskId) -> Result<Claim, Taken> {
        let (news, receiver) = watch::channel(0);
        let cancellation = CancellationToken::new();
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        match self.live().entry(id.clone()) {
            Entry::Occupied(_) => return Err(Taken::Busy),
            Entry::Vacant(free) => {
                let (owner, cancellation) = (owner.clone(), cancellation.clone());
                free.insert(Live { ticket, owner, cancellation, news: receiver });
            }
        }
        if let Some(bell) = self.bells().get(id) {
            bell.notify_waiters();
        }
        Ok(Claim { claims: Arc::clone(self), id: id.clone(), ticket, cancellation, news })
    }

    /// Who works on a task.
    pub(super) fn of(&self, id: &TaskId) -> Option<Live> {
        self.live().get(id).cloned()
    }

    /// News of a task while it is worked on.
    pub(super) fn news(&self, id: &TaskId) -> Option<watch::Receiver<u64>> {
        self.live().get(id).map(|live| live.news.clone())
    }

    /// How many tasks are worked on or wait for their turn.
    pub(super) fn active(&self) -> usize {
        self.live().len()
    }

    /// Forgets a task that is no longer worked on. Done before its last entry is announced, so that who sees the end
    /// can go on at once.
    pub(super) fn release(&self, id: &TaskId, ticket: u64) {
        if let Entry::Occupied(live) = self.live().entry(id.clone())
            && live.get().ticket == ticket
        {
            live.remove();
        }
    }

    /// Rings when someone begins to work on a task.
    pub(super) fn bell(self: &Arc<Self>, id: &TaskId) -> Bell {
        let notify = Arc::clone(self.bells().entry(id.clone()).or_default());
        Bell { notify, claims: Arc::clone(self), id: id.clone() }
    }
}

/// The right to work on a task, given back when dropped.
pub(super) struct Claim {
    claims: Arc<Claims>,
    pub(super) id: TaskId,
    pub(super) ticket: u64,
    pub(super) cancellation: CancellationToken,
    pub(super) news: watch::Sender<u64>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.release(&self.id, self.ticket);
    }
}

/// Why the right to work on a task is not given.
pub(super) enum Taken {
    /// Someone has it.
    Busy,
    /// Too many are given already.
    Full,
    /// So many are given to this owner already.
    FullOfOwner(usize),
}

impl Taken {
    pub(super) fn refuse(self, id: &TaskId) -> StartError {
        match self {
            Self::Busy => StartError::Busy(id.clone()),
            Self::Full => StartError::Overloaded,
            Self::FullOfOwner(tasks) => StartError::TooManyOfOwner(tasks),
        }
    }
}

/// See [`Claims::bell`]. Taken down by the last who holds it.
pub(super) struct Bell {
    pub(super) notify: Arc<Notify>,
    claims: Arc<Claims>,
    id: TaskId,
}

impl Drop for Bell {
    fn drop(&mut self) {
        let mut bells = self.claims.bells();
        // One is held by the table and one by this bell.
        if Arc::strong_count(&self.notify) <= 2 {
            bells.remove(&self.id);
        }
    }
}
