//! `drydock diagnose`: exit codes, formats, names.

use rstest::rstest;
use serde_json::Value;

use crate::support::process::{bundle, drydock, run, text};

fn diagnose(cluster: &str, arguments: &[&str]) -> std::process::Output {
    let path = bundle(cluster);
    run(&[&["diagnose", "--bundle", path.to_str().unwrap()], arguments].concat())
}

/// Copies a bundle without one of its files.
fn without(cluster: &str, file: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("resources")).unwrap();
    for entry in std::fs::read_dir(bundle(cluster).join("resources")).unwrap().flatten() {
        if entry.file_name() != file {
            std::fs::copy(entry.path(), folder.path().join("resources").join(entry.file_name())).unwrap();
        }
    }
    folder
}

#[rstest]
#[case::healthy("healthy", &[], 0)]
#[case::findings("broken", &[], 1)]
#[case::of_one_object("broken", &["deploy/catalog", "-n", "shop"], 1)]
#[case::wherever_it_is("broken", &["deploy/catalog"], 1)]
#[case::of_a_namespace("broken", &["-n", "shop"], 1)]
#[case::no_such_bundle("nowhere", &[], 2)]
#[case::no_such_object("broken", &["deploy/nothing"], 2)]
#[case::no_such_namespace("broken", &["-n", "nothing"], 2)]
#[case::no_such_kind("broken", &["frob/x"], 2)]
fn the_exit_code_says_what_was_found(#[case] cluster: &str, #[case] arguments: &[&str], #[case] code: i32) {
    let output = diagnose(cluster, arguments);
    assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
    assert_eq!(code == 2, output.stdout.is_empty(), "results are on stdout, errors are not");
}

#[test]
fn too_little_to_tell_is_not_healthy() {
    let folder = without("healthy", "statefulsets.yaml");
    let output = run(&["diagnose", "--bundle", folder.path().to_str().unwrap(), "-o", "json"]);
    assert_eq!(output.status.code(), Some(2));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["verdict"], "unknown");
}

#[rstest]
#[case::kind_and_name(&["pod/catalog"], "did you mean catalog-5d9c7b6f4d-x7k2p?")]
#[case::a_slip(&["deploy/catlog"], "did you mean catalog?")]
#[case::namespace(&["-n", "shp"], "did you mean shop?")]
fn a_name_that_does_not_exist_is_answered_with_near_ones(#[case] arguments: &[&str], #[case] hint: &str) {
    let output = diagnose("broken", arguments);
    assert!(text(&output.stderr).contains(hint), "{}", text(&output.stderr));
}

#[test]
fn every_format_names_the_root_cause() {
    let json: Value = serde_json::from_slice(&diagnose("broken", &["-o", "json"]).stdout).unwrap();
    assert_eq!(json["schema"], "drydock.report/v1");
    assert_eq!(json["findings"][0]["object"]["name"], "catalog");
    let yaml: Value = serde_saphyr::from_str(&text(&diagnose("broken", &["-o", "yaml"]).stdout)).unwrap();
    assert_eq!(yaml["findings"], json["findings"]);
    let markdown = text(&diagnose("broken", &["-o", "markdown"]).stdout);
    assert!(markdown.starts_with("# ") && markdown.contains("Deployment shop/catalog"), "{markdown}");
    let plain = text(&diagnose("broken", &[]).stdout);
    assert!(plain.contains("Deployment shop/catalog"), "{plain}");
}

#[test]
fn colours_are_for_terminals() {
    let path = bundle("broken");
    let coloured = |name: &str, value: &str| {
        let mut command = drydock();
        let command = command.args(["diagnose", "--bundle", path.to_str().unwrap()]).env(name, value);
        text(&command.output().unwrap().stdout).contains('\u{1b}')
    };
    assert!(!coloured("TERM", "xterm-256color"), "stdout is a pipe");
    assert!(coloured("CLICOLOR_FORCE", "1"), "but colours can be wanted");
}

#[test]
fn nothing_but_errors_is_written_to_stderr_of_a_script() {
    assert_eq!(text(&diagnose("broken", &[]).stderr), "");
}
