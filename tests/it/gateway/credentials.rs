//! What proves to other servers who we are, and where it does not go.

use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;
use drydock::auth::{ClientCredentials, TokenSource};
use drydock::aws::Aws;
use drydock::mcp::{Credentials, Gateway, RemoteError, RemoteToolbox, Target};
use drydock::tools::{CallContext, Session, Toolbox};
use http::HeaderName;
use rstest::rstest;
use serde_json::json;

use super::{call, caller};
use crate::support::identity::Identity;
use crate::support::mcp_server::McpStandIn;

const SECRET: &str = "s3cr3t-s3cr3t";

fn header() -> Credentials {
    Credentials::Header { name: HeaderName::from_static("x-api-key"), value: SECRET.into() }
}

fn machine(identity: &Identity) -> Credentials {
    let credentials = ClientCredentials {
        token_url: identity.token_url(),
        client_id: "machine-client".to_owned(),
        client_secret: "machine-secret".into(),
        scopes: Vec::new(),
        audience: None,
        resource: None,
    };
    Credentials::Token(TokenSource::client_credentials(credentials).unwrap())
}

#[tokio::test]
async fn a_header_is_sent_with_every_request() {
    let server = McpStandIn::legacy();
    let remote = RemoteToolbox::at("other", &server.start().await, header()).unwrap();
    assert!(!call(&remote, "echo", json!({})).await.is_error);
    let seen = server.seen();
    assert!(seen.len() >= 3 && seen.iter().all(|headers| headers["x-api-key"] == SECRET));
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed_once() {
    let (server, identity) = (McpStandIn::default(), Identity::start().await);
    server.behave(|behaviour| behaviour.wants = Some("Bearer none-is-good".to_owned()));
    let remote = RemoteToolbox::at("other", &server.start().await, machine(&identity)).unwrap();
    let outcome = call(&remote, "echo", json!({})).await;
    assert!(outcome.unreachable && outcome.text.contains("HTTP 401"), "{}", outcome.text);
    assert_eq!((server.seen().len(), identity.seen().tokens()), (2, 2));
    let token = server.seen()[1]["authorization"].to_str().unwrap().to_owned();
    assert_ne!(server.seen()[0]["authorization"], token);
    server.behave(|behaviour| behaviour.wants = Some(token));
    assert!(!call(&remote, "echo", json!({})).await.is_error);
    assert_eq!(identity.seen().tokens(), 2, "the new token is kept");
}

#[tokio::test]
async fn no_token_is_said_in_one_line() {
    let (server, identity) = (McpStandIn::default(), Identity::start().await);
    identity.behave(|behaviour| behaviour.fails_with = Some(503));
    let remote = RemoteToolbox::at("other", &server.start().await, machine(&identity)).unwrap();
    let outcome = call(&remote, "echo", json!({})).await;
    assert!(outcome.unreachable && outcome.text.starts_with("other was not asked"), "{}", outcome.text);
    assert!(server.seen().is_empty() && !outcome.text.contains("machine-secret"));
}

#[tokio::test]
async fn the_callers_own_token_is_passed_on_where_that_is_wanted() {
    let server = McpStandIn::legacy();
    let remote = RemoteToolbox::at("other", &server.start().await, Credentials::PassThrough).unwrap();
    for token in ["alice-token", "bob-token"] {
        server.behave(|behaviour| behaviour.wants = Some(format!("Bearer {token}")));
        let session = Session::new(token, false).with_bearer(Some(token.into()));
        let outcome = remote.call("echo", json!({}), &CallContext::new(session, 1000)).await;
        assert!(!outcome.is_error, "{}", outcome.text);
    }
    let outcome = call(&remote, "echo", json!({})).await;
    assert!(!outcome.unreachable && outcome.text.contains("the caller's own token"), "{}", outcome.text);
}

#[tokio::test]
async fn a_bad_token_of_one_caller_shuts_nobody_else_out() {
    let server = McpStandIn::legacy();
    server.behave(|behaviour| behaviour.wants = Some("Bearer alice-token".to_owned()));
    let remote = RemoteToolbox::at("other", &server.start().await, Credentials::PassThrough).unwrap();
    let timeout = std::time::Duration::from_secs(20);
    let target = Target { name: "other".to_owned(), toolbox: Arc::new(remote), timeout };
    let gateway = Gateway::new(vec![target]).unwrap();
    let with =
        |token: &str| CallContext::new(Session::new(token, true).with_bearer(Some(token.into())), 1000);
    for _ in 0..4 {
        assert!(gateway.call("other___echo", json!({}), &with("mallory-token")).await.is_error);
        assert_eq!(gateway.list(&with("mallory-token")).await.unwrap().len(), 1, "only the search");
    }
    let outcome = gateway.call("other___echo", json!({}), &with("alice-token")).await;
    assert!(!outcome.is_error, "{}", outcome.text);
}

#[tokio::test]
async fn credentials_do_not_follow_a_redirect() {
    let (server, elsewhere) = (McpStandIn::default(), McpStandIn::default());
    let to = elsewhere.start().await;
    server.behave(|behaviour| behaviour.redirects_to = Some(to));
    let remote = RemoteToolbox::at("other", &server.start().await, header()).unwrap();
    let outcome = call(&remote, "echo", json!({})).await;
    assert!(outcome.text.contains("redirects, which is not followed"), "{}", outcome.text);
    assert!(elsewhere.seen().is_empty());
}

#[rstest]
#[case::clear_text("http://mcp.example.com/mcp", header(), false)]
#[case::tls("https://mcp.example.com/mcp", header(), true)]
#[case::this_machine("http://127.0.0.1:1/mcp", header(), true)]
#[case::nothing_secret("http://mcp.example.com/mcp", Credentials::None, true)]
#[case::a_password("https://me:s3cr3t-s3cr3t@mcp.example.com/mcp", Credentials::None, false)]
#[case::no_url("mcp.example.com", Credentials::None, false)]
#[case::a_file("file:///etc/passwd", Credentials::None, false)]
fn credentials_go_over_tls(#[case] url: &str, #[case] credentials: Credentials, #[case] accepted: bool) {
    let refused: Result<_, RemoteError> = RemoteToolbox::at("other", url, credentials);
    assert_eq!(refused.is_ok(), accepted);
    assert!(!format!("{refused:?}").contains(SECRET));
    assert!(refused.err().is_none_or(|error| !error.to_string().contains(SECRET)));
}

#[tokio::test]
async fn a_key_in_the_query_is_in_no_error() {
    let (_socket, address) = crate::support::mcp_server::silent_port();
    let key = Credentials::ApiKey { parameter: "key".to_owned(), value: SECRET.into() };
    assert!(!format!("{key:?} {:?}", header()).contains(SECRET));
    let remote = RemoteToolbox::at("other", &format!("http://{address}/mcp"), key).unwrap();
    let told = remote.list(&caller()).await.unwrap_err().to_string();
    assert!(told.contains("cannot be reached") && !told.contains(SECRET), "{told}");
}

#[tokio::test]
async fn every_request_is_signed_for_aws_with_its_body() {
    let keys =
        aws_credential_types::Credentials::new("AKID", SECRET, Some("session".to_owned()), None, "test");
    let sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(keys))
        .build();
    let credentials = Credentials::SigV4 {
        aws: Aws::with_config(sdk),
        service: "bedrock-agentcore".to_owned(),
        region: "us-east-1".to_owned(),
    };
    let server = McpStandIn::default();
    let remote = RemoteToolbox::at("other", &server.start().await, credentials).unwrap();
    for text in ["one", "two"] {
        assert!(!call(&remote, "echo", json!({ "text": text })).await.is_error);
    }
    let seen = server.seen();
    for headers in &seen {
        let authorization = headers["authorization"].to_str().unwrap();
        assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKID/"), "{authorization}");
        assert!(authorization.contains("/us-east-1/bedrock-agentcore/aws4_request"), "{authorization}");
        assert_eq!(headers["x-amz-security-token"], "session");
    }
    let hashes: Vec<_> = seen.iter().map(|headers| headers["x-amz-content-sha256"].clone()).collect();
    assert!(hashes.windows(2).all(|two| two[0] != two[1]), "no two bodies are the same");
}
