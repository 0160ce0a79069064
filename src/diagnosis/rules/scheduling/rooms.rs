//! The nodes with what runs on them and what is left.

use std::collections::{BTreeMap, HashMap};

use crate::diagnosis::facts::{Facts, Key, Object, Pod, Read};

use super::demand::{self, Amounts, HostPort, TaintKind};

/// A node as the scheduler sees it.
#[derive(Debug)]
pub(super) struct Room<'f, 'a> {
    pub(super) node: Object<'a>,
    /// Bound to it and not at their end. On a sick node, pods that are being deleted do not count: they were evicted, and
    /// it is asked what would be if the node were well.
    pub(super) pods: Vec<&'f Pod<'a>>,
    pub(super) allocatable: Amounts<'a>,
    requested: Amounts<'a>,
    is_sick: bool,
    host_ports: Vec<(HostPort<'a>, &'f Pod<'a>)>,
}

/// Every node.
#[derive(Debug)]
pub(super) struct Rooms<'f, 'a> {
    all: Vec<Room<'f, 'a>>,
    /// What the pods of each workload have reserved, over all nodes.
    held: BTreeMap<Key, Amounts<'a>>,
}

impl<'f, 'a> Rooms<'f, 'a> {
    pub(super) fn new(facts: &'f Facts<'a>) -> Self {
        let mut all: Vec<Room<'f, 'a>> = facts.all("Node").iter().map(|node| Room::empty(*node)).collect();
        all.sort_by_key(|room| room.node.name());
        let places: HashMap<&str, usize> =
            all.iter().enumerate().map(|(index, room)| (room.node.name(), index)).collect();
        let mut held: BTreeMap<Key, Amounts<'a>> = BTreeMap::new();
        for pod in facts.pods().iter().filter(|pod| !pod.is_done()) {
            let room = pod.node().and_then(|node| places.get(node)).and_then(|index| all.get_mut(*index));
            if let Some(taken) = room.and_then(|room| room.take(pod)) {
                demand::add(held.entry(pod.workload.key()).or_default(), &taken);
            }
        }
        Self { all, held }
    }

    /// The workload that has reserved the most of a resource, and how much.
    pub(super) fn greediest(&self, resource: &str) -> Option<(&Key, f64)> {
        let held = self.held.iter().filter_map(|(key, amounts)| Some((key, *amounts.get(resource)?)));
        held.max_by(|a, b| a.1.total_cmp(&b.1))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Room<'f, 'a>> {
        self.all.iter()
    }
}

impl<'f, 'a> Room<'f, 'a> {
    fn empty(node: Object<'a>) -> Self {
        let value = node.value();
        // A node that has not reported what it can give offers what it has.
        let mut allocatable = demand::amounts(value, "/status/capacity");
        allocatable.extend(demand::amounts(value, "/status/allocatable"));
        Self {
            node,
            pods: Vec::new(),
            allocatable,
            requested: Amounts::new(),
            is_sick: is_sick(node),
            host_ports: Vec::new(),
        }
    }

    /// What the pod reserves here.
    fn take(&mut self, pod: &'f Pod<'a>) -> Option<Amounts<'a>> {
        if self.is_sick && pod.object.is_terminating() {
            return None;
        }
        let mut requests = demand::requests(pod);
        requests.insert("pods", 1.0);
        demand::add(&mut self.requested, &requests);
        self.host_ports.extend(demand::host_ports(pod).into_iter().map(|port| (port, pod)));
        self.pods.push(pod);
        Some(requests)
    }

    /// What a node can give in all.
    pub(super) fn offers(&self, resource: &str) -> f64 {
        self.allocatable.get(resource).copied().unwrap_or(0.0)
    }

    /// What is not reserved.
    pub(super) fn free(&self, resource: &str) -> f64 {
        self.offers(resource) - self.requested.get(resource).copied().unwrap_or(0.0)
    }

    /// Who holds a port that this one collides with.
    pub(super) fn holder(&self, wanted: &HostPort<'_>) -> Option<&'f Pod<'a>> {
        self.host_ports.iter().find(|(held, _)| held.collides(wanted)).map(|(_, pod)| *pod)
    }

    /// It belongs to one Fargate pod, and takes no other.
    pub(super) fn is_fargate(&self) -> bool {
        let taints = self.node.value().list("/spec/taints").iter();
        self.node.label("eks.amazonaws.com/compute-type") == Some("fargate")
            || taints.map(|taint| TaintKind::of(taint.text("/key"))).any(|kind| kind == TaintKind::Fargate)
    }
}

fn is_sick(node: Object<'_>) -> bool {
    let mut kinds = demand::repelling_taints(node.value()).map(|taint| TaintKind::of(taint.text("/key")));
    kinds.any(|kind| kind == TaintKind::Condition)
}
