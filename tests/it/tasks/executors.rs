//! Whatever an executor does, its task ends, and the reason tells a peer nothing of our insides.

use std::sync::Arc;

use drydock::a2a::types::TaskState;
use drydock::tasks::{AgentExecutor, ExecutionRequest, RunnerLimits, TaskEvent, TaskRunner};
use futures::stream::{self, BoxStream, StreamExt};
use rstest::rstest;

use super::me;
use crate::support::script::{chunks, status};
use crate::support::{message, store_in};

/// Does what no executor should.
struct Faulty(fn() -> BoxStream<'static, TaskEvent>);

impl AgentExecutor for Faulty {
    fn execute(&self, _: ExecutionRequest) -> BoxStream<'static, TaskEvent> {
        (self.0)()
    }
}

fn panics_at_once() -> BoxStream<'static, TaskEvent> {
    panic!("a secret of ours")
}

fn panics_later() -> BoxStream<'static, TaskEvent> {
    let panics = stream::once(async { panic!("a secret of ours") });
    stream::iter([status(TaskState::Working, None)]).chain(panics).boxed()
}

fn ends_without_a_result() -> BoxStream<'static, TaskEvent> {
    stream::iter([status(TaskState::Working, None)]).boxed()
}

fn appends_to_nothing() -> BoxStream<'static, TaskEvent> {
    let mut chunks = chunks(vec!["a".to_owned(), "b".to_owned()]);
    chunks.remove(0);
    stream::iter(chunks).chain(stream::pending()).boxed()
}

#[rstest]
#[case::panics_at_once(panics_at_once)]
#[case::panics_later(panics_later)]
#[case::ends_without_a_result(ends_without_a_result)]
#[case::appends_to_nothing(appends_to_nothing)]
#[tokio::test]
async fn a_faulty_executor_fails_its_task(#[case] executor: fn() -> BoxStream<'static, TaskEvent>) {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(store_in(folder.path()).await);
    let runner = TaskRunner::new(store, Arc::new(Faulty(executor)), RunnerLimits::default());
    let task = runner.start(&me(), message("x")).await.unwrap().settled().await.unwrap();
    assert_eq!(task.status.state, TaskState::Failed);
    let reason = task.status.message.unwrap().text();
    assert!(reason.contains("agent stopped") && !reason.contains("secret"), "{reason}");
    assert_eq!(runner.active(), 0);
}
