//! Signed cards, as readers get and check them.

use std::sync::Arc;

use axum::http::HeaderMap;
use drydock::agent_card::{
    self, CardSigner, Coverage, Form, Outcome, Publication, PublishedCard, Security, TrustedKeys, verify,
};
use drydock::auth::{Authenticator, Principal};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::keys::private_key;
use crate::support::script::Scripted;
use crate::support::{TestAgent, card_at};

/// An agent that signs with these keys, and knows a caller.
async fn signing(keys: &[String]) -> TestAgent {
    TestAgent::received(Arc::new(Scripted), |reception, url| {
        let signers = keys.iter().map(|pem| CardSigner::from_pem(pem.as_bytes(), None).unwrap());
        let jku = format!("{url}.well-known/jwks.json");
        let signers = signers.map(|signer| signer.published_at(&jku)).collect();
        reception.card = card_at(url, |publication| {
            publication.signers = signers;
            publication.extended = true;
            publication.security = Some(Security::default());
        });
        reception.authenticator = Authenticator::tokens([("known".to_owned(), Principal::named("known"))]);
    })
    .await
}

async fn get(agent: &TestAgent, path: &str, version: Option<&str>) -> reqwest::Response {
    let request = agent.request(Method::GET, path);
    let request = match version {
        Some(version) => request.header("A2A-Version", version),
        None => request,
    };
    request.send().await.unwrap()
}

async fn published_keys(agent: &TestAgent) -> TrustedKeys {
    let keys = get(agent, ".well-known/jwks.json", None).await;
    TrustedKeys::read(&keys.bytes().await.unwrap()).unwrap()
}

fn outcomes(card: &Value, keys: &TrustedKeys) -> Vec<Outcome> {
    verify(card, keys).into_iter().map(|signature| signature.outcome).collect()
}

#[rstest]
#[case::of_1_0(Some("1.0"))]
#[case::of_0_3(Some("0.3"))]
#[case::merged(None)]
#[tokio::test]
async fn every_form_is_signed_with_the_published_keys(#[case] version: Option<&str>) {
    let agent = signing(&[private_key(), private_key()]).await;
    let keys = published_keys(&agent).await;
    let card: Value = get(&agent, ".well-known/agent-card.json", version).await.json().await.unwrap();
    let outcomes = outcomes(&card, &keys);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Good(_))), "{outcomes:?}");
    let whole = outcomes.iter().filter(|outcome| **outcome == Outcome::Good(Coverage::Whole));
    assert_eq!(whole.count(), 2, "one of each key covers everything");
    assert_eq!(outcomes.contains(&Outcome::Good(Coverage::Known)), version.is_none());
}

#[tokio::test]
async fn the_merged_form_carries_the_signature_of_what_a_1_0_reader_sees_of_it() {
    let agent = signing(&[private_key()]).await;
    let keys = published_keys(&agent).await;
    let merged: Value = get(&agent, ".well-known/agent-card.json", None).await.json().await.unwrap();
    let mut seen: Value = get(&agent, ".well-known/agent-card.json", Some("1.0")).await.json().await.unwrap();
    seen["signatures"] = merged["signatures"].clone();
    assert!(outcomes(&seen, &keys).contains(&Outcome::Good(Coverage::Whole)));
    seen["name"] = json!("Evil");
    assert!(outcomes(&seen, &keys).iter().all(|outcome| *outcome == Outcome::Wrong));
}

#[tokio::test]
async fn the_extended_card_is_signed_as_well() {
    let agent = signing(&[private_key()]).await;
    let keys = published_keys(&agent).await;
    let request = agent.rpc(Some("1.0"), "GetExtendedAgentCard", Value::Null).bearer_auth("known");
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(outcomes(&answer["result"], &keys)[0], Outcome::Good(Coverage::Whole));
}

#[tokio::test]
async fn only_public_keys_are_published() {
    let agent = signing(&[private_key()]).await;
    let response = get(&agent, ".well-known/jwks.json", None).await;
    assert_eq!(response.headers()["content-type"], "application/json");
    let keys: Value = response.json().await.unwrap();
    let members: Vec<&String> = keys["keys"][0].as_object().unwrap().keys().collect();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
}

#[test]
fn replicas_agree_on_the_tag_although_their_signatures_differ() {
    let published = |pem: &str, url: &str| {
        let signer = CardSigner::from_pem(pem.as_bytes(), None).unwrap();
        card_at(url, |publication| publication.signers = vec![signer])
    };
    let tag = |card: &PublishedCard| card.respond(Form::V1, &HeaderMap::new()).headers()["etag"].clone();
    let (key, url) = (private_key(), "https://a.example");
    let (one, replica) = (published(&key, url), published(&key, url));
    assert_ne!(one.public(Form::V1)["signatures"], replica.public(Form::V1)["signatures"]);
    assert_eq!(tag(&one), tag(&replica));
    assert!(tag(&one).to_str().unwrap().starts_with("W/\""), "the bytes differ, so it is a weak one");
    assert_ne!(tag(&one), tag(&published(&private_key(), url)), "another key");
    assert_ne!(tag(&one), tag(&published(&key, "https://b.example")), "another URL");
}

#[tokio::test]
async fn a_signed_card_that_is_known_is_not_sent_again() {
    let agent = signing(&[private_key()]).await;
    let etag = get(&agent, ".well-known/agent-card.json", None).await.headers()["etag"].clone();
    let request = agent.request(Method::GET, ".well-known/agent-card.json").header("If-None-Match", etag);
    assert_eq!(request.send().await.unwrap().status(), 304);
}

#[test]
fn a_card_is_not_signed_for_whatever_host_a_reader_asks() {
    let mut publication = Publication { url_from_host: true, ..Publication::at("http://127.0.0.1:9000") };
    let card = || agent_card::load(None).unwrap();
    assert!(PublishedCard::new(card(), &publication).is_ok());
    publication.signers = vec![CardSigner::from_pem(private_key().as_bytes(), None).unwrap()];
    let error = PublishedCard::new(card(), &publication).unwrap_err().to_string();
    assert!(error.contains("--public-url"), "{error}");
}

#[tokio::test]
async fn an_agent_without_a_key_signs_nothing_and_publishes_none() {
    let agent = TestAgent::scripted().await;
    let card: Value = get(&agent, ".well-known/agent-card.json", Some("1.0")).await.json().await.unwrap();
    assert_eq!(card.get("signatures"), None);
    assert_eq!(get(&agent, ".well-known/jwks.json", None).await.status(), 404);
}
