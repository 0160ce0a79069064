//! Metrics from CloudWatch: series in numbers, gaps, units, and what there is where nothing was found.

use std::fmt::Write;

use drydock::tools::{Policy, ToolOutcome};
use jiff::Timestamp;
use rstest::rstest;
use serde_json::{Value, json};

use super::shop::shop;
use crate::support::aws::{Asked, StandIn, call};

const TOOL: &str = "get_cloudwatch_metrics";
/// Ten minutes, of which two have no point; newest first.
const POINTS: [(i64, f64); 8] =
    [(9, 4.0), (8, 3.0), (7, 9.5), (4, 2.0), (3, 1.0), (2, 1.0), (1, 1.0), (0, 1.0)];

fn minute(number: i64) -> String {
    let start: Timestamp = "2026-01-31T09:00:00Z".parse().unwrap();
    Timestamp::from_second(start.as_second() + number * 60).unwrap().to_string()
}

fn answer(action: &str, result: &str) -> String {
    let namespace = "http://monitoring.amazonaws.com/doc/2010-08-01/";
    format!(
        "<{action}Response xmlns=\"{namespace}\"><{action}Result>{result}</{action}Result></{action}Response>"
    )
}

fn result(id: &str, points: &[(i64, f64)], more: &str) -> String {
    let list = |texts: Vec<String>| {
        texts.iter().fold(String::new(), |mut list, text| {
            let _ = write!(list, "<member>{text}</member>");
            list
        })
    };
    let times = list(points.iter().map(|(time, _)| minute(*time)).collect());
    let values = list(points.iter().map(|(_, value)| value.to_string()).collect());
    format!(
        "<member><Id>{id}</Id><StatusCode>Complete</StatusCode><Timestamps>{times}</Timestamps><Values>{values}</Values>\
         {more}</member>"
    )
}

fn data(results: &str, token: &str) -> String {
    answer("GetMetricData", &format!("<MetricDataResults>{results}</MetricDataResults>{token}"))
}

/// What `ListMetrics` answers: names of metrics, each followed by its dimensions.
fn listed(metrics: &[&str]) -> String {
    let mut members = String::new();
    for metric in metrics {
        let mut words = metric.split(' ');
        let name = words.next().unwrap_or_default();
        let _ = write!(members, "<member><MetricName>{name}</MetricName><Dimensions>");
        for (name, value) in words.filter_map(|word| word.split_once('=')) {
            let _ = write!(members, "<member><Name>{name}</Name><Value>{value}</Value></member>");
        }
        members.push_str("</Dimensions></member>");
    }
    answer("ListMetrics", &format!("<Metrics>{members}</Metrics>"))
}

async fn ask(aws: &StandIn, mut arguments: Value) -> ToolOutcome {
    arguments["cluster_name"] = "prod".into();
    if arguments["start_time"].is_null() {
        arguments["start_time"] = minute(0).into();
        arguments["end_time"] = minute(10).into();
    }
    if arguments["period"].is_null() {
        arguments["period"] = 60.into();
    }
    call(&aws.tools(shop(), Policy::default()), TOOL, arguments).await
}

#[tokio::test]
async fn several_metrics_are_told_in_numbers_with_their_gaps() {
    let aws = StandIn::new(|asked| match asked.action.as_str() {
        // The second page continues a series.
        "GetMetricData" if asked.parameter("NextToken").is_some() => {
            (200, data(&result("m0", &POINTS[4..], ""), ""))
        }
        "GetMetricData" => {
            let memory = result("m1", &[(1, 2048.0), (0, 1024.0)], "");
            let both = result("m0", &POINTS[..4], "") + &memory;
            (200, data(&both, "<NextToken>two</NextToken>"))
        }
        other => panic!("{other} is not expected"),
    });
    let arguments = json!({
        "metric_name": "pod_cpu_utilization, node_memory_limit", "stat": "p99", "period": 60, "limit": 2,
        "dimensions": { "Namespace": "shop", "PodName": "web" },
    });
    let outcome = ask(&aws, arguments).await;
    assert!(!outcome.is_error, "{}", outcome.text);
    let sent = &aws.asked("GetMetricData")[0];
    let sent = |name: &str| sent.parameter(&format!("MetricDataQueries.member.{name}")).unwrap_or_default();
    assert_eq!(sent("1.MetricStat.Stat"), "p99");
    assert_eq!(sent("2.MetricStat.Metric.MetricName"), "node_memory_limit");
    assert_eq!(sent("1.MetricStat.Metric.Dimensions.member.1.Value"), "prod");
    assert_eq!(sent("1.MetricStat.Metric.Dimensions.member.3.Value"), "web");
    let set = "ClusterName=prod, Namespace=shop, PodName=web";
    let expected = format!(
        "# ContainerInsights, 2026-01-31T09:00:00Z to 2026-01-31T09:10:00Z, steps of 60 s\n\
         METRIC                STAT   UNIT      MIN    AVG     MAX    LAST   POINTS          DIMENSIONS                                      COURSE\n\
         pod_cpu_utilization   p99    Percent   1      2.812   9.5    4      8 (2 missing)   {set}   ▁▁▁▁▂··█▃▃\n\
         node_memory_limit     p99    Bytes     1024   1536    2048   2048   2 (8 missing)   {set}   ▁█········\n\
         # node_memory_limit has no points after 2026-01-31T09:01:00Z\n\n\
         TIME                   pod_cpu_utilization p99   node_memory_limit p99\n"
    );
    assert!(outcome.text.starts_with(&expected), "{}", outcome.text);
    assert!(
        outcome.text.contains("\n2026-01-31T09:06:00Z   -                         -\n"),
        "{}",
        outcome.text
    );
    let series = &outcome.structured["series"][0];
    assert_eq!(
        series["dataPoints"],
        json!([
            { "timestamp": minute(9), "value": 4.0 }, { "timestamp": minute(8), "value": 3.0 },
        ])
    );
    assert_eq!(series["summary"]["maximum"], 9.5);
}

#[tokio::test]
async fn dimensions_that_are_left_out_are_found_where_there_is_one_set() {
    let aws = StandIn::new(|asked| match asked.action.as_str() {
        "GetMetricData" if asked.body.contains("InstanceId") => (200, data(&result("m0", &POINTS, ""), "")),
        "GetMetricData" => (200, data(&result("m0", &[], ""), "")),
        "ListMetrics" => {
            assert_eq!(asked.parameter("Dimensions.member.2.Value").as_deref(), Some("ip-10-0-0-1"));
            (200, listed(&["node_cpu_utilization ClusterName=prod InstanceId=i-1 NodeName=ip-10-0-0-1"]))
        }
        other => panic!("{other} is not expected"),
    });
    let outcome = ask(
        &aws,
        json!({ "metric_name": "node_cpu_utilization", "dimensions": { "NodeName": "ip-10-0-0-1" } }),
    )
    .await;
    let note =
        "# node_cpu_utilization is there only with ClusterName=prod, InstanceId=i-1, NodeName=ip-10-0-0-1\n";
    assert!(outcome.text.contains(note), "{}", outcome.text);
    assert_eq!(outcome.structured["series"][0]["summary"]["points"], 8);
}

#[rstest]
#[case::no_points("m ClusterName=prod PodName=web", "", "", "m is there, but has no points in this time")]
#[case::several(
    "m ClusterName=prod Namespace=a PodName=web;m ClusterName=prod Namespace=b PodName=web",
    "",
    "",
    "m needs its whole set of dimensions: ClusterName=prod, Namespace=a, PodName=web | ClusterName=prod, Namespace=b"
)]
#[case::others(
    "",
    "m ClusterName=prod;m ClusterName=prod PodName=api",
    "",
    "m is there only with ClusterName=prod, PodName=api | ClusterName=prod"
)]
#[case::another_metric("", "", "mm;zzzzzz", "has no metric m of cluster prod; there are mm (get_eks")]
#[case::nothing("", "", "", "ContainerInsights has no metrics of cluster prod here: check region")]
#[tokio::test]
async fn a_metric_without_points_says_what_there_is(
    #[case] under_these_dimensions: &'static str,
    #[case] of_the_cluster: &'static str,
    #[case] all: &'static str,
    #[case] part: &str,
) {
    let existing = [under_these_dimensions, of_the_cluster, all];
    let aws = StandIn::new(move |asked| match asked.action.as_str() {
        "GetMetricData" => (200, data(&result("m0", &[], ""), "")),
        _ => {
            let with_pod = asked.body.contains("PodName");
            let which = if with_pod {
                0
            } else if asked.body.contains("MetricName=m") {
                1
            } else {
                2
            };
            (200, listed(&existing[which].split_terminator(';').collect::<Vec<_>>()))
        }
    });
    let outcome = ask(&aws, json!({ "metric_name": "m", "dimensions": { "PodName": "web" } })).await;
    assert!(!outcome.is_error && outcome.text.contains(part), "{}", outcome.text);
    assert!(outcome.structured["series"][0]["summary"].is_null());
}

#[tokio::test]
async fn the_unit_of_an_unknown_metric_is_asked_for() {
    let point =
        "<Datapoints><member><SampleCount>8</SampleCount><Unit>Milliseconds</Unit></member></Datapoints>";
    let aws = StandIn::new(move |asked| match asked.action.as_str() {
        "GetMetricData" => (200, data(&result("m0", &POINTS, ""), "")),
        _ => (200, answer("GetMetricStatistics", point)),
    });
    let outcome = ask(
        &aws,
        json!({ "metric_name": "latency", "namespace": "Shop", "dimensions": { "Service": "web" } }),
    )
    .await;
    assert_eq!(outcome.structured["series"][0]["unit"], "Milliseconds");
    assert_eq!(outcome.structured["series"][0]["dimensions"], json!({ "Service": "web" }));
}

#[tokio::test]
async fn what_cloudwatch_says_of_a_series_is_passed_on() {
    let said = "<Messages><member><Code>x</Code><Value>too\nmuch</Value></member></Messages>";
    let aws = StandIn::new(move |_: &Asked| (200, data(&result("m0", &POINTS, said), "")));
    let outcome = ask(&aws, json!({ "metric_name": "pod_cpu_utilization" })).await;
    assert!(outcome.text.contains("# pod_cpu_utilization: too much\n"), "{}", outcome.text);
}

#[rstest]
#[case(json!({}), "metric_name is required")]
#[case(json!({ "metric_name": "m", "dimensions": { "ClusterName": "other" } }), "and the dimension ClusterName \"other\" differ")]
#[case(json!({ "metric_name": "m", "stat": "median" }), "stat must be Average")]
#[case(json!({ "metric_name": "m", "period": 45 }), "a multiple of 60")]
#[case(json!({ "metric_name": "m", "start_time": "soon" }), "start_time must be a time")]
#[tokio::test]
async fn what_cannot_be_asked_is_not_sent(#[case] arguments: Value, #[case] part: &str) {
    let aws = StandIn::new(|asked| panic!("{asked:?}"));
    let outcome = ask(&aws, arguments).await;
    assert!(outcome.is_error && outcome.text.contains(part), "{}", outcome.text);
}

#[tokio::test]
async fn a_refusal_names_the_action() {
    let refused = "<ErrorResponse xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\"><Error><Code>AccessDenied</Code>\
        <Message>no</Message></Error></ErrorResponse>";
    let aws = StandIn::new(move |_: &Asked| (403, refused.to_owned()));
    let outcome = ask(&aws, json!({ "metric_name": "m" })).await;
    assert!(outcome.text.contains("allow cloudwatch:GetMetricData in its IAM policy"), "{}", outcome.text);
}
