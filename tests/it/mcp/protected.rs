//! Callers with tokens.

use std::sync::Arc;

use drydock::auth::{Authenticator, IssuerSettings, Scopes};
use serde_json::{Value, json};

use super::{Served, Stub};
use crate::support::identity::Identity;

/// A server that asks for drydock/read, and for drydock/write where something is changed.
async fn server_of(identity: &Identity, stub: &Arc<Stub>) -> Served {
    let issuer = IssuerSettings { url: identity.issuer().to_owned(), ..IssuerSettings::default() };
    let scopes =
        Scopes { required: vec!["drydock/read".to_owned()], write: Some("drydock/write".to_owned()) };
    Served::guarded(stub, Authenticator::jwt([issuer]).unwrap().with_scopes(scopes)).await
}

fn token(identity: &Identity, client: &str, scopes: &str) -> String {
    identity.mint(&identity.machine(client, scopes))
}

#[tokio::test]
async fn who_has_no_token_is_told_where_to_get_one() {
    let identity = Identity::start().await;
    let server = server_of(&identity, &Arc::default()).await;
    let refused = server.stateless("tools/list", json!({})).await;
    assert_eq!(refused.status, 401);
    let challenge = refused.header("www-authenticate");
    let metadata = format!("{}/.well-known/oauth-protected-resource/mcp", server.url);
    assert_eq!(
        challenge,
        format!(r#"Bearer realm="drydock", scope="drydock/read", resource_metadata="{metadata}""#)
    );
    for url in [metadata.as_str(), metadata.trim_end_matches("/mcp")] {
        let metadata: Value = server.http.get(url).send().await.unwrap().json().await.unwrap();
        assert_eq!(metadata["resource"], format!("{}/mcp", server.url));
        assert_eq!(metadata["authorization_servers"], json!([identity.issuer()]));
        assert_eq!(metadata["scopes_supported"], json!(["drydock/read", "drydock/write"]));
    }
}

#[tokio::test]
async fn a_token_without_the_scope_is_told_which_it_lacks() {
    let identity = Identity::start().await;
    let server = server_of(&identity, &Arc::default()).await;
    let refused = server.with_token(&token(&identity, "machine-client", "drydock/other"));
    let refused = refused.stateless("tools/list", json!({})).await;
    assert_eq!(refused.status, 403);
    let challenge = refused.header("www-authenticate");
    assert!(
        challenge.contains(r#"error="insufficient_scope", scope="drydock/read", resource_metadata=""#),
        "{challenge}"
    );
}

#[tokio::test]
async fn a_bad_token_is_refused_in_every_revision() {
    let identity = Identity::start().await;
    let server = server_of(&identity, &Arc::default()).await.with_token("no.good.token");
    for answer in
        [server.stateless("tools/list", json!({})).await, server.legacy("initialize", json!({})).await]
    {
        assert_eq!(answer.status, 401);
        assert!(answer.header("www-authenticate").contains(r#"error="invalid_token""#));
    }
}

#[tokio::test]
async fn what_changes_something_is_offered_to_who_may_write() {
    let identity = Identity::start().await;
    let server = server_of(&identity, &Arc::default()).await;
    for (scopes, tools) in [("drydock/read", 3), ("drydock/read drydock/write", 4)] {
        let caller = server.with_token(&token(&identity, "machine-client", scopes));
        let answer = caller.stateless("tools/list", json!({})).await;
        assert_eq!(answer.result()["tools"].as_array().unwrap().len(), tools, "{scopes}");
    }
}

#[tokio::test]
async fn a_caller_is_known_by_its_token_and_keeps_its_region() {
    let identity = Identity::start().await;
    let server = server_of(&identity, &Arc::default()).await;
    let caller = |client: &str| server.with_token(&token(&identity, client, "drydock/read"));
    let whoami = json!({ "name": "whoami", "arguments": {} });
    let first = caller("machine-client").stateless("tools/call", whoami.clone()).await;
    let name = first.result()["structuredContent"]["caller"].as_str().unwrap().to_owned();
    assert!(name.ends_with("|machine-client"), "{name}");
    let again = caller("machine-client").stateless("tools/call", whoami.clone()).await;
    assert_eq!(again.result()["structuredContent"]["region"], "eu-west-1");
    let other = caller("other-client").stateless("tools/call", whoami).await;
    assert_eq!(other.result()["structuredContent"]["region"], "");
}

#[tokio::test]
async fn a_session_of_another_caller_does_not_exist() {
    let identity = Identity::start().await;
    let server = server_of(&identity, &Arc::default()).await;
    let mut alice = server.with_token(&token(&identity, "machine-client", "drydock/read"));
    alice.initialize("2025-11-25", json!({})).await;
    let mut thief = server.with_token(&token(&identity, "other-client", "drydock/read"));
    thief.session = alice.session.clone();
    assert_eq!(thief.legacy("tools/list", json!({})).await.status, 404);
    assert_eq!(alice.legacy("tools/list", json!({})).await.status, 200);
}

#[tokio::test]
async fn where_nobody_is_asked_there_is_no_metadata() {
    let server = Served::stub(&Arc::default()).await;
    let url = format!("{}/.well-known/oauth-protected-resource", server.url);
    assert_eq!(server.http.get(url).send().await.unwrap().status(), 404);
}
