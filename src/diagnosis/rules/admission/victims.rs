//! Owners that want more pods than the API server lets them create.

use std::collections::BTreeSet;

use crate::diagnosis::draft::{self, Draft};
use crate::diagnosis::facts::{Facts, Key, KubeEvent, Object, Read, Workload};
use crate::diagnosis::report::{Evidence, ObjectRef, Severity};

/// An owner whose newest attempt to create a pod was refused.
#[derive(Debug)]
pub(super) struct Victim<'a> {
    pub(super) owner: Object<'a>,
    pub(super) workload: Workload<'a>,
    /// Pods (of a CronJob: Jobs) that should exist, and that do.
    pub(super) wanted: i64,
    pub(super) existing: i64,
    /// The refusal, in the API server's words.
    pub(super) message: &'a str,
    said: Evidence,
}

impl<'a> Victim<'a> {
    /// `None` where nothing is missing, or nothing says why.
    pub(super) fn of(facts: &Facts<'a>, owner: Object<'a>) -> Option<Self> {
        let (wanted, existing) = shortfall(facts, owner)?;
        let (message, said) = refusal(facts, owner)?;
        Some(Self { owner, workload: facts.workload(owner), wanted, existing, message, said })
    }

    /// Some of its pods are there and ready.
    fn serves(&self) -> bool {
        self.workload.ready().map_or(self.existing > 0, |ready| ready > 0)
    }
}

/// How many pods should exist and how many do, where the second is less.
fn shortfall(facts: &Facts<'_>, owner: Object<'_>) -> Option<(i64, i64)> {
    let value = owner.value();
    let wanted = match owner.kind() {
        "ReplicaSet" | "StatefulSet" => value.int("/spec/replicas").unwrap_or(1),
        "DaemonSet" => value.int("/status/desiredNumberScheduled").unwrap_or(0),
        "Job" => wanted_by_job(owner)?,
        // One ReplicaSet, one Job: whether it is missing, the newest event says.
        "Deployment" | "CronJob" => 1,
        _ => return None,
    };
    let existing = match owner.kind() {
        "Deployment" | "CronJob" => 0,
        _ => i64::try_from(live_pods(facts, owner)).unwrap_or(i64::MAX),
    };
    (existing < wanted && !owner.is_terminating()).then_some((wanted, existing))
}

fn live_pods(facts: &Facts<'_>, owner: Object<'_>) -> usize {
    let is_live = |pod: &&Object<'_>| {
        pod.kind() == "Pod"
            && !pod.is_terminating()
            && !matches!(pod.value().text("/status/phase"), "Succeeded" | "Failed")
    };
    facts.children(owner).iter().filter(is_live).count()
}

fn wanted_by_job(job: Object<'_>) -> Option<i64> {
    let value = job.value();
    let is_over = ["Complete", "Failed"]
        .iter()
        .any(|end| job.condition(end).is_some_and(|condition| condition["status"] == "True"));
    if is_over || value.flag("/spec/suspend") {
        return None;
    }
    let parallelism = value.int("/spec/parallelism").unwrap_or(1);
    let open = value.int("/spec/completions").map(|all| all - value.int("/status/succeeded").unwrap_or(0));
    Some(open.map_or(parallelism, |open| open.min(parallelism)))
}

/// The newest refusal, unless a creation has succeeded since.
fn refusal<'a>(facts: &Facts<'a>, owner: Object<'a>) -> Option<(&'a str, Evidence)> {
    let newest = |reasons: &[&str]| facts.events(owner).find(|event| reasons.contains(&event.reason));
    let failed = newest(&["FailedCreate", "ReplicaSetCreateError"]);
    let succeeded = newest(&["SuccessfulCreate"]).and_then(|event| event.last);
    let (of_type, reason) = match owner.kind() {
        "Deployment" => ("Progressing", "ReplicaSetCreateError"),
        _ => ("ReplicaFailure", "FailedCreate"),
    };
    // The controller takes the condition away as soon as it succeeds.
    let condition = owner.condition(of_type).filter(|condition| condition["reason"] == reason);
    let is_current =
        |event: &KubeEvent<'_>| condition.is_some() || succeeded.is_none_or(|time| Some(time) <= event.last);
    match failed.filter(is_current) {
        Some(event) => Some((event.message, draft::event(&event))),
        None => Some((condition?.text("/message"), draft::condition(owner, of_type)?)),
    }
}

/// Owners that suffer from the same refusal; never empty.
#[derive(Debug)]
pub(super) struct Victims<'a>(pub(super) Vec<Victim<'a>>);

impl<'a> Victims<'a> {
    pub(super) fn first(&self) -> &Victim<'a> {
        &self.0[0]
    }

    pub(super) fn namespace(&self) -> &'a str {
        self.first().owner.namespace()
    }

    pub(super) fn workload(&self) -> &Workload<'a> {
        &self.first().workload
    }

    /// `Deployment catalog`, `Deployment catalog (and 2 more)`.
    pub(super) fn name(&self) -> String {
        let keys: BTreeSet<Key> = self.0.iter().map(|victim| victim.workload.key()).collect();
        let first = &self.workload().reference;
        match keys.len() {
            1 => format!("{} {}", first.kind, first.name),
            several => format!("{} {} (and {} more)", first.kind, first.name, several - 1),
        }
    }

    /// Critical where one of them has nothing that serves.
    pub(super) fn severity(&self) -> Severity {
        let is_down = |victim: &Victim<'_>| victim.workload.kind() != "CronJob" && !victim.serves();
        if self.0.iter().any(is_down) { Severity::Critical } else { Severity::Warning }
    }

    /// How many pods there are, in words, with a space before.
    pub(super) fn impact(&self) -> String {
        let victim = self.first();
        match (victim.owner.kind(), victim.existing, victim.workload.ready()) {
            ("Deployment", ..) => " Its new ReplicaSet cannot be made.".to_owned(),
            ("CronJob", ..) => " It cannot start its Job.".to_owned(),
            ("ReplicaSet", 0, Some(ready)) if ready > 0 => {
                format!(" The pods from before the change still serve ({ready} ready).")
            }
            (_, 0, _) if victim.wanted == 1 => " Its only pod does not exist.".to_owned(),
            (_, 0, _) => format!(" None of its {} pods exists.", victim.wanted),
            (_, existing, _) => format!(" {existing} of its {} pods exist.", victim.wanted),
        }
    }

    /// A draft about `object`, with what every refusal knows: how bad it is, whom it hits, and what was said.
    pub(super) fn draft(&self, rule: &'static str, object: ObjectRef, title: String) -> Draft {
        Draft::new(rule, self.severity(), object, title)
            .breaks(self.0.iter().map(|victim| victim.workload.key()))
            .evidence(self.0.iter().take(3).map(|victim| victim.said.clone()))
    }

    /// A draft about the workload itself.
    pub(super) fn own_draft(&self, rule: &'static str, title: String) -> Draft {
        self.draft(rule, self.workload().reference.clone(), title)
    }

    /// A field of the pod's specification as the workload states it; the pointer begins below the pod's spec.
    pub(super) fn spec_field(&self, pointer: &str) -> Option<Evidence> {
        let workload = self.workload();
        draft::field(workload.object?, &format!("{}{pointer}", workload.pod_spec_pointer()))
    }
}
