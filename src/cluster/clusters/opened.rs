//! Clusters that are open, by name.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OnceCell, Semaphore};

use super::super::{Cluster, ClusterError, SNAPSHOTS_AT_ONCE};

/// Clusters that are kept open; the one that was used longest ago is closed for another.
const MAX_OPEN: usize = 64;

/// Each is opened once, whoever asks for it at the same time, and again when it has not answered.
pub(super) struct Opened<K> {
    known: Mutex<HashMap<K, Entry>>,
    /// Of all clusters together.
    snapshots: Arc<Semaphore>,
}

#[derive(Default)]
struct Entry {
    used: u64,
    cluster: Arc<OnceCell<Cluster>>,
}

impl<K> Default for Opened<K> {
    fn default() -> Self {
        Self { known: Mutex::default(), snapshots: Arc::new(Semaphore::new(SNAPSHOTS_AT_ONCE)) }
    }
}

impl<K: Hash + Eq + Clone> Opened<K> {
    /// The open cluster, or the one that this opens.
    pub(super) async fn get(
        &self,
        key: &K,
        open: impl Future<Output = Result<Cluster, ClusterError>>,
    ) -> Result<Cluster, ClusterError> {
        let cell = self.cell(key);
        let opened = cell.get_or_try_init(|| async {
            let cluster = open.await?;
            Ok(Cluster { snapshots: Arc::clone(&self.snapshots), ..cluster })
        });
        let opened = opened.await.cloned();
        if opened.is_err() {
            self.forget(key, &cell);
        }
        opened
    }

    fn cell(&self, key: &K) -> Arc<OnceCell<Cluster>> {
        let mut known = self.known();
        let next = known.values().map(|entry| entry.used).max().unwrap_or_default() + 1;
        if known.len() >= MAX_OPEN
            && !known.contains_key(key)
            && let Some(oldest) = known.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone())
        {
            known.remove(&oldest);
        }
        let entry = known.entry(key.clone()).or_default();
        entry.used = next;
        if entry.cluster.get().is_some_and(|cluster| cluster.broken.load(Ordering::Relaxed)) {
            entry.cluster = Arc::default();
        }
        Arc::clone(&entry.cluster)
    }

    /// Names that cannot be opened take no room.
    fn forget(&self, key: &K, cell: &Arc<OnceCell<Cluster>>) {
        let mut known = self.known();
        let is_same = |entry: &Entry| Arc::ptr_eq(&entry.cluster, cell) && !entry.cluster.initialized();
        if known.get(key).is_some_and(is_same) {
            known.remove(key);
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<K, Entry>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::super::super::Bundle;
    use super::*;

    #[derive(Default)]
    struct Counted {
        opened: Opened<usize>,
        openings: AtomicUsize,
    }

    impl Counted {
        async fn get(&self, key: usize) -> Cluster {
            let open = async {
                self.openings.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                Ok(Cluster::from_bundle(Bundle::from_files("x", Vec::<(String, &[u8])>::new())))
            };
            self.opened.get(&key, open).await.unwrap()
        }

        fn openings(&self) -> usize {
            self.openings.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn who_asks_at_the_same_time_waits_for_one_opening() {
        let clusters = Counted::default();
        let (a, b) = tokio::join!(clusters.get(1), clusters.get(1));
        assert_eq!(clusters.openings(), 1);
        assert!(Arc::ptr_eq(&a.broken, &b.broken));
    }

    #[tokio::test]
    async fn a_cluster_that_did_not_answer_is_opened_anew() {
        let clusters = Counted::default();
        clusters.get(1).await.broken.store(true, Ordering::Relaxed);
        clusters.get(1).await;
        clusters.get(1).await;
        assert_eq!(clusters.openings(), 2);
    }

    #[tokio::test]
    async fn the_one_used_longest_ago_makes_room() {
        let clusters = Counted::default();
        for key in 0..MAX_OPEN {
            clusters.get(key).await;
        }
        clusters.get(0).await;
        clusters.get(MAX_OPEN).await;
        clusters.get(0).await;
        assert_eq!(clusters.openings(), MAX_OPEN + 1);
        clusters.get(1).await;
        assert_eq!(clusters.openings(), MAX_OPEN + 2);
    }

    #[tokio::test]
    async fn what_cannot_be_opened_is_not_kept() {
        let opened = Opened::<usize>::default();
        for key in 0..2 * MAX_OPEN {
            let failing = async { Err(ClusterError::NotFound("no".to_owned())) };
            assert!(opened.get(&key, failing).await.is_err());
        }
        assert!(opened.known().is_empty());
    }
}
