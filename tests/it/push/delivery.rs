//! What arrives, and in which order.

use std::sync::Arc;
use std::time::Duration;

use drydock::a2a::PushSettings;
use drydock::a2a::types::TaskState;
use drydock::tasks::PushState;
use futures::StreamExt;
use rstest::rstest;
use serde_json::{Value, json};

use super::{agent_with, begin, ended, kept, local, message_to, scripted};
use crate::support::{Notification, Puppet, Receiver, Reply, frames_of, own_address, v03_message};

fn sequences(seen: &[Notification]) -> Vec<u64> {
    seen.iter().map(Notification::sequence).collect()
}

#[tokio::test]
async fn all_entries_of_a_task_arrive_in_order_from_the_first() {
    let (agent, receiver) = (scripted().await, Receiver::start().await);
    let answer = agent.v1("SendMessage", message_to("hello", json!({ "url": receiver.url() }))).await;
    let task = &answer["result"]["task"];
    let seen = receiver.take_to_the_end().await;
    assert_eq!(sequences(&seen), [1, 2, 3, 4, 5, 6]);
    let bodies: Vec<Value> = seen.iter().map(Notification::body).collect();
    assert_eq!(bodies[0]["task"]["status"]["state"], "TASK_STATE_SUBMITTED");
    assert_eq!(bodies[0]["task"]["history"][0]["parts"][0]["text"], "hello");
    assert_eq!(bodies[1]["statusUpdate"]["status"]["state"], "TASK_STATE_WORKING");
    let chunks = bodies[2..5].iter().map(|body| &body["artifactUpdate"]);
    let text: String = chunks.clone().map(|c| c["artifact"]["parts"][0]["text"].as_str().unwrap()).collect();
    assert_eq!(text, "You said: hello\n");
    assert_eq!(chunks.map(|c| c["lastChunk"] == true).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(bodies[5]["statusUpdate"]["status"]["state"], "TASK_STATE_COMPLETED");
    assert_eq!(bodies[5]["statusUpdate"]["taskId"], task["id"]);
    assert_eq!(bodies[5]["statusUpdate"]["contextId"], task["contextId"]);
    let first = &seen[0];
    assert_eq!(first.header("content-type"), Some("application/a2a+json"));
    assert_eq!(first.header("a2a-version"), Some("1.0"));
    assert_eq!(first.uri.to_string(), "/hook?key=in-the-url");
    assert_eq!(ended(&agent, task["id"].as_str().unwrap()).await.progress.state, PushState::Done);
}

#[tokio::test]
async fn what_is_pushed_is_what_a_stream_shows() {
    let (agent, receiver) = (scripted().await, Receiver::start().await);
    let request =
        agent.rpc(Some("1.0"), "SendStreamingMessage", message_to("hello", json!({ "url": receiver.url() })));
    let frames: Vec<_> = frames_of(request).await.collect().await;
    let streamed: Vec<Value> = frames.iter().map(|frame| frame.data["result"].clone()).collect();
    let pushed: Vec<Value> = receiver.take_to_the_end().await.iter().map(Notification::body).collect();
    assert_eq!(pushed, streamed);
}

#[tokio::test]
async fn a_configuration_that_is_made_later_gets_what_comes_then() {
    let (puppet, receiver) = (Arc::new(Puppet::default()), Receiver::start().await);
    let agent = agent_with(Arc::clone(&puppet) as _, local()).await;
    let task = begin(&agent, "x", None).await;
    let strings = puppet.next().await;
    strings.status(TaskState::Working);
    strings.answer(&["one"]);
    while kept_sequence(&agent, &task).await < 3 {
        tokio::task::yield_now().await;
    }
    let config = json!({ "taskId": task, "url": receiver.url() });
    agent.v1("CreateTaskPushNotificationConfig", config).await;
    strings.answer(&["two"]);
    strings.status(TaskState::Completed);
    assert_eq!(sequences(&receiver.take_to_the_end().await), [4, 5]);
}

async fn kept_sequence(agent: &crate::support::TestAgent, task: &str) -> u64 {
    let archive = drydock::tasks::TaskArchive::open(&agent.folder().join("tasks.db")).await.unwrap();
    archive.task(&task.into()).await.unwrap().sequence
}

#[rstest]
#[case::sent("message/send")]
#[case::streamed("message/stream")]
#[tokio::test]
async fn a_peer_of_0_3_gets_the_task_as_it_is(#[case] method: &str) {
    let (agent, receiver) = (scripted().await, Receiver::start().await);
    let mut params = v03_message("hello");
    params["configuration"] = json!({ "pushNotificationConfig": { "url": receiver.url(), "token": "t" } });
    agent.rpc(None, method, params).send().await.unwrap().bytes().await.unwrap();
    let seen = receiver.take_to_the_end().await;
    assert!(seen.iter().all(|n| n.body()["kind"] == "task" && n.body()["status"]["state"].is_string()));
    let numbers = sequences(&seen);
    assert!(numbers.is_sorted() && numbers.last() == Some(&6), "{numbers:?}");
    let last = seen.last().unwrap();
    assert_eq!(last.body()["status"]["state"], "completed");
    assert_eq!(
        last.body()["artifacts"][0]["parts"][0],
        json!({ "kind": "text", "text": "You said: hello\n" })
    );
    assert_eq!(last.body()["history"][0]["kind"], "message");
    assert_eq!(last.header("content-type"), Some("application/json"));
    assert_eq!(
        (last.header("a2a-version"), last.header("x-a2a-notification-token")),
        (Some("0.3"), Some("t"))
    );
}

#[tokio::test]
async fn a_receiver_that_is_down_for_a_while_gets_everything_in_order_once_it_is_back() {
    let address = (own_address(), 0).into();
    let receiver = Receiver::at(address, []).await;
    let (address, url) = (receiver.address, receiver.url());
    drop(receiver);
    let agent = scripted().await;
    let answer = agent.v1("SendMessage", message_to("hello", json!({ "url": url }))).await;
    let task = answer["result"]["task"]["id"].as_str().unwrap();
    while kept(&agent, task).await[0].progress.attempts < 3 {
        tokio::task::yield_now().await;
    }
    let failing = kept(&agent, task).await.remove(0).progress;
    assert_eq!((failing.cursor, failing.state), (0, PushState::Active));
    assert!(failing.last_error.unwrap().contains("no connection"));
    let receiver = Receiver::at(address, []).await;
    assert_eq!(sequences(&receiver.take_to_the_end().await), [1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn what_fails_is_tried_again_before_anything_else_is_sent() {
    let failures = [500, 503, 429, 408].map(Reply::Status);
    let receiver = Receiver::answering(failures).await;
    let agent = scripted().await;
    agent.v1("SendMessage", message_to("hello", json!({ "url": receiver.url() }))).await;
    let seen = receiver.take(10).await;
    assert_eq!(sequences(&seen), [1, 1, 1, 1, 1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn a_receiver_that_does_not_answer_holds_up_neither_the_task_nor_other_receivers() {
    let (slow, quick) = (Receiver::answering([Reply::Hang]).await, Receiver::start().await);
    let agent = scripted().await;
    let task = begin(&agent, "hello", Some(json!({ "url": slow.url() }))).await;
    assert_eq!(slow.next().await.answered, None);
    let other = agent.v1("SendMessage", message_to("hello", json!({ "url": quick.url() }))).await;
    assert_eq!(other["result"]["task"]["status"]["state"], "TASK_STATE_COMPLETED");
    assert_eq!(sequences(&quick.take_to_the_end().await), [1, 2, 3, 4, 5, 6]);
    let task = agent.v1("GetTask", json!({ "id": task })).await;
    assert_eq!(task["result"]["status"]["state"], "TASK_STATE_COMPLETED");
    assert!(slow.is_quiet().await, "one at a time");
}

#[tokio::test]
async fn a_receiver_that_takes_too_long_is_asked_again() {
    let receiver = Receiver::answering([Reply::Hang]).await;
    let settings = PushSettings { timeout: Duration::from_millis(200), ..local() };
    let agent = agent_with(Arc::new(crate::support::script::Scripted), settings).await;
    agent.v1("SendMessage", message_to("hello", json!({ "url": receiver.url() }))).await;
    assert_eq!(receiver.next().await.answered, None);
    assert_eq!(sequences(&receiver.take_to_the_end().await), [1, 2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn a_task_that_waits_for_its_client_goes_on_being_told_after_the_answer() {
    let (agent, receiver) = (scripted().await, Receiver::start().await);
    let answer = agent.v1("SendMessage", message_to("ask", json!({ "url": receiver.url() }))).await;
    let task = &answer["result"]["task"]["id"];
    let before = receiver.take(3).await;
    assert_eq!(before[2].state().as_deref(), Some("TASK_STATE_INPUT_REQUIRED"));
    let mut follow_up = crate::support::v1_message("shop");
    follow_up["message"]["taskId"] = task.clone();
    agent.v1("SendMessage", follow_up).await;
    let after = receiver.take_to_the_end().await;
    assert_eq!(after[0].state().as_deref(), Some("TASK_STATE_SUBMITTED"));
    assert_eq!(sequences(&after), [4, 5, 6, 7, 8, 9]);
}

#[tokio::test]
async fn the_cancel_of_a_task_that_waits_is_told() {
    let (agent, receiver) = (scripted().await, Receiver::start().await);
    let answer = agent.v1("SendMessage", message_to("ask", json!({ "url": receiver.url() }))).await;
    receiver.take(3).await;
    agent.v1("CancelTask", json!({ "id": answer["result"]["task"]["id"] })).await;
    assert_eq!(receiver.next().await.state().as_deref(), Some("TASK_STATE_CANCELED"));
}

#[tokio::test]
async fn a_configuration_with_a_follow_up_gets_what_comes_from_that_message_on() {
    let (agent, receiver) = (scripted().await, Receiver::start().await);
    let answer = agent.v1("SendMessage", crate::support::v1_message("ask")).await;
    let mut follow_up = message_to("shop", json!({ "url": receiver.url() }));
    follow_up["message"]["taskId"] = answer["result"]["task"]["id"].clone();
    agent.v1("SendMessage", follow_up).await;
    assert_eq!(sequences(&receiver.take_to_the_end().await), [4, 5, 6, 7, 8, 9]);
}

#[rstest]
#[case::gone(Reply::Status(410), 1, "410")]
#[case::not_found(Reply::Status(404), 3, "404")]
#[case::unauthorized(Reply::Status(401), 3, "401")]
#[tokio::test]
async fn a_receiver_that_does_not_want_it_is_given_up(
    #[case] reply: Reply,
    #[case] attempts: usize,
    #[case] reason: &str,
) {
    let receiver = Receiver::answering(std::iter::repeat_n(reply, 100)).await;
    let agent = scripted().await;
    let task = begin(&agent, "hello", Some(json!({ "url": receiver.url() }))).await;
    let dead = ended(&agent, &task).await.progress;
    assert_eq!((dead.state, dead.cursor), (PushState::Dead, 0));
    assert!(dead.last_error.unwrap().contains(reason));
    assert_eq!(sequences(&receiver.take(attempts).await), vec![1; attempts]);
    assert!(receiver.is_quiet().await);
}

#[tokio::test]
async fn the_same_id_replaces_and_goes_on_where_that_had_come_to() {
    let (puppet, old, new) = (Arc::new(Puppet::default()), Receiver::start().await, Receiver::start().await);
    let agent = agent_with(Arc::clone(&puppet) as _, local()).await;
    let task = begin(&agent, "x", Some(json!({ "id": "c", "url": old.url() }))).await;
    let strings = puppet.next().await;
    strings.status(TaskState::Working);
    old.take(2).await;
    old.reply([Reply::Hang]);
    strings.answer(&["one"]);
    assert_eq!(old.next().await.sequence(), 3);
    let config = json!({ "taskId": task, "id": "c", "url": new.url() });
    agent.v1("CreateTaskPushNotificationConfig", config).await;
    strings.status(TaskState::Completed);
    assert_eq!(sequences(&new.take_to_the_end().await), [3, 4], "what was not taken is sent to the new one");
    assert!(old.is_quiet().await);
}

#[tokio::test]
async fn a_configuration_that_is_deleted_gets_nothing_more() {
    let (puppet, gone, stays) =
        (Arc::new(Puppet::default()), Receiver::start().await, Receiver::start().await);
    let agent = agent_with(Arc::clone(&puppet) as _, local()).await;
    let task = begin(&agent, "x", Some(json!({ "id": "gone", "url": gone.url() }))).await;
    let config = json!({ "taskId": task, "id": "stays", "url": stays.url() });
    agent.v1("CreateTaskPushNotificationConfig", config).await;
    gone.take(1).await;
    agent.v1("DeleteTaskPushNotificationConfig", json!({ "taskId": task, "id": "gone" })).await;
    let strings = puppet.next().await;
    strings.status(TaskState::Working);
    strings.answer(&["one", "two", "three"]);
    strings.status(TaskState::Completed);
    stays.take_to_the_end().await;
    assert!(gone.is_quiet().await);
    assert_eq!(kept(&agent, &task).await.len(), 1);
}
