//! Which of the many reasons decides: the one without which the pod would run.

use crate::diagnosis::facts::Object;

use super::demand::TaintKind;
use super::message::{Counted, Reason};
use super::obstacles::{Obstacle, Sight};

/// What decides, with the nodes (places in the list of sights) where it does.
#[derive(Debug, PartialEq)]
pub(super) enum Decision {
    /// Nodes that would take it are cordoned or about to go.
    Closed(Vec<usize>),
    /// Nodes that would take it are sick, or have not come up yet.
    Sick(Vec<usize>),
    /// Nodes that are meant for it do not take it for this reason.
    Fails(Reason, Vec<usize>),
    /// What was read does not tell why; the scheduler's message may.
    Unclear,
}

/// Decides from what was computed for each node.
pub(super) fn decide(sights: &[Sight<'_, '_, '_>]) -> Decision {
    if sights.is_empty() || sights.iter().any(|sight| sight.obstacles.is_empty()) {
        return Decision::Unclear;
    }
    let meant = places(sights, |obstacles| !obstacles.iter().any(Obstacle::is_not_meant));
    if meant.is_empty() {
        return not_meant(sights);
    }
    let only = |test: fn(&Obstacle<'_, '_>) -> bool| {
        let found = meant.iter().copied().filter(|place| sights[*place].obstacles.iter().all(test));
        found.collect::<Vec<_>>()
    };
    let closed = only(|obstacle| obstacle.is_closed());
    if !closed.is_empty() {
        return Decision::Closed(closed);
    }
    let sick = only(|obstacle| obstacle.is_closed() || obstacle.is_sickness());
    if !sick.is_empty() {
        return Decision::Sick(sick);
    }
    let open = |place: &usize| !sights[*place].obstacles.iter().any(|o| o.is_closed() || o.is_sickness());
    let open: Vec<usize> = meant.iter().copied().filter(open).collect();
    among(sights, if open.is_empty() { &meant } else { &open })
}

fn places(sights: &[Sight<'_, '_, '_>], test: impl Fn(&[Obstacle<'_, '_>]) -> bool) -> Vec<usize> {
    let found = sights.iter().enumerate().filter(|(_, sight)| test(&sight.obstacles));
    found.map(|(place, _)| place).collect()
}

/// The nodes with the fewest reasons came closest. Of their reasons the most frequent decides; of several as frequent,
/// the one that the scheduler looks at last, because everything before it was passed.
fn among(sights: &[Sight<'_, '_, '_>], places: &[usize]) -> Decision {
    let fewest = places.iter().map(|place| sights[*place].obstacles.len()).min().unwrap_or(0);
    let nearest = places.iter().filter(|place| sights[**place].obstacles.len() == fewest);
    let mut counts: Vec<(Reason, usize)> = Vec::new();
    for reason in nearest.flat_map(|place| &sights[*place].obstacles).map(Obstacle::reason) {
        match counts.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => counts.push((reason, 1)),
        }
    }
    let best = counts.into_iter().max_by_key(|(reason, count)| (*count, reason.clone()));
    let Some((reason, _)) = best else { return Decision::Unclear };
    let with = |place: &&usize| sights[**place].obstacles.iter().any(|o| o.reason() == reason);
    let where_found = places.iter().filter(with).copied().collect();
    Decision::Fails(reason, where_found)
}

/// No node is meant for the pod. Where one thing alone shuts nodes out, that decides: a volume in another zone before a
/// taint (the nodes near the volume are then reserved), a taint before the selector (the nodes that were chosen are
/// reserved), the selector before a resource that no other node has.
fn not_meant(sights: &[Sight<'_, '_, '_>]) -> Decision {
    let shut = |sight: &Sight<'_, '_, '_>| {
        let shut = sight.obstacles.iter().filter(|obstacle| obstacle.is_not_meant());
        shut.map(rank).collect::<Vec<_>>()
    };
    let all: Vec<Vec<Shut>> = sights.iter().map(shut).collect();
    let fewest = all.iter().map(Vec::len).min().unwrap_or(0);
    let nearest = all.iter().filter(|shut| shut.len() == fewest).flatten();
    let Some(rank) = nearest.min().copied() else { return Decision::Unclear };
    let found = all.iter().enumerate().filter(|(_, shut)| shut.len() == fewest && shut.contains(&rank));
    let found: Vec<usize> = found.map(|(place, _)| place).collect();
    let first = found.iter().flat_map(|place| &sights[*place].obstacles);
    let reason = first.filter(|o| o.is_not_meant()).find(|o| self::rank(o) == rank).map(Obstacle::reason);
    reason.map_or(Decision::Unclear, |reason| Decision::Fails(reason, found))
}

/// What shuts a node out, in the order in which it decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shut {
    Volume,
    Reserved,
    Selector,
    NotOffered,
    /// Nodes that are for no ordinary pod.
    ControlPlane,
}

fn rank(obstacle: &Obstacle<'_, '_>) -> Shut {
    match obstacle {
        Obstacle::Volume => Shut::Volume,
        Obstacle::Taint { kind: TaintKind::Reserved, .. } => Shut::Reserved,
        Obstacle::Selector => Shut::Selector,
        Obstacle::NotOffered { .. } => Shut::NotOffered,
        Obstacle::Taint { .. }
        | Obstacle::Cordoned
        | Obstacle::HostPort { .. }
        | Obstacle::Resource { .. }
        | Obstacle::Spread { .. }
        | Obstacle::Affinity { .. }
        | Obstacle::AntiAffinity { .. }
        | Obstacle::Shunned { .. } => Shut::ControlPlane,
    }
}

/// Decides from the message alone: taints and selectors tell of nodes that were not meant, as long as there are others;
/// of the rest, the latest in the scheduler's order.
pub(super) fn from_message(reasons: &[Counted]) -> Option<Reason> {
    let not_meant = |reason: &Reason| {
        matches!(reason, Reason::Taint(_) | Reason::Selector | Reason::Cordoned | Reason::VolumeElsewhere)
    };
    let for_nobody = |reason: &Reason| match reason {
        Reason::Taint(Some((key, _))) => {
            matches!(TaintKind::of(key), TaintKind::ControlPlane | TaintKind::Fargate)
        }
        _ => false,
    };
    let all_for_nobody = reasons.iter().all(|counted| for_nobody(&counted.reason));
    let known = || {
        let reasons = reasons.iter().map(|counted| &counted.reason);
        reasons.filter(|reason| all_for_nobody || !for_nobody(reason))
    };
    let meant = known().filter(|reason| !not_meant(reason)).max();
    meant.or_else(|| known().max()).cloned()
}

/// The nodes of a decision.
pub(super) fn nodes<'a>(sights: &[Sight<'_, '_, 'a>], places: &[usize]) -> Vec<Object<'a>> {
    places.iter().map(|place| sights[*place].room.node).collect()
}
