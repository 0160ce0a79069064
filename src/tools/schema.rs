//! The JSON schemas of a tool's arguments and of its outcome, from their types.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use schemars::transform::RestrictFormats;
use serde_json::{Map, Value, json};

use super::context::CommonArgument;

/// Draft 2020-12, in one piece. Optional arguments are not `required`; that `null` means absent, too, goes unsaid.
pub(super) fn input_schema<T: JsonSchema>(common: &[CommonArgument]) -> Value {
    let mut schema = schema_of::<T>();
    let mut properties = match schema["properties"].take() {
        Value::Object(properties) => properties,
        _ => Map::new(),
    };
    for property in properties.values_mut() {
        tidy(property);
    }
    let mut required = match schema["required"].take() {
        Value::Array(required) => required,
        _ => Vec::new(),
    };
    for argument in common {
        properties.insert(argument.name.to_owned(), argument.schema());
        if argument.required {
            required.push(argument.name.into());
        }
    }
    match required.as_slice() {
        [] => json!({ "type": "object", "properties": properties }),
        required => json!({ "type": "object", "properties": properties, "required": required }),
    }
}

/// Draft 2020-12, in one piece. Nothing is required, because an outcome may be cut to a size.
pub(super) fn output_schema<T: JsonSchema>() -> Value {
    let mut schema = schema_of::<T>();
    require_nothing(&mut schema);
    if let Some(object) = schema.as_object_mut() {
        object.remove("title");
        object.insert("type".to_owned(), "object".into());
    }
    schema
}

fn schema_of<T: JsonSchema>() -> Value {
    // Formats would be the names of Rust's numbers: clients warn of those.
    let mut no_formats = RestrictFormats::default();
    no_formats.infer_from_meta_schema = false;
    let settings = SchemaSettings::draft2020_12().with_transform(no_formats).with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    match settings.into_generator().into_root_schema_for::<T>().to_value() {
        Value::Object(schema) => Value::Object(schema),
        // The schema of any value.
        _ => json!({}),
    }
}

pub(crate) fn require_nothing(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            members.retain(|name, value| name != "required" || !value.is_array());
            members.values_mut().for_each(require_nothing);
        }
        Value::Array(items) => items.iter_mut().for_each(require_nothing),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn tidy(property: &mut Value) {
    let Some(object) = property.as_object_mut() else { return };
    if object.get("default").is_some_and(Value::is_null) {
        object.remove("default");
    }
    if let Some(Value::Array(mut choices)) = object.remove("anyOf") {
        choices.retain(|choice| choice["type"] != "null");
        if let Some(Value::Object(only)) = choices.pop() {
            object.extend(only);
        }
    }
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        let only = types.pop();
        object.insert("type".to_owned(), only.unwrap_or_default());
    }
    if let Some(Value::Array(values)) = object.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::String(description)) = object.get_mut("description") {
        *description = description.split_whitespace().collect::<Vec<_>>().join(" ");
    }
}
