//! What the tool results of the current question say.

use serde::Deserialize as _;
use serde_json::Value;

use crate::diagnosis::report::{EvidenceKind, ObjectRef, Report};
use crate::model::{ToolResult, Turn};

use super::Wanted;
use super::place;
use super::question::Question;
use super::target::TargetObject;

/// The tool results since the last question.
pub(super) struct Known<'a> {
    results: Vec<&'a ToolResult>,
    reports: Vec<Report>,
}

/// A container whose log is worth reading.
pub(super) struct Suspect {
    namespace: String,
    pod: String,
    container: Option<String>,
    previous: bool,
}

impl Suspect {
    pub(super) fn log_call(&self) -> Wanted {
        let arguments = serde_json::json!({
            "namespace": self.namespace, "pod_name": self.pod, "container_name": self.container,
            "previous": self.previous, "tail_lines": 60,
        });
        ("get_pod_logs", arguments)
    }
}

/// The last question of a conversation and what came after it.
pub(super) fn read(conversation: &[Turn]) -> (Question, Known<'_>) {
    let asked = conversation.iter().rposition(|turn| matches!(turn, Turn::User { .. }));
    let question = match place::asking_turn(conversation).and_then(|index| conversation.get(index)) {
        Some(Turn::User { text, data }) => Question::parse(text, data),
        Some(Turn::Model { .. } | Turn::Tools(_)) | None => Question::parse("", &[]),
    };
    let since = conversation.get(asked.map_or(0, |index| index + 1)..).unwrap_or_default();
    let results: Vec<&ToolResult> = since
        .iter()
        .flat_map(|turn| match turn {
            Turn::Tools(results) => results.as_slice(),
            Turn::User { .. } | Turn::Model { .. } => &[],
        })
        .collect();
    let reports = results
        .iter()
        .filter(|result| result.call.name == "diagnose_cluster" && !result.outcome.is_error)
        .filter_map(|result| Report::deserialize(&result.outcome.structured).ok())
        .collect();
    (question, Known { results, reports })
}

impl<'a> Known<'a> {
    /// How many calls were made.
    pub(super) fn calls(&self) -> usize {
        self.results.len()
    }

    pub(super) fn has_called(&self, name: &str, arguments: &Value) -> bool {
        self.results.iter().any(|result| result.call.name == name && result.call.arguments == *arguments)
    }

    /// True where something was called beside what finds the cluster.
    pub(super) fn has_looked(&self) -> bool {
        self.results.iter().any(|result| !place::DISCOVERY.contains(&result.call.name.as_str()))
    }

    /// The results of one tool, oldest first.
    pub(super) fn results_of(&self, name: &'a str) -> impl Iterator<Item = &'a ToolResult> + '_ {
        self.results.iter().copied().filter(move |result| result.call.name == name)
    }

    /// The first diagnosis, which is the widest.
    pub(super) fn first_report(&self) -> Option<&Report> {
        self.reports.first()
    }

    /// The last diagnosis, which is the one about the target.
    pub(super) fn last_report(&self) -> Option<&Report> {
        self.reports.last()
    }

    /// What was listed of a kind, as it was asked for.
    pub(super) fn listed<'s>(&'s self, kind: &'s str) -> impl Iterator<Item = &'a Value> + 's {
        let lists = self.results.iter().copied().filter(move |result| {
            result.call.name == "list_k8s_resources" && result.call.arguments["kind"] == *kind
        });
        lists.flat_map(|result| result.outcome.structured["items"].as_array().into_iter().flatten())
    }

    pub(super) fn has_listed(&self, kind: &str) -> bool {
        self.results_of("list_k8s_resources").any(|result| result.call.arguments["kind"] == *kind)
    }

    /// The pod whose log was asked for and is not there.
    pub(super) fn unread_log(&self) -> Option<&'a str> {
        let mut logs = self.results_of("get_pod_logs").filter(|result| result.outcome.is_error);
        logs.next()?.call.arguments["pod_name"].as_str()
    }

    /// Every object that a diagnosis speaks of.
    pub(super) fn reported(&self) -> impl Iterator<Item = &ObjectRef> {
        let findings = self.reports.iter().flat_map(|report| &report.findings);
        findings.flat_map(|finding| {
            std::iter::once(&finding.object).chain(finding.evidence.iter().map(|evidence| &evidence.object))
        })
    }

    /// The container behind the worst finding that has a pod or a log as evidence.
    pub(super) fn suspect_container(&self) -> Option<Suspect> {
        let findings = &self.last_report()?.findings;
        findings.iter().flat_map(|finding| &finding.evidence).find_map(|evidence| {
            let object = &evidence.object;
            let is_log = evidence.kind == EvidenceKind::Log;
            (object.kind == "Pod").then(|| Suspect {
                namespace: object.namespace.clone().unwrap_or_default(),
                pod: object.name.clone(),
                container: evidence.path.clone().filter(|_| is_log),
                previous: false,
            })
        })
    }

    /// The pod of a workload that needs looking at most: one that is not ready, else any.
    pub(super) fn pod_of(&self, object: &TargetObject) -> Option<Suspect> {
        let prefix = format!("{}-", object.name);
        let mine = |pod: &&Value| {
            let name = pod["name"].as_str().unwrap_or_default();
            let namespace = pod["namespace"].as_str();
            (name == object.name || name.starts_with(&prefix))
                && (object.namespace.is_none() || namespace == object.namespace.as_deref())
        };
        let pods: Vec<&Value> = self.listed("pods").filter(mine).collect();
        let pod = pods.iter().copied().find(|pod| !is_ready(pod)).or_else(|| pods.first().copied())?;
        Some(Suspect {
            namespace: pod["namespace"].as_str().unwrap_or_default().to_owned(),
            pod: pod["name"].as_str()?.to_owned(),
            container: None,
            previous: !is_ready(pod) && pod["restarts"].as_u64().unwrap_or(0) > 0,
        })
    }
}

/// `ready` is written `1/2`.
fn is_ready(pod: &Value) -> bool {
    let ready = pod["ready"].as_str().and_then(|ready| ready.split_once('/'));
    ready.is_some_and(|(ready, all)| ready == all)
}
