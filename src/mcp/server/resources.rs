//! What can be read: the articles of the guide, the rules, the caller's last reports.

use rmcp::ErrorData as McpError;
use rmcp::model::{
    CacheScope, CompleteRequestParams, CompleteResult, CompletionInfo, ListResourceTemplatesResult,
    ListResourcesResult, PaginatedRequestParams, ReadResourceResult, Reference, Resource, ResourceContents,
    ResourceTemplate,
};
use serde_json::json;

use super::{LIST_TTL, McpServer, pages};
use crate::diagnosis::RULES;
use crate::guide::Guide;

const GUIDE: &str = "drydock://guide/";
const RULE: &str = "drydock://rules/";
const REPORT: &str = "drydock://reports/";
const MARKDOWN: &str = "text/markdown";
const PLAIN: &str = "text/plain";

/// Reports first, then articles, then rules.
pub(super) fn list(
    server: &McpServer,
    caller: &str,
    request: Option<&PaginatedRequestParams>,
) -> Result<ListResourcesResult, McpError> {
    let (page, next) = pages::page(all(server, caller), request)?;
    let mut result = ListResourcesResult::with_all_items(page);
    result.next_cursor = next;
    // Reports come with each diagnosis.
    (result.ttl_ms, result.cache_scope) = (Some(0), Some(CacheScope::Private));
    Ok(result)
}

fn all(server: &McpServer, caller: &str) -> Vec<Resource> {
    let reports = server.reports.of(caller).into_iter().map(|report| {
        let scope = report.scope.as_deref().map(|scope| format!(" of {scope}")).unwrap_or_default();
        let made_at = report.made_at.strftime("%Y-%m-%d %H:%M:%S");
        Resource::new(format!("{REPORT}{}", report.number), format!("report-{}", report.number))
            .with_title(format!("Report{scope}, {made_at} UTC"))
            .with_mime_type(PLAIN)
            .with_size(report.text.len() as u64)
    });
    let articles = Guide::articles().iter().map(|article| {
        Resource::new(format!("{GUIDE}{}", article.slug), article.slug)
            .with_title(article.title)
            .with_description(article.title_ko)
            .with_mime_type(MARKDOWN)
    });
    let rules = RULES.iter().map(|rule| {
        Resource::new(format!("{RULE}{}", rule.id), rule.id)
            .with_description(rule.finds)
            .with_mime_type(MARKDOWN)
    });
    reports.chain(articles).chain(rules).collect()
}

pub(super) fn templates() -> ListResourceTemplatesResult {
    let template = |base: &str, argument: &str, name: &str, description: &str| {
        ResourceTemplate::new(format!("{base}{{{argument}}}"), name).with_description(description)
    };
    let all = vec![
        template(GUIDE, "slug", "article", "An article of the troubleshooting guide")
            .with_mime_type(MARKDOWN),
        template(RULE, "rule", "rule", "What a rule finds, and the articles that explain it")
            .with_mime_type(MARKDOWN),
        template(REPORT, "number", "report", "A report that diagnose_cluster gave you").with_mime_type(PLAIN),
    ];
    let mut result = ListResourceTemplatesResult::with_all_items(all);
    (result.ttl_ms, result.cache_scope) = (Some(LIST_TTL), Some(CacheScope::Public));
    result
}

pub(super) fn read(server: &McpServer, caller: &str, uri: &str) -> Result<ReadResourceResult, McpError> {
    let (text, mime_type) = text(server, caller, uri).ok_or_else(|| {
        McpError::resource_not_found(
            "there is no such resource: see resources/list",
            Some(json!({ "uri": uri })),
        )
    })?;
    let contents = ResourceContents::text(text, uri).with_mime_type(mime_type);
    let scope = if mime_type == PLAIN { CacheScope::Private } else { CacheScope::Public };
    let mut result = ReadResourceResult::new(vec![contents]);
    (result.ttl_ms, result.cache_scope) = (Some(LIST_TTL), Some(scope));
    Ok(result)
}

fn text(server: &McpServer, caller: &str, uri: &str) -> Option<(String, &'static str)> {
    if let Some(slug) = uri.strip_prefix(GUIDE) {
        return Some((Guide::get(slug)?.markdown(), MARKDOWN));
    }
    if let Some(id) = uri.strip_prefix(RULE) {
        let rule = RULES.iter().find(|rule| rule.id == id)?;
        let articles =
            Guide::of_rule(id).map(|article| format!("- [{}]({GUIDE}{})\n", article.title, article.slug));
        let text = format!("# {}\n\nFinds: {}.\n\n{}", rule.id, rule.finds, articles.collect::<String>());
        return Some((text, MARKDOWN));
    }
    let number: u64 = uri.strip_prefix(REPORT)?.parse().ok()?;
    let report = server.reports.of(caller).into_iter().find(|report| report.number == number)?;
    Some((report.text, PLAIN))
}

/// Names that begin with what was typed.
pub(super) fn complete(request: &CompleteRequestParams) -> CompleteResult {
    let Reference::Resource(reference) = &request.r#ref else { return CompleteResult::default() };
    let typed = request.argument.value.as_str();
    let names: Vec<&str> = match reference.uri.as_str() {
        uri if uri.starts_with(GUIDE) => Guide::articles().iter().map(|article| article.slug).collect(),
        uri if uri.starts_with(RULE) => RULES.iter().map(|rule| rule.id).collect(),
        _ => Vec::new(),
    };
    let fitting: Vec<String> =
        names.into_iter().filter(|name| name.starts_with(typed)).map(str::to_owned).collect();
    let total = u32::try_from(fitting.len()).ok();
    let has_more = fitting.len() > CompletionInfo::MAX_VALUES;
    let values = fitting.into_iter().take(CompletionInfo::MAX_VALUES).collect();
    CompletionInfo::with_pagination(values, total, has_more).map(CompleteResult::new).unwrap_or_default()
}
