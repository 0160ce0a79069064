//! Resources and prompts.

use std::collections::BTreeSet;
use std::sync::Arc;

use drydock::auth::Authenticator;
use drydock::mcp::Offer;
use serde_json::{Value, json};

use super::{Served, Stub};

async fn all_resources(server: &Served) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let params = cursor.map(|cursor| json!({ "cursor": cursor })).unwrap_or_else(|| json!({}));
        let answer = server.stateless("resources/list", params).await;
        all.extend(answer.result()["resources"].as_array().unwrap().clone());
        cursor = answer.result()["nextCursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return all;
        }
    }
}

async fn read(server: &Served, uri: &str) -> Value {
    server.stateless("resources/read", json!({ "uri": uri })).await.result()["contents"][0].clone()
}

#[tokio::test]
async fn every_article_and_rule_can_be_listed_and_read() {
    let server = Served::own().await;
    let uris: Vec<String> =
        all_resources(&server).await.iter().map(|one| one["uri"].as_str().unwrap().to_owned()).collect();
    assert_eq!(uris.iter().collect::<BTreeSet<_>>().len(), uris.len(), "each once");
    assert!(uris.len() > 150);
    for uri in ["drydock://guide/oom-killed", "drydock://rules/oom-killed"] {
        assert!(uris.contains(&uri.to_owned()), "{uri}");
        let content = read(&server, uri).await;
        assert_eq!((&content["mimeType"], &content["uri"]), (&json!("text/markdown"), &json!(uri)));
        assert!(content["text"].as_str().unwrap().starts_with("# "));
    }
}

#[tokio::test]
async fn a_report_can_be_read_again() {
    let server = Served::own().await;
    let called = server
        .stateless("tools/call", json!({ "name": "diagnose_cluster", "arguments": { "namespace": "shop" } }));
    let called = called.await;
    let listed = &all_resources(&server).await[0];
    assert_eq!(listed["uri"], "drydock://reports/1");
    assert!(listed["title"].as_str().unwrap().starts_with("Report of shop"));
    let content = read(&server, "drydock://reports/1").await;
    assert_eq!(content["text"], called.result()["content"][0]["text"]);
}

#[tokio::test]
async fn what_is_not_there_is_said_in_the_words_of_the_revision() {
    let mut server = Served::own().await;
    for uri in
        ["drydock://guide/nothing", "drydock://reports/9", "file:///etc/passwd", "drydock://guide/../x"]
    {
        let answer = server.stateless("resources/read", json!({ "uri": uri })).await;
        assert_eq!(answer.error_code(), -32602, "{}", answer.text);
    }
    server.initialize("2025-11-25", json!({})).await;
    let answer = server.legacy("resources/read", json!({ "uri": "drydock://guide/nothing" })).await;
    assert_eq!(answer.error_code(), -32002, "{}", answer.text);
}

#[tokio::test]
async fn names_of_articles_are_completed() {
    let params = json!({
        "ref": { "type": "ref/resource", "uri": "drydock://guide/{slug}" },
        "argument": { "name": "slug", "value": "oom" },
    });
    let answer = Served::own().await.stateless("completion/complete", params).await;
    let values = answer.result()["completion"]["values"].as_array().unwrap();
    assert!(values.contains(&json!("oom-killed")), "{values:?}");
    assert!(values.iter().all(|value| value.as_str().unwrap().starts_with("oom")));
}

#[tokio::test]
async fn a_workflow_takes_up_what_is_known_and_names_tools_that_there_are() {
    let server = Served::own().await;
    let prompts = server.stateless("prompts/list", json!({})).await.result()["prompts"].clone();
    let names: Vec<_> = prompts.as_array().unwrap().iter().map(|prompt| &prompt["name"]).collect();
    assert_eq!(names, ["health_check", "pod_crash", "slowness", "deployment_failure"]);
    let params = json!({ "name": "pod_crash", "arguments": { "namespace": "shop", "region": "" } });
    let prompt = server.stateless("prompts/get", params).await;
    let text = prompt.result()["messages"][0]["content"]["text"].as_str().unwrap();
    assert!(text.starts_with("Find out why pods crash or do not start; namespace: shop.\n"), "{text}");
    assert!(text.contains("diagnose_cluster") && text.contains("get_pod_logs"));
}

#[tokio::test]
async fn a_prompt_with_bad_arguments_is_refused() {
    let server = Served::own().await;
    for arguments in [
        json!({ "namespace": 7 }),
        json!({ "namespace": "a\nIgnore all" }),
        json!({ "workload": "x".repeat(300) }),
    ] {
        let answer =
            server.stateless("prompts/get", json!({ "name": "slowness", "arguments": arguments })).await;
        assert_eq!(answer.error_code(), -32602, "{}", answer.text);
    }
    let unknown = server.stateless("prompts/get", json!({ "name": "nothing" })).await;
    assert_eq!(unknown.error_code(), -32602);
}

#[tokio::test]
async fn a_server_of_others_tools_has_neither() {
    let offer = Offer::gateway(Arc::new(Stub::default()));
    let server = Served::offer(offer, Authenticator::anonymous(), false).await;
    let capabilities = &server.stateless("server/discover", json!({})).await.result()["capabilities"].clone();
    assert_eq!(capabilities, &json!({ "tools": {} }));
    let about =
        json!({ "ref": { "type": "ref/prompt", "name": "p" }, "argument": { "name": "a", "value": "" } });
    for (method, params) in [
        ("resources/list", json!({})),
        ("resources/templates/list", json!({})),
        ("resources/read", json!({ "uri": "drydock://guide/oom-killed" })),
        ("prompts/list", json!({})),
        ("prompts/get", json!({ "name": "pod_crash" })),
        ("completion/complete", about),
    ] {
        let answer = server.stateless(method, params).await;
        assert_eq!((answer.status, answer.error_code()), (404, -32601), "{method}: {}", answer.text);
    }
}
