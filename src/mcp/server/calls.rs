//! A tool as MCP offers it, and a call of it: progress, approval, and what came of it.

use std::sync::Arc;

use rmcp::ErrorData as McpError;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ProgressNotificationParam,
    ProgressToken, Tool, ToolAnnotations,
};
use rmcp::service::{Peer, RequestContext, RoleServer};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::McpServer;
use super::approval::{self, Answer};
use crate::tools::{CallContext, ToolOutcome, ToolProgress, ToolSpec};

/// Reports of progress that may wait for a client to take them.
const WAITING_REPORTS: usize = 64;
/// The tool whose outcomes are kept as resources.
const DIAGNOSIS: &str = "diagnose_cluster";

/// A tool as it is listed.
pub(super) fn offered(spec: ToolSpec) -> Tool {
    let annotations = ToolAnnotations::from_raw(
        Some(spec.title.to_string()),
        Some(spec.annotations.read_only_hint),
        Some(spec.annotations.destructive_hint),
        Some(spec.annotations.idempotent_hint),
        Some(spec.annotations.open_world_hint),
    );
    let mut tool = Tool::new(spec.name, spec.description, object(spec.input_schema));
    tool.title = Some(spec.title.into_owned());
    tool.output_schema = spec.output_schema.map(object);
    tool.annotations = Some(annotations);
    tool
}

fn object(schema: Value) -> Arc<Map<String, Value>> {
    Arc::new(match schema {
        Value::Object(schema) => schema,
        _ => Map::new(),
    })
}

/// Calls a tool. Whatever goes wrong in it is in the result, never a protocol error.
pub(super) async fn call(
    server: &McpServer,
    request: CallToolRequestParams,
    call: CallContext,
    cx: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, McpError> {
    let mut arguments = request.arguments.unwrap_or_default();
    if let Some(token) = request.request_state {
        match approval::answer(request.input_responses.as_ref()) {
            Answer::Approved => drop(arguments.insert(approval::TOKEN.to_owned(), token.into())),
            answer => return Ok(result(approval::refused(answer)).into()),
        }
    }
    let outcome = with_progress(server, &request.name, &arguments, call.clone(), cx).await;
    let Some(pending) = &outcome.pending else {
        keep(server, &request.name, &arguments, &outcome, &call);
        return Ok(result(outcome).into());
    };
    // A preview that was cut is none.
    let preview = outcome.structured["preview"].as_str().filter(|_| !outcome.truncated);
    match approval::ask(cx, pending, preview).await {
        approval::Asked::Nobody => Ok(result(outcome).into()),
        approval::Asked::Later(required) => Ok(required.into()),
        approval::Asked::Now(Answer::Approved) => {
            arguments.insert(approval::TOKEN.to_owned(), pending.plan_token.clone().into());
            Ok(result(in_turn(server, &request.name, Value::Object(arguments), &call).await).into())
        }
        approval::Asked::Now(answer) => Ok(result(approval::refused(answer)).into()),
    }
}

/// Calls the tool when it is this caller's turn.
async fn in_turn(server: &McpServer, name: &str, arguments: Value, call: &CallContext) -> ToolOutcome {
    match server.turns.take(&call.session.caller, &call.cancellation).await {
        Ok(_turn) => server.offer.toolbox.call(name, arguments, call).await,
        Err(none) => ToolOutcome::failed(none.to_string()),
    }
}

/// Calls the tool, and tells the client how far it is where the client asked for that.
async fn with_progress(
    server: &McpServer,
    name: &str,
    arguments: &Map<String, Value>,
    call: CallContext,
    cx: &RequestContext<RoleServer>,
) -> ToolOutcome {
    let arguments = Value::Object(arguments.clone());
    let Some(token) = cx.meta.get_progress_token() else {
        return in_turn(server, name, arguments, &call).await;
    };
    let (reports, told) = mpsc::channel(WAITING_REPORTS);
    let called = async move {
        // Owns the sender: when the call has ended, nothing more is told.
        let call = CallContext { progress: Some(reports), ..call };
        in_turn(server, name, arguments, &call).await
    };
    let (outcome, ()) = tokio::join!(called, tell(told, token, &cx.peer));
    outcome
}

/// Progress has to rise with each report.
async fn tell(mut told: mpsc::Receiver<ToolProgress>, token: ProgressToken, peer: &Peer<RoleServer>) {
    let mut last = None;
    while let Some(ToolProgress { done, total, says }) = told.recv().await {
        if last.is_some_and(|last| done <= last) {
            continue;
        }
        last = Some(done);
        let mut progress = ProgressNotificationParam::new(token.clone(), f64::from(done)).with_message(says);
        progress.total = total.map(f64::from);
        if let Err(error) = peer.notify_progress(progress).await {
            tracing::debug!(%error, "progress was not told");
        }
    }
}

/// Keeps a report, so that it can be read again.
fn keep(
    server: &McpServer,
    name: &str,
    arguments: &Map<String, Value>,
    outcome: &ToolOutcome,
    call: &CallContext,
) {
    if server.offer.library && name == DIAGNOSIS && !outcome.is_error {
        let scope = arguments.get("namespace").and_then(Value::as_str);
        server.reports.keep(&call.session.caller, scope, &outcome.text);
    }
}

fn result(outcome: ToolOutcome) -> CallToolResult {
    let content = vec![ContentBlock::text(outcome.text)];
    let mut result =
        if outcome.is_error { CallToolResult::error(content) } else { CallToolResult::success(content) };
    result.structured_content = Some(outcome.structured).filter(|structured| !structured.is_null());
    result
}
