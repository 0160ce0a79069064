//! Pods that no node takes (FAILURES A). What the scheduler said tells what kind of reason it is; what is computed from
//! nodes, pods and volumes tells which node came closest and what would have to change.

mod capacity;
mod claims;
mod decision;
mod demand;
mod message;
mod neighbours;
mod obstacles;
mod placement;
mod preemption;
mod rooms;
mod selectors;
mod together;
mod unseen;
mod waiting;

#[cfg(test)]
mod tests;

use crate::diagnosis::draft::Draft;
use crate::diagnosis::facts::{Facts, Pod};
use crate::diagnosis::report::Severity;

use super::merge::merged;
use super::pods::Group;
use decision::Decision;
use message::Reason;
use obstacles::{Sight, Wishes};
use rooms::Rooms;
use waiting::Waiting;

pub(super) use claims::names as claim_names;

/// Lets the rules look at the pods without a node, workload by workload.
pub(super) fn check<'a>(facts: &Facts<'a>, groups: &[Group<'_, 'a>], drafts: &mut Vec<Draft>) {
    unseen::pinned_templates(facts, drafts);
    if groups.is_empty() {
        return;
    }
    let rooms = Rooms::new(facts);
    let mut found = Vec::new();
    for group in groups {
        let Some(group) = waiting::long_enough(facts, group) else { continue };
        let waiting = Waiting::new(facts, &rooms, &group);
        found.extend(look(&waiting).into_iter().map(|draft| waiting.weighed(draft)));
    }
    drafts.extend(merged(found));
}

/// True where the scheduler finds nothing to bind the pod's claims to.
pub(super) fn wants_volumes(facts: &Facts<'_>, pod: &Pod<'_>) -> bool {
    let wants = |reason: &Reason| matches!(reason, Reason::NothingToBind | Reason::Binding);
    waiting::said(facts, pod).reasons.iter().any(|counted| wants(&counted.reason))
}

fn look(waiting: &Waiting<'_, '_, '_>) -> Vec<Draft> {
    if let Some(draft) = unseen::pinned(waiting).or_else(|| unseen::gated(waiting)) {
        return vec![draft];
    }
    if claims::are_settling(waiting) {
        return Vec::new();
    }
    if let Some(draft) = claims::check(waiting).or_else(|| unseen::silent(waiting)) {
        return vec![draft];
    }
    let wishes = Wishes::new(waiting.facts, waiting.rooms, waiting.pod);
    let sights = obstacles::sights(waiting.rooms, waiting.pod, &wishes);
    let view = View { waiting, wishes: &wishes, sights: &sights };
    match decision::decide(&sights) {
        Decision::Closed(nodes) => placement::closed(&view, &nodes),
        Decision::Sick(nodes) => placement::sick(&view, &nodes),
        Decision::Fails(reason, nodes) => {
            let winner = matches!(reason, Reason::Insufficient(_) | Reason::TooManyPods | Reason::HostPort);
            let winner = winner.then(|| preemption::check(waiting)).flatten();
            let mut drafts = fails(&view, &reason, &nodes);
            if winner.is_some() {
                drafts.iter_mut().for_each(|draft| draft.explained_by.push(waiting.group.workload.key()));
            }
            drafts.into_iter().chain(winner).collect()
        }
        Decision::Unclear => unclear(&view),
    }
}

/// A waiting workload with what was computed for its pod.
struct View<'v, 'w, 'f, 'a> {
    waiting: &'v Waiting<'w, 'f, 'a>,
    wishes: &'v Wishes<'f, 'a>,
    sights: &'v [Sight<'w, 'f, 'a>],
}

/// Nothing that was read keeps the pod from some node: the scheduler's message has the word.
fn unclear(view: &View<'_, '_, '_, '_>) -> Vec<Draft> {
    match decision::from_message(&view.waiting.said.reasons) {
        Some(reason) => {
            let has = |sight: &Sight<'_, '_, '_>| sight.obstacles.iter().any(|o| o.reason() == reason);
            let with = view.sights.iter().enumerate().filter(|(_, sight)| has(sight));
            let nodes: Vec<usize> = with.map(|(place, _)| place).collect();
            fails(view, &reason, &nodes)
        }
        None => vec![unseen::other(view.waiting)],
    }
}

fn fails(view: &View<'_, '_, '_, '_>, reason: &Reason, nodes: &[usize]) -> Vec<Draft> {
    let waiting = view.waiting;
    vec![match reason {
        Reason::Taint(_) => return placement::taint(view, nodes),
        Reason::Insufficient(resource) => capacity::short(view, resource, nodes),
        Reason::TooManyPods => capacity::too_many_pods(view, nodes),
        Reason::VolumeLimit => capacity::too_many_volumes(waiting),
        Reason::Selector => placement::selector(view),
        Reason::VolumeElsewhere => placement::volume(view, nodes),
        Reason::HostPort => together::host_port(view, nodes),
        Reason::Spread | Reason::SpreadLabel => together::spread(view, nodes),
        Reason::Affinity => together::affinity(view, nodes),
        Reason::AntiAffinity => together::anti_affinity(view, nodes),
        Reason::OthersAntiAffinity => together::shunned(view, nodes),
        Reason::NoNodes => unseen::no_nodes(waiting),
        Reason::ClaimUnbound
        | Reason::ClaimMissing(_)
        | Reason::ClaimDeleted(_)
        | Reason::ClaimInUse
        | Reason::NothingToBind
        | Reason::Binding
        | Reason::Cordoned
        | Reason::Other(_) => unseen::other(waiting),
    }]
}

impl Waiting<'_, '_, '_> {
    /// What waits by intention, or is being helped already, is worth knowing and no more.
    fn weighed(&self, mut draft: Draft) -> Draft {
        if self.is_placeholder() || self.help_is_coming() {
            draft.severity = Severity::Info;
        }
        draft
    }
}
