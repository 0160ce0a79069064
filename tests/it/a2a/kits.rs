//! What conformance kits call for, and a task whose execution has handed it over.

use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::kits::ForKits;
use crate::support::{TestAgent, v03_message};

async fn agent() -> TestAgent {
    TestAgent::start(Arc::new(ForKits { timeout: Duration::from_millis(20) })).await
}

/// A 1.0 message as a kit sends it: the name in its id, with the kit's session, or in its text.
fn calls_for(name: &str, in_text: bool) -> Value {
    let (id, text) = match in_text {
        true => ("m-1".to_owned(), format!("{name} please")),
        false => (format!("{name}-5a1b-jsonrpc"), "TCK".to_owned()),
    };
    json!({ "message": { "messageId": id, "role": "ROLE_USER", "parts": [{ "text": text }] } })
}

#[rstest]
#[case("tck-complete-task", "COMPLETED", json!(null))]
#[case("tck-infer-ctx", "COMPLETED", json!(null))]
#[case("tck-message-response", "COMPLETED", json!(null))]
#[case("tck-delayed-complete", "COMPLETED", json!(null))]
#[case("tck-input-required", "INPUT_REQUIRED", json!(null))]
#[case("tck-multi-turn", "INPUT_REQUIRED", json!(null))]
#[case("tck-auth-required", "AUTH_REQUIRED", json!(null))]
#[case("tck-reject-task", "REJECTED", json!(null))]
#[case("tck-task-failure", "FAILED", json!(null))]
#[case("tck-artifact-text", "COMPLETED", json!({ "text": "Generated text content", "mediaType": "text/plain" }))]
#[case("tck-artifact-file", "COMPLETED", json!({ "raw": "dGNr", "mediaType": "text/plain", "filename": "output.txt" }))]
#[case("tck-artifact-file-url", "COMPLETED", json!({ "url": "https://example.com/output.txt", "mediaType": "text/plain", "filename": "output.txt" }))]
#[case("tck-artifact-data", "COMPLETED", json!({ "data": { "key": "value", "count": 42 }, "mediaType": "application/json" }))]
#[case("tck-stream-001", "COMPLETED", json!({ "text": "Ordered output", "mediaType": "text/plain" }))]
#[case("tck-stream-artifact-chunked", "COMPLETED", json!({ "text": "chunk-1 chunk-2 chunk-3", "mediaType": "text/plain" }))]
#[case("tck-stream-artifact-file", "COMPLETED", json!({ "raw": "dGNr", "mediaType": "text/plain", "filename": "output.txt" }))]
#[tokio::test]
async fn a_kit_gets_what_it_calls_for(
    #[case] name: &str,
    #[case] state: &str,
    #[case] part: Value,
    #[values(false, true)] in_text: bool,
) {
    let answer = agent().await.v1("SendMessage", calls_for(name, in_text)).await;
    let task = &answer["result"]["task"];
    assert_eq!(task["status"]["state"], format!("TASK_STATE_{state}"), "{answer}");
    assert_eq!(task["artifacts"][0]["parts"][0], part, "{answer}");
}

#[tokio::test]
async fn a_conversation_of_many_turns_ends_when_the_client_says_done() {
    let agent = agent().await;
    let first = agent.v1("SendMessage", calls_for("tck-multi-turn", true)).await;
    let id = &first["result"]["task"]["id"];
    for (text, state) in [("more", "TASK_STATE_INPUT_REQUIRED"), ("done", "TASK_STATE_COMPLETED")] {
        let mut message = calls_for("x", true);
        message["message"]["taskId"] = id.clone();
        message["message"]["parts"] = json!([{ "text": text }]);
        let answer = agent.v1("SendMessage", message).await;
        assert_eq!(answer["result"]["task"]["status"]["state"], state, "{answer}");
    }
}

#[tokio::test]
async fn a_task_that_was_handed_over_works_on_and_takes_messages_until_it_is_canceled() {
    let agent = agent().await;
    let sent = agent.v03("message/send", v03_message("hello")).await;
    assert_eq!(sent["result"]["status"]["state"], "working", "{sent}");
    let id = &sent["result"]["id"];
    for text in ["and this", "and that"] {
        let mut follow_up = v03_message(text);
        follow_up["message"]["taskId"] = id.clone();
        let answer = agent.v03("message/send", follow_up).await;
        assert_eq!((&answer["result"]["id"], &answer["result"]["status"]["state"]), (id, &json!("working")));
    }
    let got = agent.v03("tasks/get", json!({ "id": id })).await;
    assert_eq!(got["result"]["history"].as_array().map(Vec::len), Some(3), "{got}");
    let canceled = agent.v03("tasks/cancel", json!({ "id": id })).await;
    assert_eq!(canceled["result"]["status"]["state"], "canceled", "{canceled}");
}

#[rstest]
#[case::who_waits(json!({ "blocking": true }))]
#[tokio::test]
async fn a_client_of_0_3_that_says_how_it_waits_gets_the_result(#[case] configuration: Value) {
    let mut params = v03_message("hello");
    params["configuration"] = configuration;
    let answer = agent().await.v03("message/send", params).await;
    assert_eq!(answer["result"]["status"]["state"], "completed", "{answer}");
}

#[tokio::test]
async fn a_client_of_1_0_gets_the_result_without_saying_so() {
    let answer = agent().await.v1("SendMessage", calls_for("hello", true)).await;
    assert_eq!(answer["result"]["task"]["status"]["state"], "TASK_STATE_COMPLETED", "{answer}");
}
