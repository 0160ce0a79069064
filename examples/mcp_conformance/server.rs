//! The server: which fixture answers which request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rmcp::ErrorData as McpError;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, GetPromptRequestParams,
    GetPromptResponse, Implementation, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse,
    ServerCapabilities, ServerConfig, SetLevelRequestParams, SubscribeRequestParams, SubscriptionFilter,
    Tool, UnsubscribeRequestParams,
};
use rmcp::service::{RequestContext, RoleServer, SubscriptionContext};
use tokio::sync::broadcast;

use crate::asking::{self, Asking, Turn};
use crate::{library, tools};

/// Changes that a slow listener may lag behind.
const WAITING_CHANGES: usize = 16;

/// What has changed.
#[derive(Debug, Clone, Copy)]
enum Change {
    Tools,
    Prompts,
}

#[derive(Clone)]
pub struct Fixtures {
    asking: Arc<Asking>,
    changes: broadcast::Sender<Change>,
    /// The tool that comes and goes is there.
    extra_tool: Arc<AtomicBool>,
    /// The prompt that comes and goes is there.
    extra_prompt: Arc<AtomicBool>,
    /// Calls of `test_wait` that were canceled.
    given_up: Arc<AtomicUsize>,
}

impl Fixtures {
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            asking: Arc::new(Asking::new()?),
            changes: broadcast::channel(WAITING_CHANGES).0,
            extra_tool: Arc::default(),
            extra_prompt: Arc::default(),
            given_up: Arc::default(),
        })
    }

    fn tools(&self) -> Result<Vec<Tool>, McpError> {
        tools::list(self.extra_tool.load(Ordering::Relaxed))
    }

    /// Begins, and ends when it is canceled.
    async fn wait(&self, cx: &RequestContext<RoleServer>) -> CallToolResponse {
        tools::tell_progress(cx, 0.0).await;
        cx.ct.cancelled().await;
        self.given_up.fetch_add(1, Ordering::SeqCst);
        tools::said("canceled").into()
    }

    /// Makes a change, and tells those who listen.
    fn change(&self, what: Change) -> CallToolResponse {
        let there = match what {
            Change::Tools => &self.extra_tool,
            Change::Prompts => &self.extra_prompt,
        };
        there.fetch_xor(true, Ordering::Relaxed);
        let listeners = self.changes.send(what).unwrap_or_default();
        tools::said(format!("told {listeners} listeners")).into()
    }
}

impl rmcp::ServerHandler for Fixtures {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_completions()
            .enable_logging()
            .build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("drydock-mcp-conformance", env!("CARGO_PKG_VERSION")))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, McpError> {
        self.tools().map(ListToolsResult::with_all_items)
    }

    /// For the check of the headers that repeat arguments.
    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools().ok()?.into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, McpError> {
        match &*request.name {
            "test_trigger_tool_change" => return Ok(self.change(Change::Tools)),
            "test_trigger_prompt_change" => return Ok(self.change(Change::Prompts)),
            "test_wait" => return Ok(self.wait(&cx).await),
            "test_given_up" => {
                return Ok(tools::said(self.given_up.load(Ordering::SeqCst).to_string()).into());
            }
            _ => {}
        }
        let Some(rounds) = asking::rounds(&request.name) else { return tools::call(&request, &cx).await };
        let (answers, state) = (request.input_responses.as_ref(), request.request_state.as_deref());
        Ok(match self.asking.turn(&request.name, &rounds, answers, state, &cx)? {
            Turn::Ask(required) => required.into(),
            Turn::Done(text) => tools::said(text).into(),
        })
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, McpError> {
        library::prompts(self.extra_prompt.load(Ordering::Relaxed)).map(ListPromptsResult::with_all_items)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        cx: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, McpError> {
        let Some(rounds) = asking::rounds(&request.name) else {
            return library::prompt(&request).map(Into::into);
        };
        let (answers, state) = (request.input_responses.as_ref(), request.request_state.as_deref());
        Ok(match self.asking.turn(&request.name, &rounds, answers, state, &cx)? {
            Turn::Ask(required) => required.into(),
            Turn::Done(text) => library::asked(text).into(),
        })
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, McpError> {
        Ok(ListResourcesResult::with_all_items(library::resources()))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, McpError> {
        Ok(ListResourceTemplatesResult::with_all_items(library::templates()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, McpError> {
        library::read(&request.uri).map(Into::into)
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, McpError> {
        Ok(library::complete(&request.argument.value))
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(requested.clone())
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), McpError> {
        let mut changes = self.changes.subscribe();
        loop {
            let change = tokio::select! {
                () = subscription.cancelled() => return Ok(()),
                change = changes.recv() => change,
            };
            let sink = subscription.sink();
            // What was not asked for is refused by the sink.
            let told = match change {
                Ok(Change::Tools) => sink.notify_tool_list_changed().await,
                Ok(Change::Prompts) => sink.notify_prompt_list_changed().await,
                Err(_) => return Ok(()),
            };
            if let Err(error) = told {
                tracing::debug!(%error, "a change was not told");
            }
        }
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), McpError> {
        library::is_watched(&request.uri)
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), McpError> {
        library::is_watched(&request.uri)
    }

    /// All messages are of a level that nobody turns off here.
    async fn set_level(
        &self,
        _: SetLevelRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), McpError> {
        Ok(())
    }
}
