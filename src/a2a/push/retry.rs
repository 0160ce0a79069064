//! What follows from an attempt: the next entry, another attempt later, or the end. Pure.

use std::time::Duration;

use jiff::SignedDuration;

use crate::a2a::types::Timestamp;
use crate::tasks::{PushProgress, PushState};

/// How often and how long a delivery is tried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Longest pause after the first failure; it doubles with each further one. The pause itself is chosen by chance
    /// between nothing and that, so that those who failed together do not come back together.
    pub first_pause: Duration,
    /// What the longest pause grows to, and the most that a receiver can ask for with `Retry-After`.
    pub longest_pause: Duration,
    /// Attempts in a row after which a configuration is given up.
    pub max_attempts: u32,
    /// The same for refusals (4xx), which trying again seldom cures.
    pub max_refusals: u32,
    /// Time since the first failure after which a configuration is given up.
    pub max_age: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(3600),
            max_attempts: 16,
            max_refusals: 3,
            max_age: Duration::from_secs(24 * 3600),
        }
    }
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// 2xx.
    Delivered,
    /// The receiver does not want it; why, in our words.
    Refused(String),
    /// It may go better later.
    Failed {
        /// Why, in our words.
        reason: String,
        /// The receiver's wish.
        retry_after: Option<Duration>,
    },
    /// It will never be otherwise (410 Gone, a forbidden address).
    Hopeless(String),
}

impl RetryPolicy {
    /// How things stand after an attempt to deliver entry `sequence`, the last one of its task where `is_last`.
    /// `chance` is in 0..1.
    pub(super) fn after(
        &self,
        progress: &PushProgress,
        (sequence, is_last): (u64, bool),
        answer: Answer,
        now: Timestamp,
        chance: f64,
    ) -> PushProgress {
        match answer {
            Answer::Delivered => PushProgress {
                state: if is_last { PushState::Done } else { PushState::Active },
                ..PushProgress::after(sequence)
            },
            Answer::Hopeless(reason) => {
                PushProgress { state: PushState::Dead, ..failed(progress, reason, now) }
            }
            Answer::Refused(reason) => {
                let refusals = progress.refusals.saturating_add(1);
                self.again(PushProgress { refusals, ..failed(progress, reason, now) }, None, now, chance)
            }
            Answer::Failed { reason, retry_after } => {
                self.again(failed(progress, reason, now), retry_after, now, chance)
            }
        }
    }

    fn again(
        &self,
        failed: PushProgress,
        retry_after: Option<Duration>,
        now: Timestamp,
        chance: f64,
    ) -> PushProgress {
        let age = failed.failing_since.map_or(Duration::ZERO, |since| between(since, now));
        let is_spent = failed.attempts >= self.max_attempts
            || failed.refusals >= self.max_refusals
            || age >= self.max_age;
        if is_spent {
            return PushProgress { state: PushState::Dead, ..failed };
        }
        let pause = self.pause(failed.attempts, retry_after, chance);
        PushProgress { next_attempt_at: Some(later(now, pause)), ..failed }
    }

    fn pause(&self, attempts: u32, retry_after: Option<Duration>, chance: f64) -> Duration {
        let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
        let longest = self.first_pause.saturating_mul(doubled).min(self.longest_pause);
        let wish = retry_after.unwrap_or_default().min(self.longest_pause);
        longest.mul_f64(chance.clamp(0.0, 1.0)).max(wish)
    }
}

fn failed(progress: &PushProgress, reason: String, now: Timestamp) -> PushProgress {
    PushProgress {
        attempts: progress.attempts.saturating_add(1),
        failing_since: progress.failing_since.or(Some(now)),
        next_attempt_at: None,
        last_error: Some(reason),
        ..progress.clone()
    }
}

/// How long it is from one time to another; nothing where the other comes first.
pub(super) fn between(from: Timestamp, to: Timestamp) -> Duration {
    jiff::Timestamp::from(to).duration_since(from.into()).try_into().unwrap_or_default()
}

fn later(now: Timestamp, pause: Duration) -> Timestamp {
    let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::ZERO);
    jiff::Timestamp::from(now).checked_add(pause).unwrap_or(jiff::Timestamp::MAX).into()
}

/// The value of `Retry-After`: seconds, or a date.
pub(super) fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?;
    Some(between(now, date.timestamp().into()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const POLICY: RetryPolicy = RetryPolicy {
        first_pause: Duration::from_secs(1),
        longest_pause: Duration::from_secs(60),
        max_attempts: 12,
        max_refusals: 3,
        max_age: Duration::from_secs(3600),
    };

    fn at(seconds: i64) -> Timestamp {
        jiff::Timestamp::from_second(1_800_000_000 + seconds).unwrap().into()
    }

    fn down() -> Answer {
        Answer::Failed { reason: "down".to_owned(), retry_after: None }
    }

    /// Fails at the times when it is due until it is given up; returns the pauses.
    fn pauses(answer: &Answer, chance: f64) -> (Vec<u64>, PushProgress) {
        let (mut progress, mut now, mut pauses) = (PushProgress::after(3), at(0), Vec::new());
        loop {
            progress = POLICY.after(&progress, (4, false), answer.clone(), now, chance);
            let Some(next) = progress.next_attempt_at else { return (pauses, progress) };
            pauses.push(between(now, next).as_secs());
            now = next;
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest_until_the_attempts_are_spent() {
        let (pauses, end) = pauses(&down(), 1.0);
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60]);
        assert_eq!((end.state, end.attempts, end.cursor), (PushState::Dead, 12, 3));
        assert_eq!(end.last_error.as_deref(), Some("down"));
    }

    #[test]
    fn a_pause_is_anything_up_to_the_longest() {
        assert_eq!(POLICY.pause(6, None, 0.0), Duration::ZERO);
        assert_eq!(POLICY.pause(6, None, 0.5), Duration::from_secs(16));
    }

    #[test]
    fn refusals_have_less_patience_and_failures_in_between_do_not_reset_them() {
        let refused = Answer::Refused("404".to_owned());
        assert_eq!(pauses(&refused, 1.0).0.len(), 2);
        let mut progress = PushProgress::after(3);
        for answer in [refused.clone(), down(), down(), refused.clone(), down()] {
            progress = POLICY.after(&progress, (4, false), answer, at(0), 1.0);
            assert_eq!(progress.state, PushState::Active);
        }
        progress = POLICY.after(&progress, (4, false), refused, at(0), 1.0);
        assert_eq!(progress.state, PushState::Dead);
    }

    #[test]
    fn an_old_failure_is_given_up_whatever_the_attempts() {
        let first = POLICY.after(&PushProgress::after(0), (1, false), down(), at(0), 1.0);
        assert_eq!(POLICY.after(&first, (1, false), down(), at(3599), 1.0).state, PushState::Active);
        assert_eq!(POLICY.after(&first, (1, false), down(), at(3600), 1.0).state, PushState::Dead);
    }

    #[test]
    fn what_is_hopeless_ends_at_once() {
        let end =
            POLICY.after(&PushProgress::after(0), (1, false), Answer::Hopeless("gone".into()), at(0), 1.0);
        assert_eq!((end.state, end.last_error.as_deref()), (PushState::Dead, Some("gone")));
    }

    #[test]
    fn a_success_moves_on_and_forgets_the_failures() {
        let failed = POLICY.after(&PushProgress::after(3), (4, false), down(), at(0), 1.0);
        assert_eq!(POLICY.after(&failed, (4, false), Answer::Delivered, at(1), 1.0), PushProgress::after(4));
        let last = POLICY.after(&failed, (4, true), Answer::Delivered, at(1), 1.0);
        assert_eq!((last.cursor, last.state), (4, PushState::Done));
    }

    #[rstest]
    #[case::longer_than_ours(30, 30)]
    #[case::shorter_than_ours(0, 1)]
    #[case::too_long(86_400, 60)]
    fn the_receivers_wish_counts_within_bounds(#[case] wish: u64, #[case] pause: u64) {
        let answer = Answer::Failed { reason: String::new(), retry_after: Some(Duration::from_secs(wish)) };
        let progress = POLICY.after(&PushProgress::after(0), (1, false), answer, at(0), 1.0);
        assert_eq!(progress.next_attempt_at, Some(at(i64::try_from(pause).unwrap())));
    }

    #[rstest]
    #[case("120", Some(120))]
    #[case(" 0 ", Some(0))]
    #[case("Fri, 15 Jan 2027 08:01:00 GMT", Some(60))]
    #[case("Fri, 15 Jan 2027 07:00:00 GMT", Some(0))]
    #[case("soon", None)]
    #[case("-5", None)]
    #[case("99999999999999999999999", None)]
    fn retry_after_is_seconds_or_a_date(#[case] value: &str, #[case] seconds: Option<u64>) {
        assert_eq!(retry_after(value, at(0)), seconds.map(Duration::from_secs));
    }
}
