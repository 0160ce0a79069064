//! Keeps secrets inside: what is replaced in objects, logs and texts before anyone sees them.
//!
//! Kept is what a diagnosis needs: names of Secrets and their keys, hosts, ports and paths of URLs, references to
//! variables. Doing it twice changes nothing.

mod name;
mod text;

use std::borrow::Cow;

use serde_json::{Map, Value};

use name::{holds_credential, is_harmless, names_credential};

/// Stands for what was there.
pub const MARK: &str = "***";
/// Stands for what was there in the `data` of a Secret, which clients decode: `redacted` in base64.
pub const DATA_MARK: &str = "cmVkYWN0ZWQ=";

/// Fields whose values address other objects, and are never secret.
const ADDRESSES: [&str; 6] = ["labels", "matchLabels", "selector", "nodeSelector", "uid", "ownerReferences"];
/// Annotations that carry a whole object.
const WHOLE_OBJECTS: [&str; 3] = ["last-applied", "objectset.rio.cattle.io/applied", "kapp.k14s.io/original"];

/// Replaces the secrets of an object: values of Secrets, last-applied annotations, credentials in environment variables.
/// `managedFields` are left out.
pub fn object(object: &mut Value) {
    if let Some(Value::Array(items)) = object.get_mut("items") {
        items.iter_mut().for_each(self::object);
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        shorten_metadata(metadata);
    }
    match object["kind"].as_str() {
        Some("Secret") => replace_secret(object),
        Some("ConfigMap") => replace_config(object),
        _ => return walk(object),
    }
    if let Some(metadata) = object.get_mut("metadata") {
        walk(metadata);
    }
}

/// Replaces the secrets of a record that is no object of Kubernetes: a log line in JSON, tags, outputs. There, what stands
/// under a name that may mean a credential is one; in an object such a member may as well name a Secret.
pub fn record(record: &mut Value) {
    object(record);
    replace_members(record);
}

fn replace_members(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.iter_mut().for_each(|(name, value)| replace_member(name, value));
        }
        Value::Array(items) => items.iter_mut().for_each(replace_members),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn replace_member(name: &str, value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace_member(name, item)),
        Value::Number(_) if names_credential(name) => *value = MARK.into(),
        Value::String(text) if text::names_secret(name, text) => {}
        Value::String(_) => replace_named(name, value),
        other => replace_members(other),
    }
}

/// Replaces what looks like a credential in a text (a log, a message).
pub fn text(text: &str) -> String {
    text::redacted(text).into_owned()
}

fn replace_secret(secret: &mut Value) {
    for (field, mark) in [("data", DATA_MARK), ("stringData", MARK)] {
        for value in values(secret, field) {
            // That a value is empty is no secret, and may be the fault.
            if value.as_str().is_none_or(|text| !text.is_empty()) && !value.is_null() {
                *value = mark.into();
            }
        }
    }
}

fn replace_config(config: &mut Value) {
    values(config, "binaryData").for_each(|value| *value = DATA_MARK.into());
    if let Some(data) = config.get_mut("data").and_then(Value::as_object_mut) {
        data.iter_mut().for_each(|(name, value)| replace_named(name, value));
    }
}

fn values<'a>(object: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> {
    object.get_mut(field).and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut)
}

fn shorten_metadata(metadata: &mut Map<String, Value>) {
    metadata.remove("managedFields");
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.retain(|name, value| !carries_object(name, value.as_str().unwrap_or_default()));
    }
}

fn carries_object(name: &str, value: &str) -> bool {
    let value = value.trim_start();
    WHOLE_OBJECTS.iter().any(|known| name.contains(known))
        || (value.starts_with('{') && value.contains("\"apiVersion\"") && value.contains("\"kind\""))
}

/// Looks at every text of an object.
fn walk(value: &mut Value) {
    match value {
        Value::Object(object) => walk_object(object),
        Value::Array(items) => items.iter_mut().for_each(walk),
        Value::String(text) => replace_text(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn walk_object(object: &mut Map<String, Value>) {
    // An environment variable, a header, a parameter.
    if let Some(name) = object.get("name").and_then(Value::as_str).map(self::text)
        && let Some(value) = object.get_mut("value")
    {
        replace_named(&name, value);
    }
    for (field, value) in object.iter_mut().filter(|(field, _)| !ADDRESSES.contains(&field.as_str())) {
        match value {
            Value::Array(words) if matches!(field.as_str(), "command" | "args") => replace_arguments(words),
            Value::Array(items) if holds_credential(field) => replace_all(items),
            Value::String(text) => {
                replace_text(text);
                if holds_credential(field) && !is_harmless(text) {
                    *text = MARK.to_owned();
                }
            }
            other => walk(other),
        }
    }
}

/// Everything in a list is a credential, as its name says.
fn replace_all(items: &mut [Value]) {
    for item in items {
        match item {
            Value::String(text) if !is_harmless(text) => *text = MARK.to_owned(),
            other => walk(other),
        }
    }
}

/// The value of something with a name, such as an environment variable.
fn replace_named(name: &str, value: &mut Value) {
    let Value::String(text) = value else { return };
    replace_text(text);
    // Host, port and path of a URL are needed.
    if names_credential(name) && !is_harmless(text) && !text::is_url(text) {
        *text = MARK.to_owned();
    }
}

/// `--password x` as two arguments, and all that a text may hold.
fn replace_arguments(words: &mut [Value]) {
    let mut follows_flag = false;
    for word in words {
        let Value::String(text) = word else { continue };
        replace_text(text);
        let is_flag = text.starts_with('-') && !text.contains(['=', ':', ' ']);
        if follows_flag && !is_flag && !is_harmless(text) {
            *text = MARK.to_owned();
        }
        follows_flag = is_flag && names_credential(text);
    }
}

fn replace_text(text: &mut String) {
    if let Cow::Owned(redacted) = text::redacted(text) {
        *text = redacted;
    }
}

#[cfg(test)]
mod tests;
