//! Push notifications: real receivers, real restarts, and addresses that must not be reached.

mod delivery;
mod durability;
mod guard;
mod headers;
mod limits;
mod methods;

use std::sync::Arc;
use std::time::Duration;

use drydock::a2a::types::TaskId;
use drydock::a2a::{AllowRule, PushSettings, RetryPolicy};
use drydock::app::Reception;
use drydock::auth::{Authenticator, Principal};
use drydock::tasks::{AgentExecutor, PushState, StoredPush, TaskArchive};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::script::Scripted;
use crate::support::{TestAgent, card_at, v1_message};

/// Retries without much waiting.
const SOON: RetryPolicy = RetryPolicy {
    first_pause: Duration::from_millis(1),
    longest_pause: Duration::from_millis(10),
    max_attempts: 1000,
    max_refusals: 3,
    max_age: Duration::from_secs(3600),
};

/// Receivers on this machine, and retries without much waiting.
fn local() -> PushSettings {
    PushSettings { allow: allow(&["127.0.0.0/8"]), retry: SOON, ..PushSettings::default() }
}

fn allow(rules: &[&str]) -> Vec<AllowRule> {
    rules.iter().map(|rule| rule.parse().unwrap()).collect()
}

fn pushing(push: PushSettings) -> impl FnOnce(&mut Reception, &str) {
    |reception, url| {
        reception.card = card_at(url, |publication| publication.push = true);
        reception.push = push;
    }
}

async fn agent_with(executor: Arc<dyn AgentExecutor>, push: PushSettings) -> TestAgent {
    TestAgent::received(executor, pushing(push)).await
}

pub async fn scripted() -> TestAgent {
    agent_with(Arc::new(Scripted), local()).await
}

/// An agent that reaches nothing that is not reachable from everywhere.
async fn strict() -> TestAgent {
    agent_with(Arc::new(Scripted), PushSettings { allow: Vec::new(), ..local() }).await
}

async fn resumed(folder: TempDir, executor: Arc<dyn AgentExecutor>) -> TestAgent {
    TestAgent::in_folder(folder, executor, pushing(local())).await
}

/// An agent that knows these callers, each with a token of the same name.
async fn known_to(callers: &[&str]) -> TestAgent {
    let tokens: Vec<_> = callers.iter().map(|name| ((*name).to_owned(), Principal::named(*name))).collect();
    TestAgent::received(Arc::new(Scripted), |reception, url| {
        pushing(local())(reception, url);
        reception.authenticator = Authenticator::tokens(tokens);
    })
    .await
}

/// A message with a push configuration.
fn message_to(text: &str, config: Value) -> Value {
    let mut params = v1_message(text);
    params["configuration"] = json!({ "taskPushNotificationConfig": config });
    params
}

/// Sends a message without waiting for the end of its task, and returns the task's id.
pub async fn begin(agent: &TestAgent, text: &str, config: Option<Value>) -> String {
    let mut params = v1_message(text);
    params["configuration"] = json!({ "returnImmediately": true });
    if let Some(config) = config {
        params["configuration"]["taskPushNotificationConfig"] = config;
    }
    let answer = agent.v1("SendMessage", params).await;
    answer["result"]["task"]["id"].as_str().unwrap_or_else(|| panic!("no task: {answer}")).to_owned()
}

/// The configurations of a task as the store has them.
async fn kept(agent: &TestAgent, task: &str) -> Vec<StoredPush> {
    let archive = TaskArchive::open(&agent.folder().join("tasks.db")).await.unwrap();
    archive.pushes(&TaskId::from(task)).await.unwrap()
}

/// Waits until the only configuration of a task is no longer active.
pub async fn ended(agent: &TestAgent, task: &str) -> StoredPush {
    let archive = TaskArchive::open(&agent.folder().join("tasks.db")).await.unwrap();
    loop {
        let mut pushes = archive.pushes(&TaskId::from(task)).await.unwrap();
        assert_eq!(pushes.len(), 1);
        let stored = pushes.remove(0);
        if stored.progress.state != PushState::Active {
            return stored;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
