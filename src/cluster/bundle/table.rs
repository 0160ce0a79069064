//! Tables as kubectl shows them (`Accept: application/json;as=Table`).

use serde_json::{Value, json};

/// A `meta.k8s.io/v1` Table of these objects.
pub(super) fn table(_kind: &str, _objects: &[&Value], _now: jiff::Timestamp, metadata: Value) -> Value {
    json!({ "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "columnDefinitions": [], "rows": [] })
}
