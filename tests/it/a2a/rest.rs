//! HTTP+JSON: the same methods, with HTTP's own words.

use std::sync::Arc;

use drydock::a2a::types::TaskState;
use eventsource_stream::Eventsource;
use futures::StreamExt;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Puppet, TestAgent, v1_message};

/// A request of 1.0 below the prefix.
fn rest(agent: &TestAgent, method: Method, path: &str) -> reqwest::RequestBuilder {
    agent.request(method, &format!("rest/{path}")).header("A2A-Version", "1.0")
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let media_type = if response.status().is_success() { "application/a2a+json" } else { "application/json" };
    assert_eq!(response.headers()["content-type"], media_type);
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn send(agent: &TestAgent, params: Value) -> Value {
    let (status, sent) = answer(rest(agent, Method::POST, "message:send").json(&params)).await;
    assert_eq!(status, 200, "{sent}");
    sent["task"].clone()
}

#[tokio::test]
async fn a_message_is_answered_with_the_finished_task_which_can_be_read_and_listed() {
    let agent = TestAgent::scripted().await;
    let task = send(&agent, v1_message("hello")).await;
    assert_eq!(task["status"]["state"], "TASK_STATE_COMPLETED");
    assert_eq!(task["artifacts"][0]["parts"][0]["text"], "You said: hello\n");
    let id = task["id"].as_str().unwrap();
    let read = answer(rest(&agent, Method::GET, &format!("tasks/{id}"))).await;
    assert_eq!(read, (200, task.clone()), "the task itself, without a wrapper");
    let short = answer(rest(&agent, Method::GET, &format!("tasks/{id}?historyLength=0"))).await;
    assert!(short.1.get("history").is_none());
    let (_, list) = answer(rest(&agent, Method::GET, "tasks?includeArtifacts=true&pageSize=5")).await;
    assert_eq!(list, json!({ "tasks": [task], "nextPageToken": "", "pageSize": 5, "totalSize": 1 }));
}

#[tokio::test]
async fn both_bindings_say_the_same() {
    let agent = TestAgent::scripted().await;
    let id = send(&agent, v1_message("hello")).await["id"].clone();
    let by_rpc = agent.v1("GetTask", json!({ "id": id })).await["result"].take();
    let by_rest = answer(rest(&agent, Method::GET, &format!("tasks/{}", id.as_str().unwrap()))).await.1;
    assert_eq!(by_rpc, by_rest);
    let by_rpc = agent.v1("ListTasks", json!({})).await["result"].take();
    assert_eq!(by_rpc, answer(rest(&agent, Method::GET, "tasks")).await.1);
}

async fn events(request: reqwest::RequestBuilder) -> Vec<Value> {
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let events = response.bytes_stream().eventsource();
    events.map(|event| serde_json::from_str(&event.unwrap().data).unwrap()).collect().await
}

#[tokio::test]
async fn a_stream_has_the_bare_events() {
    let agent = TestAgent::scripted().await;
    let events = events(rest(&agent, Method::POST, "message:stream").json(&v1_message("hello"))).await;
    assert_eq!(events[0]["task"]["status"]["state"], "TASK_STATE_SUBMITTED");
    assert_eq!(events[1]["statusUpdate"]["status"]["state"], "TASK_STATE_WORKING");
    assert_eq!(events[2]["artifactUpdate"]["artifact"]["parts"][0]["text"], "You said: ");
    let last = events.last().unwrap();
    assert_eq!(last["statusUpdate"]["status"]["state"], "TASK_STATE_COMPLETED");
}

#[rstest]
#[case::by_post(Method::POST)]
#[case::by_get(Method::GET)]
#[tokio::test]
async fn a_running_task_can_be_watched_and_canceled(#[case] method: Method) {
    let puppet = Arc::new(Puppet::default());
    let agent = TestAgent::start(Arc::clone(&puppet) as _).await;
    let mut params = v1_message("x");
    params["configuration"] = json!({ "returnImmediately": true });
    let id = send(&agent, params).await["id"].as_str().unwrap().to_owned();
    let strings = puppet.next().await;
    strings.status(TaskState::Working);
    let watched = tokio::spawn(events(rest(&agent, method, &format!("tasks/{id}:subscribe"))));
    let (status, canceled) = answer(rest(&agent, Method::POST, &format!("tasks/{id}:cancel"))).await;
    assert_eq!((status, &canceled["status"]["state"]), (200, &json!("TASK_STATE_CANCELED")));
    let watched = watched.await.unwrap();
    assert_eq!(watched.last().unwrap()["statusUpdate"]["status"]["state"], "TASK_STATE_CANCELED");
}

#[rstest]
#[case::unknown_task(Method::GET, "tasks/x", None, 404, "NOT_FOUND", Some("TASK_NOT_FOUND"))]
#[case::cancel_of_an_unknown_task(
    Method::POST,
    "tasks/x:cancel",
    None,
    404,
    "NOT_FOUND",
    Some("TASK_NOT_FOUND")
)]
#[case::watching_an_unknown_task(
    Method::GET,
    "tasks/x:subscribe",
    None,
    404,
    "NOT_FOUND",
    Some("TASK_NOT_FOUND")
)]
#[case::a_negative_history(Method::GET, "tasks/x?historyLength=-1", None, 400, "INVALID_ARGUMENT", None)]
#[case::too_large_a_page(Method::GET, "tasks?pageSize=1000", None, 400, "INVALID_ARGUMENT", None)]
#[case::no_message(Method::POST, "message:send", Some("{}"), 400, "INVALID_ARGUMENT", None)]
#[case::no_message_to_stream(Method::POST, "message:stream", Some("{}"), 400, "INVALID_ARGUMENT", None)]
#[case::no_body(Method::POST, "message:send", Some(""), 400, "INVALID_ARGUMENT", None)]
#[case::no_json(Method::POST, "message:send", Some("{"), 400, "INVALID_ARGUMENT", None)]
#[case::no_object(Method::POST, "message:send", Some("[]"), 400, "INVALID_ARGUMENT", None)]
#[case::a_file(
    Method::POST,
    "message:send",
    Some(r#"{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"url":"https://x/y"}]}}"#),
    400,
    "INVALID_ARGUMENT",
    Some("CONTENT_TYPE_NOT_SUPPORTED")
)]
#[case::no_extended_card(
    Method::GET,
    "extendedAgentCard",
    None,
    400,
    "FAILED_PRECONDITION",
    Some("UNSUPPORTED_OPERATION")
)]
#[case::no_such_path(Method::GET, "frobnicate", None, 404, "NOT_FOUND", None)]
#[tokio::test]
async fn an_error_is_a_status_of_google_rpc(
    #[case] method: Method,
    #[case] path: &str,
    #[case] body: Option<&'static str>,
    #[case] status: u16,
    #[case] name: &str,
    #[case] reason: Option<&str>,
) {
    let agent = TestAgent::scripted().await;
    let mut request = rest(&agent, method, path);
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body);
    }
    let (got, error) = answer(request).await;
    let error = &error["error"];
    assert_eq!((got, &error["code"], &error["status"]), (status, &json!(status), &json!(name)), "{error}");
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()));
    assert_eq!(error["details"][0]["reason"].as_str(), reason);
}

#[tokio::test]
async fn a_task_that_has_ended_is_neither_canceled_nor_watched() {
    let agent = TestAgent::scripted().await;
    let task = send(&agent, v1_message("hello")).await;
    let id = task["id"].as_str().unwrap();
    for (path, reason) in [("cancel", "TASK_NOT_CANCELABLE"), ("subscribe", "UNSUPPORTED_OPERATION")] {
        let (status, error) = answer(rest(&agent, Method::POST, &format!("tasks/{id}:{path}"))).await;
        assert_eq!((status, &error["error"]["details"][0]["reason"]), (400, &json!(reason)));
    }
}

#[rstest]
#[case::none(None)]
#[case::the_old_one(Some("0.3"))]
#[case::a_later_one(Some("1.7"))]
#[tokio::test]
async fn only_1_0_is_spoken_here(#[case] version: Option<&str>) {
    let agent = TestAgent::scripted().await;
    let mut request = agent.request(Method::GET, "rest/tasks");
    if let Some(version) = version {
        request = request.header("A2A-Version", version);
    }
    let (status, error) = answer(request).await;
    let detail = &error["error"]["details"][0];
    assert_eq!((status, &detail["reason"]), (400, &json!("VERSION_NOT_SUPPORTED")));
    assert!(detail["metadata"]["supportedVersions"].is_string());
}

#[tokio::test]
async fn the_version_may_stand_in_the_query() {
    let agent = TestAgent::scripted().await;
    let (status, _) = answer(agent.request(Method::GET, "rest/tasks?A2A-Version=1.0")).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_body_of_another_media_type_is_not_read() {
    let agent = TestAgent::scripted().await;
    let body = v1_message("hello").to_string();
    let request = rest(&agent, Method::POST, "message:send").header("content-type", "text/plain").body(body);
    let (status, error) = answer(request).await;
    assert_eq!(
        (status, &error["error"]["details"][0]["reason"]),
        (400, &json!("CONTENT_TYPE_NOT_SUPPORTED"))
    );
}

#[tokio::test]
async fn a_wrong_http_method_is_told_the_right_one() {
    let agent = TestAgent::scripted().await;
    let response = rest(&agent, Method::GET, "message:send").send().await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["allow"]), (405, &"POST".parse().unwrap()));
}
