//! What holds for every call: schemas, arguments, the cluster's name, cancellation, deadline, faults, secrets.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use drydock::cluster::{Cluster, ClusterInfo};
use drydock::tools::{CallContext, Environment, Registry, Tool, ToolError, ToolOutcome, ToolSpec, Toolbox};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::shop::{PASSWORD, PASSWORD_BASE64, call, caller, done, refused, shop, tools};

/// Everything that is offered on the shop to who may only read.
async fn offered() -> Vec<ToolSpec> {
    tools(shop()).list(&caller(1 << 20)).await.unwrap()
}

#[tokio::test]
async fn names_and_arguments_are_what_callers_rely_on() {
    insta::assert_json_snapshot!(offered().await);
}

#[tokio::test]
async fn every_tool_tolerates_more_arguments() {
    for spec in offered().await {
        assert!(spec.input_schema["additionalProperties"].is_null(), "{}", spec.name);
    }
}

#[rstest]
#[case::its_arn("arn:aws:eks:eu-west-1:111122223333:cluster/shop")]
#[case::its_short_name("shop")]
#[case::none("")]
#[tokio::test]
async fn the_clusters_own_name_is_accepted(#[case] name: &str) {
    done("list_k8s_resources", json!({ "kind": "pods", "cluster_name": name })).await;
    done("current_time", json!({ "cluster_name": name })).await;
}

#[tokio::test]
async fn another_clusters_name_is_refused_with_the_name_of_this_one() {
    let text = refused("list_api_versions", json!({ "cluster_name": "prod" })).await;
    assert!(text.contains("\"prod\" is not") && text.contains("cluster/shop"), "{text}");
}

#[rstest]
#[case::typo("get_pod_log", "there is no tool \"get_pod_log\"; try get_pod_logs")]
#[case::nothing_like_it("rm", "there is no tool \"rm\"; try diagnose_cluster, list_k8s_resources,")]
#[tokio::test]
async fn an_unknown_tool_is_answered_with_those_that_there_are(#[case] name: &str, #[case] expected: &str) {
    let text = refused(name, json!({})).await;
    assert!(text.starts_with(expected), "{text}");
}

#[rstest]
#[case("list_k8s_resources", json!({}), "kind is required: ")]
#[case("list_k8s_resources", json!({ "kind": "pods", "limit": 501 }), "limit must be an integer from 1 to 500, not 501")]
#[case("list_k8s_resources", json!({ "kind": ["pods"] }), r#"kind must be a string, not ["pods"]"#)]
#[case("list_k8s_resources", json!({ "kind": "podz" }), "this cluster has no kind \"podz\"; did you mean pods")]
#[case("list_k8s_resources", json!({ "kind": "pods", "label_selector": "a in b" }), "unable to parse")]
#[case("list_k8s_resources", json!({ "kind": "pods", "field_selector": "spec.color=red" }), "field label not supported")]
#[case("list_k8s_resources", json!({ "kind": "pods", "continue": "stale" }), "The provided continue parameter")]
#[case("manage_k8s_resource", json!({ "kind": "pod" }), "name is required: ")]
#[case("manage_k8s_resource", json!({ "kind": "pod", "name": "x", "operation": "destroy" }),
    r#"operation must be one of read, create, replace, patch, delete, not "destroy""#)]
#[case("get_pod_logs", json!({ "pod_name": "x", "tail_lines": 0 }), "tail_lines must be an integer from 1 to 5000, not 0")]
#[case("get_pod_logs", json!({ "pod_name": "x", "since_seconds": -5 }),
    "since_seconds must be an integer of at least 1, not -5")]
#[case("get_pod_logs", json!({ "pod_name": "x", "grep": "(" }), "grep must be a regular expression, not \"(\": unclosed")]
#[case("get_k8s_events", json!({ "type": "Error" }), r#"type must be one of Normal, Warning, not "Error""#)]
#[case("diagnose_cluster", json!({ "kind": "pod" }), "kind goes with name")]
#[case("diagnose_cluster", json!({ "name": "catalog" }), "name goes with kind")]
#[case("current_time", json!({ "timezone": "Mars/Olympus" }), "timezone must be the IANA name of a time zone")]
#[case("search_eks_troubleshoot_guide", json!({}), "query is required: ")]
#[case("search_eks_troubleshoot_guide", json!({ "query": "x", "limit": 0 }), "limit must be an integer from 1 to 20, not 0")]
#[case("current_time", json!("now"), "arguments must be an object")]
#[tokio::test]
async fn wrong_arguments_are_named_in_one_line(
    #[case] tool: &str,
    #[case] arguments: Value,
    #[case] expected: &str,
) {
    let text = refused(tool, arguments).await;
    assert!(text.starts_with(expected), "{text}");
}

#[tokio::test]
async fn a_misspelt_argument_does_not_go_unnoticed() {
    let outcome = done("list_k8s_resources", json!({ "kind": "pods", "namspace": "shop" })).await;
    let note = "The argument \"namspace\" is unknown and was ignored; did you mean namespace?\n";
    assert!(outcome.text.ends_with(note), "{}", outcome.text);
}

/// A cluster that is asked and never answers.
fn silent_cluster(asked: &Arc<Notify>) -> Cluster {
    let asked = Arc::clone(asked);
    let service = tower::service_fn(move |_: http::Request<kube::client::Body>| {
        asked.notify_one();
        std::future::pending::<Result<http::Response<kube::client::Body>, Infallible>>()
    });
    let info = ClusterInfo { name: "silent".to_owned(), version: None, recorded: false, captured_at: None };
    Cluster::new(kube::Client::new(service, "default"), info)
}

#[rstest]
#[case("list_k8s_resources", json!({ "kind": "pods" }))]
#[case("manage_k8s_resource", json!({ "kind": "pod", "name": "x" }))]
#[case("get_pod_logs", json!({ "pod_name": "x" }))]
#[case("get_k8s_events", json!({}))]
#[case("list_api_versions", json!({}))]
#[case("diagnose_cluster", json!({ "kind": "pod", "name": "x" }))]
#[tokio::test]
async fn cancel_ends_a_call_that_waits_for_the_cluster(#[case] tool: &str, #[case] arguments: Value) {
    let asked = Arc::new(Notify::new());
    let cx = caller(1 << 20);
    let registry = tools(silent_cluster(&asked));
    let cancel = async {
        asked.notified().await;
        cx.cancellation.cancel();
    };
    let (outcome, ()) = tokio::join!(registry.call(tool, arguments, &cx), cancel);
    assert_eq!((outcome.is_error, outcome.text.as_str()), (true, "canceled"));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_too_long_ends_with_what_to_do() {
    let cx = caller(1 << 20);
    let registry = tools(silent_cluster(&Arc::default())).with_deadline(Duration::from_secs(5));
    let outcome = registry.call("list_k8s_resources", json!({ "kind": "pods" }), &cx).await;
    assert!(outcome.is_error);
    assert!(outcome.text.starts_with("no result within 5 s; ask for less"), "{}", outcome.text);
}

struct Faulty;

impl Tool for Faulty {
    const NAME: &'static str = "faulty";
    const TITLE: &'static str = "";
    const DESCRIPTION: &'static str = "";
    type Input = std::collections::BTreeMap<String, String>;
    type Output = Value;
    type Context = CallContext;

    async fn run(&self, _input: Self::Input, _cx: &CallContext) -> Result<ToolOutcome, ToolError> {
        panic!("bug: as the test wants it");
    }
}

#[tokio::test]
async fn a_panic_inside_a_tool_is_an_error_outcome() {
    let outcome = Registry::empty(Environment::of(shop()))
        .with(Faulty)
        .call("faulty", json!({}), &caller(1 << 20))
        .await;
    assert!(outcome.is_error);
    assert!(outcome.text.starts_with("the tool failed by a fault of its own"), "{}", outcome.text);
}

#[tokio::test]
async fn the_time_of_a_recording_is_told() {
    let outcome = done("current_time", json!({ "timezone": "Asia/Seoul" })).await;
    assert_eq!(outcome.structured["recordedAt"], "2026-01-01T12:00:00Z");
    assert!(outcome.structured["local"].as_str().is_some_and(|local| local.ends_with("+09:00")));
}

#[tokio::test]
async fn api_versions_come_with_their_kinds_and_custom_resources_are_marked() {
    let outcome = done("list_api_versions", json!({})).await;
    let versions = outcome.structured["apiVersions"].as_array().unwrap();
    let names: Vec<&str> = versions.iter().filter_map(|version| version["apiVersion"].as_str()).collect();
    assert_eq!(names[0], "v1");
    assert!(names.is_sorted_by_key(|name| (name.contains('/'), *name)), "{names:?}");
    let custom = versions.iter().find(|version| version["apiVersion"] == "shop.example/v1").unwrap();
    let coupon = json!({ "kind": "Coupon", "plural": "coupons", "shortNames": ["cou"], "namespaced": true, "custom": true });
    assert_eq!(custom["kinds"], json!([coupon]));
    assert!(outcome.text.contains("\napps/v1\n"), "{}", outcome.text);
    assert!(outcome.text.contains("  Node (nodes, no), cluster-scoped\n"));
    assert!(outcome.text.contains("  Coupon (coupons, cou), custom resource\n"));
}

#[tokio::test]
async fn no_secret_is_in_any_outcome() {
    let kinds = done("list_api_versions", json!({})).await.structured;
    let kinds = kinds["apiVersions"].as_array().into_iter().flatten();
    let kinds = kinds.flat_map(|version| version["kinds"].as_array().into_iter().flatten());
    let mut outcomes = vec![
        call("get_k8s_events", json!({ "limit": 500 })).await,
        call("get_pod_logs", json!({ "pod_name": "catalog-85f4-x2", "namespace": "shop", "previous": true }))
            .await,
        call("diagnose_cluster", json!({})).await,
    ];
    let mut objects = 0;
    for kind in kinds.filter_map(|kind| kind["plural"].as_str()) {
        let list = call("list_k8s_resources", json!({ "kind": kind })).await;
        let items = list.structured["items"].as_array().cloned().unwrap_or_default();
        outcomes.push(list);
        for item in items {
            let arguments = json!({ "kind": kind, "name": item["name"], "namespace": item["namespace"] });
            outcomes.push(done("manage_k8s_resource", arguments).await);
            objects += 1;
        }
    }
    assert!(objects > 20, "{objects}");
    for outcome in outcomes {
        let all = format!("{}{}", outcome.text, outcome.structured);
        assert!(!all.contains(PASSWORD) && !all.contains(PASSWORD_BASE64), "{all}");
    }
}
