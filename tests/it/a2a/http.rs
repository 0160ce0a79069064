//! What arrives that is no proper request, and the paths beside `/`.

use drydock::a2a::RequestLimits;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{TestAgent, json_of, v1_message};

#[rstest]
#[case::not_json("{", Value::Null, -32700)]
#[case::text("why is the shop down?", Value::Null, -32700)]
#[case::empty("", Value::Null, -32700)]
#[case::a_batch(r#"[{"jsonrpc":"2.0","id":1,"method":"GetTask"}]"#, Value::Null, -32600)]
#[case::a_string(r#""GetTask""#, Value::Null, -32600)]
#[case::no_version(r#"{"id":1,"method":"tasks/get","params":{"id":"x"}}"#, json!(1), -32600)]
#[case::another_version(r#"{"jsonrpc":"1.0","id":1,"method":"tasks/get"}"#, json!(1), -32600)]
#[case::no_method(r#"{"jsonrpc":"2.0","id":"a"}"#, json!("a"), -32600)]
#[case::method_is_a_number(r#"{"jsonrpc":"2.0","id":"a","method":1}"#, json!("a"), -32600)]
#[case::id_is_an_object(r#"{"jsonrpc":"2.0","id":{},"method":"tasks/get"}"#, Value::Null, -32600)]
#[case::no_id(r#"{"jsonrpc":"2.0","method":"tasks/get","params":{"id":"x"}}"#, Value::Null, -32001)]
#[case::a_fraction_as_id(r#"{"jsonrpc":"2.0","id":1.5,"method":"tasks/get","params":{"id":"x"}}"#, json!(1.5), -32001)]
#[tokio::test]
async fn malformed_requests_are_answered_as_json_rpc(
    #[case] body: &str,
    #[case] id: Value,
    #[case] code: i64,
) {
    let agent = TestAgent::scripted().await;
    let request = agent.request(Method::POST, "").header("content-type", "application/json");
    let answer = json_of(request.body(body.to_owned())).await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&id, &json!(code)), "{answer}");
}

#[rstest]
#[case::plain_text("text/plain", -32005)]
#[case::a_form("application/x-www-form-urlencoded", -32005)]
#[case::json("application/json; charset=utf-8", -32001)]
#[case::a2a_json("application/a2a+json", -32001)]
#[tokio::test]
async fn only_json_is_read(#[case] content_type: &str, #[case] code: i64) {
    let agent = TestAgent::scripted().await;
    let body = json!({ "jsonrpc": "2.0", "id": 7, "method": "tasks/get", "params": { "id": "x" } });
    let request = agent.request(Method::POST, "").header("content-type", content_type);
    let response = request.body(body.to_string()).send().await.unwrap();
    assert_eq!(response.json::<Value>().await.unwrap()["error"]["code"], code);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let agent = TestAgent::scripted().await;
    let request =
        agent.rpc(Some("1.0"), "SendMessage", v1_message(&"x".repeat(RequestLimits::default().max_body)));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(response.json::<Value>().await.unwrap()["error"]["code"], -32600);
}

#[tokio::test]
async fn a_deeply_nested_body_is_refused() {
    let agent = TestAgent::scripted().await;
    let request = agent.request(Method::POST, "").header("content-type", "application/json");
    let answer = json_of(request.body("[".repeat(100_000))).await;
    assert_eq!(answer["error"]["code"], -32700);
}

#[tokio::test]
async fn a_slash_too_many_is_no_other_place() {
    let agent = TestAgent::scripted().await;
    let body = json!({ "jsonrpc": "2.0", "id": 7, "method": "tasks/get", "params": { "id": "x" } });
    let answer = json_of(agent.request(Method::POST, "/").json(&body)).await;
    assert_eq!(answer["error"]["code"], -32001);
}

#[tokio::test]
async fn health_says_who_is_there() {
    let agent = TestAgent::scripted().await;
    let health = json_of(agent.request(Method::GET, "health")).await;
    assert_eq!((&health["status"], &health["service"]), (&json!("healthy"), &json!("drydock")));
}

#[tokio::test]
async fn a_web_page_of_elsewhere_is_refused() {
    let agent = TestAgent::scripted().await;
    let request = agent.rpc(None, "tasks/get", json!({ "id": "x" })).header("origin", "https://evil.example");
    assert_eq!(request.send().await.unwrap().status(), 403);
}

#[rstest]
#[case("GET", "", 405)]
#[case("GET", "nowhere", 404)]
#[tokio::test]
async fn other_paths_and_methods_are_refused(#[case] method: &str, #[case] path: &str, #[case] status: u16) {
    let agent = TestAgent::scripted().await;
    let response = agent.request(method.parse().unwrap(), path).send().await.unwrap();
    assert_eq!(response.status(), status);
}
