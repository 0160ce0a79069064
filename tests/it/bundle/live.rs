//! A live cluster, reached as users reach theirs: by the program, through a kubeconfig file.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use drydock::cluster::{Bundle, BundleApi};
use rstest::rstest;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::{bundle_of, contents, files};

const TOKEN: &str = "let-me-in";

/// An API server that wants a token.
async fn api_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it listens"));
    let api = BundleApi::new(Arc::new(bundle_of(&files())));
    let router = Router::new().fallback_service(api).layer(middleware::from_fn(check_token));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn check_token(request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if given == Some(&format!("Bearer {TOKEN}")) {
        return next.run(request).await;
    }
    let status = json!({ "kind": "Status", "status": "Failure", "reason": "Unauthorized", "code": 401, "message": "Unauthorized" });
    (StatusCode::UNAUTHORIZED, axum::Json(status)).into_response()
}

/// A kubeconfig with one context, `shop`, whose cluster entry is called `shop-cluster`.
fn kubeconfig(folder: &Path, server: &str, user: &serde_json::Value) {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "shop",
        "clusters": [{ "name": "shop-cluster", "cluster": { "server": server } }],
        "contexts": [{ "name": "shop", "context": { "cluster": "shop-cluster", "user": "me" } }],
        "users": [{ "name": "me", "user": user }],
    });
    std::fs::write(folder.join("kubeconfig"), config.to_string()).expect("a kubeconfig can be written");
}

/// Runs the program with the kubeconfig of this folder and nothing else of the environment.
async fn drydock(folder: &Path, arguments: &[&str]) -> Output {
    drydock_with(folder, arguments, &[]).await
}

/// Runs the program with the kubeconfig of this folder and these variables.
async fn drydock_with(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drydock"));
    command.args(arguments).current_dir(folder).env_clear().env("KUBECONFIG", folder.join("kubeconfig"));
    command.envs(variables.iter().copied());
    let run = tokio::task::spawn_blocking(move || command.output()).await;
    run.expect("it does not panic").expect("the program starts")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[rstest]
#[case::current_context(&["bundle", "capture", "recorded"])]
#[case::named_context(&["bundle", "capture", "recorded", "--context", "shop"])]
#[tokio::test]
async fn a_live_cluster_is_recorded_through_its_kubeconfig(#[case] arguments: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    kubeconfig(folder.path(), &api_server().await, &json!({ "token": TOKEN }));
    let output = drydock(folder.path(), arguments).await;
    assert!(output.status.success(), "{}", stderr(&output));
    let bundle = Bundle::load(&folder.path().join("recorded")).unwrap();
    assert_eq!(
        (bundle.info().name.as_str(), bundle.info().version.as_deref()),
        ("shop-cluster", Some("v1.31.4"))
    );
    let recorded = contents(&folder.path().join("recorded"));
    let log = recorded.iter().find(|(name, _)| name == "logs/shop/web-1/app.previous.log");
    assert_eq!(log.map(|(_, content)| content.as_str()), Some("2025-03-11T07:40:00Z it crashed\n"));
    assert!(output.stdout.is_empty(), "a recording has no result on stdout");
}

#[rstest]
#[case::wrong_token(json!({ "token": "wrong" }), &[], "does not accept the credentials")]
#[case::unknown_context(json!({ "token": TOKEN }), &["--context", "shpo"], "no context \"shpo\"; it has: shop")]
#[case::no_such_program(json!({ "exec": { "apiVersion": "client.authentication.k8s.io/v1", "command": "/nowhere/aws" } }),
    &[], "not installed")]
#[case::program_without_a_token(json!({ "exec": { "apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/echo",
    "args": ["hunter2"] } }), &[], "credentials in the kubeconfig cannot be used")]
#[tokio::test]
async fn what_is_wrong_with_the_way_to_a_cluster_is_said(
    #[case] user: serde_json::Value,
    #[case] more: &[&str],
    #[case] said: &str,
) {
    let folder = tempfile::tempdir().unwrap();
    kubeconfig(folder.path(), &api_server().await, &user);
    let output = drydock(folder.path(), &[&["bundle", "capture", "recorded"], more].concat()).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains(said), "{}", stderr(&output));
    assert!(!stderr(&output).contains("hunter2"), "{}", stderr(&output));
    assert!(!folder.path().join("recorded").exists());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_to_refuse() {
    let folder = tempfile::tempdir().unwrap();
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    kubeconfig(folder.path(), &format!("http://{address}"), &json!({}));
    let output = drydock(folder.path(), &["bundle", "capture", "recorded"]).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("connection refused"), "{}", stderr(&output));
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
}

#[tokio::test]
async fn without_a_kubeconfig_the_ways_to_get_one_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let output = drydock(folder.path(), &["bundle", "capture", "recorded"]).await;
    assert_eq!(output.status.code(), Some(2));
    for way in ["KUBECONFIG", "aws eks update-kubeconfig", "--bundle"] {
        assert!(stderr(&output).contains(way), "{}", stderr(&output));
    }
}

#[tokio::test]
async fn a_broken_kubeconfig_does_not_show_its_content() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("kubeconfig"), "users:\n- token: hunter2: }\n").unwrap();
    let output = drydock(folder.path(), &["bundle", "capture", "recorded"]).await;
    assert!(stderr(&output).contains("not valid YAML"), "{}", stderr(&output));
    assert!(!stderr(&output).contains("hunter2"), "{}", stderr(&output));
}

/// A proxy that lets everyone through to one address, and writes down where they wanted to go, and as whom.
async fn proxy(to: String) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (seen, to) = (Arc::clone(&seen), to.clone());
            tokio::spawn(async move {
                let mut client = BufReader::new(client);
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") && client.read_line(&mut head).await.unwrap() > 0 {}
                seen.lock().unwrap().push(head);
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let mut server = TcpStream::connect(to).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (address, asked)
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_used_with_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let server = api_server().await;
    let (proxy, asked) = proxy(server.trim_start_matches("http://").to_owned()).await;
    kubeconfig(folder.path(), "http://shop.invalid", &json!({ "token": TOKEN }));
    let variables =
        [("ALL_PROXY", format!("http://me:p%40ss@{proxy}")), ("NO_PROXY", "127.0.0.1,".to_owned())];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let output = drydock_with(folder.path(), &["bundle", "capture", "recorded"], &variables).await;
    assert!(output.status.success(), "{}", stderr(&output));
    let asked = asked.lock().unwrap().concat();
    assert!(asked.contains("CONNECT shop.invalid:"), "{asked}");
    // me:p@ss
    assert!(
        asked.to_lowercase().contains(&"proxy-authorization: Basic bWU6cEBzcw==".to_lowercase()),
        "{asked}"
    );
}

#[tokio::test]
async fn a_cluster_that_no_proxy_names_is_reached_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let (proxy, asked) = proxy("127.0.0.1:1".to_owned()).await;
    kubeconfig(folder.path(), "http://shop.invalid", &json!({ "token": TOKEN }));
    let proxy = format!("http://{proxy}");
    let variables = [("ALL_PROXY", proxy.as_str()), ("HTTPS_PROXY", &proxy), ("NO_PROXY", "shop.invalid")];
    let output = drydock_with(folder.path(), &["bundle", "capture", "recorded"], &variables).await;
    assert!(stderr(&output).contains("name cannot be resolved"), "{}", stderr(&output));
    assert_eq!(asked.lock().unwrap().len(), 0);
}
