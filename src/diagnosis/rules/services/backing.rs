//! What stands behind a Service: pods, the workloads that make them, and endpoints.

use serde_json::{Map, Value};

use crate::diagnosis::facts::{Facts, Key, Object, Pod, Read, Workload, selector};

const WORKLOADS: [&str; 6] = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"];

/// A Service that selects pods, and what it selects.
#[derive(Debug)]
pub(in crate::diagnosis) struct Backing<'f, 'a> {
    pub(in crate::diagnosis) service: Object<'a>,
    pub(in crate::diagnosis) selector: &'a Map<String, Value>,
    /// Selected pods that live.
    pub(in crate::diagnosis) pods: Vec<&'f Pod<'a>>,
    /// Workloads whose pods would be selected; only where there are no pods.
    pub(in crate::diagnosis) workloads: Vec<Workload<'a>>,
}

impl<'f, 'a> Backing<'f, 'a> {
    /// `None` for Services without selector, whose endpoints others make, and for names of other hosts.
    pub(in crate::diagnosis) fn of(facts: &'f Facts<'a>, service: Object<'a>) -> Option<Self> {
        let value = service.value();
        let selector = value.pointer("/spec/selector")?.as_object().filter(|map| !map.is_empty())?;
        if value.text("/spec/type") == "ExternalName" || service.is_terminating() {
            return None;
        }
        let selected = facts.pods_selected(service.namespace(), selector);
        let pods: Vec<_> = selected.filter(|pod| !pod.is_done() && !pod.object.is_terminating()).collect();
        let workloads = if pods.is_empty() { workloads(facts, service, selector) } else { Vec::new() };
        Some(Self { service, selector, pods, workloads })
    }

    pub(in crate::diagnosis::rules) fn key(&self) -> Key {
        self.service.key()
    }

    /// Traffic reaches somebody, as far as pods and endpoints tell.
    pub(in crate::diagnosis::rules) fn is_served(&self, facts: &Facts<'a>) -> bool {
        let takes_all = self.service.value().flag("/spec/publishNotReadyAddresses");
        self.pods.iter().any(|pod| takes_all || pod.is_ready()) || ready_endpoints(facts, self.service) > 0
    }

    /// What has to work for the Service to work: its pods that are not ready, their nodes, and all workloads.
    pub(in crate::diagnosis::rules) fn depends_on(&self) -> Vec<Key> {
        let unready = || self.pods.iter().filter(|pod| !pod.is_ready());
        let pods = unready().map(|pod| pod.object.key());
        let nodes = unready().filter_map(|pod| pod.node()).map(|node| Key::new("Node", "", node));
        let workloads = self.workloads.iter().map(Workload::key);
        let owners = self.pods.iter().map(|pod| pod.workload.key());
        let mut keys: Vec<Key> = pods.chain(nodes).chain(workloads).chain(owners).collect();
        keys.sort();
        keys.dedup();
        keys
    }

    pub(in crate::diagnosis) fn is_headless(&self) -> bool {
        self.service.value().text("/spec/clusterIP") == "None"
    }
}

/// The pod template's labels of a workload.
pub(in crate::diagnosis) fn template_labels<'a>(workload: Object<'a>) -> Option<&'a Map<String, Value>> {
    let pointer = match workload.kind() {
        "CronJob" => "/spec/jobTemplate/spec/template/metadata/labels",
        _ => "/spec/template/metadata/labels",
    };
    workload.value().pointer(pointer)?.as_object()
}

/// The workloads of a namespace that make pods. Those that another one controls are left out.
pub(super) fn all_workloads<'a>(facts: &Facts<'a>, namespace: &str) -> Vec<Object<'a>> {
    let of_kind = |kind: &'static str| facts.all_in(kind, namespace);
    WORKLOADS
        .iter()
        .flat_map(|kind| of_kind(kind))
        .filter(|workload| workload.controller().is_none())
        .collect()
}

fn workloads<'a>(facts: &Facts<'a>, service: Object<'a>, selector: &Map<String, Value>) -> Vec<Workload<'a>> {
    let all = all_workloads(facts, service.namespace()).into_iter();
    let selected = all.filter(|workload| selector::map_matches(selector, template_labels(*workload)));
    selected.map(Workload::of).collect()
}

/// How many endpoints are ready.
fn ready_endpoints(facts: &Facts<'_>, service: Object<'_>) -> usize {
    endpoints(facts, service).iter().filter(|endpoint| endpoint.is_ready).count()
}

/// An address to which a Service forwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::diagnosis) struct Endpoint<'a> {
    pub(in crate::diagnosis) address: &'a str,
    pub(in crate::diagnosis) is_ready: bool,
}

/// The endpoints of a Service, as EndpointSlices or else Endpoints tell.
pub(in crate::diagnosis) fn endpoints<'a>(facts: &Facts<'a>, service: Object<'_>) -> Vec<Endpoint<'a>> {
    let of_service = |slice: &Object<'_>| slice.label("kubernetes.io/service-name") == Some(service.name());
    let slices: Vec<Object<'a>> =
        facts.all_in("EndpointSlice", service.namespace()).filter(of_service).collect();
    if slices.is_empty() {
        let endpoints = facts.get("Endpoints", service.namespace(), service.name());
        let subsets = endpoints.map_or(&[][..], |endpoints| endpoints.value().list("/subsets"));
        let of_list = |subset: &'a Value, list: &str, is_ready: bool| {
            let addresses = subset.list(list).iter();
            addresses.map(move |address| Endpoint { address: address.text("/ip"), is_ready })
        };
        let both =
            |subset| of_list(subset, "/addresses", true).chain(of_list(subset, "/notReadyAddresses", false));
        return subsets.iter().flat_map(both).collect();
    }
    let endpoint = |endpoint: &'a Value| Endpoint {
        address: endpoint.text("/addresses/0"),
        // An unknown readiness counts as ready.
        is_ready: endpoint.pointer("/conditions/ready") != Some(&Value::Bool(false)),
    };
    slices.iter().flat_map(|slice| slice.value().list("/endpoints")).map(endpoint).collect()
}
