//! `drydock demo`.

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
    assert!(!shown.contains('\u{1b}'), "no colours in a pipe");
    assert_eq!(text(&output.stderr), "");
}
