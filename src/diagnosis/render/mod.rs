//! A report for people: markdown for answers, text for terminals. Both show what a cluster says as data: without control
//! characters, and unable to become markup.

mod markdown;
mod text;

pub use markdown::{escape as markdown_escape, markdown};
pub use text::text;

use super::report::{Confidence, Evidence, EvidenceKind, Finding, ObjectRef, Report, Severity, Verdict};

/// The report in one line: `failing: 3 root causes, 5 symptoms`.
fn headline(report: &Report) -> String {
    let roots = report.root_causes.len();
    let symptoms =
        report.findings.len() - report.findings.iter().filter(|finding| finding.root_cause).count();
    match (report.verdict, roots) {
        (Verdict::Unknown, 0) => "too little could be read to tell".to_owned(),
        (_, 0) => "no fault found".to_owned(),
        _ if symptoms == 0 => counted(roots, "root cause"),
        _ => format!("{}, {}", counted(roots, "root cause"), counted(symptoms, "symptom")),
    }
}

fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// `shop (v1.31.4, recorded 2026-01-01T12:00:00Z)`.
fn cluster_line(report: &Report) -> String {
    let cluster = &report.cluster;
    let recorded = cluster.captured_at.as_ref().map(|time| format!("recorded {time}"));
    let details: Vec<String> = cluster.version.clone().into_iter().chain(recorded).collect();
    match details.is_empty() {
        true => cluster.name.clone(),
        false => format!("{} ({})", cluster.name, details.join(", ")),
    }
}

fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Healthy => "healthy",
        Verdict::Degraded => "degraded",
        Verdict::Failing => "failing",
        Verdict::Unknown => "unknown",
    }
}

fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

fn confidence_word(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Certain => "certain",
        Confidence::Likely => "likely",
        Confidence::Possible => "possible",
    }
}

/// `Deployment shop/catalog`.
fn object_name(object: &ObjectRef) -> String {
    match &object.namespace {
        Some(namespace) => format!("{} {namespace}/{}", object.kind, object.name),
        None => format!("{} {}", object.kind, object.name),
    }
}

/// Titles of what is no fault, but worth knowing.
fn worth_knowing(report: &Report) -> Vec<String> {
    let is_aside = |finding: &&Finding| finding.severity == Severity::Info && finding.caused_by.is_empty();
    report.findings.iter().filter(is_aside).map(|finding| finding.title.clone()).collect()
}

/// A piece of evidence for people.
struct Observed<'e> {
    place: String,
    /// JSONPath below the place, of a field.
    path: Option<&'e str>,
    said: String,
}

/// What was observed and where, and what it says.
fn observed(evidence: &Evidence) -> Observed<'_> {
    let object = object_name(&evidence.object);
    let value = evidence.value.as_ref().map(|value| match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    let said = value.or_else(|| evidence.text.clone()).unwrap_or_default();
    let path = evidence.path.as_deref().unwrap_or_default();
    let is_field = evidence.kind == EvidenceKind::Field;
    let place = match evidence.kind {
        EvidenceKind::Field => object,
        EvidenceKind::Log if !path.is_empty() => format!("log of {object}, container {path}"),
        EvidenceKind::Log => format!("log of {object}"),
        EvidenceKind::Event => format!("event on {object}{}", times(evidence)),
        EvidenceKind::Metric => format!("metric of {object}"),
        EvidenceKind::Aws => format!("AWS on {object}"),
        EvidenceKind::Absent => "missing".to_owned(),
    };
    Observed { place, path: evidence.path.as_deref().filter(|_| is_field), said }
}

/// ` (17 times, last 2026-01-01T11:59:00Z)`.
fn times(evidence: &Evidence) -> String {
    let count = evidence.count.filter(|count| *count > 1).map(|count| format!("{count} times"));
    let last = evidence.time.as_ref().map(|time| format!("last {time}"));
    let parts: Vec<String> = count.into_iter().chain(last).collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}

/// The commands of a remediation with what each is for; a change that is only advice has no undo.
fn commands(remedy: &super::report::Remediation) -> Vec<(&'static str, &str)> {
    let change = if remedy.changes { Some(("change", remedy.command.as_str())) } else { None };
    let all = [
        Some(("look first", remedy.check.as_str())),
        change,
        Some(("undo", &remedy.undo)),
        Some(("verify", &remedy.verify)),
    ];
    all.into_iter().flatten().filter(|(_, command)| !command.is_empty()).collect()
}

/// `secrets, jobs: forbidden`: what could not be read, one line for each reason.
fn missing(report: &Report) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for missing in &report.coverage.missing {
        match reasons.iter_mut().find(|(why, _)| *why == missing.why) {
            Some((_, what)) => what.push(&missing.what),
            None => reasons.push((&missing.why, vec![&missing.what])),
        }
    }
    reasons.into_iter().map(|(why, what)| format!("{}: {why}", what.join(", "))).collect()
}

fn roots(report: &Report) -> impl Iterator<Item = &Finding> {
    report.findings.iter().filter(|finding| finding.root_cause)
}

/// All findings that a root cause explains, directly or not, the nearest first.
fn victims<'r>(report: &'r Report, root: &'r Finding) -> Vec<&'r Finding> {
    let mut found: Vec<&Finding> = vec![root];
    let mut place = 0;
    while let Some(cause) = found.get(place).copied() {
        let next = report.findings.iter().filter(|finding| cause.affects.contains(&finding.id));
        let new: Vec<&Finding> =
            next.filter(|finding| found.iter().all(|known| known.id != finding.id)).collect();
        found.extend(new);
        place += 1;
    }
    found.split_off(1)
}

/// Text of a cluster on one line: control characters, line breaks and direction marks become spaces.
fn one_line(text: &str) -> String {
    let is_plain = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|c| if is_plain(c) { c } else { ' ' }).collect()
}
