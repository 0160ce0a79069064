//! `drydock tasks`: looking at what a server keeps, while it runs and after.

use std::path::Path;

use rstest::rstest;
use serde_json::{Value, json};

use crate::push::{begin, ended, scripted};
use crate::support::process::{run, text};
use crate::support::{Receiver, Reply, v1_message};

fn tasks(data: &Path, arguments: &[&str]) -> String {
    let output = run(&[&["tasks"], arguments, &["--data", data.to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn json_of(data: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&tasks(data, &[arguments, &["-o", "json"]].concat())).unwrap()
}

#[tokio::test]
async fn tasks_are_listed_while_the_server_runs_and_after_it() {
    let agent = scripted().await;
    let long = format!("\u{1b}[31mred {}", "x".repeat(200));
    let first = agent.v1("SendMessage", v1_message(&long)).await["result"]["task"]["id"].clone();
    let second = begin(&agent, "hold", None).await;
    let list = json_of(agent.folder(), &["list"]);
    let ids: Vec<&Value> = list["tasks"].as_array().unwrap().iter().map(|task| &task["id"]).collect();
    assert_eq!(ids, [&json!(second), &first], "what changed last comes first");
    assert_eq!(list["tasks"][1]["state"], "TASK_STATE_COMPLETED");
    assert_eq!((&list["tasks"][1]["owner"], &list["tasks"][1]["entries"]), (&json!("anonymous"), &json!(6)));
    let folder = agent.stop().await;
    let shown = tasks(folder.path(), &["list"]);
    let line = shown.lines().find(|line| line.contains(first.as_str().unwrap())).unwrap();
    assert!(line.contains("completed") && line.contains("\\x1b[31mred") && line.ends_with('…'), "{line}");
    assert_eq!(json_of(folder.path(), &["list", "--limit", "1"])["tasks"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_task_is_shown_with_its_log_and_where_its_notifications_are() {
    let (agent, receiver) = (scripted().await, Receiver::start().await);
    let config = json!({
        "id": "c1", "url": receiver.url(), "token": "t-0k3n",
        "authentication": { "scheme": "Bearer", "credentials": "s3cret" },
    });
    let task = begin(&agent, "hello", Some(config)).await;
    ended(&agent, &task).await;
    let shown = tasks(agent.folder(), &["show", &task]);
    for expected in ["created", "working", "artifact answer: +", "completed", "done  c1", "delivered up to 6"]
    {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    assert!(shown.contains(&format!("http://{}", receiver.address)), "{shown}");
    let json = json_of(agent.folder(), &["show", &task]);
    assert_eq!(json["task"]["artifacts"][0]["parts"][0]["text"], "You said: hello\n");
    assert_eq!(json["log"].as_array().unwrap().len(), 6);
    assert_eq!(json["pushNotifications"][0]["delivered"], 6);
    for secret in ["t-0k3n", "s3cret", "in-the-url"] {
        assert!(!shown.contains(secret) && !json.to_string().contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn dead_letters_are_seen_with_their_reason() {
    let (agent, receiver) = (scripted().await, Receiver::answering([Reply::Status(410)]).await);
    assert!(tasks(agent.folder(), &["list", "--dead"]).contains("no push notifications were given up"));
    let task = begin(&agent, "hello", Some(json!({ "id": "c1", "url": receiver.url() }))).await;
    ended(&agent, &task).await;
    let dead = json_of(agent.folder(), &["list", "--dead"]);
    let letter = &dead["pushNotifications"][0];
    assert_eq!((&letter["taskId"], &letter["id"]), (&json!(task), &json!("c1")));
    assert_eq!((&letter["state"], &letter["attempts"]), (&json!("dead"), &json!(1)));
    assert!(letter["lastError"].as_str().unwrap().contains("410"), "{letter}");
    let shown = tasks(agent.folder(), &["list", "--dead"]);
    assert!(shown.contains(&task) && shown.contains("dead  c1") && shown.contains("410"), "{shown}");
}

#[rstest]
#[case::a_list(&["list"])]
#[case::a_task(&["show", "x"])]
fn a_folder_without_tasks_is_said_with_what_to_do(#[case] arguments: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&[&["tasks"], arguments, &["--data", folder.path().to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--data"), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "looking makes nothing");
}

#[tokio::test]
async fn an_unknown_task_is_said() {
    let agent = scripted().await;
    let output = run(&["tasks", "show", "nobody", "--data", agent.folder().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("there is no task nobody"), "{}", text(&output.stderr));
}
