//! The tools that answer at once, or with the help of a session of the revisions that have them.

use std::time::Duration;

use rmcp::ErrorData as McpError;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, LoggingLevel,
    LoggingMessageNotificationParam, ProgressNotificationParam, ProtocolVersion, ResourceContents, Tool,
};
use rmcp::service::{RequestContext, RoleServer, ServiceError};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A red dot.
pub const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSuQmCC";
/// Two samples of silence.
const WAV: &str = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQIAAACAgA==";
/// Between two notifications of a call, so that they are told one by one.
const PAUSE: Duration = Duration::from_millis(50);
/// Tools without arguments.
const PLAIN: &[&str] = &[
    "test_simple_text",
    "test_image_content",
    "test_audio_content",
    "test_embedded_resource",
    "test_multiple_content_types",
    "test_tool_with_logging",
    "test_logging_tool",
    "test_error_handling",
    "test_tool_with_progress",
    "test_elicitation_sep1034_defaults",
    "test_elicitation_sep1330_enums",
    "test_wait",
    "test_given_up",
    "test_trigger_tool_change",
    "test_trigger_prompt_change",
    "test_missing_capability",
    "test_streaming_elicitation",
    "test_input_required_result_elicitation",
    "test_input_required_result_sampling",
    "test_input_required_result_list_roots",
    "test_input_required_result_request_state",
    "test_input_required_result_multiple_inputs",
    "test_input_required_result_multi_round",
    "test_input_required_result_tampered_state",
    "test_input_required_result_capabilities",
];

/// Fixtures are written in JSON, as the suite's texts have them.
pub fn parsed<T: DeserializeOwned>(fixture: Value) -> Result<T, McpError> {
    serde_json::from_value(fixture).map_err(|error| McpError::internal_error(format!("bug: {error}"), None))
}

pub fn said(text: impl Into<String>) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}

pub fn list(extra: bool) -> Result<Vec<Tool>, McpError> {
    let tool = |name: &str, schema: Value| json!({ "name": name, "description": format!("{name}, a fixture"), "inputSchema": schema });
    let one = |name: &str| json!({ "type": "object", "properties": { name: { "type": "string" } }, "required": [name] });
    let mut all: Vec<Value> = PLAIN.iter().map(|name| tool(name, json!({ "type": "object" }))).collect();
    all.push(tool("test_sampling", one("prompt")));
    all.push(tool("test_elicitation", one("message")));
    all.push(tool("json_schema_2020_12_tool", every_keyword()));
    all.push(tool("test_custom_header", repeated_in_a_header()));
    all.extend(extra.then(|| tool("test_extra_tool", json!({ "type": "object" }))));
    parsed(all.into())
}

fn repeated_in_a_header() -> Value {
    json!({ "type": "object", "properties": { "region": { "type": "string", "x-mcp-header": "Region" } } })
}

fn every_keyword() -> Value {
    let address = json!({ "street": { "type": "string" }, "city": { "type": "string" } });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": { "address": { "$anchor": "addressDef", "type": "object", "properties": address } },
        "properties": {
            "name": { "type": "string" },
            "address": { "$ref": "#/$defs/address" },
            "contactMethod": { "type": "string", "enum": ["phone", "email"] },
            "phone": { "type": "string" },
            "email": { "type": "string" },
        },
        "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
        "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
        "then": { "required": ["phone"] },
        "else": { "required": ["email"] },
        "additionalProperties": false,
    })
}

pub async fn call(
    request: &CallToolRequestParams,
    cx: &RequestContext<RoleServer>,
) -> Result<CallToolResponse, McpError> {
    let argument = |name: &str| {
        let value = request.arguments.as_ref().and_then(|arguments| arguments.get(name)?.as_str());
        value.unwrap_or_default().to_owned()
    };
    let result = match &*request.name {
        "test_error_handling" => {
            let text = "This tool intentionally returns an error for testing";
            CallToolResult::error(vec![ContentBlock::text(text)])
        }
        "test_tool_with_logging" | "test_logging_tool" => log(cx).await,
        "test_tool_with_progress" => progress(cx).await,
        "test_sampling" => sample(cx, &argument("prompt")).await?,
        "test_elicitation" => elicit(cx, &argument("message"), user_schema()).await?,
        "test_elicitation_sep1034_defaults" => elicit(cx, "Is all of this right?", defaults()).await?,
        "test_elicitation_sep1330_enums" => elicit(cx, "Which ones?", choices()).await?,
        "json_schema_2020_12_tool" | "test_custom_header" | "test_extra_tool" => {
            said(json!(request.arguments).to_string())
        }
        name => CallToolResult::success(
            content(name).ok_or_else(|| McpError::invalid_params("there is no such tool", None))?,
        ),
    };
    Ok(result.into())
}

/// The tools that show a kind of content.
fn content(name: &str) -> Option<Vec<ContentBlock>> {
    let resource = |uri: &str, text: &str, mime_type: &str| {
        ContentBlock::resource(ResourceContents::text(text, uri).with_mime_type(mime_type))
    };
    let image = || ContentBlock::image(PNG, "image/png");
    Some(match name {
        "test_simple_text" => vec![ContentBlock::text("This is a simple text response for testing.")],
        "test_image_content" => vec![image()],
        "test_audio_content" => vec![ContentBlock::audio(WAV, "audio/wav")],
        "test_embedded_resource" => {
            vec![resource("test://embedded-resource", "This is an embedded resource content.", "text/plain")]
        }
        "test_multiple_content_types" => vec![
            ContentBlock::text("Multiple content types test:"),
            image(),
            resource("test://mixed-content-resource", r#"{"test":"data","value":123}"#, "application/json"),
        ],
        _ => return None,
    })
}

/// A client of 2026-07-28 is told only what it asked for.
async fn log(cx: &RequestContext<RoleServer>) -> CallToolResult {
    let is_stateless = cx.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28);
    for text in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
        if !is_stateless || cx.meta.log_level().is_some() {
            let message = LoggingMessageNotificationParam::new(LoggingLevel::Info, text.into());
            lost(cx.peer.notify_logging_message(message).await);
        }
        tokio::time::sleep(PAUSE).await;
    }
    said("logged three messages")
}

async fn progress(cx: &RequestContext<RoleServer>) -> CallToolResult {
    for done in [0.0, 50.0, 100.0] {
        tell_progress(cx, done).await;
        tokio::time::sleep(PAUSE).await;
    }
    said("all of it is done")
}

/// Where the client asked for that.
pub async fn tell_progress(cx: &RequestContext<RoleServer>, done: f64) {
    if let Some(token) = cx.meta.get_progress_token() {
        let progress = ProgressNotificationParam::new(token, done).with_total(100.0);
        lost(cx.peer.notify_progress(progress).await);
    }
}

fn lost(told: Result<(), ServiceError>) {
    if let Err(error) = told {
        tracing::debug!(%error, "a notification was lost");
    }
}

async fn sample(cx: &RequestContext<RoleServer>, prompt: &str) -> Result<CallToolResult, McpError> {
    let message = json!({ "role": "user", "content": { "type": "text", "text": prompt } });
    let params = parsed(json!({ "messages": [message], "maxTokens": 100 }))?;
    Ok(match cx.peer.create_message(params).await {
        Ok(answer) => said(format!("LLM response: {}", json!(answer.message.content))),
        Err(error) => CallToolResult::error(vec![ContentBlock::text(error.to_string())]),
    })
}

async fn elicit(
    cx: &RequestContext<RoleServer>,
    message: &str,
    schema: Value,
) -> Result<CallToolResult, McpError> {
    let params = parsed(json!({ "mode": "form", "message": message, "requestedSchema": schema }))?;
    Ok(match cx.peer.create_elicitation(params).await {
        Ok(answer) => said(format!("User response: {}", json!(answer))),
        Err(error) => CallToolResult::error(vec![ContentBlock::text(error.to_string())]),
    })
}

fn user_schema() -> Value {
    let member = |description: &str| json!({ "type": "string", "description": description });
    json!({
        "type": "object",
        "properties": { "username": member("User's response"), "email": member("User's email address") },
        "required": ["username", "email"],
    })
}

fn defaults() -> Value {
    let properties = json!({
        "name": { "type": "string", "default": "John Doe" },
        "age": { "type": "integer", "default": 30 },
        "score": { "type": "number", "default": 95.5 },
        "status": { "type": "string", "enum": ["active", "inactive", "pending"], "default": "active" },
        "verified": { "type": "boolean", "default": true },
    });
    json!({ "type": "object", "properties": properties })
}

fn choices() -> Value {
    let plain = json!({ "type": "string", "enum": ["option1", "option2", "option3"] });
    let titled = json!([
        { "const": "value1", "title": "First Choice" },
        { "const": "value2", "title": "Second Choice" },
        { "const": "value3", "title": "Third Choice" },
    ]);
    let names = ["Option One", "Option Two", "Option Three"];
    let properties = json!({
        "untitledSingle": plain,
        "titledSingle": { "type": "string", "oneOf": titled },
        "legacyEnum": { "type": "string", "enum": ["opt1", "opt2", "opt3"], "enumNames": names },
        "untitledMulti": { "type": "array", "items": plain },
        "titledMulti": { "type": "array", "items": { "anyOf": titled } },
    });
    json!({ "type": "object", "properties": properties })
}
