//! Tokens that are accepted, and whose they are.

use std::collections::BTreeSet;

use drydock::auth::{Authenticator, IssuerSettings, Principal};
use http::HeaderMap;
use rstest::rstest;
use serde_json::{Value, json};

use super::{bearer, check, settings, trusting};
use crate::support::identity::{Identity, SigningKey, now};

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn a_machine_is_known_by_its_client() {
    let identity = Identity::start().await;
    let token = identity.mint(&identity.machine("machine-client", "drydock/read drydock/write"));
    let principal = check(&trusting(&identity), &token).await.unwrap();
    let expected = Principal {
        id: format!("{}|machine-client", identity.issuer()),
        client_id: Some("machine-client".to_owned()),
        scopes: set(&["drydock/read", "drydock/write"]),
        groups: set(&[]),
    };
    assert_eq!(principal, expected);
}

#[tokio::test]
async fn a_person_is_known_by_the_subject_and_keeps_the_groups() {
    let identity = Identity::start().await;
    let token = identity.mint(&identity.person("alice", &["admin", "user"], "openid drydock/read"));
    let principal = check(&trusting(&identity), &token).await.unwrap();
    assert_eq!(principal.id, format!("{}|sub-of-alice", identity.issuer()));
    assert_eq!(principal.client_id.as_deref(), Some("web-client"));
    assert_eq!(principal.groups, set(&["admin", "user"]));
}

#[tokio::test]
async fn the_same_subject_at_two_issuers_is_two_principals() {
    let (one, two) = (Identity::start().await, Identity::start().await);
    let authenticator = Authenticator::jwt([settings(&one), settings(&two)]).unwrap();
    let of_one = check(&authenticator, &one.mint(&one.machine("machine-client", ""))).await.unwrap();
    let of_two = check(&authenticator, &two.mint(&two.machine("machine-client", ""))).await.unwrap();
    assert_ne!(of_one.id, of_two.id);
}

#[rstest]
#[case::pss(SigningKey::pss)]
#[case::elliptic(SigningKey::ec)]
#[case::edwards(SigningKey::ed)]
#[tokio::test]
async fn every_kind_of_public_key_will_do(#[case] key: fn(&str) -> SigningKey) {
    let identity = Identity::start().await;
    identity.sign_with(key("another"));
    let token = identity.mint(&identity.machine("machine-client", ""));
    check(&trusting(&identity), &token).await.unwrap();
}

/// Claims that other providers give to access tokens.
#[rstest]
#[case::rfc_9068(Some("at+jwt"), json!({ "client_id": "c", "scope": "a b", "aud": "https://api" }), "c", &["a", "b"])]
#[case::rfc_9068_in_full(Some("application/at+JWT"), json!({ "client_id": "c" }), "c", &[])]
#[case::okta(Some("JWT"), json!({ "cid": "c", "scp": ["a", "b"], "aud": "api://default" }), "c", &["a", "b"])]
#[case::entra(Some("JWT"), json!({ "appid": "c", "scp": "a b", "aud": "api://x" }), "c", &["a", "b"])]
#[case::keycloak(Some("JWT"), json!({ "azp": "c", "typ": "Bearer", "scope": "a b", "aud": "account" }), "c", &["a", "b"])]
#[case::auth0(None, json!({ "azp": "c", "scope": "a b", "aud": ["https://api"] }), "c", &["a", "b"])]
#[tokio::test]
async fn access_tokens_of_other_providers_are_understood(
    #[case] typ: Option<&str>,
    #[case] more: Value,
    #[case] client: &str,
    #[case] scopes: &[&str],
) {
    let identity = Identity::start().await;
    let mut claims = json!({ "iss": identity.issuer(), "sub": "s", "iat": now(), "exp": now() + 60 });
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let key = identity.key();
    let header = json!({ "kid": key.id, "alg": key.algorithm, "typ": typ });
    let principal = check(&trusting(&identity), &key.sign(&header, &claims)).await.unwrap();
    assert_eq!((principal.client_id.as_deref(), principal.scopes), (Some(client), set(scopes)));
}

#[tokio::test]
async fn a_configured_audience_is_enough_to_know_an_access_token() {
    let identity = Identity::start().await;
    let settings =
        IssuerSettings { audiences: set(&["https://api", "https://other"]), ..settings(&identity) };
    let authenticator = Authenticator::jwt([settings]).unwrap();
    let claims = json!({
        "iss": identity.issuer(), "sub": "s", "azp": "c", "roles": ["r"],
        "aud": ["https://api", "https://third"], "exp": now() + 60,
    });
    check(&authenticator, &identity.mint(&claims)).await.unwrap();
}

#[tokio::test]
async fn a_client_on_the_list_is_accepted() {
    let identity = Identity::start().await;
    let settings = IssuerSettings { clients: set(&["machine-client", "web-client"]), ..settings(&identity) };
    let authenticator = Authenticator::jwt([settings]).unwrap();
    check(&authenticator, &identity.mint(&identity.machine("machine-client", ""))).await.unwrap();
    check(&authenticator, &identity.mint(&identity.person("alice", &[], ""))).await.unwrap();
}

#[tokio::test]
async fn clocks_may_differ_by_a_minute() {
    let identity = Identity::start().await;
    let mut claims = identity.machine("machine-client", "");
    claims["exp"] = json!(now() - 50);
    check(&trusting(&identity), &identity.mint(&claims)).await.unwrap();
    claims["exp"] = json!(now() + 600);
    claims["nbf"] = json!(now() + 50);
    claims["iat"] = json!(now() + 50);
    check(&trusting(&identity), &identity.mint(&claims)).await.unwrap();
}

#[tokio::test]
async fn a_key_set_can_be_named_where_there_is_no_discovery() {
    let identity = Identity::start().await;
    let settings = IssuerSettings { jwks_url: Some(identity.jwks_url()), ..settings(&identity) };
    let authenticator = Authenticator::jwt([settings]).unwrap();
    check(&authenticator, &identity.mint(&identity.machine("machine-client", ""))).await.unwrap();
    assert_eq!(identity.seen().discovery(), 0);
}

#[tokio::test]
async fn fixed_tokens_are_known_and_nothing_else_is() {
    let named =
        [("secret-a".to_owned(), Principal::named("a")), ("secret-b".to_owned(), Principal::named("b"))];
    let authenticator = Authenticator::tokens(named);
    assert!(!authenticator.is_anonymous());
    assert_eq!(check(&authenticator, "secret-a").await.unwrap().id, "a");
    assert_eq!(check(&authenticator, "secret-b").await.unwrap().id, "b");
    for unknown in ["secret-c", "secret-", "secret-aa"] {
        assert!(check(&authenticator, unknown).await.is_err());
    }
    assert!(authenticator.authenticate(&HeaderMap::new()).await.is_err());
}

#[tokio::test]
async fn without_authentication_everyone_is_the_same() {
    let authenticator = Authenticator::anonymous();
    assert!(authenticator.is_anonymous());
    assert_eq!(authenticator.authenticate(&HeaderMap::new()).await.unwrap().id, "anonymous");
    assert_eq!(authenticator.authenticate(&bearer("whatever")).await.unwrap().id, "anonymous");
}
