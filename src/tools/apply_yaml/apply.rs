//! Applying what was approved, one document after the other. The first failure ends it, and every document is told.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};

use crate::cluster::{Change, ClusterError};

use super::super::text::plain;
use super::super::{ToolContext, ToolError, ToolOutcome};
use super::documents_of;
use super::plan::{Action, Plan, Step, advice};

/// How long a call may take from its beginning: less than what ends it without a word.
const TIME: Duration = Duration::from_secs(50);
/// How long what the set has just made (a namespace, a kind) may take to be there for what needs it.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(250);

/// What came of a document.
#[derive(Debug)]
pub(super) enum Applied {
    Done,
    Failed(String),
    /// Time was up before the answer came.
    Unknown,
    /// Something before it failed.
    Skipped,
}

impl Applied {
    fn word(&self) -> &'static str {
        match self {
            Self::Done => "applied",
            Self::Failed(_) => "failed",
            Self::Unknown => "unknown",
            Self::Skipped => "skipped",
        }
    }
}

/// Applies the documents until one fails.
pub(super) async fn all(cx: &ToolContext, plan: &Plan<'_>, started: Instant) -> Vec<Applied> {
    let deadline = started + TIME;
    let mut results: Vec<Applied> = Vec::new();
    for (done, step) in plan.steps.iter().enumerate() {
        let failed = results.iter().any(|result| !matches!(result, Applied::Done));
        let result = match (failed, step.action) {
            (true, _) => Applied::Skipped,
            // Nothing is sent where nothing changes.
            (false, Action::Same) => Applied::Done,
            (false, Action::Create | Action::Change) => {
                let total = u32::try_from(plan.steps.len()).ok();
                cx.call.report(
                    u32::try_from(done).unwrap_or(u32::MAX),
                    total,
                    format!("apply {}", step.item.words()),
                );
                match timeout_at(deadline, one(cx, step, plan.set.force)).await {
                    Ok(Ok(())) => Applied::Done,
                    Ok(Err(error)) => Applied::Failed(advice(error.into())),
                    Err(_) => Applied::Unknown,
                }
            }
        };
        results.push(result);
    }
    results
}

/// Applies one document. What could not be tried may have to wait for what was made before it.
async fn one(cx: &ToolContext, step: &Step<'_>, force: bool) -> Result<(), ClusterError> {
    let (item, change) = (step.item, Change::Apply { object: &step.body, force });
    let patience = Instant::now() + PATIENCE;
    loop {
        let sent = cx
            .cluster
            .change(&item.kind, item.namespace.as_deref(), &item.document.name, change, false)
            .await;
        match sent {
            Err(error) if step.untried.is_some() && is_not_there_yet(&error) && Instant::now() < patience => {
                sleep(PAUSE).await;
            }
            ended => return ended.map(|_| ()),
        }
    }
}

/// The kind is not served yet, or a new namespace has no service account yet.
fn is_not_there_yet(error: &ClusterError) -> bool {
    match error {
        ClusterError::NotFound(_) => true,
        ClusterError::Forbidden(why) => why.contains("serviceaccount") || why.contains("service account"),
        ClusterError::Invalid(_)
        | ClusterError::Conflict(_)
        | ClusterError::Expired(_)
        | ClusterError::Unreachable(_) => false,
    }
}

/// For the record.
pub(super) fn result(plan: &Plan<'_>, results: &[Applied]) -> Result<(), ToolError> {
    let failed = results.iter().zip(&plan.steps).find(|(result, _)| !matches!(result, Applied::Done));
    match failed {
        None => Ok(()),
        Some((result, step)) => Err(ToolError::Refused(format!(
            "{} of {} applied; {}",
            applied(plan, results, None),
            documents_of(results.len()),
            line(step, result)
        ))),
    }
}

/// Documents that were applied: all, or those of one action.
fn applied(plan: &Plan<'_>, results: &[Applied], action: Option<Action>) -> usize {
    let all = results.iter().zip(&plan.steps);
    all.filter(|(result, step)| {
        matches!(result, Applied::Done) && action.is_none_or(|action| step.action == action)
    })
    .count()
}

pub(super) fn outcome(plan: &Plan<'_>, results: &[Applied]) -> ToolOutcome {
    let count = |action| applied(plan, results, Some(action));
    let (created, changed) = (count(Action::Create), count(Action::Change));
    let is_error = results.iter().any(|result| !matches!(result, Applied::Done));
    let done = format!("{created} created, {changed} changed, {} as they were", count(Action::Same));
    let head = match is_error {
        false => format!("Applied {}: {done}", documents_of(results.len())),
        true => format!(
            "Not everything was applied: {done}, {} not. Apply the same YAML again when the cause is gone: what is applied \
             already stays as it is",
            results.len() - applied(plan, results, None)
        ),
    };
    let lines = plan.steps.iter().zip(results).map(|(step, result)| format!("{}\n", line(step, result)));
    let documents: Value = plan.steps.iter().zip(results).map(|(step, result)| told(step, result)).collect();
    let mut structured = json!({
        "created": created, "changed": changed, "force": plan.set.force, "documents": documents,
    });
    if is_error {
        structured["error"] = head.clone().into();
    }
    let text = format!("{head}\n\n{}", lines.collect::<String>());
    ToolOutcome { is_error, ..ToolOutcome::new(structured, text) }
}

/// `applied  create Deployment shop/web`.
fn line(step: &Step<'_>, result: &Applied) -> String {
    let why = match result {
        Applied::Done | Applied::Skipped => String::new(),
        Applied::Failed(why) => format!(": {why}"),
        Applied::Unknown => ": no answer in time; read the object to see whether it was applied".to_owned(),
    };
    let words = plain(&step.item.words());
    match (result, step.action) {
        (Applied::Done, Action::Same) => format!("{:<8} {words}", step.action.word()),
        _ => format!("{:<8} {} {words}{why}", result.word(), step.action.word()),
    }
}

fn told(step: &Step<'_>, result: &Applied) -> Value {
    let is_same = matches!((result, step.action), (Applied::Done, Action::Same));
    let mut told = step.structured(if is_same { step.action.word() } else { result.word() });
    if let Applied::Failed(why) = result {
        told["error"] = why.clone().into();
    }
    told
}
