use rstest::rstest;

use super::*;
use crate::model::{ToolResult, Turn};
use crate::tools::{ToolOutcome, ToolSpec};

const TOOLS: &[&str] =
    &["diagnose_cluster", "list_k8s_resources", "get_pod_logs", "get_k8s_events", "list_api_versions"];

/// Plays a whole conversation against a small cluster: what was called, and the answer.
fn play(text: &str) -> (Vec<ToolCall>, String) {
    let mut conversation = vec![Turn::User { text: text.to_owned(), data: Vec::new() }];
    let mut all = Vec::new();
    for _ in 0..10 {
        let request = ConverseRequest { conversation: conversation.clone(), tools: specs() };
        let deltas = turn(&request);
        let calls: Vec<ToolCall> = deltas
            .iter()
            .filter_map(|delta| match delta {
                ModelDelta::ToolCall(call) => Some(call.clone()),
                ModelDelta::Text(_) | ModelDelta::Ask(_) | ModelDelta::Done => None,
            })
            .collect();
        if calls.is_empty() {
            return (all, text_of(&deltas));
        }
        all.extend(calls.clone());
        conversation.push(Turn::Model { text: String::new(), tool_calls: calls.clone() });
        let results = calls.into_iter().map(|call| ToolResult { outcome: answer_of(&call), call }).collect();
        conversation.push(Turn::Tools(results));
    }
    panic!("the runbook does not come to an end: {all:#?}");
}

fn text_of(deltas: &[ModelDelta]) -> String {
    deltas
        .iter()
        .filter_map(|delta| match delta {
            ModelDelta::Text(text) => Some(text.as_str()),
            ModelDelta::ToolCall(_) | ModelDelta::Ask(_) | ModelDelta::Done => None,
        })
        .collect()
}

fn specs() -> Vec<ToolSpec> {
    TOOLS.iter().map(|name| ToolSpec::named(*name, json!({}))).collect()
}

/// The cluster: namespaces shop and bank; in shop the Deployment catalog is broken, cart is well; bank has ledger-sync.
fn answer_of(call: &ToolCall) -> ToolOutcome {
    let item = |kind: &str, namespace: Option<&str>, name: &str| json!({ "kind": kind, "namespace": namespace, "name": name });
    let items = |items: Vec<Value>| outcome(json!({ "items": items }), "a table");
    match (call.name.as_str(), call.arguments["kind"].as_str().unwrap_or_default()) {
        ("diagnose_cluster", _) => outcome(report(), "a report"),
        ("list_k8s_resources", "namespaces") => {
            items(vec![item("Namespace", None, "shop"), item("Namespace", None, "bank")])
        }
        ("list_k8s_resources", "deployments") => items(vec![
            item("Deployment", Some("shop"), "catalog"),
            item("Deployment", Some("shop"), "cart"),
            item("Deployment", Some("bank"), "ledger-sync"),
        ]),
        ("list_k8s_resources", "pods") => items(vec![
            json!({ "kind": "Pod", "namespace": "shop", "name": "catalog-7d9c-x1", "ready": "1/1", "restarts": 0 }),
            json!({ "kind": "Pod", "namespace": "shop", "name": "catalog-85f4-x2", "ready": "0/1", "restarts": 7 }),
        ]),
        ("list_k8s_resources", _) => items(Vec::new()),
        ("get_pod_logs", _) => outcome(json!({}), "panic: no database"),
        ("get_k8s_events", _) => outcome(json!({}), "Back-off pulling image"),
        (_, _) => outcome(json!({}), "something"),
    }
}

fn outcome(structured: Value, text: &str) -> ToolOutcome {
    ToolOutcome::new(structured, text.to_owned())
}

fn report() -> Value {
    let catalog =
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "catalog" });
    json!({
        "schema": "drydock.report/v1",
        "cluster": { "name": "test", "version": null, "region": null, "source": "bundle", "capturedAt": null },
        "scope": {}, "startedAt": "2026-01-01T00:00:00Z", "durationMs": 1, "verdict": "failing",
        "findings": [{
            "id": "F1", "rule": "image-not-found", "severity": "critical", "title": "catalog cannot pull its image",
            "summary": "The tag does not exist.", "object": catalog, "rootCause": true, "confidence": "certain",
            "causedBy": [], "affects": [], "remediation": [], "fingerprint": "abc",
            "evidence": [{ "id": "E1", "kind": "event", "text": "not found",
                "object": { "apiVersion": "v1", "kind": "Pod", "namespace": "shop", "name": "catalog-85f4-x2" } }],
        }],
        "rootCauses": ["F1"], "coverage": { "read": [], "missing": [] }, "notes": [],
    })
}

fn diagnoses(calls: &[ToolCall]) -> Vec<Value> {
    calls.iter().filter(|call| call.name == "diagnose_cluster").map(|call| call.arguments.clone()).collect()
}

#[test]
fn a_general_question_takes_one_diagnosis_of_everything() {
    let (calls, answer) = play("Is anything wrong?");
    assert_eq!(calls.len(), 1);
    assert_eq!(diagnoses(&calls), [json!({})]);
    assert!(!answer.is_empty());
}

#[rstest]
#[case::a_plain_name_that_is_in_trouble("Why is catalog down?", "catalog", "shop")]
#[case::a_plain_name_that_is_well("How is cart?", "cart", "shop")]
#[case::a_name_with_a_hyphen("Why does ledger-sync not start?", "ledger-sync", "bank")]
#[case::a_name_with_its_kind("explain deploy/cart", "cart", "shop")]
#[case::korean("catalog가 왜 안 되나요?", "catalog", "shop")]
#[case::a_pod_of_it("Why does the catalog pod restart?", "catalog", "shop")]
#[case::a_pod_of_it_in_korean("catalog 파드가 왜 재시작되나요?", "catalog", "shop")]
fn a_question_about_an_object_ends_with_a_diagnosis_of_it(
    #[case] text: &str,
    #[case] name: &str,
    #[case] namespace: &str,
) {
    let (calls, _) = play(text);
    let expected = json!({ "kind": "Deployment", "name": name, "namespace": namespace });
    assert_eq!(diagnoses(&calls).last(), Some(&expected));
}

#[rstest]
#[case::said_to_be_one("What is wrong in the shop namespace?")]
#[case::found_to_be_one("The shop site is down, why?")]
fn a_question_about_a_namespace_is_answered_for_it(#[case] text: &str) {
    let (calls, _) = play(text);
    assert_eq!(diagnoses(&calls).last(), Some(&json!({ "namespaces": ["shop"] })));
}

#[test]
fn two_names_widen_the_diagnosis_to_their_namespaces() {
    let (calls, _) = play("cart cannot reach ledger-sync");
    assert_eq!(diagnoses(&calls).last(), Some(&json!({ "namespaces": ["bank", "shop"] })));
}

#[test]
fn a_question_about_an_object_is_answered_in_the_first_sentence() {
    let (_, answer) = play("Why is catalog down?");
    let expected = "What is wrong with `Deployment shop/catalog`: **catalog cannot pull its image**\n";
    assert!(answer.starts_with(expected), "{answer}");
}

#[test]
fn a_name_that_is_nowhere_is_said_so() {
    let (calls, answer) = play("Why is no-such-thing failing?");
    assert_eq!(diagnoses(&calls).len(), 1);
    assert!(answer.starts_with("There is no workload, service or pod named `no-such-thing`"), "{answer}");
}

#[test]
fn logs_come_from_the_pod_that_is_not_ready_and_from_before_its_restart() {
    let (calls, answer) = play("Show me the logs of catalog");
    let log = calls.iter().find(|call| call.name == "get_pod_logs").expect("a log is read");
    assert_eq!(log.arguments["pod_name"], "catalog-85f4-x2");
    assert_eq!(log.arguments["previous"], true);
    assert!(answer.contains("panic: no database"));
}

#[rstest]
#[case::pods("list the pods in namespace shop", "pods", "Pods in `shop`")]
#[case::nodes("are the nodes fine?", "nodes", "## Nodes")]
#[case::rollouts("rollout status?", "statefulsets", "Workloads in all namespaces")]
fn lists_are_shown(#[case] text: &str, #[case] kind: &str, #[case] title: &str) {
    let (calls, answer) = play(text);
    assert!(calls.iter().any(|call| call.arguments["kind"] == kind), "{calls:#?}");
    assert!(answer.contains(title), "{answer}");
}

#[test]
fn events_of_an_object_are_asked_for_by_its_name() {
    let (calls, answer) = play("events of catalog");
    let events = calls.iter().find(|call| call.name == "get_k8s_events").expect("events are read");
    assert_eq!(events.arguments["name"], "catalog");
    assert!(answer.contains("Back-off pulling image"));
}

#[test]
fn without_tools_it_answers_from_what_it_has() {
    let conversation = vec![Turn::User { text: "Is anything wrong?".to_owned(), data: Vec::new() }];
    let answer = text_of(&turn(&ConverseRequest { conversation, tools: Vec::new() }));
    assert!(answer.contains("could not be diagnosed"));
}

/// Plays one task over the clusters of an account: messages of the user, each after the model's question.
fn play_over(clusters: &[&str], says: &[&str]) -> (Vec<ToolCall>, Vec<String>) {
    let (mut conversation, mut calls, mut answers) = (Vec::new(), Vec::new(), Vec::new());
    for text in says {
        conversation.push(Turn::User { text: (*text).to_owned(), data: Vec::new() });
        let (made, answer) = play_turns(&conversation, clusters);
        calls.extend(made);
        conversation.push(Turn::Model { text: answer.clone(), tool_calls: Vec::new() });
        answers.push(answer);
    }
    (calls, answers)
}

fn play_turns(conversation: &[Turn], clusters: &[&str]) -> (Vec<ToolCall>, String) {
    let (mut conversation, mut all) = (conversation.to_vec(), Vec::new());
    for _ in 0..10 {
        let deltas =
            turn(&ConverseRequest { conversation: conversation.clone(), tools: specs_of_an_account() });
        let calls: Vec<ToolCall> = deltas
            .iter()
            .filter_map(|delta| match delta {
                ModelDelta::ToolCall(call) => Some(call.clone()),
                ModelDelta::Text(_) | ModelDelta::Ask(_) | ModelDelta::Done => None,
            })
            .collect();
        if calls.is_empty() {
            let said = deltas.iter().map(|delta| match delta {
                ModelDelta::Ask(question) => question.as_str(),
                ModelDelta::Text(text) => text,
                ModelDelta::ToolCall(_) | ModelDelta::Done => "",
            });
            return (all, said.collect());
        }
        all.extend(calls.clone());
        conversation.push(Turn::Model { text: String::new(), tool_calls: calls.clone() });
        let result = |call: ToolCall| {
            let names: Vec<Value> = clusters.iter().map(|name| json!({ "name": name })).collect();
            let outcome = match (call.name.as_str(), clusters) {
                ("list_eks_clusters", ["denied"]) => ToolOutcome::failed("no right to list".to_owned()),
                ("list_eks_clusters", _) => outcome(json!({ "clusters": names, "region": "eu-west-1" }), ""),
                _ => answer_of(&call),
            };
            ToolResult { call, outcome }
        };
        conversation.push(Turn::Tools(calls.into_iter().map(result).collect()));
    }
    panic!("the runbook does not come to an end: {all:#?}");
}

fn specs_of_an_account() -> Vec<ToolSpec> {
    let schema = json!({ "properties": { "cluster_name": {}, "region": {} } });
    let more = ["get_metrics", "trace_service", "rollout_history", "get_cloudwatch_metrics"];
    let of_cluster = TOOLS.iter().chain(&more).map(|name| ToolSpec::named(*name, schema.clone()));
    let of_account = ["set_aws_region", "list_eks_clusters"].map(|name| ToolSpec::named(name, json!({})));
    of_cluster.chain(of_account).collect()
}

fn clusters_of(calls: &[ToolCall]) -> Vec<(&str, &str, &str)> {
    calls
        .iter()
        .map(|call| {
            let says = |argument: &str| call.arguments[argument].as_str().unwrap_or_default();
            (call.name.as_str(), says("cluster_name"), says("region"))
        })
        .collect()
}

#[test]
fn the_only_cluster_is_taken() {
    let (calls, _) = play_over(&["prod"], &["Is anything wrong?"]);
    assert_eq!(
        clusters_of(&calls),
        [("list_eks_clusters", "", ""), ("diagnose_cluster", "prod", "eu-west-1")]
    );
}

#[test]
fn a_region_is_set_before_clusters_are_listed() {
    let (calls, _) = play_over(&["prod", "test"], &["서울 리전의 test 클러스터에 문제가 있나요?"]);
    assert_eq!(
        clusters_of(&calls),
        [
            ("set_aws_region", "", "ap-northeast-2"),
            ("list_eks_clusters", "", "ap-northeast-2"),
            ("diagnose_cluster", "test", "ap-northeast-2"),
        ]
    );
}

#[test]
fn which_of_several_clusters_is_asked_and_the_first_question_answered() {
    let (calls, answers) =
        play_over(&["prod", "test-eu"], &["List the pods in namespace shop", "test-eu, please"]);
    assert_eq!(
        answers[0],
        "There are 2 EKS clusters in eu-west-1: `prod`, `test-eu`.\n\nWhich cluster is meant?"
    );
    let pods = calls.iter().find(|call| call.arguments["kind"] == "pods").expect("pods are listed");
    assert_eq!(
        (&pods.arguments["cluster_name"], &pods.arguments["namespace"]),
        (&json!("test-eu"), &json!("shop"))
    );
    assert!(answers[1].contains("## Pods in `shop`"), "{}", answers[1]);
}

#[test]
fn the_name_of_the_cluster_is_not_looked_for_in_it() {
    let (calls, answers) =
        play_over(&["shop-prod", "bank-prod"], &["What is wrong in shop-prod in us-east-1?"]);
    assert!(calls.iter().all(|call| call.arguments["kind"] != "deployments"), "{calls:#?}");
    assert!(!answers[0].contains("There is no"), "{}", answers[0]);
}

#[test]
fn where_no_cluster_can_be_listed_the_region_is_asked_for_once() {
    let (_, answers) = play_over(&["denied"], &["Is anything wrong?", "Frankfurt"]);
    assert_eq!(
        answers,
        [
            "The EKS clusters cannot be listed: no right to list.\n\nIn which AWS region is the cluster?",
            "The EKS clusters cannot be listed: no right to list."
        ]
    );
    let (_, answers) = play_over(&[], &["Is anything wrong?"]);
    assert!(answers[0].starts_with("There are no EKS clusters in eu-west-1"), "{}", answers[0]);
}

#[test]
fn a_new_question_is_no_answer_to_the_old_one() {
    let (calls, _) = play_over(&["prod", "test"], &["List the pods", "What are the events in prod?"]);
    assert!(calls.iter().any(|call| call.name == "get_k8s_events"));
    assert!(calls.iter().all(|call| call.arguments["kind"] != "pods"));
}

#[test]
fn what_is_slow_is_measured_and_its_requests_are_followed() {
    let (calls, _) = play_over(&["prod"], &["Why is catalog slow?"]);
    let made = |tool: &str| calls.iter().find(|call| call.name == tool).map(|call| call.arguments.clone());
    assert_eq!(made("trace_service").expect("it is traced")["name"], "catalog");
    assert_eq!(made("get_metrics").expect("usage is read")["namespace"], "shop");
    let metrics = made("get_cloudwatch_metrics").expect("CloudWatch is asked");
    assert_eq!((&metrics["cluster_name"], &metrics["region"]), (&json!("prod"), &json!("eu-west-1")));
}

#[test]
fn a_rollout_is_told_with_its_revisions() {
    let (calls, _) = play_over(&["prod"], &["Show the rollout of deployment catalog"]);
    let history = calls.iter().find(|call| call.name == "rollout_history").expect("revisions are read");
    assert_eq!(
        (&history.arguments["kind"], &history.arguments["namespace"]),
        (&json!("Deployment"), &json!("shop"))
    );
}
