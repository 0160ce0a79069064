//! Tables as kubectl shows them (`Accept: application/json;as=Table`): the API server computes their cells.

mod cells;
mod network;
mod other;
mod storage;
mod workload;

use jiff::Timestamp;
use serde_json::{Value, json};

use cells::{Column, Row, Words, age_column, name_column};

/// What the rows of a table bring along of their objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Include {
    /// Nothing.
    Nothing,
    /// Their metadata; kubectl takes the namespace from there.
    Metadata,
    /// All of it.
    Object,
}

impl Include {
    /// The value of `includeObject`.
    pub(super) fn parse(text: Option<&str>) -> Result<Self, String> {
        match text {
            None | Some("" | "Metadata") => Ok(Self::Metadata),
            Some("None") => Ok(Self::Nothing),
            Some("Object") => Ok(Self::Object),
            Some(other) => Err(format!("invalid includeObject {other:?}: None, Metadata or Object")),
        }
    }
}

/// A `meta.k8s.io/v1` Table of these objects.
pub(super) fn table(
    kind: &str,
    objects: &[&Value],
    now: Timestamp,
    metadata: Value,
    include: Include,
) -> Value {
    let columns = columns(kind);
    let rows: Vec<Value> = objects.iter().map(|object| row(&columns, object, now, include)).collect();
    let definitions: Vec<Value> = columns.iter().map(definition).collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "columnDefinitions": definitions,
        "rows": rows,
    })
}

fn columns(kind: &str) -> Vec<Column> {
    workload::columns(kind)
        .or_else(|| network::columns(kind))
        .or_else(|| storage::columns(kind))
        .or_else(|| other::columns(kind))
        .unwrap_or_else(|| vec![name_column(), age_column()])
}

fn definition(column: &Column) -> Value {
    let format = if column.name == "Name" { "name" } else { "" };
    json!({
        "name": column.name, "type": "string", "format": format, "description": column.name,
        "priority": i32::from(column.wide),
    })
}

fn row(columns: &[Column], object: &Value, now: Timestamp, include: Include) -> Value {
    let row = Row { object: Words(object), now };
    let cells: Vec<Value> = columns.iter().map(|column| (column.cell)(&row)).collect();
    match include {
        Include::Nothing => json!({ "cells": cells }),
        Include::Metadata => json!({ "cells": cells, "object": {
            "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"],
        } }),
        Include::Object => json!({ "cells": cells, "object": object }),
    }
}

#[cfg(test)]
mod tests;
