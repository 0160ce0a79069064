//! A YAML text as objects, within bounds: bytes, documents, depth, anchors.

use serde_json::Value;

use crate::cluster::redact;

use super::super::ToolError;
use super::super::server_file;
use super::super::shown::refuse_marks;
use super::super::text::{plain, shorten};

/// Longest text, in bytes.
const MAX_BYTES: usize = server_file::MAX_BYTES;
/// Most documents of one call.
const MAX_DOCUMENTS: usize = 100;
/// Values of all documents together, with those that aliases repeat.
const MAX_NODES: usize = 50_000;
/// Deepest nesting.
const MAX_DEPTH: usize = 64;

/// One document: an object that is to be as it says.
#[derive(Debug)]
pub(super) struct Document {
    /// Its place in the text, from 1.
    pub(super) number: usize,
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    pub(super) body: Value,
}

/// The documents of a text; empty ones are left out, lists are their items.
pub(super) fn read(text: &str) -> Result<Vec<Document>, ToolError> {
    if text.len() > MAX_BYTES {
        return Err(invalid(format!("the YAML is larger than {} KiB; apply it in parts", MAX_BYTES >> 10)));
    }
    let values: Vec<Value> =
        serde_saphyr::from_multiple_with_options(text, options()).map_err(|error| unreadable(&error))?;
    let mut documents = Vec::new();
    for (index, value) in values.into_iter().enumerate().filter(|(_, value)| !value.is_null()) {
        add(&mut documents, index + 1, value)?;
    }
    match documents.len() {
        0 => Err(invalid("the YAML holds no object".to_owned())),
        count if count > MAX_DOCUMENTS => Err(invalid(format!(
            "the YAML holds {count} objects, and at most {MAX_DOCUMENTS} are taken; apply it in parts"
        ))),
        _ => Ok(documents),
    }
}

/// As kubectl reads YAML, where versions of YAML differ: `0644` is octal, `yes` is true, `<<` merges.
fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_documents: 2 * MAX_DOCUMENTS,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_aliases: 1000,
            max_anchors: 1000,
            max_merge_keys: 1000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: 16,
        },
        legacy_octal_numbers: true,
        with_snippet: false,
    }
}

fn add(documents: &mut Vec<Document>, number: usize, value: Value) -> Result<(), ToolError> {
    if value["kind"] == "List" && value["apiVersion"] == "v1" {
        let Value::Array(items) = value["items"].clone() else {
            return Err(invalid(format!("document {number} is a List without items")));
        };
        return items.into_iter().try_for_each(|item| add(documents, number, item));
    }
    documents.push(Document::of(number, value)?);
    Ok(())
}

impl Document {
    fn of(number: usize, mut body: Value) -> Result<Self, ToolError> {
        let text = |pointer: &str| {
            let text = body.pointer(pointer).and_then(Value::as_str).map(str::trim);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let missing = |member: &str| {
            invalid(format!(
                "document {number} has no {member}: every object needs apiVersion, kind and metadata.name"
            ))
        };
        let api_version = text("/apiVersion").ok_or_else(|| missing("apiVersion"))?;
        let kind = text("/kind").ok_or_else(|| missing("kind"))?;
        let name = text("/metadata/name").ok_or_else(|| missing("metadata.name"))?;
        let namespace = text("/metadata/namespace");
        if namespace.is_none() && body.pointer("/metadata/namespace").is_some_and(|named| !named.is_null()) {
            let why = format!("metadata.namespace of document {number} is not a text; put it in quotes");
            return Err(invalid(why));
        }
        refuse_marks(&body, &format!("document {number}"))?;
        if let Some(metadata) = body["metadata"].as_object_mut() {
            // The server keeps them, and takes them from nobody.
            metadata.remove("managedFields");
        }
        Ok(Self { number, api_version, kind, namespace, name, body })
    }
}

/// The parser's words without the place, which is told in ours.
fn unreadable(error: &serde_saphyr::Error) -> ToolError {
    let place = error.location().map(|place| format!(" at line {}, column {}", place.line(), place.column()));
    let why = shorten(&plain(&redact::text(&error.without_snippet().to_string())), 200);
    invalid(format!("the YAML cannot be read{}: {why}", place.unwrap_or_default()))
}

fn invalid(message: String) -> ToolError {
    ToolError::InvalidInput(message)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn refused(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    const PLAIN: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n";

    #[test]
    fn documents_are_read_in_order_and_lists_are_their_items() {
        let list = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: b, namespace: shop}}\n";
        let documents = read(&format!("---\n{PLAIN}---\n---\n# nothing\n---\n{list}")).unwrap();
        let read: Vec<_> =
            documents.iter().map(|found| (&*found.kind, &*found.name, found.namespace.as_deref())).collect();
        assert_eq!(read, [("ConfigMap", "a", None), ("Secret", "b", Some("shop"))]);
    }

    #[test]
    fn what_kubectl_reads_is_read_alike() {
        let text = format!(
            "{PLAIN}mode: 0644\non: yes\nbase: &b {{x: 1}}\nmore: {{<<: *b, y: '2'}}\nversion: 1.10\n"
        );
        let body = read(&text).unwrap().remove(0).body;
        assert_eq!((&body["mode"], &body["on"]), (&json!(420), &json!(true)));
        assert_eq!(body["more"], json!({ "x": 1, "y": "2" }));
    }

    #[rstest]
    #[case::empty("---\n# nothing\n", "the YAML holds no object")]
    #[case::no_object("- a\n", "document 1 has no apiVersion")]
    #[case::no_name(
        "apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\n",
        "document 1 has no metadata.name"
    )]
    #[case::name_that_is_a_number(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: 7}\n",
        "document 1 has no metadata.name"
    )]
    #[case::namespace_that_is_no_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: no}\n",
        "metadata.namespace of document 1 is not a text"
    )]
    #[case::odd_metadata("apiVersion: v1\nkind: Pod\nmetadata: x\n", "document 1 has no metadata.name")]
    #[case::list_without_items("apiVersion: v1\nkind: List\n", "document 1 is a List without items")]
    #[case::broken("a: [1\nb: 2\n", "the YAML cannot be read at line 2")]
    #[case::key_twice("a: 1\na: 2\n", "the YAML cannot be read at line 2, column 1: duplicate")]
    #[case::mark(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {x: '***'}\n",
        "document 1 holds ***"
    )]
    fn what_is_wrong_is_told_with_its_place(#[case] text: &str, #[case] expected: &str) {
        let why = refused(text);
        assert!(why.starts_with(expected) && !why.contains('\n'), "{why}");
    }

    #[rstest]
    #[case::bytes(format!("{PLAIN}x: {}\n", "y".repeat(MAX_BYTES)), "larger than 1024 KiB")]
    #[case::documents(format!("---\n{PLAIN}").repeat(MAX_DOCUMENTS + 1), "holds 101 objects")]
    #[case::separators("--- {}\n".repeat(10_000), "cannot be read")]
    #[case::nesting(format!("a: {}{}", "[".repeat(200), "]".repeat(200)), "cannot be read")]
    #[case::values(format!("a: [{}]", "1,".repeat(MAX_NODES + 1)), "cannot be read")]
    #[case::aliases(bomb(), "cannot be read")]
    fn a_text_stays_within_bounds(#[case] text: String, #[case] expected: &str) {
        let why = refused(&text);
        assert!(why.contains(expected), "{why}");
    }

    /// Nine levels, each nine times the one before.
    fn bomb() -> String {
        let level = |number: usize| {
            let aliases = vec![format!("*a{}", number - 1); 9].join(", ");
            format!("a{number}: &a{number} [{aliases}]\n")
        };
        format!("a0: &a0 [x, x]\n{}", (1..10).map(level).collect::<String>())
    }
}
