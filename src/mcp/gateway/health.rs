//! How a target does. One that fails time after time is left alone for a while; then one request finds out if it is back,
//! and the others wait for what comes of that.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

/// Failures in a row after which a target is left alone.
const TOLERATED: u32 = 3;
/// For how long at first; twice as long with each failure after that.
const PAUSE: Duration = Duration::from_secs(2);
/// For how long at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How a target does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetHealth {
    /// Its name.
    pub name: String,
    /// What is done with requests for it.
    pub state: HealthState,
    /// Failures since it last answered.
    pub failures: u32,
    /// What the last of them was.
    pub last_failure: Option<String>,
}

/// What is done with requests for a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthState {
    /// They are passed on.
    Up,
    /// They are refused.
    Down,
    /// One was passed on to find out if it is back; the others are refused.
    Probing,
}

/// Lets requests through to a target, or not.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    last_failure: Option<String>,
    down_until: Option<Instant>,
    probing: bool,
}

impl Breaker {
    /// Lets a request through, or says how long to wait.
    pub(super) fn admit(&self) -> Result<Admitted<'_>, Duration> {
        let mut state = self.lock();
        let Some(until) = state.down_until else { return Ok(Admitted { breaker: self, is_probe: false }) };
        let left = until.saturating_duration_since(Instant::now());
        if !left.is_zero() || state.probing {
            return Err(left.max(Duration::from_secs(1)));
        }
        state.probing = true;
        Ok(Admitted { breaker: self, is_probe: true })
    }

    pub(super) fn health(&self, name: &str) -> TargetHealth {
        let state = self.lock();
        let now = match state.down_until {
            None => HealthState::Up,
            Some(_) if state.probing => HealthState::Probing,
            Some(_) => HealthState::Down,
        };
        let last_failure = state.last_failure.clone();
        TargetHealth { name: name.to_owned(), state: now, failures: state.failures, last_failure }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that was let through. Dropped without an end it says nothing about the target.
#[derive(Debug)]
pub(super) struct Admitted<'a> {
    breaker: &'a Breaker,
    is_probe: bool,
}

impl Admitted<'_> {
    /// The target answered.
    pub(super) fn answered(self) {
        *self.breaker.lock() = State::default();
    }

    /// It did not.
    pub(super) fn failed(self, failure: &str) {
        let mut state = self.breaker.lock();
        state.failures = state.failures.saturating_add(1);
        state.last_failure = Some(failure.to_owned());
        if let Some(more) = state.failures.checked_sub(TOLERATED) {
            let pause = PAUSE.saturating_mul(2_u32.saturating_pow(more)).min(LONGEST_PAUSE);
            state.down_until = Some(Instant::now() + pause);
        }
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        if self.is_probe {
            self.breaker.lock().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &Breaker, times: u32) {
        for _ in 0..times {
            breaker.admit().unwrap().failed("gone");
        }
    }

    fn state(breaker: &Breaker) -> HealthState {
        breaker.health("a").state
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_shut_it_and_an_answer_in_between_does_not() {
        let breaker = Breaker::default();
        fail(&breaker, TOLERATED - 1);
        breaker.admit().unwrap().answered();
        fail(&breaker, TOLERATED - 1);
        assert_eq!(state(&breaker), HealthState::Up);
        fail(&breaker, 1);
        assert_eq!(state(&breaker), HealthState::Down);
        assert!(breaker.admit().is_err());
        assert_eq!(breaker.health("a").last_failure.as_deref(), Some("gone"));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_while_one_request_finds_out_for_all() {
        let breaker = Breaker::default();
        fail(&breaker, TOLERATED);
        tokio::time::advance(PAUSE).await;
        let probe = breaker.admit().unwrap();
        assert_eq!(state(&breaker), HealthState::Probing);
        assert!(breaker.admit().is_err());
        probe.answered();
        assert!(breaker.admit().is_ok());
        assert_eq!(breaker.health("a").failures, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn each_probe_that_fails_makes_the_pause_longer_up_to_a_minute() {
        let breaker = Breaker::default();
        fail(&breaker, TOLERATED);
        for pause in [2, 4, 8, 16, 32, 60, 60] {
            tokio::time::advance(Duration::from_secs(pause) - Duration::from_millis(1)).await;
            assert!(breaker.admit().is_err(), "{pause} s are not over");
            tokio::time::advance(Duration::from_millis(1)).await;
            fail(&breaker, 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_is_given_up_leaves_room_for_another() {
        let breaker = Breaker::default();
        fail(&breaker, TOLERATED);
        tokio::time::advance(PAUSE).await;
        drop(breaker.admit().unwrap());
        assert!(breaker.admit().is_ok());
    }
}
