//! Send, get and cancel, in both dialects.

use std::sync::Arc;

use drydock::a2a::types::TaskState;
use serde_json::{Value, json};

use crate::support::{Puppet, TestAgent, json_of, v1_message, v03_message};

/// Asserts what changes from run to run, then hides it.
fn redacted(mut value: Value) -> Value {
    match &mut value {
        Value::Object(object) => {
            for (name, member) in object.iter_mut() {
                match (name.as_str(), &member) {
                    ("id" | "taskId" | "contextId", Value::String(id)) => {
                        assert_eq!(id.len(), 36, "a UUID: {id}");
                        *member = json!(format!("[{name}]"));
                    }
                    ("timestamp", Value::String(time)) => {
                        assert!(time.len() == 24 && time.ends_with('Z'), "milliseconds and UTC: {time}");
                        *member = json!("[time]");
                    }
                    ("messageId", Value::String(id)) if id != "m-1" => *member = json!("[messageId]"),
                    _ => *member = redacted(member.take()),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = redacted(item.take())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    value
}

#[tokio::test]
async fn send_message_answers_with_the_finished_task() {
    let agent = TestAgent::scripted().await;
    let answer = agent.v1("SendMessage", v1_message("hello")).await;
    insta::assert_json_snapshot!(redacted(answer));
}

#[tokio::test]
async fn message_send_answers_with_the_finished_task_of_0_3() {
    let agent = TestAgent::scripted().await;
    let answer = agent.v03("message/send", v03_message("hello")).await;
    insta::assert_json_snapshot!(redacted(answer));
}

#[tokio::test]
async fn the_two_dialects_see_the_same_task() {
    let agent = TestAgent::scripted().await;
    let mut task = agent.v1("SendMessage", v1_message("hello")).await["result"]["task"].take();
    let id = json!({ "id": task["id"] });
    assert_eq!(agent.v1("GetTask", id.clone()).await["result"], task);
    let old = agent.v03("tasks/get", id).await["result"].take();
    assert_eq!((&old["kind"], &old["status"]["state"]), (&json!("task"), &json!("completed")));
    task = drydock::a2a::v03::task_to_v03(task);
    assert_eq!(old, task);
}

#[tokio::test]
async fn who_does_not_want_to_wait_gets_the_task_as_it_begins() {
    let puppet = Arc::new(Puppet::default());
    let agent = TestAgent::start(Arc::clone(&puppet) as _).await;
    let mut params = v1_message("x");
    params["configuration"] = json!({ "returnImmediately": true });
    let task = agent.v1("SendMessage", params).await["result"]["task"].take();
    assert_eq!(task["status"]["state"], "TASK_STATE_SUBMITTED");
    let _runs = puppet.next().await;
    let mut params = v03_message("x");
    params["configuration"] = json!({ "blocking": false });
    assert_eq!(agent.v03("message/send", params).await["result"]["status"]["state"], "submitted");
}

#[tokio::test]
async fn a_blocking_send_has_every_artifact_and_waits_for_input_no_longer_than_needed() {
    let agent = TestAgent::scripted().await;
    let big = agent.v1("SendMessage", v1_message("big 300")).await;
    let parts = &big["result"]["task"]["artifacts"][0]["parts"];
    assert_eq!(parts[0]["text"].as_str().unwrap().len(), 300 * 1024);
    let asked = agent.v1("SendMessage", v1_message("ask")).await["result"]["task"].take();
    assert_eq!(asked["status"]["state"], "TASK_STATE_INPUT_REQUIRED");
    assert_eq!(asked["status"]["message"]["parts"][0]["text"], "Which namespace?");
    let mut params = v1_message("shop");
    params["message"]["taskId"] = asked["id"].clone();
    let done = agent.v1("SendMessage", params).await["result"]["task"].take();
    assert_eq!((&done["id"], &done["contextId"]), (&asked["id"], &asked["contextId"]));
    assert_eq!(done["status"]["state"], "TASK_STATE_COMPLETED");
}

#[tokio::test]
async fn a_context_of_the_client_is_kept() {
    let agent = TestAgent::scripted().await;
    let mut params = v1_message("x");
    params["message"]["contextId"] = json!("my-conversation");
    let task = agent.v1("SendMessage", params).await["result"]["task"].take();
    assert_eq!(task["contextId"], "my-conversation");
    assert_eq!(task["history"][0]["contextId"], "my-conversation");
}

#[tokio::test]
async fn history_is_as_long_as_wanted() {
    let agent = TestAgent::scripted().await;
    let asked = agent.v1("SendMessage", v1_message("ask")).await["result"]["task"].take();
    let mut params = v1_message("shop");
    params["message"]["taskId"] = asked["id"].clone();
    params["configuration"] = json!({ "historyLength": 1 });
    let done = agent.v1("SendMessage", params).await["result"]["task"].take();
    assert_eq!(done["history"].as_array().unwrap().len(), 1);
    for (length, expected) in
        [(json!(0), 0), (json!(2), 2), (json!("3"), 3), (json!(99), 3), (Value::Null, 3)]
    {
        let task = agent.v1("GetTask", json!({ "id": asked["id"], "historyLength": length })).await;
        let history = task["result"].get("history").map_or(0, |history| history.as_array().unwrap().len());
        assert_eq!(history, expected, "historyLength {length}");
        assert_eq!(task["result"].get("history").is_none(), expected == 0, "0 omits it");
    }
}

#[tokio::test]
async fn cancel_during_work_answers_with_the_canceled_task() {
    let agent = TestAgent::scripted().await;
    for old in [false, true] {
        let mut params = v1_message("hold");
        params["configuration"] = json!({ "returnImmediately": true });
        let id = json!({ "id": agent.v1("SendMessage", params).await["result"]["task"]["id"] });
        let (answer, expected) = match old {
            false => (agent.v1("CancelTask", id.clone()).await, "TASK_STATE_CANCELED"),
            true => (agent.v03("tasks/cancel", id.clone()).await, "canceled"),
        };
        assert_eq!(answer["result"]["status"]["state"], expected, "{answer}");
        assert_eq!(agent.v1("GetTask", id).await["result"]["status"]["state"], "TASK_STATE_CANCELED");
    }
}

#[tokio::test]
async fn a_repeated_request_with_the_same_key_gets_the_same_task() {
    let agent = TestAgent::scripted().await;
    let send = || agent.rpc(Some("1.0"), "SendMessage", v1_message("x")).header("Idempotency-Key", "k");
    let (first, second) = tokio::join!(json_of(send()), json_of(send()));
    assert_eq!(first["result"]["task"]["id"], second["result"]["task"]["id"]);
    let other = agent.rpc(Some("1.0"), "SendMessage", v1_message("y")).header("Idempotency-Key", "k");
    assert_eq!(json_of(other).await["error"]["code"], -32602, "a key is for one message");
    let without = agent.v1("SendMessage", v1_message("x")).await;
    assert_ne!(without["result"]["task"]["id"], first["result"]["task"]["id"], "a messageId is no key");
}

#[tokio::test]
async fn a_closed_connection_cancels_nothing() {
    let puppet = Arc::new(Puppet::default());
    let agent = TestAgent::start(Arc::clone(&puppet) as _).await;
    let request = tokio::spawn(agent.rpc(Some("1.0"), "SendMessage", v1_message("x")).send());
    let strings = puppet.next().await;
    request.abort();
    assert!(request.await.is_err());
    strings.answer(&["still here\n"]);
    strings.status(TaskState::Completed);
    strings.dropped().await;
    let task = agent.v1("GetTask", json!({ "id": strings.request.task.id })).await;
    assert_eq!(task["result"]["status"]["state"], "TASK_STATE_COMPLETED");
}
