//! `can_i`.

use rstest::rstest;
use serde_json::{Value, json};

use drydock::cluster::Cluster;

use super::shop::{call_on, cluster_of, object};

const TOOL: &str = "can_i";
const RBAC: &str = "rbac.authorization.k8s.io/v1";

fn shop() -> Cluster {
    let rules = json!({ "rules": [{ "verbs": ["get", "list"], "apiGroups": ["apps"], "resources": ["deployments"] }] });
    let binding = |subject: Value| json!({ "roleRef": { "kind": "ClusterRole", "name": "reader" }, "subjects": [subject] });
    let account = json!({ "kind": "ServiceAccount", "namespace": "shop", "name": "web" });
    let group = json!({ "kind": "Group", "name": "sre" });
    let role = json!({ "rules": [{ "verbs": ["*"], "apiGroups": [""], "resources": ["pods"] }] });
    cluster_of(
        &[
            object(RBAC, "ClusterRole", None, "reader", rules),
            object(RBAC, "RoleBinding", Some("shop"), "web-reads", binding(account)),
            object(RBAC, "ClusterRoleBinding", None, "sre-reads", binding(group)),
            object(RBAC, "Role", Some("shop"), "unused", role),
            object("v1", "ServiceAccount", Some("shop"), "web", json!({})),
        ],
        &[],
    )
}

#[rstest]
#[case::the_account(json!({ "subject": "sa:shop/web", "verb": "LIST", "resource": "deploy", "namespace": "shop" }), json!(true))]
#[case::elsewhere(json!({ "subject": "sa:shop/web", "verb": "list", "resource": "deploy", "namespace": "bank" }), json!(false))]
#[case::all_namespaces(json!({ "subject": "sa:shop/web", "verb": "list", "resource": "deploy" }), json!(false))]
#[case::a_group(json!({ "subject": "group:sre", "verb": "get", "resource": "deployments.apps" }), json!(true))]
#[case::a_member(json!({ "subject": "alice", "groups": "sre", "verb": "get", "resource": "Deployment" }), json!(true))]
#[case::a_subresource(json!({ "subject": "group:sre", "verb": "get", "resource": "deployments/scale" }), json!(false))]
#[tokio::test]
async fn a_subject_may_or_may_not(#[case] arguments: Value, #[case] allowed: Value) {
    let outcome = call_on(shop(), TOOL, arguments).await;
    assert_eq!(outcome.structured["allowed"], allowed, "{}", outcome.text);
}

#[tokio::test]
async fn who_can_is_a_list_of_subjects_and_bindings() {
    let outcome =
        call_on(shop(), TOOL, json!({ "verb": "list", "resource": "deployments", "namespace": "shop" }))
            .await;
    insta::assert_snapshot!(outcome.text, @"
    who may list deployments.apps in namespace shop: 2 subjects may

    SUBJECT                   BY BINDING                     WITH ROLE
    Group sre                 ClusterRoleBinding sre-reads   ClusterRole reader
    ServiceAccount shop/web   RoleBinding shop/web-reads     ClusterRole reader

    Computed from RBAC alone: other authorizers (EKS access entries with access policies, webhooks, the node authorizer) may allow more, and admission may still refuse.
    ");
}

#[tokio::test]
async fn a_no_says_why_and_what_would_allow_it() {
    let arguments =
        json!({ "subject": "sa:shop/web", "verb": "delete", "resource": "pods", "namespace": "shop" });
    let outcome = call_on(shop(), TOOL, arguments).await;
    assert!(
        outcome.text.starts_with("may ServiceAccount shop/web delete pods in namespace shop: no\n"),
        "{}",
        outcome.text
    );
    assert!(outcome.structured["whyNot"].is_string(), "{}", outcome.text);
    let command = outcome.structured["wouldAllow"][0].as_str().unwrap_or_default();
    assert!(command.starts_with("kubectl "), "{}", outcome.text);
}

#[tokio::test]
async fn a_resource_that_nobody_offers_is_taken_as_written() {
    let outcome = call_on(
        shop(),
        TOOL,
        json!({ "verb": "impersonate", "resource": "userextras.authentication.k8s.io/scopes" }),
    )
    .await;
    assert_eq!(outcome.structured["allowed"], false);
    assert!(outcome.text.contains("offers no resource"), "{}", outcome.text);
}
