//! Two hundred hostile inputs for each tool: a clear error in one line, no change, no fault.

use drydock::tools::{CallContext, Session};
use serde_json::{Value, json};

use super::raw::{Asked, Raw};
use super::shop::object;
use crate::support::inputs::assault;

fn server() -> Raw {
    let pod = json!({ "spec": { "containers": [{ "name": "app" }] }, "status": { "phase": "Running" } });
    let objects = vec![
        object("v1", "Namespace", None, "shop", json!({})),
        object("v1", "Pod", Some("shop"), "web", pod),
        object("v1", "ConfigMap", Some("shop"), "web", json!({ "data": { "color": "red" } })),
        object("apps/v1", "Deployment", Some("shop"), "web", json!({ "spec": { "replicas": 1 } })),
        object(
            "v1",
            "Event",
            Some("shop"),
            "e",
            json!({ "involvedObject": { "kind": "Pod", "name": "web" } }),
        ),
    ];
    Raw { objects: objects.into(), log: "line\n".repeat(50), ..Raw::default() }
}

/// What a caller may mean.
fn words(argument: &str) -> Vec<Value> {
    match argument {
        "kind" => vec!["pods".into(), "configmap".into(), "Deployment".into()],
        "namespace" => vec!["shop".into()],
        "name" | "pod_name" | "app_name" => vec!["web".into()],
        "api_version" => vec!["v1".into()],
        "image_uri" => vec!["shop/web:1".into()],
        "body" => vec![json!({ "data": { "color": "blue" } })],
        "yaml" => vec![
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: shop}\ndata: {a: b}\n".into(),
        ],
        _ => Vec::new(),
    }
}

/// Nothing was changed, and no name led to another place of the API.
fn is_harmless(asked: &Asked) -> bool {
    let is_name = |name: &str| {
        !matches!(name, "" | "." | "..")
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:@~".contains(c))
    };
    let mut segments = asked.path.split('/').skip(1);
    !asked.in_earnest && matches!(segments.next(), Some("api" | "apis")) && segments.all(is_name)
}

#[tokio::test]
async fn hostile_inputs_are_errors_in_one_line_and_change_nothing() {
    let server = server();
    let caller = CallContext::new(Session::new("alice", true), 16 << 10);
    let harm = || {
        let asked = std::mem::take(&mut *server.asked.lock().unwrap());
        let harmful = asked.iter().find(|asked| !is_harmless(asked));
        harmful.map(|asked| format!("a request that does harm: {asked:?}"))
    };
    assault(&server.tools(), |_| true, &caller, words, harm).await;
}
