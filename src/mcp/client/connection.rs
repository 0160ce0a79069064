//! One connection to another server, over Streamable HTTP or with a program.

use std::collections::HashSet;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CallToolResult, CancelledNotificationParam, ClientRequest,
    PaginatedRequestParams, ProtocolVersion, RequestId, ServerResult,
};
use rmcp::service::{
    ClientCacheConfig, ClientInitializeError, ClientLifecycleMode, ClientServiceExt, Peer,
    PeerRequestOptions, RoleClient, RunningService, ServiceError,
};
use rmcp::transport::common::client_side_sse::SseRetryPolicy;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use secrecy::SecretString;
use tokio::process::Command;
use tokio::time::Instant;

use super::convert;
use super::credentials::Credentials;
use super::failure::{Failure, MAX_ANSWER};
use super::handler::Handler;
use super::http::ProvedHttp;
use crate::tools::{CallContext, ToolSpec};

/// How long it may take until a server is ready to be asked.
const START_TIMEOUT: Duration = Duration::from_secs(20);
/// Calls that are under way at the same time; more wait.
const MAX_CALLS: usize = 256;
/// Pages of a list of tools.
const MAX_PAGES: usize = 100;
/// Tools of one server.
const MAX_TOOLS: usize = 1000;
/// How long a list of tools is used where the server does not say it.
const LIST_LIFE: Duration = Duration::from_secs(60);
/// The bounds of what a server may say.
const LIST_LIVES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3600)];

/// A program that speaks MCP on its standard input and output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its path, or its name on the `PATH` of this process.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its whole environment: it gets nothing of ours.
    pub environment: Vec<(String, String)>,
}

/// How a server is reached.
pub(super) enum Connector {
    /// Over HTTP.
    Http { url: Arc<str>, http: reqwest::Client, credentials: Arc<Credentials> },
    /// As a child of this process.
    Program(Program),
}

impl Connector {
    /// True where each caller has connections of its own.
    pub(super) fn is_per_caller(&self) -> bool {
        matches!(self, Self::Http { credentials, .. } if matches!(**credentials, Credentials::PassThrough))
    }

    /// Connects. `caller` is the caller's own token, where it is passed on.
    pub(super) async fn connect(&self, caller: Option<SecretString>) -> Result<Arc<Live>, Failure> {
        let started = match tokio::time::timeout(START_TIMEOUT, self.start(caller)).await {
            Err(_) => Err(Failure::Silent),
            // It broke before anything was asked of it.
            Ok(Err(Failure::Lost)) => Err(match self {
                Self::Http { .. } => Failure::Unreachable,
                Self::Program(program) => Failure::NotStarted(program.program.clone()),
            }),
            Ok(started) => started,
        };
        let service = started?;
        service.peer().set_response_cache_config(ClientCacheConfig::disabled()).await;
        Ok(Arc::new(Live { service, over: AtomicBool::new(false) }))
    }

    /// Asks which revision the server speaks: first the stateless one, then those with a handshake.
    async fn start(&self, caller: Option<SecretString>) -> Result<Service, Failure> {
        let handshake = Some(ProtocolVersion::LATEST_WITH_INITIALIZE);
        let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
        let asking = ClientLifecycleMode::Auto { preferred_versions, legacy_version: handshake };
        match self.start_with(caller.clone(), asking).await? {
            // Knows that there is a stateless revision, and does not speak it.
            Err(ClientInitializeError::NoCompatibleProtocolVersion { .. }) => {
                let started = self.start_with(caller, ClientLifecycleMode::Initialize).await?;
                started.map_err(|error| Failure::of_start(&error))
            }
            started => started.map_err(|error| Failure::of_start(&error)),
        }
    }

    async fn start_with(
        &self,
        caller: Option<SecretString>,
        lifecycle: ClientLifecycleMode,
    ) -> Result<Result<Service, ClientInitializeError>, Failure> {
        let handler = Arc::new(Handler::default());
        Ok(match self {
            Self::Http { url, http, credentials } => {
                let (http, credentials) = (http.clone(), Arc::clone(credentials));
                let http = ProvedHttp { http, credentials, caller };
                let transport = StreamableHttpClientTransport::with_client(http, settings(url));
                handler.serve_with_lifecycle(transport, lifecycle).await
            }
            Self::Program(program) => handler.serve_with_lifecycle(spawn(program)?, lifecycle).await,
        })
    }
}

fn settings(url: &Arc<str>) -> StreamableHttpClientTransportConfig {
    let mut settings = StreamableHttpClientTransportConfig::with_uri(Arc::clone(url))
        .max_concurrent_requests(MAX_CALLS)
        .max_sse_event_size(MAX_ANSWER);
    settings.max_json_response_size = MAX_ANSWER;
    settings.retry_config = Arc::new(Resumptions);
    settings
}

/// A stream that breaks is taken up a few times, then what it was for has failed.
#[derive(Debug)]
struct Resumptions;

impl SseRetryPolicy for Resumptions {
    fn retry(&self, times: usize) -> Option<Duration> {
        let pauses = [200, 500, 1000, 2000].map(Duration::from_millis);
        pauses.get(times).copied()
    }
}

fn spawn(program: &Program) -> Result<TokioChildProcess, Failure> {
    let mut command = Command::new(&program.program);
    command.args(&program.arguments).env_clear().envs(program.environment.iter().cloned()).kill_on_drop(true);
    // What it says on standard error may be anything, and is not for our log.
    let spawned = TokioChildProcess::builder(command).stderr(Stdio::null()).spawn();
    spawned.map(|(child, _)| child).map_err(|_| Failure::NotStarted(program.program.clone()))
}

type Service = RunningService<RoleClient, Arc<Handler>>;

/// A connection.
pub(super) struct Live {
    service: Service,
    /// It is of no use any more.
    over: AtomicBool,
}

/// A server's tools as they were listed.
#[derive(Clone)]
pub(super) struct Listed {
    pub(super) tools: Arc<[ToolSpec]>,
    until: Instant,
    handler: Arc<Handler>,
}

impl Listed {
    /// True while they can be used: they are this connection's, not old, and have not changed.
    pub(super) fn is_fresh_from(&self, live: &Live) -> bool {
        let is_current = Arc::ptr_eq(&self.handler, live.service.service());
        is_current && Instant::now() < self.until && !self.handler.changed.load(Ordering::Relaxed)
    }
}

/// About how much a tool takes in memory, in bytes.
fn weight(tool: &ToolSpec) -> usize {
    let schemas = [Some(&tool.input_schema), tool.output_schema.as_ref()];
    let schemas: usize = schemas.into_iter().flatten().map(|schema| schema.to_string().len()).sum();
    tool.name.len() + tool.description.len() + schemas
}

impl Live {
    pub(super) fn is_open(&self) -> bool {
        !self.over.load(Ordering::Relaxed) && !self.service.is_closed() && !self.service.is_transport_closed()
    }

    /// After some failures the next one who asks connects anew.
    pub(super) fn fails(&self, failure: &Failure) {
        if failure.ends_connection() {
            self.over.store(true, Ordering::Relaxed);
        }
    }

    /// [`Self::list`], for as long as it takes.
    pub(super) async fn listed(self: Arc<Self>) -> Result<Listed, Failure> {
        self.list().await
    }

    /// All tools, page by page.
    pub(super) async fn list(&self) -> Result<Listed, Failure> {
        let handler = Arc::clone(self.service.service());
        handler.changed.store(false, Ordering::Relaxed);
        let (mut tools, mut life, mut cursors) = (Vec::new(), None, HashSet::new());
        let (mut cursor, mut weighs) = (None, 0);
        for _ in 0..MAX_PAGES {
            let page = PaginatedRequestParams::default().with_cursor(cursor.take());
            let page = self.service.list_tools(Some(page)).await;
            let page = page.map_err(|error| Failure::of_request(&error))?;
            life = life.into_iter().chain(page.ttl_ms.map(Duration::from_millis)).min();
            let page_of_tools: Vec<ToolSpec> = page.tools.into_iter().filter_map(convert::spec).collect();
            weighs += page_of_tools.iter().map(weight).sum::<usize>();
            tools.extend(page_of_tools);
            if weighs > MAX_ANSWER {
                return Err(Failure::Endless);
            }
            match page.next_cursor.filter(|next| !next.is_empty()) {
                None if tools.len() <= MAX_TOOLS => {
                    let [shortest, longest] = LIST_LIVES;
                    let until = Instant::now() + life.unwrap_or(LIST_LIFE).clamp(shortest, longest);
                    return Ok(Listed { tools: tools.into(), until, handler });
                }
                Some(next) if tools.len() <= MAX_TOOLS && cursors.insert(next.clone()) => cursor = Some(next),
                _ => break,
            }
        }
        Err(Failure::Endless)
    }

    /// Calls a tool. The server is told when the call is given up.
    pub(super) async fn call(
        &self,
        params: CallToolRequestParams,
        cx: &CallContext,
    ) -> Result<CallToolResult, Failure> {
        let failed = |error: ServiceError| Failure::of_request(&error);
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        let asked = self.service.send_request_with_option(request, PeerRequestOptions::no_options());
        let asked = asked.await.map_err(failed)?;
        let _listening = self.service.service().listen(asked.progress_token.clone(), cx);
        let mut given_up = GivenUp { peer: self.service.peer(), id: Some(asked.id.clone()) };
        let answer = asked.await_response().await;
        given_up.id = None;
        match answer.map_err(failed)? {
            ServerResult::CallToolResult(result) => Ok(result),
            ServerResult::EmptyResult(_) => Ok(CallToolResult::default()),
            ServerResult::InputRequiredResult(_) => Err(Failure::NeedsInput),
            _ => Err(Failure::NotUnderstood),
        }
    }
}

/// A request whose answer nobody waits for any more, unless it was taken out.
struct GivenUp<'a> {
    peer: &'a Peer<RoleClient>,
    id: Option<RequestId>,
}

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        let Some(id) = self.id.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let peer = self.peer.clone();
        runtime.spawn(async move {
            let told = CancelledNotificationParam::new(Some(id), Some("the caller gave up".to_owned()));
            if let Err(error) = peer.notify_cancelled(told).await {
                tracing::debug!(%error, "a server was not told that a call was given up");
            }
        });
    }
}
