//! Refusals by policy, by missing objects, and the rest (FAILURES B4 to B6, B10, B12 to B14).

use crate::diagnosis::draft::{self, Draft, absent, advice, change, sh, shorten};
use crate::diagnosis::facts::{Facts, Key, Read, nearest, reference};
use crate::diagnosis::report::{Confidence, Remediation, Risk};
use crate::diagnosis::rules::{kubectl, rbac};

use super::victims::Victims;

/// The refusal without the words that controllers and the API server put before it.
pub(super) fn reason(message: &str) -> &str {
    let markers = [
        "\" is forbidden: ",
        "\" is invalid: ",
        " failed error: ",
        "Error creating: ",
        "Error creating job: ",
    ];
    markers.iter().find_map(|marker| message.split_once(marker)).map_or(message, |(_, rest)| rest)
}

pub(super) fn pod_security(facts: &Facts<'_>, victims: &Victims<'_>, standard: &str) -> Draft {
    let said = shorten(reason(victims.first().message), 500);
    let namespace = facts.get("Namespace", "", victims.namespace());
    let level = standard.split(':').next().unwrap_or(standard);
    let title = format!(
        "Pod Security ({level}) of namespace {} forbids the pods of {}",
        victims.namespace(),
        victims.name()
    );
    let enforced = "/metadata/labels/pod-security.kubernetes.io~1enforce";
    victims
        .own_draft("pod-security-violation", title)
        .cause(standard)
        .summary(format!(
            "The namespace enforces a standard that the pod specification does not meet. Pods that run already stay; new ones are refused. The API server says: {said}.{}",
            victims.impact()
        ))
        .evidence(namespace.and_then(|namespace| draft::field(namespace, enforced)))
        .evidence(victims.spec_field("/securityContext"))
        .evidence(victims.spec_field("/containers/0/securityContext"))
        .remedy(harden(victims))
        .remedy(lower_standard(victims, level))
}

fn harden(victims: &Victims<'_>) -> Remediation {
    let workload = victims.workload();
    change(
        "Give the containers the security context that the message asks for",
        kubectl::get(&workload.reference, "yaml"),
        kubectl::edit(&workload.reference),
        kubectl::undo(workload),
        kubectl::verify(workload),
        Risk::Low,
    )
}

fn lower_standard(victims: &Victims<'_>, level: &str) -> Remediation {
    let namespace = sh(victims.namespace());
    let label = |level: &str| {
        format!(
            "kubectl label --overwrite namespace {namespace} pod-security.kubernetes.io/enforce={}",
            sh(level)
        )
    };
    let lower = if level == "restricted" { "baseline" } else { "privileged" };
    change(
        "Or enforce a lower standard in this namespace, if its pods may have these rights",
        format!("kubectl get namespace {namespace} --show-labels"),
        label(lower),
        label(level),
        kubectl::verify(victims.workload()),
        Risk::Medium,
    )
}

pub(super) fn service_account(facts: &Facts<'_>, victims: &Victims<'_>, name: &str) -> Draft {
    let namespace = victims.namespace();
    let object = reference("v1", "ServiceAccount", namespace, name);
    let existing = facts.all_in("ServiceAccount", namespace).map(|account| account.name());
    let hint = match nearest(name, existing) {
        Some(similar) => format!(" There is a ServiceAccount {similar}, which may be meant."),
        None => String::new(),
    };
    let missing = format!("there is no ServiceAccount {name} in namespace {namespace}");
    victims
        .draft(
            "service-account-missing",
            object.clone(),
            format!("ServiceAccount {name} does not exist; {} cannot create pods without it", victims.name()),
        )
        .breaks([Key::from(&object)])
        .summary(format!(
            "The pod specification of {} names ServiceAccount {name}, which is not in namespace {namespace}, so the API server refuses the pods.{hint}{}",
            victims.name(),
            victims.impact()
        ))
        .evidence(victims.spec_field("/serviceAccountName"))
        .evidence([absent(object.clone(), missing)])
        .remedy(change(
            "Make the ServiceAccount",
            format!("kubectl -n {} get serviceaccounts", sh(namespace)),
            format!("kubectl -n {} create serviceaccount {}", sh(namespace), sh(name)),
            format!("kubectl -n {} delete serviceaccount {}", sh(namespace), sh(name)),
            kubectl::verify(victims.workload()),
            Risk::Low,
        ))
        .remedy(correct_name(victims))
}

fn correct_name(victims: &Victims<'_>) -> Remediation {
    let workload = victims.workload();
    change(
        "Or correct the name, if another one is meant",
        kubectl::get(&workload.reference, "yaml"),
        kubectl::edit(&workload.reference),
        kubectl::undo(workload),
        kubectl::verify(workload),
        Risk::Low,
    )
}

/// A PriorityClass or RuntimeClass that does not exist.
pub(super) fn class(facts: &Facts<'_>, victims: &Victims<'_>, kind: &str, name: &str) -> Draft {
    let (rule, api_version, field) = match kind {
        "PriorityClass" => ("priority-class-missing", "scheduling.k8s.io/v1", "/priorityClassName"),
        _ => ("runtime-class-missing", "node.k8s.io/v1", "/runtimeClassName"),
    };
    let hint = match nearest(name, facts.all(kind).iter().map(|class| class.name())) {
        Some(similar) => format!(" There is a {kind} {similar}, which may be meant."),
        None => String::new(),
    };
    let plural = format!("{}es", kind.to_lowercase());
    victims
        .own_draft(rule, format!("{} names {kind} {name}, which does not exist", victims.name()))
        .cause(name)
        .summary(format!(
            "The API server refuses pods of a {kind} that is not there.{hint}{}",
            victims.impact()
        ))
        .evidence(victims.spec_field(field))
        .evidence([absent(reference(api_version, kind, "", name), format!("there is no {kind} {name}"))])
        .remedy(change(
            format!("Name a {kind} that exists, or make this one"),
            format!("kubectl get {plural}"),
            kubectl::edit(&victims.workload().reference),
            kubectl::undo(victims.workload()),
            kubectl::verify(victims.workload()),
            Risk::Low,
        ))
}

/// A policy is no fault: the workload has to satisfy it.
pub(super) fn denied(victims: &Victims<'_>, by: &str) -> Draft {
    let message = victims.first().message;
    let said = message.split_once("denied the request").or_else(|| message.split_once("denied request"));
    let said = shorten(said.map_or(message, |(_, rest)| rest.trim_start_matches([':', ' '])), 500);
    victims
        .own_draft("policy-denied", format!("Policy {by} denies the pods of {}", victims.name()))
        .cause(by)
        .summary(format!(
            "An admission policy of this cluster says no: {said}.{} The workload has to meet the policy, or whoever owns the policy has to make an exception.",
            victims.impact()
        ))
        .remedy(harden(victims))
        .remedy(advice(
            "Look at the policy",
            "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations,validatingadmissionpolicies",
            kubectl::verify(victims.workload()),
        ))
}

pub(super) fn terminating(facts: &Facts<'_>, victims: &Victims<'_>) -> Draft {
    let name = victims.namespace();
    let object = reference("v1", "Namespace", "", name);
    let namespace = facts.get("Namespace", "", name);
    let title = format!("Namespace {name} is being deleted: {} cannot create pods in it", victims.name());
    let show = format!("kubectl get namespace {} -o yaml", sh(name));
    victims
        .draft("namespace-terminating", object, title)
        .summary(format!(
            "The namespace is on its way out, so the API server refuses new objects, among them the pods of {}.",
            victims.name()
        ))
        .evidence(namespace.and_then(|namespace| draft::field(namespace, "/metadata/deletionTimestamp")))
        .evidence(namespace.and_then(|namespace| draft::field(namespace, "/status/conditions")))
        .remedy(advice(
            "See what the deletion waits for; afterwards make the namespace and its workloads anew",
            show.clone(),
            show,
        ))
}

/// The controller itself, or whoever it acts for, lacks the right.
pub(super) fn forbidden(facts: &Facts<'_>, victims: &Victims<'_>) -> Draft {
    match rbac::denied(facts, victims.first().message) {
        Some(denied) => {
            let title = format!("{}: {} cannot create pods", denied.title, victims.name());
            let keys = denied.keys();
            victims
                .draft(denied.rule, denied.object, title)
                .breaks(keys)
                .summary(denied.summary)
                .evidence(denied.evidence)
                .remedies(denied.remedies)
        }
        None => other(facts, victims),
    }
}

pub(super) fn other(facts: &Facts<'_>, victims: &Victims<'_>) -> Draft {
    let workload = victims.workload();
    let said = shorten(reason(victims.first().message), 400);
    let defaults = facts.all_in("LimitRange", victims.namespace()).find(|range| {
        let limits = range.value().list("/spec/limits");
        said.contains("must be less than or equal to")
            && limits.iter().any(|limit| limit.get("default").is_some())
    });
    let (rule, title) = match defaults {
        Some(range) => (
            "limit-range-violated",
            format!(
                "{} requests more than the limit that LimitRange {} sets by default",
                victims.name(),
                range.name()
            ),
        ),
        None => (
            "pod-creation-refused",
            format!("The API server refuses the pods of {}: {}", victims.name(), shorten(&said, 160)),
        ),
    };
    let hint = match defaults {
        Some(range) => format!(
            " The pods state no limit of their own, so they get the default of LimitRange {}.",
            range.name()
        ),
        None => String::new(),
    };
    victims
        .own_draft(rule, title)
        .confidence(Confidence::Likely)
        .summary(format!("The API server says: {said}.{hint}{}", victims.impact()))
        .evidence(defaults.and_then(|_| victims.spec_field("/containers/0/resources")))
        .evidence(defaults.and_then(|range| draft::field(range, "/spec/limits")))
        .remedy(change(
            "Correct what the message names",
            kubectl::describe(&workload.reference),
            kubectl::edit(&workload.reference),
            kubectl::undo(workload),
            kubectl::verify(workload),
            Risk::Low,
        ))
}
