//! `drydock demo`.

use serde_json::Value;

use crate::support::process::{run, text};

#[test]
fn the_demo_plays_a_peer_that_reads_the_card_asks_and_gets_root_causes() {
    let output = run(&["demo", "--once"]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for expected in
        ["K8s_Diagnostics_Agent", "submitted", "working", "diagnose_cluster", "completed", "critical"]
    {
        assert!(shown.contains(expected), "{expected} is missing in:\n{shown}");
    }
    let truth: Value = serde_saphyr::from_str(include_str!("../../../demo/truth.yaml")).unwrap();
    let (_, summary) = shown.split_once("The report that the peer got as data").unwrap();
    let causes: Vec<&str> = summary.lines().skip(1).collect();
    let expected = truth["root_causes"].as_array().unwrap();
    assert_eq!(causes.len(), expected.len(), "every fault and no victim:\n{summary}");
    for cause in expected {
        let name = cause["name"].as_str().unwrap();
        assert!(causes.iter().any(|line| line.contains(name)), "{name} is missing in:\n{summary}");
    }
    assert!(!shown.contains('\u{1b}'), "no colours in a pipe");
    assert_eq!(text(&output.stderr), "");
}
