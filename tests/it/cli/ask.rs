//! `drydock ask`: what goes where, and the exit codes.

use std::process::{Output, Stdio};
use std::sync::Arc;

use drydock::a2a::types::TaskState;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::process::{drydock, send_signal, text};
use crate::support::{Puppet, TestAgent};

async fn ask(url: &str, arguments: &[&str]) -> Output {
    let mut command = drydock();
    command.arg("ask").arg(url).args(arguments);
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
}

#[rstest]
#[case::completes("hello", 0)]
#[case::asks_back("ask", 0)]
#[case::fails("fail", 1)]
#[case::rejects("reject", 1)]
#[tokio::test]
async fn the_exit_code_says_how_the_task_ended(#[case] question: &str, #[case] code: i32) {
    let agent = TestAgent::scripted().await;
    let output = ask(&agent.url, &[question]).await;
    assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
}

#[tokio::test]
async fn the_answer_goes_to_stdout_and_progress_to_stderr() {
    let agent = TestAgent::scripted().await;
    let output = ask(&agent.url, &["hello", "there"]).await;
    assert_eq!(text(&output.stdout), "You said: hello there\n");
    let progress = text(&output.stderr);
    assert!(progress.contains("submitted\nworking\n") && progress.ends_with("completed\n"), "{progress}");
}

#[tokio::test]
async fn json_is_the_task_as_it_is_in_the_end() {
    let agent = TestAgent::scripted().await;
    let output = ask(&agent.url, &["hello", "-o", "json"]).await;
    let task: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(task, agent.v1("GetTask", json!({ "id": task["id"] })).await["result"]);
}

#[tokio::test]
async fn a_task_that_asks_back_can_be_gone_on_with() {
    let agent = TestAgent::scripted().await;
    let asked = ask(&agent.url, &["ask", "-o", "json"]).await;
    let task: Value = serde_json::from_slice(&asked.stdout).unwrap();
    let id = task["id"].as_str().unwrap();
    let answered = ask(&agent.url, &["shop", "--task", id, "-o", "json"]).await;
    let task: Value = serde_json::from_slice(&answered.stdout).unwrap();
    assert_eq!((&task["id"], &task["status"]["state"]), (&json!(id), &json!("TASK_STATE_COMPLETED")));
}

#[tokio::test]
async fn a_conversation_can_be_gone_on_with() {
    let agent = TestAgent::scripted().await;
    let output = ask(&agent.url, &["hello", "--context-id", "my-conversation", "-o", "json"]).await;
    let task: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(task["contextId"], "my-conversation");
}

#[rstest]
#[case::nobody_there("http://127.0.0.1:9")]
#[case::no_url("http://")]
#[tokio::test]
async fn an_agent_that_cannot_be_reached_is_no_failed_task(#[case] url: &str) {
    let output = ask(url, &["hello"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("drydock: "));
}

#[tokio::test]
async fn what_an_agent_says_cannot_steer_the_terminal() {
    let agent = TestAgent::scripted().await;
    let output = ask(&agent.url, &["\u{1b}]0;owned\u{7}\u{1b}[2J"]).await;
    assert!(text(&output.stdout).contains("\\x1b[2J"));
    for stream in [&output.stdout, &output.stderr] {
        assert!(!stream.contains(&0x1b) && !stream.contains(&0x07));
    }
}

#[tokio::test]
async fn ctrl_c_cancels_the_task() {
    let puppet = Arc::new(Puppet::default());
    let agent = TestAgent::start(Arc::clone(&puppet) as _).await;
    let mut command = drydock();
    command.args(["ask", &agent.url, "x"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let strings = puppet.next().await;
    strings.answer(&["the first line\n"]);
    // Its first output says that the task is known to it.
    let (first, child) = tokio::task::spawn_blocking(|| first_line(child)).await.unwrap();
    assert_eq!(first, "the first line\n");
    send_signal("INT", child.id());
    strings.request.cancellation.cancelled().await;
    strings.status(TaskState::Canceled);
    let output = tokio::task::spawn_blocking(|| child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).ends_with("canceled\n"), "{}", text(&output.stderr));
}

fn first_line(mut child: std::process::Child) -> (String, std::process::Child) {
    use std::io::{BufRead, BufReader};
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (line, child)
}

#[tokio::test]
async fn a_token_is_never_logged() {
    let agent = TestAgent::scripted().await;
    let output = ask(&agent.url, &["hello", "--token", "s3cret", "--log", "trace"]).await;
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("TRACE"), "the log is on");
    assert!(!text(&output.stderr).contains("s3cret"));
}
