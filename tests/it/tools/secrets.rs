//! Secrets in ten places of a live cluster: none comes out of any tool.

use std::collections::BTreeSet;
use std::sync::Arc;

use drydock::tools::{CallContext, Session, ToolOutcome, ToolSpec, Toolbox};
use rstest::rstest;
use serde_json::{Value, json};

use super::raw::{Raw, plural, text};
use super::shop::object;
use crate::support::inputs::{choices, leaks};

/// One for each place, so that a leak says where it is from.
const SECRETS: [(&str, &str); 17] = [
    ("the data of a Secret", "dGlnZXItbGlseS0wMDAx"),
    ("a last-applied annotation", "tiger-lily-0002"),
    ("an environment variable", "tiger-lily-0003"),
    ("an argument", "tiger-lily-0004"),
    ("a log", "tiger-lily-0005"),
    ("a URL in a log", "tiger-lily-0006"),
    ("an event", "tiger-lily-0007"),
    ("a token of a kubeconfig", "tiger-lily-0008"),
    ("a key of a kubeconfig", "dGlnZXItbGlseS0wMDA5LXRpZ2VyLWxpbHk="),
    ("the status of a custom resource", "tiger-lily-0010"),
    ("a URL in the status of a custom resource", "tiger-lily-0011"),
    ("the release of a chart", "SDRzSUFBQUFBQUFDLzBySVRNOUxMU3JKQkFB"),
    ("a ConfigMap", "tiger-lily-0013"),
    ("properties in a ConfigMap", "tiger-lily-0014"),
    ("an error of the API server", "tiger-lily-0015"),
    ("the message of a container", "tiger-lily-0016"),
    ("the cause of a change", "tiger-lily-0017"),
];

fn secret(place: &str) -> &'static str {
    SECRETS.iter().find(|(name, _)| *name == place).map(|(_, secret)| *secret).unwrap()
}

fn server() -> Raw {
    let log = format!(
        "login with password={} failed\nconnect postgres://app:{}@db:5432/shop: refused\n",
        secret("a log"),
        secret("a URL in a log")
    );
    Raw { objects: Arc::new(objects()), log, ..Raw::default() }
}

fn objects() -> Vec<Value> {
    let shop = Some("shop");
    let containers = json!([{
        "name": "app", "image": "shop/web:1", "args": ["--db-password", secret("an argument")],
        "env": [{ "name": "DB_PASSWORD", "value": secret("an environment variable") }],
    }]);
    let message = format!("fatal: token={} was refused", secret("the message of a container"));
    let pod = json!({
        "spec": { "nodeName": "node-1", "restartPolicy": "Always", "containers": containers },
        "status": { "phase": "Running", "containerStatuses": [{
            "name": "app", "ready": false, "restartCount": 7, "state": { "waiting": { "reason": "CrashLoopBackOff" } },
            "lastState": { "terminated": { "exitCode": 1, "reason": "Error", "message": message } },
        }] },
    });
    let deployment = json!({ "spec": {
        "replicas": 1, "selector": { "matchLabels": { "app": "web" } },
        "template": { "metadata": { "labels": { "app": "web" } }, "spec": { "containers": containers } },
    } });
    let cause = format!("kubectl set env deploy/web --token={}", secret("the cause of a change"));
    let revision = json!({
        "metadata": {
            "annotations": { "deployment.kubernetes.io/revision": "1", "kubernetes.io/change-cause": cause },
            "labels": { "app": "web" },
            "ownerReferences": [{ "kind": "Deployment", "name": "web", "uid": "uid-Deployment-web", "controller": true }],
        },
        "spec": deployment["spec"],
    });
    let usage = json!({ "containers": [{ "name": "app", "usage": { "cpu": "5m", "memory": "9Mi" } }] });
    let event = json!({
        "reason": "Unhealthy", "type": "Warning", "lastTimestamp": "2026-01-01T11:00:00Z", "count": 3,
        "message": format!("Readiness probe failed: Authorization: Bearer {}", secret("an event")),
        "involvedObject": { "kind": "Pod", "namespace": "shop", "name": "web-1" },
    });
    let mut all = vec![
        object("v1", "Namespace", None, "shop", json!({ "status": { "phase": "Active" } })),
        object(
            "v1",
            "Node",
            None,
            "node-1",
            json!({ "status": { "conditions": [{ "type": "Ready", "status": "True" }] } }),
        ),
        object("v1", "Pod", shop, "web-1", pod),
        object("apps/v1", "Deployment", shop, "web", deployment),
        object("apps/v1", "ReplicaSet", shop, "web-85f4", revision),
        object("metrics.k8s.io/v1beta1", "PodMetrics", shop, "web-1", usage),
        object("v1", "Event", shop, "web-1.17", event),
    ];
    all.extend(configuration());
    all
}

fn configuration() -> Vec<Value> {
    let shop = Some("shop");
    let applied = format!(
        r#"{{"apiVersion":"v1","kind":"Secret","stringData":{{"password":"{}"}}}}"#,
        secret("a last-applied annotation")
    );
    let annotations = json!({ "kubectl.kubernetes.io/last-applied-configuration": applied });
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\nusers:\n- name: admin\n  user:\n    token: {}\n    client-key-data: {}\n",
        secret("a token of a kubeconfig"),
        secret("a key of a kubeconfig")
    );
    let config = json!({ "data": {
        "kubeconfig": kubeconfig, "API_TOKEN": secret("a ConfigMap"),
        "app.properties": format!("db.password={}\nport=80\n", secret("properties in a ConfigMap")),
    } });
    let status = json!({ "status": {
        "adminPassword": secret("the status of a custom resource"),
        "connection": format!("postgres://app:{}@db:5432/shop", secret("a URL in the status of a custom resource")),
        "conditions": [{ "type": "Ready", "status": "True" }],
    } });
    let data = json!({ "metadata": { "annotations": annotations }, "data": { "password": secret("the data of a Secret") } });
    let release =
        json!({ "type": "helm.sh/release.v1", "data": { "release": secret("the release of a chart") } });
    vec![
        object("v1", "Secret", shop, "db", data),
        object("v1", "Secret", shop, "sh.helm.release.v1.web.v1", release),
        object("v1", "ConfigMap", shop, "web", config),
        object("shop.example/v1", "Coupon", shop, "spring", status),
    ]
}

fn caller(max_bytes: usize) -> CallContext {
    CallContext::new(Session::new("alice", true), max_bytes)
}

/// What a caller who knows the cluster may give for each argument; one object is meant.
fn values(argument: &str, about: &Value, spec: &Value) -> Vec<Value> {
    let one = |value: &str| vec![Value::from(value)];
    match argument {
        "kind" => one(&plural(about)),
        "api_version" => vec![about["apiVersion"].clone()],
        "name" | "resource_name" => one(text(about, "name")),
        "namespace" => one(Some(text(about, "namespace")).filter(|name| !name.is_empty()).unwrap_or("shop")),
        "pod_name" => one("web-1"),
        "previous" => vec![false.into(), true.into()],
        "body" => vec![json!({ "metadata": { "labels": { "changed": "yes" } } })],
        "yaml" => one(&serde_saphyr::to_string(about).unwrap()),
        "app_name" => one("web"),
        "image_uri" => one("shop/web:1"),
        "query" => one("crash loop"),
        "rule" => one("image-not-found"),
        "resource_type" => one("pod"),
        "verb" => one("get"),
        "resource" => one(&plural(about)),
        "service_name" | "service" | "ingress" => one("web"),
        "operation" => spec["enum"].as_array().cloned().unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// Every choice of arguments for a tool.
fn arguments(tool: &ToolSpec, about: &Value) -> Vec<Value> {
    choices(tool, |argument, spec| values(argument, about, spec))
}

#[track_caller]
fn assert_clean(tool: &str, arguments: &Value, outcome: &ToolOutcome) {
    let leaks = leaks(&SECRETS, arguments, outcome);
    assert!(
        leaks.is_empty(),
        "{leaks:?} come out of {tool} {arguments}:\n{}{}",
        outcome.text,
        outcome.structured
    );
}

#[tokio::test]
async fn none_comes_out_of_any_tool() {
    let tools = server().tools();
    let mut answered = BTreeSet::new();
    let specs = tools.list(&caller(1 << 20)).await.unwrap();
    for tool in specs.iter().filter(|tool| tool.name != "read_more") {
        let choices: BTreeSet<String> = objects()
            .iter()
            .flat_map(|about| arguments(tool, about))
            .map(|choice| choice.to_string())
            .collect();
        for choice in choices {
            let choice: Value = serde_json::from_str(&choice).unwrap();
            let outcome = tools.call(&tool.name, choice.clone(), &caller(1 << 20)).await;
            assert_clean(&tool.name, &choice, &outcome);
            if !outcome.is_error {
                answered.insert(tool.name.clone());
            }
        }
    }
    let silent: Vec<&str> = specs
        .iter()
        .map(|tool| &*tool.name)
        .filter(|name| !answered.contains(*name) && *name != "read_more")
        .collect();
    assert!(silent.is_empty(), "no call of these was answered, so that nothing is shown by them: {silent:?}");
}

#[tokio::test]
async fn none_comes_out_of_what_is_read_on() {
    let tools = server().tools();
    let cx = caller(1000);
    let arguments = json!({ "kind": "configmap", "namespace": "shop", "name": "web" });
    let cut = tools.call("manage_k8s_resource", arguments, &caller(400)).await;
    let handle = cut.structured["handle"].as_str().or_else(|| {
        let (_, after) = cut.text.split_once("handle=")?;
        after.split_whitespace().next()
    });
    let handle = handle.unwrap_or_else(|| panic!("{}", cut.text));
    let mut read = 0;
    for part in ["text", "json"] {
        let outcome = tools.call("read_more", json!({ "handle": handle, "part": part }), &cx).await;
        assert_clean("read_more", &Value::Null, &outcome);
        read += usize::from(!outcome.is_error);
    }
    assert!(read > 0, "{}", cut.text);
}

#[rstest]
#[case::webhook(400, r#"admission webhook "x" denied the request: password=SECRET is too short"#)]
#[case::forbidden(403, "secrets is forbidden: bad token: Bearer SECRET for user")]
#[case::decoding(
    400,
    r#"Secret in version "v1" cannot be handled as a Secret: v1.Secret.StringData: error found in #10 byte of ...|ssword":1}}|..., bigger context ...|"stringData":{"password":"SECRET","pin":1}}|..."#
)]
#[case::applied(409, "Apply failed: postgres://app:SECRET@db/shop is used")]
#[case::busy(503, "etcd: client_secret=SECRET timed out")]
#[tokio::test]
async fn none_comes_out_of_what_the_api_server_refuses(#[case] code: u16, #[case] message: &str) {
    let message = message.replace("SECRET", secret("an error of the API server"));
    let tools = Raw { refusal: Some((code, message)), ..server() }.tools();
    for tool in tools.list(&caller(1 << 20)).await.unwrap() {
        for choice in arguments(&tool, &objects()[2]) {
            let outcome = tools.call(&tool.name, choice.clone(), &caller(1 << 20)).await;
            assert_clean(&tool.name, &choice, &outcome);
        }
    }
}
