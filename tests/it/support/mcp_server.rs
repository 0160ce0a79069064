//! An MCP server that a test holds in its hands: pages of tools, a slow one, one that asks back; behind a door that knows
//! tokens and can be shut.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use rmcp::ErrorData;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, InputRequiredResult,
    ListToolsResult, PaginatedRequestParams, ProgressNotificationParam, ServerCapabilities, ServerConfig,
    Tool, ToolAnnotations,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::{Map, Value, json};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Notify;

/// How it behaves, and what it has seen. Clones share it.
#[derive(Clone, Default)]
pub struct McpStandIn {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    /// The revision without sessions is not spoken.
    legacy: bool,
    behaviour: Mutex<Behaviour>,
    lists: AtomicU32,
    calls: AtomicU32,
    canceled: Notify,
    started: Notify,
    seen: Mutex<Vec<HeaderMap>>,
}

/// How it behaves.
#[derive(Debug, Clone, Default)]
pub struct Behaviour {
    /// The value of `Authorization` that is let in; all are where there is none.
    pub wants: Option<String>,
    /// Every request is answered with this status.
    pub fails_with: Option<u16>,
    /// Every request is answered with a redirect to this address.
    pub redirects_to: Option<String>,
    /// Each page of tools leads to the same next one.
    pub endless: bool,
    /// Each page leads to another one, with a tool of a long schema.
    pub heavy: bool,
    /// More tools, one more page.
    pub more: bool,
}

impl McpStandIn {
    /// One that speaks only the revisions with sessions.
    pub fn legacy() -> Self {
        Self { inner: Arc::new(Inner { legacy: true, ..Inner::default() }) }
    }

    /// Serves on a free port, and says where.
    pub async fn start(&self) -> String {
        self.serve(TcpListener::bind("127.0.0.1:0").await.expect("a free port"))
    }

    /// Serves here, knowing no session of before.
    pub fn serve(&self, listener: TcpListener) -> String {
        let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
        tokio::spawn(axum::serve(listener, self.router()).into_future());
        url
    }

    /// The server with a table of sessions of its own.
    pub fn router(&self) -> Router {
        let server = self.clone();
        let service = StreamableHttpService::new(
            move || Ok(server.clone()),
            Arc::new(LocalSessionManager::default()),
            StreamableHttpServerConfig::default(),
        );
        Router::new().route_service("/mcp", service).layer(middleware::from_fn_with_state(self.clone(), door))
    }

    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.inner.behaviour.lock().expect("not poisoned"));
    }

    /// How often its tools were listed from the first page on.
    pub fn lists(&self) -> u32 {
        self.inner.lists.load(Ordering::SeqCst)
    }

    /// How often a tool was called.
    pub fn calls(&self) -> u32 {
        self.inner.calls.load(Ordering::SeqCst)
    }

    /// The headers of all requests.
    pub fn seen(&self) -> Vec<HeaderMap> {
        self.inner.seen.lock().expect("not poisoned").clone()
    }

    /// When the slow tool has begun.
    pub async fn started(&self) {
        self.inner.started.notified().await;
    }

    /// When the slow tool was told that nobody waits for it any more.
    pub async fn canceled(&self) {
        self.inner.canceled.notified().await;
    }

    fn behaviour(&self) -> Behaviour {
        self.inner.behaviour.lock().expect("not poisoned").clone()
    }
}

/// A port that is taken and where nobody listens yet.
pub fn silent_port() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let address = socket.local_addr().expect("an address");
    (socket, address)
}

async fn door(State(server): State<McpStandIn>, request: Request, next: Next) -> Response {
    server.inner.seen.lock().expect("not poisoned").push(request.headers().clone());
    let behaviour = server.behaviour();
    if let Some(status) = behaviour.fails_with {
        return StatusCode::from_u16(status).expect("a status").into_response();
    }
    if let Some(elsewhere) = behaviour.redirects_to {
        return (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, elsewhere)]).into_response();
    }
    let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match behaviour.wants {
        Some(wanted) if shown != Some(wanted.as_str()) => {
            (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response()
        }
        _ => next.run(request).await,
    }
}

fn tool(name: &'static str, description: &'static str) -> Tool {
    let schema = json!({ "type": "object", "properties": { "text": { "type": "string" } } });
    let Value::Object(schema) = schema else { unreachable!("it is an object") };
    Tool::new(name, description, Arc::new(schema))
}

fn tools() -> Vec<Tool> {
    let output: Map<String, Value> = serde_json::from_value(json!({
        "type": "object", "properties": { "said": { "type": "string" } }, "required": ["said"],
    }))
    .expect("an object");
    let mut echo = tool("echo", "Says the same again").with_raw_output_schema(Arc::new(output));
    echo.title = Some("Echo".to_owned());
    echo.annotations = Some(ToolAnnotations::new().read_only(true).open_world(false));
    let mut slow = tool("slow", "Counts to two, and then waits for ever");
    slow.annotations = Some(ToolAnnotations::with_title("Slow").destructive(false));
    vec![
        echo,
        slow,
        tool("large", "Says a lot"),
        tool("ask", "Asks a person"),
        tool("broken", "Fails"),
        tool("plan", "Plans"),
    ]
}

impl McpStandIn {
    async fn slow(&self, cx: RequestContext<RoleServer>) {
        if let Some(token) = cx.meta.get_progress_token() {
            for (done, says) in [(1.0, "one"), (2.0, "two")] {
                let progress = ProgressNotificationParam::new(token.clone(), done).with_message(says);
                let _ = cx.peer.notify_progress(progress.with_total(3.0)).await;
            }
        }
        self.inner.started.notify_one();
        cx.ct.cancelled().await;
        self.inner.canceled.notify_one();
    }
}

impl ServerHandler for McpStandIn {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_tool_list_changed().build())
    }

    fn supported_protocol_versions(&self) -> std::borrow::Cow<'static, [rmcp::model::ProtocolVersion]> {
        use rmcp::model::ProtocolVersion;
        match self.inner.legacy {
            true => vec![ProtocolVersion::V_2025_06_18, ProtocolVersion::V_2025_11_25].into(),
            false => vec![ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2026_07_28].into(),
        }
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let cursor = request.and_then(|request| request.cursor);
        let from: usize = cursor.as_deref().and_then(|cursor| cursor.parse().ok()).unwrap_or_default();
        if from == 0 {
            self.inner.lists.fetch_add(1, Ordering::SeqCst);
        }
        let mut tools = tools();
        if self.behaviour().more {
            tools.push(tool("later", "Came later"));
        }
        let page: Vec<Tool> = tools.iter().skip(from).take(2).cloned().collect();
        let mut result = ListToolsResult::with_all_items(page);
        result.next_cursor = (from + 2 < tools.len()).then(|| (from + 2).to_string());
        if self.behaviour().endless {
            result.next_cursor = Some("2".to_owned());
        }
        if self.behaviour().heavy {
            let schema = json!({ "type": "object", "description": "x".repeat(200_000) });
            let mut heavy = tool("heavy", "Long");
            heavy.name = format!("heavy{from}").into();
            heavy.input_schema = Arc::new(schema.as_object().cloned().unwrap_or_default());
            result = ListToolsResult::with_all_items(vec![heavy]);
            result.next_cursor = Some((from + 1).to_string());
        }
        Ok(result)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.inner.calls.fetch_add(1, Ordering::SeqCst);
        let said = request.arguments.unwrap_or_default().remove("text").unwrap_or_default();
        Ok(match &*request.name {
            "echo" => CallToolResult::structured(json!({ "said": said })).into(),
            "slow" => {
                self.slow(cx).await;
                CallToolResult::success(Vec::new()).into()
            }
            "large" => {
                let lines: Vec<String> = (0..2000).map(|number| format!("line {number}")).collect();
                let mut result = CallToolResult::success(vec![ContentBlock::text(lines.join("\n"))]);
                result.structured_content = Some(json!({ "lines": lines }));
                result.into()
            }
            "ask" if self.inner.legacy => CallToolResult::success(vec![ContentBlock::text("asked")]).into(),
            "ask" => InputRequiredResult::from_request_state("state").into(),
            "plan" => CallToolResult::structured(
                json!({ "planned": "delete it", "place": "cluster prod", "planToken": "t0k" }),
            )
            .into(),
            "broken" => CallToolResult::error(vec![ContentBlock::text("it is broken")]).into(),
            _ => return Err(ErrorData::invalid_params("there is no such tool\nat all", None)),
        })
    }
}
