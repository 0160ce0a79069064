//! Arguments as callers send them: held against the schema, repaired where the meaning is clear, then typed.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::ToolError;
use super::text::{nearest, shorten};

/// The arguments as an object, without what means absent.
pub(super) fn object(arguments: Value) -> Result<Map<String, Value>, ToolError> {
    let mut arguments = match arguments {
        Value::Object(arguments) => arguments,
        Value::Null => Map::new(),
        _ => return Err(ToolError::InvalidInput("arguments must be an object".to_owned())),
    };
    arguments.retain(|_, value| !value.is_null() && value != "");
    Ok(arguments)
}

/// Makes numbers of what are numbers; everything required is there and in range.
pub(super) fn check(schema: &Value, arguments: &mut Map<String, Value>) -> Result<(), ToolError> {
    for (name, value) in arguments.iter_mut() {
        let property = &schema["properties"][name];
        repair(property, value);
        if is_out_of_range(property, value) {
            return Err(wrong(name, property, value));
        }
    }
    let mut required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    match required.find(|name| !arguments.contains_key(*name)) {
        None => Ok(()),
        Some(name) => {
            let description = schema["properties"][name]["description"].as_str().unwrap_or_default();
            Err(ToolError::InvalidInput(format!("{name} is required: {description}")))
        }
    }
}

/// True for one of these choices, in any letters.
pub(super) fn is_choice(choices: &Value, word: &str) -> bool {
    let word = Value::from(word);
    choices.as_array().into_iter().flatten().any(|choice| is_same_word(choice, &word))
}

/// The typed arguments.
pub(super) fn parse<T: DeserializeOwned>(
    schema: &Value,
    arguments: Map<String, Value>,
) -> Result<T, ToolError> {
    let given = Value::Object(arguments);
    serde_path_to_error::deserialize(&given).map_err(|error| {
        let path = error.path().to_string();
        let name = path.split(['.', '[']).next().unwrap_or_default();
        match given.get(name) {
            Some(value) => wrong(name, &schema["properties"][name], value),
            None => ToolError::InvalidInput(error.inner().to_string()),
        }
    })
}

/// What callers may give to every tool, also where it says nothing.
const EVERYWHERE: [&str; 3] = ["cluster_name", "region", "role_arn"];

/// A line for each argument that the tool does not know; it is ignored, but a misspelt one should not go unnoticed.
pub(super) fn unknown(schema: &Value, arguments: &Map<String, Value>) -> Vec<String> {
    let known: Vec<&str> =
        schema["properties"].as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect();
    let tolerated = |name: &str| known.contains(&name) || EVERYWHERE.contains(&name);
    let unknown = arguments.keys().filter(|name| !tolerated(name));
    unknown
        .map(|name| {
            let near = nearest(name, known.iter().copied(), 1);
            let near = near.first().map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            format!("The argument {:?} is unknown and was ignored{near}", shorten(name, 60))
        })
        .collect()
}

/// Callers write numbers and booleans as strings, choices in other letters, and one name where a list is expected.
fn repair(property: &Value, value: &mut Value) {
    let choices = property["enum"].as_array().into_iter().flatten();
    let mut choices = choices.filter(|choice| is_same_word(choice, value));
    if let Some(choice) = choices.next() {
        *value = choice.clone();
        return;
    }
    let repaired = match (property["type"].as_str(), &*value) {
        (Some("integer"), Value::String(text)) => text.trim().parse::<i64>().ok().map(Value::from),
        (Some("integer"), Value::Number(number)) => whole(number).map(Value::from),
        (Some("boolean"), Value::String(text)) => text.trim().parse::<bool>().ok().map(Value::from),
        (Some("array"), Value::String(text)) => Some(Value::from(vec![text.as_str()])),
        _ => None,
    };
    if let Some(repaired) = repaired {
        *value = repaired;
    }
}

fn is_same_word(choice: &Value, value: &Value) -> bool {
    let words = choice.as_str().zip(value.as_str());
    words.is_some_and(|(choice, value)| choice.eq_ignore_ascii_case(value.trim()))
}

/// `20.0` is a whole number, too.
fn whole(number: &serde_json::Number) -> Option<i64> {
    let number = number.as_f64().filter(|_| number.is_f64())?;
    format!("{number:.0}").parse().ok().filter(|_| number.fract() == 0.0)
}

fn is_out_of_range(property: &Value, value: &Value) -> bool {
    let Some(number) = value.as_i64().filter(|_| property["type"] == "integer") else { return false };
    let (min, max) = (property["minimum"].as_i64(), property["maximum"].as_i64());
    min.is_some_and(|min| number < min) || max.is_some_and(|max| number > max)
}

fn wrong(name: &str, property: &Value, value: &Value) -> ToolError {
    let value = shorten(&value.to_string(), 60);
    ToolError::InvalidInput(format!("{name} must be {}, not {value}", allowed(property)))
}

/// What a property of the schema takes, in words.
fn allowed(property: &Value) -> String {
    if let Some(values) = property["enum"].as_array() {
        let values: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
        return format!("one of {}", values.join(", "));
    }
    match (property["type"].as_str(), &property["minimum"], &property["maximum"]) {
        (Some("integer"), Value::Number(min), Value::Number(max)) => {
            format!("an integer from {min} to {max}")
        }
        (Some("integer"), Value::Number(min), _) => format!("an integer of at least {min}"),
        (Some("integer"), _, _) => "an integer".to_owned(),
        (Some("boolean"), _, _) => "true or false".to_owned(),
        (Some("array"), _, _) => "a list of strings".to_owned(),
        _ => "a string".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::json;

    use super::super::schema::input_schema;
    use super::*;

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Colour {
        Red,
        Green,
    }

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    struct Input {
        /// What it is called
        name: String,
        #[serde(default)]
        #[schemars(range(min = 1, max = 500))]
        limit: u32,
        colour: Option<Colour>,
        #[serde(default)]
        previous: bool,
        #[serde(default)]
        namespaces: Vec<String>,
        since: Option<u32>,
    }

    fn read(arguments: Value) -> Result<Input, String> {
        let schema = input_schema::<Input>(&[]);
        let checked = object(arguments).and_then(|mut arguments| {
            check(&schema, &mut arguments)?;
            parse(&schema, arguments)
        });
        checked.map_err(|error| error.to_string())
    }

    #[rstest]
    #[case::text_for_numbers(json!({ "name": "x", "limit": "20", "since": " 3 ", "previous": "true" }), 20, Some(3))]
    #[case::floats(json!({ "name": "x", "limit": 20.0, "previous": true }), 20, None)]
    #[case::null_and_empty_are_absent(
        json!({ "name": "x", "limit": 1, "since": null, "colour": "", "previous": true }), 1, None)]
    fn what_is_clear_is_understood(#[case] arguments: Value, #[case] limit: u32, #[case] since: Option<u32>) {
        let input = Input {
            name: "x".to_owned(),
            limit,
            colour: None,
            previous: true,
            namespaces: Vec::new(),
            since,
        };
        assert_eq!(read(arguments), Ok(input));
    }

    #[rstest]
    #[case("red")]
    #[case(" RED")]
    fn choices_are_understood_in_any_case(#[case] colour: &str) {
        let input = read(json!({ "name": "x", "colour": colour })).unwrap();
        assert_eq!(input.colour, Some(Colour::Red));
    }

    #[test]
    fn one_name_is_a_list_of_one() {
        assert_eq!(read(json!({ "name": "x", "namespaces": "shop" })).unwrap().namespaces, ["shop"]);
    }

    #[rstest]
    #[case::no_object(json!([1]), "arguments must be an object")]
    #[case::missing(json!({}), "name is required: What it is called")]
    #[case::missing_by_null(Value::Null, "name is required: What it is called")]
    #[case::out_of_range(json!({ "name": "x", "limit": 501 }), "limit must be an integer from 1 to 500, not 501")]
    #[case::out_of_range_as_text(
        json!({ "name": "x", "limit": "0" }), "limit must be an integer from 1 to 500, not 0")]
    #[case::negative(json!({ "name": "x", "since": -1 }), "since must be an integer of at least 0, not -1")]
    #[case::no_number(
        json!({ "name": "x", "limit": "many" }), r#"limit must be an integer from 1 to 500, not "many""#)]
    #[case::no_choice(json!({ "name": "x", "colour": "blue" }), r#"colour must be one of red, green, not "blue""#)]
    #[case::no_boolean(json!({ "name": "x", "previous": 3 }), "previous must be true or false, not 3")]
    #[case::no_list(json!({ "name": "x", "namespaces": [1] }), "namespaces must be a list of strings, not [1]")]
    #[case::no_string(json!({ "name": { "a": 1 } }), r#"name must be a string, not {"a":1}"#)]
    fn what_is_wrong_is_named_in_one_line(#[case] arguments: Value, #[case] message: &str) {
        assert_eq!(read(arguments), Err(message.to_owned()));
    }

    #[test]
    fn misspelt_arguments_are_pointed_out() {
        let given = json!({ "name": "x", "namespace": "shop", "qqqqqqq": 1 });
        let notes = unknown(&input_schema::<Input>(&[]), given.as_object().unwrap());
        assert_eq!(
            notes,
            [
                "The argument \"namespace\" is unknown and was ignored; did you mean namespaces?",
                "The argument \"qqqqqqq\" is unknown and was ignored",
            ]
        );
    }
}
