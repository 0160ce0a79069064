//! What survives the process.

use std::sync::Arc;

use drydock::a2a::types::TaskState;
use drydock::tasks::PushState;
use futures::future::join_all;
use serde_json::json;

use super::{agent_with, begin, ended, local, message_to, resumed, scripted};
use crate::support::process::{Server, bundle, serve};
use crate::support::script::Scripted;
use crate::support::{GatedCluster, Notification, Puppet, Receiver, Reply, json_of, rpc_to};

/// The numbers of what was taken, each once and in the order in which they came first.
fn taken(seen: &[Notification]) -> Vec<u64> {
    let mut numbers: Vec<u64> = seen.iter().filter(|n| n.was_taken()).map(Notification::sequence).collect();
    numbers.dedup();
    numbers
}

#[tokio::test]
async fn a_restart_delivers_what_was_left() {
    let receiver = Receiver::start().await;
    let puppet = Arc::new(Puppet::default());
    let agent = agent_with(Arc::clone(&puppet) as _, local()).await;
    let task = begin(&agent, "x", Some(json!({ "url": receiver.url() }))).await;
    let strings = puppet.next().await;
    strings.status(TaskState::Working);
    receiver.take(2).await;
    receiver.reply([Reply::Hang]);
    strings.answer(&["one"]);
    assert_eq!(receiver.next().await.sequence(), 3);
    strings.status(TaskState::Completed);
    let folder = agent.stop().await;
    let agent = resumed(folder, Arc::new(Scripted)).await;
    let seen = receiver.take_to_the_end().await;
    assert_eq!(taken(&seen), [3, 4]);
    assert_eq!(seen[0].header("drydock-notification-id"), Some(format!("{task}/3").as_str()));
    assert_eq!(ended(&agent, &task).await.progress.state, PushState::Done);
}

#[tokio::test]
async fn what_was_given_up_stays_given_up_and_what_is_done_stays_done() {
    let receiver = Receiver::answering([Reply::Status(410)]).await;
    let agent = scripted().await;
    let dead = begin(&agent, "hello", Some(json!({ "url": receiver.url() }))).await;
    assert_eq!(ended(&agent, &dead).await.progress.state, PushState::Dead);
    receiver.take(1).await;
    let done = begin(&agent, "hello", Some(json!({ "url": receiver.url() }))).await;
    receiver.take(6).await;
    assert_eq!(ended(&agent, &done).await.progress.state, PushState::Done);
    let agent = resumed(agent.stop().await, Arc::new(Scripted)).await;
    let later = agent.v1("SendMessage", message_to("hello", json!({ "url": receiver.url() }))).await;
    let seen = receiver.take(6).await;
    assert!(
        seen.iter().all(|n| n.body().to_string().contains(later["result"]["task"]["id"].as_str().unwrap()))
    );
    assert_eq!(ended(&agent, &dead).await.progress.state, PushState::Dead);
}

#[tokio::test]
async fn a_message_that_is_repeated_under_its_key_makes_one_configuration() {
    let (agent, receiver) = (scripted().await, Receiver::start().await);
    let send = || {
        let request =
            agent.rpc(Some("1.0"), "SendMessage", message_to("hello", json!({ "url": receiver.url() })));
        json_of(request.header("Idempotency-Key", "k"))
    };
    let (first, second) = (send().await, send().await);
    let task = first["result"]["task"]["id"].as_str().unwrap();
    assert_eq!(second["result"]["task"]["id"], task);
    ended(&agent, task).await;
    let seen = receiver.take_to_the_end().await;
    assert_eq!(taken(&seen), [1, 2, 3, 4, 5, 6]);
}

/// How many tasks there are.
const TASKS: usize = 4;

#[tokio::test]
async fn a_process_killed_at_any_instant_loses_no_notification() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = GatedCluster::serve(&bundle("broken")).await;
    let (kubeconfig, data) = (cluster.kubeconfig(folder.path()), folder.path().join("data"));
    let start = |port: String| {
        let command = serve(&kubeconfig, &data, &port, &["--push-allow", "127.0.0.1"]);
        async { tokio::task::spawn_blocking(|| Server::start(command)).await.unwrap() }
    };
    let server = start("0".to_owned()).await;
    let http = reqwest::Client::new();
    let receivers = join_all((0..TASKS).map(|_| Receiver::start())).await;
    for receiver in &receivers {
        let mut params = message_to("Is anything wrong?", json!({ "url": receiver.url() }));
        params["configuration"]["returnImmediately"] = json!(true);
        json_of(rpc_to(&http, &server.url, Some("1.0"), "SendMessage", params)).await;
    }
    let mut seen = join_all(receivers.iter().map(|receiver| receiver.take(3))).await;
    let port = server.port();
    server.kill();
    cluster.open();
    let _server = start(port).await;
    for (receiver, seen) in receivers.iter().zip(&mut seen) {
        seen.extend(receiver.take_to_the_end().await);
        let numbers = taken(seen);
        let expected: Vec<u64> = (1..=numbers.len() as u64).collect();
        assert_eq!(numbers, expected, "none is lost, and a repeat comes in its place");
        assert_eq!(seen.last().unwrap().state().as_deref(), Some("TASK_STATE_COMPLETED"));
    }
}
