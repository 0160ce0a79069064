//! NetworkPolicies that cut a way which somebody needs (FAILURES G6, G7).
//!
//! A policy that denies is no fault, and many clusters do not enforce policies at all. So there has to be harm: a log that
//! complains of a time-out, or a pod that is not well and depends on what is cut off.

pub(in crate::diagnosis) mod policy;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV4;

use serde_json::Value;

use crate::diagnosis::draft::{self, Draft, change, sh, shorten};
use crate::diagnosis::facts::{Facts, Key, Object, Pod, Read, selector};
use crate::diagnosis::report::{Confidence, Evidence, Remediation, Risk, Severity};
use crate::diagnosis::snapshot::LogRef;

use super::services::{Backing, Clients, running_logs};
use super::{dependencies, dns, kubectl, links, logs};
use policy::{Flow, Side};

/// Lines at the end of a log that are looked at.
const LINES: usize = 200;
/// Packets that a policy drops: the client waits in vain. A refusal or an unknown name has other causes.
const TIMED_OUT: [&str; 7] =
    ["timeout", "timed out", "deadline exceeded", "etimedout", "no route to host", "unreachable", "timedout"];
/// A way that is cut.
struct Cut<'f, 'a> {
    policy: Object<'a>,
    side: Side,
    client: &'f Pod<'a>,
    /// `Service db (port 5432)`.
    server: String,
    /// A rule that would let exactly this through.
    rule: Value,
    harm: Option<Evidence>,
}

pub(super) fn check(facts: &Facts<'_>, drafts: &mut Vec<Draft>) {
    if facts.all("NetworkPolicy").is_empty() {
        return;
    }
    let mut cuts = complained_of(facts);
    let told: BTreeSet<Key> = cuts.iter().map(|cut| cut.client.workload.key()).collect();
    cuts.extend(suffered(facts, drafts).into_iter().filter(|cut| !told.contains(&cut.client.workload.key())));
    let mut found: BTreeMap<Key, Vec<Cut<'_, '_>>> = BTreeMap::new();
    for cut in cuts {
        links::explain(drafts, &cut.client.workload.key(), &cut.policy.key());
        found.entry(cut.policy.key()).or_default().push(cut);
    }
    drafts.extend(found.values().map(|cuts| draft(facts, cuts)));
}

/// Logs of pods whose settings name a Service that a policy cuts off: they tell whether anybody minds.
pub(super) fn wanted_logs(facts: &Facts<'_>) -> Vec<LogRef> {
    if facts.all("NetworkPolicy").is_empty() {
        return Vec::new();
    }
    let clients = Clients::of(facts, facts.all("Service").iter().copied());
    let cut_off = clients.pairs().filter(|(client, service)| {
        cut_from_service(facts, client, service, None).is_some() || cut_from_dns(facts, client).is_some()
    });
    cut_off.flat_map(|(client, _)| running_logs(client)).collect()
}

/// What logs complain of and a policy explains: the newest such line of each log.
fn complained_of<'f, 'a>(facts: &'f Facts<'a>) -> Vec<Cut<'f, 'a>> {
    let mut cuts = Vec::new();
    for log in facts.logs() {
        let Some(pod) = facts.pods_in(&log.of.namespace).find(|pod| pod.object.name() == log.of.pod) else {
            continue;
        };
        let lines = log.text.lines().rev().take(LINES);
        let cut = lines.filter_map(|line| Some((line, by_line(facts, pod, line)?))).next();
        cuts.extend(cut.map(|(line, cut)| Cut {
            harm: Some(draft::log_line(pod.object, &log.of.container, line)),
            ..cut
        }));
    }
    cuts
}

fn by_line<'f, 'a>(facts: &'f Facts<'a>, pod: &'f Pod<'a>, line: &str) -> Option<Cut<'f, 'a>> {
    let lower = line.to_lowercase();
    let has = |signs: &[&str]| signs.iter().any(|sign| lower.contains(sign));
    if dns::is_silent(line) {
        return cut_from_dns(facts, pod);
    }
    if !has(&TIMED_OUT) || lower.contains("refused") {
        return None;
    }
    match dependencies::of_line(facts, pod.object.namespace(), line) {
        Some(dependency) => cut_from_service(facts, pod, &dependency.key(), dependency.port),
        None => cut_from_outside(facts, pod, line),
    }
}

/// What pods that are not well depend on, where their logs say nothing.
fn suffered<'f, 'a>(facts: &'f Facts<'a>, drafts: &[Draft]) -> Vec<Cut<'f, 'a>> {
    let clients = Clients::of(facts, facts.all("Service").iter().copied());
    let suffers = |client: &Pod<'_>, service: &Key| {
        let workload = client.workload.key();
        drafts.iter().any(|draft| draft.breaks.contains(&workload) && draft.explained_by.contains(service))
    };
    let unwell = clients.pairs().filter(|(client, service)| {
        !client.is_ready() && suffers(client, service) && !has_complained(facts, client)
    });
    unwell.filter_map(|(client, service)| cut_from_service(facts, client, service, None)).collect()
}

/// Its log says what it suffers from, whatever that is.
fn has_complained(facts: &Facts<'_>, pod: &Pod<'_>) -> bool {
    let texts = pod.containers.iter().flat_map(|container| {
        [false, true].into_iter().filter_map(|previous| facts.log(pod.object, container.name(), previous))
    });
    texts.filter_map(logs::telling).any(|telling| telling.complaint.is_some())
}

fn cut_from_service<'f, 'a>(
    facts: &'f Facts<'a>,
    client: &'f Pod<'a>,
    service: &Key,
    port: Option<u16>,
) -> Option<Cut<'f, 'a>> {
    let object = facts.get("Service", &service.namespace, &service.name)?;
    let servers = Backing::of(facts, object)?.pods;
    let asked = port.map(i64::from);
    let mut cut = None;
    for server in servers {
        for (number, protocol) in targets(object, server, asked) {
            let flow = Flow { client, server, port: number, protocol };
            let (side, policies) = policy::blocking(facts, &flow)?;
            let policy = policy::meant(&policies, side, &flow)?;
            let server = format!("Service {} (port {number})", service.name);
            cut = Some(Cut { policy, side, client, server, rule: rule(&flow, side), harm: None });
        }
    }
    cut
}

/// The ports of a pod to which a Service forwards; of those the one that is asked for, where it is known.
pub(in crate::diagnosis) fn targets<'a>(
    service: Object<'a>,
    server: &Pod<'_>,
    asked: Option<i64>,
) -> Vec<(i64, &'a str)> {
    let ports = service.value().list("/spec/ports").iter();
    let meant = ports.filter(|port| asked.is_none_or(|asked| port.int("/port") == Some(asked)));
    let number = |port: &Value| match port.get("targetPort") {
        Some(Value::String(name)) => {
            let declared = server.containers.iter().flat_map(|container| container.spec.list("/ports"));
            let mut named = declared.filter(|declared| declared["name"] == name.as_str());
            named.next().and_then(|declared| declared.int("/containerPort"))
        }
        Some(target) => target.as_i64(),
        None => port.int("/port"),
    };
    meant.filter_map(|port| Some((number(port)?, port.maybe_text("/protocol").unwrap_or("TCP")))).collect()
}

/// The policies that keep a pod from the DNS of the cluster.
pub(in crate::diagnosis) fn blocking_dns<'a>(
    facts: &Facts<'a>,
    client: &Pod<'_>,
) -> Option<(Side, Vec<Object<'a>>)> {
    let server = dns_server(facts)?;
    policy::blocking(facts, &Flow { client, server, port: 53, protocol: "UDP" })
}

fn dns_server<'f, 'a>(facts: &'f Facts<'a>) -> Option<&'f Pod<'a>> {
    facts.pods_in("kube-system").find(|pod| pod.object.label("k8s-app") == Some("kube-dns"))
}

/// Names cannot be resolved: no policy lets the pod ask the DNS of the cluster.
fn cut_from_dns<'f, 'a>(facts: &'f Facts<'a>, client: &'f Pod<'a>) -> Option<Cut<'f, 'a>> {
    let server = dns_server(facts)?;
    let flow = Flow { client, server, port: 53, protocol: "UDP" };
    let (side, policies) = policy::blocking(facts, &flow)?;
    let policy = policy::meant(&policies, side, &flow)?;
    let server = "the DNS of the cluster (UDP port 53)".to_owned();
    Some(Cut { policy, side, client, server, rule: rule(&flow, side), harm: None })
}

/// An address that is nobody's in the cluster.
fn cut_from_outside<'f, 'a>(facts: &'f Facts<'a>, client: &'f Pod<'a>, line: &str) -> Option<Cut<'f, 'a>> {
    let words = line.split(|c: char| !c.is_ascii_digit() && c != '.' && c != ':');
    let address = words.filter_map(|word| word.trim_matches(':').parse::<SocketAddrV4>().ok()).next()?;
    let policies = policy::blocking_outside(facts, client, address)?;
    let policy = *policies.first()?;
    let rule = serde_json::json!({
        "to": [{ "ipBlock": { "cidr": format!("{}/32", address.ip()) } }],
        "ports": [{ "port": address.port(), "protocol": "TCP" }],
    });
    Some(Cut { policy, side: Side::Egress, client, server: address.to_string(), rule, harm: None })
}

/// A rule that lets this flow through and nothing else.
fn rule(flow: &Flow<'_, '_>, side: Side) -> Value {
    let other = match side {
        Side::Ingress => flow.client,
        Side::Egress => flow.server,
    };
    let ports = serde_json::json!([{ "port": flow.port, "protocol": flow.protocol }]);
    let peer = serde_json::json!([{
        "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": other.object.namespace() } },
        "podSelector": { "matchLabels": telling_labels(other) },
    }]);
    match side {
        Side::Ingress => serde_json::json!({ "from": peer, "ports": ports }),
        Side::Egress => serde_json::json!({ "to": peer, "ports": ports }),
    }
}

fn name(pod: &Pod<'_>) -> String {
    format!("{} {}", pod.workload.kind(), pod.workload.reference.name)
}

fn draft(facts: &Facts<'_>, cuts: &[Cut<'_, '_>]) -> Draft {
    let first = &cuts[0];
    let policy = first.policy;
    let clients: BTreeSet<String> = cuts.iter().map(|cut| name(cut.client)).collect();
    let more = if clients.len() > 1 { format!(" (and {} more)", clients.len() - 1) } else { String::new() };
    let is_told = cuts.iter().any(|cut| cut.harm.is_some());
    let is_down = cuts.iter().any(|cut| !cut.client.is_ready());
    let broken = cuts.iter().flat_map(|cut| victims(facts, cut.client));
    Draft::new(
        "network-policy-blocks",
        if is_told || is_down { Severity::Critical } else { Severity::Warning },
        policy.reference(),
        format!("NetworkPolicy {} blocks {}{more} from {}", policy.name(), name(first.client), first.server),
    )
    .confidence(if is_told { Confidence::Likely } else { Confidence::Possible })
    .cause(format!("{} {}", name(first.client), first.server))
    .summary(summary(first))
    .evidence(cuts.iter().filter_map(|cut| cut.harm.clone()).take(3))
    .evidence(draft::field(policy, "/spec/podSelector"))
    .evidence(draft::field(policy, first.side.rules()).or_else(|| draft::field(policy, "/spec/policyTypes")))
    .evidence(draft::field(first.client.object, "/metadata/labels"))
    .breaks(broken)
    .breaks([policy.key()])
    .remedy(allow(first))
}

/// The workload, and those of its pods that are not ready.
fn victims(facts: &Facts<'_>, pod: &Pod<'_>) -> Vec<Key> {
    let workload = pod.workload.key();
    let unready = facts.pods_of(&workload).filter(|pod| !pod.is_ready()).map(|pod| pod.object.key());
    unready.chain([workload.clone()]).collect()
}

fn summary(cut: &Cut<'_, '_>) -> String {
    let (policy, client) = (cut.policy, name(cut.client));
    let rules = policy.value().list(cut.side.rules());
    let what = match (cut.side, rules.is_empty()) {
        (Side::Ingress, true) => "and lets nobody in".to_owned(),
        (Side::Egress, true) => "and lets nothing out".to_owned(),
        (Side::Ingress, false) => {
            format!("and lets in {}, which {client} is not", let_through(policy, cut.side))
        }
        (Side::Egress, false) => {
            format!("and lets out to {}, which this is not", let_through(policy, cut.side))
        }
    };
    let selected = policy.value().pointer("/spec/podSelector").map(selector::show).unwrap_or_default();
    let selected = if selected.is_empty() {
        "all pods of its namespace".to_owned()
    } else {
        format!("pods with {selected}")
    };
    let whose = match cut.side {
        Side::Ingress => "the pods behind it",
        Side::Egress => "the client",
    };
    let labels = selector::show_map(&telling_labels(cut.client));
    format!(
        "NetworkPolicy {}/{} isolates {selected} ({}), {whose} among them, {what}. The client's labels are {}. Packets are dropped, so connections of {client} to {} time out.",
        policy.namespace(),
        policy.name(),
        cut.side.name(),
        shorten(&labels, 200),
        cut.server
    )
}

/// Whom the rules of the policy let through, in words.
pub(in crate::diagnosis) fn let_through(policy: Object<'_>, side: Side) -> String {
    let rules = policy.value().list(side.rules()).iter().map(|rule| {
        let peers: Vec<String> = rule.list(side.peers()).iter().map(peer_text).collect();
        let ports: Vec<String> =
            rule.list("/ports").iter().filter_map(|port| Some(port.get("port")?.to_string())).collect();
        let peers = if peers.is_empty() { "everybody".to_owned() } else { peers.join(" or ") };
        if ports.is_empty() { peers } else { format!("{peers} on port {}", ports.join(", ")) }
    });
    shorten(&rules.collect::<Vec<_>>().join("; "), 300)
}

/// `pods with role=checkout in namespaces with team=a`.
fn peer_text(peer: &Value) -> String {
    if let Some(block) = peer.get("ipBlock") {
        return format!("addresses in {}", block.text("/cidr"));
    }
    let shown = |member: &str, noun: &str| {
        let text = selector::show(peer.get(member)?);
        Some(if text.is_empty() { format!("all {noun}") } else { format!("{noun} with {text}") })
    };
    match (shown("podSelector", "pods"), shown("namespaceSelector", "namespaces")) {
        (Some(pods), None) => format!("{pods} of its namespace"),
        (pods, namespaces) => pods.into_iter().chain(namespaces).collect::<Vec<_>>().join(" in "),
    }
}

/// A rule for exactly this way, added to the policy.
fn allow(cut: &Cut<'_, '_>) -> Remediation {
    let policy = cut.policy;
    let (namespace, policy_name) = (sh(policy.namespace()), sh(policy.name()));
    let path = cut.side.rules();
    let count = policy.value().list(path).len();
    let (target, value, added) = match count {
        0 => (path.to_owned(), serde_json::json!([cut.rule]), path.to_owned()),
        count => (format!("{path}/-"), cut.rule.clone(), format!("{path}/{count}")),
    };
    let patch = |operation: Value| {
        let operations = sh(&serde_json::json!([operation]).to_string());
        format!("kubectl -n {namespace} patch networkpolicy {policy_name} --type json -p {operations}")
    };
    change(
        "Let this way through, if it is wanted",
        kubectl::describe(&policy.reference()),
        patch(serde_json::json!({ "op": "add", "path": target, "value": value })),
        patch(serde_json::json!({ "op": "remove", "path": added })),
        kubectl::verify(&cut.client.workload),
        Risk::Medium,
    )
}

/// The labels of a pod without those that change with every revision.
fn telling_labels(pod: &Pod<'_>) -> serde_json::Map<String, Value> {
    let passing = [
        "pod-template-hash",
        "controller-revision-hash",
        "pod-template-generation",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
    ];
    let mut labels = pod.object.labels().cloned().unwrap_or_default();
    labels.retain(|key, _| !passing.contains(&key.as_str()));
    labels
}

#[cfg(test)]
mod tests;
