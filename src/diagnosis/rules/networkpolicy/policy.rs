//! What NetworkPolicies let through, evaluated as the API defines it.

use std::net::{Ipv4Addr, SocketAddrV4};

use serde_json::Value;

use crate::diagnosis::facts::{Facts, Object, Pod, Read, selector};

/// One connection that somebody wants.
#[derive(Debug, Clone, Copy)]
pub(in crate::diagnosis) struct Flow<'f, 'a> {
    pub(in crate::diagnosis) client: &'f Pod<'a>,
    pub(in crate::diagnosis) server: &'f Pod<'a>,
    pub(in crate::diagnosis) port: i64,
    pub(in crate::diagnosis) protocol: &'a str,
}

/// Which side of a connection a policy is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::diagnosis) enum Side {
    Ingress,
    Egress,
}

impl Side {
    /// As in `policyTypes`.
    pub(in crate::diagnosis) fn name(self) -> &'static str {
        match self {
            Self::Ingress => "Ingress",
            Self::Egress => "Egress",
        }
    }

    pub(in crate::diagnosis) fn rules(self) -> &'static str {
        match self {
            Self::Ingress => "/spec/ingress",
            Self::Egress => "/spec/egress",
        }
    }

    pub(in crate::diagnosis) fn peers(self) -> &'static str {
        match self {
            Self::Ingress => "/from",
            Self::Egress => "/to",
        }
    }
}

/// The policies that isolate a pod on one side.
pub(in crate::diagnosis) fn isolating<'a>(facts: &Facts<'a>, pod: &Pod<'_>, side: Side) -> Vec<Object<'a>> {
    let isolates = |policy: &Object<'_>| {
        let spec = policy.value();
        let types = spec.list("/spec/policyTypes");
        let has_side = match types.is_empty() {
            true => side == Side::Ingress || spec.pointer("/spec/egress").is_some(),
            false => types.iter().any(|named| named == side.name()),
        };
        has_side
            && spec
                .pointer("/spec/podSelector")
                .is_none_or(|wanted| selector::matches(wanted, pod.object.labels()))
    };
    facts.all_in("NetworkPolicy", pod.object.namespace()).filter(isolates).collect()
}

/// The policies that keep a flow out: those that isolate a side on which none lets it through.
pub(in crate::diagnosis) fn blocking<'a>(
    facts: &Facts<'a>,
    flow: &Flow<'_, '_>,
) -> Option<(Side, Vec<Object<'a>>)> {
    [(Side::Ingress, flow.server), (Side::Egress, flow.client)].into_iter().find_map(|(side, pod)| {
        let policies = isolating(facts, pod, side);
        let is_let_through = policies.iter().any(|policy| lets_through(facts, *policy, side, flow));
        (!policies.is_empty() && !is_let_through).then_some((side, policies))
    })
}

/// The policies that keep a pod from an address outside of the cluster.
pub(in crate::diagnosis) fn blocking_outside<'a>(
    facts: &Facts<'a>,
    client: &Pod<'_>,
    address: SocketAddrV4,
) -> Option<Vec<Object<'a>>> {
    let policies = isolating(facts, client, Side::Egress);
    let has_peer =
        |peer: &Value| peer.get("ipBlock").is_some_and(|block| in_block(block, &address.ip().to_string()));
    let has_port = |port: &Value| {
        let first = port.int("/port").unwrap_or(0);
        let range = first..=port.int("/endPort").unwrap_or(first);
        port.get("port").is_none() || range.contains(&i64::from(address.port()))
    };
    let lets_out = |policy: &Object<'_>| {
        policy.value().list("/spec/egress").iter().any(|rule| {
            let (peers, ports) = (rule.list("/to"), rule.list("/ports"));
            (peers.is_empty() || peers.iter().any(has_peer))
                && (ports.is_empty() || ports.iter().any(has_port))
        })
    };
    (!policies.is_empty() && !policies.iter().any(lets_out)).then_some(policies)
}

fn lets_through(facts: &Facts<'_>, policy: Object<'_>, side: Side, flow: &Flow<'_, '_>) -> bool {
    policy.value().list(side.rules()).iter().any(|rule| {
        let peers = rule.list(side.peers());
        let ports = rule.list("/ports");
        (peers.is_empty() || peers.iter().any(|peer| has_peer(facts, policy, peer, side, flow)))
            && (ports.is_empty() || ports.iter().any(|port| has_port(port, flow)))
    })
}

/// The other end of the flow is one of this peer's.
fn has_peer(facts: &Facts<'_>, policy: Object<'_>, peer: &Value, side: Side, flow: &Flow<'_, '_>) -> bool {
    let other = match side {
        Side::Ingress => flow.client,
        Side::Egress => flow.server,
    };
    if let Some(block) = peer.get("ipBlock") {
        return in_block(block, other.value().text("/status/podIP"));
    }
    let namespace = other.object.namespace();
    let in_namespace = match peer.get("namespaceSelector") {
        Some(wanted) => namespace_matches(facts, wanted, namespace),
        None => namespace == policy.namespace(),
    };
    in_namespace
        && peer.get("podSelector").is_none_or(|wanted| selector::matches(wanted, other.object.labels()))
}

/// Every namespace bears its name as a label, also where a recording is older than that.
fn namespace_matches(facts: &Facts<'_>, wanted: &Value, name: &str) -> bool {
    let object = facts.get("Namespace", "", name);
    let mut labels = object.and_then(|found| found.labels()).cloned().unwrap_or_default();
    labels.entry("kubernetes.io/metadata.name").or_insert_with(|| name.into());
    selector::matches(wanted, Some(&labels))
}

fn has_port(port: &Value, flow: &Flow<'_, '_>) -> bool {
    let protocol = port.maybe_text("/protocol").unwrap_or("TCP");
    let matches = match port.get("port") {
        None => true,
        Some(Value::String(name)) => flow.server.containers.iter().any(|container| {
            let mut ports = container.spec.list("/ports").iter();
            ports.any(|declared| {
                declared["name"] == name.as_str() && declared.int("/containerPort") == Some(flow.port)
            })
        }),
        Some(number) => {
            let first = number.as_i64().unwrap_or(0);
            (first..=port.int("/endPort").unwrap_or(first)).contains(&flow.port)
        }
    };
    protocol == flow.protocol && matches
}

fn in_block(block: &Value, address: &str) -> bool {
    let Ok(address) = address.parse::<Ipv4Addr>() else { return false };
    let excepted =
        block.list("/except").iter().filter_map(Value::as_str).any(|range| in_range(range, address));
    in_range(block.text("/cidr"), address) && !excepted
}

fn in_range(range: &str, address: Ipv4Addr) -> bool {
    let parsed = || {
        let (base, bits) = range.split_once('/')?;
        Some((
            u32::from(base.parse::<Ipv4Addr>().ok()?),
            bits.parse::<u32>().ok().filter(|bits| *bits <= 32)?,
        ))
    };
    parsed().is_some_and(|(base, bits)| {
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        u32::from(address) & mask == base & mask
    })
}

/// Of several policies, the one that was most likely meant to let the flow through: one with rules, and of those one whose
/// peers have the labels' keys; a policy without rules only denies.
pub(in crate::diagnosis) fn meant<'a>(
    policies: &[Object<'a>],
    side: Side,
    flow: &Flow<'_, '_>,
) -> Option<Object<'a>> {
    let other = match side {
        Side::Ingress => flow.client,
        Side::Egress => flow.server,
    };
    let likeness = |policy: &Object<'_>| {
        let rules = policy.value().list(side.rules());
        let peers = rules.iter().flat_map(|rule| rule.list(side.peers()));
        let keys = peers.flat_map(|peer| peer.members("/podSelector/matchLabels"));
        let alike = keys.filter(|(key, _)| other.object.label(key).is_some()).count();
        let ports = rules.iter().flat_map(|rule| rule.list("/ports")).any(|port| has_port(port, flow));
        (!rules.is_empty(), ports, alike)
    };
    policies.iter().copied().max_by_key(likeness)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::in_range;

    #[rstest]
    #[case("10.0.0.0/8", "10.1.2.3", true)]
    #[case("10.0.0.0/16", "10.1.2.3", false)]
    #[case("0.0.0.0/0", "8.8.8.8", true)]
    #[case("10.0.0.7/32", "10.0.0.7", true)]
    #[case("nonsense", "10.0.0.7", false)]
    fn ranges_hold_addresses(#[case] range: &str, #[case] address: &str, #[case] inside: bool) {
        assert_eq!(in_range(range, address.parse().unwrap()), inside);
    }
}
