//! No secret value of a recording leaves through any door.

use std::sync::Arc;

use drydock::cluster::{
    Bundle, BundleApi, CaptureLimits, Cluster, ListQuery, LogQuery, SnapshotLimits, capture, diagnose,
};
use drydock::diagnosis::report::Scope;
use http::header::ACCEPT;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::json;
use tower::ServiceExt;

use super::stand_in::{answer, live};
use super::{bundle_of, contents, list};

/// Every credential of the fixture, as it is and in base64.
const SECRETS: [&str; 9] = [
    "hunter2",
    "aHVudGVyMg==",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_0123456789abcdefghij0123456789abcdef",
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC",
    "c2hvcDpodW50ZXIy",
    "eyJhbGciOiJIUzI1NiJ9",
    "s3ss10n-k3y",
    "swordfish",
];

fn bundle() -> Bundle {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": { "name": "db", "namespace": "shop", "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration":
                r#"{"apiVersion":"v1","kind":"Secret","stringData":{"password":"hunter2"}}"#,
        } },
        "data": { "password": "aHVudGVyMg==" }, "stringData": { "session": "s3ss10n-k3y" },
    });
    let config = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "web", "namespace": "shop" },
        "data": {
            "API_TOKEN": "swordfish", "app.properties": "db.password=hunter2\nport=80\n",
            "tls.key": "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n",
        },
    });
    let containers = json!([{
        "name": "app", "image": "shop/web:1",
        "args": ["--db-password", "hunter2", "--key=AKIAIOSFODNN7EXAMPLE"],
        "env": [
            { "name": "DB_PASSWORD", "value": "hunter2" },
            { "name": "DB_URL", "value": "postgres://shop:hunter2@db.shop.svc:5432/shop" },
            { "name": "GIT", "value": "ghp_0123456789abcdefghij0123456789abcdef" },
        ],
    }]);
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "web-1", "namespace": "shop" },
        "spec": { "nodeName": "node-1", "restartPolicy": "Always", "containers": containers },
        "status": { "phase": "Running", "containerStatuses": [{
            "name": "app", "ready": false, "restartCount": 7,
            "state": { "waiting": { "reason": "CrashLoopBackOff" } },
            "lastState": { "terminated": {
                "exitCode": 1, "reason": "Error", "message": "password=hunter2 is wrong",
                "startedAt": "2025-03-11T07:59:00Z", "finishedAt": "2025-03-11T07:59:01Z",
            } },
        }] },
    });
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web", "namespace": "shop" },
        "spec": { "selector": { "matchLabels": { "app": "web" } }, "template": { "spec": { "containers": containers } } },
    });
    let event = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": { "name": "e", "namespace": "shop" }, "type": "Warning",
        "reason": "Failed", "message": "login with token=swordfish failed",
        "involvedObject": { "kind": "Pod", "name": "web-1", "namespace": "shop" },
    });
    let log = "Authorization: Basic c2hvcDpodW50ZXIy\nconnect postgres://shop:hunter2@db:5432/x failed\n\
               got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzaG9wIn0.c2lnbmF0dXJl\n";
    let previous = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\npassword: hunter2\n";
    bundle_of(
        &[
            ("resources/all.json", list(&[secret, config, pod, deployment, event])),
            ("logs/shop/web-1/app.log", log.to_owned()),
            ("logs/shop/web-1/app.previous.log", previous.to_owned()),
        ]
        .map(|(name, content)| (name.to_owned(), content)),
    )
}

#[track_caller]
fn assert_clean(door: &str, text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} leaves through {door}:\n{text}");
    }
}

fn log(previous: bool, tail_lines: Option<u32>) -> LogQuery {
    LogQuery {
        namespace: "shop".to_owned(),
        pod: "web-1".to_owned(),
        previous,
        tail_lines,
        ..LogQuery::default()
    }
}

#[tokio::test]
async fn through_lists_objects_and_logs() {
    let cluster = Cluster::from_bundle(bundle());
    for kind in cluster.kinds().await.unwrap() {
        let page = cluster.list(&kind, &ListQuery::default()).await.unwrap();
        assert_clean(&kind.plural, &json!(page.items).to_string());
    }
    let secrets = cluster.resolve("secrets", None).await.unwrap();
    let secret = cluster.get(&secrets, Some("shop"), "db").await.unwrap();
    assert_clean("get", &secret.to_string());
    assert!(secret["data"]["password"].is_string(), "keys stay");
    for query in [log(false, None), log(true, None), log(false, Some(1)), log(true, Some(2))] {
        assert_clean("logs", &cluster.logs(&query).await.unwrap());
    }
}

/// An API server gives its secrets to who may read them.
#[tokio::test]
async fn through_lists_objects_and_logs_of_a_live_cluster() {
    let secret = || json!({ "metadata": { "name": "db" }, "data": { "password": "aHVudGVyMg==" } });
    let cluster = live(bundle(), move |path, _| match path {
        "/api/v1/secrets" => {
            Some(answer(StatusCode::OK, &json!({ "kind": "SecretList", "items": [secret()] })))
        }
        "/api/v1/namespaces/shop/secrets/db" => {
            let mut secret = secret();
            secret["kind"] = json!("Secret");
            Some(answer(StatusCode::OK, &secret))
        }
        path if path.ends_with("/log") => Some(answer(StatusCode::OK, &json!("password=hunter2"))),
        "/api/v1/configmaps" => {
            let text = r#"{"kind":"Status","status":"Failure","code":403,"reason":"Forbidden","message":"token=swordfish"}"#;
            Some(answer(StatusCode::FORBIDDEN, &serde_json::from_str(text).unwrap()))
        }
        _ => None,
    });
    let secrets = cluster.resolve("secrets", None).await.unwrap();
    let list = cluster.list(&secrets, &ListQuery::default()).await.unwrap();
    assert_clean("a list", &json!(list.items).to_string());
    assert_clean("get", &cluster.get(&secrets, Some("shop"), "db").await.unwrap().to_string());
    assert_clean("logs", &cluster.logs(&log(false, None)).await.unwrap());
    let configmaps = cluster.resolve("configmaps", None).await.unwrap();
    let error = cluster.list(&configmaps, &ListQuery::default()).await.unwrap_err();
    assert_clean("an error", &format!("{error} {error:?}"));
}

#[tokio::test]
async fn through_the_api_of_a_bundle_as_json_or_as_tables() {
    let api = BundleApi::new(Arc::new(bundle()));
    let paths = [
        "/api/v1/secrets",
        "/api/v1/configmaps",
        "/api/v1/pods",
        "/apis/apps/v1/deployments",
        "/api/v1/events",
        "/api/v1/namespaces/shop/secrets/db",
        "/api/v1/namespaces/shop/pods/web-1/log",
        "/api/v1/namespaces/shop/pods/web-1/log?previous=true&tailLines=2",
    ];
    for path in paths {
        for accept in ["application/json", "application/json;as=Table;v=v1;g=meta.k8s.io"] {
            let separator = if path.contains('?') { '&' } else { '?' };
            let uri = format!("{path}{separator}includeObject=Object");
            let request = Request::get(uri).header(ACCEPT, accept).body(()).unwrap();
            let response = api.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), 200, "{path}");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_clean(path, &String::from_utf8_lossy(&body));
        }
    }
}

#[tokio::test]
async fn through_a_recording() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("shop");
    capture(&Cluster::from_bundle(bundle()), &folder, CaptureLimits::default(), |_| ()).await.unwrap();
    let files = contents(&folder);
    assert!(files.iter().any(|(name, _)| name.ends_with("app.previous.log")));
    for (name, content) in files {
        assert_clean(&name, &content);
    }
}

#[tokio::test]
async fn through_a_report() {
    let cluster = Cluster::from_bundle(bundle());
    let report = diagnose(&cluster, &Scope::default(), SnapshotLimits::default(), |_| ()).await.unwrap();
    assert!(!report.findings.is_empty(), "a container that crashes is a finding");
    assert_clean("the report", &serde_json::to_string(&report).unwrap());
}

#[test]
fn through_a_debug_print() {
    assert_clean("Debug", &format!("{:?} {:?}", bundle(), BundleApi::new(Arc::new(bundle()))));
}
