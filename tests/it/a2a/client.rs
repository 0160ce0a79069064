//! Our own client against our own server, and against connections that break.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::response::Redirect;
use axum::routing::{self, MethodRouter};
use axum::{Json, Router};
use drydock::a2a::types::{Message, Role, StreamResponse, TaskState};
use drydock::a2a::{A2aClient, ClientError};
use drydock::auth::TokenSource;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::support::{BreakingProxy, Puppet, TestAgent};

fn user(text: &str) -> Message {
    Message { role: Role::User, ..Message::agent_text(text) }
}

fn last_state(items: &[StreamResponse]) -> Option<TaskState> {
    items.iter().rev().find_map(|item| match item {
        StreamResponse::Task(task) => Some(task.status.state),
        StreamResponse::StatusUpdate(event) => Some(event.status.state),
        StreamResponse::Message(_) | StreamResponse::ArtifactUpdate(_) => None,
    })
}

#[tokio::test]
async fn the_client_reads_the_card_sends_streams_gets_and_cancels() {
    let agent = TestAgent::scripted().await;
    let client = A2aClient::connect(&agent.url, None).await.unwrap();
    assert_eq!(client.card()["name"], "K8s_Diagnostics_Agent");
    let StreamResponse::Task(sent) = client.send(&user("hello")).await.unwrap() else { panic!("a task") };
    assert_eq!(sent.status.state, TaskState::Completed);
    assert_eq!(client.get(&sent.id).await.unwrap(), sent);
    let items: Vec<StreamResponse> = client.stream(&user("hello")).try_collect().await.unwrap();
    assert_eq!(last_state(&items), Some(TaskState::Completed));
    let mut held = client.stream(&user("hold"));
    let Some(Ok(StreamResponse::Task(task))) = held.next().await else { panic!("the task comes first") };
    assert_eq!(client.cancel(&task.id).await.unwrap().status.state, TaskState::Canceled);
    let rest: Vec<StreamResponse> = held.try_collect().await.unwrap();
    assert_eq!(last_state(&rest), Some(TaskState::Canceled));
}

#[tokio::test]
async fn a_failed_call_says_what_the_agent_said() {
    let agent = TestAgent::scripted().await;
    let client = A2aClient::connect(&agent.url, None).await.unwrap();
    let error = client.get(&"x".into()).await.unwrap_err();
    assert!(matches!(error, ClientError::Agent { code: -32001, .. }), "{error}");
}

#[tokio::test]
async fn a_token_goes_only_where_it_was_meant_for() {
    let agent = TestAgent::scripted().await;
    let other_name = agent.url.replace("127.0.0.1", "localhost");
    assert!(A2aClient::connect(&other_name, None).await.is_ok());
    let error = A2aClient::connect(&other_name, Some(TokenSource::fixed("t".into()))).await.unwrap_err();
    assert!(matches!(error, ClientError::Elsewhere { .. }), "{error}");
    assert!(A2aClient::connect(&agent.url, Some(TokenSource::fixed("t".into()))).await.is_ok());
}

/// A server that answers each path as the router says, until the task is dropped. Returns its URL.
async fn serving(router: impl FnOnce(&str) -> Router) -> (String, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = router(&url);
    let served = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, AbortOnDropHandle::new(served))
}

const CARD: &str = "/.well-known/agent-card.json";

/// The card of an agent that streams and has this endpoint.
fn card_naming(endpoint: &str) -> MethodRouter {
    let interface = json!({ "url": endpoint, "protocolBinding": "JSONRPC", "protocolVersion": "1.0" });
    let card = Json(json!({ "supportedInterfaces": [interface], "capabilities": { "streaming": true } }));
    routing::get(async || card)
}

fn told_to_ask(error: &ClientError, at: &str) {
    assert!(matches!(error, ClientError::Http { status: 307, .. }), "{error}");
    assert!(error.to_string().contains(at) && error.to_string().contains("ask there directly"), "{error}");
}

#[tokio::test]
async fn a_card_elsewhere_is_not_followed() {
    let agent = TestAgent::scripted().await;
    let target = format!("{}.well-known/agent-card.json", agent.url);
    let elsewhere = Redirect::temporary(&target);
    let (url, _server) = serving(|_| Router::new().route(CARD, routing::get(async || elsewhere))).await;
    told_to_ask(&A2aClient::connect(&url, None).await.unwrap_err(), &target);
}

#[tokio::test]
async fn a_question_is_not_passed_on_to_another_agent() {
    let agent = TestAgent::scripted().await;
    let elsewhere = Redirect::temporary(&agent.url);
    let (url, _server) = serving(|url| {
        Router::new().route(CARD, card_naming(url)).route("/", routing::post(async || elsewhere))
    })
    .await;
    let client = A2aClient::connect(&url, None).await.unwrap();
    told_to_ask(&client.send(&user("secret")).await.unwrap_err(), &agent.url);
    let streamed: Result<Vec<_>, _> = client.stream(&user("secret")).try_collect().await;
    told_to_ask(&streamed.unwrap_err(), &agent.url);
    assert_eq!(agent.v1("ListTasks", json!({})).await["result"]["totalSize"], 0);
}

#[tokio::test]
async fn a_stream_without_an_event_has_an_end() {
    let endless = async || {
        let lines = Bytes::from(format!(": {}\n", "x".repeat(1000)).repeat(1000));
        let body = Body::from_stream(stream::repeat(lines).map(Ok::<_, Infallible>));
        ([("content-type", "text/event-stream")], body)
    };
    let (url, _server) =
        serving(|url| Router::new().route(CARD, card_naming(url)).route("/", routing::post(endless))).await;
    let client = A2aClient::connect(&url, None).await.unwrap();
    let error = client.stream(&user("x")).try_collect::<Vec<_>>().await.unwrap_err();
    assert!(matches!(error, ClientError::Protocol(_)), "{error}");
    assert!(error.to_string().contains("64 MiB"), "{error}");
}

#[tokio::test]
async fn a_stream_that_breaks_is_taken_up_where_it_broke() {
    let puppet = Arc::new(Puppet::default());
    let proxy = BreakingProxy::start().await;
    let _agent = TestAgent::behind(&proxy, Arc::clone(&puppet) as _).await;
    let client = A2aClient::connect(&proxy.url, None).await.unwrap();
    let mut items = client.stream(&user("x"));
    let strings = async {
        let strings = puppet.next().await;
        strings.status(TaskState::Working);
        strings
    };
    let (first, strings) = tokio::join!(items.by_ref().take(2).try_collect::<Vec<_>>(), strings);
    assert_eq!(last_state(&first.unwrap()), Some(TaskState::Working));
    proxy.break_connections();
    strings.answer(&["one\n", "two\n"]);
    strings.status(TaskState::Completed);
    let rest: Vec<StreamResponse> = items.try_collect().await.unwrap();
    assert_eq!(rest.len(), 3, "nothing lost, nothing twice: {rest:?}");
    assert!(proxy.connections() > 1);
}
