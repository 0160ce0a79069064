//! How many deliveries run at the same time: in all, of one owner, and of one owner to one receiver. A receiver that
//! does not answer takes up its own lane only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// Deliveries at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushConcurrency {
    /// In all.
    pub total: usize,
    /// Of one owner.
    pub per_owner: usize,
    /// Of one owner to one host and port.
    pub per_receiver: usize,
}

impl Default for PushConcurrency {
    fn default() -> Self {
        Self { total: 512, per_owner: 128, per_receiver: 8 }
    }
}

pub(super) struct Lanes {
    all: Arc<Semaphore>,
    owners: Keyed<String>,
    receivers: Keyed<(String, String)>,
}

/// The right to deliver, given back when dropped.
pub(super) struct Pass {
    _held: [OwnedSemaphorePermit; 3],
}

impl Lanes {
    pub(super) fn new(limits: PushConcurrency) -> Self {
        Self {
            all: Arc::new(Semaphore::new(limits.total.max(1))),
            owners: Keyed::new(limits.per_owner),
            receivers: Keyed::new(limits.per_receiver),
        }
    }

    /// Waits for its turn, with the narrowest lane first: who waits there holds up nobody else.
    pub(super) async fn enter(&self, owner: &str, receiver: &str) -> Result<Pass, AcquireError> {
        let receiver = self.receivers.get((owner.to_owned(), receiver.to_owned())).acquire_owned().await?;
        let owner = self.owners.get(owner.to_owned()).acquire_owned().await?;
        let all = Arc::clone(&self.all).acquire_owned().await?;
        Ok(Pass { _held: [receiver, owner, all] })
    }
}

/// A semaphore for each key that is in use.
struct Keyed<K> {
    permits: usize,
    semaphores: Mutex<HashMap<K, Weak<Semaphore>>>,
}

impl<K: std::hash::Hash + Eq> Keyed<K> {
    fn new(permits: usize) -> Self {
        Self { permits: permits.max(1), semaphores: Mutex::default() }
    }

    fn get(&self, key: K) -> Arc<Semaphore> {
        let mut semaphores = self.semaphores.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = semaphores.get(&key).and_then(Weak::upgrade) {
            return known;
        }
        if semaphores.len() == semaphores.capacity() {
            semaphores.retain(|_, semaphore| semaphore.strong_count() > 0);
        }
        let new = Arc::new(Semaphore::new(self.permits));
        semaphores.insert(key, Arc::downgrade(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn who_waits_for_one_receiver_holds_up_no_other() {
        let lanes = Lanes::new(PushConcurrency { total: 3, per_owner: 2, per_receiver: 1 });
        let enter = |owner, receiver| lanes.enter(owner, receiver).now_or_never();
        let slow = enter("me", "slow").unwrap();
        let mut waits = Box::pin(lanes.enter("me", "slow"));
        assert!(waits.as_mut().now_or_never().is_none());
        let quick = enter("me", "quick").unwrap();
        assert!(enter("me", "third").is_none(), "an owner has two");
        let other = enter("you", "slow").unwrap();
        assert!(enter("them", "x").is_none(), "there are three in all");
        drop((quick, other));
        assert!(waits.as_mut().now_or_never().is_none());
        drop(slow);
        assert!(waits.now_or_never().is_some());
    }

    #[test]
    fn lanes_that_are_not_used_are_forgotten() {
        let lanes = Lanes::new(PushConcurrency::default());
        for number in 0..10_000 {
            drop(lanes.enter("me", &number.to_string()).now_or_never().unwrap());
        }
        assert!(lanes.receivers.semaphores.lock().unwrap().len() < 100);
    }
}
