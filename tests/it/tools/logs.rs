//! `get_pod_logs`.

use drydock::tools::ToolOutcome;
use rstest::rstest;
use serde_json::{Value, json};

use super::shop::{done, refused};

async fn log(pod: &str, more: Value) -> ToolOutcome {
    let mut arguments = json!({ "namespace": "shop", "pod_name": pod });
    for (name, value) in more.as_object().into_iter().flatten() {
        arguments[name] = value.clone();
    }
    done("get_pod_logs", arguments).await
}

fn lines(outcome: &ToolOutcome) -> Vec<&str> {
    outcome.structured["logLines"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[rstest]
#[case::tail(json!({ "tail_lines": 2 }), &["line 999", "line 1000"])]
#[case::tail_as_text(json!({ "tail_lines": "1" }), &["line 1000"])]
#[case::searched(json!({ "grep": "^line (7|8)$" }), &["line 7", "line 8"])]
#[case::newest_of_what_is_searched(json!({ "grep": "LINE .*5$", "tail_lines": 2 }), &[])]
#[case::in_any_case(json!({ "grep": "(?i)LINE .*5$", "tail_lines": 2 }), &["line 985", "line 995"])]
#[tokio::test]
async fn lines_are_counted_exactly(#[case] arguments: Value, #[case] expected: &[&str]) {
    let outcome = log("cart-7d-a1", arguments).await;
    assert_eq!(lines(&outcome), expected);
    assert_eq!(outcome.structured["lineCount"], expected.len());
    assert!(!outcome.truncated);
}

#[tokio::test]
async fn a_hundred_lines_come_where_nothing_is_said() {
    let outcome = log("cart-7d-a1", json!({})).await;
    assert_eq!((lines(&outcome).len(), lines(&outcome)[0]), (100, "line 901"));
    assert!(outcome.text.starts_with("# shop/cart-7d-a1, container app\nline 901\n"), "{}", outcome.text);
}

#[tokio::test]
async fn when_cut_the_newest_lines_are_kept() {
    let outcome = log("cart-7d-a1", json!({ "tail_lines": 1000, "limit_bytes": 60 })).await;
    assert_eq!(lines(&outcome), ["line 996", "line 997", "line 998", "line 999", "line 1000"]);
    assert!(outcome.truncated);
    assert!(outcome.text.contains("# 995 older lines are left out: raise limit_bytes"), "{}", outcome.text);
}

#[tokio::test]
async fn of_a_line_that_is_too_long_both_ends_are_kept() {
    let outcome = log("catalog-85f4-x2", json!({ "previous": true, "limit_bytes": 40 })).await;
    assert_eq!(lines(&outcome), ["ERROR…shop"]);
    assert!(outcome.truncated);
}

#[rstest]
#[case::the_one_that_crashes(json!({}), "app", "starting")]
#[case::the_named_one(json!({ "container_name": "proxy" }), "proxy", "proxy is up")]
#[case::its_instance_before(json!({ "previous": true }), "app", "ERROR cannot connect to postgres://app:***@db:5432/shop")]
#[tokio::test]
async fn of_several_containers_one_is_chosen_and_named(
    #[case] arguments: Value,
    #[case] container: &str,
    #[case] first: &str,
) {
    let outcome = log("catalog-85f4-x2", arguments).await;
    assert_eq!(outcome.structured["containerName"], container);
    assert_eq!(lines(&outcome)[0], first);
    assert!(outcome.text.contains(&format!("container {container}")), "{}", outcome.text);
    assert!(outcome.text.contains("other containers: "), "{}", outcome.text);
}

#[tokio::test]
async fn kubectls_way_to_write_a_pod_is_understood() {
    assert_eq!(lines(&log("pod/cart-7d-a1", json!({ "tail_lines": 1 })).await), ["line 1000"]);
}

#[rstest]
#[case::never_restarted("cart-7d-a1", json!({ "previous": true }),
    "Container app has no previous log: it was never restarted.")]
#[case::not_started("audit", json!({}),
    "Container app has no log yet: it waits (ContainerCreating: volume is not ready).")]
#[case::nothing_matches("cart-7d-a1", json!({ "grep": "panic" }), "No line matches \"panic\".")]
#[tokio::test]
async fn what_cannot_be_is_a_clear_answer(#[case] pod: &str, #[case] arguments: Value, #[case] note: &str) {
    let outcome = log(pod, arguments).await;
    assert_eq!(outcome.structured["note"], note);
    assert_eq!(outcome.structured["lineCount"], 0);
    assert!(outcome.text.ends_with(&format!("\n# {note}\n")), "{}", outcome.text);
}

#[rstest]
#[case::a_workload("catalog", "there is no Pod \"catalog\" in namespace shop; near: catalog-85f4-x2")]
#[case::another_generation(
    "catalog-7c11-p9",
    "there is no Pod \"catalog-7c11-p9\" in namespace shop; near: catalog-85f4-x2"
)]
#[tokio::test]
async fn a_pod_that_is_not_there_is_answered_with_the_nearest(#[case] pod: &str, #[case] expected: &str) {
    assert_eq!(refused("get_pod_logs", json!({ "namespace": "shop", "pod_name": pod })).await, expected);
}

#[tokio::test]
async fn a_container_that_is_not_there_is_answered_with_those_that_are() {
    let arguments = json!({ "namespace": "shop", "pod_name": "catalog-85f4-x2", "container_name": "db" });
    let text = refused("get_pod_logs", arguments).await;
    assert_eq!(text, "container_name \"db\" is no container of pod \"catalog-85f4-x2\"; it has app, proxy");
}
