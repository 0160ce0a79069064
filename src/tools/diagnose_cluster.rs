//! `diagnose_cluster`: the whole engine as one tool.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::cluster::{Progress, SnapshotLimits, diagnose};
use crate::diagnosis::report::{Report, Scope};
use crate::diagnosis::{READ_KINDS, render};

use super::bounds::size;
use super::objects::{Presence, locate, presence};
use super::text::counted;
use super::{Tool, ToolContext, ToolError, ToolOutcome};

pub(super) struct DiagnoseCluster;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// Only these namespaces; the whole cluster where left out
    #[serde(default)]
    namespaces: Vec<String>,
    /// Kind of one object to explain, as people write it: `deploy`, `Pod`, `svc`; goes with `name`
    kind: Option<String>,
    /// Name of the object to explain; goes with `kind`
    name: Option<String>,
    /// Namespace of the object, or the one namespace to diagnose where no object is named
    namespace: Option<String>,
}

impl Tool for DiagnoseCluster {
    const NAME: &'static str = "diagnose_cluster";
    const TITLE: &'static str = "Find root causes";
    const DESCRIPTION: &'static str = "Finds out what is wrong in the cluster, in some namespaces or with one object, and why: root causes with \
         evidence, what they affect, and how to repair them with commands. Use it first; it reads objects, events and \
         the logs of suspects by itself.";
    type Input = Input;
    type Output = crate::diagnosis::report::Report;
    type Context = ToolContext;

    async fn run(&self, input: Input, cx: &ToolContext) -> Result<ToolOutcome, ToolError> {
        let scope = scope(input, cx).await?;
        let report =
            diagnose(&cx.cluster, &scope, SnapshotLimits::default(), |step| report_step(cx, &step)).await?;
        outcome(report, cx.call.max_bytes)
    }
}

/// Tells the caller which step is reached. The steps after reading count as one each.
fn report_step(cx: &ToolContext, step: &Progress) {
    let of = READ_KINDS.len();
    let done = match step {
        Progress::Read { done, .. } => *done,
        Progress::Logs { .. } => of + 1,
        Progress::Reasoning => of + 2,
    };
    let count = |steps: usize| u32::try_from(steps).unwrap_or(u32::MAX);
    cx.call.report(count(done), Some(count(of + 3)), step.to_string());
}

async fn scope(input: Input, cx: &ToolContext) -> Result<Scope, ToolError> {
    match (input.kind, input.name) {
        (Some(kind), Some(name)) => {
            let kind = cx.cluster.resolve(&kind, None).await?;
            let object = locate(cx, &kind, input.namespace, name).await?;
            Ok(Scope { namespaces: input.namespaces, object: Some(object) })
        }
        (None, None) => {
            let namespaces: Vec<String> = input.namespaces.into_iter().chain(input.namespace).collect();
            for namespace in &namespaces {
                if let Presence::Missing(missing) = presence(cx, namespace).await {
                    return Err(ToolError::NotFound(missing));
                }
            }
            Ok(Scope { namespaces, object: None })
        }
        (Some(_), None) => Err(together("kind", "name")),
        (None, Some(_)) => Err(together("name", "kind")),
    }
}

fn together(given: &str, missing: &str) -> ToolError {
    ToolError::InvalidInput(format!("{given} goes with {missing}: give both, or neither of them"))
}

fn outcome(report: Report, max_bytes: usize) -> Result<ToolOutcome, ToolError> {
    let (report, left_out) = bounded(report, max_bytes);
    let text = render::markdown(&report);
    let structured = serde_json::to_value(&report).map_err(|error| {
        tracing::error!(%error, "a report cannot be written as JSON");
        ToolError::Bug
    })?;
    Ok(ToolOutcome { truncated: left_out > 0, ..ToolOutcome::new(structured, text) })
}

/// The report without the last findings, which matter least, if it would be too long.
fn bounded(mut report: Report, max_bytes: usize) -> (Report, usize) {
    let room = max_bytes - max_bytes.min(1024);
    let total = report.findings.len();
    let mut bytes = size(&report);
    while bytes > room
        && let Some(finding) = report.findings.pop()
    {
        bytes -= size(&finding).min(bytes);
    }
    let left_out = total - report.findings.len();
    if left_out > 0 {
        forget_missing(&mut report);
        let findings = counted(left_out, "lesser finding is", "lesser findings are");
        report.notes.push(format!("{findings} left out for length: diagnose single namespaces to see all"));
    }
    (report, left_out)
}

/// References lead to findings that are there.
fn forget_missing(report: &mut Report) {
    let ids: HashSet<String> = report.findings.iter().map(|finding| finding.id.clone()).collect();
    let lists = report.findings.iter_mut().flat_map(|finding| [&mut finding.caused_by, &mut finding.affects]);
    for list in lists.chain([&mut report.root_causes]) {
        list.retain(|id| ids.contains(id));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn report(findings: usize) -> Report {
        let finding = |number: usize| {
            let others: Vec<String> = (0..findings).map(|other| format!("F{other}")).collect();
            json!({
                "id": format!("F{number}"), "rule": "r", "severity": "warning", "title": "t".repeat(200),
                "summary": "", "object": { "apiVersion": "v1", "kind": "Pod", "namespace": "shop", "name": "x" },
                "rootCause": true, "confidence": "certain", "causedBy": [], "affects": others, "evidence": [],
                "remediation": [], "fingerprint": "",
            })
        };
        let all: Vec<Value> = (0..findings).map(finding).collect();
        serde_json::from_value(json!({
            "schema": "drydock.report/v1",
            "cluster": { "name": "test", "version": null, "region": null, "source": "bundle", "capturedAt": null },
            "scope": {}, "startedAt": "2026-01-01T00:00:00Z", "durationMs": 1, "verdict": "failing",
            "findings": all, "rootCauses": ["F0", "F39"], "coverage": { "read": [], "missing": [] }, "notes": [],
        }))
        .unwrap()
    }

    #[test]
    fn a_report_that_is_too_long_loses_its_last_findings_and_says_so() {
        let outcome = outcome(report(40), 8000).unwrap();
        assert!(outcome.truncated && size(&outcome.structured) <= 8000);
        let kept: Report = serde_json::from_value(outcome.structured).unwrap();
        assert!((1..40).contains(&kept.findings.len()));
        assert!(kept.notes[0].contains("lesser findings are left out"), "{:?}", kept.notes);
        assert_eq!(kept.root_causes, ["F0"]);
        assert_eq!(kept.findings[0].affects.len(), kept.findings.len());
    }

    #[test]
    fn a_report_that_fits_is_whole() {
        let outcome = outcome(report(2), 1 << 20).unwrap();
        assert!(!outcome.truncated);
        assert_eq!(outcome.structured["findings"].as_array().map(Vec::len), Some(2));
    }
}
