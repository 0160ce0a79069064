//! How a receiver knows who calls.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use drydock::a2a::{JwtSigner, PushSettings};
use drydock::agent_card::KEYS_PATH;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rstest::rstest;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{agent_with, begin, local, message_to, scripted};
use crate::support::keys::private_key;
use crate::support::process::{Server, bundle, drydock};
use crate::support::script::Scripted;
use crate::support::{Notification, Receiver, Reply, json_of, rpc_to};

async fn first(config: Value) -> Notification {
    let (agent, receiver) = (scripted().await, Receiver::start().await);
    let mut config = config;
    config["url"] = json!(receiver.url());
    let answer = agent.v1("SendMessage", message_to("hello", config)).await;
    assert!(answer["result"]["task"].is_object(), "{answer}");
    receiver.next().await
}

#[tokio::test]
async fn the_token_is_sent_along() {
    let seen = first(json!({ "token": "t-0k3n" })).await;
    assert_eq!(seen.header("x-a2a-notification-token"), Some("t-0k3n"));
    assert_eq!(seen.header("authorization"), None);
}

#[rstest]
#[case("Bearer", "abc.def")]
#[case("Basic", "dXNlcjpwYXNz")]
#[case("ApiKey", "k-1")]
#[tokio::test]
async fn credentials_go_behind_their_scheme(#[case] scheme: &str, #[case] credentials: &str) {
    let seen = first(json!({ "authentication": { "scheme": scheme, "credentials": credentials } })).await;
    assert_eq!(seen.header("authorization"), Some(format!("{scheme} {credentials}").as_str()));
}

#[rstest]
#[case("HMAC-SHA256")]
#[case("hmac-sha256")]
#[tokio::test]
async fn a_shared_secret_signs_time_and_body_and_is_not_sent(#[case] scheme: &str) {
    let seen = first(json!({ "authentication": { "scheme": scheme, "credentials": "s3cret" } })).await;
    let timestamp = seen.header("drydock-notification-timestamp").unwrap();
    let at: i64 = timestamp.parse().unwrap();
    assert!((jiff::Timestamp::now().as_second() - at).abs() < 600, "it is Unix time in seconds");
    let signed = [timestamp.as_bytes(), b".", &seen.raw].concat();
    let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"s3cret"), &signed);
    let expected: String = mac.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(seen.header("drydock-notification-signature"), Some(expected.as_str()));
    let sent = format!("{:?}", seen.headers);
    assert!(!sent.contains("s3cret") && seen.header("authorization").is_none(), "{sent}");
}

#[tokio::test]
async fn the_agents_key_signs_a_token_for_this_receiver_and_body() {
    let sign = |claims: &Value| {
        let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
        Some(format!("e30.{claims}.c2ln"))
    };
    let signer = Some(JwtSigner::new("https://agent.example/", sign));
    let agent = agent_with(Arc::new(Scripted), PushSettings { signer, ..local() }).await;
    let receiver = Receiver::answering([Reply::Status(503)]).await;
    let config = json!({ "url": receiver.url(), "authentication": { "scheme": "JWT" } });
    begin(&agent, "hello", Some(config)).await;
    let seen = receiver.take(2).await;
    let claims = seen.iter().map(|notification| {
        let token = notification.header("authorization").unwrap().strip_prefix("Bearer ").unwrap();
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        serde_json::from_slice::<Value>(&claims).unwrap()
    });
    let claims: Vec<Value> = claims.collect();
    let expected = URL_SAFE_NO_PAD.encode(Sha256::digest(&seen[0].raw));
    assert_eq!(claims[0]["iss"], "https://agent.example/");
    assert_eq!(claims[0]["aud"], format!("http://{}", receiver.address));
    assert_eq!(claims[0]["request_body_sha256"], expected);
    let life = claims[0]["exp"].as_i64().unwrap() - claims[0]["iat"].as_i64().unwrap();
    assert!((1..=600).contains(&life), "{life} s");
    assert_ne!(claims[0]["jti"], claims[1]["jti"], "a token is used once");
}

#[tokio::test]
async fn a_webhook_can_check_the_token_with_the_key_that_signs_the_card() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pem");
    std::fs::write(&key, private_key()).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut command = drydock();
    command.args(["serve", "--port", "0", "--push-allow", "127.0.0.1", "--card-key"]).arg(key);
    command.args(["--public-url", "https://agent.example", "--bundle"]).arg(bundle("broken"));
    command.arg("--data").arg(folder.path().join("data"));
    let server = tokio::task::spawn_blocking(|| Server::start(command)).await.unwrap();
    let address = format!("http://127.0.0.1:{}", server.port());
    let receiver = Receiver::start().await;
    let config = json!({ "url": receiver.url(), "authentication": { "scheme": "JWT" } });
    let request =
        rpc_to(&reqwest::Client::new(), &address, Some("1.0"), "SendMessage", message_to("x", config));
    json_of(request).await;
    let seen = receiver.next().await;
    let token = seen.header("authorization").unwrap().strip_prefix("Bearer ").unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&[format!("http://{}", receiver.address)]);
    validation.set_issuer(&["https://agent.example"]);
    let keys: Value = json_of(reqwest::Client::new().get(format!("{address}{KEYS_PATH}"))).await;
    let key: Jwk = serde_json::from_value(keys["keys"][0].clone()).unwrap();
    let key = DecodingKey::from_jwk(&key).unwrap();
    let claims = jsonwebtoken::decode::<Value>(token, &key, &validation).unwrap().claims;
    assert_eq!(claims["request_body_sha256"], URL_SAFE_NO_PAD.encode(Sha256::digest(&seen.raw)));
}

#[tokio::test]
async fn without_a_key_the_scheme_is_refused_with_what_to_use() {
    let agent = scripted().await;
    let config = json!({ "url": "https://hooks.example/", "authentication": { "scheme": "JWT" } });
    let answer = agent.v1("SendMessage", message_to("hello", config)).await;
    assert_eq!(answer["error"]["code"], -32602);
    let field = &answer["error"]["data"][0]["fieldViolations"][0];
    assert_eq!(field["field"], "configuration.taskPushNotificationConfig.authentication.scheme");
    assert!(field["description"].as_str().unwrap().contains("HMAC-SHA256"));
}
