//! `search_eks_troubleshoot_guide`: articles that suit a question or an error.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::guide::{Article, Guide, Hit};

use super::text::{near_names, nearest, shorten};
use super::{Annotations, CallContext, Tool, ToolError, ToolOutcome};

#[derive(Default)]
pub(super) struct SearchEksTroubleshootGuide {
    guide: Guide,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// What goes wrong: words, a question, or the text of an error, in English or Korean
    query: String,
    /// Most articles that are named
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 20))]
    limit: usize,
    /// Slug of an article, as an earlier search gave it, to read it whole; nothing is searched then
    article: Option<String>,
}

fn default_limit() -> usize {
    3
}

/// What is found, or the article that was asked for.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the shape of an outcome, for callers; outcomes are written as JSON")]
pub(super) struct Output {
    /// Articles that suit the query, best first
    hits: Vec<Found>,
    /// Of the one article that was asked for: its name
    slug: Option<String>,
    /// Its title
    title: Option<String>,
    /// The rules whose findings it explains
    rules: Vec<String>,
    /// Names of articles to read next
    related: Vec<String>,
    /// All of it
    markdown: Option<String>,
}

/// An article that suits the query.
#[derive(Serialize, JsonSchema)]
pub(super) struct Found {
    /// Name to read it by
    slug: &'static str,
    /// Title
    title: &'static str,
    /// How well it suits: larger is better, within one search
    score: f64,
    /// Rules of diagnose_cluster whose findings it explains
    rules: Vec<&'static str>,
    /// The part that is nearest to the query
    excerpt: String,
}

impl Tool for SearchEksTroubleshootGuide {
    const NAME: &'static str = "search_eks_troubleshoot_guide";
    const TITLE: &'static str = "Search the troubleshooting guide";
    const DESCRIPTION: &'static str = "Searches the built-in troubleshooting guide for Kubernetes and EKS with words, a \
         question or a pasted error, in English or Korean: symptoms, causes, how to tell them apart, fixes with commands. \
         Read a whole article with its slug as `article`. Needs neither a cluster nor a network.";
    const ANNOTATIONS: Annotations = Annotations::COMPUTES;
    type Input = Input;
    type Output = Output;
    type Context = CallContext;

    async fn run(&self, input: Input, _cx: &CallContext) -> Result<ToolOutcome, ToolError> {
        if let Some(slug) = &input.article {
            return whole(slug);
        }
        let hits = self.guide.search(&input.query, input.limit).await.map_err(|error| {
            tracing::error!(cause = ?error, "the guide cannot be searched");
            ToolError::Refused(error.to_string())
        })?;
        Ok(found(hits))
    }
}

fn whole(slug: &str) -> Result<ToolOutcome, ToolError> {
    let article = Guide::get(slug).ok_or_else(|| unknown_article(slug))?;
    let text = article.markdown();
    let structured = json!({
        "slug": article.slug, "title": article.title, "rules": article.rules, "related": article.related,
        "markdown": text,
    });
    Ok(ToolOutcome::new(structured, text))
}

fn unknown_article(slug: &str) -> ToolError {
    let near = nearest(slug, Guide::articles().iter().map(|article| article.slug), 3);
    let name = shorten(slug, 60);
    ToolError::NotFound(format!(
        "the guide has no article {name:?}{}; search with query and without article",
        near_names(&near)
    ))
}

fn found(hits: Vec<Hit>) -> ToolOutcome {
    let text = match hits.is_empty() {
        true => "No article suits. Try the text of the error, the reason of an event, or the kind of the object.\n"
            .to_owned(),
        false => {
            let entries: String = hits.iter().map(entry).collect();
            format!("{entries}Read a whole article with its name as `article`.\n")
        }
    };
    let hits: Vec<Found> = hits.into_iter().map(Found::from).collect();
    ToolOutcome::new(json!({ "hits": hits }), text)
}

impl From<Hit> for Found {
    fn from(hit: Hit) -> Self {
        let Article { slug, title, .. } = *hit.article;
        Self { slug, title, score: hit.score, rules: hit.article.rules.clone(), excerpt: hit.excerpt }
    }
}

fn entry(hit: &Hit) -> String {
    let Article { slug, title, .. } = hit.article;
    let rules = match hit.article.rules.is_empty() {
        true => String::new(),
        false => format!("Rules: {}\n", hit.article.rules.join(", ")),
    };
    format!("## {title}\nArticle: {slug}\n{rules}{}.\n> {}\n\n", hit.article.description(), hit.excerpt)
}
