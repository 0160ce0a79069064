//! How many calls are under way at the same time: each may hold as much of a cluster in memory as it reads.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Calls of all callers.
const AT_ONCE: usize = 128;
/// Calls of one caller.
const OF_ONE: usize = 64;
/// Calls that wait for their turn.
const WAITING: usize = 1024;
/// Callers that are remembered; those without a call are forgotten beyond it.
const CALLERS: usize = 1024;

/// Turns of calls, in the order in which they came.
#[derive(Debug)]
pub(super) struct Turns {
    all: Arc<Semaphore>,
    callers: Mutex<HashMap<Arc<str>, Arc<Semaphore>>>,
    waiting: AtomicUsize,
}

/// The right to run, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _all: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
}

/// Why there is no turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoTurn {
    /// Too many calls wait already.
    #[error(
        "this server is busy, and too many calls wait for it: try again in a moment, with fewer calls at once"
    )]
    Busy,
    /// The caller does not want it any more.
    #[error("canceled")]
    Canceled,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(AT_ONCE)),
            callers: Mutex::default(),
            waiting: AtomicUsize::new(0),
        }
    }
}

impl Turns {
    /// Waits for a turn of this caller.
    pub(super) async fn take(&self, caller: &Arc<str>, canceled: &CancellationToken) -> Result<Turn, NoTurn> {
        let _waiting = Waiting::begin(&self.waiting)?;
        let own = self.own(caller);
        let turn = async {
            let own = own.acquire_owned().await.ok()?;
            Some(Turn { _own: own, _all: Arc::clone(&self.all).acquire_owned().await.ok()? })
        };
        tokio::select! {
            () = canceled.cancelled() => Err(NoTurn::Canceled),
            turn = turn => turn.ok_or(NoTurn::Busy),
        }
    }

    fn own(&self, caller: &Arc<str>) -> Arc<Semaphore> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= CALLERS {
            callers.retain(|_, turns| Arc::strong_count(turns) > 1);
        }
        let turns = callers.entry(Arc::clone(caller)).or_insert_with(|| Arc::new(Semaphore::new(OF_ONE)));
        Arc::clone(turns)
    }
}

/// One of those that wait.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(waiting: &'a AtomicUsize) -> Result<Self, NoTurn> {
        let this = Self(waiting);
        let before = waiting.fetch_add(1, Ordering::SeqCst);
        if before >= WAITING { Err(NoTurn::Busy) } else { Ok(this) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn one_caller_does_not_take_the_turns_of_others() {
        let (turns, going) = (Turns::default(), CancellationToken::new());
        let (alice, bob): (Arc<str>, Arc<str>) = ("alice".into(), "bob".into());
        let mut taken = Vec::new();
        for _ in 0..OF_ONE {
            taken.push(turns.take(&alice, &going).await.unwrap());
        }
        assert!(turns.take(&alice, &going).now_or_never().is_none(), "alice waits");
        turns.take(&bob, &going).await.unwrap();
        taken.pop();
        turns.take(&alice, &going).await.unwrap();
    }

    #[tokio::test]
    async fn who_waits_can_be_canceled_and_too_many_are_refused() {
        let turns = Turns::default();
        let (alice, going) = (Arc::from("alice"), CancellationToken::new());
        let _taken = futures::future::join_all((0..OF_ONE).map(|_| turns.take(&alice, &going))).await;
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(turns.take(&alice, &going))).collect();
        for one in &mut waiting {
            assert!(one.now_or_never().is_none());
        }
        assert_eq!(turns.take(&alice, &going).await.unwrap_err(), NoTurn::Busy);
        going.cancel();
        assert_eq!(waiting.remove(0).await.unwrap_err(), NoTurn::Canceled);
    }
}
