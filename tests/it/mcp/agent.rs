//! An agent that works with the tools of a server elsewhere.

use std::process::Command;

use rstest::rstest;

use crate::support::process::{Server, bundle, drydock, run, text};

fn serving(arguments: &[&str]) -> Server {
    let mut command: Command = drydock();
    command.args(arguments);
    Server::start(command)
}

#[rstest]
#[case::of_a_server(false)]
#[case::behind_a_gateway(true)]
fn an_agent_finds_root_causes_with_the_tools_of_a_server_elsewhere(#[case] gateway: bool) {
    let recorded = bundle("broken");
    let tools = serving(&[
        "mcp",
        "--http",
        "--port",
        "0",
        "--allow-sensitive-data",
        "--bundle",
        recorded.to_str().unwrap(),
    ]);
    let target = format!("eks={}", tools.url);
    let gateway = gateway.then(|| serving(&["gateway", "--port", "0", "--target", &target]));
    let url = gateway.as_ref().map_or(&tools.url, |gateway| &gateway.url);
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let agent = serving(&["serve", "--port", "0", "--data", data, "--tools", url]);
    let asked = run(&["ask", &agent.url, "What is wrong?"]);
    let (here, there) =
        (run(&["diagnose", "--bundle", recorded.to_str().unwrap(), "-o", "json"]), text(&asked.stdout));
    assert_eq!(asked.status.code(), Some(0), "{there}{}", text(&asked.stderr));
    let report: serde_json::Value = serde_json::from_str(&text(&here.stdout)).unwrap();
    let title = report["findings"][0]["title"].as_str().unwrap();
    let words = title.split(' ').take(3).collect::<Vec<_>>().join(" ");
    assert!(there.contains(&words), "{title} is not in {there}");
}

#[test]
fn a_server_that_is_not_there_fails_the_task_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let agent = serving(&["serve", "--port", "0", "--data", data, "--tools", "http://127.0.0.1:9/mcp"]);
    let asked = run(&["ask", &agent.url, "What is wrong?"]);
    let said = text(&asked.stdout) + &text(&asked.stderr);
    assert_eq!(asked.status.code(), Some(1), "{said}");
    assert!(said.contains("tools"), "{said}");
}
