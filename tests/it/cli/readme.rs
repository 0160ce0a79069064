//! What README.md shows is what the programs print.

use std::collections::BTreeSet;

use crate::support::process::{run, text};

const README: &str = include_str!("../../../README.md");

/// The lines between two marks, shortened ones up to their dots.
fn shown_lines() -> Vec<&'static str> {
    let (_, rest) = README.split_once("````text\n").expect("the demo's output is shown");
    let (shown, _) = rest.split_once("\n````").expect("the block ends");
    shown.lines().map(|line| line.strip_suffix("...").unwrap_or(line)).collect()
}

/// Lines that differ from run to run, or are the README's own.
fn varies(line: &str) -> bool {
    let signs = ["http://127.0.0.1", "task ", " ms", "[..."];
    line.trim().is_empty() || signs.iter().any(|sign| line.contains(sign))
}

#[test]
fn the_readme_shows_what_the_demo_prints() {
    let output = run(&["demo", "--once"]);
    let printed = text(&output.stdout);
    for line in shown_lines().into_iter().filter(|line| !varies(line)) {
        assert!(printed.lines().any(|real| real.starts_with(line)), "the demo does not print: {line}");
    }
}

#[test]
fn the_readme_lists_every_command() {
    let help = run(&["--help"]);
    let help = text(&help.stdout);
    let (_, rest) = help.split_once("Commands:\n").expect("the help lists commands");
    let (list, _) = rest.split_once("\n\n").expect("the list ends");
    let names: BTreeSet<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    for name in names.into_iter().filter(|name| *name != "help") {
        assert!(README.contains(&format!("| `drydock {name}")), "the README does not list {name}");
    }
}
