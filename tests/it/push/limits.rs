//! How many configurations there may be.

use std::sync::Arc;

use drydock::a2a::PushSettings;
use drydock::tasks::PushLimits;
use serde_json::{Value, json};

use super::{agent_with, begin, ended, local, message_to};
use crate::support::script::Scripted;
use crate::support::{Receiver, TestAgent};

async fn limited(per_task: u32, per_owner: u32) -> TestAgent {
    let limits = PushLimits { per_task, per_owner };
    agent_with(Arc::new(Scripted), PushSettings { limits, ..local() }).await
}

async fn create(agent: &TestAgent, task: &str, id: &str, url: &str) -> Value {
    agent.v1("CreateTaskPushNotificationConfig", json!({ "taskId": task, "id": id, "url": url })).await
}

#[tokio::test]
async fn a_task_has_only_so_many_and_replacing_one_needs_no_room() {
    let (agent, receiver) = (limited(2, 100).await, Receiver::start().await);
    let task = begin(&agent, "hold", None).await;
    for id in ["a", "b", "b"] {
        assert_eq!(create(&agent, &task, id, &receiver.url()).await["result"]["id"], id);
    }
    let refused = create(&agent, &task, "c", &receiver.url()).await;
    assert_eq!(refused["error"]["code"], -32602, "{refused}");
    agent.v1("DeleteTaskPushNotificationConfig", json!({ "taskId": task, "id": "a" })).await;
    assert_eq!(create(&agent, &task, "c", &receiver.url()).await["result"]["id"], "c");
}

#[tokio::test]
async fn a_caller_has_only_so_many_active_ones_and_a_message_that_brings_one_more_begins_nothing() {
    let (agent, receiver) = (limited(10, 1).await, Receiver::start().await);
    let first = begin(&agent, "hold", Some(json!({ "url": receiver.url() }))).await;
    let tasks = agent.v1("ListTasks", json!({})).await["result"]["totalSize"].clone();
    let refused = agent.v1("SendMessage", message_to("hello", json!({ "url": receiver.url() }))).await;
    assert!(refused["error"]["message"].as_str().unwrap().contains("active"), "{refused}");
    assert_eq!(agent.v1("ListTasks", json!({})).await["result"]["totalSize"], tasks);
    agent.v1("CancelTask", json!({ "id": first })).await;
    ended(&agent, &first).await;
    let answer = agent.v1("SendMessage", message_to("hello", json!({ "url": receiver.url() }))).await;
    assert!(answer["result"]["task"].is_object(), "what is done does not count: {answer}");
}
