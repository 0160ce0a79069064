//! `manage_k8s_resource` and `diagnose_cluster`: one object, made sure of.

use drydock::diagnosis::render;
use drydock::diagnosis::report::{ObjectRef, Report};
use rstest::rstest;
use serde_json::{Value, json};

use super::shop::{call_on, cluster_of, done, object, refused};

const TOOL: &str = "manage_k8s_resource";

#[tokio::test]
async fn an_object_is_read_in_full_as_yaml_and_as_json() {
    let outcome = done(TOOL, json!({ "kind": "deploy", "name": "catalog", "namespace": "shop" })).await;
    insta::assert_snapshot!(outcome.text, @"
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      creationTimestamp: \"2026-01-01T10:00:00Z\"
      labels:
        app: catalog
      name: catalog
      namespace: shop
      uid: uid-Deployment-catalog
    spec:
      replicas: 1
    status:
      availableReplicas: 0
      readyReplicas: 0
      updatedReplicas: 1
    ");
    assert_eq!(outcome.structured["kind"], "Deployment");
    assert_eq!(outcome.structured["resource"]["spec"]["replicas"], 1);
}

#[tokio::test]
async fn bookkeeping_and_empty_members_are_left_out() {
    let more = json!({
        "metadata": { "managedFields": [{ "manager": "x" }], "deletionTimestamp": null },
        "spec": { "list": [{ "a": null, "b": "yes" }] },
    });
    let cluster = cluster_of(&[object("v1", "Pod", Some("default"), "web", more)], &[]);
    let arguments = json!({ "kind": "pod", "name": "web" });
    let outcome = call_on(cluster, TOOL, arguments).await;
    assert!(!outcome.text.contains("managedFields") && !outcome.text.contains("null"), "{}", outcome.text);
    let read_again: Value = serde_saphyr::from_str(&outcome.text).unwrap();
    assert_eq!(read_again, outcome.structured["resource"]);
    assert_eq!(read_again["spec"]["list"], json!([{ "b": "yes" }]));
}

#[tokio::test]
async fn a_secret_shows_its_keys() {
    let outcome = done(TOOL, json!({ "kind": "secret", "name": "database", "namespace": "shop" })).await;
    let keys = outcome.structured["resource"]["data"].as_object().map(|data| data.keys().collect::<Vec<_>>());
    assert_eq!(keys, Some(vec![&"password".to_owned()]));
}

#[rstest]
#[case("create")]
#[case("replace")]
#[case("patch")]
#[case("delete")]
#[tokio::test]
async fn nothing_is_changed(#[case] operation: &str) {
    let arguments =
        json!({ "operation": operation, "kind": "pod", "name": "cart-7d-a1", "namespace": "shop" });
    let text = refused(TOOL, arguments).await;
    let expected = format!("the operation {operation} of manage_k8s_resource is not allowed here");
    assert!(text.starts_with(&expected), "{text}");
}

#[rstest]
#[case::a_typo(json!({ "kind": "deploy", "name": "catalgo", "namespace": "shop" }),
    "there is no Deployment \"catalgo\" in namespace shop; near: catalog")]
#[case::a_typo_and_no_namespace(json!({ "kind": "deploy", "name": "catalgo" }),
    "there is no Deployment \"catalgo\" in namespace default; near: shop/catalog")]
#[case::the_default_namespace(json!({ "kind": "deploy", "name": "catalog" }),
    "there is no Deployment \"catalog\" in namespace default, but there is one in shop")]
#[case::another_namespace(json!({ "kind": "pod", "name": "ledger-0", "namespace": "shop" }),
    "there is no Pod \"ledger-0\" in namespace shop, but there is one in bank")]
#[case::no_namespace(json!({ "kind": "pod", "name": "x", "namespace": "bunk" }),
    "there is no namespace \"bunk\"; near: bank")]
#[case::cluster_scoped(json!({ "kind": "node", "name": "node-2", "namespace": "shop" }),
    "there is no Node \"node-2\"; near: node-1")]
#[case::no_name(json!({ "kind": "pod", "name": "../secrets", "namespace": "shop" }),
    "\"../secrets\" is not a name of a Kubernetes object")]
#[tokio::test]
async fn what_is_not_there_is_answered_with_what_may_be_meant(
    #[case] arguments: Value,
    #[case] expected: &str,
) {
    assert_eq!(refused(TOOL, arguments).await, expected);
}

#[rstest]
#[case::a_short_name(json!({ "kind": "deploy", "name": "catalog", "namespace": "shop" }))]
#[case::no_namespace(json!({ "kind": "Deployment", "name": "catalog" }))]
#[case::with_its_group(json!({ "kind": "deployments.apps", "name": "catalog", "namespaces": "shop" }))]
#[tokio::test]
async fn a_diagnosis_of_an_object_is_a_report_about_its_canonical_name(#[case] arguments: Value) {
    let outcome = done("diagnose_cluster", arguments).await;
    let report: Report = serde_json::from_value(outcome.structured).unwrap();
    let catalog = ObjectRef {
        api_version: "apps/v1".to_owned(),
        kind: "Deployment".to_owned(),
        namespace: Some("shop".to_owned()),
        name: "catalog".to_owned(),
    };
    assert_eq!(report.scope.object, Some(catalog));
    assert!(report.coverage.read.contains(&"pods".to_owned()));
    assert_eq!(outcome.text, render::markdown(&report));
}

#[rstest]
#[case::everything(json!({}), &[])]
#[case::namespaces(json!({ "namespaces": ["shop", "bank"] }), &["shop", "bank"])]
#[case::one_namespace(json!({ "namespace": "shop" }), &["shop"])]
#[case::a_node(json!({ "kind": "no", "name": "node-1", "namespace": "shop" }), &[])]
#[tokio::test]
async fn a_diagnosis_keeps_to_its_scope(#[case] arguments: Value, #[case] namespaces: &[&str]) {
    let outcome = done("diagnose_cluster", arguments).await;
    let report: Report = serde_json::from_value(outcome.structured).unwrap();
    assert_eq!(report.scope.namespaces, namespaces);
    assert!(report.scope.object.is_none_or(|object| object.namespace.is_none()));
}

#[rstest]
#[case::object(json!({ "kind": "deploy", "name": "catalgo", "namespace": "shop" }),
    "there is no Deployment \"catalgo\" in namespace shop; near: catalog")]
#[case::object_anywhere(json!({ "kind": "pod", "name": "catalog" }),
    "there is no Pod \"catalog\"; near: shop/catalog-85f4-x2")]
#[case::several_objects(json!({ "kind": "pod", "name": "audit" }),
    "there are several pods \"audit\": say namespace, one of bank, shop")]
#[case::namespaces(json!({ "namespaces": ["bank", "shopp"] }), "there is no namespace \"shopp\"; near: shop")]
#[case::one_namespace(json!({ "namespace": "bunk" }), "there is no namespace \"bunk\"; near: bank")]
#[case::kind(json!({ "kind": "deploymnt", "name": "catalog" }),
    "this cluster has no kind \"deploymnt\"; did you mean deployments?")]
#[tokio::test]
async fn a_diagnosis_of_what_is_not_there_is_refused(#[case] arguments: Value, #[case] expected: &str) {
    assert_eq!(refused("diagnose_cluster", arguments).await, expected);
}
