//! An agent that knows its callers by the tokens of an identity provider.

use std::sync::Arc;
use std::time::Duration;

use drydock::a2a::types::{Message, Role, StreamResponse, TaskState};
use drydock::a2a::{A2aClient, ClientError};
use drydock::agent_card::{Issuer, Security};
use drydock::auth::{Scopes, TokenSource};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use super::outbound::source;
use super::{pass, trusting};
use crate::support::identity::{Identity, SigningKey};
use crate::support::script::Scripted;
use crate::support::{TestAgent, card_at, json_of, v1_message, v03_message};

/// An agent that asks for the scope drydock/read.
async fn agent_of(identity: &Identity) -> TestAgent {
    let required = vec!["drydock/read".to_owned()];
    let authenticator = trusting(identity).with_scopes(Scopes { required, write: None });
    TestAgent::received(Arc::new(Scripted), |reception, _| reception.authenticator = authenticator).await
}

fn token_of(identity: &Identity, client: &str) -> String {
    identity.mint(&identity.machine(client, "drydock/read"))
}

#[rstest]
#[case::send("SendMessage", "message/send", v1_message("x"), v03_message("x"))]
#[case::stream("SendStreamingMessage", "message/stream", v1_message("x"), v03_message("x"))]
#[case::get("GetTask", "tasks/get", json!({ "id": "x" }), json!({ "id": "x" }))]
#[case::list("ListTasks", "tasks/list", json!({}), json!({}))]
#[case::cancel("CancelTask", "tasks/cancel", json!({ "id": "x" }), json!({ "id": "x" }))]
#[case::subscribe("SubscribeToTask", "tasks/resubscribe", json!({ "id": "x" }), json!({ "id": "x" }))]
#[case::set_push(
    "CreateTaskPushNotificationConfig",
    "tasks/pushNotificationConfig/set",
    json!({ "taskId": "x", "url": "https://peer.example/hook" }),
    json!({ "taskId": "x", "pushNotificationConfig": { "url": "https://peer.example/hook" } })
)]
#[case::get_push(
    "GetTaskPushNotificationConfig",
    "tasks/pushNotificationConfig/get",
    json!({ "taskId": "x", "id": "c" }),
    json!({ "id": "x" })
)]
#[case::list_push(
    "ListTaskPushNotificationConfigs",
    "tasks/pushNotificationConfig/list",
    json!({ "taskId": "x" }),
    json!({ "id": "x" })
)]
#[case::delete_push(
    "DeleteTaskPushNotificationConfig",
    "tasks/pushNotificationConfig/delete",
    json!({ "taskId": "x", "id": "c" }),
    json!({ "id": "x", "pushNotificationConfigId": "c" })
)]
#[case::extended_card("GetExtendedAgentCard", "agent/getAuthenticatedExtendedCard", json!({}), json!({}))]
#[case::unknown("NoSuchMethod", "no/such", json!({}), json!({}))]
#[tokio::test]
async fn no_method_is_for_who_has_no_token(
    #[case] v1: &str,
    #[case] old: &str,
    #[case] v1_params: Value,
    #[case] old_params: Value,
) {
    let identity = Identity::start().await;
    let agent = agent_of(&identity).await;
    let wrong = token_of(&identity, "machine-client").replace('.', "x.");
    for (version, method, params) in [(Some("1.0"), v1, v1_params), (None, old, old_params)] {
        for token in [None, Some(&wrong)] {
            let request = agent.rpc(version, method, params.clone());
            let request = match token {
                Some(token) => request.bearer_auth(token),
                None => request,
            };
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 401, "{method}");
            let challenge = response.headers()["www-authenticate"].to_str().unwrap();
            assert_eq!(challenge.contains("invalid_token"), token.is_some(), "{challenge}");
        }
    }
}

#[rstest]
#[case::send(Method::POST, "message:send")]
#[case::stream(Method::POST, "message:stream")]
#[case::get(Method::GET, "tasks/x")]
#[case::list(Method::GET, "tasks")]
#[case::cancel(Method::POST, "tasks/x:cancel")]
#[case::subscribe(Method::POST, "tasks/x:subscribe")]
#[case::subscribe_by_get(Method::GET, "tasks/x:subscribe")]
#[case::push(Method::POST, "tasks/x/pushNotificationConfigs")]
#[case::list_push(Method::GET, "tasks/x/pushNotificationConfigs")]
#[case::get_push(Method::GET, "tasks/x/pushNotificationConfigs/c")]
#[case::delete_push(Method::DELETE, "tasks/x/pushNotificationConfigs/c")]
#[case::extended_card(Method::GET, "extendedAgentCard")]
#[tokio::test]
async fn no_route_is_for_who_has_no_token(#[case] method: Method, #[case] path: &str) {
    let identity = Identity::start().await;
    let agent = agent_of(&identity).await;
    let request =
        agent.request(method, &format!("rest/{path}")).header("A2A-Version", "1.0").json(&json!({}));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["www-authenticate"], r#"Bearer realm="drydock""#);
}

#[tokio::test]
async fn the_card_is_for_everyone() {
    let identity = Identity::start().await;
    let agent = agent_of(&identity).await;
    for path in [".well-known/agent-card.json", ".well-known/agent.json", "health"] {
        assert_eq!(agent.request(Method::GET, path).send().await.unwrap().status(), 200, "{path}");
    }
    assert_eq!(identity.seen().keys(), 0, "no key is needed for that");
}

/// The card of an agent that says who may call: its issuer, not yet where the tokens come from.
async fn agent_with_a_card(identity: &Identity) -> TestAgent {
    let issuer = Issuer { issuer: identity.issuer().to_owned(), ..Issuer::default() };
    let security = Security { issuers: vec![issuer], ..Security::default() };
    let authenticator = trusting(identity);
    TestAgent::received(Arc::new(Scripted), |reception, url| {
        reception.card = card_at(url, |publication| publication.security = Some(security));
        reception.authenticator = authenticator;
    })
    .await
}

async fn schemes_of(agent: &TestAgent) -> Value {
    let request = agent.request(Method::GET, ".well-known/agent-card.json").header("A2A-Version", "1.0");
    json_of(request).await["securitySchemes"].clone()
}

#[tokio::test]
async fn the_card_says_where_tokens_come_from() {
    let identity = Identity::start().await;
    let agent = agent_with_a_card(&identity).await;
    assert_eq!(
        (identity.seen().discovery(), identity.seen().keys()),
        (0, 0),
        "nothing is fetched at the start"
    );
    let schemes = schemes_of(&agent).await;
    let flow = &schemes["oauth2"]["oauth2SecurityScheme"]["flows"]["clientCredentials"];
    assert_eq!(flow["tokenUrl"], identity.token_url(), "{schemes}");
    let discovery = format!("{}/.well-known/openid-configuration", identity.issuer());
    assert_eq!(schemes["oidc"]["openIdConnectSecurityScheme"]["openIdConnectUrl"], discovery);
    schemes_of(&agent).await;
    assert_eq!(identity.seen().discovery(), 1);
}

#[tokio::test]
async fn the_card_is_there_also_where_the_issuer_is_not() {
    let identity = Identity::start().await;
    identity.behave(|behaviour| behaviour.fails_with = Some(503));
    let agent = agent_with_a_card(&identity).await;
    let schemes = schemes_of(&agent).await;
    assert!(schemes["oauth2"].is_null() && schemes["oidc"].is_object(), "{schemes}");
    identity.behave(|behaviour| behaviour.fails_with = None);
    assert!(schemes_of(&agent).await["oauth2"].is_object(), "it says so as soon as it knows");
}

#[tokio::test]
async fn a_token_without_the_scope_is_told_which_one() {
    let identity = Identity::start().await;
    let agent = agent_of(&identity).await;
    let token = identity.mint(&identity.machine("machine-client", "drydock/write"));
    for request in [
        agent.rpc(Some("1.0"), "SendMessage", v1_message("x")),
        agent.rpc(None, "message/send", v03_message("x")),
        agent.request(Method::GET, "rest/tasks").header("A2A-Version", "1.0"),
    ] {
        let response = request.bearer_auth(&token).send().await.unwrap();
        assert_eq!(response.status(), 403);
        let challenge = r#"Bearer realm="drydock", error="insufficient_scope", scope="drydock/read""#;
        assert_eq!(response.headers()["www-authenticate"], challenge);
    }
}

#[tokio::test]
async fn where_tokens_cannot_be_checked_a_caller_is_told_to_come_back() {
    let identity = Identity::start().await;
    identity.behave(|behaviour| behaviour.fails_with = Some(503));
    let agent = agent_of(&identity).await;
    let token = token_of(&identity, "machine-client");
    let request = agent.rpc(Some("1.0"), "GetTask", json!({ "id": "x" })).bearer_auth(token);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn a_caller_sees_its_own_tasks_and_no_one_elses() {
    let identity = Identity::start().await;
    let agent = agent_of(&identity).await;
    let (mine, other) = (token_of(&identity, "machine-client"), token_of(&identity, "other-client"));
    let call = async |version, method, params, token: &str| {
        json_of(agent.rpc(version, method, params).bearer_auth(token)).await
    };
    let mut held = v1_message("hold");
    held["configuration"] = json!({ "returnImmediately": true });
    let task = call(Some("1.0"), "SendMessage", held, &mine).await["result"]["task"].clone();
    let (id, context) = (task["id"].clone(), task["contextId"].clone());
    let mut v1_follow_up = v1_message("go on");
    v1_follow_up["message"]["taskId"] = id.clone();
    let mut old_follow_up = v03_message("go on");
    old_follow_up["message"]["taskId"] = id.clone();
    for (version, method, params) in [
        (Some("1.0"), "GetTask", json!({ "id": id })),
        (Some("1.0"), "CancelTask", json!({ "id": id })),
        (Some("1.0"), "SubscribeToTask", json!({ "id": id })),
        (Some("1.0"), "SendMessage", v1_follow_up.clone()),
        (Some("1.0"), "SendStreamingMessage", v1_follow_up),
        (None, "tasks/get", json!({ "id": id })),
        (None, "tasks/cancel", json!({ "id": id })),
        (None, "tasks/resubscribe", json!({ "id": id })),
        (None, "message/send", old_follow_up.clone()),
        (None, "message/stream", old_follow_up),
    ] {
        let answer = call(version, method, params, &other).await;
        assert_eq!(answer["error"]["code"], -32001, "{method}: {answer}");
    }
    let tasks = |answer: Value| answer["result"]["tasks"].as_array().expect("a list").len();
    assert_eq!(tasks(call(Some("1.0"), "ListTasks", json!({}), &other).await), 0);
    assert_eq!(tasks(call(Some("1.0"), "ListTasks", json!({ "contextId": context }), &other).await), 0);
    assert_eq!(tasks(call(Some("1.0"), "ListTasks", json!({}), &mine).await), 1);
    let canceled = call(Some("1.0"), "CancelTask", json!({ "id": id }), &mine).await;
    assert_eq!(canceled["result"]["status"]["state"], "TASK_STATE_CANCELED");
}

#[tokio::test]
async fn the_same_machine_with_a_new_token_is_the_same_caller() {
    let identity = Identity::start().await;
    let agent = agent_of(&identity).await;
    let send = agent.rpc(Some("1.0"), "SendMessage", v1_message("hello"));
    let sent = json_of(send.bearer_auth(token_of(&identity, "machine-client"))).await;
    identity.sign_with(SigningKey::ec("key-2"));
    let get = agent.rpc(Some("1.0"), "GetTask", json!({ "id": sent["result"]["task"]["id"] }));
    let got = json_of(get.bearer_auth(token_of(&identity, "machine-client"))).await;
    assert_eq!(got["result"]["id"], sent["result"]["task"]["id"]);
}

fn user(text: &str) -> Message {
    Message { role: Role::User, ..Message::agent_text(text) }
}

async fn state_of(client: &A2aClient) -> Result<TaskState, ClientError> {
    match client.send(&user("hello")).await? {
        StreamResponse::Task(task) => Ok(task.status.state),
        other => panic!("no task: {other:?}"),
    }
}

#[tokio::test]
async fn our_client_gets_its_token_and_calls() {
    let identity = Identity::start().await;
    let agent = agent_of(&identity).await;
    let client = A2aClient::connect(&agent.url, Some(source(&identity))).await.unwrap();
    assert_eq!(state_of(&client).await.unwrap(), TaskState::Completed);
    assert_eq!(identity.seen().tokens(), 1);
}

#[tokio::test]
async fn our_client_tries_once_more_with_a_new_token_where_one_is_refused() {
    let identity = Identity::start().await;
    let agent = agent_of(&identity).await;
    let client = A2aClient::connect(&agent.url, Some(source(&identity))).await.unwrap();
    state_of(&client).await.unwrap();
    // The key of the token that the client has is withdrawn, long before the token expires.
    identity.sign_with(SigningKey::ec("key-2"));
    identity.forget_old_keys();
    pass(Duration::from_secs(600)).await;
    assert_eq!(state_of(&client).await.unwrap(), TaskState::Completed);
    assert_eq!(identity.seen().tokens(), 2);
    // A client that is refused whatever it does gives up.
    let unknown = Identity::start().await;
    let stranger = A2aClient::connect(&agent.url, Some(source(&unknown))).await.unwrap();
    let error = state_of(&stranger).await.unwrap_err();
    assert!(matches!(error, ClientError::Http { status: 401, .. }), "{error}");
    assert_eq!(unknown.seen().tokens(), 2);
}

#[tokio::test]
async fn a_fixed_token_that_is_refused_is_not_sent_again() {
    let identity = Identity::start().await;
    let agent = agent_of(&identity).await;
    let tokens = TokenSource::fixed("wrong".into());
    let client = A2aClient::connect(&agent.url, Some(tokens)).await.unwrap();
    let error = state_of(&client).await.unwrap_err();
    assert!(error.to_string().contains("The token is malformed"), "{error}");
}
