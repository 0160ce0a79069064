//! What the stories share: executors that a test holds in its hands, a store behind a gate, and an agent on a real port.

mod agent;
pub mod aws;
mod cluster;
mod gate;
pub mod identity;
pub mod inputs;
pub mod keys;
pub mod kits;
pub mod mcp_server;
pub mod process;
mod proxy;
mod puppet;
mod receiver;
pub mod script;

pub use agent::{Frame, TestAgent, card_at, frames_of, json_of, rpc_to, v1_message, v03_message};
pub use cluster::GatedCluster;
pub use gate::GatedStore;
pub use proxy::BreakingProxy;
pub use puppet::Puppet;
pub use receiver::{Notification, Receiver, Reply, own_address};

use std::path::Path;

use drydock::a2a::types::{Message, Role, TaskId};
use drydock::tasks::{NewMessage, RequestOptions, SqliteTaskStore};

/// A message of a client that begins a task.
pub fn message(text: &str) -> NewMessage {
    NewMessage {
        message: Message { role: Role::User, ..Message::agent_text(text) },
        metadata: None,
        idempotency_key: None,
        options: RequestOptions::default(),
    }
}

/// A message that continues a task.
pub fn follow_up(id: &TaskId, text: &str) -> NewMessage {
    let mut new = message(text);
    new.message.task_id = Some(id.clone());
    new
}

/// The store in this folder.
pub async fn store_in(folder: &Path) -> SqliteTaskStore {
    SqliteTaskStore::open(&folder.join("tasks.db")).await.expect("the store opens")
}
