//! What many tables have in common: columns, ages, lists, selectors.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cluster::age;

/// An object, or a part of one, whose fields may be missing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words<'a>(pub(super) &'a Value);

impl<'a> Words<'a> {
    /// What is at a path such as `spec.replicas`, or null.
    pub(super) fn at(self, path: &str) -> Words<'a> {
        Words(path.split('.').filter(|name| !name.is_empty()).fold(self.0, |value, name| &value[name]))
    }

    /// The text at a path, or the empty one.
    pub(super) fn text(self, path: &str) -> &'a str {
        self.at(path).0.as_str().unwrap_or_default()
    }

    /// The number at a path, or 0.
    pub(super) fn number(self, path: &str) -> i64 {
        self.at(path).0.as_i64().unwrap_or(0)
    }

    pub(super) fn is_set(self, path: &str) -> bool {
        !self.at(path).0.is_null()
    }

    pub(super) fn list(self, path: &str) -> impl Iterator<Item = Words<'a>> {
        self.at(path).0.as_array().into_iter().flatten().map(Words)
    }

    /// The entries of the map at a path.
    pub(super) fn entries(self, path: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.at(path).0.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
    }

    /// A name that is a path would be taken apart.
    pub(super) fn key(self, name: &str) -> &'a str {
        self.0[name].as_str().unwrap_or_default()
    }
}

/// What a cell is computed from.
pub(super) struct Row<'a> {
    pub(super) object: Words<'a>,
    pub(super) now: Timestamp,
}

impl Row<'_> {
    /// The age of the time at a path.
    pub(super) fn since(&self, path: &str) -> Option<String> {
        let time: Timestamp = self.object.text(path).parse().ok()?;
        Some(age(time, self.now))
    }

    pub(super) fn age(&self) -> Value {
        self.since("metadata.creationTimestamp").unwrap_or_else(|| "<unknown>".to_owned()).into()
    }
}

/// A column: its name, whether only `-o wide` shows it, and how its cells are computed.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) wide: bool,
    pub(super) cell: fn(&Row<'_>) -> Value,
}

/// A column that is always shown.
pub(super) fn shown(name: &'static str, cell: fn(&Row<'_>) -> Value) -> Column {
    Column { name, wide: false, cell }
}

/// A column of `-o wide`.
pub(super) fn wide(name: &'static str, cell: fn(&Row<'_>) -> Value) -> Column {
    Column { name, wide: true, cell }
}

pub(super) fn name_column() -> Column {
    shown("Name", |row| row.object.text("metadata.name").into())
}

pub(super) fn age_column() -> Column {
    shown("Age", |row| row.age())
}

/// Some kinds show when they were made instead of their age.
pub(super) fn created_column() -> Column {
    shown("Created At", |row| row.object.text("metadata.creationTimestamp").into())
}

/// `a,b,c`, or `<none>`.
pub(super) fn joined<'a>(items: impl Iterator<Item = &'a str>) -> Value {
    let items: Vec<&str> = items.filter(|item| !item.is_empty()).collect();
    or_none(&items.join(","))
}

/// The first three, and how many more there are; `nothing` where there are none.
pub(super) fn first_three(items: &[String], nothing: &str) -> Value {
    match items {
        [] => nothing.into(),
        [a, b, c, rest @ ..] if !rest.is_empty() => format!("{a},{b},{c} + {} more...", rest.len()).into(),
        few => few.join(",").into(),
    }
}

pub(super) fn or_none(text: &str) -> Value {
    or(text, "<none>")
}

pub(super) fn or(text: &str, otherwise: &str) -> Value {
    if text.is_empty() { otherwise.into() } else { text.into() }
}

/// `1/3`.
pub(super) fn of(part: i64, whole: i64) -> Value {
    format!("{part}/{whole}").into()
}

/// `true` or `false`.
pub(super) fn flag(value: bool) -> Value {
    json!(value.to_string())
}

/// `app=web,tier=data`, from a map of labels.
pub(super) fn labels(map: Words<'_>) -> Value {
    let pairs: Vec<String> = map
        .entries("")
        .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
        .collect();
    or_none(&pairs.join(","))
}

/// A label selector with `matchLabels` and `matchExpressions`.
pub(super) fn selector(selector: Words<'_>) -> Value {
    let equal = selector.entries("matchLabels");
    let mut terms: Vec<String> =
        equal.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())).collect();
    terms.extend(selector.list("matchExpressions").map(|expression| {
        let key = expression.text("key");
        let values: Vec<&str> = expression.list("values").filter_map(|value| value.0.as_str()).collect();
        match expression.text("operator") {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "DoesNotExist" => format!("!{key}"),
            _ => key.to_owned(),
        }
    }));
    or_none(&terms.join(","))
}

/// A quantity, a number or a percentage.
pub(super) fn any(value: Words<'_>, otherwise: &str) -> Value {
    match value.0 {
        Value::Null => otherwise.into(),
        Value::String(text) => or(text, otherwise),
        other => other.to_string().into(),
    }
}
