//! A value that is fetched when it is needed and kept for a while: keys, metadata, tokens.
//!
//! - At most one fetch at a time: who asks meanwhile waits for it. It goes on when the caller that began it is gone.
//! - Not too many fetches, whatever callers do and however often fetching fails.
//! - Before a value is old it is renewed in the background; an old value goes on being used where no new one can be
//!   had, for as long as it is good for anything.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;

use super::provider::ProviderError;

/// Fetches that may follow each other at once.
const BURST: u32 = 3;
/// After them there is one in this time.
const PAUSE: Duration = Duration::from_secs(10);

/// For how long a value is used, counted from when it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lifetime {
    /// So long nothing is done.
    pub fresh: Duration,
    /// So long it is used, and renewed in the background.
    pub renewed: Duration,
    /// So long it is used where a new one cannot be had.
    pub usable: Duration,
}

/// What a fetch brings.
pub(super) type Fetched<T> = Result<(T, Lifetime), ProviderError>;

/// Fetches a value.
pub(super) type Fetch<T> = Box<dyn Fn() -> BoxFuture<'static, Fetched<T>> + Send + Sync>;

/// A value that is fetched when needed. Clones share it.
pub(super) struct Cached<T>(Arc<Inner<T>>);

struct Inner<T> {
    fetch: Fetch<T>,
    state: Mutex<State<T>>,
}

struct State<T> {
    value: Option<Value<T>>,
    /// Why the last fetch failed.
    error: Option<ProviderError>,
    /// Its sender lives as long as a fetch runs.
    running: Option<watch::Receiver<()>>,
    allowance: Allowance,
}

struct Value<T> {
    value: Arc<T>,
    asked: Instant,
    lifetime: Lifetime,
}

impl<T> Value<T> {
    fn is_within(&self, time: Duration, now: Instant) -> bool {
        now.duration_since(self.asked) < time
    }
}

impl<T: Send + Sync + 'static> Cached<T> {
    pub(super) fn new(fetch: Fetch<T>) -> Self {
        let state =
            State { value: None, error: None, running: None, allowance: Allowance::new(Instant::now()) };
        Self(Arc::new(Inner { fetch, state: Mutex::new(state) }))
    }

    /// The value; fetched first where there is none that is still good.
    pub(super) async fn get(&self) -> Result<Arc<T>, ProviderError> {
        let running = {
            let now = Instant::now();
            let mut state = self.lock();
            match &state.value {
                Some(value) if value.is_within(value.lifetime.fresh, now) => {
                    return Ok(Arc::clone(&value.value));
                }
                Some(value) if value.is_within(value.lifetime.renewed, now) => {
                    let value = Arc::clone(&value.value);
                    self.start(&mut state, now);
                    return Ok(value);
                }
                Some(_) | None => self.start(&mut state, now),
            }
        };
        ended(running).await;
        self.usable()
    }

    /// A newer value than `known`, where one can be had now.
    pub(super) async fn newer_than(&self, known: &Arc<T>) -> Option<Arc<T>> {
        let running = {
            let mut state = self.lock();
            match &state.value {
                Some(value) if !Arc::ptr_eq(&value.value, known) => return Some(Arc::clone(&value.value)),
                Some(_) | None => self.start(&mut state, Instant::now()),
            }
        };
        ended(running).await;
        let state = self.lock();
        let value = state.value.as_ref().map(|value| &value.value);
        value.filter(|value| !Arc::ptr_eq(value, known)).cloned()
    }

    fn usable(&self) -> Result<Arc<T>, ProviderError> {
        let state = self.lock();
        match &state.value {
            Some(value) if value.is_within(value.lifetime.usable, Instant::now()) => {
                Ok(Arc::clone(&value.value))
            }
            Some(_) | None => Err(state.error.clone().unwrap_or(ProviderError::TooOften)),
        }
    }

    /// The fetch that runs, or one that begins now, unless there were too many.
    fn start(&self, state: &mut State<T>, now: Instant) -> Option<watch::Receiver<()>> {
        if let Some(running) = state.running.as_ref().filter(|running| running.has_changed().is_ok()) {
            return Some(running.clone());
        }
        if !state.allowance.take(now) {
            return None;
        }
        let (sender, running) = watch::channel(());
        state.running = Some(running.clone());
        let this = Self(Arc::clone(&self.0));
        tokio::spawn(async move {
            let fetched = (this.0.fetch)().await;
            this.keep(fetched, now);
            drop(sender);
        });
        Some(running)
    }

    fn keep(&self, fetched: Fetched<T>, asked: Instant) {
        let mut state = self.lock();
        match fetched {
            Ok((value, lifetime)) => {
                state.value = Some(Value { value: Arc::new(value), asked, lifetime });
                state.error = None;
            }
            Err(error) => state.error = Some(error),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Cached<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Waits until a fetch has ended, well or not.
async fn ended(running: Option<watch::Receiver<()>>) {
    if let Some(mut running) = running {
        while running.changed().await.is_ok() {}
    }
}

/// How many fetches may begin: a few at once, then one per [`PAUSE`].
struct Allowance {
    left: u32,
    counted: Instant,
}

impl Allowance {
    fn new(now: Instant) -> Self {
        Self { left: BURST, counted: now }
    }

    fn take(&mut self, now: Instant) -> bool {
        while self.left < BURST && now.duration_since(self.counted) >= PAUSE {
            self.left += 1;
            self.counted += PAUSE;
        }
        if self.left == BURST {
            self.counted = now;
        }
        let taken = self.left > 0;
        self.left -= u32::from(taken);
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use futures::FutureExt;
    use futures::future::join_all;
    use tokio::time::advance;

    use super::*;

    const LIFETIME: Lifetime = Lifetime {
        fresh: Duration::from_secs(100),
        renewed: Duration::from_secs(200),
        usable: Duration::from_secs(1000),
    };

    /// A source that counts: its values are 1, 2, 3…
    #[derive(Default)]
    struct Source {
        fetches: AtomicU32,
        down: AtomicBool,
    }

    impl Source {
        fn cached(self: &Arc<Self>) -> Cached<u32> {
            let this = Arc::clone(self);
            Cached::new(Box::new(move || Arc::clone(&this).fetch().boxed()))
        }

        async fn fetch(self: Arc<Self>) -> Fetched<u32> {
            let number = self.fetches.fetch_add(1, Ordering::SeqCst) + 1;
            tokio::time::sleep(Duration::from_millis(10)).await;
            match self.down.load(Ordering::SeqCst) {
                true => Err(ProviderError::TooOften),
                false => Ok((number, LIFETIME)),
            }
        }

        fn fetches(&self) -> u32 {
            self.fetches.load(Ordering::SeqCst)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn many_that_ask_at_once_cause_one_fetch() {
        let source = Arc::new(Source::default());
        let cached = source.cached();
        let values = join_all((0..100).map(|_| cached.get())).await;
        assert!(values.into_iter().all(|value| *value.unwrap() == 1));
        assert_eq!(source.fetches(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fetch_goes_on_when_who_began_it_is_gone() {
        let source = Arc::new(Source::default());
        let cached = source.cached();
        assert!(tokio::time::timeout(Duration::from_millis(1), cached.get()).await.is_err());
        assert_eq!(*cached.get().await.unwrap(), 1);
        assert_eq!(source.fetches(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_value_is_renewed_in_the_background_before_it_is_old() {
        let source = Arc::new(Source::default());
        let cached = source.cached();
        cached.get().await.unwrap();
        advance(Duration::from_secs(99)).await;
        assert_eq!((*cached.get().await.unwrap(), source.fetches()), (1, 1));
        advance(Duration::from_secs(1)).await;
        assert_eq!(*cached.get().await.unwrap(), 1, "nobody waits");
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!((*cached.get().await.unwrap(), source.fetches()), (2, 2));
        advance(Duration::from_secs(200)).await;
        assert_eq!(*cached.get().await.unwrap(), 3, "an old one is waited for");
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_value_goes_on_where_no_new_one_can_be_had_but_not_for_ever() {
        let source = Arc::new(Source::default());
        let cached = source.cached();
        cached.get().await.unwrap();
        source.down.store(true, Ordering::SeqCst);
        advance(Duration::from_secs(999)).await;
        assert_eq!(*cached.get().await.unwrap(), 1);
        advance(Duration::from_secs(1)).await;
        assert!(cached.get().await.is_err());
        source.down.store(false, Ordering::SeqCst);
        assert!(cached.get().await.is_ok(), "it comes back by itself");
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_is_down_is_not_hammered() {
        let source = Arc::new(Source { down: true.into(), ..Source::default() });
        let cached = source.cached();
        for _ in 0..100 {
            assert!(cached.get().await.is_err());
        }
        assert_eq!(source.fetches(), BURST);
        advance(PAUSE).await;
        for _ in 0..100 {
            assert!(cached.get().await.is_err());
        }
        assert_eq!(source.fetches(), BURST + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_newer_value_is_fetched_once_and_not_too_often() {
        let source = Arc::new(Source::default());
        let cached = source.cached();
        let first = cached.get().await.unwrap();
        let newer = join_all((0..10).map(|_| cached.newer_than(&first))).await;
        assert!(newer.into_iter().all(|value| value.is_some_and(|value| *value == 2)));
        assert!(cached.newer_than(&first).await.is_some(), "there is one already");
        assert_eq!(source.fetches(), 2);
        for _ in 0..100 {
            let current = cached.get().await.unwrap();
            cached.newer_than(&current).await;
        }
        assert_eq!(source.fetches(), BURST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fetch_that_panics_holds_up_nobody() {
        let cached: Cached<u32> = Cached::new(Box::new(|| async { panic!("as a test wants") }.boxed()));
        assert!(cached.get().await.is_err());
        assert!(cached.get().await.is_err());
    }
}
