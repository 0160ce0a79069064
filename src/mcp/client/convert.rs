//! MCP's words and ours.

use std::borrow::Cow;

use rmcp::model::{
    CallToolResult, ContentBlock, ProgressNotificationParam, ResourceContents, Tool, ToolAnnotations,
};
use serde_json::{Value, json};

use super::failure::words;
use crate::tools::{
    Annotations, PendingAct, ToolOutcome, ToolProgress, ToolSpec, plain, require_nothing, shorten,
};

/// Longest name of a tool, in bytes (MCP advises 128, AgentCore takes 256).
const MAX_NAME: usize = 256;
/// Longest description of a tool, in characters.
const MAX_DESCRIPTION: usize = 16_000;
/// Largest schema of a tool, in bytes of JSON.
const MAX_SCHEMA: usize = 256 << 10;

/// A tool as we offer it; none where it cannot be: its name or its schema is too long.
pub(super) fn spec(tool: Tool) -> Option<ToolSpec> {
    let named = !tool.name.is_empty() && tool.name.len() <= MAX_NAME && !tool.name.contains(char::is_control);
    let mut input_schema = Value::Object((*tool.input_schema).clone());
    drop_header_names(&mut input_schema);
    if !named || input_schema.to_string().len() > MAX_SCHEMA {
        return None;
    }
    let hints = tool.annotations.unwrap_or_default();
    let title = tool.title.or_else(|| hints.title.clone());
    let title = title.map(|title| words(&title)).filter(|title| !title.is_empty());
    let output_schema = tool.output_schema.map(|schema| Value::Object((*schema).clone()));
    Some(ToolSpec {
        title: title.map_or_else(|| tool.name.clone(), Cow::Owned),
        description: shorten(&tool.description.unwrap_or_default(), MAX_DESCRIPTION).into(),
        input_schema,
        output_schema: output_schema.filter(|schema| schema.to_string().len() <= MAX_SCHEMA).map(relaxed),
        annotations: annotations(&hints),
        name: tool.name,
    })
}

/// Outcomes may be cut, so nothing in them can be required.
fn relaxed(mut schema: Value) -> Value {
    require_nothing(&mut schema);
    schema
}

/// Headers that repeat arguments are between that server and us: a caller's would have to be checked against its arguments.
fn drop_header_names(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.remove("x-mcp-header");
            members.values_mut().for_each(drop_header_names);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_header_names),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What is not said is what MCP says: it may change and destroy things, in the whole world.
fn annotations(hints: &ToolAnnotations) -> Annotations {
    let read_only_hint = hints.read_only_hint.unwrap_or(false);
    Annotations {
        read_only_hint,
        destructive_hint: !read_only_hint && hints.destructive_hint.unwrap_or(true),
        idempotent_hint: hints.idempotent_hint.unwrap_or(false),
        open_world_hint: hints.open_world_hint.unwrap_or(true),
    }
}

/// An outcome as we give it. Pictures and sounds are only named.
pub(super) fn outcome(result: CallToolResult) -> ToolOutcome {
    let text = result.content.iter().map(text_of).collect::<Vec<_>>().join("\n");
    let is_error = result.is_error.unwrap_or(false);
    let structured = match result.structured_content {
        Some(structured) => structured,
        None if is_error => json!({ "error": text }),
        None => Value::Null,
    };
    // Older servers must repeat in text what is structured; newer ones need not.
    let text = if text.is_empty() && !structured.is_null() { structured.to_string() } else { text };
    let pending = pending(&structured).filter(|_| !is_error);
    ToolOutcome { is_error, pending, ..ToolOutcome::new(structured, text) }
}

/// The plan of a server that wants a second call with the plan's token, as our own tools do.
fn pending(structured: &Value) -> Option<PendingAct> {
    let text = |name: &str| structured[name].as_str().map(words);
    let plan_token = structured["planToken"].as_str()?.to_owned();
    let question = format!("{} on {}?", text("planned")?, text("place")?);
    Some(PendingAct { question, plan_token })
}

fn text_of(block: &ContentBlock) -> Cow<'_, str> {
    match block {
        ContentBlock::Text(text) => Cow::Borrowed(&text.text),
        ContentBlock::Image(image) => media("image", &image.mime_type, &image.data),
        ContentBlock::Audio(audio) => media("sound", &audio.mime_type, &audio.data),
        ContentBlock::Resource(resource) => match &resource.resource {
            ResourceContents::TextResourceContents { text, .. } => Cow::Borrowed(text),
            ResourceContents::BlobResourceContents { mime_type, blob, .. } => {
                media("resource", mime_type.as_deref().unwrap_or_default(), blob)
            }
            _ => UNKNOWN.into(),
        },
        ContentBlock::ResourceLink(link) => format!("[a resource at {}]", words(&link.uri)).into(),
        _ => UNKNOWN.into(),
    }
}

/// Content of a kind that later revisions may add.
const UNKNOWN: &str = "[content of an unknown kind: not shown]";

fn media(what: &str, mime_type: &str, base64: &str) -> Cow<'static, str> {
    format!("[{what} {}, {} bytes: not shown]", words(mime_type), base64.len() / 4 * 3).into()
}

/// How far a call is. What is not counted in whole steps is counted in hundredths, where the whole is known.
pub(super) fn progress(params: &ProgressNotificationParam) -> ToolProgress {
    let (done, total) = (params.progress.max(0.0), params.total.filter(|total| *total > 0.0));
    let is_whole = done.fract() == 0.0 && total.is_none_or(|total| total.fract() == 0.0 && total > 1.0);
    let (done, total) = match total {
        Some(total) if !is_whole => (done / total * 100.0, Some(100.0)),
        total => (done, total),
    };
    let says = params.message.as_deref().map(|says| shorten(plain(says).trim(), 200)).unwrap_or_default();
    ToolProgress { done: count(done), total: total.map(count), says }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is too large is the largest"
)]
fn count(number: f64) -> u32 {
    number.round() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_not_asked_for_the_headers_of_another_server() {
        let schema = |region: Value| json!({ "type": "object", "properties": { "region": region } });
        let asking = schema(json!({ "type": "string", "x-mcp-header": "Region" }));
        let tool: Tool = serde_json::from_value(json!({ "name": "logs", "inputSchema": asking })).unwrap();
        assert_eq!(spec(tool).unwrap().input_schema, schema(json!({ "type": "string" })));
    }
}
