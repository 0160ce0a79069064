//! The answer as markdown: in a sentence, what was asked for, the diagnosis worst first, and what else is wrong.

use crate::diagnosis::render;
use crate::diagnosis::report::{Report, Verdict};
use crate::model::ToolResult;

use super::known::Known;
use super::question::{Question, Topic};
use super::target::Target;

/// The answer in blocks that can be shown one after the other.
pub(super) fn blocks(question: &Question, known: &Known<'_>) -> Vec<String> {
    let target = Target::resolve(question, known);
    let mut blocks = Vec::new();
    if let Target::Unknown(names) | Target::Sought(names) = &target {
        blocks.push(format!(
            "There is no workload, service or pod named {} here. This is what the whole cluster looks like.\n\n",
            names.iter().map(|name| code(name)).collect::<Vec<_>>().join(" or ")
        ));
    }
    blocks.extend(topic(question.topic, &target, known));
    match known.last_report() {
        Some(report) if is_aside(question.topic, &target) => blocks.push(in_brief(report)),
        Some(report) => {
            blocks.extend(in_a_sentence(&target, report));
            blocks.extend(paragraphs(&render::markdown(report)));
        }
        None => blocks.push("The cluster could not be diagnosed.\n\n".to_owned()),
    }
    blocks.extend(elsewhere(known));
    blocks.extend(troubles(known));
    blocks
}

/// Who asks for a list is told what is wrong, but not at length.
fn is_aside(topic: Topic, target: &Target) -> bool {
    let asks_for_a_list = match topic {
        Topic::Pods | Topic::Nodes | Topic::Events | Topic::ApiVersions => true,
        Topic::Health | Topic::Performance | Topic::Rollouts | Topic::Logs => false,
    };
    asks_for_a_list && !matches!(target, Target::Object(_))
}

/// The root causes by their titles.
fn in_brief(report: &Report) -> String {
    let causes: Vec<String> = root_causes(report)
        .map(|finding| format!("- {}\n", render::markdown_escape(&finding.title)))
        .collect();
    match causes.is_empty() {
        true => "No fault was found here.\n\n".to_owned(),
        false => format!(
            "## What is wrong\n\n{}\nAsk what is wrong, or about one of these, for evidence and commands.\n\n",
            causes.concat()
        ),
    }
}

/// The answer to a question about one object.
fn in_a_sentence(target: &Target, report: &Report) -> Option<String> {
    let Target::Object(object) = target else { return None };
    let namespace = object.namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
    let name = code(&format!("{} {namespace}{}", object.kind, object.name));
    let causes: Vec<String> =
        root_causes(report).map(|finding| render::markdown_escape(&finding.title)).collect();
    Some(match causes.as_slice() {
        [] if report.verdict == Verdict::Healthy => format!("No fault was found that concerns {name}.\n\n"),
        [] => format!(
            "Nothing was found that explains trouble of {name}, but not everything could be read.\n\n"
        ),
        [only] => format!("What is wrong with {name}: **{only}**\n\n"),
        several => {
            format!("What is wrong with {name}, most telling first: **{}**\n\n", several.join("**; **"))
        }
    })
}

/// The tool output that the topic asks for, as it came.
fn topic(topic: Topic, target: &Target, known: &Known<'_>) -> Vec<String> {
    let shown = |tool: &'static str| {
        let results: Vec<&ToolResult> =
            known.results_of(tool).filter(|result| !result.outcome.is_error).collect();
        results
    };
    let lists = |kinds: &[&str]| {
        let mut results = shown("list_k8s_resources");
        results.retain(|result| kinds.iter().any(|kind| result.call.arguments["kind"] == **kind));
        results.retain(|result| result.call.arguments.get("namespace").is_some() || kinds == ["nodes"]);
        results
    };
    let place = match target.namespaces().as_slice() {
        [] => "all namespaces".to_owned(),
        names => names.iter().map(|name| code(name)).collect::<Vec<_>>().join(", "),
    };
    match topic {
        Topic::Health => Vec::new(),
        Topic::Pods => section(&format!("Pods in {place}"), &lists(&["pods"])),
        Topic::Nodes => section("Nodes", &lists(&["nodes"])),
        Topic::Performance => [
            section("Usage", &shown("get_metrics")),
            section("The way of a request", &shown("trace_service")),
            section("CloudWatch", &shown("get_cloudwatch_metrics")),
        ]
        .concat(),
        Topic::Rollouts => [
            section(&format!("Workloads in {place}"), &lists(&["deployments", "statefulsets", "daemonsets"])),
            section("Revisions", &shown("rollout_history")),
        ]
        .concat(),
        Topic::Events => section("Events", &shown("get_k8s_events")),
        Topic::Logs => [
            section("Log", &shown("get_pod_logs")),
            section("Log in CloudWatch", &shown("get_cloudwatch_logs")),
        ]
        .concat(),
        Topic::ApiVersions => section("API versions", &shown("list_api_versions")),
    }
}

fn section(title: &str, results: &[&ToolResult]) -> Vec<String> {
    if results.is_empty() {
        return Vec::new();
    }
    let mut blocks = vec![format!("## {title}\n\n")];
    blocks.extend(results.iter().map(|result| fenced(&result.outcome.text)));
    blocks
}

/// Root causes of the whole cluster that the narrower diagnosis does not have.
fn elsewhere(known: &Known<'_>) -> Option<String> {
    let (first, last) = (known.first_report()?, known.last_report()?);
    let shown: Vec<&str> = last.findings.iter().map(|finding| finding.fingerprint.as_str()).collect();
    let others: Vec<String> = root_causes(first)
        .filter(|finding| !shown.contains(&finding.fingerprint.as_str()))
        .map(|finding| format!("- {}\n", render::markdown_escape(&finding.title)))
        .collect();
    (!others.is_empty()).then(|| format!("## Elsewhere in the cluster\n\n{}\n", others.concat()))
}

fn root_causes(report: &Report) -> impl Iterator<Item = &crate::diagnosis::report::Finding> {
    report.findings.iter().filter(|finding| finding.root_cause)
}

/// What could not be read, once each.
fn troubles(known: &Known<'_>) -> Option<String> {
    let tools = [
        "diagnose_cluster",
        "list_k8s_resources",
        "get_pod_logs",
        "get_k8s_events",
        "list_api_versions",
        "get_metrics",
        "trace_service",
        "rollout_history",
        "get_cloudwatch_metrics",
        "get_cloudwatch_logs",
    ];
    let mut lines: Vec<String> = Vec::new();
    for result in tools.into_iter().flat_map(|tool| known.results_of(tool)) {
        let line = format!("- {}: {}\n", result.call.name, render::markdown_escape(&result.outcome.text));
        if result.outcome.is_error && !lines.contains(&line) {
            lines.push(line);
        }
    }
    (!lines.is_empty()).then(|| format!("## Could not be read\n\n{}\n", lines.concat()))
}

/// Markdown in pieces that end at an empty line outside code blocks.
fn paragraphs(markdown: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let mut fence: Option<String> = None;
    for line in markdown.lines() {
        let ticks: String = line.trim_start().chars().take_while(|c| *c == '`').collect();
        if ticks.len() >= 3 {
            fence = match fence {
                None => Some(ticks),
                Some(open) if open == ticks => None,
                Some(open) => Some(open),
            };
        }
        piece.push_str(line);
        piece.push('\n');
        if line.is_empty() && fence.is_none() {
            pieces.push(std::mem::take(&mut piece));
        }
    }
    if !piece.is_empty() {
        pieces.push(piece + "\n");
    }
    pieces
}

/// A code block whose fence is longer than any run of backticks inside.
fn fenced(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{}\n{fence}\n\n", text.trim_end())
}

/// A code span; names that break out of it are shown without.
fn code(name: &str) -> String {
    format!("`{}`", name.replace('`', "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_blocks_are_not_torn_apart() {
        let markdown = "# Title\n\nText\n\n```sh\nkubectl get pods\n\nkubectl get nodes\n```\n\nEnd";
        let pieces = paragraphs(markdown);
        assert_eq!(pieces.len(), 4);
        assert_eq!(pieces.concat().trim_end(), markdown);
        assert!(pieces[2].contains("get pods\n\nkubectl"));
    }

    #[test]
    fn text_cannot_close_its_fence() {
        assert!(fenced("``````\n# I am a heading").starts_with("```````text\n"));
    }
}
