//! Other MCP servers: their tools as a toolbox, and several of them behind one.

mod credentials;
mod remote;
mod served;

use drydock::tools::{CallContext, Session, ToolOutcome, Toolbox};
use serde_json::Value;

fn caller() -> CallContext {
    CallContext::new(Session::new("alice", true), 10_000)
}

async fn call(toolbox: &impl Toolbox, name: &str, arguments: Value) -> ToolOutcome {
    toolbox.call(name, arguments, &caller()).await
}

async fn names(toolbox: &impl Toolbox) -> Vec<String> {
    let tools = toolbox.list(&caller()).await.unwrap();
    tools.into_iter().map(|tool| tool.name.into_owned()).collect()
}
