//! An older collaborator, byte for byte: 0.3 without a version header, a token that nobody checks here, and a client
//! that reads the card first and asks for `/health`.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::TestAgent;

const HEADERS: &str = "Accept-Encoding: gzip, deflate\r\nConnection: close\r\nUser-Agent: Peer-Agent/1.0\r\n\
                       Accept: application/json\r\nContent-Type: application/json\r\nAuthorization: Bearer TOKEN\r\n";

/// Sends bytes and returns the status line and the body.
async fn exchange(agent: &TestAgent, request_line: &str, body: &str) -> (String, Value) {
    let address = agent.url.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    let request = format!("{request_line} HTTP/1.1\r\nHost: {address}\r\n{HEADERS}{length}\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.lines().next().unwrap().to_owned();
    (status, serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn an_older_collaborator_finds_its_way_and_gets_its_answer() {
    let agent = TestAgent::scripted().await;
    let (status, health) = exchange(&agent, "GET /health", "").await;
    assert_eq!((status.as_str(), &health["status"]), ("HTTP/1.1 200 OK", &json!("healthy")));

    let (_, card) = exchange(&agent, "GET /.well-known/agent-card.json", "").await;
    assert_eq!(card["preferredTransport"], "JSONRPC");
    assert_eq!(card["protocolVersion"], "0.3.0");
    assert_eq!(card["url"], agent.url);
    assert!(card["skills"][0]["tags"].as_array().is_some_and(|tags| !tags.is_empty()));

    let body = include_str!("../../fixtures/a2a/collaborator-send.json").trim_end();
    let request: Value = serde_json::from_str(body).unwrap();
    let (status, answer) = exchange(&agent, "POST /", body).await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    let sent = &request["params"]["message"];
    let task = &answer["result"];
    assert_eq!((&answer["id"], &answer["jsonrpc"]), (&request["id"], &json!("2.0")));
    assert_eq!((&task["kind"], &task["status"]["state"]), (&json!("task"), &json!("completed")));
    assert_eq!(task["contextId"], sent["contextId"]);
    assert_eq!(task["artifacts"][0]["parts"][0]["kind"], "text");
    let mut kept = task["history"][0].clone();
    assert_eq!(kept["taskId"], task["id"]);
    kept.as_object_mut().unwrap().remove("taskId");
    assert_eq!(kept, *sent, "the message is kept as it was sent");
}
