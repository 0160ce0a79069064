//! The program as the child of a client.

use std::process::Stdio;

use rmcp::model::CallToolRequestParams;
use rmcp::service::ServiceExt;
use rmcp::transport::TokioChildProcess;
use serde_json::json;
use tokio::process::Command;

use crate::support::process::{bundle, drydock, run, text};

fn child(arguments: &[&str]) -> Command {
    let mut command = drydock();
    command.args(["mcp", "--bundle"]).arg(bundle("broken")).args(arguments);
    Command::from(command)
}

#[tokio::test]
async fn a_client_starts_it_and_gets_root_causes() {
    let client = ().serve(TokioChildProcess::new(child(&[])).unwrap()).await.unwrap();
    let tools = client.list_all_tools().await.unwrap();
    assert_eq!(tools[0].name, "diagnose_cluster");
    let result = client.call_tool(CallToolRequestParams::new("diagnose_cluster")).await.unwrap();
    let report = result.structured_content.unwrap();
    assert!(!report["rootCauses"].as_array().unwrap().is_empty(), "{report}");
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn logs_are_read_where_that_is_allowed() {
    let arguments = json!({ "pod_name": "nothing", "namespace": "nothing" }).as_object().cloned().unwrap();
    for (flags, says) in [(&[][..], "--allow-sensitive-data"), (&["--allow-sensitive-data"], "nothing")] {
        let client = ().serve(TokioChildProcess::new(child(flags)).unwrap()).await.unwrap();
        let call = CallToolRequestParams::new("get_pod_logs").with_arguments(arguments.clone());
        let result = client.call_tool(call).await.unwrap();
        assert_eq!(result.is_error, Some(true));
        let text = &result.content[0].as_text().unwrap().text;
        assert!(text.contains(says), "{text}");
    }
}

#[tokio::test]
async fn it_ends_with_its_client_and_writes_nothing_but_messages() {
    let mut command = child(&[]);
    let output = command.stdin(Stdio::null()).output().await.unwrap();
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), ""));
}

#[test]
fn a_gateway_does_not_let_strangers_change_anything_either() {
    let recorded = bundle("broken");
    let target = ["--target", "own=drydock:", "--bundle", recorded.to_str().unwrap()];
    let strangers = ["gateway", "--host", "0.0.0.0", "--allow-unauthenticated", "--allow-write"];
    let output = run(&[&strangers[..], &target].concat());
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("drop --allow-write"), "{error}");
}

#[test]
fn what_cannot_be_is_said_at_the_start() {
    let recorded = bundle("broken");
    let recorded = recorded.to_str().unwrap();
    for (arguments, says) in [
        (&["--allow-write"][..], "a recording cannot be changed"),
        (&["--audit", "x"], "--allow-write"),
        (&["--issuer", "https://idp.example.com"], "add --http"),
        (&["--http", "--host", "0.0.0.0"], "not a loopback address"),
        (&["--http", "--host", "0.0.0.0", "--allow-unauthenticated", "--allow-write"], "drop --allow-write"),
    ] {
        let output = run(&[&["mcp", "--bundle", recorded], arguments].concat());
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(says), "{error}");
    }
}
