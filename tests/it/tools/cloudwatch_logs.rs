//! Lines from CloudWatch: what is asked, how long is waited, what is shown and what is not.

use std::sync::atomic::{AtomicUsize, Ordering};

use drydock::tools::{CallContext, Policy, Session, ToolOutcome, Toolbox};
use rstest::rstest;
use serde_json::{Value, json};

use super::shop::{PASSWORD, shop};
use crate::support::aws::{Asked, StandIn, call};

const TOOL: &str = "get_cloudwatch_logs";

fn row(fields: &[(&str, &str)]) -> Value {
    fields.iter().map(|(field, value)| json!({ "field": field, "value": value })).collect()
}

fn lines() -> Value {
    let wrapped = json!({
        "log": format!("cannot log in: password={PASSWORD}"),
        "kubernetes": { "pod_name": "web-1", "namespace_name": "shop", "container_name": "app" },
    });
    json!([
        row(&[("@timestamp", "2026-01-31 09:00:01.000"), ("@message", &wrapped.to_string()), ("@ptr", "p")]),
        row(&[("@timestamp", "2026-01-31 09:00:00.000"), ("@message", "ready"), ("@logStream", "node-1")]),
    ])
}

fn results(status: &str, rows: &Value) -> String {
    let statistics = json!({ "recordsMatched": 7.0, "recordsScanned": 900.0, "bytesScanned": 12345.0 });
    json!({ "status": status, "results": rows, "statistics": statistics }).to_string()
}

/// A query that ends at this look.
fn ends_at_look(last: usize) -> StandIn {
    let looks = AtomicUsize::new(0);
    StandIn::new(move |asked| match asked.action.as_str() {
        "StartQuery" => (200, json!({ "queryId": "q-1" }).to_string()),
        "GetQueryResults" => match looks.fetch_add(1, Ordering::Relaxed) + 1 {
            look if look < last => (200, results("Running", &json!([lines()[0]]))),
            _ => (200, results("Complete", &lines())),
        },
        "StopQuery" => (200, json!({ "success": true }).to_string()),
        other => panic!("{other} is not expected"),
    })
}

async fn ask(aws: &StandIn, arguments: Value) -> ToolOutcome {
    call(&aws.tools(shop(), Policy::reads_all()), TOOL, arguments).await
}

#[tokio::test(start_paused = true)]
async fn a_query_is_asked_for_until_it_ends() {
    let aws = ends_at_look(6);
    let arguments = json!({
        "cluster_name": "prod", "log_type": "application", "resource_type": "pod", "resource_name": "web-1",
        "start_time": "2026-01-31T08:00:00Z", "end_time": "2026-01-31T10:00:00Z", "limit": 2,
        "filter_pattern": "\"cannot log in\"",
    });
    let outcome = ask(&aws, arguments).await;
    assert!(!outcome.is_error, "{}", outcome.text);
    let sent = aws.asked("StartQuery")[0].json();
    assert_eq!(sent["logGroupName"], "/aws/containerinsights/prod/application");
    assert_eq!((&sent["startTime"], &sent["endTime"]), (&json!(1_769_846_400), &json!(1_769_853_600)));
    let query = sent["queryString"].as_str().unwrap();
    assert!(query.contains("PodName like \"web-1\"") && query.contains("\"cannot log in\""), "{query}");
    assert_eq!(aws.asked("GetQueryResults").len(), 6);
    assert!(aws.asked("StopQuery").is_empty());
    let expected = "# /aws/containerinsights/prod/application, 2026-01-31T08:00:00Z to 2026-01-31T10:00:00Z: 2 lines (7 of \
        900 match, 12345 bytes searched)\n# These are the newest 2 of 7: raise limit, or narrow the time or filter_pattern \
        to see others.\n2026-01-31T09:00:01.000Z  shop/web-1 app  cannot log in: password=***\n\
        2026-01-31T09:00:00.000Z  node-1  ready\n";
    assert_eq!(outcome.text, expected);
    assert_eq!(outcome.structured["logEntries"][0]["pod"], "web-1");
    assert_eq!(outcome.structured["recordsScanned"], 900);
    assert!(!outcome.structured.to_string().contains(PASSWORD), "{}", outcome.structured);
}

#[tokio::test(start_paused = true)]
async fn a_query_that_takes_too_long_is_stopped_and_its_lines_are_taken() {
    let aws = ends_at_look(usize::MAX);
    let outcome = ask(&aws, json!({ "cluster_name": "prod" })).await;
    assert!(!outcome.is_error, "{}", outcome.text);
    assert_eq!(outcome.structured["partial"], true);
    assert!(outcome.text.contains("was stopped: these lines are not all"), "{}", outcome.text);
    tokio::task::yield_now().await;
    assert_eq!(aws.asked("StopQuery")[0].json(), json!({ "queryId": "q-1" }));
    let looks = aws.asked("GetQueryResults").len();
    assert!((10..30).contains(&looks), "{looks} looks");
}

#[tokio::test(start_paused = true)]
async fn a_query_that_nobody_waits_for_is_stopped() {
    let cx = CallContext::new(Session::new("alice", false), 1 << 20);
    let cancellation = cx.cancellation.clone();
    let aws = StandIn::new(move |asked| match asked.action.as_str() {
        "StartQuery" => (200, json!({ "queryId": "q-1" }).to_string()),
        "StopQuery" => (200, json!({ "success": true }).to_string()),
        _ => {
            cancellation.cancel();
            (200, results("Running", &json!([])))
        }
    });
    let outcome =
        aws.tools(shop(), Policy::reads_all()).call(TOOL, json!({ "cluster_name": "prod" }), &cx).await;
    assert_eq!((outcome.is_error, outcome.text.as_str()), (true, "canceled"));
    tokio::task::yield_now().await;
    assert_eq!(aws.asked("StopQuery").len(), 1);
}

#[rstest]
#[case::failed("Failed", "CloudWatch could not run the query")]
#[case::timeout("Timeout", "took CloudWatch too long")]
#[tokio::test]
async fn a_query_that_fails_says_what_to_do(#[case] status: &'static str, #[case] part: &str) {
    let aws = StandIn::new(move |asked| match asked.action.as_str() {
        "StartQuery" => (200, json!({ "queryId": "q-1" }).to_string()),
        _ => (200, results(status, &json!([]))),
    });
    let outcome = ask(&aws, json!({ "cluster_name": "prod" })).await;
    assert!(outcome.is_error && outcome.text.contains(part), "{}", outcome.text);
    assert!(aws.asked("StopQuery").is_empty());
}

/// An account without the log group that is asked for.
fn without_group(groups: fn(&Asked) -> Value) -> StandIn {
    StandIn::new(move |asked| match asked.action.as_str() {
        "StartQuery" => (400, json!({ "__type": "ResourceNotFoundException", "message": "no" }).to_string()),
        _ => (200, json!({ "logGroups": groups(asked) }).to_string()),
    })
}

#[tokio::test]
async fn a_missing_log_group_is_answered_with_those_of_the_cluster() {
    let aws = without_group(|asked| match asked.json()["logGroupNamePrefix"].as_str() {
        Some("/aws/eks/prod/") => json!([{ "logGroupName": "/aws/eks/prod/cluster" }]),
        Some("/aws/containerinsights/prod/") => json!([]),
        other => panic!("{other:?}"),
    });
    let outcome = ask(&aws, json!({ "cluster_name": "prod", "log_type": "application" })).await;
    let expected = "there is no log group /aws/containerinsights/prod/application in eu-west-1; cluster prod has \
        /aws/eks/prod/cluster. Logs of pods and nodes come with the add-on: aws eks create-addon";
    assert!(outcome.is_error && outcome.text.starts_with(expected), "{}", outcome.text);
    let outcome =
        ask(&without_group(|_| json!([])), json!({ "cluster_name": "prod", "log_type": "control-plane" }))
            .await;
    let parts = ["CloudWatch has no log group of cluster prod in eu-west-1", "aws eks update-cluster-config"];
    assert!(parts.iter().all(|part| outcome.text.contains(part)), "{}", outcome.text);
    let outcome =
        ask(&without_group(|_| json!([])), json!({ "cluster_name": "prod", "log_type": "aplication" })).await;
    assert!(outcome.text.contains("did you mean application?"), "{}", outcome.text);
}

#[rstest]
#[case(json!({}), "cluster_name is required")]
#[case(json!({ "cluster_name": "a/../b" }), "is no name of an EKS cluster")]
#[case(json!({ "cluster_name": "prod", "log_type": "my group" }), "log_type must be one of")]
#[case(json!({ "cluster_name": "prod", "limit": 0 }), "limit must be an integer from 1 to 1000, not 0")]
#[case(json!({ "cluster_name": "prod", "fields": "@message | limit 1" }), "is no name of a field")]
#[case(json!({ "cluster_name": "prod", "filter_pattern": "filter a | limit 9" }), "filter_pattern is not understood at")]
#[case(json!({ "cluster_name": "prod", "start_time": "now" }), "start_time must be a time")]
#[tokio::test]
async fn what_cannot_be_asked_is_not_sent(#[case] arguments: Value, #[case] part: &str) {
    let aws = ends_at_look(1);
    let outcome = ask(&aws, arguments).await;
    assert!(outcome.is_error && outcome.text.contains(part), "{}", outcome.text);
    assert!(aws.asked("StartQuery").is_empty());
}

#[tokio::test]
async fn nothing_found_says_where_else_to_look() {
    let aws = StandIn::new(|asked| match asked.action.as_str() {
        "StartQuery" => (200, json!({ "queryId": "q-1" }).to_string()),
        _ => (
            200,
            json!({ "status": "Complete", "results": [], "statistics": { "recordsScanned": 0.0 } })
                .to_string(),
        ),
    });
    let outcome = ask(&aws, json!({ "cluster_name": "prod" })).await;
    assert!(outcome.text.contains("has nothing from this time"), "{}", outcome.text);
}

#[tokio::test]
async fn logs_are_read_only_where_sensitive_data_may_be() {
    let aws = ends_at_look(1);
    let outcome = call(&aws.tools(shop(), Policy::default()), TOOL, json!({ "cluster_name": "prod" })).await;
    assert!(outcome.is_error && outcome.text.contains("--allow-sensitive-data"), "{}", outcome.text);
    assert!(aws.asked("StartQuery").is_empty());
}
