//! `trace_service`.

use rstest::rstest;
use serde_json::{Value, json};

use drydock::cluster::Cluster;

use super::shop::{call_on, cluster_of, object};

const TOOL: &str = "trace_service";

/// A Service that asks for another label than its pod has, behind an Ingress, with a policy.
fn broken() -> Cluster {
    let shop = Some("shop");
    let pod = json!({
        "metadata": { "labels": { "app": "web" } },
        "spec": { "containers": [{ "name": "web", "ports": [{ "containerPort": 8080 }] }] },
        "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] },
    });
    let service = |selected: &str| {
        let ports = json!([{ "port": 80, "targetPort": 8080 }]);
        json!({ "spec": { "clusterIP": "10.1.0.1", "selector": { "app": selected }, "ports": ports } })
    };
    let backend = json!({ "service": { "name": "web", "port": { "number": 80 } } });
    let ingress = json!({
        "spec": { "rules": [{ "host": "shop.example", "http": { "paths": [{ "path": "/", "backend": backend }] } }] },
        "status": { "loadBalancer": { "ingress": [{ "ip": "1.2.3.4" }] } },
    });
    let slice = json!({
        "metadata": { "labels": { "kubernetes.io/service-name": "good" } },
        "endpoints": [{ "addresses": ["10.0.0.7"] }],
    });
    let policy = json!({ "spec": { "podSelector": {}, "ingress": [{ "from": [{ "podSelector": {} }] }] } });
    let namespace = |name: &str| object("v1", "Namespace", None, name, json!({}));
    cluster_of(
        &[
            namespace("shop"),
            namespace("bank"),
            object("v1", "Pod", shop, "web-1", pod),
            object("v1", "Service", shop, "web", service("www")),
            object("v1", "Service", shop, "good", service("web")),
            object("discovery.k8s.io/v1", "EndpointSlice", shop, "good-x", slice),
            object("networking.k8s.io/v1", "Ingress", shop, "front", ingress),
            object("networking.k8s.io/v1", "NetworkPolicy", shop, "own", policy),
        ],
        &[],
    )
}

#[tokio::test]
async fn a_request_to_a_host_is_followed_to_where_it_breaks() {
    let outcome = call_on(broken(), TOOL, json!({ "host": "shop.example", "path": "/cart" })).await;
    insta::assert_snapshot!(outcome.text, @"
    Broken at Service shop/web: app=www selects no pods: it wants app=www, the pods have app=web (Pod web-1)

    ok        Ingress shop/front: reached at 1.2.3.4 (default class)
              - shop.example/ → Service web port 80
    ok        Service shop/web: web.shop.svc.cluster.local resolves to 10.1.0.1; ports 80 → 8080
    BROKEN    Service shop/web: app=www selects no pods: it wants app=www, the pods have app=web (Pod web-1)
    BROKEN    Service shop/web: no ready endpoints: connections are refused

    Not read (not recorded in this bundle): events, endpoints, deployments, replicasets, statefulsets, daemonsets, jobs, cronjobs, ingressclasses
    ");
    assert_eq!(outcome.structured["brokenAt"]["step"], "selector");
    assert_eq!(outcome.structured["status"], "broken");
    assert_eq!(outcome.structured["start"]["kind"], "Ingress");
}

#[rstest]
#[case::its_name(json!({ "name": "good" }))]
#[case::its_dns_name(json!({ "name": "http://good.shop.svc.cluster.local:80/x" }))]
#[case::kubectls_way(json!({ "kind": "svc", "name": "svc/good", "namespace": "shop", "port": 80 }))]
#[tokio::test]
async fn a_service_is_found_in_any_spelling(#[case] arguments: Value) {
    let outcome = call_on(broken(), TOOL, arguments).await;
    assert_eq!(outcome.structured["start"]["name"], "good", "{}", outcome.text);
    assert_eq!(outcome.structured["brokenAt"], Value::Null, "{}", outcome.text);
}

#[tokio::test]
async fn a_client_of_another_namespace_is_kept_out_by_a_policy() {
    let outcome = call_on(broken(), TOOL, json!({ "name": "good", "from_namespace": "bank" })).await;
    let at = &outcome.structured["brokenAt"];
    assert_eq!((&at["step"], &at["object"]["name"]), (&json!("policies"), &json!("own")), "{}", outcome.text);
    let own = call_on(broken(), TOOL, json!({ "name": "good", "from_pod": "web-1" })).await;
    assert_eq!(own.structured["brokenAt"], Value::Null, "{}", own.text);
}

#[rstest]
#[case::nothing(json!({}), "say name, or the host of a request to an Ingress")]
#[case::unknown_host(json!({ "host": "shp.example" }), "no Ingress has a rule for host \"shp.example\"; near: shop.example")]
#[case::unknown_service(json!({ "name": "goood" }), "there is no Service \"goood\"; near: shop/good")]
#[case::no_start(json!({ "kind": "namespace", "name": "shop" }),
    "a trace starts at one of Service, Ingress, Pod, Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob, not at Namespace")]
#[case::no_port(json!({ "name": "good", "from_namespace": "bnak" }), "there is no namespace \"bnak\"; near: bank")]
#[tokio::test]
async fn what_is_not_there_is_answered_with_the_next_step(#[case] arguments: Value, #[case] expected: &str) {
    let outcome = call_on(broken(), TOOL, arguments).await;
    assert!(outcome.is_error, "{}", outcome.text);
    assert_eq!(outcome.text, expected);
}
