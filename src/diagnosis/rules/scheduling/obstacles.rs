//! What keeps a pod from each node, computed as the scheduler does, but without stopping at the first reason.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diagnosis::facts::{Facts, Object, Pod, Read};

use super::demand::{self, Amounts, HostPort, TaintKind};
use super::message::Reason;
use super::neighbours::Neighbours;
use super::rooms::{Room, Rooms};
use super::selectors::NodeChoice;

/// One reason why a node does not take a pod.
#[derive(Debug, Clone)]
pub(super) enum Obstacle<'f, 'a> {
    Cordoned,
    Taint {
        taint: &'a Value,
        kind: TaintKind,
    },
    Selector,
    HostPort {
        port: HostPort<'a>,
        holder: &'f Pod<'a>,
    },
    /// `pods` counts as a resource.
    Resource {
        name: &'a str,
    },
    /// An extended resource that the node does not have at all.
    NotOffered {
        name: &'a str,
    },
    Volume,
    /// Places in the lists of constraints and terms.
    Spread {
        index: usize,
        lacks_label: bool,
    },
    Affinity {
        index: usize,
    },
    AntiAffinity {
        index: usize,
        holder: &'f Pod<'a>,
    },
    Shunned {
        by: &'f Pod<'a>,
    },
}

/// A node with all that keeps the pod from it.
#[derive(Debug)]
pub(super) struct Sight<'w, 'f, 'a> {
    pub(super) room: &'w Room<'f, 'a>,
    pub(super) obstacles: Vec<Obstacle<'f, 'a>>,
}

/// A pod's wishes, taken apart once.
pub(super) struct Wishes<'f, 'a> {
    pub(super) requests: Amounts<'a>,
    pub(super) choice: NodeChoice,
    host_ports: Vec<HostPort<'a>>,
    /// Bound claims with their volumes.
    pub(super) volumes: Vec<(Object<'a>, Object<'a>, NodeChoice)>,
    pub(super) neighbours: Neighbours<'f, 'a>,
}

impl<'f, 'a> Wishes<'f, 'a> {
    pub(super) fn new(facts: &Facts<'a>, rooms: &Rooms<'f, 'a>, pod: &Pod<'a>) -> Self {
        let choice = NodeChoice::of_pod(pod);
        let neighbours = Neighbours::new(facts, rooms, pod, &choice);
        let mut requests = demand::requests(pod);
        requests.retain(|_, amount| *amount > 0.0);
        requests.insert("pods", 1.0);
        Self {
            requests,
            choice,
            host_ports: demand::host_ports(pod),
            volumes: volumes(facts, pod),
            neighbours,
        }
    }
}

/// The pod's claims that are bound to a volume which cannot be reached from everywhere.
fn volumes<'a>(facts: &Facts<'a>, pod: &Pod<'a>) -> Vec<(Object<'a>, Object<'a>, NodeChoice)> {
    let claims = super::claims::names(pod);
    let claims =
        claims.iter().filter_map(|name| facts.get("PersistentVolumeClaim", pod.object.namespace(), name));
    let bound = claims.filter_map(|claim| {
        let volume = facts.get("PersistentVolume", "", claim.value().text("/spec/volumeName"))?;
        Some((claim, volume, NodeChoice::of_volume(volume)))
    });
    bound.filter(|(_, _, choice)| !choice.is_empty()).collect()
}

/// Looks at every node but those of Fargate, which take no second pod.
pub(super) fn sights<'w, 'f, 'a>(
    rooms: &'w Rooms<'f, 'a>,
    pod: &Pod<'a>,
    wishes: &Wishes<'f, 'a>,
) -> Vec<Sight<'w, 'f, 'a>> {
    let usable = rooms.iter().filter(|room| !room.is_fargate());
    usable.map(|room| Sight { room, obstacles: obstacles(room, pod, wishes) }).collect()
}

fn obstacles<'f, 'a>(room: &Room<'f, 'a>, pod: &Pod<'a>, wishes: &Wishes<'f, 'a>) -> Vec<Obstacle<'f, 'a>> {
    let node = room.node;
    let mut found = Vec::new();
    if is_cordoned_for(node, pod) {
        found.push(Obstacle::Cordoned);
    }
    let taints = demand::repelling_taints(node.value()).filter(|taint| !demand::tolerates(pod, taint));
    found.extend(taints.map(|taint| Obstacle::Taint { taint, kind: TaintKind::of(taint.text("/key")) }));
    if !wishes.choice.matches(node) {
        found.push(Obstacle::Selector);
    }
    let taken = wishes.host_ports.iter().filter_map(|port| Some((*port, room.holder(port)?)));
    found.extend(taken.map(|(port, holder)| Obstacle::HostPort { port, holder }));
    found.extend(shortages(room, &wishes.requests));
    let away = wishes.volumes.iter().filter(|(_, _, choice)| !choice.matches(node));
    found.extend(away.map(|_| Obstacle::Volume));
    found.extend(neighbourly(node, &wishes.neighbours));
    found
}

/// `spec.unschedulable`, unless the pod tolerates the taint that goes with it (DaemonSets do).
fn is_cordoned_for(node: Object<'_>, pod: &Pod<'_>) -> bool {
    let taint = serde_json::json!({ "key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule" });
    node.value().flag("/spec/unschedulable") && !demand::tolerates(pod, &taint)
}

fn shortages<'f, 'a>(room: &Room<'f, 'a>, requests: &Amounts<'a>) -> Vec<Obstacle<'f, 'a>> {
    let lacks = |(name, asked): (&&'a str, &f64)| {
        let is_extended = name.contains('/') || name.starts_with("hugepages-");
        if is_extended && room.offers(name) <= 0.0 {
            Some(Obstacle::NotOffered { name })
        } else {
            is_more(*asked, room.free(name)).then_some(Obstacle::Resource { name })
        }
    };
    requests.iter().filter_map(lacks).collect()
}

/// Sums of decimal fractions are off by a little.
pub(super) fn is_more(asked: f64, free: f64) -> bool {
    asked > free + asked.abs().max(free.abs()) * 1e-9
}

fn neighbourly<'f, 'a>(node: Object<'_>, neighbours: &Neighbours<'f, 'a>) -> Vec<Obstacle<'f, 'a>> {
    let spreads = neighbours.spreads.iter().filter_map(|spread| {
        let lacks_label = node.label(spread.key()).is_none();
        let index = spread.index;
        (lacks_label || spread.is_skewed_by(node)).then_some(Obstacle::Spread { index, lacks_label })
    });
    let apart = neighbours.apart.iter().filter_map(|term| {
        let holder = term.near(node)?;
        Some(Obstacle::AntiAffinity { index: term.index, holder })
    });
    let unmet = neighbours.together.iter().filter(|term| !term.is_met(node));
    let alone = unmet.map(|term| Obstacle::Affinity { index: term.index });
    let mut found: Vec<Obstacle<'f, 'a>> = spreads.chain(alone).chain(apart).collect();
    // Pods of one workload shun each other by the same rule; once is enough.
    if !found.iter().any(|obstacle| matches!(obstacle, Obstacle::AntiAffinity { .. })) {
        found.extend(neighbours.shunned_by(node).map(|by| Obstacle::Shunned { by }));
    }
    found
}

impl Obstacle<'_, '_> {
    /// The node will take pods again when it is well, or when it has come up.
    pub(super) fn is_sickness(&self) -> bool {
        matches!(self, Self::Taint { kind: TaintKind::Condition | TaintKind::Startup, .. })
    }

    /// The node was never meant for this pod, whatever is free there.
    pub(super) fn is_not_meant(&self) -> bool {
        match self {
            Self::Selector | Self::Volume | Self::NotOffered { .. } => true,
            Self::Taint { kind, .. } => {
                matches!(kind, TaintKind::Reserved | TaintKind::ControlPlane | TaintKind::Fargate)
            }
            Self::Cordoned
            | Self::HostPort { .. }
            | Self::Resource { .. }
            | Self::Spread { .. }
            | Self::Affinity { .. }
            | Self::AntiAffinity { .. }
            | Self::Shunned { .. } => false,
        }
    }

    /// Somebody closed the node, or it is about to go.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self, Self::Cordoned | Self::Taint { kind: TaintKind::Leaving, .. })
    }

    /// The scheduler's word for it.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::Cordoned => Reason::Cordoned,
            Self::Taint { taint, .. } => {
                Reason::Taint(Some((taint.text("/key").to_owned(), taint.text("/value").to_owned())))
            }
            Self::Selector => Reason::Selector,
            Self::HostPort { .. } => Reason::HostPort,
            Self::Resource { name: "pods" } => Reason::TooManyPods,
            Self::Resource { name } | Self::NotOffered { name } => Reason::Insufficient((*name).to_owned()),
            Self::Volume => Reason::VolumeElsewhere,
            Self::Spread { lacks_label: true, .. } => Reason::SpreadLabel,
            Self::Spread { lacks_label: false, .. } => Reason::Spread,
            Self::Affinity { .. } => Reason::Affinity,
            Self::AntiAffinity { .. } => Reason::AntiAffinity,
            Self::Shunned { .. } => Reason::OthersAntiAffinity,
        }
    }
}

/// `5 nodes: insufficient memory; 1 node: taint dedicated=batch`: the first reason of each node, as the scheduler counts.
pub(super) fn breakdown(sights: &[Sight<'_, '_, '_>]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for sight in sights {
        let reasons = sight.obstacles.iter().map(|obstacle| obstacle.reason().show());
        let text = reasons.take(1).collect::<String>();
        let text = if text.is_empty() { "no reason is visible in what was read".to_owned() } else { text };
        *counts.entry(text).or_insert(0) += 1;
    }
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let shown = counts.iter().map(|(text, count)| format!("{}: {text}", nodes(*count)));
    shown.collect::<Vec<_>>().join("; ")
}

/// `1 node`, `3 nodes`.
pub(super) fn nodes(count: usize) -> String {
    if count == 1 { "1 node".to_owned() } else { format!("{count} nodes") }
}
