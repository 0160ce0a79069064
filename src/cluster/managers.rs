//! Who wrote which fields of an object, as the API server keeps it in `managedFields`.

use serde_json::Value;

use super::{Cluster, ClusterError, Kind, redact};

/// Someone who writes to an object: a person's tool, or a controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldManager {
    /// As it calls itself, such as `kubectl-client-side-apply` or `argocd-controller`.
    pub name: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// When it wrote last, to any field.
    pub time: Option<jiff::Timestamp>,
}

impl Cluster {
    /// The managers of what stands at this path of an object, such as `["spec", "template"]`; the latest comes first.
    /// Recordings have none.
    pub async fn managers(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        path: &[&str],
    ) -> Result<Vec<FieldManager>, ClusterError> {
        let object: Value = self.requests().json(&kind.path(namespace, Some(name))?).await?;
        let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
        let owning = entries.filter(|entry| owns(&entry["fieldsV1"], path));
        let mut managers: Vec<FieldManager> = owning.map(manager).collect();
        managers.sort_by_key(|manager| std::cmp::Reverse(manager.time));
        Ok(managers)
    }
}

fn owns(fields: &Value, path: &[&str]) -> bool {
    let place = path.iter().try_fold(fields, |fields, name| fields.get(format!("f:{name}")));
    place.is_some()
}

fn manager(entry: &Value) -> FieldManager {
    let text = |field: &str| redact::text(entry[field].as_str().unwrap_or_default());
    FieldManager {
        name: text("manager"),
        operation: text("operation"),
        time: entry["time"].as_str().and_then(|time| time.parse().ok()),
    }
}
