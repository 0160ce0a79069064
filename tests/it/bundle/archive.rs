//! Bundles on the disk: folders and archives, whole and damaged.

use std::fs::{self, File};
use std::path::Path;

use drydock::cluster::{Bundle, Cluster, ClusterError, ClusterSource, ListQuery};
use flate2::Compression;
use flate2::write::GzEncoder;
use rstest::rstest;
use serde_json::json;

use super::{files, list, names, pod, write};

fn archive(path: &Path, files: &[(String, String)], prefix: &str) {
    let gzip = GzEncoder::new(File::create(path).unwrap(), Compression::default());
    let mut archive = tar::Builder::new(gzip);
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        let name = format!("{prefix}{name}");
        // The checked way refuses names that lead upwards, which an attacker's archive has.
        let field = &mut header.as_old_mut().name;
        field[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append(&header, content.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap();
}

async fn pods_of(path: &Path) -> Vec<String> {
    let cluster = Cluster::open(&ClusterSource::Bundle(path.to_owned())).await.unwrap();
    let pods = cluster.resolve("pods", None).await.unwrap();
    let list = cluster.list(&pods, &ListQuery::default()).await.unwrap();
    names(&list.items).into_iter().map(str::to_owned).collect()
}

#[rstest]
#[case::flat("")]
#[case::in_a_folder("shop-2025-03-11/")]
#[case::with_a_dot("./")]
#[tokio::test]
async fn an_archive_is_read_as_the_folder_it_was_made_of(#[case] prefix: &str) {
    let place = tempfile::tempdir().unwrap();
    let (folder, file) = (place.path().join("shop"), place.path().join("shop.tar.gz"));
    write(&folder, &files());
    archive(&file, &files(), prefix);
    assert_eq!(pods_of(&file).await, pods_of(&folder).await);
    assert_eq!(Bundle::load(&file).unwrap().info(), Bundle::load(&folder).unwrap().info());
}

#[tokio::test]
async fn a_name_that_leads_out_of_the_archive_is_passed_over() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("evil.tar.gz");
    let outside = list(&[pod("shop", "outside", &json!({}))]);
    let mut files = files();
    files.push(("../resources/pods.json".to_owned(), outside.clone()));
    files.push(("resources/../../pods.json".to_owned(), outside.clone()));
    files.push(("/resources/pods.json".to_owned(), outside));
    archive(&file, &files, "");
    assert!(!pods_of(&file).await.contains(&"outside".to_owned()));
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_link_in_a_folder_is_not_followed() {
    let place = tempfile::tempdir().unwrap();
    let (folder, secret) = (place.path().join("shop"), place.path().join("secret.json"));
    write(&folder, &files());
    fs::write(&secret, list(&[pod("shop", "linked", &json!({}))])).unwrap();
    std::os::unix::fs::symlink(&secret, folder.join("resources/linked.json")).unwrap();
    assert!(!pods_of(&folder).await.contains(&"linked".to_owned()));
}

#[test]
fn an_archive_that_breaks_off_is_used_as_far_as_it_goes() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("shop.tar.gz");
    // What does not compress makes sure that the cut is in the last file.
    let noise: String = (0..200_000_u32)
        .map(|n| char::from(b'!' + (n.wrapping_mul(2_654_435_761) >> 24) as u8 % 90))
        .collect();
    let mut files = files();
    files.push(("logs/shop/web-2/app.log".to_owned(), noise));
    archive(&file, &files, "");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 1000]).unwrap();
    let bundle = Bundle::load(&file).unwrap();
    assert_eq!(bundle.info().name, "shop-prod");
    let damaged: Vec<&str> = bundle.damaged().iter().map(|damaged| damaged.file.as_str()).collect();
    assert_eq!(damaged, ["logs/shop/web-2/app.log", "the rest of the archive"]);
}

#[rstest]
#[case::json("resources/x.json", "{ nonsense", "resources/x.json")]
#[case::yaml("resources/x.yaml", "a: [1\nb: }", "resources/x.yaml")]
#[case::no_name("resources/x.json", r#"{"kind":"Pod","apiVersion":"v1","metadata":{}}"#, "resources/x.json")]
#[case::about("cluster.json", "7", "cluster.json")]
fn a_malformed_file_is_named(#[case] name: &str, #[case] content: &str, #[case] named: &str) {
    let place = tempfile::tempdir().unwrap();
    let mut files = files();
    files.retain(|(known, _)| known != name);
    files.push((name.to_owned(), content.to_owned()));
    write(place.path(), &files);
    let bundle = Bundle::load(place.path()).unwrap();
    assert_eq!(bundle.damaged().iter().map(|damaged| damaged.file.as_str()).collect::<Vec<_>>(), [named]);
}

#[test]
fn what_is_wrong_with_a_file_does_not_show_its_content() {
    let place = tempfile::tempdir().unwrap();
    let mut files = files();
    files
        .push(("resources/x.yaml".to_owned(), "kind: Secret\ndata:\n  password: hunter2: oops\n".to_owned()));
    files.push((
        "resources/x.json".to_owned(),
        r#"{"kind":"Secret","data":{"password":"hunter2"oops"#.to_owned(),
    ));
    write(place.path(), &files);
    let bundle = Bundle::load(place.path()).unwrap();
    assert_eq!(bundle.damaged().len(), 2);
    assert!(!format!("{:?}", bundle.damaged()).contains("hunter2"), "{:?}", bundle.damaged());
}

#[test]
fn several_yaml_documents_and_null_lists_are_read() {
    let place = tempfile::tempdir().unwrap();
    let yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: x}\n---\n\
                apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n";
    let empty = r#"{"apiVersion":"apps/v1","kind":"DeploymentList","metadata":{},"items":null}"#;
    let files = [("resources/some.yaml", yaml), ("resources/deployments.json", empty)];
    write(place.path(), &files.map(|(name, content)| (name.to_owned(), content.to_owned())));
    assert_eq!(Bundle::load(place.path()).unwrap().damaged(), []);
}

#[rstest]
#[case::nothing_there("missing", "cannot be read")]
#[case::empty("empty", "holds no recorded objects")]
#[case::no_archive("file.tar.gz", "cannot be read")]
#[tokio::test]
async fn what_is_no_bundle_is_said_to_be_none(#[case] name: &str, #[case] why: &str) {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("empty")).unwrap();
    fs::write(place.path().join("file.tar.gz"), "no archive").unwrap();
    let opened = Cluster::open(&ClusterSource::Bundle(place.path().join(name))).await;
    assert!(matches!(opened, Err(ClusterError::NotFound(text)) if text.contains(why)));
}

#[test]
fn the_present_of_a_recording_is_its_newest_time_but_not_that_of_a_broken_clock() {
    let present = |restarted: &str| {
        let mut files = files();
        let mut pod = pod("shop", "web-9", &json!({}));
        pod["status"]["containerStatuses"][0]["state"] = json!({ "running": { "startedAt": restarted } });
        files.push(("resources/more.json".to_owned(), list(&[pod])));
        super::bundle_of(&files).info().captured_at.unwrap().to_string()
    };
    assert_eq!(present("2025-03-11T08:00:07Z"), "2025-03-11T08:00:07Z");
    assert_eq!(present("2027-01-01T00:00:00Z"), "2025-03-11T08:00:00Z");
}
