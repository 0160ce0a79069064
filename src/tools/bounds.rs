//! Outcomes within bounds: JSON that stays JSON, text that ends at a line.

use std::io;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::ToolOutcome;
use super::table::row_bytes;
use super::text::shorten;

/// What a notice in the text may take.
const NOTICE: usize = 260;
/// Less than this is not worth keeping a member of an object for.
const LEAST: usize = 8;

/// Cuts what is longer than `max_bytes`. Tools that know what matters have cut before. What is cut names the handle under
/// which the whole outcome is kept, if it is.
pub(crate) fn bound(mut outcome: ToolOutcome, max_bytes: usize, handle: Option<&str>) -> ToolOutcome {
    if outcome.text.len() > max_bytes {
        let (kept, left) = cut_at_line(&outcome.text, max_bytes.saturating_sub(NOTICE));
        let read_on = handle
            .map(|handle| format!("read on with read_more, handle={handle} and offset={}, or ", kept.len()));
        outcome.text = format!(
            "{kept}\n[{left} more bytes are left out: {}ask for less, with a namespace, a name, a selector or a smaller \
             limit]\n",
            read_on.unwrap_or_default()
        );
        outcome.truncated = true;
    }
    if size(&outcome.structured) > max_bytes {
        let mark = match handle {
            Some(handle) => json!({ "truncated": true, "handle": handle }),
            None => json!({ "truncated": true }),
        };
        let fitted = fit(outcome.structured, max_bytes.saturating_sub(size(&mark)));
        outcome.structured = match (fitted, mark) {
            (Value::Object(mut object), Value::Object(mark)) => {
                object.extend(mark);
                Value::Object(object)
            }
            (_, mark) => mark,
        };
        outcome.truncated = true;
    }
    outcome
}

/// Bytes of a value as compact JSON.
pub(super) fn size(value: &impl Serialize) -> usize {
    let mut bytes = Count(0);
    match serde_json::to_writer(&mut bytes, value) {
        Ok(()) => bytes.0,
        Err(_) => usize::MAX,
    }
}

struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How many items of a page fit in an outcome of so many bytes, as JSON and as rows of a table; at least one. A page that
/// can be read on has to end where the outcome does.
pub(super) fn fitting(items: &[Value], rows: &[Vec<String>], max_bytes: usize) -> usize {
    let room = max_bytes - max_bytes.min(2048).min(max_bytes / 4);
    let rows = room / row_bytes(rows).max(1);
    let mut left = room;
    let items = items.iter().take_while(|item| match left.checked_sub(size(item) + 1) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    });
    items.count().min(rows).max(1)
}

/// The lines that fit, and how many bytes do not.
fn cut_at_line(text: &str, max: usize) -> (&str, usize) {
    let end = (0..=max.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    let end = text[..end].rfind('\n').unwrap_or(end);
    (&text[..end], text.len() - end)
}

/// The value in at most `max` bytes: lists lose their end, strings their middle, and the members of an object share
/// the room so that small ones stay whole.
fn fit(value: Value, max: usize) -> Value {
    if size(&value) <= max {
        return value;
    }
    match value {
        Value::String(text) => fit_string(&text, max),
        Value::Array(items) => fit_array(items, max),
        Value::Object(members) => fit_object(members, max),
        Value::Null | Value::Bool(_) | Value::Number(_) => Value::Null,
    }
}

fn fit_string(text: &str, max: usize) -> Value {
    let mut length = max.min(text.chars().count());
    loop {
        let shortened = Value::String(shorten(text, length));
        if length == 0 || size(&shortened) <= max {
            return shortened;
        }
        length = length * 3 / 4;
    }
}

fn fit_array(items: Vec<Value>, max: usize) -> Value {
    let mut left = max.saturating_sub(2);
    let mut kept = Vec::new();
    for item in items {
        let item = if kept.is_empty() { fit(item, left) } else { item };
        match left.checked_sub(size(&item) + 1) {
            Some(rest) => left = rest,
            None => break,
        }
        kept.push(item);
    }
    Value::Array(kept)
}

fn fit_object(members: Map<String, Value>, max: usize) -> Value {
    let mut left = max.saturating_sub(2);
    let mut members: Vec<(String, Value, usize)> = members
        .into_iter()
        .map(|(name, value)| {
            let size = size(&value);
            (name, value, size)
        })
        .collect();
    members.sort_by_key(|(_, _, size)| *size);
    let mut count = members.len();
    let mut kept = Map::new();
    for (name, value, _) in members {
        let share = (left / count).saturating_sub(size(&name) + 2);
        count -= 1;
        if share >= LEAST {
            let value = fit(value, share);
            left = left.saturating_sub(size(&name) + 2 + size(&value));
            kept.insert(name, value);
        }
    }
    Value::Object(kept)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn outcome(structured: Value, text: &str) -> ToolOutcome {
        ToolOutcome::new(structured, text.to_owned())
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let small = outcome(json!({ "a": [1, 2] }), "text");
        assert_eq!(bound(small.clone(), 100, None), small);
    }

    #[test]
    fn text_is_cut_at_a_line_and_says_so() {
        let long = (0..1000).map(|number| format!("line {number}\n")).collect::<String>();
        let cut = bound(outcome(Value::Null, &long), 1000, None);
        assert!(cut.truncated && cut.text.len() <= 1000, "{}", cut.text);
        let (kept, notice) = cut.text.split_once("\n[").unwrap();
        assert!(long.starts_with(&format!("{kept}\n")));
        assert!(notice.contains("more bytes are left out"));
    }

    #[test]
    fn json_keeps_what_is_small_and_the_beginning_of_lists() {
        let items: Vec<Value> = (0..100).map(|number| json!({ "name": format!("pod-{number}") })).collect();
        let value = json!({ "kind": "Pod", "items": items, "log": "x".repeat(5000) });
        let cut = bound(outcome(value, ""), 500, None);
        assert!(cut.truncated && size(&cut.structured) <= 500);
        assert_eq!(cut.structured["kind"], "Pod");
        assert_eq!(cut.structured["items"][0]["name"], "pod-0");
        assert_eq!(cut.structured["truncated"], true);
        assert!(cut.structured["log"].as_str().unwrap().contains('…'));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Value::from),
            "\\PC{0,40}".prop_map(Value::from),
            "[\\x00-\\x20\"\\\\]{0,40}".prop_map(Value::from),
            Just(Value::Null),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{0,12}", inner, 0..8)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_json_is_longer_than_it_may_be(value in any_json(), max in 64_usize..400) {
            let cut = bound(outcome(json!({ "value": value }), ""), max, None);
            prop_assert!(size(&cut.structured) <= max, "{}", cut.structured);
        }
    }
}
