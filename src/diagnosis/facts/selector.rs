//! Label selectors: `matchLabels` maps and `matchExpressions`.

use serde_json::{Map, Value};

use super::object::Read;

type Labels<'a> = Option<&'a Map<String, Value>>;

/// True where every pair of a plain selector map (a Service's) is among the labels. An empty map selects nothing here:
/// callers treat Services without selector on their own.
pub(crate) fn map_matches(selector: &Map<String, Value>, labels: Labels<'_>) -> bool {
    !selector.is_empty() && selector.iter().all(|(name, value)| label(labels, name) == value.as_str())
}

fn label<'a>(labels: Labels<'a>, name: &str) -> Option<&'a str> {
    labels?.get(name)?.as_str()
}

/// True where a LabelSelector (`matchLabels`, `matchExpressions`) selects these labels. An empty selector selects all.
pub(crate) fn matches(selector: &Value, labels: Labels<'_>) -> bool {
    selector.members("/matchLabels").all(|(name, value)| label(labels, name) == value.as_str())
        && selector.list("/matchExpressions").iter().all(|expression| expression_matches(expression, labels))
}

/// One requirement of a LabelSelector or of a node selector term (`key`, `operator`, `values`).
pub(crate) fn expression_matches(expression: &Value, labels: Labels<'_>) -> bool {
    let actual = label(labels, expression.text("/key"));
    let values = expression.list("/values");
    let listed = || actual.is_some_and(|actual| values.iter().any(|value| value == actual));
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<i64>().ok());
    let bound = number(values.first().and_then(Value::as_str));
    match expression.text("/operator") {
        "In" => listed(),
        "NotIn" => !listed(),
        "Exists" => actual.is_some(),
        "DoesNotExist" => actual.is_none(),
        "Gt" => number(actual).zip(bound).is_some_and(|(actual, bound)| actual > bound),
        "Lt" => number(actual).zip(bound).is_some_and(|(actual, bound)| actual < bound),
        _ => false,
    }
}

/// `app=web, tier in (a, b)`: a LabelSelector for people.
pub(crate) fn show(selector: &Value) -> String {
    let labels = selector.members("/matchLabels").map(|(name, value)| pair(name, value));
    let expressions = selector.list("/matchExpressions").iter().map(show_expression);
    labels.chain(expressions).collect::<Vec<_>>().join(", ")
}

/// `key in (a, b)`, `key exists`: one requirement for people.
pub(crate) fn show_expression(expression: &Value) -> String {
    let key = expression.text("/key");
    let values: Vec<&str> = expression.list("/values").iter().filter_map(Value::as_str).collect();
    match (expression.text("/operator"), values.as_slice()) {
        ("In", [only]) => format!("{key}={only}"),
        ("In", several) => format!("{key} in ({})", several.join(", ")),
        ("NotIn", several) => format!("{key} not in ({})", several.join(", ")),
        ("Exists", _) => format!("{key} exists"),
        ("DoesNotExist", _) => format!("{key} does not exist"),
        (operator, several) => format!("{key} {operator} {}", several.join(", ")),
    }
}

/// `name=value` pairs of a map, for people and for `kubectl -l`.
pub(crate) fn show_map(map: &Map<String, Value>) -> String {
    map.iter().map(|(name, value)| pair(name, value)).collect::<Vec<_>>().join(",")
}

fn pair(name: &str, value: &Value) -> String {
    format!("{name}={}", value.as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!({}), true)]
    #[case(json!({ "matchLabels": { "app": "web" } }), true)]
    #[case(json!({ "matchLabels": { "app": "api" } }), false)]
    #[case(json!({ "matchExpressions": [{ "key": "app", "operator": "In", "values": ["web", "api"] }] }), true)]
    #[case(json!({ "matchExpressions": [{ "key": "app", "operator": "NotIn", "values": ["web"] }] }), false)]
    #[case(json!({ "matchExpressions": [{ "key": "tier", "operator": "NotIn", "values": ["x"] }] }), true)]
    #[case(json!({ "matchExpressions": [{ "key": "tier", "operator": "DoesNotExist" }] }), true)]
    #[case(json!({ "matchExpressions": [{ "key": "cores", "operator": "Gt", "values": ["3"] }] }), true)]
    #[case(json!({ "matchExpressions": [{ "key": "cores", "operator": "Lt", "values": ["4"] }] }), false)]
    #[case(json!({ "matchExpressions": [{ "key": "app", "operator": "Resembles" }] }), false)]
    fn selectors_select_as_the_api_server_does(#[case] selector: Value, #[case] selected: bool) {
        let labels = json!({ "app": "web", "cores": "4" });
        assert_eq!(matches(&selector, labels.as_object()), selected);
    }
}
