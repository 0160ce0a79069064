//! The card: one form per dialect, a merged one for who does not say, and conditional requests.

use std::sync::Arc;

use drydock::auth::Authenticator;
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::script::Scripted;
use crate::support::{TestAgent, card_at};

const PATH: &str = ".well-known/agent-card.json";

async fn card(agent: &TestAgent, version: Option<&str>) -> reqwest::Response {
    let request = agent.request(Method::GET, PATH);
    match version {
        Some(version) => request.header("A2A-Version", version),
        None => request,
    }
    .send()
    .await
    .unwrap()
}

#[tokio::test]
async fn each_dialect_gets_its_own_form() {
    let agent = TestAgent::scripted().await;
    let v1: Value = card(&agent, Some("1.0")).await.json().await.unwrap();
    let v03: Value = card(&agent, Some("0.3")).await.json().await.unwrap();
    let merged: Value = card(&agent, None).await.json().await.unwrap();
    let interfaces = json!([
        { "url": agent.url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0" },
        { "url": format!("{}rest", agent.url), "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0" },
        { "url": agent.url, "protocolBinding": "JSONRPC", "protocolVersion": "0.3" },
    ]);
    assert_eq!(v1["supportedInterfaces"], interfaces);
    for old in ["url", "preferredTransport", "protocolVersion"] {
        assert!(v1.get(old).is_none(), "{old} is no member of 1.0");
    }
    assert!(v03.get("supportedInterfaces").is_none(), "supportedInterfaces is no member of 0.3");
    assert_eq!(v03["url"], agent.url);
    assert_eq!(v03["protocolVersion"], "0.3.0");
    assert_eq!(v03["preferredTransport"], "JSONRPC");
    assert_eq!(v03["additionalInterfaces"], json!([{ "url": agent.url, "transport": "JSONRPC" }]));
    assert_eq!(v03["supportsAuthenticatedExtendedCard"], false);
    assert_eq!((&merged["supportedInterfaces"], &merged["url"]), (&interfaces, &v03["url"]));
    assert_eq!(merged["protocolVersion"], "0.3.0");
    assert_eq!(merged["additionalInterfaces"], v03["additionalInterfaces"]);
    for form in [&v1, &v03, &merged] {
        assert_eq!(form["name"], "K8s_Diagnostics_Agent");
        assert_eq!(form["capabilities"]["streaming"], true);
        assert_eq!(form["capabilities"]["pushNotifications"], false, "claims nothing that is not there");
    }
}

#[tokio::test]
async fn caches_are_told_what_the_form_depends_on() {
    let agent = TestAgent::scripted().await;
    let (v1, v03) = (card(&agent, Some("1.0")).await, card(&agent, Some("0.3")).await);
    assert_eq!(v1.headers()["vary"], "A2A-Version");
    assert_eq!(v1.headers()["content-type"], "application/json");
    assert!(v1.headers()["cache-control"].to_str().unwrap().contains("max-age="));
    assert_ne!(v1.headers()["etag"], v03.headers()["etag"]);
}

#[rstest]
#[case::the_tag("{}", 304)]
#[case::weak("W/{}", 304)]
#[case::in_a_list("\"other\", {}", 304)]
#[case::anything("*", 304)]
#[case::another("\"other\"", 200)]
#[tokio::test]
async fn a_card_that_is_known_is_not_sent_again(#[case] condition: &str, #[case] status: u16) {
    let agent = TestAgent::scripted().await;
    let etag = card(&agent, None).await.headers()["etag"].to_str().unwrap().to_owned();
    let request = agent.request(Method::GET, PATH).header("if-none-match", condition.replace("{}", &etag));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), status);
    assert_eq!(response.headers()["etag"], etag.as_str());
    assert_eq!(response.headers()["vary"], "A2A-Version");
    assert!(response.headers().contains_key("cache-control"));
    assert_eq!(response.bytes().await.unwrap().is_empty(), status == 304);
}

#[tokio::test]
async fn the_older_address_works_too() {
    let agent = TestAgent::scripted().await;
    let response = agent.request(Method::GET, ".well-known/agent.json").send().await.unwrap();
    assert_eq!(response.json::<Value>().await.unwrap()["name"], "K8s_Diagnostics_Agent");
}

#[tokio::test]
async fn head_tells_everything_but_the_card() {
    let agent = TestAgent::scripted().await;
    let (get, head) = (card(&agent, None).await, agent.request(Method::HEAD, PATH).send().await.unwrap());
    assert_eq!(head.status(), 200);
    for name in ["etag", "cache-control", "vary", "content-type", "content-length"] {
        assert_eq!(head.headers()[name], get.headers()[name], "{name}");
    }
    assert!(head.bytes().await.unwrap().is_empty());
}

/// An agent that does not know under which name it is reached.
async fn nameless() -> TestAgent {
    TestAgent::received(Arc::new(Scripted), |reception, url| {
        reception.card = card_at(url, |publication| publication.url_from_host = true);
        // One that asks nobody answers on this machine only to the names of this machine.
        reception.authenticator = Authenticator::tokens([]);
    })
    .await
}

#[rstest]
#[case::a_service("drydock.tools.svc.cluster.local:9000", "http://drydock.tools.svc.cluster.local:9000/")]
#[case::without_a_port("drydock.example.com", "http://drydock.example.com/")]
#[case::an_address("10.0.0.7:9000", "http://10.0.0.7:9000/")]
#[case::an_address_of_ipv6("[fd00::7]:9000", "http://[fd00::7]:9000/")]
#[tokio::test]
async fn an_agent_without_a_name_of_its_own_says_the_host_that_was_asked(
    #[case] host: &str,
    #[case] url: &str,
) {
    let agent = nameless().await;
    for version in ["1.0", "0.3"] {
        let request = agent.request(Method::GET, PATH).header("A2A-Version", version).header("Host", host);
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["vary"], "A2A-Version, Host");
        assert_eq!(response.headers()["cache-control"], "private, max-age=300");
        let card: Value = response.json().await.unwrap();
        assert_eq!(card.get("url").unwrap_or(&card["supportedInterfaces"][0]["url"]), url);
    }
}

#[rstest]
#[case::a_path("evil.example/path")]
#[case::a_person("someone@evil.example")]
#[case::markup("evil.example\"><script>")]
#[case::nothing("")]
#[case::a_long_one("x.".repeat(200))]
#[tokio::test]
async fn what_is_no_host_does_not_get_into_the_card(#[case] host: String) {
    let agent = nameless().await;
    let response = agent.request(Method::GET, PATH).header("Host", host).send().await.unwrap();
    if response.status() == 200 {
        assert_eq!(response.json::<Value>().await.unwrap()["url"], agent.url);
    }
}

#[rstest]
#[case("Host")]
#[case("X-Forwarded-Host")]
#[case("Forwarded")]
#[tokio::test]
async fn an_agent_with_a_name_says_nothing_else(#[case] header: &str) {
    let agent = TestAgent::known_to(&["alice"]).await;
    let value = if header == "Forwarded" { "host=evil.example" } else { "evil.example" };
    let response = agent.request(Method::GET, PATH).header(header, value).send().await.unwrap();
    assert_eq!(response.json::<Value>().await.unwrap()["url"], agent.url);
}
