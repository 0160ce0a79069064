//! Tools under the names that an agent knows: `get_pod_logs`, where a gateway calls it `EksMcpServer___get_pod_logs`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::Value;

use super::SEPARATOR;
use crate::tools::{CallContext, ToolError, ToolOutcome, ToolSpec, Toolbox};

/// A toolbox whose tools are listed without the name of a target where that says which one is meant. A call may use either
/// name, also one with a target where the toolbox knows none.
pub struct BareNames {
    toolbox: Arc<dyn Toolbox>,
    /// As they were listed last.
    names: Mutex<Arc<[String]>>,
}

impl BareNames {
    /// The tools of this toolbox.
    pub fn new(toolbox: Arc<dyn Toolbox>) -> Self {
        Self { toolbox, names: Mutex::new(Arc::default()) }
    }

    async fn listed(&self, cx: &CallContext) -> Result<Vec<ToolSpec>, ToolError> {
        let tools = self.toolbox.list(cx).await?;
        let names: Arc<[String]> = tools.iter().map(|tool| tool.name.to_string()).collect();
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = names;
        Ok(tools)
    }

    fn known(&self, name: &str) -> Option<String> {
        let names = Arc::clone(&self.names.lock().unwrap_or_else(PoisonError::into_inner));
        resolve(name, names.iter().map(String::as_str)).map(str::to_owned)
    }
}

fn bare(name: &str) -> &str {
    name.split_once(SEPARATOR).map_or(name, |(_, tool)| tool)
}

/// The one that is meant: of exactly this name, or the only one of it without the targets' names.
fn resolve<'a>(wanted: &str, names: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    if let Some(exact) = names.clone().find(|name| *name == wanted) {
        return Some(exact);
    }
    // With a target it means that one, or, where there are no targets, the tool.
    let is_meant = |name: &&str| match wanted.contains(SEPARATOR) {
        true => *name == bare(wanted),
        false => bare(name) == wanted,
    };
    let mut meant = names.filter(is_meant);
    let first = meant.next()?;
    meant.next().is_none().then_some(first)
}

#[async_trait]
impl Toolbox for BareNames {
    async fn list(&self, cx: &CallContext) -> Result<Vec<ToolSpec>, ToolError> {
        let mut tools = self.listed(cx).await?;
        let mut count = HashMap::<String, u32>::new();
        for tool in &tools {
            *count.entry(bare(&tool.name).to_owned()).or_default() += 1;
        }
        for tool in &mut tools {
            let name = bare(&tool.name);
            if count.get(name) == Some(&1) {
                tool.name = name.to_owned().into();
            }
        }
        Ok(tools)
    }

    async fn call(&self, name: &str, arguments: Value, cx: &CallContext) -> ToolOutcome {
        let known = match self.known(name) {
            Some(known) => known,
            None => match self.listed(cx).await {
                Ok(_) => self.known(name).unwrap_or_else(|| name.to_owned()),
                Err(error) => return ToolOutcome::failed(error.to_string()),
            },
        };
        self.toolbox.call(&known, arguments, cx).await
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::tools::Session;

    #[rstest]
    #[case::exact("a___get", Some("a___get"))]
    #[case::bare("list", Some("b___list"))]
    #[case::of_two_targets("get", None)]
    #[case::of_a_target_that_is_not_known("c___plain", Some("plain"))]
    #[case::not_of_another_target("a___list", None)]
    #[case::unknown("zzz", None)]
    fn a_name_means_the_only_tool_that_fits(#[case] wanted: &str, #[case] meant: Option<&str>) {
        let names = ["a___get", "b___get", "b___list", "plain"];
        assert_eq!(resolve(wanted, names.into_iter()), meant);
    }

    struct Stub;

    #[async_trait]
    impl Toolbox for Stub {
        async fn list(&self, _: &CallContext) -> Result<Vec<ToolSpec>, ToolError> {
            let names = ["a___get", "b___get", "b___list"];
            Ok(names.into_iter().map(|name| ToolSpec::named(name, json!({ "type": "object" }))).collect())
        }

        async fn call(&self, name: &str, _: Value, _: &CallContext) -> ToolOutcome {
            ToolOutcome::new(Value::Null, name.to_owned())
        }
    }

    #[tokio::test]
    async fn tools_are_listed_bare_where_that_is_enough_and_called_by_either_name() {
        let tools = BareNames::new(Arc::new(Stub));
        let cx = CallContext::new(Session::new("alice", false), 1000);
        for name in ["list", "b___list"] {
            assert_eq!(tools.call(name, json!({}), &cx).await.text, "b___list");
        }
        let names: Vec<_> = tools.list(&cx).await.unwrap().into_iter().map(|tool| tool.name).collect();
        assert_eq!(names, ["a___get", "b___get", "list"]);
    }
}
