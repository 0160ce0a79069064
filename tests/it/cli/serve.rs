//! `drydock serve`: starting, refusing to start, stopping.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
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

/// The same command where the shell has set this limit of open files.
fn limited(ulimit: &str, command: &Command) -> Command {
    let mut limited = Command::new("/bin/sh");
    limited.args(["-c", &format!(r#"ulimit {ulimit} && exec "$0" "$@""#)]);
    limited.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.arg(command.get_program()).args(command.get_args());
    limited
}

/// A connection with a request that waits for its answer.
fn asking(server: &Server) -> TcpStream {
    let mut connection = TcpStream::connect(format!("127.0.0.1:{}", server.port())).unwrap();
    connection.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    connection
}

/// The connection, kept open, when its request is answered.
fn answered(mut connection: TcpStream) -> TcpStream {
    let mut answer = [0; 12];
    connection.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    connection
}

const NO_FILES: &str = "no connection can be accepted";

#[test]
fn the_server_takes_all_the_open_files_that_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(limited("-S -n 128", &serve(folder.path(), "0")));
    let open: Vec<TcpStream> = (0..200).map(|_| answered(asking(&server))).collect();
    drop(open);
    let (_, log) = server.stop("TERM");
    assert!(!log.contains(NO_FILES), "{log}");
}

#[test]
fn connections_for_which_there_are_no_open_files_wait_for_their_turn() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(limited("-n 128", &serve(folder.path(), "0")));
    let mut open: VecDeque<TcpStream> = (0..64).map(|_| answered(asking(&server))).collect();
    let waiting: Vec<TcpStream> = (0..100).map(|_| asking(&server)).collect();
    for connection in waiting {
        drop(open.pop_front());
        open.push_back(answered(connection));
    }
    let (_, log) = server.stop("TERM");
    assert!(!log.contains(NO_FILES), "{log}");
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
