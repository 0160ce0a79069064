//! A workload with pods that wait for a node, and what was said about them.

use crate::diagnosis::draft::{self, Draft, change};
use crate::diagnosis::facts::{Facts, KubeEvent, Pod, Read};
use crate::diagnosis::report::{Confidence, Evidence, Remediation, Risk};
use crate::diagnosis::rules::kubectl;
use crate::diagnosis::rules::pods::Group;

use super::View;
use super::message::{self, Counted};
use super::obstacles::breakdown;
use super::rooms::Rooms;

/// A pod that has waited for less than this, in seconds, is being scheduled as usual.
const GRACE: i64 = 20;
/// The scheduler of pods that name none.
pub(super) const DEFAULT_SCHEDULER: &str = "default-scheduler";
/// A new node takes this long to come, in seconds.
const SCALE_UP: i64 = 600;

/// Pods of one workload that wait.
pub(super) struct Waiting<'w, 'f, 'a> {
    pub(super) facts: &'f Facts<'a>,
    pub(super) rooms: &'w Rooms<'f, 'a>,
    pub(super) group: &'w Group<'f, 'a>,
    /// The pod that stands for the others.
    pub(super) pod: &'f Pod<'a>,
    pub(super) said: Said<'a>,
}

/// What the scheduler said about a pod.
#[derive(Debug, Default)]
pub(super) struct Said<'a> {
    pub(super) reasons: Vec<Counted>,
    /// Place of the condition `PodScheduled` in the pod's status, where there is one.
    condition: Option<usize>,
    /// The newest `FailedScheduling`.
    pub(super) event: Option<KubeEvent<'a>>,
}

/// The pods of a group that have waited long enough to count.
pub(super) fn long_enough<'f, 'a>(facts: &Facts<'a>, group: &Group<'f, 'a>) -> Option<Group<'f, 'a>> {
    let long = group.cases.iter().filter(|case| seconds_waiting(facts, case.pod) >= GRACE);
    let cases: Vec<_> = long.cloned().collect();
    (!cases.is_empty()).then_some(Group { workload: group.workload, cases })
}

pub(super) fn seconds_waiting(facts: &Facts<'_>, pod: &Pod<'_>) -> i64 {
    pod.object.created().map_or(GRACE, |time| facts.seconds_since(time))
}

/// What the scheduler said: the condition counts, because events expire; events of autoscalers do not.
pub(super) fn said<'a>(facts: &Facts<'a>, pod: &Pod<'a>) -> Said<'a> {
    let conditions = pod.value().list("/status/conditions");
    let condition = conditions.iter().position(|condition| condition["type"] == "PodScheduled");
    let by_condition = condition.map_or("", |index| conditions[index].text("/message"));
    let event = facts
        .events(pod.object)
        .find(|event| event.reason == "FailedScheduling" && message::is_of_scheduler(event.message));
    let text = match by_condition {
        "" => event.map_or("", |event| event.message),
        text => text,
    };
    let reasons = if text.is_empty() { Vec::new() } else { message::reasons(text) };
    Said { reasons, condition, event }
}

impl Said<'_> {
    /// No scheduler has looked at the pod, as far as can be seen.
    pub(super) fn is_silent(&self) -> bool {
        self.condition.is_none() && self.event.is_none()
    }
}

impl<'w, 'f, 'a> Waiting<'w, 'f, 'a> {
    pub(super) fn new(facts: &'f Facts<'a>, rooms: &'w Rooms<'f, 'a>, group: &'w Group<'f, 'a>) -> Self {
        let pod = group.sample().pod;
        Self { facts, rooms, group, pod, said: said(facts, pod) }
    }

    /// The scheduler that the pod asks for.
    pub(super) fn scheduler(&self) -> &'a str {
        self.pod.value().maybe_text("/spec/schedulerName").unwrap_or(DEFAULT_SCHEDULER)
    }

    /// A draft about the workload with what the scheduler and the autoscaler say as evidence.
    pub(super) fn draft(&self, rule: &'static str, title: String, why: &str) -> Draft {
        let confidence = if self.said.is_silent() { Confidence::Likely } else { Confidence::Certain };
        let summary = format!("{why}{}{}", self.group.impact(), self.autoscaler());
        self.group.draft(rule, title).confidence(confidence).summary(summary).evidence(self.evidence())
    }

    pub(super) fn evidence(&self) -> Vec<Evidence> {
        let condition = self.said.condition.map(|index| format!("/status/conditions/{index}/message"));
        let condition = condition.and_then(|pointer| draft::field(self.pod.object, &pointer));
        let event = self.said.event.map(|event| draft::event(&event));
        let helper = self.helper().map(|event| draft::event(&event));
        condition.into_iter().chain(event).chain(helper).collect()
    }

    /// The newest event of an autoscaler.
    fn helper(&self) -> Option<KubeEvent<'a>> {
        self.facts.events(self.pod.object).find(|event| match event.reason {
            "NotTriggerScaleUp" | "TriggeredScaleUp" | "FailedToScaleUp" | "Nominated" => true,
            "FailedScheduling" => !message::is_of_scheduler(event.message),
            _ => false,
        })
    }

    fn autoscaler(&self) -> String {
        match self.helper() {
            Some(event) => format!(
                " The autoscaler says: {}",
                draft::shorten(event.message, 300).trim_end_matches('.').to_owned() + "."
            ),
            None => String::new(),
        }
    }

    /// A new node was ordered a short while ago.
    pub(super) fn help_is_coming(&self) -> bool {
        let ordered = self.helper().filter(|event| matches!(event.reason, "TriggeredScaleUp" | "Nominated"));
        let recent = |event: KubeEvent<'_>| event.last.map(|time| self.facts.seconds_since(time) < SCALE_UP);
        ordered.and_then(recent).unwrap_or(false) && seconds_waiting(self.facts, self.pod) < SCALE_UP
    }

    /// Pods of negative priority hold room for others: that they wait is what they are for.
    pub(super) fn is_placeholder(&self) -> bool {
        self.pod.value().int("/spec/priority").is_some_and(|priority| priority < 0)
    }

    /// A change of the pod template, which no single command can make in general.
    pub(super) fn edit(&self, summary: &str, check: impl Into<String>) -> Remediation {
        let workload = self.group.workload;
        let command = kubectl::edit(&workload.reference);
        let (undo, verify) = (kubectl::undo(workload), kubectl::verify(workload));
        change(summary, check, command, undo, verify, Risk::Low)
    }
}

impl<'a> View<'_, '_, '_, 'a> {
    pub(super) fn facts(&self) -> &Facts<'a> {
        self.waiting.facts
    }

    pub(super) fn name(&self) -> String {
        self.waiting.group.name()
    }

    /// A draft whose summary ends with the count of reasons over all nodes.
    pub(super) fn draft(&self, rule: &'static str, title: String, why: &str) -> Draft {
        let counts = match self.sights.is_empty() {
            true => String::new(),
            false => format!(" Of {} {}.", obstacles_title(self.sights.len()), breakdown(self.sights)),
        };
        self.waiting.draft(rule, title, &format!("{why}{counts}"))
    }
}

fn obstacles_title(count: usize) -> String {
    if count == 1 { "the only node:".to_owned() } else { format!("{count} nodes:") }
}
