//! A toolbox as an MCP server: tools, and with a library also resources and prompts.
//!
//! Speaks the revisions 2025-06-18, 2025-11-25 and the stateless 2026-07-28 (and older ones that the SDK knows). What a
//! caller may see and do follows from who calls, never from the connection.

mod approval;
mod calls;
mod pages;
mod prompts;
mod reports;
mod resources;
mod turns;

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::request::Parts;
use rmcp::ErrorData as McpError;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CompleteRequestMethod, CompleteRequestParams,
    CompleteResult, ConstString, GetPromptRequestMethod, GetPromptRequestParams, GetPromptResponse,
    Implementation, ListPromptsRequestMethod, ListPromptsResult, ListResourceTemplatesRequestMethod,
    ListResourceTemplatesResult, ListResourcesRequestMethod, ListResourcesResult, ListToolsResult,
    PaginatedRequestParams, ReadResourceRequestMethod, ReadResourceRequestParams, ReadResourceResponse,
    ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, RoleServer};
use secrecy::SecretString;

use crate::tools::{CallContext, Session, Sessions, Toolbox};
use reports::Reports;
use turns::Turns;

/// Upper bound of a tool's text and of its JSON, in bytes each, where nothing else is said.
const MAX_BYTES: usize = 100_000;
/// How long clients may keep a list, in milliseconds. Tools change with the server's flags only.
const LIST_TTL: u64 = 60_000;
/// The header that names a session of the revisions before 2026-07-28.
pub(super) const SESSION_HEADER: &str = "mcp-session-id";

/// What is served.
pub struct Offer {
    /// The tools.
    pub toolbox: Arc<dyn Toolbox>,
    /// What clients tell their model about this server.
    pub instructions: String,
    /// Articles of the guide, rules and last reports as resources, and the workflows as prompts. They speak of
    /// drydock's own tools.
    pub library: bool,
    /// Upper bound of a tool's text and of its JSON, in bytes each.
    pub max_bytes: usize,
    /// The toolbox is told the callers' own tokens, to pass them on.
    pub pass_tokens: bool,
}

impl Offer {
    /// drydock's own tools, with all that explains them.
    pub fn own(toolbox: Arc<dyn Toolbox>) -> Self {
        let instructions = "Finds out why Kubernetes workloads are broken. Call diagnose_cluster first: it names root \
             causes with evidence, without a language model. Look closer with the other tools, and explain with \
             explain_finding. Never guess a cluster or a region: ask, or list them where a tool for that is offered. \
             A tool that changes something answers with a plan first; show it to the user before it is approved."
            .to_owned();
        Self { toolbox, instructions, library: true, max_bytes: MAX_BYTES, pass_tokens: false }
    }

    /// The tools of others.
    pub fn gateway(toolbox: Arc<dyn Toolbox>) -> Self {
        let instructions =
            "The tools of several servers. Their names begin with the server's name and three \
             underscores; x_amz_bedrock_agentcore_search finds the right ones."
                .to_owned();
        Self { toolbox, instructions, library: false, max_bytes: MAX_BYTES, pass_tokens: false }
    }
}

/// Who sent an HTTP request, as whoever let it in found out.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Id of the principal.
    pub id: String,
    /// Nobody was asked who they are: calls of one are not told from those of another.
    pub anonymous: bool,
    /// May ask for changes.
    pub may_write: bool,
}

/// An MCP server over one transport. Clones share everything.
#[derive(Clone)]
pub struct McpServer {
    offer: Arc<Offer>,
    sessions: Arc<Sessions>,
    reports: Arc<Reports>,
    turns: Arc<Turns>,
    /// The one caller of a server that is a child process; over HTTP callers come with each request.
    local: Option<Session>,
}

impl McpServer {
    /// A server whose callers come with each HTTP request, as a [`Caller`] in its extensions. Without one nothing is
    /// answered.
    pub fn over_http(offer: Offer) -> Self {
        Self {
            offer: Arc::new(offer),
            sessions: Arc::default(),
            reports: Arc::default(),
            turns: Arc::default(),
            local: None,
        }
    }

    /// A server for the process that started it, which may do what the server's policy allows.
    pub fn local(offer: Offer) -> Self {
        Self { local: Some(Session::new("local", true)), ..Self::over_http(offer) }
    }

    /// The session of a request.
    fn session(&self, cx: &RequestContext<RoleServer>) -> Result<Session, McpError> {
        if let Some(session) = &self.local {
            return Ok(session.clone());
        }
        let parts = cx.extensions.get::<Parts>();
        let caller = parts.and_then(|parts| parts.extensions.get::<Caller>());
        let (Some(parts), Some(Caller { id, anonymous, may_write })) = (parts, caller) else {
            tracing::error!("bug: a request without a caller");
            return Err(McpError::internal_error("the caller is not known", None));
        };
        let named = parts.headers.get(SESSION_HEADER).and_then(|name| name.to_str().ok());
        let session = match (named, anonymous) {
            (None, true) => Session::stateless(id, *may_write),
            (named, _) => self.sessions.of(&format!("{id}\n{}", named.unwrap_or_default()), id, *may_write),
        };
        let token = if self.offer.pass_tokens { bearer(parts) } else { None };
        Ok(session.with_bearer(token))
    }

    /// Refuses what only a server with a library has.
    fn needs_library<Method: ConstString>(&self) -> Result<(), McpError> {
        match self.offer.library {
            true => Ok(()),
            false => Err(McpError::method_not_found::<Method>()),
        }
    }

    fn call_context(&self, cx: &RequestContext<RoleServer>) -> Result<CallContext, McpError> {
        let cancellation = cx.ct.child_token();
        Ok(CallContext { cancellation, ..CallContext::new(self.session(cx)?, self.offer.max_bytes) })
    }
}

/// The token that a caller showed, and that was found good.
fn bearer(parts: &Parts) -> Option<SecretString> {
    let shown = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = shown.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().into())
}

impl rmcp::ServerHandler for McpServer {
    fn get_info(&self) -> ServerConfig {
        let mut capabilities = ServerCapabilities::builder().enable_tools().build();
        if self.offer.library {
            capabilities = ServerCapabilities::builder()
                .enable_tools()
                .enable_resources()
                .enable_prompts()
                .enable_completions()
                .build();
        }
        let about = Implementation::new("drydock", env!("CARGO_PKG_VERSION"))
            .with_title("drydock")
            .with_description(env!("CARGO_PKG_DESCRIPTION"));
        ServerConfig::new(capabilities)
            .with_server_info(about)
            .with_instructions(self.offer.instructions.clone())
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        cx: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, McpError> {
        let tools = self.offer.toolbox.list(&self.call_context(&cx)?).await;
        let tools = tools.map_err(|error| McpError::internal_error(error.to_string(), None))?;
        let (page, next) = pages::page(tools, request.as_ref())?;
        let mut result = ListToolsResult::with_all_items(page.into_iter().map(calls::offered).collect());
        result.next_cursor = next;
        // What is offered depends on who asks.
        (result.ttl_ms, result.cache_scope) = (Some(LIST_TTL), Some(CacheScope::Private));
        Ok(result)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, McpError> {
        let call = self.call_context(&cx)?;
        calls::call(self, request, call, &cx).await
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        cx: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, McpError> {
        self.needs_library::<ListResourcesRequestMethod>()?;
        let caller = self.session(&cx)?.caller;
        resources::list(self, &caller, request.as_ref())
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, McpError> {
        self.needs_library::<ListResourceTemplatesRequestMethod>()?;
        Ok(resources::templates())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, McpError> {
        self.needs_library::<ReadResourceRequestMethod>()?;
        let caller = self.session(&cx)?.caller;
        resources::read(self, &caller, &request.uri).map(Into::into)
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, McpError> {
        self.needs_library::<ListPromptsRequestMethod>()?;
        Ok(prompts::list())
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, McpError> {
        self.needs_library::<GetPromptRequestMethod>()?;
        prompts::get(&request).map(Into::into)
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, McpError> {
        self.needs_library::<CompleteRequestMethod>()?;
        Ok(resources::complete(&request))
    }
}
