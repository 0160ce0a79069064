//! ListTasks and tasks/list.

use std::sync::Arc;

use drydock::a2a::types::TaskState;
use serde_json::{Value, json};

use crate::support::{Puppet, TestAgent, v1_message};

async fn tell(agent: &TestAgent, text: &str, context: Option<&str>) -> Value {
    let mut params = v1_message(text);
    if let Some(context) = context {
        params["message"]["contextId"] = json!(context);
    }
    agent.v1("SendMessage", params).await["result"]["task"].take()
}

async fn list(agent: &TestAgent, params: Value) -> Value {
    let mut answer = agent.v1("ListTasks", params).await;
    assert!(answer["error"].is_null(), "{answer}");
    answer["result"].take()
}

fn ids(tasks: &Value) -> Vec<&Value> {
    tasks.as_array().unwrap().iter().map(|task| &task["id"]).collect()
}

#[tokio::test]
async fn an_empty_list_has_all_its_members() {
    let agent = TestAgent::scripted().await;
    let empty = json!({ "tasks": [], "nextPageToken": "", "pageSize": 50, "totalSize": 0 });
    assert_eq!(list(&agent, json!({})).await, empty);
    assert_eq!(list(&agent, Value::Null).await, empty, "params may be missing");
}

#[tokio::test]
async fn pages_go_from_the_newest_to_the_oldest_and_lose_none() {
    let agent = TestAgent::scripted().await;
    let mut expected = Vec::new();
    for number in 0..5 {
        expected.insert(0, tell(&agent, &format!("number {number}"), None).await["id"].take());
    }
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = list(&agent, json!({ "pageSize": 2, "pageToken": token })).await;
        assert_eq!((&page["totalSize"], &page["pageSize"]), (&json!(5), &json!(2)));
        seen.extend(ids(&page["tasks"]).into_iter().cloned());
        token = page["nextPageToken"].as_str().unwrap().to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_list_can_be_narrowed() {
    let agent = TestAgent::scripted().await;
    let first = tell(&agent, "hello", Some("talk")).await;
    let second = tell(&agent, "fail", Some("talk")).await;
    let third = tell(&agent, "hello", None).await;
    let in_context = list(&agent, json!({ "contextId": "talk" })).await;
    assert_eq!(ids(&in_context["tasks"]), [&second["id"], &first["id"]]);
    let failed = list(&agent, json!({ "status": "TASK_STATE_FAILED" })).await;
    assert_eq!(ids(&failed["tasks"]), [&second["id"]]);
    let both = list(&agent, json!({ "status": "TASK_STATE_FAILED", "contextId": "elsewhere" })).await;
    assert_eq!(both["totalSize"], 0);
    let since = list(&agent, json!({ "statusTimestampAfter": third["status"]["timestamp"] })).await;
    assert!(ids(&since["tasks"]).contains(&&third["id"]), "a task of just that time belongs to it");
    let later = list(&agent, json!({ "statusTimestampAfter": "2999-01-01T00:00:00Z" })).await;
    assert_eq!(later["totalSize"], 0);
}

#[tokio::test]
async fn artifacts_and_history_come_as_wished() {
    let agent = TestAgent::scripted().await;
    tell(&agent, "hello", None).await;
    let plain = &list(&agent, json!({})).await["tasks"][0];
    assert!(plain.get("artifacts").is_none(), "absent, not empty");
    assert_eq!(plain["history"].as_array().map(Vec::len), Some(1));
    let full = &list(&agent, json!({ "includeArtifacts": true, "historyLength": 0 })).await["tasks"][0];
    assert_eq!(full["artifacts"][0]["name"], "answer");
    assert!(full.get("history").is_none());
}

#[tokio::test]
async fn the_last_news_stand_first() {
    let puppet = Arc::new(Puppet::default());
    let agent = TestAgent::start(Arc::clone(&puppet) as _).await;
    let mut begun = Vec::new();
    for text in ["older", "newer"] {
        let mut params = v1_message(text);
        params["configuration"] = json!({ "returnImmediately": true });
        let id = agent.v1("SendMessage", params).await["result"]["task"]["id"].take();
        begun.push((id, puppet.next().await));
    }
    let (older, strings) = &begun[0];
    strings.status(TaskState::Working);
    // Wait until that is stored; the listing then has to show it.
    while agent.v1("GetTask", json!({ "id": older })).await["result"]["status"]["state"]
        != "TASK_STATE_WORKING"
    {}
    assert_eq!(ids(&list(&agent, json!({})).await["tasks"]), [older, &begun[1].0]);
}

#[tokio::test]
async fn the_old_dialect_lists_in_its_own_words() {
    let agent = TestAgent::scripted().await;
    tell(&agent, "fail", None).await;
    let answer = agent.v03("tasks/list", json!({ "status": "failed", "lastUpdatedAfter": 0 })).await;
    let task = &answer["result"]["tasks"][0];
    assert_eq!((&task["kind"], &task["status"]["state"]), (&json!("task"), &json!("failed")), "{answer}");
    assert_eq!((&answer["result"]["pageSize"], &answer["result"]["totalSize"]), (&json!(1), &json!(1)));
    let later = agent.v03("tasks/list", json!({ "lastUpdatedAfter": 32_503_680_000_000_i64 })).await;
    assert_eq!(later["result"]["tasks"], json!([]));
}
