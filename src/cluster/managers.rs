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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use kube::client::Body;
    use serde_json::json;

    use super::*;
    use crate::cluster::ClusterInfo;

    #[tokio::test]
    async fn who_wrote_a_path_is_told_the_latest_first() {
        let entry = |manager: &str, time: &str, fields: Value| json!({ "manager": manager, "operation": "Update", "time": time, "fieldsV1": fields });
        let template = json!({ "f:spec": { "f:template": { "f:spec": {} } } });
        let object = json!({ "metadata": { "managedFields": [
            entry("kubectl", "2026-01-01T10:00:00Z", template.clone()),
            entry("autoscaler", "2026-01-01T12:00:00Z", json!({ "f:spec": { "f:replicas": {} } })),
            entry("argocd", "2026-01-01T11:00:00Z", template),
        ] } });
        let service = tower::service_fn(move |_: http::Request<Body>| {
            let answer = http::Response::new(Body::from(object.to_string().into_bytes()));
            async move { Ok::<_, Infallible>(answer) }
        });
        let info = ClusterInfo { name: "x".to_owned(), version: None, recorded: false, captured_at: None };
        let cluster = Cluster::new(kube::Client::new(service, "default"), info);
        let kind = Kind {
            group: "apps".to_owned(),
            version: "v1".to_owned(),
            kind: "Deployment".to_owned(),
            plural: "deployments".to_owned(),
            short_names: Vec::new(),
            namespaced: true,
        };
        let managers = cluster.managers(&kind, Some("shop"), "web", &["spec", "template"]).await.unwrap();
        let names: Vec<&str> = managers.iter().map(|manager| manager.name.as_str()).collect();
        assert_eq!(names, ["argocd", "kubectl"]);
    }
}
