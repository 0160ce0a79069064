//! A recorded cluster, read as any other: through the Kubernetes client.

mod archive;
mod capture;
mod diagnose;
mod http;
mod live;
mod read;
mod secrets;
mod stand_in;

use std::path::Path;

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
        "status": { "replicas": 2, "readyReplicas": 2, "updatedReplicas": 2, "availableReplicas": 2 },
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

/// Writes a bundle as a folder.
fn write(folder: &Path, files: &[(String, String)]) {
    for (path, content) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("a folder can be made");
        std::fs::write(path, content).expect("a file can be written");
    }
}

/// All files below a folder, in order, with their content.
fn contents(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).expect("a folder can be read").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("it is below").to_string_lossy().into_owned();
                found.push((name, std::fs::read_to_string(path).expect("a file can be read")));
            }
        }
    }
    found.sort();
    found
}
