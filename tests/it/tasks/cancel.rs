//! Cancel: while it works, waits, asks, ends, or does not listen.

use std::sync::Arc;
use std::time::Duration;

use drydock::a2a::types::TaskState;
use drydock::tasks::{RunnerLimits, StoredEntry, TaskError, TaskRunner};
use futures::TryStreamExt;
use futures::future::join_all;

use super::{Bench, me};
use crate::support::script::Scripted;
use crate::support::{follow_up, message, store_in};

#[tokio::test]
async fn cancel_during_work_ends_canceled_and_drops_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(store_in(folder.path()).await);
    let runner = TaskRunner::new(store, Arc::new(Scripted), RunnerLimits::default());
    let subscription = runner.start(&me(), message("hold")).await.unwrap();
    let id = subscription.task.id.clone();
    let canceled = runner.cancel(&me(), &id).await.unwrap();
    assert_eq!(canceled.status.state, TaskState::Canceled);
    assert_eq!(runner.active(), 0);
    let entries: Vec<StoredEntry> = subscription.events.try_collect().await.unwrap();
    assert_eq!(entries.last().map(|stored| stored.at), Some(canceled.status.timestamp));
}

#[tokio::test]
async fn cancels_at_the_same_time_share_one_outcome() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(store_in(folder.path()).await);
    let runner = TaskRunner::new(store, Arc::new(Scripted), RunnerLimits::default());
    let owner = me();
    for _ in 0..20 {
        let id = runner.start(&owner, message("hold")).await.unwrap().task.id;
        let outcomes = join_all((0..4).map(|_| runner.cancel(&owner, &id))).await;
        let tasks: Vec<_> = outcomes.iter().flatten().collect();
        assert!(!tasks.is_empty());
        assert!(tasks.iter().all(|task| *task == tasks[0]));
        for refused in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            assert!(matches!(refused, TaskError::NotCancelable { state: TaskState::Canceled, .. }));
        }
    }
}

#[tokio::test]
async fn a_task_that_waits_for_its_client_can_be_canceled() {
    let bench = Bench::new().await;
    let id = bench.runner.start(&me(), message("x")).await.unwrap().task.id;
    let strings = bench.puppet.next().await;
    strings.status(TaskState::InputRequired);
    strings.dropped().await;
    let canceled = bench.runner.cancel(&me(), &id).await.unwrap();
    assert_eq!(canceled.status.state, TaskState::Canceled);
    assert!(bench.runner.start(&me(), follow_up(&id, "too late")).await.is_err());
}

#[tokio::test]
async fn an_executor_that_does_not_listen_is_dropped_after_the_grace() {
    let limits = RunnerLimits { cancel_grace: Duration::from_millis(1), ..RunnerLimits::default() };
    let bench = Bench::with_limits(limits).await;
    let id = bench.runner.start(&me(), message("x")).await.unwrap().task.id;
    let strings = bench.puppet.next().await;
    strings.status(TaskState::Working);
    let canceled = bench.runner.cancel(&me(), &id).await.unwrap();
    assert_eq!(canceled.status.state, TaskState::Canceled);
    strings.dropped().await;
}

#[tokio::test]
async fn what_ends_before_the_cancel_arrives_stays_as_it_ended() {
    let bench = Bench::new().await;
    let subscription = bench.runner.start(&me(), message("x")).await.unwrap();
    let id = subscription.task.id.clone();
    let strings = bench.puppet.next().await;
    let owner = me();
    let cancel = bench.runner.cancel(&owner, &id);
    let ends = async {
        strings.request.cancellation.cancelled().await;
        strings.status(TaskState::Completed);
    };
    let (outcome, ()) = tokio::join!(cancel, ends);
    assert!(matches!(outcome, Err(TaskError::NotCancelable { state: TaskState::Completed, .. })));
    assert_eq!(subscription.settled().await.unwrap().status.state, TaskState::Completed);
}

#[tokio::test]
async fn a_full_server_can_still_cancel_what_waits_for_its_client() {
    let bench =
        Bench::with_limits(RunnerLimits { max_concurrent: 1, max_waiting: 0, ..RunnerLimits::default() })
            .await;
    let id = bench.runner.start(&me(), message("asks")).await.unwrap().task.id;
    let strings = bench.puppet.next().await;
    strings.status(TaskState::InputRequired);
    strings.dropped().await;
    bench.runner.start(&me(), message("runs")).await.unwrap();
    let _runs = bench.puppet.next().await;
    assert_eq!(bench.runner.cancel(&me(), &id).await.unwrap().status.state, TaskState::Canceled);
}
