//! Several servers behind one: the command, who may see and call what, and what goes through in both directions.

use std::sync::Arc;
use std::time::Duration;

use drydock::app::{ConnectionLimits, McpSettings, serve_mcp};
use drydock::auth::{Authenticator, IssuerSettings, Scopes, TokenSource};
use drydock::mcp::{BareNames, Credentials, Gateway, McpServer, Offer, RemoteToolbox, Target};
use drydock::tools::{CallContext, Toolbox};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::{call, caller, names};
use crate::support::identity::Identity;
use crate::support::mcp_server::{McpStandIn, silent_port};
use crate::support::process::{Server, drydock};

const SEARCH: &str = "x_amz_bedrock_agentcore_search";

/// A gateway in this process, over HTTP, in front of this server.
async fn in_front_of(server: &McpStandIn, authenticator: Authenticator, credentials: Credentials) -> String {
    let pass_tokens = matches!(credentials, Credentials::PassThrough);
    let toolbox = Arc::new(RemoteToolbox::at("one", &server.start().await, credentials).unwrap());
    let target = Target { name: "one".to_owned(), toolbox, timeout: Duration::from_secs(30) };
    let gateway = Arc::new(Gateway::new(vec![target]).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let settings = McpSettings {
        authenticator,
        public_url: None,
        stateless: false,
        connections: ConnectionLimits::default(),
    };
    let served = McpServer::over_http(Offer { pass_tokens, ..Offer::gateway(gateway) });
    tokio::spawn(serve_mcp(served, settings, listener, std::future::pending()));
    url
}

fn trusting(identity: &Identity) -> Authenticator {
    let issuer = IssuerSettings { url: identity.issuer().to_owned(), ..IssuerSettings::default() };
    let scopes =
        Scopes { required: vec!["drydock/read".to_owned()], write: Some("drydock/write".to_owned()) };
    Authenticator::jwt([issuer]).unwrap().with_scopes(scopes)
}

fn with_token(url: &str, identity: &Identity, scopes: &str) -> RemoteToolbox {
    let token = identity.mint(&identity.machine("machine-client", scopes));
    RemoteToolbox::at("gateway", url, Credentials::Token(TokenSource::fixed(token.into()))).unwrap()
}

#[tokio::test]
async fn the_command_serves_servers_and_its_own_tools_as_one() {
    let (first, second, (_socket, silent)) = (McpStandIn::default(), McpStandIn::legacy(), silent_port());
    let (first_url, second_url) = (first.start().await, second.start().await);
    let gateway = tokio::task::spawn_blocking(move || {
        let mut command = drydock();
        command.args(["gateway", "--port", "0", "--bundle", "tests/fixtures/clusters/healthy"]);
        command.args([
            "--target",
            &format!("first={first_url}"),
            "--target",
            &format!("second={second_url}"),
        ]);
        command.args(["--target", &format!("gone=http://{silent}/mcp"), "--target", "own=drydock:"]);
        command.args(["--target-auth", "first=header:X-Api-Key:env=KEY"]).env("KEY", "s3cr3t");
        Server::start(command)
    });
    let gateway = gateway.await.unwrap();
    let remote = RemoteToolbox::at("gateway", &gateway.url, Credentials::None).unwrap();
    let tools = names(&remote).await;
    assert_eq!(tools[..3], [SEARCH, "first___echo", "first___slow"]);
    let own = tools.iter().position(|name| name == "own___diagnose_cluster").unwrap();
    let last = tools.iter().rposition(|name| name.starts_with("second___")).unwrap();
    assert!(last < own && !tools.iter().any(|name| name.starts_with("gone___")), "{tools:?}");
    let outcome = call(&remote, "second___echo", json!({ "text": "hi" })).await;
    assert_eq!(outcome.structured, json!({ "said": "hi" }));
    assert!(first.seen().iter().all(|headers| headers["x-api-key"] == "s3cr3t"));
    assert!(second.seen().iter().all(|headers| !headers.contains_key("x-api-key")));
    let outcome = call(&remote, "gone___echo", json!({})).await;
    assert!(outcome.is_error && outcome.text.contains("gone cannot be reached"), "{}", outcome.text);
    let found = call(&remote, SEARCH, json!({ "query": "say the same again" })).await;
    assert_eq!(found.structured["tools"][0]["name"], "first___echo");
    let (code, error) = gateway.stop("TERM");
    assert!(code == Some(0) && !error.contains("s3cr3t"), "{error}");
}

#[tokio::test]
async fn an_agent_uses_the_names_it_knows() {
    let url = in_front_of(&McpStandIn::default(), Authenticator::anonymous(), Credentials::None).await;
    let remote = RemoteToolbox::at("gateway", &url, Credentials::None).unwrap();
    let agent = BareNames::new(Arc::new(remote));
    for name in ["echo", "one___echo", "OtherTarget___echo"] {
        let outcome = call(&agent, name, json!({ "text": "hi" })).await;
        assert_eq!(outcome.is_error, name.starts_with("Other"), "{name}: {}", outcome.text);
    }
    assert!(names(&agent).await.contains(&"echo".to_owned()));
}

#[tokio::test]
async fn progress_and_cancellation_go_through() {
    let server = McpStandIn::default();
    let url = in_front_of(&server, Authenticator::anonymous(), Credentials::None).await;
    let remote = RemoteToolbox::at("gateway", &url, Credentials::None).unwrap();
    let (reports, mut told) = mpsc::channel(8);
    let cx = CallContext { progress: Some(reports), ..caller() };
    let mut called = remote.call("one___slow", json!({}), &cx);
    let begun = async {
        let says = [told.recv().await.unwrap().says, told.recv().await.unwrap().says];
        assert_eq!(says, ["one", "two"]);
        server.started().await;
    };
    tokio::select! {
        outcome = &mut called => panic!("it waits for ever: {}", outcome.text),
        () = begun => cx.cancellation.cancel(),
    }
    called.await;
    server.canceled().await;
}

#[tokio::test]
async fn a_caller_without_the_scope_for_writing_reads_only() {
    let (server, identity) = (McpStandIn::default(), Identity::start().await);
    let url = in_front_of(&server, trusting(&identity), Credentials::None).await;
    let reader = with_token(&url, &identity, "drydock/read");
    assert_eq!(names(&reader).await, [SEARCH, "one___echo"]);
    assert!(!call(&reader, "one___echo", json!({})).await.is_error);
    let refused = call(&reader, "one___plan", json!({})).await;
    assert!(refused.text.contains("needs the scope for writing") && server.calls() == 1, "{}", refused.text);
    let writer = with_token(&url, &identity, "drydock/read drydock/write");
    assert_eq!(names(&writer).await.len(), 7);
    assert!(!call(&writer, "one___plan", json!({})).await.is_error);
}

#[tokio::test]
async fn a_callers_token_reaches_the_target_only_where_that_is_wanted() {
    let identity = Identity::start().await;
    for passes in [false, true] {
        let server = McpStandIn::default();
        let credentials = if passes { Credentials::PassThrough } else { Credentials::None };
        let url = in_front_of(&server, trusting(&identity), credentials).await;
        let token = identity.mint(&identity.machine("machine-client", "drydock/read"));
        let caller = Credentials::Token(TokenSource::fixed(token.clone().into()));
        let remote = RemoteToolbox::at("gateway", &url, caller).unwrap();
        let outcome = call(&remote, "one___echo", json!({})).await;
        assert!(!outcome.is_error, "{}", outcome.text);
        let shown = |value: Option<&http::HeaderValue>| value.map(|value| value.to_str().unwrap().to_owned());
        let expected = passes.then(|| format!("Bearer {token}"));
        assert!(server.seen().iter().all(|headers| shown(headers.get("authorization")) == expected));
    }
}

#[tokio::test]
async fn the_plan_of_a_target_is_approved_through_the_gateway() {
    let url = in_front_of(&McpStandIn::default(), Authenticator::anonymous(), Credentials::None).await;
    let remote = RemoteToolbox::at("gateway", &url, Credentials::None).unwrap();
    // This client asks nobody, so the plan itself comes back, to be confirmed with its token.
    let outcome = call(&remote, "one___plan", json!({})).await;
    assert_eq!(outcome.structured["planToken"], Value::from("t0k"));
    assert_eq!(outcome.pending.unwrap().question, "delete it on cluster prod?");
}
