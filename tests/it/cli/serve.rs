//! `drydock serve`: starting, refusing to start, stopping.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::process::{Server, bundle, drydock, run, text};

fn serve(data: &Path, port: &str) -> Command {
    let mut command = drydock();
    command.args(["serve", "--port", port, "--bundle"]).arg(bundle("broken")).arg("--data").arg(data);
    command
}

fn refused(mut command: Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert_eq!(status.code(), Some(2));
    assert!(stdout.is_empty());
    text(&stderr)
}

#[test]
fn the_server_answers_and_stops_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(serve(folder.path(), "0"));
    let answer = run(&["ask", &server.url, "Why is catalog down?"]);
    assert_eq!(answer.status.code(), Some(0));
    assert!(text(&answer.stdout).contains("catalog"));
    let (code, _) = server.stop("TERM");
    assert_eq!(code, Some(0));
    assert!(folder.path().join("tasks.db").exists(), "tasks are kept");
}

#[test]
fn a_port_that_is_taken_is_said_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let error = refused(serve(folder.path(), &port));
    assert!(error.contains(&port) && error.contains("--port"), "{error}");
}

#[test]
fn two_servers_cannot_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Server::start(serve(folder.path(), "0"));
    let error = refused(serve(folder.path(), "0"));
    assert!(error.contains("in use by another drydock") && error.contains("--data"), "{error}");
}

#[test]
fn an_unprotected_server_is_not_offered_to_the_network_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = serve(folder.path(), "0");
    command.args(["--host", "0.0.0.0"]);
    let error = refused(command);
    assert!(error.contains("--allow-unauthenticated"), "{error}");
}

#[test]
fn a_cluster_that_does_not_answer_is_said_before_anything_listens() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let config = "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
                  clusters: [{ name: c, cluster: { server: 'http://127.0.0.1:9' } }]\n\
                  users: []\ncontexts: [{ name: c, context: { cluster: c, user: '' } }]\n";
    std::fs::write(&kubeconfig, config).unwrap();
    let mut command = drydock();
    command.args(["serve", "--port", "0", "--data"]).arg(folder.path()).env("KUBECONFIG", kubeconfig);
    let error = refused(command);
    assert!(error.contains("127.0.0.1:9"), "{error}");
}

#[test]
fn logs_can_be_json_and_hold_no_questions() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = serve(folder.path(), "0");
    command.args(["--log", "drydock=debug", "--log-format", "json"]);
    let server = Server::start(command);
    let answer = run(&["ask", &server.url, "Why is catalog down, and who is Rumpelstiltskin?"]);
    assert_eq!(answer.status.code(), Some(0));
    let (_, log) = server.stop("INT");
    assert!(!log.is_empty());
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).expect("each line is JSON");
        assert!(line["level"].is_string());
    }
    assert!(!log.contains("Rumpelstiltskin"));
}

#[test]
fn the_card_says_the_public_url() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = serve(folder.path(), "0");
    command.args(["--public-url", "https://drydock.example.com"]);
    let server = Server::start(command);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let card: Value = runtime.block_on(async {
        let card = reqwest::get(format!("{}.well-known/agent-card.json", server.url)).await.unwrap();
        card.json().await.unwrap()
    });
    assert_eq!(card["url"], "https://drydock.example.com/");
}
