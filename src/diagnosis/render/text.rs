//! Text for terminals, with or without colours.

use std::fmt::Write;

use super::{
    cluster_line, commands, confidence_word, headline, missing, observed, one_line, roots, severity_word,
    verdict_word, victims, worth_knowing,
};
use crate::diagnosis::report::{Finding, Report, Severity, Verdict};

/// ANSI sequences, or nothing.
#[derive(Clone, Copy)]
struct Style {
    colours: bool,
}

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        match self.colours {
            true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        }
    }

    fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    fn verdict(self, verdict: Verdict) -> String {
        let code = match verdict {
            Verdict::Healthy => "1;32",
            Verdict::Degraded | Verdict::Unknown => "1;33",
            Verdict::Failing => "1;31",
        };
        self.paint(code, verdict_word(verdict))
    }

    fn severity(self, severity: Severity) -> String {
        let code = match severity {
            Severity::Critical => "1;31",
            Severity::Warning => "1;33",
            Severity::Info => "1;34",
        };
        self.paint(code, severity_word(severity))
    }
}

/// The report as text for a terminal, with ANSI colours where `colours` is true.
pub fn text(report: &Report, colours: bool) -> String {
    let style = Style { colours };
    let mut page = format!(
        "{}: {} — {}\n\n",
        style.bold(&one_line(&cluster_line(report))),
        style.verdict(report.verdict),
        headline(report)
    );
    for finding in roots(report) {
        page.push_str(&root(report, finding, style));
    }
    for line in worth_knowing(report) {
        let _ = writeln!(page, "{} {}", style.severity(Severity::Info), one_line(&line));
    }
    for line in missing(report) {
        let _ = writeln!(page, "{}", style.dim(&one_line(&format!("not read: {line}"))));
    }
    for note in &report.notes {
        let _ = writeln!(page, "{}", style.dim(&one_line(&format!("note: {note}"))));
    }
    page
}

fn root(report: &Report, finding: &Finding, style: Style) -> String {
    let mut text = format!(
        "{} {} {}\n",
        style.severity(finding.severity),
        style.bold(&finding.id),
        style.bold(&one_line(&finding.title))
    );
    let meta = format!(
        "{} · {} · {}",
        super::object_name(&finding.object),
        finding.rule,
        confidence_word(finding.confidence)
    );
    let _ = writeln!(text, "  {}", style.dim(&one_line(&meta)));
    let _ = writeln!(text, "  {}", one_line(&finding.summary));
    for evidence in &finding.evidence {
        let observed = observed(evidence);
        let path = observed.path.map(|path| format!(" {path}")).unwrap_or_default();
        let place = style.dim(&one_line(&format!("{}{path}", observed.place)));
        let _ = writeln!(text, "  {} {place}: {}", style.dim(&evidence.id), one_line(&observed.said));
    }
    for remedy in &finding.remediation {
        let _ = writeln!(text, "  {} {}", style.bold("→"), one_line(&remedy.summary));
        for (purpose, command) in commands(remedy) {
            let _ = writeln!(text, "      {} {}", style.dim(&format!("{purpose:>10}:")), one_line(command));
        }
    }
    let victims = victims(report, finding);
    if !victims.is_empty() {
        let _ = writeln!(text, "  explains:");
        for victim in victims {
            let _ = writeln!(text, "    {} {}", style.dim(&victim.id), one_line(&victim.title));
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diagnosis::testing;

    fn report() -> Report {
        let waiting = json!({ "state": { "waiting": { "reason": "CreateContainerConfigError", "message": "secret \"db\u{1b}[2J\" not found" } } });
        testing::diagnosed(testing::deployment("api", json!({}), waiting))
    }

    #[test]
    fn a_cluster_cannot_send_escape_sequences_to_a_terminal() {
        let page = text(&report(), false);
        assert!(page.contains("secret-missing"), "{page}");
        assert!(!page.contains('\u{1b}'), "{page}");
    }

    #[test]
    fn colours_are_only_ours() {
        let page = text(&report(), true);
        assert!(page.contains("\u{1b}[1;31mfailing\u{1b}[0m") && !page.contains("\u{1b}[2J"), "{page}");
    }
}
