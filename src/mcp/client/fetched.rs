//! Something that is fetched when it is needed, once for all who need it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};

use super::failure::Failure;

type Fetching<T> = Shared<BoxFuture<'static, Result<T, Failure>>>;

/// A value that is fetched when needed. Who asks while it is being fetched gets what comes of that.
pub(super) struct Fetched<T: Clone>(Mutex<Option<Fetching<T>>>);

impl<T: Clone> Default for Fetched<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone + Send + Sync + 'static> Fetched<T> {
    /// The value, if it is there and still good; else it is fetched.
    pub(super) async fn get(
        &self,
        is_good: impl Fn(&T) -> bool,
        fetch: impl FnOnce() -> BoxFuture<'static, Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let fetching = {
            let mut slot = self.lock();
            let known = slot.take().filter(|known| match known.peek() {
                None => true,
                Some(Ok(value)) => is_good(value),
                Some(Err(_)) => false,
            });
            slot.insert(known.unwrap_or_else(|| fetch().shared())).clone()
        };
        fetching.await
    }

    /// The value, where there is one.
    pub(super) fn known(&self) -> Option<T> {
        self.lock().as_ref()?.peek()?.as_ref().ok().cloned()
    }

    /// Fetches it anew the next time.
    pub(super) fn forget(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Fetching<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
