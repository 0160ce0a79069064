//! The way of a request, hop by hop: Ingress → Service → pods → endpoints → NetworkPolicies, with what breaks it.
//!
//! It joins objects by the same functions as the rules; it only tells all that it sees rather than what is wrong.

mod entry;
mod policies;
mod service;

use schemars::JsonSchema;
use serde::Serialize;

use super::facts::{Facts, Key, Object, Workload, reference, selector};
use super::report::ObjectRef;
use super::rules::ingress::BackendPort;
use super::rules::services::template_labels;
use super::snapshot::Snapshot;

/// The kinds that a trace reads, as in [`super::READ_KINDS`].
pub const TRACED_KINDS: [&str; 15] = [
    "Service",
    "EndpointSlice",
    "Endpoints",
    "Pod",
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "Ingress",
    "IngressClass",
    "NetworkPolicy",
    "Namespace",
    "Event",
];

/// What to trace.
#[derive(Debug, Clone)]
pub struct TraceQuery {
    /// A Service, an Ingress, a workload or a pod that exists.
    pub start: ObjectRef,
    /// Of an Ingress: only rules for this host.
    pub host: Option<String>,
    /// Of an Ingress: only the rule that this path takes.
    pub path: Option<String>,
    /// Number or name of the Service's port; all ports where absent.
    pub port: Option<String>,
    /// Who wants to get there; without it only what policies say in general is told.
    pub client: Option<TraceClient>,
}

/// Pods that want to reach the Service.
#[derive(Debug, Clone)]
pub struct TraceClient {
    /// Their namespace.
    pub namespace: String,
    /// One of them; one of each workload of the namespace where absent.
    pub pod: Option<String>,
}

/// A part of the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// Which Ingress sends requests on, and where to.
    Ingress,
    /// The load balancer in front of a Service.
    LoadBalancer,
    /// The Service itself: its name in the DNS, its type, its ports.
    Service,
    /// Which pods its selector chooses.
    Selector,
    /// How these pods are.
    Pods,
    /// Whether its target ports are ports of the pods.
    Ports,
    /// The addresses to which it forwards.
    Endpoints,
    /// What NetworkPolicies let through.
    Policies,
}

/// How a part of the way is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum HopStatus {
    /// Requests pass.
    Ok,
    /// Some requests may not pass, or it cannot be told from objects alone.
    Warning,
    /// Requests do not pass.
    Broken,
    /// What it takes to judge could not be read.
    Unknown,
}

/// One part of the way, judged.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hop {
    /// Which part.
    pub step: Step,
    /// How it is.
    pub status: HopStatus,
    /// The object that it is about: what has to be changed where it is broken.
    pub object: ObjectRef,
    /// One line.
    pub says: String,
    /// More of it, such as each pod that is not ready.
    pub details: Vec<String>,
}

impl Hop {
    fn new(step: Step, status: HopStatus, object: Object<'_>, says: impl Into<String>) -> Self {
        Self { step, status, object: object.reference(), says: says.into(), details: Vec::new() }
    }

    fn with(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details);
        self
    }
}

/// Follows a request from where it starts. Empty only where the start is not in the snapshot.
pub fn trace(snapshot: &Snapshot, query: &TraceQuery) -> Vec<Hop> {
    let facts = Facts::new(snapshot);
    let key = Key::from(&query.start);
    let Some(start) = facts.get(&key.kind, &key.namespace, &key.name) else { return Vec::new() };
    let port = wanted_port(query.port.as_deref());
    match start.kind() {
        "Service" => {
            let routes = entry::routes_to(&facts, start);
            routes.into_iter().chain(service::hops(&facts, start, port, query)).collect()
        }
        "Ingress" => entry::hops(&facts, start, query),
        _ => of_workload(&facts, start, port, query),
    }
}

fn wanted_port(port: Option<&str>) -> BackendPort<'_> {
    match port {
        None => BackendPort::Unknown,
        Some(text) => text.parse().map_or(BackendPort::Name(text), BackendPort::Number),
    }
}

/// Every Service that selects the pods of a workload.
fn of_workload<'a>(
    facts: &Facts<'a>,
    start: Object<'a>,
    port: BackendPort<'_>,
    query: &TraceQuery,
) -> Vec<Hop> {
    let top = facts.workload(start);
    let labels = match start.kind() {
        "Pod" => start.labels(),
        _ => top.object.and_then(template_labels),
    };
    let selects = |service: &Object<'a>| {
        let wanted = service.value().pointer("/spec/selector").and_then(serde_json::Value::as_object);
        wanted.is_some_and(|wanted| selector::map_matches(wanted, labels))
    };
    let services: Vec<Object<'a>> = facts.all_in("Service", start.namespace()).filter(selects).collect();
    if services.is_empty() {
        return vec![nobody_selects(facts, start, labels)];
    }
    services.into_iter().flat_map(|service| service::hops(facts, service, port, query)).collect()
}

fn nobody_selects(
    facts: &Facts<'_>,
    start: Object<'_>,
    labels: Option<&serde_json::Map<String, serde_json::Value>>,
) -> Hop {
    if !facts.was_read("Service") {
        return Hop::new(Step::Service, HopStatus::Unknown, start, "Services could not be read");
    }
    let labels = labels.map(selector::show_map).unwrap_or_default();
    let says = format!(
        "no Service of namespace {} selects its pods (labels {labels}): nothing leads to it by name",
        start.namespace()
    );
    Hop::new(Step::Service, HopStatus::Broken, start, says)
}

/// `Deployment web`.
fn name(workload: &Workload<'_>) -> String {
    format!("{} {}", workload.kind(), workload.reference.name)
}

/// A hop about a Service that does not exist.
fn missing_service(namespace: &str, name: &str, says: String) -> Hop {
    let object = reference("v1", "Service", namespace, name);
    Hop { step: Step::Service, status: HopStatus::Broken, object, says, details: Vec::new() }
}

#[cfg(test)]
mod tests;
