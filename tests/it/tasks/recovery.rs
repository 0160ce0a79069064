//! What a process leaves behind, and what the next one makes of it.

use std::time::Duration;

use drydock::a2a::types::TaskState;
use drydock::tasks::{Recovered, RunnerLimits, StartError, StoredEntry, Until};
use futures::{StreamExt, TryStreamExt};

use super::{Bench, me};
use crate::support::message;

#[tokio::test]
async fn the_next_start_takes_unfinished_tasks_up_and_its_readers_lose_nothing() {
    let bench = Bench::new().await;
    let mut subscription = bench.runner.start(&me(), message("x")).await.unwrap();
    let id = subscription.task.id.clone();
    let strings = bench.puppet.next().await;
    strings.status(TaskState::Working);
    strings.answer(&["one", "two"]);
    for _ in 0..3 {
        subscription.events.next().await.unwrap().unwrap();
    }
    drop(subscription);
    let bench = Bench::in_folder(bench.killed().await, RunnerLimits::default()).await;
    let recovered = bench.runner.recover().await.unwrap();
    assert_eq!(recovered, Recovered { resumed: 1, given_up: 0 });
    let strings = bench.puppet.next().await;
    assert_eq!(strings.request.message.text(), "x");

    // A reader that saw entry 2 gets what was stored since, although the new execution has not said anything yet.
    let mut back = bench.runner.subscribe(&me(), &id, Some(2), Until::Settled).await.unwrap();
    for number in [3, 4] {
        assert_eq!(back.events.next().await.unwrap().unwrap().sequence, number);
    }
    strings.answer(&["uno", "due"]);
    strings.status(TaskState::Completed);
    let rest: Vec<StoredEntry> = back.events.try_collect().await.unwrap();
    assert_eq!(rest.iter().map(|stored| stored.sequence).collect::<Vec<_>>(), [5, 6, 7]);
    let task = bench.runner.get(&me(), &id).await.unwrap();
    assert_eq!(task.status.state, TaskState::Completed);
    assert_eq!(task.artifacts.len(), 1, "the new answer took the place of the torn one");
}

#[tokio::test]
async fn a_task_that_is_cut_short_again_and_again_fails_with_the_reason() {
    let limits = RunnerLimits { max_attempts: 2, ..RunnerLimits::default() };
    let bench = Bench::with_limits(limits).await;
    let id = bench.runner.start(&me(), message("x")).await.unwrap().task.id;
    let _first = bench.puppet.next().await;
    let bench = Bench::in_folder(bench.killed().await, limits).await;
    assert_eq!(bench.runner.recover().await.unwrap(), Recovered { resumed: 1, given_up: 0 });
    let _second = bench.puppet.next().await;
    let bench = Bench::in_folder(bench.killed().await, limits).await;
    assert_eq!(bench.runner.recover().await.unwrap(), Recovered { resumed: 0, given_up: 1 });
    let task = bench.runner.get(&me(), &id).await.unwrap();
    assert_eq!(task.status.state, TaskState::Failed);
    assert!(task.status.message.unwrap().text().contains("stopped several times"));
}

#[tokio::test]
async fn attempts_count_from_the_last_message() {
    let limits = RunnerLimits { max_attempts: 1, ..RunnerLimits::default() };
    let bench = Bench::with_limits(limits).await;
    let id = bench.runner.start(&me(), message("x")).await.unwrap().task.id;
    let strings = bench.puppet.next().await;
    strings.status(TaskState::InputRequired);
    strings.dropped().await;
    assert_eq!(bench.store.load(&id).await.unwrap().attempts, 0);
}

#[tokio::test]
async fn a_task_that_waits_for_its_client_waits_over_a_restart() {
    let bench = Bench::new().await;
    let id = bench.runner.start(&me(), message("x")).await.unwrap().task.id;
    let strings = bench.puppet.next().await;
    strings.status(TaskState::InputRequired);
    strings.dropped().await;
    let bench = Bench::in_folder(bench.killed().await, RunnerLimits::default()).await;
    assert_eq!(bench.runner.recover().await.unwrap(), Recovered::default());
    let state = bench.runner.get(&me(), &id).await.unwrap().status.state;
    assert_eq!(state, TaskState::InputRequired);
}

#[tokio::test]
async fn a_stop_lets_running_tasks_end_and_takes_no_new_ones() {
    let bench = Bench::new().await;
    let subscription = bench.runner.start(&me(), message("x")).await.unwrap();
    let strings = bench.puppet.next().await;
    let stop = bench.runner.shutdown(Duration::from_secs(3600));
    let ends = async {
        while !matches!(bench.runner.start(&me(), message("late")).await, Err(StartError::Stopping)) {
            tokio::task::yield_now().await;
        }
        strings.status(TaskState::Completed);
    };
    tokio::join!(stop, ends);
    assert_eq!(subscription.settled().await.unwrap().status.state, TaskState::Completed);
}

#[tokio::test]
async fn what_was_canceled_before_a_stop_is_not_taken_up_again() {
    let bench =
        Bench::with_limits(RunnerLimits { cancel_grace: Duration::MAX, ..RunnerLimits::default() }).await;
    let id = bench.runner.start(&me(), message("x")).await.unwrap().task.id;
    let strings = bench.puppet.next().await;
    let owner = me();
    let cancel = bench.runner.cancel(&owner, &id);
    let stop = async {
        strings.request.cancellation.cancelled().await;
        bench.runner.shutdown(Duration::ZERO).await;
    };
    let (canceled, ()) = tokio::join!(cancel, stop);
    assert_eq!(canceled.unwrap().status.state, TaskState::Canceled);
    assert_eq!(bench.store.unfinished().await.unwrap(), []);
}
