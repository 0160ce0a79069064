//! Objects as they are shown: as YAML, and as the difference between two of them.

use serde_json::{Value, json};
use similar::TextDiff;

use crate::cluster::redact;

use super::ToolError;

/// The object as YAML.
pub(super) fn yaml(object: &Value) -> Result<String, ToolError> {
    serde_saphyr::to_string(object).map_err(|error| {
        tracing::error!(%error, "an object cannot be written as YAML");
        ToolError::Bug
    })
}

/// What a change changes, as a unified diff without what the server keeps for itself. Empty where nothing differs.
pub(super) fn difference(before: Option<Value>, mut after: Value) -> Result<String, ToolError> {
    let before = before.map(|mut before| {
        without_record(&mut before);
        yaml(&before)
    });
    without_record(&mut after);
    let (before, after) = (before.transpose()?.unwrap_or_default(), yaml(&after)?);
    Ok(TextDiff::from_lines(&before, &after).unified_diff().context_radius(3).to_string())
}

/// Which object it is and how far it was changed: what a plan rests on.
pub(super) fn version_of(object: &Value) -> Value {
    // The status of an object changes all the time, and its resourceVersion with it.
    let metadata = &object["metadata"];
    json!([metadata["uid"], metadata.get("generation").or_else(|| metadata.get("resourceVersion"))])
}

/// Refuses what holds the marks that stand for secrets: they would take the place of the real ones.
pub(super) fn refuse_marks(object: &Value, what: &str) -> Result<(), ToolError> {
    match has_mark(object) {
        false => Ok(()),
        true => Err(ToolError::InvalidInput(format!(
            "{what} holds {} or {}, which stand for secrets that are not shown: they would take the place of the real \
             ones; leave out the members that do not change",
            redact::MARK,
            redact::DATA_MARK
        ))),
    }
}

fn has_mark(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains(redact::MARK) || text == redact::DATA_MARK,
        Value::Array(items) => items.iter().any(has_mark),
        Value::Object(members) => members.values().any(has_mark),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Without bookkeeping and without members that say nothing.
pub(super) fn tidy(object: &mut Value) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    drop_nulls(object);
}

/// Without what the server keeps for itself: it changes with everything, and says nothing about a plan.
fn without_record(object: &mut Value) {
    tidy(object);
    if let Some(metadata) = object["metadata"].as_object_mut() {
        for member in ["uid", "creationTimestamp", "resourceVersion", "generation"] {
            metadata.remove(member);
        }
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
