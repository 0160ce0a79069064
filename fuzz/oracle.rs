//! What holds for every answer.

use std::collections::BTreeMap;

use http::StatusCode;
use http::header::CONTENT_TYPE;
use http::response::Parts;
use serde_json::Value;
use serde_json::value::RawValue;

/// What was asked.
pub struct Asked {
    pub method: String,
    pub path: String,
    pub body: String,
}

/// Panics where an answer is not as it has to be.
pub fn check(asked: &Asked, answer: &Parts, body: &[u8], ended: bool) {
    let content_type = answer.headers.get(CONTENT_TYPE).map_or("", |value| value.to_str().expect("ASCII"));
    assert_ne!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", text(body));
    let streams = content_type == "text/event-stream";
    assert!(ended || streams, "an answer that is no stream does not end");
    let is_rpc = asked.method == "POST" && matches!(asked.path.as_str(), "/" | "//");
    match (is_rpc, streams) {
        (true, false) => check_rpc(&asked.body, text(body)),
        (true, true) => events(body, ended).for_each(|event| check_rpc(&asked.body, event)),
        (false, false) if asked.path.starts_with("/rest/") || asked.path == "/rest" => {
            check_rest(answer.status, content_type, &json(text(body)));
        }
        (false, true) => events(body, ended)
            .for_each(|event| assert_eq!(json(event).as_object().map(|o| o.len()), Some(1))),
        (false, false) => {}
    }
}

/// A JSON-RPC response: either a result or an error, under the request's id where that can be known.
fn check_rpc(asked: &str, answer: &str) {
    let members: Members =
        serde_json::from_str(answer).unwrap_or_else(|error| panic!("no object ({error}): {answer}"));
    assert_eq!(members["jsonrpc"].get(), "\"2.0\"");
    assert!(members.contains_key("id") && members.len() == 3, "{answer}");
    match (members.get("result"), members.get("error")) {
        (Some(result), None) => drop(json(result.get())),
        (None, Some(error)) => check_error(&json(error.get())),
        _ => panic!("result or error: {answer}"),
    }
    let known = serde_json::from_str::<Members>(asked).ok().and_then(|mut members| members.remove("id"));
    if let Some(id) =
        known.filter(|id| id.get().starts_with(['"', '-']) || id.get().as_bytes()[0].is_ascii_digit())
    {
        let given = members["id"].get();
        // Numbers may be greater than any value here can say: those are compared as they are written.
        let same =
            id.get() == given || serde_json::from_str::<Value>(id.get()).is_ok_and(|id| id == json(given));
        // Who is not let in, or sends what is not read, hears nothing of the id.
        assert!(same || given == "null" && members.contains_key("error"), "{id} {answer}");
    }
}

type Members = BTreeMap<String, Box<RawValue>>;

fn check_error(error: &Value) {
    let code = error["code"].as_i64().expect("a code");
    assert!((-32768..=-32000).contains(&code), "{error}");
    assert!(
        error["message"].as_str().is_some_and(|message| !message.is_empty() && message.len() < 2_000),
        "{error}"
    );
    for detail in error.get("data").and_then(Value::as_array).into_iter().flatten() {
        assert!(detail["@type"].is_string(), "{error}");
    }
}

/// A result, or an error that says the same as the status.
fn check_rest(status: StatusCode, content_type: &str, answer: &Value) {
    assert!(matches!(content_type, "application/json" | "application/a2a+json"), "{content_type}");
    assert!(answer.is_object(), "{answer}");
    if status.is_success() {
        assert!(answer.get("error").is_none(), "{answer}");
        return;
    }
    let error = &answer["error"];
    assert_eq!(error["code"], status.as_u16(), "{answer}");
    assert!(
        error["status"].is_string() && error["message"].is_string() && error["details"].is_array(),
        "{answer}"
    );
}

/// The events of a stream; the last one of a stream that goes on may be cut.
fn events(body: &[u8], ended: bool) -> impl Iterator<Item = &str> {
    let text = text(body);
    let whole = if ended { text.len() } else { text.rfind("\n\n").unwrap_or_default() };
    text[..whole].lines().filter_map(|line| line.strip_prefix("data: "))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("no JSON ({error}): {text}"))
}

fn text(body: &[u8]) -> &str {
    str::from_utf8(body).expect("UTF-8")
}
