//! `get_k8s_events`.

use drydock::tools::{ToolOutcome, Toolbox};
use rstest::rstest;
use serde_json::{Value, json};

use super::shop::{call, call_on, caller, cluster_of, done, event, object, owned_by, refused, tools};

const TOOL: &str = "get_k8s_events";

/// Reason, object and count of each event.
fn told(outcome: &ToolOutcome) -> Vec<String> {
    let events = outcome.structured["events"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    events
        .map(|event| {
            let object = &event["object"];
            format!(
                "{} {}/{} {}",
                text(&event["reason"]),
                text(&object["kind"]),
                text(&object["name"]),
                event["count"]
            )
        })
        .collect()
}

#[tokio::test]
async fn events_of_a_deployment_are_those_of_its_pods_too_newest_first() {
    let outcome = done(TOOL, json!({ "kind": "deploy", "name": "catalog", "namespace": "shop" })).await;
    insta::assert_snapshot!(outcome.text, @"
    LAST SEEN   COUNT   TYPE      REASON              OBJECT                    MESSAGE
    60s ago     9       Normal    ScalingReplicaSet   Deployment/catalog        ScalingReplicaSet it is
    2m ago      7       Warning   BackOff             Pod/catalog-85f4-x2       BackOff it is
    30m ago     1       Normal    SuccessfulCreate    ReplicaSet/catalog-85f4   SuccessfulCreate it is

    Kubernetes forgets events after about an hour
    ");
    let first = &outcome.structured["events"][0];
    assert_eq!(
        (&first["lastSeen"], &first["firstSeen"]),
        (&json!("2026-01-01T11:59:00Z"), &json!("2026-01-01T11:29:00Z"))
    );
}

#[tokio::test]
async fn an_object_without_a_namespace_is_looked_for_everywhere() {
    let everywhere = done(TOOL, json!({ "kind": "Deployment", "name": "catalog" })).await;
    let there = done(TOOL, json!({ "kind": "Deployment", "name": "catalog", "namespace": "shop" })).await;
    assert_eq!(everywhere.structured["events"], there.structured["events"]);
}

#[rstest]
#[case::a_pod_alone(json!({ "kind": "pod", "name": "catalog-85f4-x2", "namespace": "shop" }),
    &["BackOff Pod/catalog-85f4-x2 7"])]
#[case::a_node(json!({ "kind": "node", "name": "node-1", "namespace": "shop" }), &["Rebooted Node/node-1 1"])]
#[case::a_kind(json!({ "kind": "rs" }), &["SuccessfulCreate ReplicaSet/catalog-85f4 1"])]
#[case::a_name(json!({ "name": "cart-7d-a1" }), &["Unhealthy Pod/cart-7d-a1 1"])]
#[case::a_pod_that_is_gone(json!({ "kind": "pod", "name": "cart-old", "namespace": "shop" }), &["Killing Pod/cart-old 1"])]
#[case::a_type(json!({ "namespace": "shop", "type": "normal" }),
    &["ScalingReplicaSet Deployment/catalog 9", "SuccessfulCreate ReplicaSet/catalog-85f4 1"])]
#[case::a_type_of_an_object(json!({ "kind": "deploy", "name": "catalog", "type": "Warning" }),
    &["BackOff Pod/catalog-85f4-x2 7"])]
#[case::nothing(json!({ "namespace": "bank" }), &[])]
#[tokio::test]
async fn events_are_chosen(#[case] arguments: Value, #[case] expected: &[&str]) {
    assert_eq!(told(&done(TOOL, arguments).await), expected);
}

#[tokio::test]
async fn what_is_gone_is_said_to_be_gone() {
    let outcome = done(TOOL, json!({ "kind": "pod", "name": "cart-old", "namespace": "shop" })).await;
    assert!(
        outcome.text.contains("It does not exist (any more): there is no Pod \"cart-old\""),
        "{}",
        outcome.text
    );
}

#[rstest]
#[case(json!({ "kind": "deploy", "name": "catalgo", "namespace": "shop" }),
    "there is no Deployment \"catalgo\" in namespace shop; near: catalog")]
#[case(json!({ "namespace": "shopp" }), "there is no namespace \"shopp\"; near: shop")]
#[tokio::test]
async fn no_events_of_what_is_not_there_are_no_good_news(#[case] arguments: Value, #[case] expected: &str) {
    assert_eq!(refused(TOOL, arguments).await, expected);
}

#[tokio::test]
async fn a_limit_keeps_the_newest_and_counts_the_rest() {
    let outcome = done(TOOL, json!({ "limit": 2 })).await;
    assert_eq!(told(&outcome), ["ScalingReplicaSet Deployment/catalog 9", "BackOff Pod/catalog-85f4-x2 7"]);
    assert!(outcome.truncated);
    assert_eq!(outcome.structured["total"], 6);
    assert!(outcome.text.contains("4 older events are left out: raise limit"), "{}", outcome.text);
}

#[tokio::test]
async fn older_events_are_read_on_without_a_gap() {
    let mut seen = Vec::new();
    let mut token = Value::Null;
    loop {
        let page = done(TOOL, json!({ "limit": 4, "continue": token })).await;
        seen.extend(told(&page));
        token = page.structured["continue"].clone();
        assert_eq!(page.truncated, !token.is_null());
        if token.is_null() {
            break;
        }
    }
    assert_eq!(seen, told(&done(TOOL, json!({})).await));
    assert_eq!(seen.len(), 6);
    let text = refused(TOOL, json!({ "continue": "nonsense" })).await;
    assert_eq!(text, "continue must be that of the outcome before, not \"nonsense\"");
}

#[tokio::test]
async fn events_cut_for_their_length_are_read_on_without_a_gap() {
    let of_pod = |number: u32| {
        let time = format!("2026-01-01T11:{:02}:00Z", number % 60);
        let name = format!("p{number:03}");
        event(&name, ("Pod", &name), "BackOff", json!({ "lastTimestamp": time, "message": "m".repeat(200) }))
    };
    let events: Vec<Value> = (0..100).map(of_pod).collect();
    let tools = tools(cluster_of(&events, &[]));
    let (mut seen, mut token) = (Vec::new(), Value::Null);
    loop {
        let outcome = tools.call(TOOL, json!({ "limit": 90, "continue": token }), &caller(6000)).await;
        assert!(outcome.text.len() <= 6000 && outcome.structured.to_string().len() <= 6000);
        seen.extend(told(&outcome));
        token = outcome.structured["continue"].clone();
        if token.is_null() {
            break;
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 100);
}

#[tokio::test]
async fn an_event_that_happens_again_between_two_pages_is_no_gap() {
    let at = |name: &str, minute: u32| {
        let time = format!("2026-01-01T11:{minute:02}:00Z");
        event(name, ("Pod", name), "BackOff", json!({ "lastTimestamp": time }))
    };
    let before = cluster_of(&[at("a", 50), at("b", 40), at("c", 30)], &[]);
    let first = call_on(before, TOOL, json!({ "limit": 2 })).await;
    let after = cluster_of(&[at("b", 55), at("a", 50), at("c", 30)], &[]);
    let arguments = json!({ "limit": 2, "continue": first.structured["continue"] });
    assert_eq!(told(&call_on(after, TOOL, arguments).await), ["BackOff Pod/c 1"]);
}

#[tokio::test]
async fn long_messages_lose_their_middle() {
    let message = format!("begin {} end", "x".repeat(5000));
    let long = event("e", ("Pod", "web"), "Failed", json!({ "message": message }));
    let outcome = call_on(cluster_of(&[long], &[]), TOOL, json!({})).await;
    let told = outcome.structured["events"][0]["message"].as_str().unwrap();
    assert!(told.starts_with("begin ") && told.ends_with(" end") && told.contains('…'), "{told}");
    assert_eq!(told.chars().count(), 400);
    assert!(outcome.text.len() < 1000);
}

#[tokio::test]
async fn a_recording_with_events_of_the_newer_api_only_is_read_as_well() {
    let newer = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": { "name": "e", "namespace": "shop" },
        "regarding": { "kind": "Pod", "namespace": "shop", "name": "web" }, "type": "Warning",
        "reason": "FailedScheduling", "note": "0/3 nodes", "eventTime": "2026-01-01T11:00:00.000000Z",
        "series": { "count": 3, "lastObservedTime": "2026-01-01T11:30:00.000000Z" },
    });
    let pod = object("v1", "Pod", Some("shop"), "web", json!({}));
    let cluster = cluster_of(&[pod, newer], &[]);
    let arguments = json!({ "kind": "pod", "name": "web", "namespace": "shop", "type": "Warning" });
    let outcome = call_on(cluster, TOOL, arguments).await;
    assert_eq!(told(&outcome), ["FailedScheduling Pod/web 3"]);
    assert!(outcome.text.contains("30m ago") && outcome.text.contains("0/3 nodes"), "{}", outcome.text);
}

#[tokio::test]
async fn a_custom_resource_owns_what_its_operator_made() {
    let widget = object("shop.example/v1", "Widget", Some("shop"), "big", json!({}));
    let set = object(
        "apps/v1",
        "StatefulSet",
        Some("shop"),
        "big-db",
        json!({ "metadata": owned_by("Widget", "big") }),
    );
    let pod = object(
        "v1",
        "Pod",
        Some("shop"),
        "big-db-0",
        json!({ "metadata": owned_by("StatefulSet", "big-db") }),
    );
    let other = object("v1", "Pod", Some("shop"), "big-other-0", json!({}));
    let events = [
        event("e1", ("Pod", "big-db-0"), "BackOff", json!({})),
        event("e2", ("Pod", "big-other-0"), "BackOff", json!({})),
    ];
    let objects: Vec<Value> = [widget, set, pod, other].into_iter().chain(events).collect();
    let arguments = json!({ "kind": "widget", "name": "big", "namespace": "shop" });
    let outcome = call_on(cluster_of(&objects, &[]), TOOL, arguments).await;
    assert_eq!(told(&outcome), ["BackOff Pod/big-db-0 1"]);
}

#[tokio::test]
async fn without_arguments_all_events_come() {
    assert_eq!(told(&call(TOOL, Value::Null).await).len(), 6);
}
