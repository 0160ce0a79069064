//! A real server on a free port, and a client that sends whatever bytes a test wants.

use std::future::ready;
use std::path::Path;
use std::sync::Arc;

use drydock::agent_card::{self, Publication, PublishedCard};
use drydock::app::{App, Reception};
use drydock::auth::{Authenticator, Principal};
use drydock::tasks::{AgentExecutor, RunnerLimits};
use eventsource_stream::Eventsource;
use futures::stream::{BoxStream, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::proxy::BreakingProxy;
use super::script::Scripted;
use super::store_in;

/// An agent that is served until dropped.
pub struct TestAgent {
    pub url: String,
    http: reqwest::Client,
    stops: DropGuard,
    served: JoinHandle<anyhow::Result<()>>,
    folder: TempDir,
}

/// One server-sent event.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Its id; empty where it has none.
    pub id: String,
    /// The JSON-RPC response in it.
    pub data: Value,
}

impl TestAgent {
    /// An agent that does what the message says.
    pub async fn scripted() -> Self {
        Self::start(Arc::new(Scripted)).await
    }

    pub async fn start(executor: Arc<dyn AgentExecutor>) -> Self {
        Self::with_limits(executor, RunnerLimits::default()).await
    }

    pub async fn with_limits(executor: Arc<dyn AgentExecutor>, limits: RunnerLimits) -> Self {
        Self::received(executor, |reception, _| reception.limits = limits).await
    }

    /// An agent whose reception the test changes, knowing its URL.
    pub async fn received(
        executor: Arc<dyn AgentExecutor>,
        change: impl FnOnce(&mut Reception, &str),
    ) -> Self {
        Self::in_folder(tempfile::tempdir().expect("a folder"), executor, change).await
    }

    /// An agent that goes on with the tasks in a folder.
    pub async fn in_folder(
        folder: TempDir,
        executor: Arc<dyn AgentExecutor>,
        change: impl FnOnce(&mut Reception, &str),
    ) -> Self {
        Self::published_as(None, folder, executor, change).await
    }

    /// Stops it as a signal would, and returns the folder with its tasks.
    pub async fn stop(self) -> TempDir {
        drop(self.stops);
        self.served.await.expect("it does not panic").expect("it stops");
        self.folder
    }

    /// Where its tasks are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// An agent that knows these callers, each with a token of the same name.
    pub async fn known_to(callers: &[&str]) -> Self {
        let tokens: Vec<_> =
            callers.iter().map(|name| ((*name).to_owned(), Principal::named(*name))).collect();
        Self::received(Arc::new(Scripted), |reception, url| {
            reception.card = card_at(url, |publication| publication.extended = true);
            reception.authenticator = Authenticator::tokens(tokens);
        })
        .await
    }

    /// An agent whose card says that it is reached through this proxy.
    pub async fn behind(proxy: &BreakingProxy, executor: Arc<dyn AgentExecutor>) -> Self {
        let agent =
            Self::published_as(Some(&proxy.url), tempfile::tempdir().expect("a folder"), executor, |_, _| {})
                .await;
        proxy.forward_to(&agent.url);
        agent
    }

    async fn published_as(
        public_url: Option<&str>,
        folder: TempDir,
        executor: Arc<dyn AgentExecutor>,
        change: impl FnOnce(&mut Reception, &str),
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let store = Arc::new(store_in(folder.path()).await);
        let mut reception = Reception::open(card_at(public_url.unwrap_or(&url), |_| {}));
        change(&mut reception, &url);
        let app = App::assemble(store, executor, reception);
        let stop = CancellationToken::new();
        let served = tokio::spawn(app.serve(listener, stop.clone().cancelled_owned()));
        Self { url, http: reqwest::Client::new(), stops: stop.drop_guard(), served, folder }
    }

    /// A request of any method to a path below the agent's URL.
    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    /// A JSON-RPC request in the dialect of this version; none means no header.
    pub fn rpc(&self, version: Option<&str>, method: &str, params: Value) -> reqwest::RequestBuilder {
        rpc_to(&self.http, &self.url, version, method, params)
    }

    /// Calls a method of 1.0 and returns the whole answer.
    pub async fn v1(&self, method: &str, params: Value) -> Value {
        json_of(self.rpc(Some("1.0"), method, params)).await
    }

    /// Calls a method of 0.3 and returns the whole answer.
    pub async fn v03(&self, method: &str, params: Value) -> Value {
        json_of(self.rpc(None, method, params)).await
    }
}

/// The built-in card of an agent at this URL, with what the test changes.
pub fn card_at(url: &str, change: impl FnOnce(&mut Publication)) -> PublishedCard {
    let mut publication = Publication { rest: true, ..Publication::at(url) };
    change(&mut publication);
    let card = agent_card::load(None).expect("the card is right");
    PublishedCard::new(card, &publication).expect("the card is right")
}

/// A JSON-RPC request to any agent.
pub fn rpc_to(
    http: &reqwest::Client,
    url: &str,
    version: Option<&str>,
    method: &str,
    params: Value,
) -> reqwest::RequestBuilder {
    let body = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
    let request = http.post(url).json(&body);
    match version {
        Some(version) => request.header("A2A-Version", version),
        None => request,
    }
}

/// The body of the answer, which is JSON.
pub async fn json_of(request: reqwest::RequestBuilder) -> Value {
    let response = request.send().await.expect("the server answers");
    response.json().await.expect("the answer is JSON")
}

/// The events of a stream as they come.
pub async fn frames_of(request: reqwest::RequestBuilder) -> BoxStream<'static, Frame> {
    let response = request.send().await.expect("the server answers");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    // A stream that breaks ends there; who counts its events notices.
    let events = response.bytes_stream().eventsource().take_while(|event| ready(event.is_ok()));
    let frames = events.filter_map(|event| {
        let frame = event.ok().map(|event| Frame {
            id: event.id,
            data: serde_json::from_str(&event.data).expect("each event is JSON"),
        });
        ready(frame)
    });
    frames.boxed()
}

/// A message in 1.0's form.
pub fn v1_message(text: &str) -> Value {
    json!({ "message": { "messageId": "m-1", "role": "ROLE_USER", "parts": [{ "text": text }] } })
}

/// A message in 0.3's form.
pub fn v03_message(text: &str) -> Value {
    json!({ "message": {
        "kind": "message", "messageId": "m-1", "role": "user", "parts": [{ "kind": "text", "text": text }],
    }})
}
