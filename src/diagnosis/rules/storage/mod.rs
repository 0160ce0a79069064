//! Claims, volumes and storage classes, and pods that wait for their volumes (FAILURES H).

mod attaching;
mod binding;
mod classes;
mod growing;
mod mounting;
mod provisioning;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use crate::diagnosis::draft::Draft;
use crate::diagnosis::facts::{Facts, Key, Object, Pod, Read};
use crate::diagnosis::report::Severity;

use super::merge::merged;
use super::pods::Group;
use super::scheduling;

/// A claim is bound within this time, in seconds, where everything works.
const SETTLING: i64 = 60;
/// A claim or volume that is being deleted is gone within this time, in seconds.
const DELETION: i64 = 300;

/// Looks at every claim, and at the pods that cannot get their volumes.
pub(super) fn check<'a>(facts: &Facts<'a>, creating: &[Group<'_, 'a>], drafts: &mut Vec<Draft>) {
    let consumers = consumers(facts);
    for object in facts.all("PersistentVolumeClaim") {
        let consumers = consumers.get(&(object.namespace(), object.name().to_owned()));
        let consumers = consumers.map_or(&[][..], Vec::as_slice);
        let claim = Claim { object: *object, consumers, class: class_of(*object) };
        drafts.extend(claim_trouble(facts, &claim));
    }
    let found = creating
        .iter()
        .filter_map(|group| attaching::check(facts, group).or_else(|| mounting::check(facts, group)));
    drafts.extend(merged(found.collect()));
}

/// A claim with those who mount it.
struct Claim<'c, 'a> {
    object: Object<'a>,
    /// Pods that mount it and have not come to their end.
    consumers: &'c [&'c Pod<'a>],
    class: Option<&'a str>,
}

/// The pods that mount a claim and have not come to their end, by namespace and claim.
fn consumers<'f, 'a>(facts: &'f Facts<'a>) -> HashMap<(&'a str, String), Vec<&'f Pod<'a>>> {
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for pod in facts.pods().iter().filter(|pod| !pod.is_done()) {
        for name in scheduling::claim_names(pod) {
            found.entry((pod.object.namespace(), name)).or_default().push(pod);
        }
    }
    found
}

impl Claim<'_, '_> {
    /// A draft about the claim, with what is known of every trouble: how bad it is, and who suffers.
    fn draft(&self, rule: &'static str, title: String) -> Draft {
        let waiting: Vec<&&Pod<'_>> = self.consumers.iter().filter(|pod| !pod.is_ready()).collect();
        let severity = if waiting.is_empty() { Severity::Warning } else { Severity::Critical };
        let victims = waiting.iter().flat_map(|pod| [pod.object.key(), pod.workload.key()]);
        Draft::new(rule, severity, self.object.reference(), title)
            .breaks(std::iter::once(self.object.key()).chain(victims))
    }

    /// ` Deployment web waits for it.`, or that nobody does.
    fn impact(&self) -> String {
        let waiting: std::collections::BTreeSet<Key> =
            self.consumers.iter().filter(|pod| !pod.is_ready()).map(|pod| pod.workload.key()).collect();
        let names: Vec<String> =
            waiting.iter().take(3).map(|key| format!("{} {}", key.kind, key.name)).collect();
        match names.as_slice() {
            [] => String::new(),
            [one] => format!(" {one} waits for it."),
            several => format!(" {} wait for it.", several.join(", ")),
        }
    }
}

/// The class that a claim asks for: `Some("")` for none at all, `None` where it leaves that to the default.
fn class_of(claim: Object<'_>) -> Option<&str> {
    claim
        .annotation("volume.beta.kubernetes.io/storage-class")
        .or_else(|| claim.value().maybe_text("/spec/storageClassName"))
}

/// True where the claim's class leaves binding to the scheduler: pending is then normal while no pod mounts it.
pub(super) fn waits_for_consumer<'a>(facts: &Facts<'a>, claim: Object<'a>) -> bool {
    let class = class_of(claim).and_then(|name| facts.get("StorageClass", "", name));
    let by_class = class.map(|class| class.value()["volumeBindingMode"] == "WaitForFirstConsumer");
    let told = || facts.events(claim).any(|event| event.reason == "WaitForFirstConsumer");
    let is_prebound = !claim.value().text("/spec/volumeName").is_empty();
    !is_prebound && by_class.unwrap_or_else(told)
}

/// The claim is new, and nothing has gone wrong so far.
pub(super) fn is_settling<'a>(facts: &Facts<'a>, claim: Object<'a>) -> bool {
    let is_new = claim.created().is_some_and(|time| facts.seconds_since(time) < SETTLING);
    is_new && !facts.events(claim).any(|event| event.is_warning)
}

fn claim_trouble<'a>(facts: &Facts<'a>, claim: &Claim<'_, 'a>) -> Option<Draft> {
    if claim.object.is_terminating() {
        return binding::terminating(facts, claim);
    }
    match claim.object.value().text("/status/phase") {
        "Lost" => Some(binding::lost(facts, claim)),
        "Pending" if is_settling(facts, claim.object) => None,
        "Pending" => pending(facts, claim),
        _ => growing::check(facts, claim),
    }
}

fn pending<'a>(facts: &Facts<'a>, claim: &Claim<'_, 'a>) -> Option<Draft> {
    let chosen = claim.object.annotation("volume.kubernetes.io/selected-node").is_some();
    let wanted = || claim.consumers.iter().any(|pod| scheduling::wants_volumes(facts, pod));
    if waits_for_consumer(facts, claim.object) && !chosen && !wanted() {
        return None;
    }
    if provisioning::is_at_work(facts, claim) {
        return None;
    }
    let is_class_unread =
        claim.class.is_some_and(|class| !class.is_empty()) && !facts.was_read("StorageClass");
    if is_class_unread && claim.consumers.iter().all(|pod| pod.is_ready()) {
        // It may well wait for its first consumer.
        return None;
    }
    provisioning::check(facts, claim).or_else(|| Some(binding::unmatched(facts, claim)))
}
