//! `list_k8s_resources`.

use drydock::tools::Toolbox;
use rstest::rstest;
use serde_json::{Value, json};

use super::shop::{PASSWORD, call_on, caller, cluster_of, done, object, refused, tools};

const TOOL: &str = "list_k8s_resources";

fn names(outcome: &drydock::tools::ToolOutcome) -> Vec<String> {
    let items = outcome.structured["items"].as_array().into_iter().flatten();
    items.filter_map(|item| item["name"].as_str()).map(str::to_owned).collect()
}

#[tokio::test]
async fn pods_are_listed_as_kubectl_shows_them() {
    let outcome = done(TOOL, json!({ "kind": "po", "namespace": "shop" })).await;
    insta::assert_snapshot!(outcome.text, @"
    NAME              READY   STATUS              RESTARTS   LAST RESTART   IP         NODE     AGE
    audit             0/1     ContainerCreating   0          <none>         <none>     <none>   120m
    cart-7d-a1        1/1     Running             0          <none>         <none>     node-1   120m
    catalog-85f4-x2   1/2     CrashLoopBackOff    5          5m ago         10.0.0.7   node-1   120m
    ");
}

#[tokio::test]
async fn items_hold_what_programs_read() {
    let outcome =
        done(TOOL, json!({ "kind": "pods", "field_selector": "metadata.name=catalog-85f4-x2" })).await;
    let expected = json!({
        "name": "catalog-85f4-x2", "namespace": "shop", "kind": "Pod", "apiVersion": "v1",
        "createdAt": "2026-01-01T10:00:00Z", "age": "120m", "phase": "Running", "status": "CrashLoopBackOff",
        "ready": "1/2", "restarts": 5, "lastRestart": "2026-01-01T11:55:00Z", "ip": "10.0.0.7", "node": "node-1",
        "owner": "ReplicaSet/catalog-85f4",
    });
    assert_eq!(outcome.structured["items"], json!([expected]));
    assert!(!outcome.truncated);
}

#[tokio::test]
async fn labels_annotations_and_owners_come_along_and_applied_manifests_never() {
    let outcome = done(TOOL, json!({ "kind": "Deployment", "label_selector": "app=catalog" })).await;
    assert_eq!(outcome.structured["items"][0]["labels"], json!({ "app": "catalog" }));
    let secrets = done(TOOL, json!({ "kind": "secrets" })).await;
    assert_eq!(names(&secrets), ["database"]);
    let shown = secrets.structured.to_string();
    assert!(!shown.contains("last-applied") && !shown.contains(PASSWORD), "{shown}");
    let more = json!({ "metadata": { "annotations": { "team": "a".repeat(300) } } });
    let cluster = cluster_of(&[object("v1", "ConfigMap", Some("shop"), "c", more)], &[]);
    let config = call_on(cluster, TOOL, json!({ "kind": "cm" })).await;
    let annotation = config.structured["items"][0]["annotations"]["team"].as_str().unwrap_or_default();
    assert_eq!(annotation.chars().count(), 200);
    let pod = done(TOOL, json!({ "kind": "po", "field_selector": "metadata.name=cart-7d-a1" })).await;
    assert_eq!(pod.structured["items"][0]["owner"], "ReplicaSet/cart-7d");
}

#[tokio::test]
async fn the_fields_that_are_asked_for_come_instead_of_the_status() {
    let fields = json!(["spec.containers[*].name", "spec.containers[0].env[0].value", "metadata.uid"]);
    let arguments = json!({ "kind": "pods", "namespace": "shop", "fields": fields, "limit": 2 });
    let outcome = done(TOOL, arguments).await;
    assert_eq!(
        outcome.text.lines().take(3).collect::<Vec<_>>(),
        [
            "NAME         spec.containers[*].name   spec.containers[0].env[0].value   metadata.uid",
            "audit        app                       <none>                            uid-Pod-audit",
            "cart-7d-a1   app                       ***                               uid-Pod-cart-7d-a1",
        ]
    );
    let item = &outcome.structured["items"][1];
    assert_eq!(item["fields"]["spec.containers[*].name"], json!(["app"]));
    assert!(item["status"].is_null() && outcome.truncated, "{item}");
}

#[tokio::test]
async fn a_field_that_is_no_path_is_refused() {
    let text = refused(TOOL, json!({ "kind": "pods", "fields": "spec..x" })).await;
    assert!(text.starts_with("fields must be paths such as spec.replicas"), "{text}");
}

#[tokio::test]
async fn rows_of_all_namespaces_say_theirs() {
    let outcome = done(TOOL, json!({ "kind": "pods", "label_selector": "!app" })).await;
    assert!(outcome.text.starts_with("NAMESPACE   NAME "), "{}", outcome.text);
    assert!(outcome.text.contains("\nbank        ledger-0 "), "{}", outcome.text);
}

#[tokio::test]
async fn cluster_scoped_kinds_ignore_the_namespace_and_say_so() {
    let outcome = done(TOOL, json!({ "kind": "node", "namespace": "shop" })).await;
    assert_eq!(names(&outcome), ["node-1"]);
    assert!(
        outcome.text.contains("nodes are not namespaced: namespace \"shop\" was ignored"),
        "{}",
        outcome.text
    );
}

#[tokio::test]
async fn custom_resources_show_their_condition() {
    let outcome = done(TOOL, json!({ "kind": "cou" })).await;
    assert_eq!(outcome.structured["items"][0]["status"], "Ready");
}

#[tokio::test]
async fn a_kind_of_which_nothing_is_known_has_names_and_ages() {
    let objects = ["one", "two"].map(|name| object("v1", "ServiceAccount", Some("shop"), name, json!({})));
    let arguments = json!({ "kind": "sa", "namespace": "shop" });
    let outcome = call_on(cluster_of(&objects, &[]), TOOL, arguments).await;
    assert_eq!(outcome.text, "NAME   AGE\none    120m\ntwo    120m\n");
}

#[rstest]
#[case::everywhere(json!({ "kind": "services" }), "No services in any namespace.\n", Value::Null)]
#[case::in_a_namespace(
    json!({ "kind": "svc", "namespace": "shop" }), "No services in namespace shop (which exists).\n", json!(true))]
#[case::with_selectors(
    json!({ "kind": "pods", "namespace": "shop", "label_selector": "app=x", "field_selector": "status.phase=Failed" }),
    "No pods in namespace shop (which exists) match app=x and status.phase=Failed.\n", json!(true))]
#[case::in_no_namespace(
    json!({ "kind": "pods", "namespace": "shopp" }), "No pods: there is no namespace \"shopp\"; near: shop.\n",
    json!(false))]
#[tokio::test]
async fn an_empty_list_says_why_it_may_be_empty(
    #[case] arguments: Value,
    #[case] text: &str,
    #[case] exists: Value,
) {
    let outcome = done(TOOL, arguments).await;
    assert_eq!(outcome.text, text);
    assert_eq!((&outcome.structured["count"], &outcome.structured["namespaceExists"]), (&json!(0), &exists));
}

#[tokio::test]
async fn nobody_can_tell_whether_a_namespace_exists_in_a_recording_without_namespaces() {
    let cluster = cluster_of(&[object("v1", "Pod", Some("shop"), "web", json!({}))], &[]);
    let arguments = json!({ "kind": "pods", "namespace": "other" });
    let outcome = call_on(cluster, TOOL, arguments).await;
    assert_eq!(outcome.text, "No pods in namespace other.\n");
    assert!(outcome.structured["namespaceExists"].is_null());
}

#[tokio::test]
async fn a_limit_ends_with_the_way_to_read_on() {
    let first = done(TOOL, json!({ "kind": "pods", "limit": 3 })).await;
    assert!(first.truncated);
    assert_eq!((&first.structured["count"], &first.structured["remaining"]), (&json!(3), &json!(2)));
    let token = first.structured["continue"].as_str().unwrap();
    assert!(first.text.contains("there are 2 more: narrow with"), "{}", first.text);
    assert!(first.text.contains(&format!("continue={token}\n")), "{}", first.text);
    let second = done(TOOL, json!({ "kind": "pods", "limit": 3, "continue": token })).await;
    assert!(!second.truncated && second.structured["continue"].is_null());
    let all = done(TOOL, json!({ "kind": "pods" })).await;
    assert_eq!([names(&first), names(&second)].concat(), names(&all));
}

#[tokio::test]
async fn a_list_cut_for_its_length_is_read_on_without_a_gap() {
    let pods: Vec<Value> = (0..200)
        .map(|number| object("v1", "Pod", Some("shop"), &format!("web-{number:03}"), json!({})))
        .collect();
    let tools = tools(cluster_of(&pods, &[]));
    let mut seen = Vec::new();
    let mut token = Value::Null;
    let mut pages = 0;
    loop {
        let arguments = json!({ "kind": "pods", "limit": 150, "continue": token });
        let outcome = tools.call(TOOL, arguments, &caller(6000)).await;
        assert!(outcome.text.len() <= 6000 && outcome.structured.to_string().len() <= 6000);
        seen.extend(names(&outcome));
        pages += 1;
        token = outcome.structured["continue"].clone();
        assert_eq!(outcome.truncated, !token.is_null());
        if token.is_null() {
            break;
        }
    }
    let expected: Vec<String> = (0..200).map(|number| format!("web-{number:03}")).collect();
    assert_eq!(seen, expected);
    assert!(pages > 5, "{pages}");
}
