//! Every method in both dialects, and every way in which a call of it can go wrong: the exact code, the HTTP status and
//! the typed data of the error.

use std::sync::Arc;

use drydock::a2a::PushSettings;
use drydock::auth::{Authenticator, Principal, Scopes};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::script::Scripted;
use crate::support::{TestAgent, card_at, json_of, v1_message, v03_message};

/// alice and bob may call, carol's token lacks the scope. Of alice are a task that has ended, one that is worked on and
/// one that waits for her, the first with a push configuration.
struct Scene {
    agent: TestAgent,
    done: String,
    held: String,
    waiting: String,
}

const HOOK: &str = "http://127.0.0.1:9/hook";

impl Scene {
    async fn new() -> Self {
        let agent = TestAgent::received(Arc::new(Scripted), |reception, url| {
            reception.card = card_at(url, |publication| {
                publication.push = true;
                publication.extended = true;
            });
            let principal = |name: &str| Principal::named(name).with_scopes(["read"]);
            let tokens = ["alice", "bob"].map(|name| (name.to_owned(), principal(name)));
            let carol = ("carol".to_owned(), Principal::named("carol"));
            let scopes = Scopes { required: vec!["read".to_owned()], write: None };
            reception.authenticator =
                Authenticator::tokens(tokens.into_iter().chain([carol])).with_scopes(scopes);
            reception.push =
                PushSettings { allow: vec!["127.0.0.1".parse().expect("a host")], ..PushSettings::default() };
        })
        .await;
        let mut scene = Self { agent, done: String::new(), held: String::new(), waiting: String::new() };
        scene.done = scene.task_of("hello").await;
        scene.held = scene.task_of("hold").await;
        scene.waiting = scene.task_of("ask").await;
        let config = json!({ "taskId": scene.done, "id": "hook", "url": HOOK });
        let kept = scene.call("alice", "1.0", "CreateTaskPushNotificationConfig", config).await;
        assert!(kept.1["result"].is_object(), "{kept:?}");
        scene
    }

    async fn task_of(&self, text: &str) -> String {
        let mut params = v1_message(text);
        params["configuration"] = json!({ "returnImmediately": text == "hold" });
        let (_, answer) = self.call("alice", "1.0", "SendMessage", params).await;
        answer["result"]["task"]["id"].as_str().unwrap().to_owned()
    }

    async fn call(&self, who: &str, version: &str, method: &str, params: Value) -> (u16, Value) {
        let request = self.agent.rpc(Some(version), method, params);
        let request = if who.is_empty() { request } else { request.bearer_auth(who) };
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let is_stream = response.headers()["content-type"] == "text/event-stream";
        // A stream that begins is an answer.
        let answer = if is_stream { json!({ "result": "a stream" }) } else { response.json().await.unwrap() };
        (status, answer)
    }

    /// The parameters with the ids of the scene's tasks.
    fn filled(&self, params: &Value) -> Value {
        let text = params.to_string();
        let text =
            text.replace("$DONE", &self.done).replace("$HELD", &self.held).replace("$WAITING", &self.waiting);
        serde_json::from_str(&text).unwrap()
    }
}

/// A method: its parameters where all is well, where a field is missing or of the wrong type, where the task is unknown
/// or in the wrong state (with the code of that). `null` where there is no such case.
struct Row {
    version: &'static str,
    method: &'static str,
    valid: Value,
    missing: Value,
    wrong_type: Value,
    unknown: Value,
    wrong_state: (Value, i64),
    /// What a stranger gets for the valid parameters: not found, or an answer without what is another's.
    stranger_finds_nothing: bool,
}

fn message(version: &str, text: &str, task: &str) -> Value {
    let mut params = if version == "1.0" { v1_message(text) } else { v03_message(text) };
    params["message"]["taskId"] = json!(task);
    params
}

fn of_task(version: &'static str, method: &'static str, valid: &str, wrong_state: (Value, i64)) -> Row {
    Row {
        version,
        method,
        valid: json!({ "id": valid }),
        missing: json!({}),
        wrong_type: json!({ "id": 7 }),
        unknown: json!({ "id": "nobody" }),
        wrong_state,
        stranger_finds_nothing: true,
    }
}

fn sends(version: &'static str, method: &'static str, ended: i64) -> Row {
    let mut wrong_type = message(version, "x", "$WAITING");
    wrong_type["message"]["parts"] = json!("x");
    Row {
        version,
        method,
        valid: message(version, "answer", "$WAITING"),
        missing: json!({}),
        wrong_type,
        unknown: message(version, "x", "nobody"),
        wrong_state: (message(version, "x", "$DONE"), ended),
        stranger_finds_nothing: true,
    }
}

fn push(version: &'static str, method: &'static str, valid: Value, wrong_type: Value, unknown: Value) -> Row {
    Row {
        version,
        method,
        valid,
        missing: json!({}),
        wrong_type,
        unknown,
        wrong_state: (Value::Null, 0),
        stranger_finds_nothing: true,
    }
}

fn lists(version: &'static str, method: &'static str) -> Row {
    Row {
        version,
        method,
        valid: json!({}),
        missing: Value::Null,
        wrong_type: json!({ "pageSize": [] }),
        unknown: Value::Null,
        wrong_state: (Value::Null, 0),
        stranger_finds_nothing: false,
    }
}

fn card(version: &'static str, method: &'static str) -> Row {
    Row { wrong_type: Value::Null, ..lists(version, method) }
}

fn v03_push(id: &str) -> Value {
    json!({ "taskId": id, "pushNotificationConfig": { "id": "new", "url": HOOK } })
}

#[rstest]
#[case::send(sends("1.0", "SendMessage", -32004))]
#[case::stream(sends("1.0", "SendStreamingMessage", -32004))]
#[case::get(of_task("1.0", "GetTask", "$DONE", (Value::Null, 0)))]
#[case::list(lists("1.0", "ListTasks"))]
#[case::cancel(of_task("1.0", "CancelTask", "$HELD", (json!({ "id": "$DONE" }), -32002)))]
#[case::subscribe(of_task("1.0", "SubscribeToTask", "$HELD", (json!({ "id": "$DONE" }), -32004)))]
#[case::push_create(push(
    "1.0", "CreateTaskPushNotificationConfig", json!({ "taskId": "$DONE", "url": HOOK }),
    json!({ "taskId": "$DONE", "url": 7 }), json!({ "taskId": "nobody", "url": HOOK })
))]
#[case::push_get(push(
    "1.0", "GetTaskPushNotificationConfig", json!({ "taskId": "$DONE", "id": "hook" }),
    json!({ "taskId": "$DONE", "id": 7 }), json!({ "taskId": "$DONE", "id": "none" })
))]
#[case::push_list(push(
    "1.0", "ListTaskPushNotificationConfigs", json!({ "taskId": "$DONE" }),
    json!({ "taskId": 7 }), json!({ "taskId": "nobody" })
))]
#[case::push_delete(push(
    "1.0", "DeleteTaskPushNotificationConfig", json!({ "taskId": "$DONE", "id": "hook" }),
    json!({ "taskId": "$DONE", "id": 7 }), json!({ "taskId": "nobody", "id": "hook" })
))]
#[case::extended_card(card("1.0", "GetExtendedAgentCard"))]
#[case::send_old(sends("0.3", "message/send", -32602))]
#[case::stream_old(sends("0.3", "message/stream", -32602))]
#[case::get_old(of_task("0.3", "tasks/get", "$DONE", (Value::Null, 0)))]
#[case::list_old(lists("0.3", "tasks/list"))]
#[case::cancel_old(of_task("0.3", "tasks/cancel", "$HELD", (json!({ "id": "$DONE" }), -32002)))]
#[case::subscribe_old(of_task("0.3", "tasks/resubscribe", "$HELD", (json!({ "id": "$DONE" }), -32602)))]
#[case::push_create_old(push(
    "0.3", "tasks/pushNotificationConfig/set", v03_push("$DONE"),
    json!({ "taskId": "$DONE", "pushNotificationConfig": 7 }), v03_push("nobody")
))]
#[case::push_get_old(push(
    "0.3", "tasks/pushNotificationConfig/get", json!({ "id": "$DONE", "pushNotificationConfigId": "hook" }),
    json!({ "id": "$DONE", "pushNotificationConfigId": 7 }), json!({ "id": "$DONE", "pushNotificationConfigId": "none" })
))]
#[case::push_list_old(push(
    "0.3", "tasks/pushNotificationConfig/list", json!({ "id": "$DONE" }), json!({ "id": 7 }), json!({ "id": "nobody" })
))]
#[case::push_delete_old(push(
    "0.3", "tasks/pushNotificationConfig/delete", json!({ "id": "$DONE", "pushNotificationConfigId": "hook" }),
    json!({ "id": "$DONE", "pushNotificationConfigId": 7 }), json!({ "id": "nobody", "pushNotificationConfigId": "hook" })
))]
#[case::extended_card_old(card("0.3", "agent/getAuthenticatedExtendedCard"))]
#[tokio::test]
async fn a_call_goes_well_or_wrong_as_the_protocol_says(#[case] row: Row) {
    let scene = Scene::new().await;
    let call = |who: &'static str, params: &Value| {
        let params = scene.filled(params);
        let scene = &scene;
        async move { scene.call(who, row.version, row.method, params).await }
    };
    let bad = [
        ("missing field", &row.missing, -32602),
        ("wrong type", &row.wrong_type, -32602),
        ("unknown id", &row.unknown, -32001),
        ("wrong state", &row.wrong_state.0, row.wrong_state.1),
    ];
    for (case, params, code) in bad.into_iter().filter(|(_, params, _)| !params.is_null()) {
        check_error(case, call("alice", params).await, 200, code);
    }
    check_error("no token", call("", &row.valid).await, 401, -32091);
    check_error("unknown token", call("mallory", &row.valid).await, 401, -32091);
    check_error("wrong scope", call("carol", &row.valid).await, 403, -32093);
    let stranger = call("bob", &row.valid).await;
    match row.stranger_finds_nothing {
        true => check_error("wrong owner", stranger, 200, -32001),
        false => assert!(!stranger.1.to_string().contains(&scene.done), "{stranger:?}"),
    }
    let (status, answer) = call("alice", &row.valid).await;
    assert_eq!(status, 200);
    assert!(answer.get("result").is_some(), "valid: {answer}");
}

/// The error's code and HTTP status, and what its data says by the specification.
fn check_error(case: &str, (status, answer): (u16, Value), expected_status: u16, code: i64) {
    let error = &answer["error"];
    assert_eq!((status, &error["code"]), (expected_status, &json!(code)), "{case}: {answer}");
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{case}: {answer}");
    let detail = &error["data"][0];
    let expected = match code {
        -32001 => "TASK_NOT_FOUND",
        -32002 => "TASK_NOT_CANCELABLE",
        -32004 => "UNSUPPORTED_OPERATION",
        -32602 => {
            assert!(detail["fieldViolations"][0]["field"].is_string(), "{case}: {answer}");
            return;
        }
        _ => return,
    };
    assert_eq!(
        (&detail["reason"], &detail["domain"]),
        (&json!(expected), &json!("a2a-protocol.org")),
        "{case}"
    );
}

#[rstest]
#[case::send(Method::POST, "message:send", Some(-32001), 404)]
#[case::stream(Method::POST, "message:stream", Some(-32001), 404)]
#[case::get(Method::GET, "tasks/$DONE", Some(-32001), 404)]
#[case::list(Method::GET, "tasks", None, 200)]
#[case::cancel(Method::POST, "tasks/$HELD:cancel", Some(-32001), 404)]
#[case::subscribe(Method::GET, "tasks/$HELD:subscribe", Some(-32001), 404)]
#[case::push_create(Method::POST, "tasks/$DONE/pushNotificationConfigs", Some(-32001), 404)]
#[case::push_list(Method::GET, "tasks/$DONE/pushNotificationConfigs", Some(-32001), 404)]
#[case::push_get(Method::GET, "tasks/$DONE/pushNotificationConfigs/hook", Some(-32001), 404)]
#[case::push_delete(Method::DELETE, "tasks/$DONE/pushNotificationConfigs/hook", Some(-32001), 404)]
#[case::extended_card(Method::GET, "extendedAgentCard", None, 200)]
#[tokio::test]
async fn over_http_json_the_same_callers_are_refused(
    #[case] method: Method,
    #[case] path: &str,
    #[case] refused: Option<i64>,
    #[case] stranger_status: u16,
) {
    let scene = Scene::new().await;
    let path = path.replace("$DONE", &scene.done).replace("$HELD", &scene.held);
    let body = match path.contains("pushNotificationConfigs") {
        true => json!({ "url": HOOK }),
        false => message("1.0", "answer", &scene.waiting),
    };
    let ask = |who: &str| {
        let request =
            scene.agent.request(method.clone(), &format!("rest/{path}")).header("A2A-Version", "1.0");
        let request = if method == Method::POST { request.json(&body) } else { request };
        if who.is_empty() { request } else { request.bearer_auth(who) }
    };
    for (who, status, name) in [("", 401, "UNAUTHENTICATED"), ("carol", 403, "PERMISSION_DENIED")] {
        let response = ask(who).send().await.unwrap();
        assert_eq!(response.status(), status);
        assert!(response.headers().contains_key("www-authenticate"));
        assert_eq!(response.json::<Value>().await.unwrap()["error"]["status"], name);
    }
    let stranger = ask("bob").send().await.unwrap();
    assert_eq!(stranger.status(), stranger_status);
    if refused.is_some() {
        let error: Value = stranger.json().await.unwrap();
        assert_eq!(error["error"]["details"][0]["reason"], "TASK_NOT_FOUND");
    } else {
        assert!(!json_of(ask("bob")).await.to_string().contains(&scene.done));
    }
    assert_eq!(ask("alice").send().await.unwrap().status(), 200);
}
