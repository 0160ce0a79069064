//! `get_metrics`.

use std::convert::Infallible;

use http::{Request, Response, StatusCode};
use kube::client::Body;
use rstest::rstest;
use serde_json::{Value, json};

use drydock::cluster::{Cluster, ClusterInfo};

use super::shop::{call, call_on, cluster_of, object};

const TOOL: &str = "get_metrics";

fn usage(cpu: &str, memory: &str) -> Value {
    json!({ "cpu": cpu, "memory": memory })
}

fn shop() -> Cluster {
    let measured = |name: &str, containers: Value| {
        let more = json!({ "timestamp": "2026-01-01T11:59:30Z", "window": "15s", "containers": containers });
        object("metrics.k8s.io/v1beta1", "PodMetrics", Some("shop"), name, more)
    };
    let pod = |name: &str, containers: Value| {
        let more = json!({ "spec": { "nodeName": "n1", "containers": containers }, "status": { "phase": "Running" } });
        object("v1", "Pod", Some("shop"), name, more)
    };
    let resources = |requests: Value, limits: Value| json!({ "requests": requests, "limits": limits });
    let node = json!({ "timestamp": "2026-01-01T11:59:30Z", "usage": usage("500m", "1Gi") });
    cluster_of(
        &[
            measured(
                "web",
                json!([
                    { "name": "app", "usage": usage("250m", "96Mi") }, { "name": "proxy", "usage": usage("10000000n", "32Mi") },
                ]),
            ),
            measured("db", json!([{ "name": "db", "usage": usage("20m", "1Gi") }])),
            pod(
                "web",
                json!([
                    { "name": "app", "resources": resources(usage("500m", "64Mi"), usage("1", "128Mi")) },
                    { "name": "proxy", "resources": resources(json!({ "cpu": "20m" }), json!({ "memory": "32Mi" })) },
                ]),
            ),
            pod("db", json!([{ "name": "db" }])),
            pod("new", json!([{ "name": "new" }])),
            object("metrics.k8s.io/v1beta1", "NodeMetrics", None, "n1", node),
            object("v1", "Node", None, "n1", json!({ "status": { "allocatable": usage("2", "4Gi") } })),
            object("v1", "Namespace", None, "shop", json!({})),
        ],
        &[],
    )
}

#[tokio::test]
async fn pods_are_shown_in_per_cent_of_what_they_ask_for_the_greatest_first() {
    let outcome = call_on(shop(), TOOL, json!({ "namespace": "shop" })).await;
    insta::assert_snapshot!(outcome.text, @"
    NAME   CPU    OF REQUEST   OF LIMIT   MEMORY   OF REQUEST   OF LIMIT
    db     20m    <none>       <none>     1Gi      <none>       <none>
    web    260m   50%          <none>     128Mi    200%         80%

    All 2: cpu 280m, memory 1.1Gi

    1 running pod has no measurement, such as shop/new

    Measured 30s ago
    ");
    assert_eq!(outcome.structured["items"][1]["percentOfLimits"], json!({ "cpu": null, "memory": 80 }));
}

#[tokio::test]
async fn containers_are_shown_one_by_one_and_sorted_as_asked() {
    let arguments = json!({ "containers": true, "name": "pod/web", "sort_by": "CPU" });
    let outcome = call_on(shop(), TOOL, arguments).await;
    insta::assert_snapshot!(outcome.text, @"
    NAMESPACE   NAME   CONTAINER   CPU    OF REQUEST   OF LIMIT   MEMORY   OF REQUEST   OF LIMIT
    shop        web    app         250m   50%          25%        96Mi     150%         75%
    shop        web    proxy       10m    50%          <none>     32Mi     <none>       100%

    All 2: cpu 260m, memory 128Mi

    Measured 30s ago
    ");
}

#[tokio::test]
async fn nodes_are_shown_in_per_cent_of_what_they_can_allocate() {
    let outcome = call_on(shop(), TOOL, json!({ "kind": "nodes" })).await;
    insta::assert_snapshot!(outcome.text, @"
    NAME   CPU    OF ALLOCATABLE   REQUESTED   MEMORY   OF ALLOCATABLE   REQUESTED
    n1     500m   25%              26%         1Gi      25%              2%

    Measured 30s ago
    ");
}

#[tokio::test]
async fn a_limit_keeps_the_greatest_and_counts_the_rest() {
    let outcome = call_on(shop(), TOOL, json!({ "limit": 1 })).await;
    assert!(outcome.truncated && outcome.text.contains("1 row is left out: raise limit"), "{}", outcome.text);
    assert_eq!(
        (&outcome.structured["items"][0]["name"], &outcome.structured["total"]),
        (&json!("db"), &json!(2))
    );
}

#[rstest]
#[case::of_another_name(json!({ "name": "webb" }), "there is no measurement of \"webb\"; near: web")]
#[case::just_started(json!({ "name": "new" }),
    "1 pod runs and none has been measured yet, such as shop/new: a measurement comes about a minute after the start")]
#[case::of_no_namespace(json!({ "namespace": "shp" }), "there is no namespace \"shp\"; near: shop")]
#[tokio::test]
async fn what_is_not_measured_is_said(#[case] arguments: Value, #[case] expected: &str) {
    let outcome = call_on(shop(), TOOL, arguments).await;
    assert!(outcome.is_error);
    assert_eq!(outcome.text, expected);
}

#[tokio::test]
async fn a_recording_without_measurements_says_so() {
    let outcome = call(TOOL, json!({})).await;
    assert!(outcome.is_error && outcome.text.starts_with("this recording has no usage"), "{}", outcome.text);
}

/// A live cluster that offers APIServices and no measurements.
fn live(service: Option<Value>) -> Cluster {
    let answers = tower::service_fn(move |request: Request<Body>| {
        let version = json!({ "groupVersion": "apiregistration.k8s.io/v1" });
        let resource = |plural: &str, kind: &str| json!({ "name": plural, "kind": kind, "namespaced": false, "verbs": ["get", "list"] });
        let answer = match request.uri().path() {
            "/apis" => Some(json!({ "groups": [{ "versions": [version], "preferredVersion": version }] })),
            "/api/v1" => Some(json!({ "resources": [resource("nodes", "Node")] })),
            "/apis/apiregistration.k8s.io/v1" => {
                Some(json!({ "resources": [resource("apiservices", "APIService")] }))
            }
            "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io" => service.clone(),
            _ => None,
        };
        let status = if answer.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
        let mut response = Response::new(Body::from(answer.unwrap_or_default().to_string().into_bytes()));
        *response.status_mut() = status;
        async move { Ok::<_, Infallible>(response) }
    });
    let info = ClusterInfo { name: "live".to_owned(), version: None, recorded: false, captured_at: None };
    Cluster::new(kube::Client::new(answers, "default"), info)
}

#[tokio::test]
async fn without_metrics_server_the_next_step_is_to_install_it() {
    let outcome = call_on(live(None), TOOL, json!({})).await;
    assert!(outcome.is_error && outcome.text.contains("metrics-server is not installed"), "{}", outcome.text);
}

#[tokio::test]
async fn a_metrics_server_that_does_not_answer_is_named_with_what_is_known() {
    let condition = json!({ "type": "Available", "status": "False", "reason": "MissingEndpoints", "message": "no endpoints" });
    let service = json!({
        "spec": { "service": { "namespace": "kube-system", "name": "metrics-server" } },
        "status": { "conditions": [condition] },
    });
    let outcome = call_on(live(Some(service)), TOOL, json!({ "kind": "nodes" })).await;
    assert!(outcome.is_error);
    assert_eq!(
        outcome.text,
        "the metrics API of this cluster does not answer (MissingEndpoints: no endpoints): look at the pods of \
         kube-system/metrics-server with diagnose_cluster"
    );
}
