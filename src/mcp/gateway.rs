//! Several toolboxes as one: `target___tool` names, and a tool that finds tools.
//!
//! A target that does not answer loses its tools from the list, and only those; one that fails time after time is left
//! alone for a while. A caller who may not write is offered what its target says only reads, and can call nothing else:
//! a target is believed what it says about its tools, so name only those that you trust.

mod health;
mod search;

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::SEPARATOR;
use crate::tools::{Annotations, CallContext, ToolError, ToolOutcome, ToolSpec, Toolbox, bound, shorten};

pub use health::{HealthState, TargetHealth};

use health::{Admitted, Breaker};

/// The tool that finds tools.
const SEARCH: &str = "x_amz_bedrock_agentcore_search";
/// Longest name of a tool that models take.
const MAX_NAME: usize = 64;
/// How long who lists the tools of all targets waits for one of them.
const PATIENCE: Duration = Duration::from_secs(3);
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

/// Several targets as one toolbox.
pub struct Gateway {
    targets: Vec<Arc<Guarded>>,
}

/// A target, and how it does.
struct Guarded {
    target: Target,
    breaker: Breaker,
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
                return Err(GatewayError::Name(shorten(name, MAX_NAME)));
            }
            if targets[..index].iter().any(|other| other.name == *name) {
                return Err(GatewayError::Twice(name.clone()));
            }
        }
        let guarded = |target| Arc::new(Guarded { target, breaker: Breaker::default() });
        Ok(Self { targets: targets.into_iter().map(guarded).collect() })
    }

    /// How each target does.
    pub fn health(&self) -> Vec<TargetHealth> {
        self.targets.iter().map(|guarded| guarded.breaker.health(&guarded.target.name)).collect()
    }

    async fn tools(&self, cx: &CallContext) -> Vec<ToolSpec> {
        join_all(self.targets.iter().map(|target| target.offered_soon(cx))).await.concat()
    }

    async fn search(&self, arguments: &Value, cx: &CallContext) -> ToolOutcome {
        let Some(query) = arguments["query"].as_str() else {
            return ToolOutcome::failed("query must be a string: say what the tool should do".to_owned());
        };
        let found = search::ranked(query, self.tools(cx).await, MAX_FOUND);
        let found: Vec<Value> = found.iter().map(described).collect();
        let text = Value::from(found.clone()).to_string();
        ToolOutcome::new(json!({ "tools": found }), text)
    }

    async fn try_call(
        &self,
        name: &str,
        arguments: Value,
        cx: &CallContext,
    ) -> Result<ToolOutcome, ToolError> {
        let unknown =
            || ToolError::UnknownTool { name: shorten(name, MAX_NAME), near: vec![SEARCH.to_owned()] };
        let (target, tool) = name.split_once(SEPARATOR).ok_or_else(unknown)?;
        let guarded = self.targets.iter().find(|known| known.target.name == target).ok_or_else(unknown)?;
        if !cx.session.may_write {
            guarded.check_reads(name, cx).await?;
        }
        guarded.call(tool, arguments, cx).await
    }
}

impl Guarded {
    /// Its tools, if it lists them soon: who lists all targets does not wait for a slow one. It goes on listing in the
    /// background, so that the next who asks has them.
    async fn offered_soon(self: &Arc<Self>, cx: &CallContext) -> Vec<ToolSpec> {
        let this = Arc::clone(self);
        let cx = CallContext { cancellation: CancellationToken::new(), ..cx.clone() };
        let listing = tokio::spawn(async move { this.offered(&cx).await });
        match tokio::time::timeout(PATIENCE, listing).await {
            Ok(Ok(listed)) => listed.unwrap_or_default(),
            Ok(Err(error)) => {
                tracing::error!(%error, "bug: a listing panicked");
                Vec::new()
            }
            Err(_) => {
                tracing::info!(
                    target.name = self.target.name,
                    "a target is slow to list its tools: without them for now"
                );
                Vec::new()
            }
        }
    }

    /// Its tools for this caller, under the gateway's names.
    async fn offered(&self, cx: &CallContext) -> Result<Vec<ToolSpec>, ToolError> {
        let admitted = self.admit()?;
        let Target { name, toolbox, timeout } = &self.target;
        let listed = tokio::time::timeout(*timeout, toolbox.list(cx)).await;
        let tools = match listed.unwrap_or(Err(ToolError::TimedOut(*timeout))) {
            Ok(tools) => tools,
            // The caller is the matter, and not the target.
            Err(error @ (ToolError::Canceled | ToolError::Refused(_))) => return Err(error),
            Err(error) => {
                self.fails(admitted, &error.to_string());
                return Err(error);
            }
        };
        admitted.answered();
        let named = tools.into_iter().map(|tool| {
            let name = format!("{name}{SEPARATOR}{}", tool.name);
            ToolSpec { name: name.into(), ..tool }
        });
        // Of two with one name the first counts, also for who may not call it: a second one vouches for nothing.
        let mut seen = HashSet::new();
        let fit = named.filter(|tool| self.is_fit(tool, &mut seen));
        Ok(fit.filter(|tool| cx.session.may_write || tool.annotations.read_only_hint).collect())
    }

    /// False, and said in the log, where a tool cannot be passed on as it is.
    fn is_fit(&self, tool: &ToolSpec, seen: &mut HashSet<Cow<'static, str>>) -> bool {
        let why = if !is_callable(&tool.name) {
            "models cannot call this name"
        } else if tool.input_schema["type"] != "object" {
            "its arguments are no object"
        } else if !seen.insert(tool.name.clone()) {
            "there is another of this name"
        } else {
            return true;
        };
        let tool = shorten(&tool.name, MAX_NAME);
        tracing::warn!(target.name = self.target.name, tool, why, "a tool of a target is left out");
        false
    }

    /// Refuses what is not known to change nothing.
    async fn check_reads(&self, name: &str, cx: &CallContext) -> Result<(), ToolError> {
        match self.offered(cx).await?.iter().any(|tool| tool.name == name) {
            true => Ok(()),
            false => Err(ToolError::Refused(format!(
                "{} is not offered to this caller: it is not there, or may change something, which needs the scope for \
                 writing; see tools/list",
                shorten(name, MAX_NAME)
            ))),
        }
    }

    async fn call(&self, name: &str, arguments: Value, cx: &CallContext) -> Result<ToolOutcome, ToolError> {
        let admitted = self.admit()?;
        let cx = CallContext { cancellation: cx.cancellation.child_token(), ..cx.clone() };
        // Fires when this call is given up, too.
        let _given_up = cx.cancellation.clone().drop_guard();
        let Target { toolbox, timeout, .. } = &self.target;
        match tokio::time::timeout(*timeout, toolbox.call(name, arguments, &cx)).await {
            Ok(outcome) if outcome.unreachable => {
                self.fails(admitted, &outcome.text);
                Ok(outcome)
            }
            Ok(outcome) => {
                // One that was canceled says nothing about the target.
                if !cx.cancellation.is_cancelled() {
                    admitted.answered();
                }
                Ok(bound(outcome, cx.max_bytes, None))
            }
            Err(_) => {
                let error = ToolError::TimedOut(*timeout);
                self.fails(admitted, &error.to_string());
                Err(error)
            }
        }
    }

    /// Logged once, here, whether the target was to list its tools or to do something.
    fn fails(&self, admitted: Admitted<'_>, failure: &str) {
        tracing::warn!(target.name = self.target.name, failure, "a target fails");
        admitted.failed(failure);
    }

    fn admit(&self) -> Result<Admitted<'_>, ToolError> {
        self.breaker.admit().map_err(|left| {
            let health = self.breaker.health(&self.target.name);
            ToolError::Remote(format!(
                "{} failed {} times in a row and is left alone for {} s; the last time: {}",
                self.target.name,
                health.failures,
                left.as_secs().max(1),
                health.last_failure.unwrap_or_default()
            ))
        })
    }
}

/// A name that models can call.
fn is_callable(name: &str) -> bool {
    name.len() <= MAX_NAME && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

fn described(tool: &ToolSpec) -> Value {
    json!({ "name": tool.name, "description": tool.description, "inputSchema": tool.input_schema })
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
            return bound(self.search(&arguments, cx).await, cx.max_bytes, None);
        }
        let called = self.try_call(name, arguments, cx).await;
        called.unwrap_or_else(|error| ToolOutcome::failed(error.to_string()))
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
    async fn a_slow_target_does_not_keep_the_others_waiting() {
        let begun = tokio::time::Instant::now();
        gateway().list(&caller()).await.unwrap();
        assert_eq!(begun.elapsed(), PATIENCE, "and not its whole time limit");
    }

    /// Two tools of one name, of which only the second says that it reads; and one whose arguments are no object.
    struct Liar;

    #[async_trait]
    impl Toolbox for Liar {
        async fn list(&self, _: &CallContext) -> Result<Vec<ToolSpec>, ToolError> {
            let object = json!({ "type": "object" });
            let first =
                ToolSpec { annotations: Annotations::DESTROYS, ..ToolSpec::named("wipe", object.clone()) };
            let odd = ToolSpec::named("odd", json!({ "type": "string" }));
            Ok(vec![first, ToolSpec::named("wipe", object), odd])
        }

        async fn call(&self, name: &str, _: Value, _: &CallContext) -> ToolOutcome {
            ToolOutcome::new(json!({}), name.to_owned())
        }
    }

    #[tokio::test]
    async fn a_second_tool_of_a_name_vouches_for_nothing() {
        let timeout = Duration::from_secs(5);
        let liar = Target { name: "liar".to_owned(), toolbox: Arc::new(Liar), timeout };
        let gateway = Gateway::new(vec![liar]).unwrap();
        let names = |tools: Vec<ToolSpec>| tools.iter().map(|tool| tool.name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(gateway.list(&caller()).await.unwrap()), [SEARCH]);
        let refused = gateway.call("liar___wipe", json!({}), &caller()).await;
        assert!(refused.is_error, "{}", refused.text);
        let writer = CallContext::new(Session::new("alice", true), 10_000);
        assert_eq!(names(gateway.list(&writer).await.unwrap()), [SEARCH, "liar___wipe"]);
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

    #[tokio::test(start_paused = true)]
    async fn a_target_that_fails_time_after_time_is_left_alone_and_found_again() {
        let (gateway, cx) = (gateway(), caller());
        for _ in 0..3 {
            gateway.list(&cx).await.unwrap();
        }
        // The last of them still goes on in the background.
        tokio::time::sleep(Duration::from_millis(2100)).await;
        let states: Vec<_> = gateway.health().into_iter().map(|health| health.state).collect();
        assert_eq!(states, [HealthState::Up, HealthState::Down, HealthState::Up]);
        let before = tokio::time::Instant::now();
        let refused = gateway.call("dead___get_logs", json!({}), &cx).await.text;
        assert!(refused.contains("failed 3 times in a row"), "{refused}");
        assert_eq!(gateway.list(&cx).await.unwrap().len(), 3);
        assert_eq!(before.elapsed(), Duration::ZERO, "nobody waits for it");
        tokio::time::advance(Duration::from_secs(2)).await;
        gateway.list(&cx).await.unwrap();
        assert_eq!(
            before.elapsed(),
            Duration::from_secs(2) + PATIENCE,
            "one finds out that it is still gone"
        );
    }

    /// One tool that reads and one that writes, and nobody behind them.
    struct Unreachable;

    #[async_trait]
    impl Toolbox for Unreachable {
        async fn list(&self, _: &CallContext) -> Result<Vec<ToolSpec>, ToolError> {
            let read = ToolSpec::named("read", json!({ "type": "object" }));
            let write = ToolSpec {
                annotations: Annotations::WRITES,
                ..ToolSpec::named("write", json!({ "type": "object" }))
            };
            Ok(vec![read, write])
        }

        async fn call(&self, name: &str, _: Value, _: &CallContext) -> ToolOutcome {
            ToolOutcome { unreachable: true, ..ToolOutcome::failed(format!("{name}: nobody there")) }
        }
    }

    fn unreachable() -> Gateway {
        let timeout = Duration::from_secs(5);
        Gateway::new(vec![Target { name: "one".to_owned(), toolbox: Arc::new(Unreachable), timeout }])
            .unwrap()
    }

    #[tokio::test]
    async fn who_may_not_write_is_offered_what_reads_and_can_call_nothing_else() {
        let (gateway, reader) = (unreachable(), caller());
        let writer = CallContext::new(Session::new("bob", true), 10_000);
        assert_eq!(gateway.list(&reader).await.unwrap().len(), 2);
        assert_eq!(gateway.list(&writer).await.unwrap().len(), 3);
        let found = gateway.call(SEARCH, json!({ "query": "write" }), &reader).await;
        assert_eq!(found.structured, json!({ "tools": [] }));
        assert_eq!(gateway.call("one___read", json!({}), &reader).await.text, "read: nobody there");
        let refused = gateway.call("one___write", json!({}), &reader).await.text;
        assert!(refused.contains("needs the scope for writing"), "{refused}");
        assert_eq!(gateway.call("one___write", json!({}), &writer).await.text, "write: nobody there");
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_reach_nobody_count_as_failures() {
        let (gateway, writer) = (unreachable(), CallContext::new(Session::new("bob", true), 10_000));
        for _ in 0..3 {
            gateway.call("one___write", json!({}), &writer).await;
        }
        let health = gateway.health();
        assert_eq!((health[0].state, health[0].failures), (HealthState::Down, 3));
        assert_eq!(health[0].last_failure.as_deref(), Some("write: nobody there"));
    }
}
