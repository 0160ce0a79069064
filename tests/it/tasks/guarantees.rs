//! Stored, then shown; a task outlives its request; one execution; idempotency; owners.

use std::sync::Arc;

use drydock::a2a::types::TaskState;
use drydock::tasks::{
    LogEntry, Owner, RunnerLimits, StartError, StoredEntry, TaskError, TaskEvent, TaskRunner, TaskStore,
    Until,
};
use futures::future::join_all;
use futures::{StreamExt, TryStreamExt};
use rstest::rstest;

use super::{Bench, me};
use crate::support::script::{Scripted, status};
use crate::support::{GatedStore, Puppet, follow_up, message, store_in};

fn numbers(entries: &[StoredEntry]) -> Vec<u64> {
    entries.iter().map(|stored| stored.sequence).collect()
}

#[tokio::test]
async fn a_subscriber_never_sees_an_event_that_is_not_stored() {
    let folder = tempfile::tempdir().unwrap();
    let store = GatedStore::new(store_in(folder.path()).await);
    let puppet = Arc::new(Puppet::default());
    let runner = TaskRunner::new(Arc::clone(&store) as _, Arc::clone(&puppet) as _, RunnerLimits::default());
    store.let_through(1);
    let mut subscription = runner.start(&me(), message("x")).await.unwrap();
    store.arrived().await;
    let strings = puppet.next().await;
    strings.status(TaskState::Working);
    store.arrived().await;
    let mut next = subscription.events.next();
    assert!(futures::poll!(&mut next).is_pending(), "the event stands before the gate and is not stored");
    store.let_through(1);
    let seen = next.await.unwrap().unwrap();
    assert_eq!(store.entries(&subscription.task.id, 1, 10).await.unwrap(), [seen]);
}

#[tokio::test]
async fn events_are_numbered_from_one_without_gaps() {
    let bench = Bench::new().await;
    let subscription = bench.runner.start(&me(), message("x")).await.unwrap();
    let strings = bench.puppet.next().await;
    strings.status(TaskState::Working);
    strings.answer(&["one", "two", "three"]);
    strings.status(TaskState::Completed);
    assert_eq!(subscription.sequence, 1);
    let live: Vec<StoredEntry> = subscription.events.try_collect().await.unwrap();
    assert_eq!(numbers(&live), [2, 3, 4, 5, 6]);
    let log = bench.store.entries(&subscription.task.id, 0, 100).await.unwrap();
    assert_eq!(numbers(&log), [1, 2, 3, 4, 5, 6]);
    assert_eq!(log[1..], live);
}

#[tokio::test]
async fn who_comes_back_with_the_last_number_loses_and_repeats_nothing() {
    let bench = Bench::new().await;
    let id = bench.runner.start(&me(), message("x")).await.unwrap().task.id;
    let strings = bench.puppet.next().await;
    strings.status(TaskState::Working);
    strings.answer(&["one", "two"]);
    let first = bench.runner.subscribe(&me(), &id, Some(0), Until::Settled).await.unwrap();
    let seen: Vec<StoredEntry> = first.events.take(4).try_collect().await.unwrap();
    assert_eq!(numbers(&seen), [1, 2, 3, 4]);
    // While it runs: one reader for every point at which a connection can break.
    let mut back = Vec::new();
    for last in 0..=4 {
        back.push((last, bench.runner.subscribe(&me(), &id, Some(last), Until::Settled).await.unwrap()));
    }
    strings.answer(&["three"]);
    strings.status(TaskState::Completed);
    for (last, subscription) in back {
        let rest: Vec<StoredEntry> = subscription.events.try_collect().await.unwrap();
        assert_eq!(numbers(&rest), (last + 1..=6).collect::<Vec<u64>>());
    }
    // After its end.
    for last in 0..=6 {
        let subscription = bench.runner.subscribe(&me(), &id, Some(last), Until::Settled).await.unwrap();
        let rest: Vec<StoredEntry> = subscription.events.try_collect().await.unwrap();
        assert_eq!(numbers(&rest), (last + 1..=6).collect::<Vec<u64>>());
    }
}

#[tokio::test]
async fn every_subscriber_of_a_task_sees_the_same_events_in_the_same_order() {
    let bench = Bench::new().await;
    let first = bench.runner.start(&me(), message("x")).await.unwrap();
    let id = first.task.id.clone();
    let strings = bench.puppet.next().await;
    let mut streams = vec![first.events];
    for _ in 0..4 {
        streams.push(bench.runner.subscribe(&me(), &id, Some(1), Until::Settled).await.unwrap().events);
    }
    strings.status(TaskState::Working);
    strings.answer(&vec!["line\n"; 200]);
    strings.status(TaskState::Completed);
    let seen = join_all(streams.into_iter().map(|events| events.try_collect::<Vec<StoredEntry>>())).await;
    let log = bench.store.entries(&id, 1, 1000).await.unwrap();
    assert_eq!(log.len(), 202);
    for entries in seen {
        assert_eq!(entries.unwrap(), log);
    }
}

#[tokio::test]
async fn a_task_outlives_the_request_that_made_it() {
    let bench = Bench::new().await;
    let subscription = bench.runner.start(&me(), message("x")).await.unwrap();
    let id = subscription.task.id.clone();
    drop(subscription);
    let strings = bench.puppet.next().await;
    strings.status(TaskState::Completed);
    strings.dropped().await;
    assert_eq!(bench.runner.get(&me(), &id).await.unwrap().status.state, TaskState::Completed);
}

#[tokio::test]
async fn a_request_that_goes_away_while_its_task_is_stored_leaves_no_task_that_nobody_executes() {
    let folder = tempfile::tempdir().unwrap();
    let store = GatedStore::new(store_in(folder.path()).await);
    let puppet = Arc::new(Puppet::default());
    let runner = TaskRunner::new(Arc::clone(&store) as _, Arc::clone(&puppet) as _, RunnerLimits::default());
    let owner = me();
    let mut request = Box::pin(runner.start(&owner, message("x")));
    assert!(futures::poll!(&mut request).is_pending());
    store.arrived().await;
    drop(request);
    store.let_through(1);
    let strings = puppet.next().await;
    assert_eq!(strings.request.message.text(), "x");
}

#[tokio::test]
async fn a_task_is_executed_by_one_at_a_time() {
    let bench = Bench::new().await;
    let id = bench.runner.start(&me(), message("x")).await.unwrap().task.id;
    let strings = bench.puppet.next().await;
    let second = bench.runner.start(&me(), follow_up(&id, "y")).await;
    assert!(matches!(second, Err(StartError::Busy(_))));
    strings.status(TaskState::InputRequired);
    strings.dropped().await;
    let owner = me();
    let answers = join_all((0..8).map(|_| bench.runner.start(&owner, follow_up(&id, "z")))).await;
    let accepted = answers.into_iter().filter(Result::is_ok).count();
    assert_eq!(accepted, 1, "one answer is taken, the others come too late");
    assert_eq!(bench.puppet.next().await.request.message.text(), "z");
    assert!(bench.puppet.is_idle().await);
}

#[tokio::test]
async fn a_repeated_follow_up_is_taken_once() {
    let bench = Bench::new().await;
    let id = bench.runner.start(&me(), message("x")).await.unwrap().task.id;
    bench.puppet.next().await.status(TaskState::InputRequired);
    bench.settled(&id).await;
    let answer = || {
        let mut answer = follow_up(&id, "y");
        answer.message.message_id = "answer".to_owned();
        answer.idempotency_key = Some("key".to_owned());
        answer
    };
    bench.runner.start(&me(), answer()).await.unwrap();
    bench.puppet.next().await.status(TaskState::InputRequired);
    bench.settled(&id).await;
    let again = bench.runner.start(&me(), answer()).await.unwrap();
    assert_eq!((again.task.id, again.task.history.len()), (id.clone(), 2), "x and y, once each");
    assert!(bench.puppet.is_idle().await, "nothing is executed a second time");
    let mut other = answer();
    other.message = follow_up(&id, "z").message;
    assert!(matches!(bench.runner.start(&me(), other).await, Err(StartError::IdempotencyMismatch)));
}

#[tokio::test]
async fn who_watches_to_the_end_sees_every_turn_and_the_others_only_theirs() {
    let bench = Bench::new().await;
    let id = bench.runner.start(&me(), message("x")).await.unwrap().task.id;
    bench.puppet.next().await.status(TaskState::InputRequired);
    bench.settled(&id).await;
    let owner = me();
    let watch = |until| bench.runner.subscribe(&owner, &id, None, until);
    let (to_the_end, again) = (watch(Until::Terminal).await.unwrap(), watch(Until::Terminal).await.unwrap());
    let this_turn: Vec<StoredEntry> =
        watch(Until::Settled).await.unwrap().events.try_collect().await.unwrap();
    assert_eq!(this_turn, [], "nothing follows in this turn");
    for state in [TaskState::AuthRequired, TaskState::Completed] {
        bench.runner.start(&me(), follow_up(&id, "y")).await.unwrap();
        bench.puppet.next().await.status(state);
        bench.settled(&id).await;
    }
    let seen: Vec<StoredEntry> = to_the_end.events.try_collect().await.unwrap();
    assert_eq!(numbers(&seen), [3, 4, 5, 6]);
    let again: Vec<StoredEntry> = again.events.try_collect().await.unwrap();
    assert_eq!(seen, again);
}

#[tokio::test]
async fn who_watches_a_waiting_task_sees_that_it_is_canceled() {
    let bench = Bench::new().await;
    let id = bench.runner.start(&me(), message("x")).await.unwrap().task.id;
    bench.puppet.next().await.status(TaskState::InputRequired);
    bench.settled(&id).await;
    let mut watched = bench.runner.subscribe(&me(), &id, None, Until::Terminal).await.unwrap().events;
    let mut next = watched.next();
    assert!(futures::poll!(&mut next).is_pending(), "it waits with the task");
    bench.runner.cancel(&me(), &id).await.unwrap();
    assert_eq!(next.await.unwrap().unwrap().sequence, 3);
    assert!(watched.next().await.is_none());
}

#[tokio::test]
async fn a_follow_up_goes_on_in_the_same_task_and_context() {
    let bench = Bench::new().await;
    let task = bench.runner.start(&me(), message("x")).await.unwrap().task;
    bench.puppet.next().await.emit(status(TaskState::InputRequired, Some("Which?")));
    let asked = bench
        .runner
        .subscribe(&me(), &task.id, Some(1), Until::Settled)
        .await
        .unwrap()
        .settled()
        .await
        .unwrap();
    assert_eq!(asked.status.state, TaskState::InputRequired);
    let mut elsewhere = follow_up(&task.id, "the second");
    elsewhere.message.context_id = Some("another".into());
    let mismatch = bench.runner.start(&me(), elsewhere).await;
    assert!(matches!(mismatch, Err(StartError::ContextMismatch { .. })));
    let again = bench.runner.start(&me(), follow_up(&task.id, "the second")).await.unwrap();
    assert_eq!((&again.task.id, &again.task.context_id), (&task.id, &task.context_id));
    let strings = bench.puppet.next().await;
    let texts: Vec<String> = strings.request.task.history.iter().map(|message| message.text()).collect();
    assert_eq!(texts, ["x", "Which?", "the second"]);
    strings.status(TaskState::Completed);
    assert_eq!(again.settled().await.unwrap().status.state, TaskState::Completed);
}

#[tokio::test]
async fn a_terminal_task_never_changes() {
    let bench = Bench::new().await;
    let subscription = bench.runner.start(&me(), message("x")).await.unwrap();
    let id = subscription.task.id.clone();
    let strings = bench.puppet.next().await;
    strings.status(TaskState::Completed);
    strings.status(TaskState::Failed);
    let ended = subscription.settled().await.unwrap();
    let late = bench.runner.start(&me(), follow_up(&id, "one more thing")).await;
    assert!(matches!(late, Err(StartError::TaskTerminal { state: TaskState::Completed, .. })));
    let cancel = bench.runner.cancel(&me(), &id).await;
    assert!(matches!(cancel, Err(TaskError::NotCancelable { state: TaskState::Completed, .. })));
    assert_eq!(bench.runner.get(&me(), &id).await.unwrap(), ended);
}

#[tokio::test]
async fn the_same_idempotency_key_makes_no_second_task() {
    let bench = Bench::new().await;
    let mut keyed = message("x");
    keyed.idempotency_key = Some("k".to_owned());
    let owner = me();
    let starts = (0..8).map(|_| bench.runner.start(&owner, keyed.clone()));
    let ids: Vec<_> = join_all(starts).await.into_iter().map(|start| start.unwrap().task.id).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "eight requests, one task");
    let _runs = bench.puppet.next().await;
    assert!(bench.puppet.is_idle().await, "and one execution");

    let mut another = keyed.clone();
    another.message.message_id = "another".to_owned();
    let reused = bench.runner.start(&me(), another).await;
    assert!(matches!(reused, Err(StartError::IdempotencyMismatch)));

    let theirs = bench.runner.start(&Owner("you".to_owned()), keyed).await.unwrap();
    assert_ne!(theirs.task.id, ids[0], "keys count per owner");
}

#[tokio::test]
async fn a_message_id_alone_is_no_key() {
    let bench = Bench::new().await;
    let first = bench.runner.start(&me(), message("x")).await.unwrap();
    let mut same = message("x");
    same.message.message_id = first.task.history[0].message_id.clone();
    assert_ne!(bench.runner.start(&me(), same).await.unwrap().task.id, first.task.id);
}

#[tokio::test]
async fn a_caller_sees_only_its_own_tasks() {
    let bench = Bench::new().await;
    let id = bench.runner.start(&me(), message("x")).await.unwrap().task.id;
    let strings = bench.puppet.next().await;
    let you = Owner("you".to_owned());
    assert!(matches!(bench.runner.get(&you, &id).await, Err(TaskError::NotFound(_))));
    assert!(matches!(
        bench.runner.subscribe(&you, &id, None, Until::Settled).await,
        Err(TaskError::NotFound(_))
    ));
    assert!(matches!(bench.runner.cancel(&you, &id).await, Err(TaskError::NotFound(_))));
    strings.status(TaskState::InputRequired);
    strings.dropped().await;
    let intruder = bench.runner.start(&you, follow_up(&id, "y")).await;
    assert!(matches!(intruder, Err(StartError::TaskNotFound(_))));
}

#[tokio::test]
async fn too_many_waiting_tasks_are_refused_and_can_still_be_canceled() {
    let limits = RunnerLimits { max_concurrent: 1, max_waiting: 1, ..RunnerLimits::default() };
    let bench = Bench::with_limits(limits).await;
    bench.runner.start(&me(), message("runs")).await.unwrap();
    let _runs = bench.puppet.next().await;
    let waiting = bench.runner.start(&me(), message("waits")).await.unwrap();
    assert!(matches!(bench.runner.start(&me(), message("too many")).await, Err(StartError::Overloaded)));
    let canceled = bench.runner.cancel(&me(), &waiting.task.id).await.unwrap();
    assert_eq!(canceled.status.state, TaskState::Canceled);
    assert!(bench.puppet.is_idle().await, "what never had its turn was never executed");
}

#[rstest]
#[case::completes("hello", TaskState::Completed)]
#[case::fails("fail", TaskState::Failed)]
#[case::rejects("reject", TaskState::Rejected)]
#[case::asks("ask", TaskState::InputRequired)]
#[tokio::test]
async fn a_stream_ends_where_its_task_ends_or_waits(#[case] text: &str, #[case] state: TaskState) {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(store_in(folder.path()).await);
    let runner = TaskRunner::new(store, Arc::new(Scripted), RunnerLimits::default());
    let subscription = runner.start(&me(), message(text)).await.unwrap();
    let entries: Vec<StoredEntry> = subscription.events.try_collect().await.unwrap();
    let last = entries.last().map(|stored| &stored.entry);
    assert!(matches!(last, Some(LogEntry::Update(TaskEvent::Status { state: last, .. })) if *last == state));
}
