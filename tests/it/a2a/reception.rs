//! Who is let in, how often, and what the headers change.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use drydock::a2a::IDEMPOTENCY_EXTENSION;
use drydock::tasks::RunnerLimits;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::script::Scripted;
use crate::support::{TestAgent, card_at, json_of, v1_message, v03_message};

const V1: Option<&str> = Some("1.0");

#[rstest]
#[case::json_rpc(Method::POST, "")]
#[case::a_list(Method::GET, "rest/tasks")]
#[case::a_message(Method::POST, "rest/message:send")]
#[case::nothing_there(Method::GET, "rest/nowhere")]
#[tokio::test]
async fn who_does_not_say_who_they_are_is_asked(#[case] method: Method, #[case] path: &str) {
    let agent = TestAgent::known_to(&["alice"]).await;
    let response = agent.request(method, path).body("{}").send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert!(response.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer "));
    let body: Value = response.json().await.unwrap();
    assert!(body["error"]["message"].as_str().unwrap().contains("token"), "{body}");
}

#[tokio::test]
async fn who_was_refused_can_go_on_with_the_same_connection() {
    let agent = TestAgent::known_to(&["alice"]).await;
    let address = agent.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let mut connection = TcpStream::connect(&address).await.unwrap();
    let head = |more: &str| {
        format!("POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n{more}\r\n")
    };
    connection.write_all(head("Content-Length: 2\r\n").as_bytes()).await.unwrap();
    // The body comes after its head, as from clients that send them apart.
    tokio::task::yield_now().await;
    connection.write_all(b"{}").await.unwrap();
    let last = head("Connection: close\r\nAuthorization: Bearer alice\r\nContent-Length: 2\r\n");
    connection.write_all(format!("{last}{{}}").as_bytes()).await.unwrap();
    let mut answers = String::new();
    connection.read_to_string(&mut answers).await.unwrap();
    assert!(answers.starts_with("HTTP/1.1 401 ") && answers.contains("HTTP/1.1 200 "), "{answers}");
}

#[rstest]
#[case::by_its_method(Method::POST, "")]
#[case::by_its_route(Method::GET, "rest/extendedAgentCard")]
#[case::where_0_3_has_it(Method::GET, "card")]
#[case::after_a_url_with_a_slash(Method::GET, "/card")]
#[case::below_its_version(Method::GET, "v1/card")]
#[tokio::test]
async fn the_extended_card_is_for_those_who_say_who_they_are(#[case] method: Method, #[case] path: &str) {
    let body = json!({ "jsonrpc": "2.0", "id": 7, "method": "GetExtendedAgentCard" });
    let ask = |agent: &TestAgent| {
        agent.request(method.clone(), path).header("A2A-Version", "1.0").json(&body).bearer_auth("alice")
    };
    let agent = TestAgent::known_to(&["alice"]).await;
    let answer = json_of(ask(&agent)).await;
    let card = if path.is_empty() { &answer["result"] } else { &answer };
    assert_eq!(card["name"], "K8s_Diagnostics_Agent", "{answer}");
    let stranger = agent.request(method.clone(), path).header("A2A-Version", "1.0").json(&body);
    assert_eq!(stranger.send().await.unwrap().status(), 401);
    let open = TestAgent::received(Arc::new(Scripted), |reception, url| {
        reception.card = card_at(url, |publication| publication.extended = true);
    })
    .await;
    let refused = ask(&open).send().await.unwrap();
    assert_eq!(refused.status(), 401, "also where nobody else has to");
    assert!(refused.headers().contains_key("www-authenticate"));
}

#[rstest]
#[case::the_card(".well-known/agent-card.json")]
#[case::the_card_of_old(".well-known/agent.json")]
#[case::the_health("health")]
#[tokio::test]
async fn what_is_public_asks_nobody(#[case] path: &str) {
    let agent = TestAgent::known_to(&["alice"]).await;
    assert_eq!(agent.request(Method::GET, path).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_caller_over_its_rate_is_told_when_to_go_on_and_others_are_not() {
    let tokens = ["alice", "bob"].map(|name| (name.to_owned(), drydock::auth::Principal::named(name)));
    let agent = TestAgent::received(Arc::new(Scripted), |reception, _| {
        reception.authenticator = drydock::auth::Authenticator::tokens(tokens);
        reception.requests.per_second = NonZeroU32::new(1);
    })
    .await;
    let ask = |who: &str| agent.rpc(V1, "GetTask", json!({ "id": "x" })).bearer_auth(who).send();
    let mut refused = None;
    for _ in 0..5 {
        let response = ask("alice").await.unwrap();
        if response.status() == 429 {
            refused = Some(response);
            break;
        }
    }
    let refused = refused.expect("a burst has an end");
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=2).contains(&wait));
    assert_eq!(refused.json::<Value>().await.unwrap()["error"]["code"], -32029);
    assert_eq!(ask("bob").await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_caller_with_too_many_tasks_is_refused_and_others_are_not() {
    let tokens = ["alice", "bob"].map(|name| (name.to_owned(), drydock::auth::Principal::named(name)));
    let agent = TestAgent::received(Arc::new(Scripted), |reception, _| {
        reception.authenticator = drydock::auth::Authenticator::tokens(tokens);
        reception.limits = RunnerLimits { max_per_owner: 1, ..RunnerLimits::default() };
    })
    .await;
    let mut hold = v1_message("hold");
    hold["configuration"] = json!({ "returnImmediately": true });
    json_of(agent.rpc(V1, "SendMessage", hold).bearer_auth("alice")).await;
    let refused = agent.rpc(V1, "SendMessage", v1_message("x")).bearer_auth("alice").send().await.unwrap();
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &"1".parse().unwrap()));
    assert_eq!(refused.json::<Value>().await.unwrap()["id"], 7);
    let other = json_of(agent.rpc(V1, "SendMessage", v1_message("x")).bearer_auth("bob")).await;
    assert!(other["result"].is_object(), "{other}");
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_its_connection() {
    let agent = TestAgent::received(Arc::new(Scripted), |reception, _| {
        reception.connections.head_timeout = Duration::from_millis(50);
    })
    .await;
    let address = agent.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let mut slow = TcpStream::connect(&address).await.unwrap();
    slow.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
    let mut silent = TcpStream::connect(&address).await.unwrap();
    for connection in [&mut slow, &mut silent] {
        let mut rest = Vec::new();
        // Returns only when the server has closed the connection.
        let _ = connection.read_to_end(&mut rest).await;
    }
    assert_eq!(agent.request(Method::GET, "health").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_client_that_does_not_read_loses_its_connection() {
    let agent = TestAgent::received(Arc::new(Scripted), |reception, _| {
        reception.connections.write_timeout = Duration::from_millis(50);
    })
    .await;
    let address = agent.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let mut connection = TcpStream::connect(&address).await.unwrap();
    let request = format!("GET /.well-known/agent-card.json HTTP/1.1\r\nHost: {address}\r\n\r\n");
    // Ends only when the server has closed the connection.
    while connection.write_all(request.as_bytes()).await.is_ok() {}
    assert_eq!(agent.request(Method::GET, "health").send().await.unwrap().status(), 200);
}

#[rstest]
#[case::a_page_of_elsewhere("evil.example:9000", 403)]
#[case::this_machine("localhost:9000", 200)]
#[case::the_public_name("agent.example", 200)]
#[tokio::test]
async fn an_agent_that_asks_nobody_answers_only_to_its_own_names(#[case] host: &str, #[case] status: u16) {
    let agent = TestAgent::received(Arc::new(Scripted), |reception, _| {
        reception.card = card_at("https://agent.example/drydock", |_| {});
    })
    .await;
    for path in ["rest/tasks", ".well-known/agent-card.json", "health"] {
        let request = agent.request(Method::GET, path).header("A2A-Version", "1.0").header("Host", host);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.text().await.unwrap().contains("--public-url"), status == 403);
    }
}

#[tokio::test]
async fn an_agent_that_asks_who_calls_answers_to_any_name() {
    let agent = TestAgent::known_to(&["alice"]).await;
    let request = agent.request(Method::GET, "rest/tasks").header("A2A-Version", "1.0");
    let response = request.header("Host", "agent.example").bearer_auth("alice").send().await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn connections_over_the_limit_wait_for_their_turn() {
    let agent = TestAgent::received(Arc::new(Scripted), |reception, _| {
        reception.connections.open = 1;
        reception.connections.head_timeout = Duration::from_millis(50);
    })
    .await;
    let address = agent.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let _holds_the_only_place = TcpStream::connect(&address).await.unwrap();
    assert_eq!(agent.request(Method::GET, "health").send().await.unwrap().status(), 200);
}

#[rstest]
#[case::in_the_new_header("A2A-Extensions")]
#[case::in_the_old_header("X-A2A-Extensions")]
#[tokio::test]
async fn with_the_idempotency_extension_a_repeated_message_makes_no_second_task(#[case] header: &str) {
    let agent = TestAgent::scripted().await;
    let asked = format!("urn:unknown, {IDEMPOTENCY_EXTENSION}");
    let send = || agent.rpc(V1, "SendMessage", v1_message("hello")).header(header, &asked).send();
    let first = send().await.unwrap();
    assert_eq!(first.headers()[header], IDEMPOTENCY_EXTENSION, "what is active is echoed, and nothing else");
    let first: Value = first.json().await.unwrap();
    let second: Value = send().await.unwrap().json().await.unwrap();
    assert_eq!(first["result"]["task"]["id"], second["result"]["task"]["id"]);
    let plain = json_of(agent.rpc(V1, "SendMessage", v1_message("hello"))).await;
    assert_ne!(
        plain["result"]["task"]["id"], first["result"]["task"]["id"],
        "without it each message counts"
    );
}

#[tokio::test]
async fn a_message_id_used_for_another_message_is_refused_with_the_extension() {
    let agent = TestAgent::scripted().await;
    let send = |text: &str| {
        json_of(
            agent.rpc(V1, "SendMessage", v1_message(text)).header("A2A-Extensions", IDEMPOTENCY_EXTENSION),
        )
    };
    send("hello").await;
    assert_eq!(send("something else").await["error"]["code"], -32602);
}

#[tokio::test]
async fn a_key_and_a_message_id_of_the_same_text_are_two_keys() {
    let agent = TestAgent::scripted().await;
    let by_key =
        json_of(agent.rpc(V1, "SendMessage", v1_message("x")).header("Idempotency-Key", "m-1")).await;
    let request =
        agent.rpc(V1, "SendMessage", v1_message("x")).header("A2A-Extensions", IDEMPOTENCY_EXTENSION);
    let by_message = json_of(request).await;
    assert_ne!(by_key["result"]["task"]["id"], by_message["result"]["task"]["id"]);
}

#[rstest]
#[case::a_large_number("123456789012345678901234567890")]
#[case::a_fraction("1.50")]
#[case::an_exponent("1E3")]
#[case::a_string("\"a\\u00e9\"")]
#[tokio::test]
async fn a_request_id_comes_back_as_it_was_written(#[case] id: &str) {
    let agent = TestAgent::scripted().await;
    let body =
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"message/stream","params":{}}}"#, v03_message("x"));
    let request = agent.request(Method::POST, "").header("content-type", "application/json");
    let stream = request.body(body).send().await.unwrap().text().await.unwrap();
    let events: Vec<&str> = stream.lines().filter(|line| line.starts_with("data:")).collect();
    assert!(!events.is_empty());
    for event in events {
        assert!(event.contains(&format!(r#""id":{id},"#)), "{event}");
    }
}

#[tokio::test]
async fn an_endless_request_id_is_refused() {
    let agent = TestAgent::scripted().await;
    let body =
        json!({ "jsonrpc": "2.0", "id": "x".repeat(2000), "method": "tasks/get", "params": { "id": "x" } });
    let answer = json_of(agent.request(Method::POST, "").json(&body)).await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::Null, &json!(-32600)));
}

#[tokio::test]
async fn a_message_with_too_many_parts_is_refused() {
    let agent = TestAgent::scripted().await;
    let mut params = v1_message("x");
    params["message"]["parts"] = Value::Array(vec![json!({ "text": "x" }); 1000]);
    let answer = agent.v1("SendMessage", params).await;
    assert_eq!(answer["error"]["code"], -32602);
    assert!(answer["error"]["message"].as_str().unwrap().contains("message.parts"), "{answer}");
}
