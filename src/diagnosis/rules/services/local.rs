//! Services that serve only clients on the same node (FAILURES G12).

use crate::diagnosis::draft::{self, Draft, change, log_line, sh};
use crate::diagnosis::facts::{Facts, Object, Pod, Read};
use crate::diagnosis::report::{Confidence, Remediation, Risk, Severity};
use crate::diagnosis::rules::logs::Complaint;
use crate::diagnosis::rules::{dependencies, kubectl, links};

use super::backing::Backing;

/// Lines at the end of a log that are looked at.
const LINES: usize = 200;

/// With `internalTrafficPolicy: Local`, packets of clients on nodes without an endpoint are dropped. That is a fault where a
/// client complains.
pub(super) fn check(facts: &Facts<'_>, backings: &[Backing<'_, '_>], drafts: &mut Vec<Draft>) {
    let is_local = |backing: &&Backing<'_, '_>| {
        backing.service.value().text("/spec/internalTrafficPolicy") == "Local" && backing.is_served(facts)
    };
    for backing in backings.iter().filter(is_local) {
        let Some((client, container, line)) = complaint(facts, backing) else { continue };
        links::explain(drafts, &client.workload.key(), &backing.key());
        drafts.push(draft(backing, client).evidence([log_line(client.object, container, line)]));
    }
}

/// A client on a node without an endpoint, and the line in which it complains.
fn complaint<'f, 'a>(
    facts: &'f Facts<'a>,
    backing: &Backing<'_, 'a>,
) -> Option<(&'f Pod<'a>, &'a str, &'a str)> {
    let key = backing.key();
    facts.logs().iter().find_map(|log| {
        let client = facts.pods_in(&log.of.namespace).find(|pod| pod.object.name() == log.of.pod)?;
        let has_endpoint = backing.pods.iter().any(|pod| pod.is_ready() && pod.node() == client.node());
        let is_about = |line: &&str| {
            Complaint::of(line) == Some(Complaint::Unreachable)
                && dependencies::of_line(facts, &log.of.namespace, line)
                    .is_some_and(|found| found.key() == key)
        };
        let line = log.text.lines().rev().take(LINES).find(|line| !has_endpoint && is_about(line))?;
        Some((client, log.of.container.as_str(), line))
    })
}

fn draft(backing: &Backing<'_, '_>, client: &Pod<'_>) -> Draft {
    let service = backing.service;
    let name = format!("{} {}", client.workload.kind(), client.workload.reference.name);
    let node = client.node().unwrap_or_default();
    let title =
        format!("Service {} serves only clients on its own nodes; {name} runs elsewhere", service.name());
    Draft::new("service-local-only", Severity::Critical, service.reference(), title)
        .confidence(Confidence::Likely)
        .summary(format!(
            "internalTrafficPolicy is Local: connections from a node without a ready pod of the Service are dropped, and node {node} has none."
        ))
        .evidence(draft::field(service, "/spec/internalTrafficPolicy"))
        .evidence(draft::field(client.object, "/spec/nodeName"))
        .breaks([backing.key(), client.workload.key()])
        .remedy(everywhere(service))
}

fn everywhere(service: Object<'_>) -> Remediation {
    let (namespace, name) = (sh(service.namespace()), sh(service.name()));
    let patch = |policy: &str| {
        format!(
            r#"kubectl -n {namespace} patch service {name} -p '{{"spec":{{"internalTrafficPolicy":"{policy}"}}}}'"#
        )
    };
    change(
        "Let it serve the whole cluster",
        kubectl::describe(&service.reference()),
        patch("Cluster"),
        patch("Local"),
        kubectl::get(&service.reference(), "yaml"),
        Risk::Low,
    )
}
