//! What a peer asks for, read once at the edge: the envelope, the version, the parameters.

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::errors::A2aError;
use super::types::{Message, Metadata, Part, PartContent, TaskId};
use super::v03;
use crate::agent_card::Form;
use crate::tasks::{Delivery, RequestOptions};

/// Which dialect a request speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// A2A 1.0.
    V1,
    /// A2A 0.3.
    V03,
}

impl Dialect {
    /// The version as `A2A-Version` has it.
    pub fn version(self) -> &'static str {
        match self {
            Self::V1 => "1.0",
            Self::V03 => "0.3",
        }
    }

    /// The form of the agent card that this dialect reads.
    pub(super) fn form(self) -> Form {
        match self {
            Self::V1 => Form::V1,
            Self::V03 => Form::V03,
        }
    }
}

/// The id of a JSON-RPC request, echoed as it was written: no digit of a large number is lost. `null` where there was none.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(transparent)]
pub(super) struct RequestId(Option<Box<RawValue>>);

/// Longest id of a request, in bytes: it comes back with every event of a stream.
const MAX_REQUEST_ID: usize = 1024;

impl RequestId {
    fn read(raw: Option<Box<RawValue>>) -> Result<Self, A2aError> {
        let Some(raw) = raw.filter(|raw| raw.get() != "null") else { return Ok(Self::default()) };
        let is_scalar = raw.get().starts_with(|c: char| matches!(c, '"' | '-') || c.is_ascii_digit());
        match raw.get().len() {
            _ if !is_scalar => Err(A2aError::InvalidRequest("id is a string or a number".to_owned())),
            length if length > MAX_REQUEST_ID => {
                Err(A2aError::InvalidRequest(format!("id is longer than {MAX_REQUEST_ID} bytes")))
            }
            // Such as half of a surrogate pair, which other readers of the answer would not take.
            _ if raw.get().starts_with('"') && serde_json::from_str::<String>(raw.get()).is_err() => {
                Err(A2aError::InvalidRequest("id cannot be read".to_owned()))
            }
            _ => Ok(Self(Some(raw))),
        }
    }
}

/// A JSON-RPC request whose parameters are not checked yet.
#[derive(Debug, Clone)]
pub(super) struct Envelope {
    pub(super) id: RequestId,
    pub(super) method: String,
    pub(super) params: Value,
}

/// Reads a body. The error comes with the id, as far as that could be read.
pub(super) fn read_envelope(body: &[u8]) -> Result<Envelope, (RequestId, A2aError)> {
    let nameless = |error| (RequestId::default(), error);
    let invalid = |problem: &str| A2aError::InvalidRequest(problem.to_owned());
    let whole: &RawValue = serde_json::from_slice(body).map_err(|_| nameless(A2aError::Parse))?;
    check_size(whole.get()).map_err(nameless)?;
    let mut request: BTreeMap<String, Box<RawValue>> = serde_json::from_str(whole.get()).map_err(|_| {
        let problem = match whole.get().starts_with('[') {
            true => "Batches are not part of A2A",
            false => "A request is a JSON object",
        };
        nameless(invalid(problem))
    })?;
    let id = RequestId::read(request.remove("id")).map_err(nameless)?;
    let mut member = |name| -> Result<Value, (RequestId, A2aError)> {
        let raw: Option<Box<RawValue>> = request.remove(name);
        let value = raw.map(|raw| serde_json::from_str(raw.get())).transpose();
        value.map(Option::unwrap_or_default).map_err(|_| (id.clone(), A2aError::Parse))
    };
    if member("jsonrpc")? != "2.0" {
        return Err((id, invalid("jsonrpc has to be \"2.0\"")));
    }
    let (method, params) = (member("method")?, member("params")?);
    match (method, check_depth(&params)) {
        (Value::String(method), Ok(())) => Ok(Envelope { id, method, params }),
        (Value::String(_), Err(error)) => Err((id, error)),
        (_, _) => Err((id, invalid("method has to be a string"))),
    }
}

/// Most values in a body: many small ones take much more room in memory than on the wire.
const MAX_VALUES: usize = 100_000;

/// Counts the values of a well-formed JSON text without reading it.
pub(super) fn check_size(json: &str) -> Result<(), A2aError> {
    let (mut values, mut in_text, mut escaped) = (1, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b',' | b'[' | b'{' if !in_text => values += 1,
            _ => {}
        }
    }
    match values <= MAX_VALUES {
        true => Ok(()),
        false => Err(A2aError::InvalidRequest(format!("The body has more than {MAX_VALUES} values"))),
    }
}

/// Deepest nesting of parameters. What is kept of them is wrapped a few times more, and has to be read again by parsers
/// that go 128 levels deep.
const MAX_DEPTH: usize = 64;

/// Refuses what is nested too deeply.
pub(super) fn check_depth(params: &Value) -> Result<(), A2aError> {
    fn fits(value: &Value, levels: usize) -> bool {
        match value {
            Value::Array(items) => levels > 0 && items.iter().all(|item| fits(item, levels - 1)),
            Value::Object(members) => levels > 0 && members.values().all(|member| fits(member, levels - 1)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        }
    }
    match fits(params, MAX_DEPTH) {
        true => Ok(()),
        false => {
            Err(A2aError::params("params", format!("must not be nested deeper than {MAX_DEPTH} levels")))
        }
    }
}

/// The dialect that a version names; only major and minor count.
pub(super) fn dialect_of(version: Option<&str>) -> Result<Dialect, A2aError> {
    let version = version.map(str::trim).filter(|version| !version.is_empty()).unwrap_or("0.3");
    let mut numbers = version.split('.');
    match (numbers.next(), numbers.next()) {
        (Some("1"), Some("0")) => Ok(Dialect::V1),
        (Some("0"), Some("3")) => Ok(Dialect::V03),
        _ => Err(A2aError::VersionNotSupported { requested: shortened(version), hint: "" }),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Longest id of a client, in characters.
const MAX_ID: usize = 256;
/// Most parts of a message.
const MAX_PARTS: usize = 256;
/// Most entries of a message's other lists.
const MAX_ENTRIES: usize = 64;

/// Parameters of SendMessage and SendStreamingMessage.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SendMessageRequest {
    pub(super) message: Message,
    #[serde(default)]
    pub(super) configuration: SendMessageConfiguration,
    pub(super) metadata: Option<Metadata>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SendMessageConfiguration {
    #[serde(default)]
    accepted_output_modes: Vec<String>,
    pub(super) task_push_notification_config: Option<Value>,
    #[serde(default, deserialize_with = "integer")]
    history_length: Option<i64>,
    #[serde(default, deserialize_with = "optional_boolean")]
    return_immediately: Option<bool>,
}

/// Parameters of GetTask, CancelTask and SubscribeToTask.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TaskRequest {
    pub(super) id: TaskId,
    #[serde(default, deserialize_with = "integer")]
    history_length: Option<i64>,
}

/// A query parameter is a text.
pub(super) fn boolean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "true or false is needed")]
    enum Boolean {
        Value(bool),
        Text(String),
    }
    match Boolean::deserialize(deserializer)? {
        Boolean::Value(value) => Ok(value),
        Boolean::Text(text) => text.parse().map_err(|_| D::Error::custom("true or false is needed")),
    }
}

fn optional_boolean<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    boolean(deserializer).map(Some)
}

/// ProtoJSON lets a sender write an integer as a string.
pub(super) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "an integer is needed")]
    enum Integer {
        Number(i64),
        Text(String),
    }
    match Integer::deserialize(deserializer)? {
        Integer::Number(number) => Ok(Some(number)),
        Integer::Text(text) => text.parse().map(Some).map_err(D::Error::custom),
    }
}

/// How much of the history is wanted.
pub(super) type HistoryLength = Option<usize>;

/// Media types that drydock's artifacts have, or can be read as.
const OUTPUT_MODES: [&str; 3] = ["text/markdown", "text/plain", "application/json"];

impl SendMessageRequest {
    pub(super) fn read(params: Value, dialect: Dialect) -> Result<Self, A2aError> {
        let params = match dialect {
            Dialect::V1 => params,
            Dialect::V03 => {
                check_kinds(&params["message"])?;
                v03::send_from_v03(params)
            }
        };
        let params = canonical(params);
        check_objects(&params)?;
        check_parts(&params["message"])?;
        let request: Self = parse(params)?;
        if request.message.message_id.is_empty() {
            return Err(A2aError::params("message.messageId", "must not be empty"));
        }
        request.check_content()?;
        Ok(request)
    }

    /// How the client asks.
    pub(super) fn options(&self, dialect: Dialect, delivery: Delivery) -> RequestOptions {
        RequestOptions {
            accepted_output_modes: self.configuration.accepted_output_modes.clone(),
            protocol_version: dialect.version().to_owned(),
            delivery,
        }
    }

    /// How the client of a unary method waits.
    pub(super) fn delivery(&self) -> Delivery {
        match self.configuration.return_immediately {
            None => Delivery::Unsaid,
            Some(false) => Delivery::Awaited,
            Some(true) => Delivery::Later,
        }
    }

    /// Lists come back with the task, too.
    fn check_lengths(&self) -> Result<(), A2aError> {
        let message = &self.message;
        let lists = [
            ("message.parts", message.parts.len(), MAX_PARTS),
            ("message.extensions", message.extensions.len(), MAX_ENTRIES),
            ("message.referenceTaskIds", message.reference_task_ids.len(), MAX_ENTRIES),
            (
                "configuration.acceptedOutputModes",
                self.configuration.accepted_output_modes.len(),
                MAX_ENTRIES,
            ),
        ];
        match lists.into_iter().find(|(_, length, most)| length > most) {
            Some((field, length, most)) => {
                Err(A2aError::params(field, format!("has {length} entries; at most {most} are taken")))
            }
            None => Ok(()),
        }
    }

    /// Ids come back in every event and in the log.
    fn check_ids(&self) -> Result<(), A2aError> {
        let message = &self.message;
        let ids = [
            ("message.messageId", Some(&message.message_id)),
            ("message.contextId", message.context_id.as_ref().map(|id| &id.0)),
            ("message.taskId", message.task_id.as_ref().map(|id| &id.0)),
        ];
        let is_wrong = |id: &String| id.chars().count() > MAX_ID || id.chars().any(char::is_control);
        match ids.into_iter().find(|(_, id)| id.is_some_and(is_wrong)) {
            Some((field, _)) => Err(A2aError::params(
                field,
                format!("must have at most {MAX_ID} characters, and no control characters"),
            )),
            None => Ok(()),
        }
    }

    fn check_content(&self) -> Result<(), A2aError> {
        self.check_lengths()?;
        self.check_ids()?;
        self.message.parts.iter().try_for_each(check_media_type)?;
        let wanted = &self.configuration.accepted_output_modes;
        if !wanted.is_empty() && !wanted.iter().any(|mode| accepts(mode)) {
            return Err(A2aError::ContentTypeNotSupported(format!(
                "None of the accepted output modes can be produced; this agent produces {}",
                OUTPUT_MODES.join(", ")
            )));
        }
        self.history_length().map(|_| ())
    }

    pub(super) fn history_length(&self) -> Result<HistoryLength, A2aError> {
        history_length(self.configuration.history_length, "configuration.historyLength")
    }
}

impl TaskRequest {
    pub(super) fn read(params: Value) -> Result<Self, A2aError> {
        let request: Self = parse(canonical(params))?;
        if request.id.as_str().is_empty() {
            return Err(A2aError::params("id", "must not be empty"));
        }
        Ok(request)
    }

    pub(super) fn history_length(&self) -> Result<HistoryLength, A2aError> {
        history_length(self.history_length, "historyLength")
    }
}

pub(super) fn history_length(length: Option<i64>, field: &str) -> Result<HistoryLength, A2aError> {
    length
        .map(|length| usize::try_from(length).map_err(|_| A2aError::params(field, "must not be negative")))
        .transpose()
}

fn accepts(mode: &str) -> bool {
    let mode = mode.split(';').next().unwrap_or_default().trim();
    let wide = ["*/*", "text/*", "application/*"];
    wide.contains(&mode) || OUTPUT_MODES.iter().any(|ours| ours.eq_ignore_ascii_case(mode))
}

/// Deserializes parameters in their canonical form; the error names the field.
pub(super) fn parse<T: DeserializeOwned>(params: Value) -> Result<T, A2aError> {
    if !params.is_object() {
        return Err(A2aError::params("params", "must be an object"));
    }
    serde_path_to_error::deserialize(params).map_err(|error| {
        let field = error.path().to_string();
        A2aError::params(field.trim_start_matches("."), error.inner().to_string())
    })
}

/// A part of 0.3 has the content that its kind says. Senders of before 0.3 called it `type`, or left it out.
fn check_kinds(message: &Value) -> Result<(), A2aError> {
    for (index, part) in message["parts"].as_array().into_iter().flatten().enumerate() {
        let Some(kind) = part.get("kind") else { continue };
        let fits = ["text", "file", "data"].iter().any(|known| kind == known && part.get(known).is_some());
        if !fits {
            let field = format!("message.parts[{index}]");
            return Err(A2aError::params(field, "kind is text, file or data, with a member of that name"));
        }
    }
    Ok(())
}

/// Text of any kind and JSON are read; files and links are not (§3.1.1).
fn check_media_type(part: &Part) -> Result<(), A2aError> {
    let media_type = part.media_type.as_deref().unwrap_or_default().to_ascii_lowercase();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let is_json = media_type == "application/json" || media_type.ends_with("+json");
    let fits = match part.content {
        PartContent::Text(_) => media_type.starts_with("text/") || is_json,
        PartContent::Data(_) => is_json,
        PartContent::Raw(_) | PartContent::Url(_) => {
            let problem = "Files and links are not supported; send text or data parts";
            return Err(A2aError::ContentTypeNotSupported(problem.to_owned()));
        }
    };
    match fits || media_type.is_empty() {
        true => Ok(()),
        false => Err(A2aError::ContentTypeNotSupported(format!(
            "Parts of type {} are not supported; send text/plain, text/markdown or application/json",
            shortened(media_type)
        ))),
    }
}

/// A list in the place of an object would be read as its members in their order.
fn check_objects(params: &Value) -> Result<(), A2aError> {
    let lists = ["message", "configuration"].iter().map(|name| ((*name).to_owned(), params.get(name)));
    let parts = params["message"]["parts"].as_array().into_iter().flatten().enumerate();
    let parts = parts.map(|(index, part)| (format!("message.parts[{index}]"), Some(part)));
    match lists.chain(parts).find(|(_, value)| value.is_some_and(Value::is_array)) {
        Some((field, _)) => Err(A2aError::params(field, "must be an object")),
        None => Ok(()),
    }
}

/// A message has at least one part, and a part exactly one content.
fn check_parts(message: &Value) -> Result<(), A2aError> {
    let Some(parts) = message.get("parts").and_then(Value::as_array) else { return Ok(()) };
    if parts.is_empty() {
        return Err(A2aError::params("message.parts", "at least one part is needed"));
    }
    for (index, part) in parts.iter().enumerate() {
        let contents =
            ["text", "raw", "url", "data"].iter().filter(|name| part.get(**name).is_some()).count();
        if contents != 1 {
            let field = format!("message.parts[{index}]");
            return Err(A2aError::params(field, "exactly one of text, raw, url and data is needed"));
        }
    }
    Ok(())
}

/// What ProtoJSON lets a sender write, in one form: `null` is absent, `message_id` is `messageId`, roles may be numbers.
/// Free content (`data`, `metadata`) stays as it is.
pub(super) fn canonical(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            // A member by its own name counts more than another spelling of it.
            let (exact, spelled): (Vec<_>, Vec<_>) =
                object.into_iter().partition(|(name, _)| !name.contains('_'));
            let spelled = spelled.into_iter().map(|(name, value)| (camel_case(name), value));
            let mut members = Map::new();
            for (name, value) in exact.into_iter().chain(spelled) {
                if members.contains_key(&name) {
                    continue;
                }
                match (name.as_str(), value) {
                    ("data", value) => drop(members.insert(name, value)),
                    (_, Value::Null) => {}
                    // What ProtoJSON leaves empty is not set.
                    ("taskId" | "contextId", Value::String(id)) if id.is_empty() => {}
                    ("metadata", value) => drop(members.insert(name, value)),
                    ("role", value) => drop(members.insert(name, role(value))),
                    (_, value) => drop(members.insert(name, canonical(value))),
                }
            }
            // A null is data where there is nothing else, and else what some write for nothing.
            if members.get("data").is_some_and(Value::is_null)
                && ["text", "raw", "url"].iter().any(|content| members.contains_key(*content))
            {
                members.remove("data");
            }
            Value::Object(members)
        }
        Value::Array(items) => Value::Array(items.into_iter().map(canonical).collect()),
        other => other,
    }
}

fn role(value: Value) -> Value {
    match value.as_u64() {
        Some(1) => Value::from("ROLE_USER"),
        Some(2) => Value::from("ROLE_AGENT"),
        Some(_) | None => value,
    }
}

fn camel_case(name: String) -> String {
    // Only what a sender makes of a camel-case name; anything else is a name of its own.
    let is_snake = name.split('_').all(|word| word.starts_with(|letter: char| letter.is_ascii_lowercase()));
    if !is_snake {
        return name;
    }
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        camel.push_str(letters.as_str());
    }
    camel
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::absent(None, Some(Dialect::V03))]
    #[case::empty(Some(""), Some(Dialect::V03))]
    #[case::old(Some("0.3"), Some(Dialect::V03))]
    #[case::old_with_patch(Some("0.3.0"), Some(Dialect::V03))]
    #[case::new(Some("1.0"), Some(Dialect::V1))]
    #[case::new_with_patch(Some("1.0.1"), Some(Dialect::V1))]
    #[case::later_minor(Some("1.7"), None)]
    #[case::later_major(Some("2.0"), None)]
    #[case::major_only(Some("1"), None)]
    #[case::nonsense(Some("latest"), None)]
    fn only_major_and_minor_count(#[case] version: Option<&str>, #[case] expected: Option<Dialect>) {
        assert_eq!(dialect_of(version).ok(), expected);
    }

    fn message(part: Value) -> Value {
        json!({ "message": { "messageId": "m", "role": "ROLE_USER", "parts": [part] } })
    }

    #[rstest]
    #[case::no_message(json!({}), "message", -32602)]
    #[case::no_id(json!({ "message": { "role": "ROLE_USER", "parts": [{ "text": "x" }] } }), "messageId", -32602)]
    #[case::no_parts(json!({ "message": { "messageId": "m", "role": "ROLE_USER" } }), "parts", -32602)]
    #[case::empty_parts(json!({ "message": { "messageId": "m", "role": "ROLE_USER", "parts": [] } }), "message.parts", -32602)]
    #[case::wrong_role(json!({ "message": { "messageId": "m", "role": "x", "parts": [{ "text": "x" }] } }), "message.role", -32602)]
    #[case::two_contents(message(json!({ "text": "x", "url": "y" })), "message.parts[0]", -32602)]
    #[case::no_content(message(json!({ "metadata": {} })), "message.parts[0]", -32602)]
    #[case::text_is_a_number(message(json!({ "text": 1 })), "message.parts[0]", -32602)]
    #[case::a_file(message(json!({ "raw": "aGk=" })), "Files", -32005)]
    #[case::data_of_another_type(message(json!({ "data": {}, "mediaType": "application/x-odd" })), "x-odd", -32005)]
    #[case::text_of_another_type(message(json!({ "text": "x", "mediaType": "image/svg" })), "image/svg", -32005)]
    #[case::not_an_object(json!([1]), "params", -32602)]
    fn wrong_parameters_name_the_field(#[case] params: Value, #[case] named: &str, #[case] code: i32) {
        let error = SendMessageRequest::read(params, Dialect::V1).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(named), "{error}");
    }

    #[test]
    fn what_protojson_allows_is_understood() {
        let params = json!({
            "message": { "message_id": "m", "role": 1, "parts": [{ "text": "x", "metadata": null }], "extensions": null },
            "configuration": { "return_immediately": true, "history_length": "3" },
        });
        let request = SendMessageRequest::read(params, Dialect::V1).unwrap();
        assert_eq!(request.message.message_id, "m");
        assert_eq!(request.delivery(), Delivery::Later);
        assert_eq!(request.history_length(), Ok(Some(3)));
    }

    #[rstest]
    #[case::long("contextId", json!("x".repeat(257)))]
    #[case::control("contextId", json!("a\n2026-01-01 ERROR forged"))]
    #[case::message("messageId", json!("\u{1b}[2J"))]
    fn ids_are_short_and_plain(#[case] field: &str, #[case] id: Value) {
        let mut params = message(json!({ "text": "x" }));
        params["message"][field] = id;
        let error = SendMessageRequest::read(params, Dialect::V1).unwrap_err();
        assert!(error.code() == -32602 && error.to_string().contains(field), "{error}");
    }

    #[test]
    fn an_empty_id_is_none() {
        let mut params = message(json!({ "text": "x" }));
        params["message"]["taskId"] = json!("");
        params["message"]["contextId"] = json!("");
        let request = SendMessageRequest::read(params, Dialect::V1).unwrap();
        assert_eq!((request.message.task_id, request.message.context_id), (None, None));
    }

    #[rstest]
    #[case(json!({ "text": "x", "mediaType": "text/plain; charset=utf-8" }))]
    #[case(json!({ "text": "x", "mediaType": "Text/Markdown" }))]
    #[case(json!({ "text": "{}", "mediaType": "application/json" }))]
    #[case(json!({ "data": [], "mediaType": "application/vnd.x+json" }))]
    #[case(json!({ "data": 1, "mediaType": "" }))]
    fn text_and_json_are_read(#[case] part: Value) {
        assert!(SendMessageRequest::read(message(part), Dialect::V1).is_ok());
    }

    #[rstest]
    #[case::of_no_kind(json!({ "kind": "video", "text": "x" }))]
    #[case::said_to_be_data(json!({ "kind": "data", "text": "x" }))]
    #[case::a_file_without_file(json!({ "kind": "file", "text": "x" }))]
    fn a_part_of_0_3_is_what_its_kind_says(#[case] part: Value) {
        let params = json!({ "message": { "messageId": "m", "role": "user", "parts": [part] } });
        let error = SendMessageRequest::read(params, Dialect::V03).unwrap_err();
        assert!(error.code() == -32602 && error.to_string().contains("message.parts[0]"), "{error}");
    }

    #[rstest]
    #[case::a_list_as_message(json!({ "message": ["m", null, null, "ROLE_USER", []] }), "message")]
    #[case::a_list_as_part(message(json!(["x"])), "message.parts[0]")]
    #[case::a_list_as_configuration(json!({ "message": { "messageId": "m", "role": "ROLE_USER", "parts": [{ "text": "x" }] }, "configuration": [[]] }), "configuration")]
    fn a_list_is_no_object(#[case] params: Value, #[case] named: &str) {
        let error = SendMessageRequest::read(params, Dialect::V1).unwrap_err();
        assert!(error.code() == -32602 && error.to_string().contains(named), "{error}");
    }

    #[test]
    fn what_is_null_beside_the_content_is_not_set() {
        let part = json!({ "text": "x", "raw": null, "url": null, "data": null });
        assert!(SendMessageRequest::read(message(part), Dialect::V1).is_ok());
    }

    #[rstest]
    #[case::its_own_name_first(json!({ "id": "a", "id_": "b", "task_id": "c" }), json!({ "id": "a", "id_": "b", "taskId": "c" }))]
    #[case::two_spellings(json!({ "message_id": "b", "messageId": "a" }), json!({ "messageId": "a" }))]
    #[case::no_spelling(json!({ "message__id": 1, "_id": 2, "a_B": 3 }), json!({ "message__id": 1, "_id": 2, "a_B": 3 }))]
    fn a_member_counts_by_its_own_name(#[case] written: Value, #[case] read: Value) {
        assert_eq!(canonical(written), read);
    }

    #[rstest]
    #[case::many_values(format!("[{}]", vec!["[]"; MAX_VALUES].join(",")), false)]
    #[case::a_long_text(format!(r#"["{}", "\\\"{}"]"#, ",".repeat(MAX_VALUES), "[".repeat(MAX_VALUES)), true)]
    fn values_are_counted_without_reading_them(#[case] json: String, #[case] fits: bool) {
        assert!(serde_json::from_str::<&RawValue>(&json).is_ok(), "the test is well-formed");
        assert_eq!(check_size(&json).is_ok(), fits);
    }

    #[test]
    fn an_id_that_others_cannot_read_is_refused() {
        let half_a_pair = r#"{"jsonrpc":"2.0","id":"\ud800","method":"x"}"#;
        assert_eq!(read_envelope(half_a_pair.as_bytes()).unwrap_err().1.code(), -32600);
    }

    #[rstest]
    #[case::as_deep_as_may_be(62, true)]
    #[case::too_deep(63, false)]
    fn what_is_nested_too_deeply_is_refused(#[case] depth: usize, #[case] fits: bool) {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x","params":{{"a":{{"b":{nested}}}}}}}"#);
        let read = read_envelope(body.as_bytes());
        assert_eq!(read.as_ref().map_err(|(_, error)| error.code()).err(), (!fits).then_some(-32602));
    }

    #[test]
    fn free_content_is_not_touched() {
        let params = message(json!({ "data": { "snake_case": null } }));
        let request = SendMessageRequest::read(params, Dialect::V1).unwrap();
        assert_eq!(request.message.parts[0].content, PartContent::Data(json!({ "snake_case": null })));
    }

    #[rstest]
    #[case(json!(["text/plain"]), true)]
    #[case(json!(["image/png", "application/json"]), true)]
    #[case(json!(["*/*"]), true)]
    #[case(json!([]), true)]
    #[case(json!(["image/png"]), false)]
    fn output_modes_have_to_fit(#[case] modes: Value, #[case] fits: bool) {
        let mut params = message(json!({ "text": "x" }));
        params["configuration"] = json!({ "acceptedOutputModes": modes });
        assert_eq!(SendMessageRequest::read(params, Dialect::V1).is_ok(), fits);
    }
}
