//! Target ports that no container has (FAILURES G2).

use serde_json::Value;

use crate::diagnosis::draft::{self, Draft, change, sh};
use crate::diagnosis::facts::{Container, ContainerRole, Facts, Object, Pod, Read, nearest};
use crate::diagnosis::report::{Confidence, Remediation, Risk, Severity};
use crate::diagnosis::rules::{ingress, probes};

use super::backing::Backing;
use super::usage::Users;

/// A port that a container declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::diagnosis) struct Declared<'a> {
    pub(in crate::diagnosis) name: &'a str,
    pub(in crate::diagnosis) number: i64,
    protocol: &'a str,
}

impl Declared<'_> {
    /// Health and metrics: that a program listens there says nothing about where it serves.
    fn is_for_operators(&self) -> bool {
        let words =
            ["health", "metric", "prom", "probe", "ready", "live", "admin", "monitor", "status", "debug"];
        words.iter().any(|word| self.name.contains(word))
    }
}

/// The ports of the containers that run beside each other.
pub(in crate::diagnosis) fn declared<'a>(pod: &Pod<'a>) -> Vec<Declared<'a>> {
    let running = pod.containers.iter().filter(|container| container.role != ContainerRole::Init);
    let ports = running.flat_map(|container| container.spec.list("/ports"));
    ports
        .map(|port| Declared {
            name: port.text("/name"),
            number: port.int("/containerPort").unwrap_or(0),
            protocol: protocol(port),
        })
        .collect()
}

fn protocol(port: &Value) -> &str {
    port.maybe_text("/protocol").unwrap_or("TCP")
}

/// Where the Service forwards to: by number, unless a name says where.
fn target(port: &Value) -> Option<i64> {
    match port.get("targetPort") {
        Some(Value::String(_)) => None,
        Some(target) => target.as_i64(),
        None => port.int("/port"),
    }
}

/// The target of a Service with one TCP port.
pub(super) fn only_number(service: Object<'_>) -> Option<i64> {
    match service.value().list("/spec/ports") {
        [only] if protocol(only) == "TCP" => target(only),
        _ => None,
    }
}

/// A port name that no selected pod has: the Service has no endpoint for this port.
pub(super) fn undefined(facts: &Facts<'_>, backing: &Backing<'_, '_>) -> Option<Draft> {
    if backing.is_headless() || backing.pods.is_empty() {
        return None;
    }
    let service = backing.service;
    let ports = service.value().list("/spec/ports");
    let is_missing = |port: &Value| {
        let Some(name) = port.get("targetPort").and_then(Value::as_str) else { return false };
        !backing.pods.iter().any(|pod| has_name(pod, name, protocol(port)))
    };
    let missing: Vec<usize> = (0..ports.len()).filter(|index| is_missing(&ports[*index])).collect();
    let index = *missing.first()?;
    let name = ports[index].text("/targetPort");
    let all = missing.len() == ports.len();
    let severity = match (all, is_routed(facts, service, &ports[index])) {
        (true, _) => Severity::Critical,
        (false, true) => Severity::Warning,
        (false, false) => Severity::Info,
    };
    let known: Vec<Declared<'_>> = backing.pods.iter().flat_map(|pod| declared(pod)).collect();
    let title = format!("Service {}: no container of its pods has a port named {name}", service.name());
    let pod = backing.pods.first()?;
    Some(
        Draft::new("service-target-port-undefined", severity, service.reference(), title)
            .cause(name)
            .summary(format!(
                "Port {} of the Service forwards to the port named {name}, and the pods that it selects declare {}. So the Service has no endpoint for this port and refuses connections.",
                ports[index].int("/port").unwrap_or(0),
                shown(&known)
            ))
            .evidence(draft::field(service, &format!("/spec/ports/{index}/targetPort")))
            .evidence(ports_evidence(pod))
            .breaks(all.then(|| backing.key()))
            .remedies(meant(&known, name).map(|port| retarget(service, index, &port))),
    )
}

pub(in crate::diagnosis) fn has_name(pod: &Pod<'_>, name: &str, protocol: &str) -> bool {
    declared(pod).iter().any(|port| port.name == name && port.protocol == protocol)
}

/// An Ingress sends traffic to this port.
fn is_routed(facts: &Facts<'_>, service: Object<'_>, port: &Value) -> bool {
    let all = facts.all_in("Ingress", service.namespace());
    let mut backends = all.flat_map(ingress::backends).filter(|backend| backend.service == service.name());
    backends.any(|backend| backend.port.is(port))
}

/// `8080 (http), 9090`, or `no ports`.
pub(in crate::diagnosis) fn shown(ports: &[Declared<'_>]) -> String {
    let mut texts: Vec<String> = ports
        .iter()
        .map(|port| match port.name {
            "" => port.number.to_string(),
            name => format!("{} ({name})", port.number),
        })
        .collect();
    texts.sort();
    texts.dedup();
    if texts.is_empty() { "no ports".to_owned() } else { texts.join(", ") }
}

/// What the Service should forward to: the port with the nearest name, or the only one.
fn meant(known: &[Declared<'_>], name: &str) -> Option<Value> {
    let names = known.iter().map(|port| port.name).filter(|name| !name.is_empty());
    if let Some(similar) = nearest(name, names) {
        return Some(similar.into());
    }
    let first = known.first()?;
    let is_only = known.iter().all(|port| port.number == first.number);
    is_only.then(|| if first.name.is_empty() { first.number.into() } else { first.name.into() })
}

fn ports_evidence(pod: &Pod<'_>) -> Vec<crate::diagnosis::report::Evidence> {
    let running = pod.containers.iter().filter(|container| container.role != ContainerRole::Init);
    let pointer = |container: &Container<'_>| format!("/spec{}/ports", container.spec_pointer());
    running.filter_map(|container| draft::field(pod.object, &pointer(container))).collect()
}

fn retarget(service: Object<'_>, index: usize, port: &Value) -> Remediation {
    let (namespace, name) = (sh(service.namespace()), sh(service.name()));
    let path = format!("/spec/ports/{index}/targetPort");
    let former = service.value().pointer(&path).cloned();
    let patch = |value: &Value| {
        let operation = serde_json::json!([{ "op": "add", "path": path, "value": value }]);
        format!("kubectl -n {namespace} patch service {name} --type json -p {}", sh(&operation.to_string()))
    };
    let former = former.or_else(|| service.value().pointer(&format!("/spec/ports/{index}/port")).cloned());
    change(
        "Forward to the port that the containers have",
        format!("kubectl -n {namespace} describe service {name}"),
        patch(port),
        patch(&former.unwrap_or(Value::Null)),
        format!("kubectl -n {namespace} get endpoints {name}"),
        Risk::Low,
    )
}

/// A port number that no pod declares, while they declare others. Declarations are only information, so there has to be another
/// sign: a probe that succeeds on another port, a log, or somebody who complains.
pub(super) fn unheard<'a>(
    facts: &Facts<'a>,
    backing: &Backing<'_, 'a>,
    users: impl FnOnce() -> Users,
) -> Option<Draft> {
    let service = backing.service;
    let number = undeclared(backing)?;
    let ready: Vec<&Pod<'_>> = backing.pods.iter().copied().filter(|pod| pod.is_ready()).collect();
    let known: Vec<Declared<'_>> = ready.iter().flat_map(|pod| declared(pod)).collect();
    let heard: Vec<i64> = ready.iter().flat_map(|pod| probed(pod)).chain(logged(facts, &ready)).collect();
    if heard.contains(&number) {
        return None;
    }
    let users = users();
    let listens = known.iter().any(|port| heard.contains(&port.number) && !port.is_for_operators());
    let (severity, confidence) = match (users.complain(), listens) {
        (false, false) => (Severity::Info, Confidence::Possible),
        (true, _) | (false, true) => (Severity::Critical, Confidence::Likely),
    };
    let title =
        format!("Service {} forwards to port {number}, its pods listen on {}", service.name(), shown(&known));
    Some(
        Draft::new("service-target-port-wrong", severity, service.reference(), title)
            .confidence(confidence)
            .cause(number.to_string())
            .summary(format!(
                "No container of the selected pods declares port {number}, and the pods are ready with {}. Connections through the Service are refused although its endpoints are ready.{}",
                shown(&known),
                users.text()
            ))
            .evidence(draft::field(service, "/spec/ports/0"))
            .evidence(ready.first().map(|pod| ports_evidence(pod)).unwrap_or_default())
            .evidence(users.evidence())
            .breaks((severity == Severity::Critical).then(|| backing.key()))
            .remedies(meant(&known, "").map(|port| retarget(service, 0, &port))),
    )
}

/// The number to which a Service with one port forwards, where all its ready pods declare ports and none declares this one.
pub(super) fn undeclared(backing: &Backing<'_, '_>) -> Option<i64> {
    let number = only_number(backing.service)?;
    let mut ready = backing.pods.iter().filter(|pod| pod.is_ready()).peekable();
    let has_other = |pod: &&Pod<'_>| {
        let ports = declared(pod);
        !ports.is_empty() && ports.iter().all(|port| port.number != number)
    };
    (!backing.is_headless() && ready.peek().is_some() && ready.all(has_other)).then_some(number)
}

/// The ports that probes of a pod ask, by number.
fn probed(pod: &Pod<'_>) -> Vec<i64> {
    let mut ports = Vec::new();
    for container in pod.containers.iter().filter(|container| container.role != ContainerRole::Init) {
        for probe in ["readinessProbe", "livenessProbe", "startupProbe"] {
            let places = ["httpGet", "tcpSocket", "grpc"].map(|place| format!("/{probe}/{place}/port"));
            ports.extend(places.iter().filter_map(|pointer| container.spec.pointer(pointer)));
        }
    }
    let known = declared(pod);
    let number = |port: &Value| match port {
        Value::String(name) => known.iter().find(|port| port.name == name).map(|port| port.number),
        port => port.as_i64(),
    };
    ports.into_iter().filter_map(number).collect()
}

/// The ports on which programs say that they listen.
fn logged(facts: &Facts<'_>, pods: &[&Pod<'_>]) -> Vec<i64> {
    let containers = pods.iter().flat_map(|pod| pod.containers.iter().map(move |container| (pod, container)));
    let logs = containers.filter_map(|(pod, container)| facts.log(pod.object, container.name(), false));
    logs.flat_map(str::lines).filter_map(probes::listens_on).map(|(port, _)| port).collect()
}
