//! Help that teaches, and wrong usage.

use rstest::rstest;

use crate::support::process::{run, text};

#[rstest]
#[case::unknown_command(&["frobnicate"])]
#[case::unknown_option(&["serve", "--frobnicate"])]
#[case::no_command(&[])]
#[case::no_question(&["ask", "http://127.0.0.1:9"])]
#[case::no_name(&["diagnose", "pod"])]
#[case::unknown_format(&["diagnose", "-o", "xml"])]
#[case::two_clusters(&["diagnose", "--bundle", "x", "--context", "y"])]
#[case::all_and_one(&["diagnose", "-A", "-n", "shop"])]
#[case::port_out_of_range(&["serve", "--port", "70000"])]
#[case::no_trusted_key(&["card", "verify", "card.json"])]
#[case::no_url(&["card", "show", "--url", "drydock.example.com"])]
#[case::no_public_url(&["serve", "--public-url", "javascript:alert(1)"])]
#[case::a_rule_that_is_none(&["serve", "--push-allow", "https://hooks.internal/"])]
#[case::no_task(&["tasks", "show"])]
#[case::unknown_log_filter(&["card", "show", "--log", "drydock=loud"])]
fn wrong_usage_ends_with_64_and_says_so_on_stderr(#[case] arguments: &[&str]) {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(64), "{arguments:?}");
    assert_eq!(text(&output.stdout), "");
    assert_ne!(text(&output.stderr), "");
}

#[rstest]
#[case(&["--help"])]
#[case(&["demo", "--help"])]
#[case(&["serve", "--help"])]
#[case(&["diagnose", "--help"])]
#[case(&["ask", "--help"])]
#[case(&["card", "show", "--help"])]
#[case(&["card", "verify", "--help"])]
#[case(&["tasks", "list", "--help"])]
#[case(&["tasks", "show", "--help"])]
fn help_gives_examples(#[case] arguments: &[&str]) {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0));
    let help = text(&output.stdout);
    assert!(help.contains("Examples:\n  drydock "), "{help}");
}

#[rstest]
#[case(&["--help"])]
#[case(&["demo", "--help"])]
#[case(&["serve", "--help"])]
#[case(&["diagnose", "--help"])]
#[case(&["ask", "--help"])]
#[case(&["tasks", "show", "--help"])]
fn help_tells_exit_codes(#[case] arguments: &[&str]) {
    let help = text(&run(arguments).stdout);
    assert!(help.contains("Exit codes:"), "{help}");
}

#[test]
fn help_tells_the_environment_and_hides_what_is_secret_in_it() {
    let serve = text(&run(&["serve", "--help"]).stdout);
    assert!(serve.contains("[env: DRYDOCK_PORT="), "{serve}");
    let mut ask = crate::support::process::drydock();
    let ask = ask.args(["ask", "--help"]).env("DRYDOCK_TOKEN", "s3cret").output().unwrap();
    assert!(text(&ask.stdout).contains("DRYDOCK_TOKEN"));
    assert!(!text(&ask.stdout).contains("s3cret"));
}

#[test]
fn the_card_is_shown_in_the_form_of_each_dialect() {
    let card = |arguments: &[&str]| -> serde_json::Value {
        let output = run(&[&["card", "show", "--url", "https://x.example"], arguments].concat());
        assert_eq!(output.status.code(), Some(0));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    assert_eq!(card(&[])["supportedInterfaces"][0]["url"], "https://x.example/");
    let merged = card(&["--merged"]);
    assert!(merged.get("url").is_some() && merged.get("supportedInterfaces").is_some());
    let old = card(&["--v03"]);
    assert_eq!((&old["url"], &old["protocolVersion"]), (&"https://x.example/".into(), &"0.3.0".into()));
}

#[test]
fn a_card_that_is_wrong_is_refused_with_the_member() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("card.json");
    std::fs::write(&path, r#"{ "name": "x", "description": "y" }"#).unwrap();
    let output = run(&["card", "show", "--card", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("version"), "{}", text(&output.stderr));
}
