//! The tools as a caller meets them: by name, with JSON arguments, on a recorded cluster.

mod shop;

use drydock::tools::{Registry, Toolbox};
use serde_json::json;

#[tokio::test]
async fn show() {
    for (name, arguments) in [
        ("list_k8s_resources", json!({"kind": "pods"})),
        ("list_k8s_resources", json!({"kind": "deploy", "namespace": "shop"})),
        ("list_k8s_resources", json!({"kind": "nodes", "namespace": "shop"})),
        ("list_k8s_resources", json!({"kind": "events"})),
        ("list_k8s_resources", json!({"kind": "coupons"})),
        ("list_k8s_resources", json!({"kind": "secrets"})),
        ("list_k8s_resources", json!({"kind": "pods", "namespace": "shopp"})),
        ("list_k8s_resources", json!({"kind": "services", "namespace": "shop", "label_selector": "a=b"})),
        ("list_k8s_resources", json!({"kind": "pods", "limit": 2})),
        ("list_k8s_resources", json!({"kind": "pods", "field_selector": "spec.color=red"})),
        ("manage_k8s_resource", json!({"kind": "secret", "namespace": "shop", "name": "database"})),
        ("manage_k8s_resource", json!({"kind": "deploy", "namespace": "shop", "name": "catalgo"})),
        ("manage_k8s_resource", json!({"kind": "deploy", "name": "catalog"})),
        ("manage_k8s_resource", json!({"kind": "pod", "name": "catalog-85f4-x2", "namespace": "bank"})),
        ("manage_k8s_resource", json!({"operation": "delete", "kind": "pod", "name": "catalog-85f4-x2"})),
        ("get_pod_logs", json!({"pod_name": "catalog-85f4-x2", "namespace": "shop"})),
        ("get_pod_logs", json!({"pod_name": "catalog-85f4-x2", "namespace": "shop", "previous": true})),
        (
            "get_pod_logs",
            json!({"pod_name": "catalog-85f4-x2", "namespace": "shop", "previous": true, "container_name": "proxy"}),
        ),
        ("get_pod_logs", json!({"pod_name": "catalog", "namespace": "shop"})),
        ("get_pod_logs", json!({"pod_name": "cart-7d-a1", "namespace": "shop", "tail_lines": 3})),
        ("get_pod_logs", json!({"pod_name": "cart-7d-a1", "namespace": "shop", "limit_bytes": 30})),
        ("get_pod_logs", json!({"pod_name": "cart-7d-a1", "namespace": "shop", "limit_bytes": 3})),
        ("get_pod_logs", json!({"pod_name": "cart-7d-a1", "namespace": "shop", "grep": "line (7|8)$"})),
        ("get_pod_logs", json!({"pod_name": "cart-7d-a1", "namespace": "shop", "grep": "line (7"})),
        ("get_pod_logs", json!({"pod_name": "ledger-0", "namespace": "bank"})),
        ("get_k8s_events", json!({"kind": "deploy", "name": "catalog", "namespace": "shop"})),
        ("get_k8s_events", json!({"kind": "pod", "name": "cart-old", "namespace": "shop"})),
        ("get_k8s_events", json!({"kind": "pod", "name": "cart-new", "namespace": "shop"})),
        ("get_k8s_events", json!({"kind": "node", "name": "node-1"})),
        ("get_k8s_events", json!({"type": "Warning", "limit": 2})),
        ("get_k8s_events", json!({"type": "warning", "limit": 2})),
        ("list_api_versions", json!({})),
        ("current_time", json!({"timezone": "Europe/Berlin"})),
        ("diagnose_cluster", json!({"kind": "deploy", "name": "catalog"})),
        ("diagnose_cluster", json!({"kind": "pod", "name": "audit"})),
        ("diagnose_cluster", json!({"kind": "pod", "name": "autid", "namespace": "shop"})),
        ("diagnose_cluster", json!({"namespaces": ["shopp"]})),
        ("diagnose_cluster", json!({"kind": "pod"})),
        ("get_pod_log", json!({})),
    ] {
        let o = shop::call(name, arguments.clone()).await;
        println!(
            "=== {name} {arguments} error={} truncated={}\n{}\n{}",
            o.is_error, o.truncated, o.text, o.structured
        );
    }
    println!("{}", serde_json::to_string_pretty(&Registry::kubernetes().list()).unwrap());
}
