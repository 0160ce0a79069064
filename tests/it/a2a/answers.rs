//! What the real agent answers to what peers send beside words: accepted media types and structured requests.

use std::sync::Arc;

use drydock::agent::{Agent, Budget};
use drydock::cluster::{Cluster, ClusterSource};
use drydock::model::Runbook;
use drydock::tools::{Environment, Registry};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{TestAgent, process, v1_message};

/// The agent of a recorded shop, and the cluster's name.
async fn agent() -> (TestAgent, String) {
    let shop = Cluster::open(&ClusterSource::Bundle(process::bundle("broken"))).await.unwrap();
    let name = shop.info.name.clone();
    let agent = Agent::new(
        Arc::new(Runbook),
        Arc::new(Registry::standard(Environment::of(shop))),
        Some(name.clone()),
        Budget::default(),
    );
    (TestAgent::start(Arc::new(agent)).await, name)
}

async fn ask(agent: &TestAgent, modes: Value) -> Value {
    let mut params = v1_message("Is anything wrong?");
    params["configuration"] = json!({ "acceptedOutputModes": modes });
    agent.v1("SendMessage", params).await["result"]["task"].take()
}

fn artifact<'a>(task: &'a Value, name: &str) -> Option<&'a Value> {
    task["artifacts"].as_array().unwrap().iter().find(|artifact| artifact["name"] == name)
}

#[rstest]
#[case::anything(json!([]), Some("text/markdown"), true)]
#[case::plain_text(json!(["text/plain"]), Some("text/plain"), false)]
#[case::markdown(json!(["text/markdown"]), Some("text/markdown"), false)]
#[case::json(json!(["application/json"]), None, true)]
#[case::text_or_json(json!(["application/json", "text/plain"]), Some("text/plain"), true)]
#[tokio::test]
async fn a_peer_gets_the_media_types_that_it_accepts(
    #[case] modes: Value,
    #[case] text: Option<&str>,
    #[case] report: bool,
) {
    let (agent, _) = agent().await;
    let task = ask(&agent, modes).await;
    let answer = &artifact(&task, "k8s_diagnostics_result").expect("there is always an answer")["parts"][0];
    match text {
        Some(media_type) => {
            assert_eq!(answer["mediaType"], media_type);
            assert!(answer["text"].as_str().is_some_and(|text| !text.is_empty()));
        }
        None => assert!(answer["data"]["text"].as_str().is_some_and(|text| !text.is_empty()), "{answer}"),
    }
    assert_eq!(artifact(&task, "report").is_some(), report);
}

/// A message with this data part only.
fn structured(scope: Value) -> Value {
    let mut params = v1_message("");
    params["message"]["parts"] = json!([{ "data": { "scope": scope } }]);
    params
}

#[tokio::test]
async fn a_scope_says_what_to_look_at() {
    let (agent, _) = agent().await;
    let task =
        agent.v1("SendMessage", structured(json!({ "namespaces": ["shop"] }))).await["result"]["task"].take();
    assert_eq!(task["status"]["state"], "TASK_STATE_COMPLETED", "{task}");
    let report = &artifact(&task, "report").unwrap()["parts"][0]["data"];
    assert_eq!(report["scope"]["namespaces"], json!(["shop"]));
    let object = json!({ "object": { "kind": "Deployment", "namespace": "shop", "name": "nowhere" } });
    let task = agent.v1("SendMessage", structured(object)).await["result"]["task"].take();
    assert_eq!(task["status"]["state"], "TASK_STATE_COMPLETED", "{task}");
}

#[tokio::test]
async fn a_scope_that_makes_no_sense_is_rejected_with_what_is_wrong() {
    let (agent, _) = agent().await;
    let params = structured(json!({ "namespaces": "shop" }));
    let task = agent.v1("SendMessage", params).await["result"]["task"].take();
    assert_eq!(task["status"]["state"], "TASK_STATE_REJECTED");
    let says = task["status"]["message"]["parts"][0]["text"].as_str().unwrap();
    assert!(says.contains("scope.namespaces"), "{says}");
}

#[tokio::test]
async fn who_means_another_cluster_is_asked_and_can_answer() {
    let (agent, name) = agent().await;
    let params = structured(json!({ "cluster": "another", "namespaces": ["shop"] }));
    let task = agent.v1("SendMessage", params).await["result"]["task"].take();
    assert_eq!(task["status"]["state"], "TASK_STATE_INPUT_REQUIRED");
    assert!(task["status"]["message"]["parts"][0]["text"].as_str().unwrap().contains(&name), "{task}");
    let mut answer = v1_message(&name);
    answer["message"]["taskId"] = task["id"].clone();
    let task = agent.v1("SendMessage", answer).await["result"]["task"].take();
    assert_eq!(task["status"]["state"], "TASK_STATE_COMPLETED", "{task}");
    let report = &artifact(&task, "report").unwrap()["parts"][0]["data"];
    assert_eq!(report["scope"]["namespaces"], json!(["shop"]), "the first request is answered");
}
