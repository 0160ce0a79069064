//! The 0.3 dialect as a translation of the 1.0 JSON, both ways.
//!
//! Both sides are JSON values in their canonical form. What only one dialect can say: a text part's media type (1.0), and a
//! data part that is no object (1.0), which travels as `{"value": …}` with `data_part_compat` in its metadata.

use serde_json::{Map, Value, json};

type Object = Map<String, Value>;

/// Marks a data part whose value was wrapped into an object.
const WRAPPED: &str = "data_part_compat";

/// `TASK_STATE_INPUT_REQUIRED` → `input-required`.
fn state_to_v03(state: &str) -> String {
    match state.strip_prefix("TASK_STATE_") {
        Some("UNSPECIFIED") | None => "unknown".to_owned(),
        Some(name) => name.to_lowercase().replace('_', "-"),
    }
}

pub(super) fn state_from_v03(state: &str) -> String {
    match state {
        "unknown" => "TASK_STATE_UNSPECIFIED".to_owned(),
        name => format!("TASK_STATE_{}", name.to_uppercase().replace('-', "_")),
    }
}

/// A task.
pub fn task_to_v03(task: Value) -> Value {
    with_object(task, |task| {
        kind(task, "task");
        convert(task, "status", status_to_v03);
        convert_each(task, "artifacts", artifact_to_v03);
        convert_each(task, "history", message_to_v03);
    })
}

/// A task of a 0.3 peer.
pub fn task_from_v03(task: Value) -> Value {
    with_object(task, |task| {
        task.remove("kind");
        convert(task, "status", status_from_v03);
        convert_each(task, "artifacts", artifact_from_v03);
        convert_each(task, "history", message_from_v03);
    })
}

/// A message.
pub fn message_to_v03(message: Value) -> Value {
    with_object(message, |message| {
        kind(message, "message");
        convert(message, "role", |role| match role.as_str() {
            Some("ROLE_AGENT") => json!("agent"),
            Some(_) | None => json!("user"),
        });
        convert_each(message, "parts", part_to_v03);
    })
}

/// A message of a 0.3 peer.
pub fn message_from_v03(message: Value) -> Value {
    with_object(message, |message| {
        message.remove("kind");
        convert(message, "role", |role| match role.as_str() {
            Some("agent") => json!("ROLE_AGENT"),
            Some("user") => json!("ROLE_USER"),
            Some(_) | None => role,
        });
        convert_each(message, "parts", part_from_v03);
    })
}

/// One item of a 1.0 stream (`{"task": …}`, `{"statusUpdate": …}`, …) as 0.3 sends it.
pub fn stream_to_v03(response: Value) -> Value {
    let Value::Object(response) = response else { return response };
    let Some((name, value)) = response.into_iter().next() else { return Value::Null };
    match name.as_str() {
        "task" => task_to_v03(value),
        "message" => message_to_v03(value),
        "statusUpdate" => with_object(value, |event| {
            kind(event, "status-update");
            let ends =
                event.get("status").and_then(|status| status["state"].as_str()).is_some_and(ends_stream);
            convert(event, "status", status_to_v03);
            event.insert("final".to_owned(), json!(ends));
        }),
        _ => with_object(value, |event| {
            kind(event, "artifact-update");
            convert(event, "artifact", artifact_to_v03);
            event.entry("append").or_insert(json!(false));
            event.entry("lastChunk").or_insert(json!(false));
        }),
    }
}

/// One item of a 0.3 stream as 1.0 has it.
pub fn stream_from_v03(item: Value) -> Value {
    match item["kind"].as_str() {
        Some("task") => json!({ "task": task_from_v03(item) }),
        Some("status-update") => {
            let event = with_object(item, |event| {
                event.remove("kind");
                event.remove("final");
                convert(event, "status", status_from_v03);
            });
            json!({ "statusUpdate": event })
        }
        Some("artifact-update") => {
            let event = with_object(item, |event| {
                event.remove("kind");
                event.retain(|name, value| {
                    !matches!(name.as_str(), "append" | "lastChunk") || *value == json!(true)
                });
                convert(event, "artifact", artifact_from_v03);
            });
            json!({ "artifactUpdate": event })
        }
        Some(_) | None => json!({ "message": message_from_v03(item) }),
    }
}

/// Parameters of `message/send` and `message/stream` as those of `SendMessage`.
pub fn send_from_v03(params: Value) -> Value {
    with_object(params, |params| {
        convert(params, "message", message_from_v03);
        convert(params, "configuration", |configuration| {
            with_object(configuration, |configuration| {
                if let Some(blocking) = configuration.remove("blocking") {
                    // Not a boolean stays one thing to complain about.
                    let immediately = blocking.as_bool().map_or(blocking, |blocking| json!(!blocking));
                    configuration.insert("returnImmediately".to_owned(), immediately);
                }
                if let Some(push) = configuration.remove("pushNotificationConfig") {
                    configuration.insert("taskPushNotificationConfig".to_owned(), push);
                }
            })
        });
    })
}

/// Parameters of `SendMessage` as those of `message/send`.
pub fn send_to_v03(params: Value) -> Value {
    with_object(params, |params| {
        convert(params, "message", message_to_v03);
        convert(params, "configuration", |configuration| {
            with_object(configuration, |configuration| {
                if let Some(Value::Bool(immediately)) = configuration.remove("returnImmediately") {
                    configuration.insert("blocking".to_owned(), json!(!immediately));
                }
            })
        });
    })
}

fn ends_stream(state: &str) -> bool {
    matches!(
        state,
        "TASK_STATE_COMPLETED"
            | "TASK_STATE_FAILED"
            | "TASK_STATE_CANCELED"
            | "TASK_STATE_REJECTED"
            | "TASK_STATE_INPUT_REQUIRED"
            | "TASK_STATE_AUTH_REQUIRED"
    )
}

fn status_to_v03(status: Value) -> Value {
    with_object(status, |status| {
        convert(status, "state", |state| json!(state_to_v03(state.as_str().unwrap_or_default())));
        convert(status, "message", message_to_v03);
    })
}

fn status_from_v03(status: Value) -> Value {
    with_object(status, |status| {
        convert(status, "state", |state| json!(state_from_v03(state.as_str().unwrap_or_default())));
        convert(status, "message", message_from_v03);
    })
}

fn artifact_to_v03(artifact: Value) -> Value {
    with_object(artifact, |artifact| convert_each(artifact, "parts", part_to_v03))
}

fn artifact_from_v03(artifact: Value) -> Value {
    with_object(artifact, |artifact| convert_each(artifact, "parts", part_from_v03))
}

fn part_to_v03(part: Value) -> Value {
    with_object(part, |part| {
        let media_type = part.remove("mediaType");
        let filename = part.remove("filename");
        let file = part
            .remove("raw")
            .map(|raw| ("bytes", raw))
            .or_else(|| part.remove("url").map(|url| ("uri", url)));
        if let Some((name, content)) = file {
            let mut file = Object::from_iter([(name.to_owned(), content)]);
            file.extend(filename.map(|filename| ("name".to_owned(), filename)));
            file.extend(media_type.map(|media_type| ("mimeType".to_owned(), media_type)));
            kind(part, "file");
            part.insert("file".to_owned(), Value::Object(file));
        } else if let Some(data) = part.get_mut("data") {
            if !data.is_object() {
                *data = json!({ "value": data.take() });
                let metadata = part.entry("metadata").or_insert_with(|| json!({}));
                if let Value::Object(metadata) = metadata {
                    metadata.insert(WRAPPED.to_owned(), json!(true));
                }
            }
            kind(part, "data");
        } else {
            kind(part, "text");
        }
    })
}

fn part_from_v03(part: Value) -> Value {
    with_object(part, |part| {
        let kind = part.remove("kind");
        match kind.as_ref().and_then(Value::as_str) {
            Some("file") => {
                let Some(Value::Object(mut file)) = part.remove("file") else { return };
                let names =
                    [("bytes", "raw"), ("uri", "url"), ("name", "filename"), ("mimeType", "mediaType")];
                for (theirs, ours) in names {
                    if let Some(value) = file.remove(theirs) {
                        part.insert(ours.to_owned(), value);
                    }
                }
            }
            Some("data") => unwrap_data(part),
            Some(_) | None => {}
        }
    })
}

fn unwrap_data(part: &mut Object) {
    let Some(Value::Object(metadata)) = part.get_mut("metadata") else { return };
    if metadata.remove(WRAPPED).is_none() {
        return;
    }
    if metadata.is_empty() {
        part.remove("metadata");
    }
    if let Some(value) = part.get_mut("data").and_then(|data| data.get_mut("value")).map(Value::take) {
        part.insert("data".to_owned(), value);
    }
}

fn kind(object: &mut Object, kind: &str) {
    object.insert("kind".to_owned(), json!(kind));
}

fn with_object(mut value: Value, change: impl FnOnce(&mut Object)) -> Value {
    if let Value::Object(object) = &mut value {
        change(object);
    }
    value
}

fn convert(object: &mut Object, name: &str, change: impl FnOnce(Value) -> Value) {
    if let Some(value) = object.get_mut(name) {
        *value = change(value.take());
    }
}

fn convert_each(object: &mut Object, name: &str, change: impl Fn(Value) -> Value) {
    if let Some(Value::Array(items)) = object.get_mut(name) {
        for item in items {
            *item = change(item.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::text(json!({ "text": "hi" }), json!({ "kind": "text", "text": "hi" }))]
    #[case::bytes(
        json!({ "raw": "aGk=", "filename": "h.txt", "mediaType": "text/plain" }),
        json!({ "kind": "file", "file": { "bytes": "aGk=", "name": "h.txt", "mimeType": "text/plain" } })
    )]
    #[case::link(json!({ "url": "https://x/y" }), json!({ "kind": "file", "file": { "uri": "https://x/y" } }))]
    #[case::data(json!({ "data": { "ns": "pay" } }), json!({ "kind": "data", "data": { "ns": "pay" } }))]
    #[case::data_that_is_no_object(
        json!({ "data": [1] }),
        json!({ "kind": "data", "data": { "value": [1] }, "metadata": { "data_part_compat": true } })
    )]
    fn parts_translate_both_ways(#[case] v1: Value, #[case] v03: Value) {
        assert_eq!(part_to_v03(v1.clone()), v03);
        assert_eq!(part_from_v03(v03), v1);
    }

    #[rstest]
    #[case("TASK_STATE_SUBMITTED", "submitted", false)]
    #[case("TASK_STATE_WORKING", "working", false)]
    #[case("TASK_STATE_INPUT_REQUIRED", "input-required", true)]
    #[case("TASK_STATE_AUTH_REQUIRED", "auth-required", true)]
    #[case("TASK_STATE_COMPLETED", "completed", true)]
    #[case("TASK_STATE_CANCELED", "canceled", true)]
    #[case("TASK_STATE_FAILED", "failed", true)]
    #[case("TASK_STATE_REJECTED", "rejected", true)]
    fn states_translate_and_the_last_event_is_final(#[case] v1: &str, #[case] v03: &str, #[case] ends: bool) {
        let event = json!({ "statusUpdate": { "taskId": "t", "contextId": "c", "status": { "state": v1 } } });
        let item = stream_to_v03(event.clone());
        assert_eq!(item["status"]["state"], v03);
        assert_eq!(item["final"], ends);
        assert_eq!(stream_from_v03(item), event);
    }

    #[test]
    fn a_task_survives_the_way_there_and_back() {
        let task = json!({
            "id": "t", "contextId": "c", "status": { "state": "TASK_STATE_COMPLETED", "timestamp": "2026-01-01T00:00:00.000Z" },
            "artifacts": [{ "artifactId": "a", "parts": [{ "text": "x" }] }],
            "history": [{ "messageId": "m", "role": "ROLE_USER", "parts": [{ "text": "y" }] }],
        });
        let there = task_to_v03(task.clone());
        assert_eq!(there["history"][0]["role"], "user");
        assert_eq!(task_from_v03(there), task);
    }

    #[rstest]
    #[case(json!({ "blocking": true }), json!({ "returnImmediately": false }))]
    #[case(json!({ "blocking": false }), json!({ "returnImmediately": true }))]
    fn blocking_is_the_opposite_of_return_immediately(#[case] v03: Value, #[case] v1: Value) {
        let params = send_from_v03(json!({ "message": {}, "configuration": v03 }));
        assert_eq!(params["configuration"], v1);
    }
}
