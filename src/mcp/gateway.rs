//! Several toolboxes as one: `target___tool` names, and a tool that finds tools.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::tools::{Annotations, CallContext, ToolError, ToolOutcome, ToolSpec, Toolbox};

/// Between the name of a target and that of its tool.
const SEPARATOR: &str = "___";
/// The tool that finds tools.
const SEARCH: &str = "x_amz_bedrock_agentcore_search";
/// Longest name of a tool that models take.
const MAX_NAME: usize = 64;
/// Tools that a search finds at most.
const MAX_FOUND: usize = 10;

/// A toolbox under a name.
pub struct Target {
    /// Its name: letters, digits and single hyphens.
    pub name: String,
    /// Its tools.
    pub toolbox: Arc<dyn Toolbox>,
    /// How long it may take to list its tools, or to answer a call.
    pub timeout: Duration,
}

/// Why there is no gateway over these targets.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// Not the name of a target.
    #[error("{0:?} is no name of a target: use up to 48 letters, digits and single hyphens")]
    Name(String),
    /// Two targets of one name.
    #[error("there are two targets {0}: give each a name of its own")]
    Twice(String),
}

/// Several targets as one toolbox. A target that does not answer loses its tools from the list, and only those.
pub struct Gateway {
    targets: Vec<Target>,
}

impl Gateway {
    /// A gateway over these targets; their order is that of the list.
    ///
    /// # Errors
    /// A name is not allowed, or is there twice.
    pub fn new(targets: Vec<Target>) -> Result<Self, GatewayError> {
        for (index, Target { name, .. }) in targets.iter().enumerate() {
            let is_part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric());
            if name.len() > 48 || !name.split('-').all(is_part) {
                return Err(GatewayError::Name(name.clone()));
            }
            if targets[..index].iter().any(|other| other.name == *name) {
                return Err(GatewayError::Twice(name.clone()));
            }
        }
        Ok(Self { targets })
    }

    async fn tools(&self, cx: &CallContext) -> Vec<ToolSpec> {
        join_all(self.targets.iter().map(|target| target.tools(cx))).await.concat()
    }

    async fn search(&self, arguments: &Value, cx: &CallContext) -> ToolOutcome {
        let Some(query) = arguments["query"].as_str() else {
            return ToolOutcome::failed("query must be a string: say what the tool should do".to_owned());
        };
        let found: Vec<Value> = ranked(query, self.tools(cx).await).iter().map(described).collect();
        let text = Value::from(found.clone()).to_string();
        ToolOutcome::new(json!({ "tools": found }), text)
    }
}

impl Target {
    /// Its tools under the gateway's names; none where it does not answer.
    async fn tools(&self, cx: &CallContext) -> Vec<ToolSpec> {
        let listed = tokio::time::timeout(self.timeout, self.toolbox.list(cx)).await;
        let listed = listed.unwrap_or(Err(ToolError::TimedOut(self.timeout)));
        let tools = listed.unwrap_or_else(|error| {
            tracing::warn!(target.name = self.name, %error, "a target lists no tools");
            Vec::new()
        });
        let named = tools.into_iter().map(|tool| {
            let name = format!("{}{SEPARATOR}{}", self.name, tool.name);
            ToolSpec { name: name.into(), ..tool }
        });
        named.filter(|tool| is_callable(&tool.name)).collect()
    }

    async fn call(&self, name: &str, arguments: Value, cx: &CallContext) -> ToolOutcome {
        let cx = CallContext { cancellation: cx.cancellation.child_token(), ..cx.clone() };
        // Fires when this call is given up, too.
        let _given_up = cx.cancellation.clone().drop_guard();
        let called = tokio::time::timeout(self.timeout, self.toolbox.call(name, arguments, &cx)).await;
        called.unwrap_or_else(|_| ToolOutcome::failed(ToolError::TimedOut(self.timeout).to_string()))
    }
}

/// A name that models can call.
fn is_callable(name: &str) -> bool {
    name.len() <= MAX_NAME && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

fn described(tool: &ToolSpec) -> Value {
    json!({ "name": tool.name, "description": tool.description, "inputSchema": tool.input_schema })
}

/// Those that have words of the query in their names (which count thrice) or descriptions, best first.
fn ranked(query: &str, tools: Vec<ToolSpec>) -> Vec<ToolSpec> {
    let words = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_lowercase).collect()
    };
    let wanted = words(query);
    let score = |tool: &ToolSpec| {
        let (name, description) = (words(&tool.name), words(&tool.description));
        let worth = |word| 3 * usize::from(name.contains(word)) + usize::from(description.contains(word));
        wanted.iter().map(worth).sum::<usize>()
    };
    let mut scored: Vec<_> = tools.into_iter().map(|tool| (score(&tool), tool)).collect();
    scored.retain(|(score, _)| *score > 0);
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    scored.into_iter().take(MAX_FOUND).map(|(_, tool)| tool).collect()
}

fn search_tool() -> ToolSpec {
    let query = json!({ "type": "string", "description": "What the tool should do" });
    let schema = json!({ "type": "object", "properties": { "query": query }, "required": ["query"] });
    ToolSpec {
        title: "Find a tool".into(),
        description: "Finds the tools that fit a description of what is to be done.".into(),
        annotations: Annotations::COMPUTES,
        ..ToolSpec::named(SEARCH, schema)
    }
}

#[async_trait]
impl Toolbox for Gateway {
    async fn list(&self, cx: &CallContext) -> Result<Vec<ToolSpec>, ToolError> {
        Ok([vec![search_tool()], self.tools(cx).await].concat())
    }

    async fn call(&self, name: &str, arguments: Value, cx: &CallContext) -> ToolOutcome {
        if name == SEARCH {
            return self.search(&arguments, cx).await;
        }
        let found = name
            .split_once(SEPARATOR)
            .and_then(|(target, tool)| Some((self.targets.iter().find(|known| known.name == target)?, tool)));
        match found {
            Some((target, tool)) => target.call(tool, arguments, cx).await,
            None => {
                let near = vec![SEARCH.to_owned()];
                let name = name.chars().take(MAX_NAME).collect();
                ToolOutcome::failed(ToolError::UnknownTool { name, near }.to_string())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::Session;

    /// Tools of these names, which answer with their name; none: it never answers.
    struct Stub(&'static [&'static str]);

    #[async_trait]
    impl Toolbox for Stub {
        async fn list(&self, _: &CallContext) -> Result<Vec<ToolSpec>, ToolError> {
            if self.0.is_empty() {
                std::future::pending::<()>().await;
            }
            Ok(self.0.iter().map(|name| ToolSpec::named(*name, json!({ "type": "object" }))).collect())
        }

        async fn call(&self, name: &str, _: Value, _: &CallContext) -> ToolOutcome {
            if self.0.is_empty() {
                std::future::pending::<()>().await;
            }
            ToolOutcome::new(json!({}), name.to_owned())
        }
    }

    fn target(name: &str, tools: &'static [&'static str]) -> Target {
        Target { name: name.to_owned(), toolbox: Arc::new(Stub(tools)), timeout: Duration::from_secs(5) }
    }

    fn gateway() -> Gateway {
        let tools = &["get_logs", "a.b", "a_name_that_is_far_too_long_to_be_called_by_any_model_at_all_00"];
        Gateway::new(vec![target("one", tools), target("dead", &[]), target("two", &["get_logs"])]).unwrap()
    }

    fn caller() -> CallContext {
        CallContext::new(Session::new("alice", false), 10_000)
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_target_loses_its_tools_and_the_others_keep_theirs() {
        let tools = gateway().list(&caller()).await.unwrap();
        let names: Vec<_> = tools.iter().map(|tool| &*tool.name).collect();
        assert_eq!(names, [SEARCH, "one___get_logs", "two___get_logs"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_reaches_its_target_under_the_targets_own_name() {
        let (gateway, cx) = (gateway(), caller());
        assert_eq!(gateway.call("one___get_logs", json!({}), &cx).await.text, "get_logs");
        assert!(gateway.call("dead___get_logs", json!({}), &cx).await.text.contains("no result within 5 s"));
        assert!(gateway.call("three___get_logs", json!({}), &cx).await.text.contains("there is no tool"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_search_finds_the_best_first() {
        let outcome = gateway().call(SEARCH, json!({ "query": "logs of two" }), &caller()).await;
        let names: Vec<_> =
            outcome.structured["tools"].as_array().unwrap().iter().map(|tool| &tool["name"]).collect();
        assert_eq!(names, ["two___get_logs", "one___get_logs"]);
    }

    #[test]
    fn names_of_targets_are_checked() {
        assert!(matches!(Gateway::new(vec![target("a_b", &[])]), Err(GatewayError::Name(_))));
        let twice = vec![target("a", &[]), target("a", &[])];
        assert!(matches!(Gateway::new(twice), Err(GatewayError::Twice(_))));
    }
}
