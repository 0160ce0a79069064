//! The keys of an issuer: fetched once, renewed, kept when it is down, and never too often.

use std::time::Duration;

use drydock::auth::{AuthError, Authenticator, IssuerSettings};
use futures::future::join_all;
use rstest::rstest;
use serde_json::json;

use super::{check, pass, settings, trusting};
use crate::support::identity::{Identity, SigningKey};

fn token(identity: &Identity) -> String {
    identity.mint(&identity.machine("machine-client", ""))
}

#[tokio::test]
async fn nothing_is_fetched_before_the_first_token_and_then_once() {
    let identity = Identity::start().await;
    let authenticator = trusting(&identity);
    assert_eq!((identity.seen().discovery(), identity.seen().keys()), (0, 0));
    let token = token(&identity);
    let checked = join_all((0..50).map(|_| check(&authenticator, &token))).await;
    assert!(checked.iter().all(Result::is_ok));
    assert_eq!((identity.seen().discovery(), identity.seen().keys()), (1, 1));
}

#[tokio::test]
async fn a_new_key_is_found_without_a_restart() {
    let identity = Identity::start().await;
    let authenticator = trusting(&identity);
    let old = token(&identity);
    check(&authenticator, &old).await.unwrap();
    identity.sign_with(SigningKey::rsa("key-2"));
    let new = token(&identity);
    let checked = join_all((0..20).map(|_| check(&authenticator, &new))).await;
    assert!(checked.iter().all(Result::is_ok));
    assert_eq!(identity.seen().keys(), 2);
    check(&authenticator, &old).await.expect("the old key is still published");
}

#[tokio::test]
async fn a_key_that_is_withdrawn_is_refused_after_a_while() {
    let identity = Identity::start().await;
    let authenticator = trusting(&identity);
    let old = token(&identity);
    check(&authenticator, &old).await.unwrap();
    identity.sign_with(SigningKey::rsa("key-2"));
    identity.forget_old_keys();
    pass(Duration::from_secs(600)).await;
    let refused = check(&authenticator, &old).await;
    assert_eq!(refused, Err(AuthError::Invalid("No key of the issuer fits the token")));
}

#[tokio::test]
async fn unknown_keys_do_not_hammer_the_issuer() {
    let identity = Identity::start().await;
    let authenticator = trusting(&identity);
    let key = SigningKey::ec("unknown");
    for number in 0..100 {
        let header = json!({ "kid": format!("unknown-{number}"), "alg": "ES256" });
        let token = key.sign(&header, &identity.machine("machine-client", ""));
        assert!(matches!(check(&authenticator, &token).await, Err(AuthError::Invalid(_))));
    }
    assert_eq!(identity.seen().keys(), 3);
    check(&authenticator, &token(&identity)).await.expect("others are not held up");
    pass(Duration::from_secs(10)).await;
    identity.sign_with(SigningKey::rsa("key-2"));
    check(&authenticator, &token(&identity)).await.expect("a new key is found a little later");
    assert_eq!(identity.seen().keys(), 4);
}

#[tokio::test]
async fn an_issuer_that_is_down_is_done_without() {
    let identity = Identity::start().await;
    let authenticator = trusting(&identity);
    let token = token(&identity);
    check(&authenticator, &token).await.unwrap();
    identity.behave(|behaviour| behaviour.fails_with = Some(503));
    pass(Duration::from_secs(23 * 3600)).await;
    check(&authenticator, &token).await.expect("the keys of before are still good");
    pass(Duration::from_secs(3600)).await;
    assert_eq!(check(&authenticator, &token).await, Err(AuthError::Unavailable));
}

#[tokio::test]
async fn an_issuer_that_was_never_reached_makes_tokens_uncheckable_not_wrong() {
    let identity = Identity::start().await;
    identity.behave(|behaviour| behaviour.fails_with = Some(500));
    let authenticator = trusting(&identity);
    let token = token(&identity);
    let error = check(&authenticator, &token).await.unwrap_err();
    assert_eq!((error.status().as_u16(), &error), (503, &AuthError::Unavailable));
    identity.behave(|behaviour| behaviour.fails_with = None);
    pass(Duration::from_secs(10)).await;
    check(&authenticator, &token).await.expect("it comes back by itself");
}

#[rstest]
#[case::another_name(|identity: &Identity| {
    identity.behave(|behaviour| behaviour.calls_itself = Some("https://elsewhere.example".to_owned()));
})]
#[case::no_keys(|identity: &Identity| identity.behave(|behaviour| behaviour.key_set = Some(json!({ "keys": [] }))))]
#[case::no_key_set(|identity: &Identity| identity.behave(|behaviour| behaviour.key_set = Some(json!([1, 2]))))]
#[case::too_much(|identity: &Identity| {
    let much = json!({ "keys": [identity.key().jwk()], "more": "x".repeat(600 << 10) });
    identity.behave(|behaviour| behaviour.key_set = Some(much));
})]
#[tokio::test]
async fn an_issuer_that_leads_astray_is_not_followed(#[case] astray: fn(&Identity)) {
    let identity = Identity::start().await;
    astray(&identity);
    assert_eq!(check(&trusting(&identity), &token(&identity)).await, Err(AuthError::Unavailable));
}

#[tokio::test]
async fn a_redirect_to_the_keys_of_another_is_not_followed() {
    let (identity, other) = (Identity::start().await, Identity::start().await);
    identity.behave(|behaviour| behaviour.redirects_to = Some(other.jwks_url()));
    let settings = IssuerSettings { jwks_url: Some(identity.jwks_url()), ..settings(&identity) };
    let authenticator = Authenticator::jwt([settings]).unwrap();
    assert_eq!(check(&authenticator, &token(&identity)).await, Err(AuthError::Unavailable));
    assert_eq!(other.seen().keys(), 0);
}

#[tokio::test]
async fn a_key_that_is_not_understood_does_not_spoil_the_others() {
    let identity = Identity::start().await;
    let strange = json!({ "kty": "XYZ", "kid": 7 });
    let keys = json!({ "keys": [strange, "no object", identity.key().jwk()] });
    identity.behave(|behaviour| behaviour.key_set = Some(keys));
    check(&trusting(&identity), &token(&identity)).await.unwrap();
}

#[tokio::test]
async fn keys_come_over_tls_or_from_this_machine() {
    for url in ["http://idp.example.com", "idp.example.com", "https://me:secret@idp.example.com"] {
        let error = Authenticator::jwt([IssuerSettings { url: url.to_owned(), ..IssuerSettings::default() }]);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("https") && !error.contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn an_issuer_says_where_its_tokens_come_from() {
    let identity = Identity::start().await;
    let authenticator = trusting(&identity);
    let [issuer] = authenticator.issuers() else { panic!("one issuer") };
    for _ in 0..3 {
        assert_eq!(issuer.token_endpoint().await, Some(identity.token_url()));
    }
    assert_eq!(identity.seen().discovery(), 1);
    identity.behave(|behaviour| behaviour.fails_with = Some(500));
    pass(Duration::from_secs(3600)).await;
    assert_eq!(issuer.token_endpoint().await, Some(identity.token_url()), "what is known stays known");
}
