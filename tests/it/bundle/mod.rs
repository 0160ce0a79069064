//! A recorded cluster, read as any other: through the Kubernetes client.

mod diagnose;
mod read;

use drydock::cluster::{Bundle, Cluster};
use serde_json::{Value, json};

/// A pod whose container `app` has restarted once.
fn pod(namespace: &str, name: &str, labels: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "namespace": namespace, "name": name, "labels": labels, "uid": format!("uid-{name}"),
            "creationTimestamp": "2025-03-11T07:00:00Z",
        },
        "spec": { "nodeName": "node-1", "containers": [{ "name": "app", "image": "shop/app:1" }] },
        "status": { "phase": "Running", "containerStatuses": [{
            "name": "app", "ready": true, "restartCount": 1, "state": { "running": {} },
        }] },
    })
}

fn list(items: &[Value]) -> String {
    json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string()
}

/// Files of a small recorded shop: two namespaces, a Deployment, logs with and without `previous`.
fn files() -> Vec<(String, String)> {
    let web = json!({ "app": "web" });
    let pods = [
        pod("shop", "web-1", &web),
        pod("shop", "web-2", &web),
        pod("shop", "db-0", &json!({ "app": "db", "tier": "data" })),
        pod("other", "web-1", &web),
    ];
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "namespace": "shop", "name": "web", "creationTimestamp": "2025-03-11T07:00:00Z" },
        "spec": { "replicas": 2, "selector": { "matchLabels": { "app": "web" } } },
        "status": { "replicas": 2, "readyReplicas": 2 },
    });
    let cluster = json!({
        "name": "shop-prod", "kubernetesVersion": "v1.31.4", "capturedAt": "2025-03-11T08:00:00Z",
    });
    [
        ("cluster.json", cluster.to_string()),
        ("resources/pods.json", list(&pods)),
        ("resources/deployments.json", list(&[deployment])),
        (
            "logs/shop/web-1/app.log",
            "2025-03-11T07:50:00Z one\n2025-03-11T07:58:00Z two\n2025-03-11T07:59:30Z three\n".to_owned(),
        ),
        ("logs/shop/web-1/app.previous.log", "2025-03-11T07:40:00Z it crashed\n".to_owned()),
    ]
    .map(|(path, content)| (path.to_owned(), content))
    .to_vec()
}

fn bundle_of(files: &[(String, String)]) -> Bundle {
    Bundle::from_files("test", files.iter().map(|(path, content)| (path.clone(), content.as_bytes())))
}

fn shop() -> Cluster {
    Cluster::from_bundle(bundle_of(&files()))
}

fn names(items: &[Value]) -> Vec<&str> {
    items.iter().filter_map(|item| item["metadata"]["name"].as_str()).collect()
}
