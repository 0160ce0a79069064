//! Markdown, as agents and chat pages show it.

use std::fmt::Write;

use super::{
    cluster_line, commands, confidence_word, headline, missing, observed, one_line, roots, severity_word,
    verdict_word, victims, worth_knowing,
};
use crate::diagnosis::report::{Finding, Remediation, Report, Risk};

/// The report as markdown: verdict, root causes worst first with evidence and commands, then what they explain.
pub fn markdown(report: &Report) -> String {
    let mut page = String::new();
    let _ = write!(page, "# {}: {}\n\n", escape(&report.cluster.name), verdict_word(report.verdict));
    let _ = write!(page, "{}: {}.\n\n", escape(&cluster_line(report)), headline(report));
    for (place, finding) in roots(report).enumerate() {
        page.push_str(&root(report, finding, place + 1));
    }
    let lists = [
        ("Worth knowing", worth_knowing(report)),
        ("Could not be read", missing(report)),
        ("Notes", report.notes.clone()),
    ];
    for (title, lines) in lists {
        if !lines.is_empty() {
            let _ = write!(page, "## {title}\n\n{}\n", bullets(&lines));
        }
    }
    page
}

fn bullets(lines: &[String]) -> String {
    lines.iter().map(|line| format!("- {}\n", escape(line))).collect()
}

fn root(report: &Report, finding: &Finding, place: usize) -> String {
    let mut text = format!("## {place}. {}\n\n", escape(&finding.title));
    let _ = write!(
        text,
        "**{}**, {} · {} · rule {} · finding {}\n\n{}\n\n",
        severity_word(finding.severity),
        confidence_word(finding.confidence),
        code(&super::object_name(&finding.object)),
        code(&finding.rule),
        finding.id,
        escape(&finding.summary)
    );
    if !finding.evidence.is_empty() {
        text.push_str("Evidence:\n\n");
        for evidence in &finding.evidence {
            let observed = observed(evidence);
            let path = observed.path.map(|path| format!(" {}", code(path))).unwrap_or_default();
            let (place, said) = (escape(&observed.place), code(&observed.said));
            let _ = writeln!(text, "- {} {place}{path}: {said}", evidence.id);
        }
        text.push('\n');
    }
    finding.remediation.iter().for_each(|remedy| text.push_str(&remediation(remedy)));
    let victims: Vec<String> = victims(report, finding).iter().map(|victim| victim.title.clone()).collect();
    if !victims.is_empty() {
        let _ = write!(text, "It explains:\n\n{}\n", bullets(&victims));
    }
    text
}

fn remediation(remedy: &Remediation) -> String {
    let risk = match remedy.risk {
        Risk::Low => "low",
        Risk::Medium => "medium",
        Risk::High => "high",
    };
    let risk = if remedy.changes { format!(" (risk: {risk})") } else { String::new() };
    let lines: String = commands(remedy)
        .into_iter()
        .map(|(purpose, command)| format!("# {purpose}\n{}\n", one_line(command)))
        .collect();
    let fence = fence(&lines);
    format!("{}{risk}:\n\n{fence}sh\n{lines}{fence}\n\n", escape(&remedy.summary))
}

/// A fence that is longer than any run of backticks inside.
fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

/// A code span of one line; backticks inside are doubled around as CommonMark wants it.
fn code(text: &str) -> String {
    let text = one_line(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let ticks = "`".repeat(longest + 1);
    match longest {
        0 => format!("{ticks}{text}{ticks}"),
        _ => format!("{ticks} {text} {ticks}"),
    }
}

/// Text of a cluster, on one line and so that it cannot become markup, links or HTML. What needs no backslash gets none, so
/// that names can be copied.
pub fn escape(text: &str) -> String {
    let chars: Vec<char> = one_line(text).chars().collect();
    let mut escaped = String::with_capacity(chars.len());
    for (index, c) in chars.iter().copied().enumerate() {
        let before = index.checked_sub(1).and_then(|index| chars.get(index)).copied();
        let after = chars.get(index + 1).copied();
        if is_markup(c, before, after) {
            escaped.push('\\');
        }
        match c {
            '&' => escaped.push_str("&amp;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// True where CommonMark would read this character as more than itself.
fn is_markup(c: char, before: Option<char>, after: Option<char>) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    match c {
        '\\' | '`' | '*' | '<' | '|' => true,
        '_' => !(is_word(before) && is_word(after)),
        ']' => matches!(after, Some('(' | '[' | ':')),
        '!' => after == Some('['),
        '~' => after == Some('~') || before == Some('~'),
        '#' | '>' | '+' | '-' => before.is_none(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;
    use crate::diagnosis::testing;

    #[rstest]
    #[case("<script>alert(1)</script>", "\\<script>alert(1)\\</script>")]
    #[case("[x](http://evil)", "[x\\](http://evil)")]
    #[case("![x][evil]", "\\![x\\][evil]")]
    #[case("# title\n\nnext", "\\# title  next")]
    #[case("- item", "\\- item")]
    #[case("*a* _b_ ~~c~~", "\\*a\\* \\_b\\_ \\~\\~c\\~\\~")]
    #[case("MY_DB_PASS in [Nest] 1.2-3", "MY_DB_PASS in [Nest] 1.2-3")]
    #[case("a\u{1b}[31mred\u{202e}", "a [31mred ")]
    fn text_of_a_cluster_cannot_become_markup(#[case] text: &str, #[case] escaped: &str) {
        assert_eq!(escape(text), escaped);
    }

    #[rstest]
    #[case("plain", "`plain`")]
    #[case("a ` b", "`` a ` b ``")]
    fn code_cannot_be_left(#[case] text: &str, #[case] span: &str) {
        assert_eq!(code(text), span);
    }

    #[test]
    fn a_report_reads_from_verdict_to_commands() {
        let waiting =
            json!({ "state": { "waiting": { "reason": "ImagePullBackOff", "message": "Back-off" } } });
        let mut objects = testing::deployment("catalog", json!({}), waiting);
        objects.push(testing::warning(
            "Pod",
            "catalog-1",
            "Failed",
            "Failed to pull image \"shop/catalog:1\": not found",
        ));
        insta::assert_snapshot!(markdown(&testing::diagnosed(objects)));
    }

    #[test]
    fn a_healthy_cluster_says_so() {
        let page = markdown(&testing::diagnosed(testing::healthy_deployment("web", json!({}))));
        assert!(page.starts_with("# test: healthy\n\ntest: no fault found.\n"), "{page}");
    }
}
