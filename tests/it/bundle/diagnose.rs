//! What a diagnosis reads, and how it says what it could not.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use drydock::cluster::{Cluster, ClusterError, Progress, SnapshotLimits, diagnose};
use drydock::diagnosis::READ_KINDS;
use drydock::diagnosis::report::{Coverage, Report, Scope, Verdict};
use http::{Response, StatusCode};
use http_body_util::Full;
use rstest::rstest;
use serde_json::{Value, json};

use super::stand_in::{answer, live, refusal};
use super::{bundle_of, files, list, pod};

async fn report_of(cluster: &Cluster, scope: &Scope) -> Report {
    diagnose(cluster, scope, SnapshotLimits::default(), |_| ()).await.expect("the cluster answers")
}

fn why<'a>(coverage: &'a Coverage, what: &str) -> Option<&'a str> {
    let mut missing = coverage.missing.iter();
    missing.find(|missing| missing.what == what).map(|missing| missing.why.as_str())
}

#[tokio::test]
async fn a_whole_cluster_is_read_and_the_clock_is_the_walls() {
    let before = jiff::Timestamp::now();
    let cluster = live(bundle_of(&files()), |_, _| None);
    let report = report_of(&cluster, &Scope::default()).await;
    let plurals: Vec<&str> = READ_KINDS.iter().map(|kind| kind.plural).collect();
    assert_eq!(report.coverage.read, plurals);
    assert_eq!(report.coverage.missing, []);
    assert_eq!((report.cluster.name.as_str(), report.cluster.source.as_str()), ("live", "live"));
    assert!(report.started_at.parse::<jiff::Timestamp>().unwrap() >= before);
}

#[tokio::test]
async fn a_kind_that_was_not_recorded_is_missing_and_a_healthy_verdict_then_unknown() {
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } });
    let mut files = files();
    files.truncate(1);
    files.push(("resources/pods.json".to_owned(), list(&[])));
    files.push(("resources/some.json".to_owned(), list(&[namespace])));
    let report = report_of(&Cluster::from_bundle(bundle_of(&files)), &Scope::default()).await;
    assert_eq!(why(&report.coverage, "nodes"), Some("not recorded in this bundle"));
    assert_eq!(report.coverage.read, ["pods", "namespaces"]);
    assert_eq!(report.verdict, Verdict::Unknown);
    assert_eq!(report.cluster.captured_at.as_deref(), Some("2025-03-11T08:00:00Z"));
}

#[tokio::test]
async fn an_empty_list_is_recorded() {
    let mut files = files();
    files.push(("resources/nodes.json".to_owned(), list(&[])));
    let report = report_of(&Cluster::from_bundle(bundle_of(&files)), &Scope::default()).await;
    assert!(report.coverage.read.contains(&"nodes".to_owned()));
    assert_eq!(why(&report.coverage, "nodes"), None);
}

#[tokio::test]
async fn a_damaged_file_is_named_and_hides_nothing_else() {
    let mut files = files();
    files.push(("resources/services.json".to_owned(), "{ \"kind\": ".to_owned()));
    files.push(("resources/odd.yaml".to_owned(), "kind: ConfigMap\nmetadata: {}\n".to_owned()));
    let report = report_of(&Cluster::from_bundle(bundle_of(&files)), &Scope::default()).await;
    assert!(why(&report.coverage, "resources/services.json").is_some(), "{:?}", report.coverage);
    assert!(why(&report.coverage, "resources/odd.yaml").is_some(), "{:?}", report.coverage);
    assert!(report.coverage.read.contains(&"pods".to_owned()));
}

#[tokio::test]
async fn what_is_forbidden_is_missing_and_the_rest_is_read() {
    let cluster = live(bundle_of(&files()), |path, _| {
        path.ends_with("/secrets").then(|| refusal(StatusCode::FORBIDDEN, "Forbidden"))
    });
    let report = report_of(&cluster, &Scope::default()).await;
    assert_eq!(why(&report.coverage, "secrets"), Some("forbidden"));
    assert_eq!(report.coverage.missing.len(), 1);
    assert_eq!(report.coverage.read.len(), READ_KINDS.len() - 1);
}

#[tokio::test]
async fn where_only_a_namespace_may_be_read_the_scope_says_which() {
    let cluster = live(bundle_of(&files()), |path, _| {
        let in_shop = path.contains("/namespaces/shop/");
        let list = path.split('/').filter(|name| !name.is_empty()).count() > 2 && path != "/apis";
        let discovery = READ_KINDS.iter().all(|kind| !path.ends_with(&format!("/{}", kind.plural)));
        (list && !discovery && !in_shop).then(|| refusal(StatusCode::FORBIDDEN, "Forbidden"))
    });
    let scope = Scope { namespaces: vec!["shop".to_owned()], object: None };
    let report = report_of(&cluster, &scope).await;
    assert!(report.coverage.read.contains(&"pods".to_owned()));
    let elsewhere =
        report.coverage.missing.iter().filter(|missing| missing.what == "namespaces other than shop");
    assert_eq!(elsewhere.count(), 1);
    assert!(!report.coverage.read.contains(&"nodes".to_owned()));
    assert_eq!(why(&report.coverage, "nodes"), Some("forbidden"));
}

#[tokio::test]
async fn where_nobody_says_which_namespace_that_of_the_context_is_read() {
    let cluster = live(bundle_of(&files()), |path, _| {
        let elsewhere = path == "/api/v1/pods" || path.contains("/namespaces/shop/");
        elsewhere.then(|| refusal(StatusCode::FORBIDDEN, "Forbidden"))
    });
    let report = report_of(&cluster, &Scope::default()).await;
    assert_eq!(why(&report.coverage, "namespaces other than default"), Some("forbidden"));
    assert!(report.coverage.read.contains(&"pods".to_owned()));
}

#[tokio::test]
async fn an_api_group_that_the_cluster_lacks_is_missing() {
    let cluster = live(bundle_of(&files()), |path, _| {
        let gone = path.starts_with("/apis/discovery.k8s.io") || path.starts_with("/apis/autoscaling");
        gone.then(|| refusal(StatusCode::NOT_FOUND, "NotFound"))
    });
    let report = report_of(&cluster, &Scope::default()).await;
    assert_eq!(why(&report.coverage, "endpointslices"), Some("not offered by this cluster"));
    assert_eq!(why(&report.coverage, "horizontalpodautoscalers"), Some("not offered by this cluster"));
}

#[tokio::test]
async fn older_versions_are_read_where_there_is_no_newer_one() {
    let mut files = files();
    let budget = json!({
        "apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": { "name": "web", "namespace": "shop" },
        "spec": {},
    });
    files.push(("resources/poddisruptionbudgets.json".to_owned(), list(&[budget])));
    let report = report_of(&Cluster::from_bundle(bundle_of(&files)), &Scope::default()).await;
    assert!(report.coverage.read.contains(&"poddisruptionbudgets".to_owned()), "{:?}", report.coverage);
}

#[tokio::test]
async fn events_of_the_newer_group_are_read_where_the_core_has_none() {
    let mut files = files();
    let event = json!({ "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": { "name": "e", "namespace": "shop" } });
    files.push(("resources/events.json".to_owned(), list(&[event])));
    let objects = Mutex::new(0);
    let progress = |step| {
        if let Progress::Read { objects: read, .. } = step {
            *objects.lock().unwrap() = read;
        }
    };
    let cluster = Cluster::from_bundle(bundle_of(&files));
    let report = diagnose(&cluster, &Scope::default(), SnapshotLimits::default(), progress).await.unwrap();
    assert!(report.coverage.read.contains(&"events".to_owned()));
    // Four pods, a Deployment and the event.
    assert_eq!(*objects.lock().unwrap(), 6);
}

#[tokio::test]
async fn a_list_that_expires_halfway_is_read_again_and_nothing_is_lost_or_doubled() {
    let mut files = files();
    let pods: Vec<Value> = (0..1200).map(|n| pod("shop", &format!("web-{n}"), &json!({}))).collect();
    files.push(("resources/pods.json".to_owned(), list(&pods)));
    let expired = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&expired);
    let cluster =
        live(bundle_of(&files[..].iter().skip(2).cloned().collect::<Vec<_>>()), move |path, query| {
            let second_page = path.ends_with("/pods") && query.contains("continue=");
            (second_page && seen.fetch_add(1, Ordering::SeqCst) == 0)
                .then(|| refusal(StatusCode::GONE, "Expired"))
        });
    let last = Mutex::new(0);
    let progress = |step| {
        if let Progress::Read { objects, .. } = step {
            *last.lock().unwrap() = objects;
        }
    };
    diagnose(&cluster, &Scope::default(), SnapshotLimits::default(), progress).await.unwrap();
    assert_eq!(expired.load(Ordering::SeqCst), 1);
    // The pods and the one Deployment.
    assert_eq!(*last.lock().unwrap(), 1201);
}

#[tokio::test]
async fn objects_beyond_the_limit_are_left_out_and_said_to_be() {
    let cluster = live(bundle_of(&files()), |_, _| None);
    let limits = SnapshotLimits { objects_per_kind: 3, ..SnapshotLimits::default() };
    let report = diagnose(&cluster, &Scope::default(), limits, |_| ()).await.unwrap();
    assert!(why(&report.coverage, "pods beyond the first 3").is_some(), "{:?}", report.coverage);
}

#[tokio::test]
async fn a_damaged_item_does_not_take_its_list_with_it() {
    let cluster = live(bundle_of(&files()), |path, _| {
        let body = json!({ "kind": "PodList", "items": [pod("shop", "web-1", &json!({})), "nonsense", 7] });
        path.ends_with("/pods").then(|| answer(StatusCode::OK, &body))
    });
    let report = report_of(&cluster, &Scope::default()).await;
    assert!(report.coverage.read.contains(&"pods".to_owned()));
    assert_eq!(why(&report.coverage, "2 of the pods"), Some("damaged in the API's answer"));
}

#[rstest]
#[case::unauthorized(StatusCode::UNAUTHORIZED)]
#[case::broken(StatusCode::INTERNAL_SERVER_ERROR)]
#[tokio::test]
async fn a_cluster_that_does_not_answer_is_no_report(#[case] code: StatusCode) {
    let cluster = live(bundle_of(&files()), move |_, _| Some(refusal(code, "Broken")));
    let outcome = diagnose(&cluster, &Scope::default(), SnapshotLimits::default(), |_| ()).await;
    assert!(matches!(outcome, Err(ClusterError::Unreachable(_))));
}

#[tokio::test]
async fn an_answer_that_is_not_kubernetes_is_explained() {
    let cluster = live(bundle_of(&files()), |_, _| {
        Some(Response::new(Full::new(Bytes::from("<html>Please log in</html>"))))
    });
    let error = cluster.kinds().await.unwrap_err();
    assert!(error.to_string().contains("not a Kubernetes API"), "{error}");
}
