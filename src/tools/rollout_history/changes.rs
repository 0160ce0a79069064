//! What differs between two pod templates, field by field. Values of environment variables are never told.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::tools::text::{plain, shorten};

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct Change {
    /// Path, with the names of list items: `containers[web].image`.
    pub(super) field: String,
    /// As it was; absent where it was not there.
    pub(super) from: Option<String>,
    /// As it is; absent where it is gone.
    pub(super) to: Option<String>,
}

impl Change {
    /// `containers[web].image: web:1 → web:2`.
    pub(super) fn line(&self, max: usize) -> String {
        let show = |text: &str| shorten(&plain(text), max);
        let field = show(&self.field);
        match (&self.from, &self.to) {
            (Some(from), Some(to)) if from == to => format!("{field}: another value"),
            (Some(from), Some(to)) => format!("{field}: {} → {}", show(from), show(to)),
            (None, Some(to)) => format!("{field}: added, {}", show(to)),
            (Some(from), None) => format!("{field}: removed, was {}", show(from)),
            (None, None) => field,
        }
    }
}

/// A leaf of a template: what is compared, and what may be told of it.
#[derive(Debug, PartialEq, Eq)]
struct Leaf {
    compared: String,
    told: String,
}

/// What differs, in the order of the fields.
pub(super) fn changes(before: &Value, after: &Value) -> Vec<Change> {
    let (before, after) = (flat(before), flat(after));
    let fields = before.keys().chain(after.keys().filter(|field| !before.contains_key(*field)));
    let mut changes: Vec<Change> = fields
        .filter_map(|field| {
            let (from, to) = (before.get(field), after.get(field));
            let differs = from.map(|leaf| &leaf.compared) != to.map(|leaf| &leaf.compared);
            let told = |leaf: Option<&Leaf>| leaf.map(|leaf| leaf.told.clone());
            differs.then(|| Change { field: field.clone(), from: told(from), to: told(to) })
        })
        .collect();
    changes.sort_by(|a, b| a.field.cmp(&b.field));
    changes
}

fn flat(template: &Value) -> BTreeMap<String, Leaf> {
    let mut leaves = BTreeMap::new();
    for part in ["labels", "annotations"] {
        for (name, value) in template["metadata"][part].as_object().into_iter().flatten() {
            leaves.insert(format!("{part}[{name}]"), leaf(value));
        }
    }
    add("", &template["spec"], &mut leaves);
    leaves
}

fn add(path: &str, value: &Value, leaves: &mut BTreeMap<String, Leaf>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, value) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                add(&path, value, leaves);
            }
        }
        Value::Array(items) if !items.is_empty() && items.iter().all(|item| item["name"].is_string()) => {
            for item in items {
                let path = format!("{path}[{}]", item["name"].as_str().unwrap_or_default());
                match path.rsplit_once(".env[") {
                    Some(_) => {
                        let variable = Leaf { compared: item.to_string(), told: variable(item) };
                        leaves.insert(path, variable);
                    }
                    None => add_item(&path, item, leaves),
                }
            }
        }
        Value::Null => {}
        value => {
            leaves.insert(path.to_owned(), leaf(value));
        }
    }
}

/// An item of a list, without the name that is in its path already.
fn add_item(path: &str, item: &Value, leaves: &mut BTreeMap<String, Leaf>) {
    let others = item.as_object().into_iter().flatten().filter(|(name, _)| *name != "name");
    let mut is_bare = true;
    for (name, value) in others {
        is_bare = false;
        add(&format!("{path}.{name}"), value, leaves);
    }
    if is_bare {
        leaves.insert(path.to_owned(), Leaf { compared: String::new(), told: "there".to_owned() });
    }
}

fn leaf(value: &Value) -> Leaf {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Leaf { compared: text.clone(), told: text }
}

/// Where the value of a variable comes from; never the value.
fn variable(item: &Value) -> String {
    let source = &item["valueFrom"];
    let named = |member: &str, kind: &str| {
        let of = source.get(member)?;
        Some(format!(
            "from {kind} {} key {}",
            of["name"].as_str().unwrap_or_default(),
            of["key"].as_str().unwrap_or_default()
        ))
    };
    let field = || Some(format!("from field {}", source.pointer("/fieldRef/fieldPath")?.as_str()?));
    let resource =
        || Some(format!("from resource {}", source.pointer("/resourceFieldRef/resource")?.as_str()?));
    named("configMapKeyRef", "ConfigMap")
        .or_else(|| named("secretKeyRef", "Secret"))
        .or_else(field)
        .or_else(resource)
        .unwrap_or_else(|| "a value".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lines(before: &Value, after: &Value) -> Vec<String> {
        changes(before, after).iter().map(|change| change.line(80)).collect()
    }

    #[test]
    fn fields_are_named_and_values_of_variables_are_not_told() {
        let container = |image: &str, env: Value, memory: &str| {
            let limits = json!({ "limits": { "memory": memory } });
            json!({ "spec": { "containers": [{ "name": "web", "image": image, "env": env, "resources": limits }] } })
        };
        let before = container(
            "web:1",
            json!([{ "name": "LEVEL", "value": "info" }, { "name": "OLD", "value": "x" }]),
            "64Mi",
        );
        let from = json!({ "secretKeyRef": { "name": "db", "key": "url" } });
        let after = container(
            "web:2",
            json!([{ "name": "LEVEL", "value": "debug" }, { "name": "DB", "valueFrom": from }]),
            "64Mi",
        );
        assert_eq!(
            lines(&before, &after),
            [
                "containers[web].env[DB]: added, from Secret db key url",
                "containers[web].env[LEVEL]: another value",
                "containers[web].env[OLD]: removed, was a value",
                "containers[web].image: web:1 → web:2",
            ]
        );
    }

    #[test]
    fn probes_references_and_a_restart_are_seen() {
        let before = json!({
            "spec": { "containers": [{ "name": "web", "args": ["a"], "readinessProbe": { "periodSeconds": 5 } }],
                "volumes": [{ "name": "v", "configMap": { "name": "one" } }] },
        });
        let after = json!({
            "metadata": { "annotations": { "kubectl.kubernetes.io/restartedAt": "2026-01-01T10:00:00Z" } },
            "spec": { "containers": [{ "name": "web", "args": ["a", "b"], "readinessProbe": { "periodSeconds": 9 } }],
                "volumes": [{ "name": "v", "configMap": { "name": "two" } }] },
        });
        assert_eq!(
            lines(&before, &after),
            [
                "annotations[kubectl.kubernetes.io/restartedAt]: added, 2026-01-01T10:00:00Z",
                r#"containers[web].args: ["a"] → ["a","b"]"#,
                "containers[web].readinessProbe.periodSeconds: 5 → 9",
                "volumes[v].configMap.name: one → two",
            ]
        );
    }

    #[test]
    fn the_order_of_named_items_is_no_change() {
        let spec = |names: [&str; 2]| json!({ "spec": { "volumes": names.map(|name| json!({ "name": name, "emptyDir": {} })) } });
        assert_eq!(changes(&spec(["a", "b"]), &spec(["b", "a"])), []);
    }
}
