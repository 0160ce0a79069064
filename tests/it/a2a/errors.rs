//! Every refusal: the right code, the request's id, and what to do next.

use std::sync::Arc;

use drydock::a2a::types::TaskState;
use drydock::tasks::RunnerLimits;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::script::Scripted;
use crate::support::{Puppet, TestAgent, json_of, v1_message, v03_message};

const V1: Option<&str> = Some("1.0");
const NONE: Option<&str> = None;

fn code(answer: &Value) -> i64 {
    assert_eq!(answer["jsonrpc"], "2.0", "{answer}");
    assert_eq!(answer["id"], 7, "the request's id is echoed: {answer}");
    answer["error"]["code"].as_i64().unwrap_or_else(|| panic!("an error: {answer}"))
}

#[rstest]
#[case::unknown_task(V1, "GetTask", json!({ "id": "x" }), -32001)]
#[case::unknown_task_old(NONE, "tasks/get", json!({ "id": "x" }), -32001)]
#[case::cancel_unknown(V1, "CancelTask", json!({ "id": "x" }), -32001)]
#[case::cancel_unknown_old(NONE, "tasks/cancel", json!({ "id": "x" }), -32001)]
#[case::subscribe_unknown(V1, "SubscribeToTask", json!({ "id": "x" }), -32001)]
#[case::subscribe_unknown_old(NONE, "tasks/resubscribe", json!({ "id": "x" }), -32001)]
#[case::no_id(V1, "GetTask", json!({}), -32602)]
#[case::no_id_old(NONE, "tasks/get", json!({}), -32602)]
#[case::no_params(V1, "SendMessage", Value::Null, -32602)]
#[case::params_are_a_list(V1, "GetTask", json!(["x"]), -32602)]
#[case::negative_history(V1, "GetTask", json!({ "id": "x", "historyLength": -1 }), -32602)]
#[case::negative_history_old(NONE, "tasks/get", json!({ "id": "x", "historyLength": -1 }), -32602)]
#[case::no_parts(V1, "SendMessage", json!({ "message": { "messageId": "m", "role": "ROLE_USER", "parts": [] } }), -32602)]
#[case::no_parts_old(NONE, "message/send", json!({ "message": { "messageId": "m", "role": "user", "parts": [] } }), -32602)]
#[case::streaming_without_message(V1, "SendStreamingMessage", json!({}), -32602)]
#[case::push_1(V1, "CreateTaskPushNotificationConfig", json!({ "taskId": "x", "url": "https://x" }), -32003)]
#[case::push_2(V1, "GetTaskPushNotificationConfig", json!({ "taskId": "x", "id": "y" }), -32003)]
#[case::push_3(V1, "ListTaskPushNotificationConfigs", json!({ "taskId": "x" }), -32003)]
#[case::push_4(V1, "DeleteTaskPushNotificationConfig", json!({ "taskId": "x", "id": "y" }), -32003)]
#[case::push_old_1(NONE, "tasks/pushNotificationConfig/set", json!({ "taskId": "x" }), -32003)]
#[case::push_old_2(NONE, "tasks/pushNotificationConfig/get", json!({ "id": "x" }), -32003)]
#[case::push_old_3(NONE, "tasks/pushNotificationConfig/list", json!({ "id": "x" }), -32003)]
#[case::push_old_4(NONE, "tasks/pushNotificationConfig/delete", json!({ "id": "x" }), -32003)]
#[case::extended_card(V1, "GetExtendedAgentCard", Value::Null, -32004)]
#[case::extended_card_old(NONE, "agent/getAuthenticatedExtendedCard", Value::Null, -32007)]
#[case::no_such_method(V1, "Frobnicate", json!({}), -32601)]
#[case::no_such_method_old(NONE, "message/frobnicate", json!({}), -32601)]
#[case::an_old_name_in_1_0(V1, "message/send", v03_message("x"), -32601)]
#[case::a_new_name_without_version(NONE, "SendMessage", v1_message("x"), -32009)]
#[case::a_new_name_in_0_3(Some("0.3"), "SendStreamingMessage", v1_message("x"), -32009)]
#[case::an_unknown_version(Some("1.7"), "SendMessage", v1_message("x"), -32009)]
#[case::an_unknown_version_old(Some("0.2"), "message/send", v03_message("x"), -32009)]
#[tokio::test]
async fn a_refusal_has_the_right_code(
    #[case] version: Option<&str>,
    #[case] method: &str,
    #[case] params: Value,
    #[case] expected: i64,
) {
    let agent = TestAgent::scripted().await;
    let response = agent.rpc(version, method, params).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/json", "no stream for an error");
    let answer: Value = response.json().await.unwrap();
    assert_eq!(code(&answer), expected, "{answer}");
}

#[rstest]
#[case::patch_numbers_do_not_count("1.0.1", "SendMessage", v1_message("x"))]
#[case::nor_in_the_old_one("0.3.0", "message/send", v03_message("x"))]
#[case::an_empty_version_is_none("", "message/send", v03_message("x"))]
#[tokio::test]
async fn a_version_is_its_first_two_numbers(
    #[case] version: &str,
    #[case] method: &str,
    #[case] params: Value,
) {
    let agent = TestAgent::scripted().await;
    let answer = json_of(agent.rpc(Some(version), method, params)).await;
    assert!(answer["result"].is_object(), "{answer}");
}

#[tokio::test]
async fn the_version_may_stand_in_the_query() {
    let agent = TestAgent::scripted().await;
    let body = json!({ "jsonrpc": "2.0", "id": 7, "method": "SendMessage", "params": v1_message("x") });
    let request = agent.request(reqwest::Method::POST, "?A2A-Version=1.0").json(&body);
    assert!(json_of(request).await["result"]["task"].is_object());
}

#[tokio::test]
async fn an_error_of_a2a_names_its_reason_and_the_task() {
    let agent = TestAgent::scripted().await;
    let answer = agent.v1("GetTask", json!({ "id": "x" })).await;
    insta::assert_json_snapshot!(answer, @r#"
    {
      "error": {
        "code": -32001,
        "data": [
          {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "domain": "a2a-protocol.org",
            "metadata": {
              "taskId": "x"
            },
            "reason": "TASK_NOT_FOUND"
          }
        ],
        "message": "Task not found: x"
      },
      "id": 7,
      "jsonrpc": "2.0"
    }
    "#);
}

#[tokio::test]
async fn a_wrong_parameter_is_named() {
    let agent = TestAgent::scripted().await;
    let params = json!({ "message": { "messageId": "m", "role": "ROLE_USER", "parts": [{ "text": 1 }] } });
    let answer = agent.v1("SendMessage", params).await;
    insta::assert_json_snapshot!(answer["error"], @r#"
    {
      "code": -32602,
      "data": [
        {
          "@type": "type.googleapis.com/google.rpc.BadRequest",
          "fieldViolations": [
            {
              "description": "invalid type: integer `1`, expected a string",
              "field": "message.parts[0]"
            }
          ]
        }
      ],
      "message": "Invalid parameters: message.parts[0]: invalid type: integer `1`, expected a string"
    }
    "#);
}

#[tokio::test]
async fn a_task_that_has_ended_takes_no_message_no_cancel_and_no_subscriber() {
    let agent = TestAgent::scripted().await;
    let ended = agent.v1("SendMessage", v1_message("hello")).await;
    let id = &ended["result"]["task"]["id"];
    let mut late = v1_message("more");
    late["message"]["taskId"] = id.clone();
    assert_eq!(code(&agent.v1("SendMessage", late.clone()).await), -32004);
    assert_eq!(code(&agent.v1("SendStreamingMessage", late).await), -32004);
    assert_eq!(code(&agent.v1("CancelTask", json!({ "id": id })).await), -32002);
    assert_eq!(code(&agent.v1("SubscribeToTask", json!({ "id": id })).await), -32004);
    let mut late = v03_message("more");
    late["message"]["taskId"] = id.clone();
    assert_eq!(code(&agent.v03("message/send", late.clone()).await), -32602);
    assert_eq!(code(&agent.v03("message/stream", late).await), -32602);
    assert_eq!(code(&agent.v03("tasks/cancel", json!({ "id": id })).await), -32002);
    assert_eq!(code(&agent.v03("tasks/resubscribe", json!({ "id": id })).await), -32602);
}

#[rstest]
#[case::task_ids_are_made_here(json!({ "taskId": "mine" }), -32001)]
#[case::files_are_not_read(json!({ "parts": [{ "url": "https://x/y" }] }), -32005)]
#[tokio::test]
async fn a_message_that_cannot_be_taken_is_refused(#[case] change: Value, #[case] expected: i64) {
    let agent = TestAgent::scripted().await;
    let mut params = v1_message("x");
    let message = params["message"].as_object_mut().unwrap();
    message.extend(change.as_object().unwrap().clone());
    assert_eq!(code(&agent.v1("SendMessage", params).await), expected);
}

#[tokio::test]
async fn a_push_configuration_in_a_message_is_refused_and_not_forgotten_silently() {
    let agent = TestAgent::scripted().await;
    let mut params = v1_message("x");
    params["configuration"] = json!({ "taskPushNotificationConfig": { "url": "https://x" } });
    assert_eq!(code(&agent.v1("SendMessage", params).await), -32003);
    let mut params = v03_message("x");
    params["configuration"] = json!({ "pushNotificationConfig": { "url": "https://x" } });
    assert_eq!(code(&agent.v03("message/send", params).await), -32003);
}

#[tokio::test]
async fn task_and_context_have_to_belong_together() {
    let agent = TestAgent::scripted().await;
    let asked = agent.v1("SendMessage", v1_message("ask")).await;
    let mut params = v1_message("more");
    params["message"]["taskId"] = asked["result"]["task"]["id"].clone();
    params["message"]["contextId"] = json!("another");
    assert_eq!(code(&agent.v1("SendMessage", params).await), -32602);
}

#[tokio::test]
async fn a_full_server_says_so_with_a_status_that_clients_try_again() {
    let limits = RunnerLimits { max_concurrent: 1, max_waiting: 0, ..RunnerLimits::default() };
    let agent = TestAgent::with_limits(Arc::new(Scripted), limits).await;
    let mut params = v1_message("hold");
    params["configuration"] = json!({ "returnImmediately": true });
    agent.v1("SendMessage", params).await;
    let response = agent.rpc(V1, "SendMessage", v1_message("x")).send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(code(&response.json().await.unwrap()), -32000);
}

#[tokio::test]
async fn a_task_that_is_being_worked_on_takes_no_message() {
    let puppet = Arc::new(Puppet::default());
    let agent = TestAgent::start(Arc::clone(&puppet) as _).await;
    let mut params = v1_message("x");
    params["configuration"] = json!({ "returnImmediately": true });
    let task = agent.v1("SendMessage", params).await["result"]["task"].take();
    let strings = puppet.next().await;
    strings.status(TaskState::Working);
    let mut second = v1_message("y");
    second["message"]["taskId"] = task["id"].clone();
    assert_eq!(code(&agent.v1("SendMessage", second).await), -32004);
}
