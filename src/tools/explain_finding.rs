//! `explain_finding`: what the guide says about the findings of a rule.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::diagnosis::{RULES, RuleInfo};
use crate::guide::{Article, Guide};

use super::text::{near_names, nearest, shorten};
use super::{Annotations, CallContext, Tool, ToolError, ToolOutcome};

pub(super) struct ExplainFinding;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// The `rule` of a finding, such as `oom-killed`
    rule: String,
}

impl Tool for ExplainFinding {
    const NAME: &'static str = "explain_finding";
    const TITLE: &'static str = "Explain a finding";
    const DESCRIPTION: &'static str = "Explains the findings of a rule of diagnose_cluster with the whole articles of the troubleshooting guide: \
         why it happens, how to tell it from what looks alike, how to repair it and keep it from coming back.";
    const ANNOTATIONS: Annotations = Annotations::COMPUTES;
    type Input = Input;
    type Output = Value;
    type Context = CallContext;

    async fn run(&self, input: Input, _cx: &CallContext) -> Result<ToolOutcome, ToolError> {
        let rule = RULES.iter().find(|rule| rule.id == input.rule).ok_or_else(|| unknown(&input.rule))?;
        Ok(explained(rule))
    }
}

fn unknown(id: &str) -> ToolError {
    let near = nearest(id, RULES.iter().map(|rule| rule.id), 5);
    ToolError::NotFound(format!(
        "there is no rule {:?}{}; for other questions use search_eks_troubleshoot_guide",
        shorten(id, 60),
        near_names(&near)
    ))
}

fn explained(rule: &RuleInfo) -> ToolOutcome {
    let articles: Vec<&Article> = Guide::of_rule(rule.id).collect();
    let parts: Vec<String> = articles.iter().map(|article| article.markdown()).collect();
    let text = format!("{}: {}\n\n{}", rule.id, rule.finds, parts.join("\n"));
    let articles: Vec<Value> = articles
        .iter()
        .map(
            |article| json!({ "slug": article.slug, "title": article.title, "markdown": article.markdown() }),
        )
        .collect();
    ToolOutcome::new(json!({ "rule": rule.id, "finds": rule.finds, "articles": articles }), text)
}
