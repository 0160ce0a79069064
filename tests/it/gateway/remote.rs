//! The tools of another server: listed, called, canceled, and called again when the server was away.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use drydock::mcp::{Credentials, Program, RemoteToolbox};
use drydock::tools::{CallContext, Toolbox};
use rstest::rstest;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tower::ServiceExt;

use super::{call, caller, names};
use crate::support::mcp_server::{McpStandIn, silent_port};

const TOOLS: [&str; 6] = ["echo", "slow", "large", "ask", "broken", "plan"];

async fn remote(server: &McpStandIn) -> RemoteToolbox {
    RemoteToolbox::at("other", &server.start().await, Credentials::None).unwrap()
}

#[rstest]
#[case::of_sessions(McpStandIn::legacy())]
#[case::without_sessions(McpStandIn::default())]
#[tokio::test]
async fn all_pages_are_listed_as_they_were_said(#[case] server: McpStandIn) {
    let remote = remote(&server).await;
    assert_eq!(server.seen().len(), 0, "nothing is asked before the first use");
    let tools = remote.list(&caller()).await.unwrap();
    assert_eq!(tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), TOOLS);
    let (echo, slow, large) = (&tools[0], &tools[1], &tools[2]);
    assert_eq!((&*echo.title, &*slow.title, &*large.title), ("Echo", "Slow", "large"));
    assert_eq!(&*echo.description, "Says the same again");
    assert_eq!(echo.input_schema["properties"]["text"]["type"], "string");
    let output = echo.output_schema.as_ref().unwrap();
    assert_eq!(
        (&output["properties"]["said"]["type"], &output["required"]),
        (&json!("string"), &json!(null))
    );
    assert!(echo.annotations.read_only_hint && !echo.annotations.open_world_hint);
    assert!(!slow.annotations.read_only_hint && !slow.annotations.destructive_hint);
    let unsaid = large.annotations;
    assert!(!unsaid.read_only_hint && unsaid.destructive_hint && unsaid.open_world_hint);
}

#[rstest]
#[case::of_sessions(McpStandIn::legacy())]
#[case::without_sessions(McpStandIn::default())]
#[tokio::test]
async fn a_call_gives_what_the_tool_gave(#[case] server: McpStandIn) {
    let remote = remote(&server).await;
    let outcome = call(&remote, "echo", json!({ "text": "hi" })).await;
    assert_eq!((outcome.is_error, &outcome.structured), (false, &json!({ "said": "hi" })));
    let outcome = call(&remote, "broken", json!({})).await;
    assert_eq!((outcome.is_error, outcome.text.as_str()), (true, "it is broken"));
    assert_eq!(outcome.structured, json!({ "error": "it is broken" }));
    let outcome = call(&remote, "nothing", json!({})).await;
    assert_eq!((outcome.is_error, outcome.unreachable), (true, false));
    assert_eq!(outcome.text, "other refused it: there is no such tool at all");
}

#[tokio::test]
async fn a_long_answer_is_cut() {
    let remote = remote(&McpStandIn::default()).await;
    let cx = CallContext { max_bytes: 1000, ..caller() };
    let outcome = remote.call("large", json!({}), &cx).await;
    assert!(outcome.truncated && outcome.text.len() <= 1000);
    assert!(outcome.structured.to_string().len() <= 1000 && outcome.structured["lines"][0] == "line 0");
}

#[tokio::test]
async fn a_plan_that_waits_for_approval_is_passed_on() {
    let pending = call(&remote(&McpStandIn::default()).await, "plan", json!({})).await.pending.unwrap();
    assert_eq!(
        (pending.question.as_str(), pending.plan_token.as_str()),
        ("delete it on cluster prod?", "t0k")
    );
}

#[tokio::test]
async fn what_asks_a_person_says_that_an_approval_is_needed() {
    let outcome = call(&remote(&McpStandIn::default()).await, "ask", json!({})).await;
    assert!(
        outcome.is_error && !outcome.unreachable && outcome.text.contains("approval"),
        "{}",
        outcome.text
    );
}

#[rstest]
#[case::of_sessions(McpStandIn::legacy())]
#[case::without_sessions(McpStandIn::default())]
#[tokio::test]
async fn progress_comes_through_and_cancellation_goes_through(#[case] server: McpStandIn) {
    let remote = remote(&server).await;
    let (reports, mut told) = mpsc::channel(8);
    let cx = CallContext { progress: Some(reports), ..caller() };
    let mut called = remote.call("slow", json!({}), &cx);
    let begun = async {
        for (done, says) in [(1, "one"), (2, "two")] {
            let progress = told.recv().await.unwrap();
            assert_eq!((progress.done, progress.total, progress.says.as_str()), (done, Some(3), says));
        }
        server.started().await;
    };
    tokio::select! {
        outcome = &mut called => panic!("it waits for ever: {}", outcome.text),
        () = begun => cx.cancellation.cancel(),
    }
    let outcome = called.await;
    assert_eq!((outcome.is_error, outcome.text.as_str()), (true, "canceled"));
    server.canceled().await;
    assert!(!call(&remote, "echo", json!({})).await.is_error, "the connection goes on");
}

#[rstest]
#[case::of_sessions(McpStandIn::legacy())]
#[case::without_sessions(McpStandIn::default())]
#[tokio::test]
async fn a_call_that_is_dropped_is_canceled_at_the_server(#[case] server: McpStandIn) {
    let remote = remote(&server).await;
    tokio::select! {
        outcome = call(&remote, "slow", json!({})) => panic!("it waits for ever: {}", outcome.text),
        () = server.started() => {}
    }
    server.canceled().await;
}

#[tokio::test]
async fn slow_calls_do_not_hold_up_others() {
    let server = McpStandIn::default();
    let remote = Arc::new(remote(&server).await);
    for _ in 0..40 {
        let remote = Arc::clone(&remote);
        tokio::spawn(async move { call(&*remote, "slow", json!({})).await });
        server.started().await;
    }
    assert!(!call(&*remote, "echo", json!({})).await.is_error);
}

#[tokio::test]
async fn tools_are_listed_once_for_all_who_ask() {
    let server = McpStandIn::default();
    let remote = remote(&server).await;
    let lists = futures::future::join_all((0..20).map(|_| names(&remote))).await;
    assert!(lists.iter().all(|names| names == &TOOLS));
    assert_eq!(server.lists(), 1);
}

#[tokio::test]
async fn a_list_that_takes_too_much_memory_ends() {
    let server = McpStandIn::default();
    server.behave(|behaviour| behaviour.heavy = true);
    let refused = remote(&server).await.list(&caller()).await.unwrap_err().to_string();
    assert!(refused.contains("too long ones"), "{refused}");
}

#[tokio::test]
async fn a_list_without_end_ends() {
    let server = McpStandIn::default();
    server.behave(|behaviour| behaviour.endless = true);
    let refused = remote(&server).await.list(&caller()).await.unwrap_err().to_string();
    assert!(refused.contains("lists its tools without end"), "{refused}");
}

#[tokio::test]
async fn nobody_there_is_said_in_one_line() {
    let (_socket, address) = silent_port();
    let remote = RemoteToolbox::at("other", &format!("http://{address}/mcp"), Credentials::None).unwrap();
    let outcome = call(&remote, "echo", json!({})).await;
    assert_eq!((outcome.is_error, outcome.unreachable), (true, true));
    assert_eq!(outcome.text, "other cannot be reached: check that it runs, and its address");
}

#[tokio::test]
async fn a_server_that_comes_up_meanwhile_is_found() {
    let (socket, address) = silent_port();
    let remote = RemoteToolbox::at("other", &format!("http://{address}/mcp"), Credentials::None).unwrap();
    let server = McpStandIn::default();
    let come_up = async {
        // The first attempt fails at once; the pause after it is longer than this.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        server.serve(socket.listen(16).unwrap());
    };
    let (outcome, ()) = tokio::join!(call(&remote, "echo", json!({ "text": "hi" })), come_up);
    assert_eq!(outcome.text, r#"{"said":"hi"}"#);
    assert_eq!(server.calls(), 1);
}

/// Serves whatever server is in it at the moment: a process that is started anew, and knows no session of before.
async fn restartable(server: Arc<Mutex<Router>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let current = Router::new().fallback(move |request: Request| {
        let router = server.lock().unwrap().clone();
        async move { router.oneshot(request).await }
    });
    tokio::spawn(axum::serve(listener, current).into_future());
    url
}

#[tokio::test]
async fn a_session_that_the_server_lost_is_renewed() {
    let server = McpStandIn::legacy();
    let current = Arc::new(Mutex::new(server.router()));
    let url = restartable(Arc::clone(&current)).await;
    let remote = RemoteToolbox::at("other", &url, Credentials::None).unwrap();
    assert!(!call(&remote, "echo", json!({})).await.is_error);
    *current.lock().unwrap() = server.router();
    let outcome = call(&remote, "echo", json!({ "text": "again" })).await;
    assert_eq!(outcome.text, r#"{"said":"again"}"#);
    assert_eq!(server.calls(), 2);
}

#[rstest]
#[case::a_fault(500, "answered HTTP 500", true)]
#[case::the_wrong_path(404, "answered HTTP 404: check the path", true)]
#[case::another_way(405, "HTTP 405", false)]
#[case::no_right(403, "does not let these credentials do that", false)]
#[tokio::test]
async fn what_http_says_is_told(#[case] status: u16, #[case] says: &str, #[case] unreachable: bool) {
    let server = McpStandIn::default();
    server.behave(|behaviour| behaviour.fails_with = Some(status));
    let outcome = call(&remote(&server).await, "echo", json!({})).await;
    assert!(outcome.is_error && outcome.text.contains(says), "{}", outcome.text);
    assert_eq!(outcome.unreachable, unreachable);
}

#[tokio::test]
async fn a_program_that_is_not_there_is_said_in_one_line() {
    let program =
        Program { program: "/no/such/program".to_owned(), arguments: Vec::new(), environment: Vec::new() };
    let outcome = call(&RemoteToolbox::run("local", program), "echo", json!({})).await;
    assert!(outcome.unreachable && outcome.text.contains("\"/no/such/program\""), "{}", outcome.text);
}

#[tokio::test]
async fn a_program_serves_its_tools_and_is_started_again_when_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let drydock = env!("CARGO_BIN_EXE_drydock");
    let script =
        format!("echo $$ >> {}; exec {drydock} mcp --bundle tests/fixtures/clusters/healthy", pids.display());
    let program = Program {
        program: "/bin/sh".to_owned(),
        arguments: vec!["-c".to_owned(), script],
        environment: Vec::new(),
    };
    let remote = RemoteToolbox::run("local", program);
    assert!(names(&remote).await.contains(&"diagnose_cluster".to_owned()));
    let outcome = call(&remote, "current_time", json!({})).await;
    assert!(!outcome.is_error, "{}", outcome.text);
    let pid = std::fs::read_to_string(&pids).unwrap();
    // One that is asked to stop may still answer what reaches it meanwhile.
    assert!(std::process::Command::new("kill").args(["-9", pid.trim()]).status().unwrap().success());
    let outcome = call(&remote, "current_time", json!({})).await;
    assert!(!outcome.is_error, "{}", outcome.text);
    assert_eq!(std::fs::read_to_string(&pids).unwrap().lines().count(), 2);
}
