//! The other side: an A2A client that resolves a card, sends, streams, reads, cancels and watches, in either dialect.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use eventsource_stream::{Event, Eventsource};
use futures::stream::{self, BoxStream, StreamExt};
use http::HeaderMap;
use http::header::{LOCATION, WWW_AUTHENTICATE};
use reqwest::StatusCode;
use reqwest::redirect::Policy;
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::caller::VERSION_HEADER;
use super::request::Dialect;
use super::types::{Message, StreamResponse, Task, TaskId, TaskState};
use super::v03;
use crate::auth::{ProviderError, TokenSource};

/// A stream that breaks is taken up again this often, with a longer pause each time: long enough for a server to restart.
const RECONNECTS: u32 = 8;
/// Longest pause before that.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A silent connection is probed this often, so that a dead one is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Largest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 << 20;
/// Most bytes that may come between two events of a stream.
const MAX_EVENT: usize = 64 << 20;
/// Longest address that is told of a redirect, in characters.
const MAX_LOCATION: usize = 200;

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No connection, or one that broke.
    #[error("{url} cannot be reached")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// An HTTP status that is no success.
    #[error("{url} answered HTTP {status}{hint}")]
    Http {
        /// Where.
        url: String,
        /// The status.
        status: u16,
        /// What the agent says is wrong, and what to do about it.
        hint: String,
    },
    /// The agent answered with an error of the protocol.
    #[error("the agent answered: {message} ({code})")]
    Agent {
        /// JSON-RPC error code.
        code: i64,
        /// Its text.
        message: String,
    },
    /// The card names an endpoint at another origin, and a token is not sent there.
    #[error(
        "the card at {url} names {endpoint}, and a token is only sent where it was meant for: ask {endpoint} directly"
    )]
    Elsewhere {
        /// Where the card is.
        url: String,
        /// Where it points.
        endpoint: String,
    },
    /// There is no token to call with.
    #[error(transparent)]
    Token(#[from] ProviderError),
    /// The answer is not what the protocol says.
    #[error("the agent's answer is not understood: {0}")]
    Protocol(String),
}

/// A client of one agent. Cheap to clone.
#[derive(Debug, Clone)]
pub struct A2aClient {
    http: reqwest::Client,
    endpoint: String,
    dialect: Dialect,
    tokens: Option<TokenSource>,
    card: Value,
}

impl A2aClient {
    /// Reads the card below `url` and chooses the newest dialect that both sides speak.
    ///
    /// # Errors
    /// Besides those of the network: a card that sends us elsewhere while we hold a token, which is meant for `url`.
    pub async fn connect(url: &str, tokens: Option<TokenSource>) -> Result<Self, ClientError> {
        let http = reqwest::Client::builder()
            // A question, and the token with it, is for whom it was sent to.
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_keepalive(KEEP_ALIVE)
            .user_agent(concat!("drydock/", env!("CARGO_PKG_VERSION")))
            .build();
        let http = http.map_err(|source| unreachable(url, source))?;
        let location = match url.ends_with(".json") {
            true => url.to_owned(),
            false => format!("{}/.well-known/agent-card.json", url.trim_end_matches('/')),
        };
        let request = http.get(&location).header(VERSION_HEADER, "1.0");
        let card: Value = read_json(send(request, tokens.as_ref(), &location).await?, &location).await?;
        let (endpoint, dialect) = choose_interface(&card).ok_or_else(|| {
            ClientError::Protocol("its card offers no JSON-RPC interface of 1.0 or 0.3".to_owned())
        })?;
        if tokens.is_some() && origin(&endpoint) != origin(&location) {
            return Err(ClientError::Elsewhere { url: url.to_owned(), endpoint });
        }
        Ok(Self { http, endpoint, dialect, tokens, card })
    }

    /// The card as it was read.
    pub fn card(&self) -> &Value {
        &self.card
    }

    /// Sends a message and waits until the task has ended or waits for input. Other agents may answer with a message.
    pub async fn send(&self, message: &Message) -> Result<StreamResponse, ClientError> {
        let params = json!({ "message": message, "configuration": { "returnImmediately": false } });
        understood(match self.dialect {
            Dialect::V1 => self.call("SendMessage", params).await?,
            Dialect::V03 => v03::stream_from_v03(self.call("message/send", v03::send_to_v03(params)).await?),
        })
    }

    /// Reads a task.
    pub async fn get(&self, id: &TaskId) -> Result<Task, ClientError> {
        self.task_call("GetTask", "tasks/get", id).await
    }

    /// Cancels a task.
    pub async fn cancel(&self, id: &TaskId) -> Result<Task, ClientError> {
        self.task_call("CancelTask", "tasks/cancel", id).await
    }

    /// Sends a message and streams what becomes of it. A connection that breaks is taken up where it broke; of an agent
    /// that does not stream the only item is the result.
    pub fn stream(&self, message: &Message) -> BoxStream<'static, Result<StreamResponse, ClientError>> {
        if self.card["capabilities"]["streaming"] != true {
            let (client, message) = (self.clone(), message.clone());
            return stream::once(async move { client.send(&message).await }).boxed();
        }
        let params = json!({ "message": message });
        let (method, params) = match self.dialect {
            Dialect::V1 => ("SendStreamingMessage", params),
            Dialect::V03 => ("message/stream", v03::send_to_v03(params)),
        };
        self.clone().follow(method, params, Position::default())
    }

    /// Watches a task; with `after`, from the event after that one on.
    pub fn subscribe(
        &self,
        id: &TaskId,
        after: Option<String>,
    ) -> BoxStream<'static, Result<StreamResponse, ClientError>> {
        let position = Position { task: Some(id.clone()), last_event_id: after, ended: false };
        self.clone().follow(self.subscribe_method(), json!({ "id": id }), position)
    }

    /// The task, if it has ended or waits for input; else the error that made us look.
    async fn ended_task(&self, id: &TaskId, error: ClientError) -> Result<Task, ClientError> {
        let task = self.get(id).await?;
        let state = task.status.state;
        if state.is_terminal() || state.is_interrupted() { Ok(task) } else { Err(error) }
    }

    fn subscribe_method(&self) -> &'static str {
        match self.dialect {
            Dialect::V1 => "SubscribeToTask",
            Dialect::V03 => "tasks/resubscribe",
        }
    }

    async fn task_call(&self, v1: &str, old: &str, id: &TaskId) -> Result<Task, ClientError> {
        let params = json!({ "id": id });
        understood(match self.dialect {
            Dialect::V1 => self.call(v1, params).await?,
            Dialect::V03 => v03::task_from_v03(self.call(old, params).await?),
        })
    }

    async fn call(&self, method: &str, params: Value) -> Result<Value, ClientError> {
        let response = self.send_request(self.post(method, params, None)).await?;
        result_of(read_json(response, &self.endpoint).await?)
    }

    fn post(&self, method: &str, params: Value, last_event_id: Option<&str>) -> reqwest::RequestBuilder {
        let id = uuid::Uuid::now_v7().to_string();
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let version = self.dialect.version();
        let request = self.http.post(&self.endpoint).header(VERSION_HEADER, version).json(&body);
        match last_event_id {
            Some(id) => request.header("Last-Event-ID", id),
            None => request,
        }
    }

    async fn send_request(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, ClientError> {
        send(request, self.tokens.as_ref(), &self.endpoint).await
    }

    fn follow(
        self,
        method: &'static str,
        params: Value,
        mut position: Position,
    ) -> BoxStream<'static, Result<StreamResponse, ClientError>> {
        async_stream::try_stream! {
            let (mut method, mut params) = (method, params);
            let mut failures = 0;
            loop {
                let request = self.post(method, params.clone(), position.last_event_id.as_deref());
                let mut broken = None;
                match self.send_request(request).await {
                    Ok(response) => {
                        for await item in items(response, self.dialect, &self.endpoint) {
                            match item {
                                Ok((event_id, item)) => {
                                    failures = 0;
                                    position.advance(event_id, &item);
                                    yield item;
                                    // Some agents keep the stream open while they wait for an answer.
                                    if position.ended {
                                        return;
                                    }
                                }
                                Err(error) => { broken = Some(error); break; }
                            }
                        }
                    }
                    Err(error) => broken = Some(error),
                }
                let passing = broken.as_ref().is_none_or(is_passing);
                let broken = broken.unwrap_or_else(|| ClientError::Protocol("its stream ended too early".to_owned()));
                let Some(task) = position.task.clone() else {
                    Err(broken)?;
                    return;
                };
                failures += 1;
                if failures > RECONNECTS {
                    Err(broken)?;
                    return;
                }
                if !passing {
                    // An agent that cannot be watched, or a task that ended while nobody watched.
                    yield StreamResponse::Task(self.ended_task(&task, broken).await?);
                    return;
                }
                tokio::time::sleep(LONGEST_PAUSE.min(Duration::from_millis(100) * 2_u32.pow(failures))).await;
                (method, params) = (self.subscribe_method(), json!({ "id": task }));
            }
        }
        .boxed()
    }
}

/// How far a stream was read.
#[derive(Default)]
struct Position {
    task: Option<TaskId>,
    last_event_id: Option<String>,
    ended: bool,
}

impl Position {
    fn advance(&mut self, event_id: String, item: &StreamResponse) {
        if !event_id.is_empty() {
            self.last_event_id = Some(event_id);
        }
        let state = match item {
            StreamResponse::Task(task) => {
                self.task = Some(task.id.clone());
                task.status.state
            }
            StreamResponse::StatusUpdate(event) => event.status.state,
            StreamResponse::ArtifactUpdate(_) => return,
            StreamResponse::Message(_) => TaskState::Completed,
        };
        self.ended = state.is_terminal() || state.is_interrupted();
    }
}

/// True where trying again may help.
fn is_passing(broken: &ClientError) -> bool {
    match broken {
        ClientError::Unreachable { .. } => true,
        ClientError::Http { status, .. } => *status >= 500,
        ClientError::Token(error) => error.is_passing(),
        ClientError::Agent { .. } | ClientError::Elsewhere { .. } | ClientError::Protocol(_) => false,
    }
}

/// Scheme, host and port of a URL.
fn origin(url: &str) -> Option<reqwest::Url> {
    let mut url = reqwest::Url::parse(url).ok()?;
    url.set_path("");
    url.set_query(None);
    url.set_fragment(None);
    Some(url)
}

/// The events of a response with their ids. An answer that is no stream is an error of the agent.
fn items(
    response: reqwest::Response,
    dialect: Dialect,
    endpoint: &str,
) -> BoxStream<'static, Result<(String, StreamResponse), ClientError>> {
    let endpoint = endpoint.to_owned();
    async_stream::try_stream! {
        let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
        if !content_type.is_some_and(|content_type| content_type.starts_with("text/event-stream")) {
            result_of(read_json(response, &endpoint).await?)?;
            Err(ClientError::Protocol("it is no stream".to_owned()))?;
            return;
        }
        let since_event = AtomicUsize::new(0);
        let bytes = response.bytes_stream().map(|chunk| counted(chunk, &since_event, &endpoint));
        let mut events = pin!(bytes.eventsource());
        while let Some(event) = events.next().await {
            let event = event.map_err(|error| match error {
                eventsource_stream::EventStreamError::Transport(error) => error,
                other => ClientError::Protocol(other.to_string()),
            })?;
            since_event.store(0, Ordering::Relaxed);
            yield item(event, dialect)?;
        }
    }
    .boxed()
}

/// Bytes of a stream, as long as events come of them.
fn counted(
    chunk: Result<Bytes, reqwest::Error>,
    since_event: &AtomicUsize,
    endpoint: &str,
) -> Result<Bytes, ClientError> {
    let chunk = chunk.map_err(|source| unreachable(endpoint, source))?;
    match since_event.fetch_add(chunk.len(), Ordering::Relaxed) + chunk.len() {
        ..=MAX_EVENT => Ok(chunk),
        _ => Err(ClientError::Protocol(format!(
            "an event of its stream is larger than {} MiB",
            MAX_EVENT >> 20
        ))),
    }
}

fn item(event: Event, dialect: Dialect) -> Result<(String, StreamResponse), ClientError> {
    let answer =
        serde_json::from_str(&event.data).map_err(|error| ClientError::Protocol(error.to_string()))?;
    let result = result_of(answer)?;
    let result = match dialect {
        Dialect::V1 => result,
        Dialect::V03 => v03::stream_from_v03(result),
    };
    Ok((event.id, understood(result)?))
}

/// The endpoint and dialect of a card: 1.0's interfaces, or 0.3's `url`.
fn choose_interface(card: &Value) -> Option<(String, Dialect)> {
    let interfaces = card["supportedInterfaces"].as_array().into_iter().flatten();
    let json_rpc: Vec<&Value> =
        interfaces.filter(|interface| interface["protocolBinding"] == "JSONRPC").collect();
    let of_version = |prefix: &str| {
        let found = json_rpc.iter().find(|interface| {
            interface["protocolVersion"].as_str().is_some_and(|version| version.starts_with(prefix))
        });
        found.and_then(|interface| interface["url"].as_str()).map(str::to_owned)
    };
    let old = || {
        let json_rpc = card["preferredTransport"].as_str().is_none_or(|transport| transport == "JSONRPC");
        card["url"].as_str().filter(|_| json_rpc).map(str::to_owned)
    };
    of_version("1.0")
        .map(|url| (url, Dialect::V1))
        .or_else(|| of_version("0.3").or_else(old).map(|url| (url, Dialect::V03)))
}

fn unreachable(url: &str, source: reqwest::Error) -> ClientError {
    ClientError::Unreachable { url: url.to_owned(), source: source.without_url() }
}

/// Sends a request with a token, where there is one. A token that is refused is replaced once: it may have been revoked.
async fn send(
    request: reqwest::RequestBuilder,
    tokens: Option<&TokenSource>,
    url: &str,
) -> Result<reqwest::Response, ClientError> {
    let Some(tokens) = tokens else { return successful(request.send().await, url) };
    let token = tokens.token().await?;
    let again = request.try_clone();
    let response = request.bearer_auth(token.expose_secret()).send().await;
    let refused = response.as_ref().is_ok_and(|response| response.status() == StatusCode::UNAUTHORIZED);
    if let Some(again) = again.filter(|_| refused)
        && let Some(newer) = tokens.newer_than(&token).await
    {
        return successful(again.bearer_auth(newer.expose_secret()).send().await, url);
    }
    successful(response, url)
}

fn successful(
    response: Result<reqwest::Response, reqwest::Error>,
    url: &str,
) -> Result<reqwest::Response, ClientError> {
    let response = response.map_err(|source| unreachable(url, source))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let hint = hint(status, response.headers());
    Err(ClientError::Http { url: url.to_owned(), status: status.as_u16(), hint })
}

/// What an answer says is wrong, and what to do about it.
fn hint(status: StatusCode, headers: &HeaderMap) -> String {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(location) = text(LOCATION).filter(|_| status.is_redirection()) {
        let location: String = location.chars().take(MAX_LOCATION).collect();
        return format!(": it points at {location}, ask there directly");
    }
    let challenge = text(WWW_AUTHENTICATE);
    let said = |name| challenge.and_then(|challenge| parameter(challenge, name));
    match (status.as_u16(), said("error_description"), said("scope")) {
        (401, None, _) => {
            ": it wants a token of an issuer that it trusts (--token, or --client-id)".to_owned()
        }
        (401, Some(problem), _) => format!(": {problem}"),
        (403, _, Some(scope)) => format!(": the token does not allow this, it has to have the scope {scope}"),
        (403, ..) => ": the token does not allow this".to_owned(),
        (404, ..) => ": is this the address of an A2A agent?".to_owned(),
        _ => String::new(),
    }
}

/// A parameter of a `WWW-Authenticate` challenge, shortened.
fn parameter(challenge: &str, name: &str) -> Option<String> {
    let (_, value) = challenge.split_once(&format!("{name}=\""))?;
    let value = value.split('"').next().unwrap_or_default();
    Some(value.chars().take(200).collect())
}

async fn read_json(response: reqwest::Response, url: &str) -> Result<Value, ClientError> {
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|source| unreachable(url, source))?;
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(ClientError::Protocol("it is too large".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).map_err(|error| ClientError::Protocol(error.to_string()))
}

fn result_of(mut answer: Value) -> Result<Value, ClientError> {
    if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
        return Err(ClientError::Agent {
            code: error["code"].as_i64().unwrap_or_default(),
            message: error["message"].as_str().unwrap_or_default().to_owned(),
        });
    }
    match answer.get_mut("result") {
        Some(result) => Ok(result.take()),
        None => Err(ClientError::Protocol("there is neither a result nor an error".to_owned())),
    }
}

fn understood<T: DeserializeOwned>(value: Value) -> Result<T, ClientError> {
    serde_json::from_value(value).map_err(|error| ClientError::Protocol(error.to_string()))
}
