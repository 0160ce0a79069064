//! A small recorded shop, in which some things are wrong.

use drydock::cluster::{Bundle, Cluster};
use drydock::tools::{CallContext, Environment, Registry, Session, ToolOutcome, Toolbox};
use serde_json::{Value, json};

/// A password that must not be in any outcome, as it is and in base64.
pub const PASSWORD: &str = "tiger-lily-4711";
pub const PASSWORD_BASE64: &str = "dGlnZXItbGlseS00NzEx";

/// The tools on this cluster.
pub fn tools(cluster: Cluster) -> Registry {
    Registry::standard(Environment::of(cluster))
}

/// A caller who takes outcomes of so many bytes.
pub fn caller(max_bytes: usize) -> CallContext {
    CallContext::new(Session::new("anonymous", false), max_bytes)
}

/// Calls a tool on this cluster.
pub async fn call_on(cluster: Cluster, name: &str, arguments: Value) -> ToolOutcome {
    tools(cluster).call(name, arguments, &caller(1 << 20)).await
}

/// Calls a tool on the shop.
pub async fn call(name: &str, arguments: Value) -> ToolOutcome {
    call_on(shop(), name, arguments).await
}

/// The outcome of a call that has to succeed.
pub async fn done(name: &str, arguments: Value) -> ToolOutcome {
    let outcome = call(name, arguments).await;
    assert!(!outcome.is_error, "{}", outcome.text);
    outcome
}

/// The text of a call that has to fail.
pub async fn refused(name: &str, arguments: Value) -> String {
    let outcome = call(name, arguments).await;
    assert!(outcome.is_error, "{}", outcome.text);
    assert_eq!(outcome.structured["error"], outcome.text.as_str());
    assert!(!outcome.text.contains('\n'), "one line: {}", outcome.text);
    outcome.text
}

pub fn shop() -> Cluster {
    cluster_of(&objects(), &logs())
}

pub fn cluster_of(objects: &[Value], logs: &[(&str, String)]) -> Cluster {
    let cluster = json!({
        "name": "arn:aws:eks:eu-west-1:111122223333:cluster/shop", "kubernetesVersion": "v1.31.4",
        "capturedAt": "2026-01-01T12:00:00Z",
    });
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
    let files = [("cluster.json", cluster.to_string()), ("resources/all.json", list.to_string())];
    let files: Vec<(String, String)> =
        files.iter().chain(logs).map(|(path, content)| ((*path).to_owned(), content.clone())).collect();
    let files = files.iter().map(|(path, content)| (path.clone(), content.as_bytes()));
    Cluster::from_bundle(Bundle::from_files("shop", files))
}

/// An object with a uid, created at ten; `more` is merged into it.
pub fn object(api_version: &str, kind: &str, namespace: Option<&str>, name: &str, more: Value) -> Value {
    let mut object = json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": {
            "name": name, "uid": format!("uid-{kind}-{name}"), "creationTimestamp": "2026-01-01T10:00:00Z",
        },
    });
    if let Some(namespace) = namespace {
        object["metadata"]["namespace"] = namespace.into();
    }
    merge(&mut object, more);
    object
}

fn merge(value: &mut Value, more: Value) {
    match (value, more) {
        (Value::Object(members), Value::Object(more)) => {
            for (name, more) in more {
                merge(members.entry(name).or_insert(Value::Null), more);
            }
        }
        (value, more) => *value = more,
    }
}

pub fn owned_by(kind: &str, name: &str) -> Value {
    json!({ "ownerReferences": [{ "kind": kind, "name": name, "uid": format!("uid-{kind}-{name}") }] })
}

fn objects() -> Vec<Value> {
    let mut all = workloads();
    all.extend(configuration());
    all.extend(events());
    all
}

fn workloads() -> Vec<Value> {
    let shop = Some("shop");
    let deployment = |name: &str, ready: u32| {
        let more = json!({
            "metadata": { "labels": { "app": name } }, "spec": { "replicas": 1 },
            "status": { "readyReplicas": ready, "updatedReplicas": 1, "availableReplicas": ready },
        });
        object("apps/v1", "Deployment", shop, name, more)
    };
    let replica_set = |name: &str, owner: &str| {
        let more = json!({ "metadata": owned_by("Deployment", owner), "spec": { "replicas": 1 } });
        object("apps/v1", "ReplicaSet", shop, name, more)
    };
    let catalog = json!({
        "metadata": owned_by("ReplicaSet", "catalog-85f4"),
        "spec": { "nodeName": "node-1", "containers": [{ "name": "app" }, { "name": "proxy" }] },
        "status": { "phase": "Running", "podIP": "10.0.0.7", "containerStatuses": [
            { "name": "app", "ready": false, "restartCount": 5, "state": { "waiting": { "reason": "CrashLoopBackOff" } },
              "lastState": { "terminated": { "exitCode": 1, "finishedAt": "2026-01-01T11:55:00Z" } } },
            { "name": "proxy", "ready": true, "restartCount": 0, "state": { "running": {} } },
        ] },
    });
    let cart = json!({
        "metadata": owned_by("ReplicaSet", "cart-7d"),
        "spec": { "nodeName": "node-1", "containers": [
            { "name": "app", "env": [{ "name": "DB_PASSWORD", "value": PASSWORD }], "args": ["--password", PASSWORD] },
        ] },
        "status": { "phase": "Running", "containerStatuses": [
            { "name": "app", "ready": true, "restartCount": 0, "state": { "running": {} } },
        ] },
    });
    let starting = json!({
        "spec": { "containers": [{ "name": "app" }] },
        "status": { "phase": "Pending", "containerStatuses": [
            { "name": "app", "ready": false, "restartCount": 0,
              "state": { "waiting": { "reason": "ContainerCreating", "message": "volume is not ready" } } },
        ] },
    });
    vec![
        deployment("catalog", 0),
        deployment("cart", 1),
        replica_set("catalog-85f4", "catalog"),
        replica_set("cart-7d", "cart"),
        object("v1", "Pod", shop, "catalog-85f4-x2", catalog),
        object("v1", "Pod", shop, "cart-7d-a1", cart),
        object("v1", "Pod", Some("bank"), "ledger-0", starting.clone()),
        object("v1", "Pod", Some("bank"), "audit", starting.clone()),
        object("v1", "Pod", shop, "audit", starting),
    ]
}

fn configuration() -> Vec<Value> {
    let applied =
        format!(r#"{{"apiVersion":"v1","kind":"Secret","stringData":{{"password":"{PASSWORD}"}}}}"#);
    let secret = json!({
        "metadata": {
            "annotations": { "kubectl.kubernetes.io/last-applied-configuration": applied },
            "managedFields": [{ "manager": "kubectl" }],
        },
        "type": "Opaque", "data": { "password": PASSWORD_BASE64 },
    });
    let definition = json!({ "spec": {
        "group": "shop.example", "scope": "Namespaced",
        "names": { "kind": "Coupon", "plural": "coupons", "shortNames": ["cou"] },
        "versions": [{ "name": "v1" }],
    } });
    let conditions = json!({ "conditions": [{ "type": "Ready", "status": "True" }] });
    vec![
        object("v1", "Namespace", None, "default", json!({ "status": { "phase": "Active" } })),
        object("v1", "Namespace", None, "shop", json!({ "status": { "phase": "Active" } })),
        object("v1", "Namespace", None, "bank", json!({ "status": { "phase": "Active" } })),
        object("v1", "Node", None, "node-1", json!({ "status": conditions })),
        object("v1", "Secret", Some("shop"), "database", secret),
        object(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            None,
            "coupons.shop.example",
            definition,
        ),
        object("shop.example/v1", "Coupon", Some("shop"), "spring", json!({ "status": conditions })),
    ]
}

/// An event about a pod of the shop, unless `more` says otherwise.
pub fn event(name: &str, about: (&str, &str), reason: &str, more: Value) -> Value {
    let involved = json!({ "kind": about.0, "namespace": "shop", "name": about.1 });
    let mut event = object("v1", "Event", Some("shop"), name, json!({ "involvedObject": involved }));
    merge(&mut event, json!({ "reason": reason, "type": "Warning", "message": format!("{reason} it is") }));
    merge(&mut event, more);
    event
}

fn events() -> Vec<Value> {
    let pod = ("Pod", "catalog-85f4-x2");
    vec![
        event(
            "e1",
            pod,
            "BackOff",
            json!({ "count": 4, "firstTimestamp": "2026-01-01T11:00:00Z", "lastTimestamp": "2026-01-01T11:50:00Z" }),
        ),
        event("e2", pod, "BackOff", json!({ "count": 3, "lastTimestamp": "2026-01-01T11:58:00Z" })),
        event(
            "e3",
            ("ReplicaSet", "catalog-85f4"),
            "SuccessfulCreate",
            json!({ "type": "Normal", "lastTimestamp": "2026-01-01T11:30:00Z" }),
        ),
        event(
            "e4",
            ("Deployment", "catalog"),
            "ScalingReplicaSet",
            json!({
                "type": "Normal", "eventTime": "2026-01-01T11:29:00.000000Z", "count": null,
                "series": { "count": 9, "lastObservedTime": "2026-01-01T11:59:00.000000Z" },
            }),
        ),
        event(
            "e5",
            ("Pod", "cart-7d-a1"),
            "Unhealthy",
            json!({
                "lastTimestamp": "2026-01-01T11:40:00Z",
                "message": format!("Readiness probe failed: no answer of postgres://app:{PASSWORD}@db:5432/shop"),
            }),
        ),
        event("e6", ("Pod", "cart-old"), "Killing", json!({ "lastTimestamp": "2026-01-01T11:10:00Z" })),
        event(
            "e7",
            ("Node", "node-1"),
            "Rebooted",
            json!({
                "metadata": { "namespace": "default" }, "involvedObject": { "namespace": null },
                "lastTimestamp": "2026-01-01T11:20:00Z",
            }),
        ),
    ]
}

fn logs() -> Vec<(&'static str, String)> {
    let numbered = |count: u32| (1..=count).map(|number| format!("line {number}\n")).collect::<String>();
    vec![
        ("logs/shop/catalog-85f4-x2/app.log", "starting\npanic: no database\n".to_owned()),
        (
            "logs/shop/catalog-85f4-x2/app.previous.log",
            format!("\u{1b}[31mERROR\u{1b}[0m cannot connect to postgres://app:{PASSWORD}@db:5432/shop\n"),
        ),
        ("logs/shop/catalog-85f4-x2/proxy.log", "proxy is up\n".to_owned()),
        ("logs/shop/cart-7d-a1/app.log", numbered(1000)),
    ]
}
