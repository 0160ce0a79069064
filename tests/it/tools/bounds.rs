//! No outcome is longer than it may be, and what is cut says so.

use drydock::tools::Toolbox;
use rstest::rstest;
use serde_json::{Value, json};

use super::shop::{caller, cluster_of, event, object, shop, tools};

#[rstest]
#[case("list_k8s_resources", json!({ "kind": "pods" }))]
#[case("list_k8s_resources", json!({ "kind": "events" }))]
#[case("manage_k8s_resource", json!({ "kind": "pod", "name": "catalog-85f4-x2", "namespace": "shop" }))]
#[case("get_pod_logs", json!({ "pod_name": "cart-7d-a1", "namespace": "shop", "tail_lines": 1000 }))]
#[case("get_k8s_events", json!({}))]
#[case("list_api_versions", json!({}))]
#[tokio::test]
async fn an_outcome_stays_within_its_bounds(
    #[case] tool: &str,
    #[case] arguments: Value,
    #[values(600, 1000, 2000)] max_bytes: usize,
) {
    let tools = tools(shop());
    let whole = tools.call(tool, arguments.clone(), &caller(1 << 20)).await;
    let outcome = tools.call(tool, arguments, &caller(max_bytes)).await;
    assert!(!outcome.is_error, "{}", outcome.text);
    let longest = outcome.text.len().max(outcome.structured.to_string().len());
    assert!(longest <= max_bytes, "{longest}: {} {}", outcome.text, outcome.structured);
    assert_eq!(outcome.truncated, outcome != whole, "{}", outcome.text);
}

#[tokio::test]
async fn a_large_object_keeps_its_shape() {
    let data = json!({ "data": { "small": "kept", "large": "y".repeat(100_000) } });
    let tools = tools(cluster_of(&[object("v1", "ConfigMap", Some("shop"), "big", data)], &[]));
    let arguments = json!({ "kind": "cm", "name": "big", "namespace": "shop" });
    let outcome = tools.call("manage_k8s_resource", arguments, &caller(4000)).await;
    assert!(outcome.truncated);
    assert_eq!(outcome.structured["resource"]["data"]["small"], "kept");
    assert!(outcome.structured["resource"]["data"]["large"].as_str().unwrap().contains('…'));
    assert!(outcome.text.contains("more bytes are left out"), "{}", outcome.text);
}

#[tokio::test]
async fn of_many_events_the_newest_remain() {
    let events: Vec<Value> = (0..300)
        .map(|number| {
            let time = format!("2026-01-01T{:02}:{:02}:00Z", 6 + number / 60, number % 60);
            event(
                &format!("e{number}"),
                ("Pod", &format!("web-{number}")),
                "BackOff",
                json!({ "lastTimestamp": time }),
            )
        })
        .collect();
    let tools = tools(cluster_of(&events, &[]));
    let outcome = tools.call("get_k8s_events", json!({ "limit": 500 }), &caller(3000)).await;
    assert!(outcome.truncated);
    assert_eq!(outcome.structured["events"][0]["object"]["name"], "web-299");
    assert!(outcome.text.lines().nth(1).is_some_and(|line| line.contains("web-299")), "{}", outcome.text);
}
