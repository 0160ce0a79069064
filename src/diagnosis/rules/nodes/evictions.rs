//! Pods that the kubelet evicted (E4 to E6). The pods themselves stay as `Failed` until somebody deletes them: only what
//! happened lately, or still hurts, is worth a warning.

use crate::diagnosis::draft::{self, Draft, change, in_namespace, sh};
use crate::diagnosis::facts::{Facts, Key, Pod, Read, quantity, reference};
use crate::diagnosis::report::{Confidence, Evidence, Remediation, Risk, Severity};
use crate::diagnosis::rules::kubectl;
use crate::diagnosis::rules::merge::merged;
use crate::diagnosis::rules::pods::{Case, Group};

use super::usage::{Hog, Usage, Why};

/// Evictions longer ago, in seconds, are history where the workload is well.
const A_DAY: i64 = 86_400;
/// One eviction longer ago, in seconds, is history where the workload is well.
const AN_HOUR: i64 = 3_600;

pub(super) fn check<'a>(facts: &Facts<'a>, groups: &[Group<'_, 'a>], hogs: &[Hog], drafts: &mut Vec<Draft>) {
    let mut nodes = Vec::new();
    for group in groups {
        let newest = group.cases.iter().max_by_key(|case| evicted_at(facts, case.pod));
        let Some(newest) = newest else { continue };
        let evicted = Evicted { facts, group, newest, well: is_well(group), hogs };
        if evicted.is_history() {
            continue;
        }
        match Why::of(newest.pod.value().text("/status/message")) {
            Why::OwnLimit => drafts.push(evicted.own_limit()),
            Why::NodeShort { resource, usage: Some(usage) }
                if hogs.iter().any(|hog| hog.pod == newest.pod.object.key()) =>
            {
                drafts.push(evicted.used_up(&resource, &usage));
            }
            Why::NodeShort { resource, .. } => nodes.push(evicted.victim(&format!("was low on {resource}"))),
            Why::OnArrival(condition) => {
                nodes.push(evicted.victim(&format!("had the condition {condition}")))
            }
            Why::Other => drafts.push(evicted.unknown()),
        }
    }
    drafts.extend(merged(nodes));
}

/// Evicted pods of one workload.
struct Evicted<'e, 'f, 'a> {
    facts: &'e Facts<'a>,
    group: &'e Group<'f, 'a>,
    newest: &'e Case<'f, 'a>,
    /// As many pods are ready as are wanted.
    well: bool,
    hogs: &'e [Hog],
}

fn is_well(group: &Group<'_, '_>) -> bool {
    let workload = group.workload;
    match (workload.ready(), workload.desired()) {
        (Some(ready), Some(desired)) => ready >= desired,
        // Jobs make another pod; a bare pod is gone for good.
        _ => workload.kind() != "Pod",
    }
}

/// When a pod was evicted, as far as it shows.
fn evicted_at<'a>(facts: &Facts<'a>, pod: &Pod<'a>) -> Option<jiff::Timestamp> {
    let event = facts.events(pod.object).find(|event| event.reason == "Evicted").and_then(|event| event.last);
    let condition =
        pod.object.condition("DisruptionTarget").and_then(|condition| condition.time("/lastTransitionTime"));
    let ends = pod.containers.iter().filter_map(|container| container.last_end()?.0.time("/finishedAt"));
    let started = || pod.value().time("/status/startTime").or_else(|| pod.object.created());
    event.into_iter().chain(condition).chain(ends).max().or_else(started)
}

impl Evicted<'_, '_, '_> {
    /// Seconds since the newest eviction.
    fn age(&self) -> i64 {
        evicted_at(self.facts, self.newest.pod).map_or(0, |time| self.facts.seconds_since(time))
    }

    /// The pods are still listed, but what happened is long over.
    fn is_history(&self) -> bool {
        (self.well || self.group.workload.kind() == "Pod") && self.age() > A_DAY
    }

    fn severity(&self) -> Severity {
        let is_once = self.group.cases.len() == 1;
        let can_be_well = self.well || self.group.workload.kind() == "Pod";
        match (can_be_well, self.well) {
            (true, _) if is_once && self.age() > AN_HOUR => Severity::Info,
            (_, true) => Severity::Warning,
            _ => self.group.severity(),
        }
    }

    fn count(&self) -> String {
        match self.group.cases.len() {
            1 => "1 pod was evicted".to_owned(),
            several => format!("{several} pods were evicted"),
        }
    }

    fn draft(&self, rule: &'static str, title: String, why: &str) -> Draft {
        let mut draft = self.group.draft(rule, title);
        draft.severity = self.severity();
        if self.well {
            // What is well is not broken by what was.
            draft.breaks.retain(|key| key.kind == "Pod");
        }
        let state = if self.well { " The workload has all its pods again." } else { "" };
        let message = draft::shorten(self.newest.pod.value().text("/status/message").trim(), 300);
        let event = self.facts.events(self.newest.pod.object).find(|event| event.reason == "Evicted");
        draft
            .summary(format!(
                "{why} The kubelet says: {message}{}{state}",
                if self.well { String::new() } else { self.group.impact() }
            ))
            .evidence(draft::field(self.newest.pod.object, "/status/message"))
            .evidence(event.map(|event| draft::event(&event)))
    }

    fn own_limit(&self) -> Draft {
        let title = format!("{} goes over its ephemeral storage limit and is evicted", self.group.name());
        let why = format!(
            "{}: it writes more to its disk (logs, files in the container, emptyDir) than its own limit allows.",
            self.count()
        );
        let mut draft = self
            .draft("ephemeral-storage-limit-exceeded", title, &why)
            .evidence(limit_fields(self.group))
            .remedy(edit(self.group, "Write less (rotate logs, clean up), or raise the limit"))
            .remedy(self.clean_up());
        draft.cause = "own-limit".to_owned();
        draft
    }

    /// The pod used up the node: its request says less than it needs.
    fn used_up(&self, resource: &str, usage: &Usage) -> Draft {
        let show = |amount| quantity::show(resource, amount);
        let title = format!(
            "{} uses up the {resource} of its node and is evicted: {} with a request of {}",
            self.group.name(),
            show(usage.used),
            show(usage.requested)
        );
        let why = format!(
            "{}. Container {} used a large part of what the node has, far more than it requests, so the scheduler did not know.",
            self.count(),
            usage.container
        );
        let node = self.newest.pod.node().unwrap_or_default();
        self.draft("evicted-for-usage", title, &why)
            .cause(resource)
            .breaks([Key::new("Pod", self.newest.pod.object.namespace(), self.newest.pod.object.name())])
            .evidence(request_field(self.group, &usage.container, resource))
            .evidence(
                self.facts
                    .get("Node", "", node)
                    .and_then(|node| draft::field(node, &format!("/status/allocatable/{resource}"))),
            )
            .remedy(edit(self.group, "Request what the program needs and set a limit, or make it use less"))
            .remedy(self.clean_up())
    }

    /// The node was short, and this workload is not the reason: it is the victim of the node, or of what used it up.
    fn victim(&self, what: &str) -> Draft {
        let node = self.newest.pod.node().unwrap_or_default();
        let title = format!("Node {node} {what} and evicted pods of {}", self.group.name());
        let why = format!("{}, because the node {what}.", self.count());
        let hogs =
            self.hogs.iter().filter(|hog| hog.node == node && hog.workload != self.group.workload.key());
        let hogs: Vec<Key> = hogs.map(|hog| hog.pod.clone()).collect();
        let is_unwell =
            self.facts.get("Node", "", node).is_some_and(|node| super::is_unwell(self.facts, node));
        let mut draft = self
            .draft("evicted-by-node", title, &why)
            .explained_by(hogs.iter().cloned())
            .remedy(self.clean_up());
        if is_unwell {
            draft.explained_by.push(Key::new("Node", "", node));
        } else if hogs.is_empty() && !node.is_empty() {
            draft.object = reference("v1", "Node", "", node);
            if self.well {
                draft.severity = Severity::Info;
            }
        }
        draft
    }

    fn unknown(&self) -> Draft {
        let title = format!("{} was evicted", self.group.name());
        self.draft("evicted-by-node", title, &format!("{}.", self.count()))
            .confidence(Confidence::Likely)
            .remedy(self.clean_up())
    }

    fn clean_up(&self) -> Remediation {
        let namespace = in_namespace(&self.group.workload.reference);
        let list = format!("kubectl {namespace}get pods --field-selector status.phase=Failed");
        change(
            "Delete the evicted pods, which are kept only to be looked at",
            list.clone(),
            format!("kubectl {namespace}delete pod {}", sh(self.newest.pod.object.name())),
            "nothing to take back: the pod has ended",
            list,
            Risk::Low,
        )
    }
}

fn edit(group: &Group<'_, '_>, summary: &str) -> Remediation {
    let workload = group.workload;
    change(
        summary,
        kubectl::get(&workload.reference, "yaml"),
        kubectl::edit(&workload.reference),
        kubectl::undo(workload),
        kubectl::verify(workload),
        Risk::Low,
    )
}

/// The limits that a pod can go over: of its containers, and of its emptyDir volumes.
fn limit_fields(group: &Group<'_, '_>) -> Vec<Evidence> {
    let pod = group.sample().pod;
    let limits = pod
        .containers
        .iter()
        .map(|container| format!("{}/resources/limits/ephemeral-storage", container.spec_pointer()));
    let volumes = pod.value().list("/spec/volumes").len();
    let sizes = (0..volumes).map(|index| format!("/volumes/{index}/emptyDir/sizeLimit"));
    limits.chain(sizes).filter_map(|pointer| group.spec_field(&pointer)).collect()
}

fn request_field(group: &Group<'_, '_>, container: &str, resource: &str) -> Option<Evidence> {
    let found = group.sample().pod.containers.iter().find(|known| known.name() == container)?;
    let pointer = format!("{}/resources/requests", found.spec_pointer());
    group.spec_field(&format!("{pointer}/{resource}")).or_else(|| group.spec_field(&pointer))
}
