//! Discovery, lists, objects and logs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use drydock::cluster::{ClusterError, ListQuery, LogQuery};
use http::{HeaderValue, StatusCode};
use rstest::rstest;

use super::stand_in::{live, refusal};
use super::{bundle_of, files, names, shop};

#[rstest]
#[case::plural("pods", "v1", "pods")]
#[case::kind("Pod", "v1", "pods")]
#[case::singular("pod", "v1", "pods")]
#[case::short("po", "v1", "pods")]
#[case::any_case("DEPLOY", "apps/v1", "deployments")]
#[case::with_group("deployments.apps", "apps/v1", "deployments")]
#[case::with_version_and_group("deployments.v1.apps", "apps/v1", "deployments")]
#[case::the_core_group_first("events", "v1", "events")]
#[tokio::test]
async fn a_kind_is_found_by_any_of_its_names(
    #[case] name: &str,
    #[case] api_version: &str,
    #[case] plural: &str,
) {
    let kind = shop().resolve(name, None).await.unwrap();
    assert_eq!((kind.api_version().as_str(), kind.plural.as_str()), (api_version, plural));
}

#[tokio::test]
async fn an_api_version_chooses_between_kinds_of_the_same_name() {
    let kind = shop().resolve("Event", Some("events.k8s.io/v1")).await.unwrap();
    assert_eq!(kind.group, "events.k8s.io");
    let error = shop().resolve("Pod", Some("apps/v1")).await.unwrap_err();
    assert_eq!(error.to_string(), "this cluster does not offer pods in apps/v1; it has it in v1");
}

#[rstest]
#[case("deploymnet", "deployments")]
#[case("Podd", "pods")]
#[case("statefullset", "statefulsets")]
#[tokio::test]
async fn an_unknown_kind_is_answered_with_the_nearest(#[case] name: &str, #[case] nearest: &str) {
    let error = shop().resolve(name, None).await.unwrap_err();
    assert!(matches!(&error, ClusterError::NotFound(text) if text.contains(nearest)), "{error}");
}

#[tokio::test]
async fn lists_are_cluster_wide_or_of_one_namespace_and_items_say_what_they_are() {
    let cluster = shop();
    let pods = cluster.resolve("pods", None).await.unwrap();
    let all = cluster.list(&pods, &ListQuery::default()).await.unwrap();
    assert_eq!(names(&all.items), ["web-1", "db-0", "web-1", "web-2"]);
    assert!(all.items.iter().all(|item| item["kind"] == "Pod" && item["apiVersion"] == "v1"));
    let query = ListQuery { namespace: Some("shop".to_owned()), ..ListQuery::default() };
    assert_eq!(names(&cluster.list(&pods, &query).await.unwrap().items), ["db-0", "web-1", "web-2"]);
}

#[rstest]
#[case::label(Some("app=web,tier!=data"), None, &["web-1", "web-1", "web-2"])]
#[case::set(Some("app in (db)"), None, &["db-0"])]
#[case::field(None, Some("metadata.name=web-2"), &["web-2"])]
#[case::both(Some("app"), Some("metadata.namespace=other"), &["web-1"])]
#[tokio::test]
async fn lists_take_selectors(
    #[case] labels: Option<&str>,
    #[case] fields: Option<&str>,
    #[case] expected: &[&str],
) {
    let cluster = shop();
    let pods = cluster.resolve("pods", None).await.unwrap();
    let query = ListQuery {
        label_selector: labels.map(str::to_owned),
        field_selector: fields.map(str::to_owned),
        ..ListQuery::default()
    };
    assert_eq!(names(&cluster.list(&pods, &query).await.unwrap().items), expected);
}

#[tokio::test]
async fn a_wrong_selector_is_the_callers_fault() {
    let cluster = shop();
    let pods = cluster.resolve("pods", None).await.unwrap();
    let query = ListQuery { field_selector: Some("spec.color=red".to_owned()), ..ListQuery::default() };
    let error = cluster.list(&pods, &query).await.unwrap_err();
    assert!(matches!(&error, ClusterError::Invalid(text) if text.contains("spec.color")), "{error}");
}

#[tokio::test]
async fn pages_together_are_the_whole_list() {
    let cluster = shop();
    let pods = cluster.resolve("pods", None).await.unwrap();
    let mut query = ListQuery { limit: Some(3), ..ListQuery::default() };
    let first = cluster.list(&pods, &query).await.unwrap();
    assert_eq!((first.items.len(), first.remaining), (3, Some(1)));
    query.continue_token = first.continue_token;
    let second = cluster.list(&pods, &query).await.unwrap();
    assert_eq!((second.items.len(), second.continue_token, second.remaining), (1, None, None));
    query.continue_token = Some("stale".to_owned());
    assert!(matches!(cluster.list(&pods, &query).await, Err(ClusterError::Expired(_))));
}

#[tokio::test]
async fn an_object_is_got_by_name_and_what_is_not_there_is_not_found() {
    let cluster = shop();
    let deployments = cluster.resolve("deploy", None).await.unwrap();
    let web = cluster.get(&deployments, Some("shop"), "web").await.unwrap();
    assert_eq!(web["spec"]["replicas"], 2);
    let error = cluster.get(&deployments, Some("shop"), "wep").await.unwrap_err();
    assert!(matches!(&error, ClusterError::NotFound(text) if text.contains("wep")), "{error}");
}

#[rstest]
#[case("../../secrets")]
#[case("web?watch=true")]
#[case("")]
#[tokio::test]
async fn a_name_cannot_lead_to_another_path(#[case] name: &str) {
    let cluster = shop();
    let deployments = cluster.resolve("deploy", None).await.unwrap();
    let error = cluster.get(&deployments, Some("shop"), name).await.unwrap_err();
    assert!(matches!(error, ClusterError::Invalid(_)), "{error}");
}

fn log_of(pod: &str) -> LogQuery {
    LogQuery { namespace: "shop".to_owned(), pod: pod.to_owned(), ..LogQuery::default() }
}

#[rstest]
#[case::all(log_of("web-1"), &["one", "two", "three"])]
#[case::tail(LogQuery { tail_lines: Some(2), ..log_of("web-1") }, &["two", "three"])]
#[case::since(LogQuery { since_seconds: Some(60), ..log_of("web-1") }, &["three"])]
#[case::previous(LogQuery { previous: true, ..log_of("web-1") }, &["it crashed"])]
#[case::container(LogQuery { container: Some("app".to_owned()), ..log_of("web-1") }, &["one", "two", "three"])]
#[case::nothing_recorded(log_of("web-2"), &[])]
#[tokio::test]
async fn logs_are_read_as_asked(#[case] query: LogQuery, #[case] lines: &[&str]) {
    let log = shop().logs(&query).await.unwrap();
    let without_times: Vec<&str> =
        log.lines().filter_map(|line| line.split_once(' ')).map(|(_, l)| l).collect();
    assert_eq!(without_times, lines);
}

#[rstest]
#[case::unknown_container(LogQuery { container: Some("sidecar".to_owned()), ..log_of("web-1") })]
#[case::no_previous(LogQuery { previous: true, ..log_of("web-2") })]
#[tokio::test]
async fn a_log_that_cannot_be_is_refused(#[case] query: LogQuery) {
    assert!(matches!(shop().logs(&query).await, Err(ClusterError::Invalid(_))));
}

/// A cluster that counts the requests for a path, and refuses the first of them so.
fn counting(path: &'static str, refuse: Option<StatusCode>) -> (drydock::cluster::Cluster, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let cluster = live(bundle_of(&files()), move |asked, _| {
        let is_first = asked == path && counted.fetch_add(1, Ordering::SeqCst) == 0;
        let mut response = refusal(refuse.filter(|_| is_first)?, "TooManyRequests");
        response.headers_mut().insert("retry-after", HeaderValue::from_static("0"));
        Some(response)
    });
    (cluster, count)
}

#[tokio::test]
async fn what_was_discovered_is_not_asked_for_again() {
    let (cluster, count) = counting("/apis", None);
    cluster.kinds().await.unwrap();
    cluster.clone().resolve("pods", None).await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[rstest]
#[case::too_many_requests(StatusCode::TOO_MANY_REQUESTS)]
#[case::not_ready(StatusCode::SERVICE_UNAVAILABLE)]
#[tokio::test]
async fn a_busy_server_is_asked_again_when_it_says_so(#[case] refuse: StatusCode) {
    let (cluster, count) = counting("/api/v1/pods", Some(refuse));
    let pods = cluster.resolve("pods", None).await.unwrap();
    assert_eq!(cluster.list(&pods, &ListQuery::default()).await.unwrap().items.len(), 4);
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_api_group_whose_server_is_down_takes_no_other_with_it() {
    let cluster = live(bundle_of(&files()), |path, _| {
        (path == "/apis/policy/v1").then(|| refusal(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"))
    });
    let kinds = cluster.kinds().await.unwrap();
    assert!(kinds.iter().any(|kind| kind.plural == "deployments"));
    assert!(!kinds.iter().any(|kind| kind.group == "policy"));
}
