//! What goes over the wire, in each revision.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use drydock::auth::Authenticator;
use drydock::mcp::Offer;
use rstest::rstest;
use serde_json::{Value, json};

use super::{Served, Stub};

#[tokio::test]
async fn tools_are_listed_without_a_session_and_for_the_caller_alone() {
    let answer = Served::own().await.stateless("tools/list", json!({})).await;
    let result = answer.result();
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert_eq!(result["cacheScope"], "private");
    let tools = result["tools"].as_array().unwrap();
    let first = &tools[0];
    assert_eq!(first["name"], "diagnose_cluster");
    assert_eq!(
        (&first["annotations"]["readOnlyHint"], &first["title"]),
        (&json!(true), &json!("Find root causes"))
    );
    for tool in tools {
        assert_eq!(
            (&tool["inputSchema"]["type"], &tool["outputSchema"]["type"]),
            (&json!("object"), &json!("object"))
        );
        for hint in ["title", "readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            assert!(!tool["annotations"][hint].is_null(), "{} has no {hint}", tool["name"]);
        }
    }
}

#[tokio::test]
async fn discovery_says_which_revisions_there_are_and_what_the_server_is_for() {
    let answer = Served::own().await.stateless("server/discover", json!({})).await;
    let result = answer.result();
    let versions = result["supportedVersions"].as_array().unwrap();
    for version in ["2025-06-18", "2025-11-25", "2026-07-28"] {
        assert!(versions.contains(&json!(version)), "{versions:?}");
    }
    assert!(result["instructions"].as_str().unwrap().contains("diagnose_cluster"));
}

#[rstest]
#[case("2025-06-18", "2025-06-18")]
#[case("2025-11-25", "2025-11-25")]
#[case::of_the_future("2099-01-01", "2025-11-25")]
#[tokio::test]
async fn an_older_client_opens_a_session(#[case] asked: &str, #[case] given: &str) {
    let mut server = Served::own().await;
    let opened = server.initialize(asked, json!({})).await;
    assert_eq!(opened.result()["protocolVersion"], given);
    assert_eq!(opened.result()["serverInfo"]["name"], "drydock");
    let called = server.legacy("tools/call", json!({ "name": "current_time", "arguments": {} })).await;
    assert!(called.result()["structuredContent"].is_object());
    let closing = server.http.delete(format!("{}/mcp", server.url));
    let closing = closing.header("mcp-session-id", server.session.clone().unwrap());
    assert!(closing.send().await.unwrap().status().is_success());
    assert_eq!(server.legacy("tools/list", json!({})).await.status, 404);
}

#[tokio::test]
async fn what_goes_wrong_in_a_tool_is_in_its_result() {
    let server = Served::own().await;
    for (name, arguments, says) in [
        ("get_pods_logs", json!({}), "get_pod_logs"),
        ("list_k8s_resources", json!({ "kind": [] }), "kind must be a string"),
    ] {
        let arguments = json!({ "name": name, "arguments": arguments });
        let answer = server.stateless("tools/call", arguments).await;
        let text = answer.result()["content"][0]["text"].as_str().unwrap();
        assert_eq!(answer.result()["isError"], true, "{text}");
        assert!(text.contains(says), "{text}");
    }
}

#[tokio::test]
async fn progress_rises_and_comes_before_the_result() {
    let server = Served::stub(&Arc::default()).await;
    let params = json!({ "name": "count", "arguments": {}, "_meta": { "progressToken": "p" } });
    let answer = server.stateless("tools/call", params).await;
    let progress: Vec<_> = answer.messages.iter().filter(|message| !message["method"].is_null()).collect();
    let steps: Vec<_> =
        progress.iter().map(|message| message["params"]["progress"].as_f64().unwrap()).collect();
    assert_eq!(steps, [1.0, 2.0, 3.0]);
    assert_eq!(progress[0]["params"]["progressToken"], "p");
    assert_eq!(answer.result()["content"][0]["text"], "counted");
}

#[tokio::test]
async fn a_diagnosis_tells_how_far_it_is() {
    let server = Served::own().await;
    let params = json!({ "name": "diagnose_cluster", "arguments": {}, "_meta": { "progressToken": 7 } });
    let answer = server.stateless("tools/call", params).await;
    let says = |message: &Value| message["params"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(says(&answer.messages[0]).starts_with("reading: 1 of "), "{}", answer.messages[0]);
    let last = &answer.messages[answer.messages.len() - 2];
    assert_eq!(says(last), "looking for causes");
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_its_call() {
    let stub = Arc::new(Stub::default());
    let server = Served::stub(&stub).await;
    let call = server.stateless_request("tools/call", json!({ "name": "wait", "arguments": {} }));
    let calling = tokio::spawn(call.send());
    stub.waiting.notified().await;
    calling.abort();
    stub.canceled.notified().await;
    assert!(stub.was_canceled.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_cancellation_in_a_session_ends_the_call() {
    let stub = Arc::new(Stub::default());
    let mut server = Served::stub(&stub).await;
    server.initialize("2025-11-25", json!({})).await;
    let call = json!({ "jsonrpc": "2.0", "id": 42, "method": "tools/call", "params": { "name": "wait" } });
    let _calling = tokio::spawn(server.post(&call).send());
    stub.waiting.notified().await;
    let cancel =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 42 } });
    assert_eq!(server.send(server.post(&cancel)).await.status, 202);
    stub.canceled.notified().await;
}

#[tokio::test]
async fn a_session_that_was_ended_is_over() {
    let mut server = Served::stub(&Arc::default()).await;
    server.initialize("2025-11-25", json!({})).await;
    let session = server.session.clone().unwrap();
    let end = server.http.delete(format!("{}/mcp", server.url)).header("mcp-session-id", session);
    assert_eq!(server.send(end).await.status, 204);
    assert_eq!(server.legacy("tools/list", json!({})).await.status, 404);
}

#[tokio::test]
async fn callers_without_a_session_are_not_mixed_up() {
    let server = Served::stub(&Arc::default()).await;
    let whoami = json!({ "name": "whoami", "arguments": {} });
    for _ in 0..2 {
        let answer = server.stateless("tools/call", whoami.clone()).await;
        let expected = json!({ "caller": "anonymous", "region": "" });
        assert_eq!(answer.result()["structuredContent"], expected, "a region of nobody is not remembered");
    }
}

#[tokio::test]
async fn a_session_remembers_its_region_and_not_that_of_another() {
    let mut one = Served::stub(&Arc::default()).await;
    let mut other = one.with_token("-");
    let whoami = json!({ "name": "whoami", "arguments": {} });
    let region = |answer: super::Answer| answer.result()["structuredContent"]["region"].clone();
    one.initialize("2025-11-25", json!({})).await;
    other.initialize("2025-11-25", json!({})).await;
    assert_eq!(region(one.legacy("tools/call", whoami.clone()).await), "");
    assert_eq!(region(one.legacy("tools/call", whoami.clone()).await), "eu-west-1");
    assert_eq!(region(other.legacy("tools/call", whoami).await), "");
}

#[tokio::test]
async fn behind_a_platform_any_session_and_any_host_will_do() {
    let offer = Offer::own(Arc::new(Stub::default()));
    let server = Served::offer(offer, Authenticator::platform(), true).await;
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let request = server.post(&list).header("mcp-session-id", "made-up").header("host", "platform.example");
    let user = request.header("x-amzn-bedrock-agentcore-runtime-user-id", "alice");
    let answer = server.send(user).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"), "{}", answer.text);
    assert_eq!(answer.header("mcp-session-id"), "");
    assert!(answer.result()["tools"].is_array());
}

#[rstest]
#[case::a_page_of_elsewhere("origin", "https://evil.example")]
#[case::a_name_that_leads_here("host", "evil.example")]
#[tokio::test]
async fn pages_of_elsewhere_do_not_reach_the_tools(#[case] header: &str, #[case] value: &str) {
    let server = Served::own().await;
    let request = server.stateless_request("tools/list", json!({})).header(header, value);
    assert_eq!(server.send(request).await.status, 403);
}

#[tokio::test]
async fn a_body_that_is_too_long_or_no_message_is_refused_at_the_door() {
    let server = Served::own().await;
    let long = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping", "params": { "x": "y".repeat(5 << 20) } });
    assert_eq!(server.send(server.post(&long)).await.status, 413);
    for body in [json!([]), json!("x"), json!({ "jsonrpc": "1.0" })] {
        let status = server.send(server.post(&body)).await.status;
        assert!((400..500).contains(&status), "{body}: {status}");
    }
}
