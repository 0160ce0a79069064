//! A Service and what stands behind it.

use std::net::IpAddr;

use serde_json::Value;

use crate::diagnosis::draft::shorten;
use crate::diagnosis::facts::{Container, ContainerRole, Facts, Object, Pod, Read, selector};
use crate::diagnosis::rules::ingress::{self, BackendPort};
use crate::diagnosis::rules::services::{
    Backing, Endpoint, declared, endpoints, has_name, nearest_instead, shown,
};
use crate::diagnosis::rules::{load_balancers, pods};

use super::{Hop, HopStatus, Step, TraceQuery, name, policies};

/// Pods, addresses and workloads that are listed by name.
const LISTED: usize = 10;
/// Longest message of the cluster's, in characters.
const MESSAGE: usize = 300;

/// The hops from a Service to its pods.
pub(super) fn hops<'a>(
    facts: &Facts<'a>,
    service: Object<'a>,
    port: BackendPort<'_>,
    query: &TraceQuery,
) -> Vec<Hop> {
    let value = service.value();
    let mut hops = Vec::new();
    if value.text("/spec/type") == "LoadBalancer" {
        hops.push(load_balancer(facts, service, query));
    }
    let itself = itself(service, port);
    let ends_here = itself.status == HopStatus::Broken || value.text("/spec/type") == "ExternalName";
    hops.push(itself);
    if ends_here {
        return hops;
    }
    match Backing::of(facts, service) {
        None => hops.push(manual_endpoints(facts, service)),
        Some(backing) => {
            hops.push(selected(facts, &backing));
            if !backing.pods.is_empty() {
                hops.push(health(facts, &backing));
                hops.push(ports(&backing, port));
            }
            hops.push(addresses(facts, &backing));
            if !backing.pods.is_empty() {
                hops.push(policies::hop(facts, &backing, port, query));
            }
        }
    }
    hops
}

/// A client of the cluster does not need the load balancer.
fn load_balancer<'a>(facts: &Facts<'a>, service: Object<'a>, query: &TraceQuery) -> Hop {
    let without = if query.client.is_some() { HopStatus::Warning } else { HopStatus::Broken };
    let addresses = service.value().list("/status/loadBalancer/ingress").iter();
    let addresses: Vec<&str> = addresses
        .filter_map(|address| address.maybe_text("/hostname").or_else(|| address.maybe_text("/ip")))
        .collect();
    let trouble = load_balancers::failure(facts, service).map(|(event, meaning)| {
        format!("{} The controller says: {}", meaning.unwrap_or_default(), shorten(event.message, MESSAGE))
    });
    let (status, says) = match (addresses.as_slice(), trouble) {
        ([], None) => {
            (without, "pending: no controller has given it an address, and none says why".to_owned())
        }
        ([], Some(trouble)) => (without, format!("pending. {}", trouble.trim())),
        (some, None) => (HopStatus::Ok, format!("reached at {}", some.join(", "))),
        (some, Some(trouble)) => {
            (HopStatus::Warning, format!("reached at {}. {}", some.join(", "), trouble.trim()))
        }
    };
    Hop::new(Step::LoadBalancer, status, service, says)
}

fn itself(service: Object<'_>, port: BackendPort<'_>) -> Hop {
    let value = service.value();
    let dns = format!("{}.{}.svc.cluster.local", service.name(), service.namespace());
    if service.is_terminating() {
        return Hop::new(Step::Service, HopStatus::Broken, service, "it is being deleted");
    }
    if value.text("/spec/type") == "ExternalName" {
        return external_name(service, &dns);
    }
    let has_port = value.list("/spec/ports").iter().any(|offered| port.is(offered));
    if port != BackendPort::Unknown && !has_port {
        let offered = ingress::offered(service);
        let says = format!("it has no port {}; it offers {offered}", port.show());
        return Hop::new(Step::Service, HopStatus::Broken, service, says);
    }
    let says = match value.text("/spec/clusterIP") {
        "None" => {
            format!("headless: {dns} resolves to the addresses of its pods, and clients use the pods' ports")
        }
        address => format!("{dns} resolves to {address}; ports {}", mappings(service, port)),
    };
    let is_local = value.text("/spec/internalTrafficPolicy") == "Local";
    let status = if is_local { HopStatus::Warning } else { HopStatus::Ok };
    let local = "internalTrafficPolicy is Local: clients on nodes without one of its pods get no answer";
    Hop::new(Step::Service, status, service, says).with(is_local.then(|| local.to_owned()))
}

/// A name of another host. What is an address, no DNS resolves.
fn external_name(service: Object<'_>, dns: &str) -> Hop {
    let host = service.value().text("/spec/externalName");
    let (status, says) = match host.trim_end_matches('.').parse::<IpAddr>() {
        Ok(_) => (
            HopStatus::Broken,
            format!(
                "ExternalName {host} is an address, and {dns} can only stand for a name; use a Service without selector and an EndpointSlice"
            ),
        ),
        Err(_) => (
            HopStatus::Ok,
            format!(
                "ExternalName: {dns} is a CNAME of {host}, which is outside of what the cluster knows; ports are not mapped, and HTTP and TLS see the name that the client used"
            ),
        ),
    };
    Hop::new(Step::Service, status, service, says)
}

/// `80 → http, 443 → 8443`.
fn mappings(service: Object<'_>, port: BackendPort<'_>) -> String {
    let ports = service.value().list("/spec/ports").iter().filter(|offered| port.is(offered));
    let mapped = ports.map(|offered| {
        let protocol = offered.maybe_text("/protocol").filter(|protocol| *protocol != "TCP");
        let protocol = protocol.map(|protocol| format!("/{protocol}")).unwrap_or_default();
        format!("{}{protocol} → {}", offered.int("/port").unwrap_or(0), target_text(offered))
    });
    mapped.collect::<Vec<_>>().join(", ")
}

fn target_text(port: &Value) -> String {
    match port.get("targetPort") {
        Some(Value::String(name)) => name.clone(),
        Some(number) => number.to_string(),
        None => port.int("/port").unwrap_or(0).to_string(),
    }
}

fn selected<'a>(facts: &Facts<'a>, backing: &Backing<'_, 'a>) -> Hop {
    let written = selector::show_map(backing.selector);
    let hop = |status, says| Hop::new(Step::Selector, status, backing.service, says);
    if !facts.was_read("Pod") {
        return hop(HopStatus::Unknown, "pods could not be read".to_owned());
    }
    if backing.pods.is_empty() {
        return match backing.workloads.first() {
            Some(workload) => {
                let desired = workload.desired().map_or_else(|| "some".to_owned(), |count| count.to_string());
                let says = format!(
                    "{written} selects the pods of {}, and it has none ({desired} wanted): see its events, or scale it up",
                    name(workload)
                );
                hop(HopStatus::Broken, says)
            }
            None => hop(
                HopStatus::Broken,
                format!("{written} selects no pods: {}", nearest_instead(facts, backing)),
            ),
        };
    }
    let mut owners: Vec<String> = backing.pods.iter().map(|pod| name(&pod.workload)).collect();
    owners.sort();
    owners.dedup();
    let several = owners.len() > 1;
    let status = if several { HopStatus::Warning } else { HopStatus::Ok };
    let says = format!("{written} selects {} of {}", pieces(backing.pods.len(), "pod"), owners.join(", "));
    hop(status, says)
        .with(several.then(|| "pods of several workloads: make sure that all of them serve this".to_owned()))
}

/// `1 pod`, `3 pods`.
fn pieces(count: usize, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

fn health<'a>(facts: &Facts<'a>, backing: &Backing<'_, 'a>) -> Hop {
    let unready: Vec<&&Pod<'a>> = backing.pods.iter().filter(|pod| !pod.is_ready()).collect();
    let takes_all = backing.service.value().flag("/spec/publishNotReadyAddresses");
    let ready = backing.pods.len() - unready.len();
    let status = match (ready, unready.len()) {
        (_, 0) => HopStatus::Ok,
        (0, _) if !takes_all => HopStatus::Broken,
        (_, _) => HopStatus::Warning,
    };
    let mut says = format!("{ready} of {} ready", pieces(backing.pods.len(), "pod"));
    if takes_all {
        says.push_str("; it publishes pods that are not ready, too");
    }
    let details =
        unready.iter().take(LISTED).map(|pod| format!("{}: {}", pod.object.name(), why(facts, pod)));
    Hop::new(Step::Pods, status, backing.service, says).with(details)
}

/// Why a pod is not ready, in the words of whoever says it.
fn why<'a>(facts: &Facts<'a>, pod: &Pod<'a>) -> String {
    if let Some(unscheduled) = pod.object.condition("PodScheduled").filter(|c| c["status"] == "False") {
        return format!("not scheduled: {}", shorten(unscheduled.text("/message"), MESSAGE));
    }
    if let Some(node) = pod.node().filter(|node| pods::is_node_down(facts, node)) {
        return format!("its node {node} is not ready");
    }
    if let Some(said) = pod.containers.iter().find_map(stands_still) {
        return said;
    }
    let is_probed = |container: &&Container<'_>| container.is_running() && !container.is_ready();
    if let Some(container) = pod.containers.iter().find(is_probed) {
        return match pods::unhealthy(facts, pod, container, "Readiness").next() {
            Some(event) => format!("container {}: {}", container.name(), shorten(event.message, MESSAGE)),
            None => format!(
                "container {} runs and is not ready yet: its probes have not succeeded",
                container.name()
            ),
        };
    }
    match pod.object.condition("Ready") {
        Some(ready) => format!("{} {}", ready.text("/reason"), ready.text("/message")).trim().to_owned(),
        None => format!("phase {}", pod.phase()),
    }
}

/// A container that does not run although it should.
fn stands_still(container: &Container<'_>) -> Option<String> {
    let name = container.name();
    if let Some(reason) = container.waiting_reason().filter(|reason| *reason != "PodInitializing") {
        let message = container.waiting_message();
        let end = container.last_end().map(|(end, _)| {
            format!(", last ended with {} ({})", end.int("/exitCode").unwrap_or(-1), end.text("/reason"))
        });
        let said =
            if message.is_empty() { String::new() } else { format!(": {}", shorten(message, MESSAGE)) };
        return Some(format!("container {name} waits: {reason}{said}{}", end.unwrap_or_default()));
    }
    if container.role == ContainerRole::Init {
        return container.is_running().then(|| format!("init container {name} has not ended yet"));
    }
    let end = container.terminated()?;
    Some(format!(
        "container {name} ended with {} ({})",
        end.int("/exitCode").unwrap_or(-1),
        end.text("/reason")
    ))
}

fn ports(backing: &Backing<'_, '_>, port: BackendPort<'_>) -> Hop {
    let all = backing.service.value().list("/spec/ports").iter().filter(|offered| port.is(offered));
    let judged: Vec<(HopStatus, String)> = all.map(|offered| target(backing, offered)).collect();
    let count = |status: HopStatus| judged.iter().filter(|(of, _)| *of == status).count();
    let status = match (count(HopStatus::Broken), count(HopStatus::Warning)) {
        (0, 0) => HopStatus::Ok,
        (broken, _) if broken == judged.len() && broken > 0 => HopStatus::Broken,
        (_, _) => HopStatus::Warning,
    };
    let mut texts: Vec<String> = judged.into_iter().map(|(_, text)| text).collect();
    let says = if texts.is_empty() { "it forwards no port".to_owned() } else { texts.remove(0) };
    Hop::new(Step::Ports, status, backing.service, says).with(texts)
}

/// Whether the pods have what a port forwards to.
fn target(backing: &Backing<'_, '_>, port: &Value) -> (HopStatus, String) {
    let shown_port = port.int("/port").unwrap_or(0);
    let protocol = port.maybe_text("/protocol").unwrap_or("TCP");
    let known: Vec<_> = backing.pods.iter().flat_map(|pod| declared(pod)).collect();
    if backing.is_headless() {
        return (HopStatus::Ok, format!("headless: not mapped; its pods declare {}", shown(&known)));
    }
    if let Some(named) = port.get("targetPort").and_then(Value::as_str) {
        let having = backing.pods.iter().filter(|pod| has_name(pod, named, protocol)).count();
        let all = backing.pods.len();
        return match having {
            0 => (
                HopStatus::Broken,
                format!(
                    "{shown_port} → {named}: no container has a port of this name, they declare {}",
                    shown(&known)
                ),
            ),
            some if some < all => (
                HopStatus::Warning,
                format!("{shown_port} → {named}: only {some} of {all} pods have a port of this name"),
            ),
            _ => {
                let numbers: Vec<_> =
                    known.iter().filter(|declared| declared.name == named).copied().collect();
                (HopStatus::Ok, format!("{shown_port} → {named}: port {}", shown(&numbers)))
            }
        };
    }
    let number = port.int("/targetPort").unwrap_or(shown_port);
    if known.is_empty() || known.iter().any(|declared| declared.number == number) {
        let declares = if known.is_empty() { " (its pods declare no ports, which is allowed)" } else { "" };
        return (HopStatus::Ok, format!("{shown_port} → {number}{declares}"));
    }
    let text = format!(
        "{shown_port} → {number}: no container declares it, they declare {}; a program may listen there all the same",
        shown(&known)
    );
    (HopStatus::Warning, text)
}

/// Endpoints of a Service without selector: somebody has to make them.
fn manual_endpoints(facts: &Facts<'_>, service: Object<'_>) -> Hop {
    let all = endpoints(facts, service);
    let listed = list(&all);
    let says = match all.iter().any(|endpoint| endpoint.is_ready) {
        _ if all.is_empty() && !were_read(facts) => return unread(service),
        true => format!("no selector; endpoints that others keep: {listed}"),
        false => "no selector, and nobody has made endpoints for it".to_owned(),
    };
    let status = if all.iter().any(|endpoint| endpoint.is_ready) { HopStatus::Ok } else { HopStatus::Broken };
    Hop::new(Step::Endpoints, status, service, says)
}

fn were_read(facts: &Facts<'_>) -> bool {
    facts.was_read("EndpointSlice") || facts.was_read("Endpoints")
}

fn unread(service: Object<'_>) -> Hop {
    Hop::new(Step::Endpoints, HopStatus::Unknown, service, "endpoints could not be read")
}

fn addresses<'a>(facts: &Facts<'a>, backing: &Backing<'_, 'a>) -> Hop {
    let service = backing.service;
    let all = endpoints(facts, service);
    if all.is_empty() && !were_read(facts) {
        return unread(service);
    }
    let ready = all.iter().filter(|endpoint| endpoint.is_ready).count();
    let ready_pods = backing.pods.iter().filter(|pod| pod.is_ready()).count();
    let (status, says) = match (ready, ready_pods) {
        (0, 0) => (HopStatus::Broken, "no ready endpoints: connections are refused".to_owned()),
        (0, pods) => (
            HopStatus::Broken,
            format!(
                "no ready endpoints although {} ready: the target port has no match, or the controller has not seen it yet",
                if pods == 1 { "a pod is".to_owned() } else { format!("{pods} pods are") }
            ),
        ),
        (ready, _) => (HopStatus::Ok, format!("{} ready: {}", pieces(ready, "endpoint"), list(&all))),
    };
    let unready = all.len() - ready;
    let details = (unready > 0).then(|| format!("{} not ready", pieces(unready, "endpoint")));
    Hop::new(Step::Endpoints, status, service, says).with(details)
}

/// The first addresses that are ready.
fn list(all: &[Endpoint<'_>]) -> String {
    let mut ready: Vec<&str> =
        all.iter().filter(|endpoint| endpoint.is_ready).map(|endpoint| endpoint.address).collect();
    ready.sort_unstable();
    let more = ready.len().saturating_sub(LISTED);
    ready.truncate(LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", ready.join(", "))
}
