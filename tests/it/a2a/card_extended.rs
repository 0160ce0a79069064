//! The extended card: more, for callers that are known, and to each as much as its scopes allow.

use std::sync::Arc;

use drydock::agent_card::{CardSource, Publication, PublishedCard, Security};
use drydock::auth::{Authenticator, Principal};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::TestAgent;
use crate::support::script::Scripted;

fn skill(id: &str, scopes: &[&str]) -> Value {
    json!({ "id": id, "name": id, "description": id, "tags": ["x"], "scopes": scopes })
}

/// An agent with a skill for everyone, one for those who are known, and two that need scopes.
async fn agent() -> TestAgent {
    let card = json!({
        "name": "Extended", "description": "In public.", "version": "1",
        "defaultInputModes": ["text/plain"], "defaultOutputModes": ["text/plain"],
        "skills": [skill("public", &[])],
        "extended": { "description": "Among us.", "skills": [
            skill("known", &[]), skill("write", &["write"]), skill("write-and-admin", &["write", "admin"]),
        ] },
    });
    let tokens = [("reader", vec!["invoke"]), ("writer", vec!["invoke", "write"])]
        .map(|(name, scopes)| (name.to_owned(), Principal::named(name).with_scopes(scopes)));
    TestAgent::received(Arc::new(Scripted), |reception, url| {
        let security = Security { required_scopes: vec!["invoke".to_owned()], ..Security::default() };
        let publication = Publication {
            rest: true,
            extended: true,
            security: Some(security),
            details: Some("It looks at \"shop\".".to_owned()),
            ..Publication::at(url)
        };
        reception.card = PublishedCard::new(CardSource::read(card).unwrap(), &publication).unwrap();
        reception.authenticator = Authenticator::tokens(tokens);
    })
    .await
}

async fn extended(agent: &TestAgent, version: &str, token: &str) -> Value {
    let method = if version == "1.0" { "GetExtendedAgentCard" } else { "agent/getAuthenticatedExtendedCard" };
    let request = agent.rpc(Some(version), method, Value::Null).bearer_auth(token);
    request.send().await.unwrap().json::<Value>().await.unwrap()["result"].take()
}

fn skills(card: &Value) -> Vec<&str> {
    card["skills"].as_array().unwrap().iter().map(|skill| skill["id"].as_str().unwrap()).collect()
}

#[rstest]
#[case::reader("reader", &["public", "known"])]
#[case::writer("writer", &["public", "known", "write"])]
#[tokio::test]
async fn a_caller_sees_the_skills_whose_scopes_it_holds(
    #[values("1.0", "0.3")] version: &str,
    #[case] token: &str,
    #[case] expected: &[&str],
) {
    let card = extended(&agent().await, version, token).await;
    assert_eq!(skills(&card), expected);
    assert_eq!(card["description"], "Among us. It looks at \"shop\".");
}

#[tokio::test]
async fn a_skill_says_which_scopes_it_needs_in_the_words_of_the_dialect() {
    let agent = agent().await;
    let v1 = extended(&agent, "1.0", "writer").await;
    let scopes = json!([{ "schemes": { "bearer": { "list": ["invoke", "write"] } } }]);
    assert_eq!(v1["skills"][2]["securityRequirements"], scopes);
    let v03 = extended(&agent, "0.3", "writer").await;
    assert_eq!(v03["skills"][2]["security"], json!([{ "bearer": ["invoke", "write"] }]));
    assert_eq!(v03["url"], agent.url, "it is a card of 0.3");
    for skill in v1["skills"].as_array().unwrap() {
        assert_eq!(skill.get("scopes"), None, "our own member is not published");
    }
}

#[tokio::test]
async fn the_public_card_promises_it_and_shows_nothing_of_it() {
    let agent = agent().await;
    for version in ["1.0", "0.3"] {
        let request =
            agent.request(Method::GET, ".well-known/agent-card.json").header("A2A-Version", version);
        let card: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(skills(&card), ["public"]);
        assert_eq!(card["description"], "In public.");
        assert_eq!(card.get("extended"), None);
        let promised = card.get("supportsAuthenticatedExtendedCard");
        assert_eq!(promised.unwrap_or(&card["capabilities"]["extendedAgentCard"]), true);
    }
}

#[rstest]
#[case::nobody(None)]
#[case::a_stranger(Some("stranger"))]
#[tokio::test]
async fn who_is_not_known_does_not_get_it(#[case] token: Option<&str>) {
    let agent = agent().await;
    let rest = agent.request(Method::GET, "rest/extendedAgentCard").header("A2A-Version", "1.0");
    for request in [agent.rpc(Some("1.0"), "GetExtendedAgentCard", Value::Null), rest] {
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401);
        assert!(!response.text().await.unwrap().contains("Among us"));
    }
}

#[tokio::test]
async fn over_http_it_may_be_kept_by_its_caller_only() {
    let agent = agent().await;
    let get = |token: &'static str| {
        let request = agent.request(Method::GET, "rest/extendedAgentCard").header("A2A-Version", "1.0");
        request.bearer_auth(token)
    };
    let response = get("writer").send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "private, max-age=300");
    assert_eq!(response.headers()["vary"], "A2A-Version, Authorization");
    assert_eq!(response.headers()["content-type"], "application/a2a+json");
    let etag = response.headers()["etag"].clone();
    assert_eq!(skills(&response.json().await.unwrap()), ["public", "known", "write"]);
    let again = get("writer").header("If-None-Match", &etag).send().await.unwrap();
    assert_eq!(again.status(), 304);
    let other = get("reader").header("If-None-Match", &etag).send().await.unwrap();
    assert_eq!(other.status(), 200, "the tag of one caller's card is not that of another's");
}
