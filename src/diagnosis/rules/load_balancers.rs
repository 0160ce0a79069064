//! Load balancers that cannot be made (FAILURES G19 to G24).

use crate::diagnosis::draft::{self, Draft, advice, shorten};
use crate::diagnosis::facts::{Facts, KubeEvent, Object, Read};
use crate::diagnosis::report::{Confidence, Severity};

use super::ingress::has_address;
use super::kubectl;

/// Controllers that make load balancers say in events why they cannot.
const FAILURES: [&str; 6] = [
    "FailedBuildModel",
    "FailedDeployModel",
    "SyncLoadBalancerFailed",
    "CreatingLoadBalancerFailed",
    "FailedNetworkReconcile",
    "FailedReconcile",
];
const SUCCESSES: [&str; 2] = ["SuccessfullyReconciled", "EnsuredLoadBalancer"];

/// What the messages of those controllers mean, by fragments in lower case.
const MEANINGS: &[(&str, &str)] = &[
    (
        "unable to resolve at least one subnet",
        "No subnet fits: subnets need the tag kubernetes.io/role/elb (public) or kubernetes.io/role/internal-elb (internal), free addresses, and two zones.",
    ),
    (
        "couldn't auto-discover subnets",
        "No subnet fits: subnets need the tag kubernetes.io/role/elb (public) or kubernetes.io/role/internal-elb (internal), free addresses, and two zones.",
    ),
    ("not authorized", "The controller's IAM role lacks a right."),
    ("accessdenied", "The controller's IAM role lacks a right."),
    ("unauthorizedoperation", "The controller's IAM role lacks a right."),
    ("webidentityerr", "The controller cannot assume its IAM role."),
    (
        "expected exactly one securitygroup tagged",
        "More or less than one security group of a node's interface has the cluster's tag.",
    ),
    ("no certificate found for host", "No certificate in ACM is for this host."),
    (
        "target group port is empty",
        "Instance targets need a Service of type NodePort or LoadBalancer; use target-type ip otherwise.",
    ),
    (
        "targetgroup port is empty",
        "Instance targets need a Service of type NodePort or LoadBalancer; use target-type ip otherwise.",
    ),
];

/// Load balancers that cannot be made, for reasons that no other finding tells.
pub(super) fn check(facts: &Facts<'_>, drafts: &mut Vec<Draft>) {
    let services = facts.all("Service").iter().filter(|s| s.value().text("/spec/type") == "LoadBalancer");
    for object in services.chain(facts.all("Ingress")) {
        let is_explained = drafts.iter().any(|draft| draft.breaks.contains(&object.key()));
        if !is_explained && let Some(draft) = load_balancer(facts, *object) {
            drafts.push(draft);
        }
    }
}

/// What the controller says that it cannot do, unless it could since, and what that means, where it is known.
pub(in crate::diagnosis) fn failure<'a>(
    facts: &Facts<'a>,
    object: Object<'a>,
) -> Option<(KubeEvent<'a>, Option<&'static str>)> {
    let newest = facts
        .events(object)
        .find(|event| FAILURES.contains(&event.reason) || SUCCESSES.contains(&event.reason))?;
    if SUCCESSES.contains(&newest.reason) {
        return None;
    }
    let message = newest.message.to_lowercase();
    let meaning = MEANINGS.iter().find(|(sign, _)| message.contains(sign)).map(|(_, meaning)| *meaning);
    Some((newest, meaning))
}

fn load_balancer(facts: &Facts<'_>, object: Object<'_>) -> Option<Draft> {
    let (newest, meaning) = failure(facts, object)?;
    let severity = if has_address(object) { Severity::Warning } else { Severity::Critical };
    let said = shorten(newest.message, 300);
    let show = kubectl::describe(&object.reference());
    let title = format!(
        "{} {}: its load balancer cannot be set up ({})",
        object.kind(),
        object.name(),
        newest.reason
    );
    Some(
        Draft::new("load-balancer-failed", severity, object.reference(), title)
            .confidence(if meaning.is_some() { Confidence::Certain } else { Confidence::Likely })
            .cause(newest.reason)
            .summary(format!("{} The controller says: {said}", meaning.unwrap_or_default()).trim().to_owned())
            .evidence([draft::event(&newest)])
            .breaks([object.key()])
            .remedy(advice("Correct what the message names", show.clone(), show)),
    )
}
