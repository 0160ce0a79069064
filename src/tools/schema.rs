//! The JSON schema of a tool's arguments, from their type.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// The argument that every tool takes.
pub(super) const CLUSTER_NAME: &str = "cluster_name";

/// Draft 2020-12, in one piece. Optional arguments are not `required`; that `null` means absent, too, goes unsaid.
pub(super) fn input_schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    let mut properties = match schema["properties"].take() {
        Value::Object(properties) => properties,
        _ => Map::new(),
    };
    for property in properties.values_mut() {
        tidy(property);
    }
    properties.insert(
        CLUSTER_NAME.to_owned(),
        json!({
            "type": "string",
            "description": "Name of the cluster. May be left out: this server works on one cluster.",
        }),
    );
    match &schema["required"] {
        Value::Null => json!({ "type": "object", "properties": properties }),
        required => json!({ "type": "object", "properties": properties, "required": required }),
    }
}

fn tidy(property: &mut Value) {
    let Some(object) = property.as_object_mut() else { return };
    object.remove("format");
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
