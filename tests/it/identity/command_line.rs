//! `drydock serve --issuer` and `drydock ask --client-id`.

use std::path::Path;
use std::process::{Command, Output};

use rstest::rstest;

use crate::support::identity::Identity;
use crate::support::process::{Server, bundle, drydock, text};

fn serve(data: &Path, identity: &Identity) -> Command {
    let mut command = drydock();
    command.args(["serve", "--port", "0", "--bundle"]).arg(bundle("broken")).arg("--data").arg(data);
    command.args(["--issuer", identity.issuer(), "--allowed-client", "machine-client"]);
    command.args(["--required-scope", "drydock/read"]);
    command
}

async fn started(command: Command) -> Server {
    tokio::task::spawn_blocking(move || Server::start(command)).await.unwrap()
}

async fn output(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
}

fn ask(url: &str, arguments: &[&str]) -> Command {
    let mut command = drydock();
    command.args(["ask", url, "Why is catalog down?"]).args(arguments);
    command
}

/// Each test has a server of its own, which keeps its tasks in this folder.
async fn served() -> (Identity, tempfile::TempDir, Server) {
    let (identity, folder) = (Identity::start().await, tempfile::tempdir().unwrap());
    let server = started(serve(folder.path(), &identity)).await;
    (identity, folder, server)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_with_a_secret_gets_its_answer() {
    let (identity, folder, server) = served().await;
    let file = folder.path().join("secret");
    std::fs::write(&file, "machine-secret\n").unwrap();
    let arguments = ["--client-id", "machine-client", "--client-secret-file", file.to_str().unwrap()];
    let token_url = identity.token_url();
    let by_url = [&arguments[..], &["--token-url", &token_url]].concat();
    let by_issuer = [&arguments[..], &["--issuer", identity.issuer(), "--scope", "drydock/read"]].concat();
    for arguments in [by_url, by_issuer] {
        let Output { status, stdout, stderr } = output(ask(&server.url, &arguments)).await;
        assert_eq!(status.code(), Some(0), "{}", text(&stderr));
        assert!(text(&stdout).contains("catalog"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_url_the_agents_card_is_asked_and_not_obeyed() {
    let (identity, _folder, server) = served().await;
    let mut command = ask(&server.url, &["--client-id", "machine-client"]);
    command.env("DRYDOCK_CLIENT_SECRET", "machine-secret");
    let Output { status, stderr, .. } = output(command).await;
    let error = text(&stderr);
    assert_eq!(status.code(), Some(2));
    assert!(error.contains(&format!("--token-url {}", identity.token_url())), "{error}");
    assert_eq!(identity.seen().tokens(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_is_told_so() {
    let (identity, _folder, server) = served().await;
    let mut other = ask(&server.url, &["--client-id", "other-client", "--token-url", &identity.token_url()]);
    other.env("DRYDOCK_CLIENT_SECRET", "other-secret");
    let scope = identity.mint(&identity.machine("machine-client", "drydock/write"));
    for (command, expected) in [
        (ask(&server.url, &[]), "HTTP 401: it wants a token"),
        (other, "HTTP 401: The token's client is not accepted here"),
        (
            ask(&server.url, &["--token", &scope]),
            "HTTP 403: the token does not allow this, it has to have the scope drydock/read",
        ),
    ] {
        let Output { status, stderr, .. } = output(command).await;
        assert_eq!(status.code(), Some(2));
        assert!(text(&stderr).contains(expected), "{}", text(&stderr));
    }
    let (_, log) = server.stop("TERM");
    assert!(log.contains("client is not accepted"), "{log}");
    assert!(!log.contains("eyJ"), "no token is logged: {log}");
}

#[rstest]
#[case::no_secret(&["--client-id", "c", "--token-url", "https://idp.example/token"], None, 2, "--client-secret-file")]
#[case::no_such_file(&["--client-id", "c", "--client-secret-file", "/nonexistent/secret"], None, 2, "/nonexistent/secret")]
#[case::clear_text(&["--client-id", "c", "--token-url", "http://idp.example/token"], Some("s3cret"), 2, "https")]
#[case::nowhere(&["--client-id", "c"], Some("s3cret"), 2, "--token-url")]
#[case::two_ways(&["--client-id", "c", "--token", "t"], None, 64, "--token")]
#[case::no_id(&["--token-url", "https://idp.example/token"], None, 64, "--client-id")]
#[tokio::test]
async fn what_is_missing_is_said(
    #[case] arguments: &[&str],
    #[case] secret: Option<&str>,
    #[case] code: i32,
    #[case] expected: &str,
) {
    let mut command = ask("http://127.0.0.1:1", arguments);
    if let Some(secret) = secret {
        command.env("DRYDOCK_CLIENT_SECRET", secret);
    }
    let Output { status, stderr, .. } = output(command).await;
    let error = text(&stderr);
    assert_eq!(status.code(), Some(code), "{error}");
    assert!(error.contains(expected) && !error.contains("s3cret"), "{error}");
}

#[rstest]
#[case::whose(&["--auth", "jwt"], "--issuer URL")]
#[case::clear_text(&["--issuer", "http://idp.example.com"], "https")]
#[case::everyone(&["--auth", "none", "--host", "0.0.0.0"], "--allow-unauthenticated")]
#[tokio::test]
async fn a_server_that_would_not_check_does_not_start(#[case] arguments: &[&str], #[case] expected: &str) {
    let mut command = drydock();
    command.args(["serve", "--port", "0", "--bundle"]).arg(bundle("broken")).args(arguments);
    let Output { status, stderr, .. } = output(command).await;
    assert_eq!(status.code(), Some(2));
    assert!(text(&stderr).contains(expected), "{}", text(&stderr));
}
