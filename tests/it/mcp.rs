//! The tools as an MCP server: the wire of three revisions, who may call, what a person approves.

mod agent;
mod approval;
mod library;
mod protected;
mod stdio;
mod wire;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use drydock::app::{ConnectionLimits, McpSettings, serve_mcp};
use drydock::auth::Authenticator;
use drydock::mcp::{McpServer, Offer};
use drydock::tools::{Annotations, CallContext, PendingAct, ToolError, ToolOutcome, ToolSpec, Toolbox};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::tools::shop;

/// Tools that show what a server makes of its callers.
#[derive(Default)]
struct Stub {
    /// Notified when `wait` has begun, and when it was canceled.
    waiting: Notify,
    canceled: Notify,
    /// Arguments of each `change` that was done.
    done: Mutex<Vec<Value>>,
    was_canceled: AtomicBool,
}

#[async_trait]
impl Toolbox for Stub {
    async fn list(&self, cx: &CallContext) -> Result<Vec<ToolSpec>, ToolError> {
        let schema = json!({ "type": "object", "properties": { "to": { "type": "string" } } });
        let reading = ["whoami", "count", "wait"].map(|name| ToolSpec::named(name, schema.clone()));
        let change = ToolSpec { annotations: Annotations::DESTROYS, ..ToolSpec::named("change", schema) };
        Ok(reading.into_iter().chain(Some(change).filter(|_| cx.session.may_write)).collect())
    }

    async fn call(&self, name: &str, arguments: Value, cx: &CallContext) -> ToolOutcome {
        match name {
            "whoami" => {
                let region = cx.session.region().unwrap_or_default();
                let _ = cx.session.set_region("eu-west-1");
                ToolOutcome::new(json!({ "caller": &*cx.session.caller, "region": region }), String::new())
            }
            "count" => {
                for done in [1, 2, 2, 1, 3] {
                    cx.report(done, Some(3), format!("step {done}"));
                }
                ToolOutcome::new(json!({}), "counted".to_owned())
            }
            "wait" => {
                self.waiting.notify_one();
                cx.cancellation.cancelled().await;
                self.was_canceled.store(true, Ordering::SeqCst);
                self.canceled.notify_one();
                ToolOutcome::failed("canceled".to_owned())
            }
            "change" if arguments["plan_token"] == "secret-plan" => {
                self.done.lock().unwrap().push(arguments);
                ToolOutcome::new(json!({ "changed": true }), "changed".to_owned())
            }
            "change" => {
                let plan =
                    PendingAct { question: "Change it?".to_owned(), plan_token: "secret-plan".to_owned() };
                let preview = match arguments["to"].as_str() {
                    Some("long") => "x".repeat(20_000),
                    Some("hidden") => "\u{1b}[2J-red\n\u{202e}+blue".to_owned(),
                    _ => "-red\n+blue".to_owned(),
                };
                let shown = json!({ "preview": preview, "planToken": "secret-plan" });
                let truncated = arguments["to"] == "cut";
                ToolOutcome { pending: Some(plan), truncated, ..ToolOutcome::new(shown, "a plan".to_owned()) }
            }
            _ => ToolOutcome::failed(format!("there is no tool {name:?}")),
        }
    }
}

/// A running server. It ends with the test's runtime.
struct Served {
    /// Of the server, without a path.
    url: String,
    http: reqwest::Client,
    token: Option<String>,
    session: Option<String>,
}

struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    /// All messages of the body, JSON or SSE.
    messages: Vec<Value>,
    text: String,
}

impl Answer {
    /// The last message's result.
    fn result(&self) -> &Value {
        let last = self.messages.last().unwrap_or_else(|| panic!("{}: {}", self.status, self.text));
        assert!(last["result"].is_object(), "{last}");
        &last["result"]
    }

    fn error_code(&self) -> i64 {
        self.messages.last().and_then(|message| message["error"]["code"].as_i64()).unwrap_or_default()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

impl Served {
    async fn own() -> Self {
        Self::offer(Offer::own(Arc::new(shop::tools(shop::shop()))), Authenticator::anonymous(), false).await
    }

    async fn stub(stub: &Arc<Stub>) -> Self {
        Self::guarded(stub, Authenticator::anonymous()).await
    }

    async fn guarded(stub: &Arc<Stub>, authenticator: Authenticator) -> Self {
        let toolbox: Arc<dyn Toolbox> = Arc::clone(stub) as _;
        Self::offer(Offer::own(toolbox), authenticator, false).await
    }

    async fn offer(offer: Offer, authenticator: Authenticator, stateless: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let connections = ConnectionLimits::default();
        let settings = McpSettings { authenticator, public_url: None, stateless, connections };
        tokio::spawn(serve_mcp(McpServer::over_http(offer), settings, listener, std::future::pending()));
        Self { url, http: reqwest::Client::new(), token: None, session: None }
    }

    /// The same server for another caller.
    fn with_token(&self, token: &str) -> Self {
        Self {
            url: self.url.clone(),
            http: self.http.clone(),
            token: Some(token.to_owned()),
            session: self.session.clone(),
        }
    }

    fn post(&self, body: &Value) -> reqwest::RequestBuilder {
        let mut request = self
            .http
            .post(format!("{}/mcp", self.url))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(body.to_string());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(session) = &self.session {
            request = request.header("mcp-session-id", session);
        }
        request
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let is_sse = headers.get("content-type").is_some_and(|media| media == "text/event-stream");
        let data = |line: &str| serde_json::from_str(line.strip_prefix("data:")?.trim()).ok();
        let messages = match is_sse {
            true => text.lines().filter_map(data).collect(),
            false => serde_json::from_str(&text).into_iter().collect(),
        };
        Answer { status, headers, messages, text }
    }

    /// A request of 2026-07-28, with what it needs of headers and metadata.
    async fn stateless(&self, method: &str, params: Value) -> Answer {
        self.send(self.stateless_request(method, params)).await
    }

    fn stateless_request(&self, method: &str, mut params: Value) -> reqwest::RequestBuilder {
        let mut meta = params["_meta"].as_object().cloned().unwrap_or_default();
        meta.insert("io.modelcontextprotocol/protocolVersion".to_owned(), "2026-07-28".into());
        meta.entry("io.modelcontextprotocol/clientCapabilities").or_insert(json!({}));
        meta.insert(
            "io.modelcontextprotocol/clientInfo".to_owned(),
            json!({ "name": "test", "version": "1" }),
        );
        params["_meta"] = Value::Object(meta);
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let mut request =
            self.post(&body).header("mcp-protocol-version", "2026-07-28").header("mcp-method", method);
        let name = params["name"].as_str().or(params["uri"].as_str());
        if let Some(name) = name {
            request = request.header("mcp-name", name);
        }
        request
    }

    /// Opens a session of an older revision.
    async fn initialize(&mut self, version: &str, capabilities: Value) -> Answer {
        let params = json!({
            "protocolVersion": version, "capabilities": capabilities,
            "clientInfo": { "name": "test", "version": "1" },
        });
        let answer = self.legacy("initialize", params).await;
        self.session = answer.headers.get("mcp-session-id").map(|id| id.to_str().unwrap().to_owned());
        let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        if self.session.is_some() {
            let accepted = self.send(self.post(&ready)).await;
            assert_eq!(accepted.status, 202, "{}", accepted.text);
        }
        answer
    }

    async fn legacy(&self, method: &str, params: Value) -> Answer {
        self.send(self.post(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }))).await
    }
}
