//! What NetworkPolicies say of the way: in general, or for the pods of a client's namespace.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::diagnosis::facts::{Facts, Key, Object, Pod, Workload};
use crate::diagnosis::rules::ingress::BackendPort;
use crate::diagnosis::rules::networkpolicy::policy::{self, Flow, Side};
use crate::diagnosis::rules::networkpolicy::{blocking_dns, let_through, targets};
use crate::diagnosis::rules::services::Backing;

use super::{Hop, HopStatus, Step, TraceClient, TraceQuery, name};

pub(super) fn hop<'a>(
    facts: &Facts<'a>,
    backing: &Backing<'_, 'a>,
    port: BackendPort<'_>,
    query: &TraceQuery,
) -> Hop {
    let service = backing.service;
    if !facts.was_read("NetworkPolicy") {
        return Hop::new(Step::Policies, HopStatus::Unknown, service, "NetworkPolicies could not be read");
    }
    match &query.client {
        None => in_general(facts, backing),
        Some(client) => from_client(facts, backing, port, client),
    }
}

/// One pod of each workload.
fn one_of_each<'f, 'a>(pods: impl Iterator<Item = &'f Pod<'a>>) -> Vec<&'f Pod<'a>>
where
    'a: 'f,
{
    let by_workload: BTreeMap<Key, &Pod<'a>> = pods.map(|pod| (pod.workload.key(), pod)).collect();
    by_workload.into_values().collect()
}

/// Whom the policies of its pods let in.
fn in_general<'a>(facts: &Facts<'a>, backing: &Backing<'_, 'a>) -> Hop {
    let mut policies: Vec<Object<'a>> = Vec::new();
    for pod in one_of_each(backing.pods.iter().copied()) {
        for policy in policy::isolating(facts, pod, Side::Ingress) {
            if !policies.contains(&policy) {
                policies.push(policy);
            }
        }
    }
    let lets_in = |policy: &Object<'a>| match let_through(*policy, Side::Ingress).as_str() {
        "" => format!("NetworkPolicy {} lets nobody in by itself", policy.name()),
        some => format!("NetworkPolicy {} lets in {some}", policy.name()),
    };
    let (status, says) = match policies.as_slice() {
        [] => (HopStatus::Ok, "no NetworkPolicy keeps anybody out of its pods"),
        some if some.iter().all(|policy| let_through(*policy, Side::Ingress).is_empty()) => {
            (HopStatus::Broken, "NetworkPolicies let nobody in to its pods")
        }
        _ => (
            HopStatus::Ok,
            "NetworkPolicies let in only some: say from_namespace to see whether a client is among them",
        ),
    };
    Hop::new(Step::Policies, status, backing.service, says).with(policies.iter().map(lets_in))
}

/// What becomes of the connections of each client.
fn from_client<'a>(
    facts: &Facts<'a>,
    backing: &Backing<'_, 'a>,
    port: BackendPort<'_>,
    client: &TraceClient,
) -> Hop {
    let anybody = anybody(client);
    let unlabelled = Pod::new(Object::new(&anybody), Workload::of(Object::new(&anybody)));
    let mut clients: Vec<&Pod<'_>> = clients(facts, client);
    if clients.is_empty() {
        clients.push(&unlabelled);
    }
    let mut told = Vec::new();
    let (mut denied, mut first_policy) = (0, None);
    for pod in &clients {
        let cut = cut(facts, pod, backing, port);
        denied += usize::from(cut.is_some());
        first_policy = first_policy.or(cut.as_ref().map(|(policy, _)| *policy));
        let fate = cut.map_or_else(|| "let through".to_owned(), |(_, why)| why);
        told.push(format!("{}: {fate}", client_name(pod)));
    }
    let from = format!("from namespace {}", client.namespace);
    let (status, says) = match denied {
        0 => (HopStatus::Ok, format!("NetworkPolicies let connections {from} through")),
        all if all == clients.len() => {
            (HopStatus::Broken, format!("NetworkPolicies deny connections {from}"))
        }
        some => {
            (HopStatus::Warning, format!("NetworkPolicies deny {some} of {} clients {from}", clients.len()))
        }
    };
    let object = first_policy.filter(|_| denied > 0).unwrap_or(backing.service);
    let note = (denied > 0).then(|| "only a network plugin that enforces policies denies in fact".to_owned());
    Hop::new(Step::Policies, status, object, says).with(told).with(note)
}

fn client_name(pod: &Pod<'_>) -> String {
    match pod.object.name() {
        "" => "a pod without labels".to_owned(),
        _ => name(&pod.workload),
    }
}

/// A pod that nobody has made, for a namespace without pods.
fn anybody(client: &TraceClient) -> Value {
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "namespace": client.namespace } })
}

fn clients<'f, 'a>(facts: &'f Facts<'a>, client: &TraceClient) -> Vec<&'f Pod<'a>> {
    let alive = facts.pods_in(&client.namespace).filter(|pod| !pod.is_done());
    match &client.pod {
        Some(name) => alive.filter(|pod| pod.object.name() == name).collect(),
        None => one_of_each(alive),
    }
}

/// The policy that denies a client its way to each of the servers, and the reason; `None` where one server is reached.
fn cut<'a>(
    facts: &Facts<'a>,
    client: &Pod<'_>,
    backing: &Backing<'_, 'a>,
    port: BackendPort<'_>,
) -> Option<(Object<'a>, String)> {
    let of_host = client.value().pointer("/spec/hostNetwork") == Some(&Value::Bool(true));
    if of_host {
        return None;
    }
    if let Some((_, policies)) = blocking_dns(facts, client) {
        let policy = *policies.first()?;
        return Some((
            policy,
            format!(
                "NetworkPolicy {}/{} keeps it from the DNS of the cluster (UDP port 53)",
                policy.namespace(),
                policy.name()
            ),
        ));
    }
    let asked = backing.service.value().get("spec").and_then(|spec| spec.get("ports")?.as_array());
    let asked = asked.into_iter().flatten().filter(|offered| port.is(offered));
    let asked: Vec<Option<i64>> = asked.map(|offered| offered["port"].as_i64()).collect();
    let mut found = None;
    for server in one_of_each(backing.pods.iter().copied()) {
        for (number, protocol) in asked.iter().flat_map(|port| targets(backing.service, server, *port)) {
            let flow = Flow { client, server, port: number, protocol };
            let (side, policies) = policy::blocking(facts, &flow)?;
            let policy = policy::meant(&policies, side, &flow)?;
            found.get_or_insert((policy, denial(policy, side, number)));
        }
    }
    found
}

fn denial(policy: Object<'_>, side: Side, port: i64) -> String {
    let which = format!("NetworkPolicy {}/{}", policy.namespace(), policy.name());
    match (side, let_through(policy, side).as_str()) {
        (Side::Ingress, "") => format!("port {port} is denied by {which}, which lets nobody in"),
        (Side::Egress, "") => format!("port {port} is denied by {which}, which lets nothing out"),
        (Side::Ingress, some) => format!("port {port} is denied by {which}, which lets in only {some}"),
        (Side::Egress, some) => format!("port {port} is denied by {which}, which lets out only to {some}"),
    }
}
