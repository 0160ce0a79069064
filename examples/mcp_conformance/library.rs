//! Prompts, resources and completions.

use rmcp::ErrorData as McpError;
use rmcp::model::{
    CompleteResult, CompletionInfo, ContentBlock, GetPromptRequestParams, GetPromptResult, Prompt,
    PromptMessage, ReadResourceResult, Resource, ResourceContents, ResourceTemplate, Role,
};
use serde_json::{Value, json};

use crate::tools::{PNG, parsed};

const TEXT: &str = "test://static-text";
const BINARY: &str = "test://static-binary";
const WATCHED: &str = "test://watched-resource";
/// Between these is the id of a resource of the template.
const TEMPLATE: (&str, &str) = ("test://template/", "/data");

pub fn prompts(extra: bool) -> Result<Vec<Prompt>, McpError> {
    let argument = |name: &str| json!({ "name": name, "description": name, "required": true });
    let prompt = |name: &str, arguments: Vec<Value>| json!({ "name": name, "description": format!("{name}, a fixture"), "arguments": arguments });
    let mut all = vec![
        prompt("test_simple_prompt", vec![]),
        prompt("test_prompt_with_arguments", vec![argument("arg1"), argument("arg2")]),
        prompt("test_prompt_with_embedded_resource", vec![argument("resourceUri")]),
        prompt("test_prompt_with_image", vec![]),
        prompt("test_input_required_result_prompt", vec![]),
    ];
    all.extend(extra.then(|| prompt("test_extra_prompt", vec![])));
    parsed(all.into())
}

pub fn prompt(request: &GetPromptRequestParams) -> Result<GetPromptResult, McpError> {
    let argument = |name: &str| -> Result<&str, McpError> {
        let value = request.arguments.as_ref().and_then(|arguments| arguments.get(name)?.as_str());
        value.ok_or_else(|| McpError::invalid_params(format!("the argument {name} is missing"), None))
    };
    let text = |text: &str| vec![ContentBlock::text(text)];
    let content = match request.name.as_str() {
        "test_simple_prompt" => text("This is a simple prompt for testing."),
        "test_extra_prompt" => text("This prompt comes and goes."),
        "test_prompt_with_arguments" => text(&format!(
            "Prompt with arguments: arg1='{}', arg2='{}'",
            argument("arg1")?,
            argument("arg2")?
        )),
        "test_prompt_with_embedded_resource" => {
            let contents =
                ResourceContents::text("Embedded resource content for testing.", argument("resourceUri")?);
            let resource = ContentBlock::resource(contents.with_mime_type("text/plain"));
            vec![resource, ContentBlock::text("Please process the embedded resource above.")]
        }
        "test_prompt_with_image" => {
            vec![ContentBlock::image(PNG, "image/png"), ContentBlock::text("Please analyze the image above.")]
        }
        _ => return Err(McpError::invalid_params("there is no such prompt", None)),
    };
    let messages = content.into_iter().map(|block| PromptMessage::new(Role::User, block)).collect();
    Ok(GetPromptResult::new(messages))
}

/// The prompt that asked something first.
pub fn asked(answers: String) -> GetPromptResult {
    GetPromptResult::new(vec![PromptMessage::new_text(Role::User, answers)])
}

pub fn resources() -> Vec<Resource> {
    let resource = |uri: &str, name: &str, mime_type: &str| {
        Resource::new(uri, name).with_description(format!("{name}, a fixture")).with_mime_type(mime_type)
    };
    vec![
        resource(TEXT, "static text", "text/plain"),
        resource(BINARY, "static binary", "image/png"),
        resource(WATCHED, "watched resource", "text/plain"),
    ]
}

pub fn templates() -> Vec<ResourceTemplate> {
    let template = ResourceTemplate::new(format!("{}{{id}}{}", TEMPLATE.0, TEMPLATE.1), "template");
    vec![template.with_description("A resource for each id").with_mime_type("application/json")]
}

pub fn read(uri: &str) -> Result<ReadResourceResult, McpError> {
    let id = uri.strip_prefix(TEMPLATE.0).and_then(|rest| rest.strip_suffix(TEMPLATE.1));
    let text = |text: &str| ResourceContents::text(text, uri).with_mime_type("text/plain");
    let contents = match (uri, id) {
        (TEXT, _) => text("This is the content of the static text resource."),
        (WATCHED, _) => text("Nothing has changed yet."),
        (BINARY, _) => ResourceContents::blob(PNG, uri).with_mime_type("image/png"),
        (_, Some(id)) => {
            let data = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
            ResourceContents::text(data.to_string(), uri).with_mime_type("application/json")
        }
        (_, None) => return Err(not_found(uri)),
    };
    Ok(ReadResourceResult::new(vec![contents]))
}

fn not_found(uri: &str) -> McpError {
    McpError::resource_not_found("there is no such resource", Some(json!({ "uri": uri })))
}

/// Only one resource can be watched.
pub fn is_watched(uri: &str) -> Result<(), McpError> {
    if uri == WATCHED { Ok(()) } else { Err(not_found(uri)) }
}

pub fn complete(typed: &str) -> CompleteResult {
    let places = ["paris", "park", "party", "porto"];
    let fitting = places.into_iter().filter(|place| place.starts_with(typed)).map(str::to_owned).collect();
    CompletionInfo::with_all_values(fitting).map(CompleteResult::new).unwrap_or_default()
}
