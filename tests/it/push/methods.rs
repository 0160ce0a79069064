//! The methods about configurations, in both dialects and over both bindings.

use rstest::rstest;
use serde_json::{Value, json};

use super::{begin, known_to, scripted, strict};
use crate::support::{TestAgent, json_of};

const URL: &str = "https://hooks.example/a";

/// A task whose configurations are not delivered to anyone: it has ended.
async fn ended_task(agent: &TestAgent) -> String {
    let answer = agent.v1("SendMessage", crate::support::v1_message("hello")).await;
    answer["result"]["task"]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn configurations_of_1_0_are_made_read_listed_and_deleted() {
    let agent = scripted().await;
    let task = ended_task(&agent).await;
    let config = json!({
        "taskId": task, "id": "c1", "url": URL, "token": "t",
        "authentication": { "scheme": "Bearer", "credentials": "s3cret" },
    });
    assert_eq!(agent.v1("CreateTaskPushNotificationConfig", config.clone()).await["result"], config);
    let mut told = config;
    told["authentication"] = json!({ "scheme": "Bearer" });
    let named = json!({ "taskId": task, "id": "c1" });
    assert_eq!(agent.v1("GetTaskPushNotificationConfig", named.clone()).await["result"], told);
    let list = agent.v1("ListTaskPushNotificationConfigs", json!({ "taskId": task })).await;
    assert_eq!(list["result"], json!({ "configs": [told], "nextPageToken": "" }));
    for _ in 0..2 {
        assert_eq!(agent.v1("DeleteTaskPushNotificationConfig", named.clone()).await["result"], json!({}));
    }
    assert_eq!(agent.v1("GetTaskPushNotificationConfig", named).await["error"]["code"], -32001);
    let list = agent.v1("ListTaskPushNotificationConfigs", json!({ "taskId": task })).await;
    assert_eq!(list["result"], json!({ "configs": [], "nextPageToken": "" }));
}

#[tokio::test]
async fn configurations_of_0_3_are_set_read_listed_and_deleted() {
    let agent = scripted().await;
    let task = ended_task(&agent).await;
    let config = json!({ "taskId": task, "pushNotificationConfig": {
        "id": "c1", "url": URL, "token": "t", "authentication": { "schemes": ["Bearer"], "credentials": "s3cret" },
    }});
    assert_eq!(agent.v03("tasks/pushNotificationConfig/set", config.clone()).await["result"], config);
    let mut told = config;
    told["pushNotificationConfig"]["authentication"] = json!({ "schemes": ["Bearer"] });
    let named = json!({ "id": task, "pushNotificationConfigId": "c1" });
    assert_eq!(agent.v03("tasks/pushNotificationConfig/get", named.clone()).await["result"], told);
    let list = agent.v03("tasks/pushNotificationConfig/list", json!({ "id": task })).await;
    assert_eq!(list["result"], json!([told]));
    let deleted = agent.rpc(None, "tasks/pushNotificationConfig/delete", named.clone());
    let deleted = deleted.send().await.unwrap().text().await.unwrap();
    let expected = json!({ "jsonrpc": "2.0", "id": 7, "result": null });
    assert_eq!(serde_json::from_str::<Value>(&deleted).unwrap(), expected);
    assert!(deleted.contains(r#""result":null"#), "{deleted}");
    assert_eq!(agent.v03("tasks/pushNotificationConfig/get", named).await["error"]["code"], -32001);
}

#[tokio::test]
async fn without_an_id_1_0_makes_another_and_0_3_replaces_the_default() {
    let agent = scripted().await;
    let task = ended_task(&agent).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let made = agent.v1("CreateTaskPushNotificationConfig", json!({ "taskId": task, "url": URL })).await;
        ids.push(made["result"]["id"].as_str().unwrap().to_owned());
    }
    assert_ne!(ids[0], ids[1]);
    for url in ["https://hooks.example/1", "https://hooks.example/2"] {
        let config = json!({ "taskId": task, "pushNotificationConfig": { "url": url } });
        agent.v03("tasks/pushNotificationConfig/set", config).await;
    }
    let list = agent.v03("tasks/pushNotificationConfig/list", json!({ "id": task })).await;
    assert_eq!(list["result"].as_array().unwrap().len(), 3);
    let default = agent.v03("tasks/pushNotificationConfig/get", json!({ "id": task })).await;
    assert_eq!(default["result"]["pushNotificationConfig"]["url"], "https://hooks.example/2");
}

#[tokio::test]
async fn a_list_has_pages() {
    let agent = scripted().await;
    let task = ended_task(&agent).await;
    for id in ["a", "b", "c"] {
        let config = json!({ "taskId": task, "id": id, "url": URL });
        agent.v1("CreateTaskPushNotificationConfig", config).await;
    }
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = json!({ "taskId": task, "pageSize": 2, "pageToken": token });
        let page = agent.v1("ListTaskPushNotificationConfigs", page).await["result"].clone();
        let ids = page["configs"].as_array().unwrap().iter().map(|config| config["id"].clone());
        seen.push(ids.collect::<Vec<_>>());
        token = page["nextPageToken"].as_str().unwrap().to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, [vec!["a", "b"], vec!["c"]]);
}

#[tokio::test]
async fn the_rest_binding_has_the_same_configurations() {
    let agent = scripted().await;
    let task = ended_task(&agent).await;
    let path = format!("rest/tasks/{task}/pushNotificationConfigs");
    let rest = |method: &str, path: &str| {
        let method = method.parse().unwrap();
        agent.request(method, path).header("A2A-Version", "1.0")
    };
    let config = json!({ "id": "c1", "url": URL });
    let made = json_of(rest("POST", &path).json(&config)).await;
    assert_eq!(made, json!({ "taskId": task, "id": "c1", "url": URL }));
    assert_eq!(json_of(rest("GET", &format!("{path}/c1"))).await, made);
    let list = json_of(rest("GET", &format!("{path}?pageSize=1"))).await;
    assert_eq!(list, json!({ "configs": [made], "nextPageToken": "" }));
    assert_eq!(json_of(rest("DELETE", &format!("{path}/c1"))).await, json!({}));
    let gone = rest("GET", &format!("{path}/c1")).send().await.unwrap();
    assert_eq!(gone.status(), 404);
}

#[rstest]
#[case::no_task(json!({ "url": URL }), -32602, "taskId")]
#[case::unknown_task(json!({ "taskId": "nobody", "url": "not checked" }), -32001, "")]
#[case::no_url(json!({ "taskId": "T" }), -32602, "url")]
#[case::not_a_url(json!({ "taskId": "T", "url": "hooks" }), -32602, "url")]
#[case::plain_http(json!({ "taskId": "T", "url": "http://hooks.example/" }), -32602, "url")]
#[case::metadata(json!({ "taskId": "T", "url": "https://169.254.169.254/latest" }), -32602, "url")]
#[case::private(json!({ "taskId": "T", "url": "https://10.0.0.1/" }), -32602, "url")]
#[case::url_is_a_number(json!({ "taskId": "T", "url": 1 }), -32602, "url")]
#[case::token_with_a_line_end(json!({ "taskId": "T", "url": URL, "token": "a\r\nX: y" }), -32602, "token")]
#[case::token_beyond_ascii(json!({ "taskId": "T", "url": URL, "token": "토큰" }), -32602, "token")]
#[case::token_too_long(json!({ "taskId": "T", "url": URL, "token": "x".repeat(4097) }), -32602, "token")]
#[case::no_scheme(json!({ "taskId": "T", "url": URL, "authentication": {} }), -32602, "authentication")]
#[case::scheme_with_a_line_end(json!({ "taskId": "T", "url": URL, "authentication": { "scheme": "a\nb" } }), -32602, "authentication.scheme")]
#[case::scheme_with_a_space(json!({ "taskId": "T", "url": URL, "authentication": { "scheme": "Bearer x" } }), -32602, "authentication.scheme")]
#[case::credentials_with_a_line_end(json!({ "taskId": "T", "url": URL, "authentication": { "scheme": "Bearer", "credentials": "a\nb" } }), -32602, "authentication.credentials")]
#[case::no_secret(json!({ "taskId": "T", "url": URL, "authentication": { "scheme": "HMAC-SHA256" } }), -32602, "authentication.credentials")]
#[case::long_id(json!({ "taskId": "T", "url": URL, "id": "x".repeat(257) }), -32602, "id")]
#[case::id_with_a_line_end(json!({ "taskId": "T", "url": URL, "id": "a\nb" }), -32602, "id")]
#[tokio::test]
async fn what_is_wrong_with_a_configuration_is_named(
    #[case] config: Value,
    #[case] code: i32,
    #[case] field: &str,
) {
    let agent = strict().await;
    let task = begin(&agent, "hold", None).await;
    let mut config = config;
    if config["taskId"] == "T" {
        config["taskId"] = json!(task);
    }
    let answer = agent.v1("CreateTaskPushNotificationConfig", config.clone()).await;
    assert_eq!(answer["error"]["code"], code, "{answer}");
    let named = answer["error"]["data"][0]["fieldViolations"][0]["field"].as_str().unwrap_or_default();
    let says = answer["error"]["message"].as_str().unwrap_or_default();
    assert!(named == field || says.contains(field), "{answer}");
    if code == -32602 && config["taskId"].is_string() {
        let list = agent.v1("ListTaskPushNotificationConfigs", json!({ "taskId": task })).await;
        assert_eq!(list["result"]["configs"], json!([]));
    }
}

#[rstest]
#[case::no_config("tasks/pushNotificationConfig/set", json!({ "taskId": "T" }), "pushNotificationConfig")]
#[case::config_is_a_text("tasks/pushNotificationConfig/set", json!({ "taskId": "T", "pushNotificationConfig": "x" }), "pushNotificationConfig")]
#[case::no_url("tasks/pushNotificationConfig/set", json!({ "taskId": "T", "pushNotificationConfig": {} }), "pushNotificationConfig")]
#[case::plain_http("tasks/pushNotificationConfig/set", json!({ "taskId": "T", "pushNotificationConfig": { "url": "http://hooks.example/" } }), "pushNotificationConfig.url")]
#[case::scheme("tasks/pushNotificationConfig/set", json!({ "taskId": "T", "pushNotificationConfig": { "url": URL, "authentication": { "schemes": ["a b"] } } }), "pushNotificationConfig.authentication.schemes")]
#[case::get_without_task("tasks/pushNotificationConfig/get", json!({}), "id")]
#[case::delete_without_config("tasks/pushNotificationConfig/delete", json!({ "id": "T" }), "pushNotificationConfigId")]
#[tokio::test]
async fn what_is_wrong_in_0_3_is_named_in_its_words(
    #[case] method: &str,
    #[case] params: Value,
    #[case] field: &str,
) {
    let agent = strict().await;
    let task = begin(&agent, "hold", None).await;
    let params = serde_json::from_str(&params.to_string().replace("\"T\"", &format!("\"{task}\""))).unwrap();
    let answer = agent.v03(method, params).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    let named = answer["error"]["data"][0]["fieldViolations"][0]["field"].as_str().unwrap();
    let says = answer["error"]["message"].as_str().unwrap();
    assert!(named == field || says.contains(field), "{answer}");
}

#[rstest]
#[case::negative_size(json!({ "pageSize": -1 }), "pageSize")]
#[case::token_of_elsewhere(json!({ "pageToken": "§" }), "pageToken")]
#[tokio::test]
async fn a_wrong_page_is_named(#[case] page: Value, #[case] field: &str) {
    let agent = scripted().await;
    let mut page = page;
    page["taskId"] = json!(ended_task(&agent).await);
    let answer = agent.v1("ListTaskPushNotificationConfigs", page).await;
    assert_eq!(answer["error"]["data"][0]["fieldViolations"][0]["field"], field, "{answer}");
}

#[rstest]
#[case::create("CreateTaskPushNotificationConfig", json!({ "taskId": "T", "url": URL }))]
#[case::get("GetTaskPushNotificationConfig", json!({ "taskId": "T", "id": "c1" }))]
#[case::list("ListTaskPushNotificationConfigs", json!({ "taskId": "T" }))]
#[case::delete("DeleteTaskPushNotificationConfig", json!({ "taskId": "T", "id": "c1" }))]
#[tokio::test]
async fn another_caller_sees_and_changes_none(#[case] method: &str, #[case] params: Value) {
    let agent = known_to(&["me", "you"]).await;
    let call = |who: &str, method: &str, params: Value| {
        json_of(agent.rpc(Some("1.0"), method, params).bearer_auth(who))
    };
    let mine = call("me", "SendMessage", crate::support::v1_message("hello")).await;
    let task = mine["result"]["task"]["id"].clone();
    let config = json!({ "taskId": task, "id": "c1", "url": URL });
    assert!(call("me", "CreateTaskPushNotificationConfig", config).await["result"].is_object());
    let mut params = params;
    params["taskId"] = task.clone();
    assert_eq!(call("you", method, params).await["error"]["code"], -32001);
    let list = call("me", "ListTaskPushNotificationConfigs", json!({ "taskId": task })).await;
    assert_eq!(list["result"]["configs"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn another_caller_cannot_attach_one_with_a_message() {
    let agent = known_to(&["me", "you"]).await;
    let call = |who: &str, method: &str, params: Value| {
        json_of(agent.rpc(Some("1.0"), method, params).bearer_auth(who))
    };
    let mine = call("me", "SendMessage", crate::support::v1_message("ask")).await;
    let task = mine["result"]["task"]["id"].clone();
    let mut params = super::message_to("shop", json!({ "url": URL }));
    params["message"]["taskId"] = task.clone();
    assert_eq!(call("you", "SendMessage", params).await["error"]["code"], -32001);
    let list = call("me", "ListTaskPushNotificationConfigs", json!({ "taskId": task })).await;
    assert_eq!(list["result"]["configs"], json!([]));
}

#[tokio::test]
async fn a_message_with_a_wrong_configuration_begins_nothing() {
    let agent = scripted().await;
    let params = super::message_to("hello", json!({ "url": "https://127.0.0.1/", "token": "a\nb" }));
    let answer = agent.v1("SendMessage", params).await;
    let field = &answer["error"]["data"][0]["fieldViolations"][0]["field"];
    assert_eq!(field, "configuration.taskPushNotificationConfig.token", "{answer}");
    assert_eq!(agent.v1("ListTasks", json!({})).await["result"]["totalSize"], 0);
}
