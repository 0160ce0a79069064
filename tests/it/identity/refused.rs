//! Tokens that are refused, and what the answer says about it.

use aws_lc_rs::hmac;
use drydock::auth::{AuthError, Authenticator, IssuerSettings, Scopes};
use http::{HeaderMap, HeaderValue, header};
use rstest::rstest;
use serde_json::{Value, json};

use super::{bearer, check, settings, trusting};
use crate::support::identity::{Identity, SigningKey, base64, now, signing_input};

/// The claims of a good token, with these changed; null takes one away.
fn changed(identity: &Identity, changes: Value) -> Value {
    let mut claims = identity.machine("machine-client", "drydock/read");
    for (name, value) in changes.as_object().unwrap().clone() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(&name),
            value => claims.as_object_mut().unwrap().insert(name, value),
        };
    }
    claims
}

fn reason(refused: Result<impl std::fmt::Debug, AuthError>) -> &'static str {
    match refused {
        Err(AuthError::Invalid(reason)) => reason,
        other => panic!("not refused as an invalid token: {other:?}"),
    }
}

#[rstest]
#[case::expired(json!({ "exp": now() - 61 }), "The token has expired")]
#[case::without_end(json!({ "exp": null }), "The token lacks a claim that it has to have")]
#[case::end_is_no_time(json!({ "exp": "tomorrow" }), "The token lacks a claim that it has to have")]
#[case::not_yet_valid(json!({ "nbf": now() + 120 }), "The token is not valid yet")]
#[case::from_the_future(json!({ "iat": now() + 120 }), "The token is not valid yet")]
#[case::other_issuer(json!({ "iss": "https://elsewhere.example" }), "The token's issuer is not accepted here")]
#[case::no_issuer(json!({ "iss": null }), "The token's issuer is not accepted here")]
#[case::issuers(json!({ "iss": ["https://elsewhere.example"] }), "The token is malformed")]
#[case::id_token(json!({ "token_use": "id", "aud": "web-client", "client_id": null }), "This is no access token")]
#[case::other_use(json!({ "token_use": "refresh" }), "This is no access token")]
#[case::nobodys(json!({ "sub": null, "client_id": null }), "The token does not say whose it is")]
#[case::a_very_long_name(json!({ "sub": "x".repeat(600) }), "The token does not say whose it is")]
#[tokio::test]
async fn a_token_with_a_wrong_claim_is_refused(#[case] changes: Value, #[case] expected: &str) {
    let identity = Identity::start().await;
    let token = identity.mint(&changed(&identity, changes));
    assert_eq!(reason(check(&trusting(&identity), &token).await), expected);
}

/// ID tokens of providers that do not mark them, and tokens for other purposes.
#[rstest]
#[case::plain(None, json!({ "aud": "web-client", "azp": "web-client" }))]
#[case::typed(Some("JWT"), json!({ "aud": "web-client", "nonce": "n" }))]
#[case::with_scope(Some("JWT"), json!({ "aud": "web-client", "scope": "openid", "nonce": "n" }))]
#[case::with_hash(None, json!({ "aud": "web-client", "azp": "web-client", "at_hash": "h" }))]
#[case::keycloak(Some("JWT"), json!({ "aud": "web-client", "azp": "web-client", "typ": "ID", "scope": "openid" }))]
#[case::keycloak_refresh(Some("JWT"), json!({ "azp": "web-client", "typ": "Refresh", "scope": "openid" }))]
#[case::logout(Some("logout+jwt"), json!({ "client_id": "web-client" }))]
#[case::proof(Some("dpop+jwt"), json!({ "client_id": "web-client" }))]
#[tokio::test]
async fn what_was_not_issued_to_call_with_is_refused(#[case] typ: Option<&str>, #[case] more: Value) {
    let identity = Identity::start().await;
    let mut claims = json!({ "iss": identity.issuer(), "sub": "s", "iat": now(), "exp": now() + 60 });
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let key = identity.key();
    let token = key.sign(&json!({ "kid": key.id, "alg": key.algorithm, "typ": typ }), &claims);
    assert_eq!(reason(check(&trusting(&identity), &token).await), "This is no access token");
}

#[tokio::test]
async fn a_token_of_a_wrong_key_is_refused() {
    let identity = Identity::start().await;
    let forged = SigningKey::rsa(&identity.key().id);
    let header = json!({ "kid": forged.id, "alg": "RS256" });
    let token = forged.sign(&header, &changed(&identity, json!({})));
    assert_eq!(reason(check(&trusting(&identity), &token).await), "The token's signature is wrong");
}

#[tokio::test]
async fn a_token_that_was_changed_after_it_was_signed_is_refused() {
    let identity = Identity::start().await;
    let token = identity.mint(&identity.machine("machine-client", "drydock/read"));
    let (message, signature) = token.rsplit_once('.').unwrap();
    let header = message.split('.').next().unwrap();
    let claims = base64(identity.machine("other-client", "drydock/read").to_string());
    let refused = check(&trusting(&identity), &format!("{header}.{claims}.{signature}")).await;
    assert_eq!(reason(refused), "The token's signature is wrong");
}

#[rstest]
#[case::none("none", "")]
#[case::none_in_capitals("NONE", "")]
#[case::none_with_a_signature("none", "c2ln")]
#[case::unknown("XS256", "c2ln")]
#[tokio::test]
async fn a_token_of_no_algorithm_is_refused(#[case] algorithm: &str, #[case] signature: &str) {
    let identity = Identity::start().await;
    let header = json!({ "kid": identity.key().id, "alg": algorithm });
    let token = format!("{}.{signature}", signing_input(&header, &changed(&identity, json!({}))));
    reason(check(&trusting(&identity), &token).await);
}

/// The old trick: the public key, which everyone has, taken as the secret of HMAC.
#[rstest]
#[case::modulus(|jwk: &Value| jwk["n"].as_str().unwrap().as_bytes().to_vec())]
#[case::whole_key(|jwk: &Value| jwk.to_string().into_bytes())]
#[tokio::test]
async fn a_token_signed_with_the_public_key_as_a_secret_is_refused(#[case] secret: fn(&Value) -> Vec<u8>) {
    let identity = Identity::start().await;
    let header = json!({ "kid": identity.key().id, "alg": "HS256" });
    let message = signing_input(&header, &changed(&identity, json!({})));
    let secret = hmac::Key::new(hmac::HMAC_SHA256, &secret(&identity.key().jwk()));
    let token = format!("{message}.{}", base64(hmac::sign(&secret, message.as_bytes())));
    assert_eq!(reason(check(&trusting(&identity), &token).await), "No key of the issuer fits the token");
}

#[tokio::test]
async fn a_shared_secret_in_a_key_set_is_no_key() {
    let identity = Identity::start().await;
    let jwk = json!({ "kty": "oct", "k": base64("secret"), "kid": "key-1", "alg": "HS256" });
    identity.behave(|behaviour| behaviour.key_set = Some(json!({ "keys": [jwk, identity.key().jwk()] })));
    let message = signing_input(&json!({ "kid": "key-1", "alg": "HS256" }), &changed(&identity, json!({})));
    let secret = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
    let token = format!("{message}.{}", base64(hmac::sign(&secret, message.as_bytes())));
    assert_eq!(reason(check(&trusting(&identity), &token).await), "No key of the issuer fits the token");
}

#[tokio::test]
async fn a_key_that_a_token_brings_along_is_not_used() {
    let identity = Identity::start().await;
    let forged = SigningKey::rsa("key-1");
    let header = json!({
        "kid": "key-1", "alg": "RS256", "jwk": forged.jwk(), "jku": "http://127.0.0.1:1/keys", "x5u": "http://127.0.0.1:1/",
    });
    let token = forged.sign(&header, &changed(&identity, json!({})));
    assert_eq!(reason(check(&trusting(&identity), &token).await), "The token's signature is wrong");
}

#[tokio::test]
async fn a_token_that_wants_something_unknown_is_refused() {
    let identity = Identity::start().await;
    let key = identity.key();
    let header = json!({ "kid": key.id, "alg": key.algorithm, "crit": ["b64"], "b64": true });
    let token = key.sign(&header, &changed(&identity, json!({})));
    reason(check(&trusting(&identity), &token).await);
}

#[tokio::test]
async fn a_token_of_another_pool_is_refused_whatever_it_calls_itself() {
    let (ours, other) = (Identity::start().await, Identity::start().await);
    other.sign_with(SigningKey::rsa("key-1"));
    let authenticator = trusting(&ours);
    let replayed = other.mint(&other.machine("machine-client", "drydock/read"));
    assert_eq!(reason(check(&authenticator, &replayed).await), "The token's issuer is not accepted here");
    assert_eq!(other.key().id, ours.key().id, "the name of the key is right");
    let forged = other.mint(&ours.machine("machine-client", "drydock/read"));
    assert_eq!(reason(check(&authenticator, &forged).await), "The token's signature is wrong");
    assert_eq!(other.seen().keys(), 0, "a stranger is not asked");
}

#[tokio::test]
async fn each_of_two_issuers_signs_for_itself_only() {
    let (one, two) = (Identity::start().await, Identity::start().await);
    two.sign_with(SigningKey::rsa("key-2"));
    let authenticator = Authenticator::jwt([settings(&one), settings(&two)]).unwrap();
    check(&authenticator, &two.mint(&two.machine("machine-client", ""))).await.unwrap();
    let crossed = two.mint(&one.machine("machine-client", ""));
    assert_eq!(reason(check(&authenticator, &crossed).await), "No key of the issuer fits the token");
}

#[tokio::test]
async fn a_client_that_is_not_on_the_list_is_refused() {
    let identity = Identity::start().await;
    let clients = ["web-client".to_owned()].into();
    let authenticator = Authenticator::jwt([IssuerSettings { clients, ..settings(&identity) }]).unwrap();
    let refused = check(&authenticator, &identity.mint(&identity.machine("machine-client", ""))).await;
    assert_eq!(reason(refused), "The token's client is not accepted here");
}

#[rstest]
#[case::other(json!({ "aud": "https://other" }))]
#[case::others(json!({ "aud": ["https://other", "https://api.example"] }))]
#[case::part_of_it(json!({ "aud": "https://api/" }))]
#[case::none(json!({}))]
#[tokio::test]
async fn a_token_for_another_audience_is_refused(#[case] audience: Value) {
    let identity = Identity::start().await;
    let audiences = ["https://api".to_owned()].into();
    let authenticator = Authenticator::jwt([IssuerSettings { audiences, ..settings(&identity) }]).unwrap();
    let refused = check(&authenticator, &identity.mint(&changed(&identity, audience))).await;
    assert_eq!(reason(refused), "The token is meant for another audience");
}

#[rstest]
#[case::none("")]
#[case::one_of_two("drydock/read")]
#[case::longer("drydock/read drydock/writer")]
#[case::shorter("drydock/read drydock/writ")]
#[tokio::test]
async fn a_token_without_all_scopes_is_not_enough(#[case] scopes: &str) {
    let identity = Identity::start().await;
    let required = vec!["drydock/read".to_owned(), "drydock/write".to_owned()];
    let authenticator = trusting(&identity).with_scopes(Scopes { required: required.clone(), write: None });
    let refused = check(&authenticator, &identity.mint(&identity.machine("machine-client", scopes))).await;
    let error = refused.unwrap_err();
    assert_eq!((error.status().as_u16(), &error), (403, &AuthError::InsufficientScope { required }));
}

#[tokio::test]
async fn behind_a_platform_a_scope_comes_with_a_forwarded_token_only() {
    let identity = Identity::start().await;
    let scopes = Scopes { required: vec!["drydock/read".to_owned()], write: None };
    let authenticator = Authenticator::platform().with_scopes(scopes);
    let token = identity.mint(&identity.machine("machine-client", "drydock/read"));
    assert!(check(&authenticator, &token).await.is_ok());
    let refused = authenticator.authenticate(&HeaderMap::new()).await;
    assert!(matches!(refused, Err(AuthError::InsufficientScope { .. })));
    assert_eq!(identity.seen().discovery(), 0, "the platform has checked it");
}

#[rstest]
#[case::words("hello")]
#[case::two_parts("e30.e30")]
#[case::four_parts("e30.e30.e30.e30")]
#[case::encrypted("e30.e30.e30.e30.e30")]
#[case::no_json("YQ.YQ.YQ")]
#[case::padded("e30=.e30=.e30=")]
#[case::dots("..")]
#[tokio::test]
async fn what_is_no_token_is_refused_without_asking_anyone(#[case] token: &str) {
    let identity = Identity::start().await;
    assert_eq!(reason(check(&trusting(&identity), token).await), "The token is malformed");
    assert_eq!((identity.seen().discovery(), identity.seen().keys()), (0, 0));
}

#[tokio::test]
async fn a_claim_that_is_there_twice_is_refused() {
    let identity = Identity::start().await;
    let good = identity.machine("machine-client", "").to_string();
    let twice = good.replacen('{', r#"{"sub":"admin","#, 1);
    let key = identity.key();
    let raw: Box<serde_json::value::RawValue> = serde_json::value::RawValue::from_string(twice).unwrap();
    let message =
        format!("{}.{}", base64(json!({ "kid": key.id, "alg": "RS256" }).to_string()), base64(raw.get()));
    let token = format!("{message}.{}", base64(key.signature(message.as_bytes())));
    assert_eq!(reason(check(&trusting(&identity), &token).await), "The token is malformed");
}

#[tokio::test]
async fn no_token_and_no_single_token_are_refused() {
    let identity = Identity::start().await;
    let authenticator = trusting(&identity);
    assert_eq!(authenticator.authenticate(&HeaderMap::new()).await, Err(AuthError::Missing));
    let token = identity.mint(&identity.machine("machine-client", ""));
    let mut twice = bearer(&token);
    twice.append(header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}")).unwrap());
    reason(authenticator.authenticate(&twice).await);
    let basic = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static("Basic YTpi"))]);
    assert_eq!(authenticator.authenticate(&basic).await, Err(AuthError::Missing));
}
