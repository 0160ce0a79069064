//! Recording a cluster, and reading the recording.

use std::fs;

use drydock::cluster::{Bundle, CaptureError, CaptureLimits, Captured, Cluster, capture};
use rstest::rstest;
use serde_json::{Value, json};

use super::{bundle_of, contents, files, list, write};

/// The shop with a container that has restarted, and a kind that is recorded with no objects.
fn recorded_files() -> Vec<(String, String)> {
    let mut files = files();
    files.push(("resources/nodes.json".to_owned(), list(&[])));
    files
}

async fn record(cluster: &Cluster, path: &std::path::Path) -> Result<Captured, CaptureError> {
    capture(cluster, path, CaptureLimits::default(), |_| ()).await
}

/// Files with JSON read, since order and blanks may differ.
fn parsed(files: Vec<(String, String)>) -> Vec<(String, Value)> {
    let parse = |(name, content): (String, String)| {
        let value = serde_json::from_str(&content).unwrap_or(Value::String(content));
        (name, value)
    };
    files.into_iter().map(parse).collect()
}

#[tokio::test]
async fn a_recording_of_a_recording_is_the_same() {
    let place = tempfile::tempdir().unwrap();
    let (first, second) = (place.path().join("first"), place.path().join("second"));
    let captured = record(&Cluster::from_bundle(bundle_of(&recorded_files())), &first).await.unwrap();
    assert_eq!((captured.objects, captured.logs), (5, 2));
    let again = record(&Cluster::from_bundle(Bundle::load(&first).unwrap()), &second).await.unwrap();
    assert_eq!(again, captured);
    assert_eq!(contents(&first), contents(&second));
}

#[tokio::test]
async fn a_recording_holds_what_the_cluster_had() {
    let place = tempfile::tempdir().unwrap();
    let (original, copy) = (place.path().join("original"), place.path().join("copy"));
    let mut files = recorded_files();
    // `list` writes objects in the order of the caller; a bundle gives them by namespace and name.
    files.retain(|(name, _)| name != "resources/pods.json");
    write(&original, &files);
    record(&Cluster::from_bundle(Bundle::load(&original).unwrap()), &copy).await.unwrap();
    let without_logs = |(name, _): &(String, String)| !name.starts_with("logs/");
    let of = |folder| parsed(contents(folder).into_iter().filter(without_logs).collect());
    assert_eq!(of(&original), of(&copy));
}

#[rstest]
#[case::tar_gz("shop.tar.gz")]
#[case::tgz("shop.tgz")]
#[tokio::test]
async fn an_archive_holds_the_same_as_a_folder(#[case] name: &str) {
    let place = tempfile::tempdir().unwrap();
    let (archive, from_archive, folder) =
        (place.path().join(name), place.path().join("from-archive"), place.path().join("folder"));
    let cluster = Cluster::from_bundle(bundle_of(&recorded_files()));
    record(&cluster, &archive).await.unwrap();
    record(&cluster, &folder).await.unwrap();
    record(&Cluster::from_bundle(Bundle::load(&archive).unwrap()), &from_archive).await.unwrap();
    assert_eq!(contents(&from_archive), contents(&folder));
}

#[tokio::test]
async fn the_previous_log_is_recorded_where_there_was_a_restart() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("shop");
    record(&Cluster::from_bundle(bundle_of(&files())), &folder).await.unwrap();
    let log = fs::read_to_string(folder.join("logs/shop/web-1/app.previous.log")).unwrap();
    assert_eq!(log, "2025-03-11T07:40:00Z it crashed\n");
}

#[tokio::test]
async fn logs_are_bounded_and_the_newest_lines_kept() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("shop");
    let limits = CaptureLimits { log_lines: 2, log_bytes: 40, ..CaptureLimits::default() };
    capture(&Cluster::from_bundle(bundle_of(&files())), &folder, limits, |_| ()).await.unwrap();
    let log = fs::read_to_string(folder.join("logs/shop/web-1/app.log")).unwrap();
    assert_eq!(log, "2025-03-11T07:59:30Z three\n");
}

#[tokio::test]
async fn no_logs_are_recorded_where_none_are_wanted() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("shop");
    let limits = CaptureLimits { log_lines: 0, ..CaptureLimits::default() };
    let captured =
        capture(&Cluster::from_bundle(bundle_of(&files())), &folder, limits, |_| ()).await.unwrap();
    assert_eq!(captured.logs, 0);
    assert!(!folder.join("logs").exists());
}

#[rstest]
#[case::full_folder("full")]
#[case::file("file.tar.gz")]
#[tokio::test]
async fn nothing_is_written_over(#[case] name: &str) {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("full")).unwrap();
    fs::write(place.path().join("full/mine"), "mine").unwrap();
    fs::write(place.path().join("file.tar.gz"), "mine").unwrap();
    let before = contents(place.path());
    let outcome = record(&Cluster::from_bundle(bundle_of(&files())), &place.path().join(name)).await;
    assert!(matches!(outcome, Err(CaptureError::Occupied { .. })));
    assert_eq!(contents(place.path()), before);
}

#[tokio::test]
async fn an_empty_folder_may_be_there() {
    let place = tempfile::tempdir().unwrap();
    record(&Cluster::from_bundle(bundle_of(&files())), place.path()).await.unwrap();
    assert!(place.path().join("cluster.json").exists());
}

#[tokio::test]
async fn a_recording_that_cannot_be_written_leaves_nothing_behind() {
    let place = tempfile::tempdir().unwrap();
    // A pod whose name is as long as a file's must not be.
    let mut files = files();
    let long = "x".repeat(300);
    let pod = super::pod("shop", &long, &json!({}));
    files.push(("resources/more.json".to_owned(), list(&[pod])));
    files.push((format!("logs/shop/{long}/app.log"), "line\n".to_owned()));
    let outcome = record(&Cluster::from_bundle(bundle_of(&files)), &place.path().join("shop")).await;
    assert!(matches!(outcome, Err(CaptureError::Write { .. })));
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}
