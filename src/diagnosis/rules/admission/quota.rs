//! Quotas and limit ranges (FAILURES B1 to B3).

use crate::diagnosis::draft::{self, Draft, change, in_namespace, kubectl_name, pointer_token, sh, shorten};
use crate::diagnosis::facts::{Facts, Object, quantity, reference};
use crate::diagnosis::report::{Evidence, Remediation, Risk};
use crate::diagnosis::rules::{kubectl, revisions};

use super::victims::Victims;

/// What the message says of a quota that is used up.
pub(super) struct Exceeded<'m> {
    pub(super) name: &'m str,
    pub(super) requested: &'m str,
    pub(super) used: &'m str,
    pub(super) limited: &'m str,
}

/// One resource of a quota.
struct Amount<'m> {
    resource: &'m str,
    requested: f64,
    used: f64,
    limited: f64,
}

impl Exceeded<'_> {
    /// The resources that run out; those whose amounts cannot be read are left out.
    fn amounts(&self) -> Vec<Amount<'_>> {
        let amount = |list: &str, resource: &str| {
            let mut pairs = list.split(',').filter_map(|pair| pair.trim().split_once('='));
            pairs.find(|(name, _)| *name == resource).and_then(|(_, amount)| quantity::parse(amount))
        };
        let resources = self.requested.split(',').filter_map(|pair| pair.trim().split_once('='));
        resources
            .filter_map(|(resource, requested)| {
                Some(Amount {
                    resource,
                    requested: quantity::parse(requested)?,
                    used: amount(self.used, resource)?,
                    limited: amount(self.limited, resource)?,
                })
            })
            .collect()
    }
}

impl Amount<'_> {
    /// `requests` or `limits`, and the resource of a container that the quota counts.
    fn of_container(&self) -> Option<(&'static str, &str)> {
        match self.resource.split_once('.') {
            Some(("requests", resource)) => Some(("requests", resource)),
            Some(("limits", resource)) => Some(("limits", resource)),
            _ => ["cpu", "memory"].contains(&self.resource).then_some(("requests", self.resource)),
        }
    }

    fn show(&self, amount: f64) -> String {
        quantity::show(self.of_container().map_or(self.resource, |(_, resource)| resource), amount)
    }
}

/// The quota has to grow, unless it is the workload whose last change asks for more than before.
pub(super) fn exceeded(facts: &Facts<'_>, victims: &Victims<'_>, told: &Exceeded<'_>) -> Draft {
    let amounts = told.amounts();
    let quota = facts.get("ResourceQuota", victims.namespace(), told.name);
    let resources = amounts.iter().map(|amount| amount.resource).collect::<Vec<_>>().join(", ");
    let name = victims.name();
    let grown = amounts.iter().find(|amount| has_grown(facts, victims, amount));
    let draft = match grown {
        Some(amount) => victims.own_draft(
            "quota-exceeded",
            format!("{name} now asks for more {} than ResourceQuota {} has left", amount.resource, told.name),
        ),
        None => victims.draft(
            "quota-exceeded",
            reference("v1", "ResourceQuota", victims.namespace(), told.name),
            match amounts.iter().find(|amount| amount.requested > amount.limited) {
                Some(amount) => format!(
                    "ResourceQuota {} allows less {} in all than one pod of {name} asks for",
                    told.name, amount.resource
                ),
                None => format!(
                    "ResourceQuota {} is used up ({resources}): {name} cannot create all its pods",
                    told.name
                ),
            },
        ),
    };
    draft
        .cause(format!("{} {resources}", told.name))
        .summary(exceeded_summary(victims, told, &amounts, grown.is_some()))
        .evidence(amounts.iter().take(4).flat_map(|amount| quota_fields(quota, amount.resource)))
        .remedies(exceeded_remedies(victims, told, &amounts, grown.is_some()))
}

/// True where the revision before asked for less of this resource.
fn has_grown(facts: &Facts<'_>, victims: &Victims<'_>, amount: &Amount<'_>) -> bool {
    let workload = victims.workload();
    let Some((list, resource)) = amount.of_container() else { return false };
    let Some(former) = revisions::former_template(facts, workload) else { return false };
    let now = workload.object.and_then(|object| object.value().pointer("/spec/template"));
    let before = revisions::asked(former, list, resource);
    before > 0.0 && now.is_some_and(|now| revisions::asked(now, list, resource) > before)
}

fn exceeded_summary(
    victims: &Victims<'_>,
    told: &Exceeded<'_>,
    amounts: &[Amount<'_>],
    has_grown: bool,
) -> String {
    let parts: Vec<String> = amounts
        .iter()
        .map(|amount| {
            let [limited, used, requested] =
                [amount.limited, amount.used, amount.requested].map(|number| amount.show(number));
            let too_large = amount.requested > amount.limited;
            let never = if too_large { " (more than the whole quota)" } else { "" };
            format!(
                "{}: {limited} allowed, {used} used, the next one asks for {requested}{never}",
                amount.resource
            )
        })
        .collect();
    let grown = match has_grown {
        true => " The revision before asked for less.",
        false => "",
    };
    format!(
        "The API server refuses to create pods of {} because they would exceed ResourceQuota {} of namespace {}. {}.{}{grown}",
        victims.name(),
        told.name,
        victims.namespace(),
        parts.join("; "),
        victims.impact()
    )
}

fn quota_fields(quota: Option<Object<'_>>, resource: &str) -> Vec<Evidence> {
    let pointers = ["/spec/hard", "/status/used"];
    let fields = pointers
        .iter()
        .filter_map(|pointer| draft::field(quota?, &format!("{pointer}/{}", pointer_token(resource))));
    fields.collect()
}

fn exceeded_remedies(
    victims: &Victims<'_>,
    told: &Exceeded<'_>,
    amounts: &[Amount<'_>],
    has_grown: bool,
) -> Vec<Remediation> {
    let workload = victims.workload();
    let mut remedies: Vec<Remediation> = raise(victims, told, amounts).into_iter().collect();
    if let Some(rollback) = kubectl::rollback(workload).filter(|_| has_grown) {
        remedies.insert(0, rollback);
    }
    if workload.kind() == "Deployment" && workload.ready() >= workload.desired() {
        remedies.push(without_surge(victims));
    }
    remedies
}

fn raise(victims: &Victims<'_>, told: &Exceeded<'_>, amounts: &[Amount<'_>]) -> Option<Remediation> {
    let missing = i32::try_from(victims.0.iter().map(|victim| victim.wanted - victim.existing).sum::<i64>());
    let missing = f64::from(missing.unwrap_or(1).max(1));
    let enough = |amount: &Amount<'_>| amount.show(amount.used + amount.requested * missing);
    let patch = |value: &dyn Fn(&Amount<'_>) -> String| {
        let hard: serde_json::Map<String, serde_json::Value> =
            amounts.iter().map(|amount| (amount.resource.to_owned(), value(amount).into())).collect();
        let patch = serde_json::json!({ "spec": { "hard": hard } }).to_string();
        let (namespace, name) = (sh(victims.namespace()), sh(told.name));
        format!("kubectl -n {namespace} patch resourcequota {name} --type merge -p {}", sh(&patch))
    };
    (!amounts.is_empty()).then(|| {
        change(
            "Raise the quota to what is wanted",
            format!("kubectl -n {} describe resourcequota {}", sh(victims.namespace()), sh(told.name)),
            patch(&enough),
            patch(&|amount| amount.show(amount.limited)),
            kubectl::verify(victims.workload()),
            Risk::Low,
        )
    })
}

/// A rollout that replaces pods one by one needs no room for more.
fn without_surge(victims: &Victims<'_>) -> Remediation {
    let workload = victims.workload();
    let (namespace, name) = (in_namespace(&workload.reference), kubectl_name(&workload.reference));
    let patch = |surge: &str, unavailable: &str| {
        let strategy = format!(
            r#"{{"spec":{{"strategy":{{"rollingUpdate":{{"maxSurge":{surge},"maxUnavailable":{unavailable}}}}}}}}}"#
        );
        format!("kubectl {namespace}patch {name} -p {}", sh(&strategy))
    };
    change(
        "Or let the rollout replace pods one by one, without extra ones",
        kubectl::get(&workload.reference, "jsonpath='{.spec.strategy}'"),
        patch("0", "1"),
        patch(r#""25%""#, r#""25%""#),
        kubectl::verify(workload),
        Risk::Medium,
    )
}

/// A quota counts resources that the pods do not state, so they have to.
pub(super) fn needs(facts: &Facts<'_>, victims: &Victims<'_>, quota: &str, missing: &str) -> Draft {
    let missing = shorten(missing, 200);
    let object = facts.get("ResourceQuota", victims.namespace(), quota);
    let title = format!("{} does not state {missing}, which ResourceQuota {quota} demands", victims.name());
    victims
        .own_draft("quota-needs-resources", title)
        .cause(quota)
        .summary(format!(
            "Where a ResourceQuota limits a resource, every pod of the namespace has to state it. The pods of {} do not state {missing}, so the API server refuses them.{} A LimitRange with defaults would also do.",
            victims.name(),
            victims.impact()
        ))
        .evidence(object.and_then(|quota| draft::field(quota, "/spec/hard")))
        .evidence(victims.spec_field("/containers/0/resources"))
        .remedy(set_resources(victims, &missing))
}

/// `kubectl set resources` with a placeholder for each resource that is missing.
fn set_resources(victims: &Victims<'_>, missing: &str) -> Remediation {
    let workload = victims.workload();
    let (namespace, name) = (in_namespace(&workload.reference), kubectl_name(&workload.reference));
    let sample = |resource: &str| match resource {
        "cpu" => "cpu=100m",
        "memory" => "memory=128Mi",
        _ => "ephemeral-storage=1Gi",
    };
    let flags: String = ["requests", "limits"]
        .iter()
        .filter_map(|list| {
            let stated = |resource: &&str| {
                let plain = *list == "requests" && missing.split([',', ' ']).any(|word| word == *resource);
                plain || missing.contains(&format!("{list}.{resource}"))
            };
            let wanted: Vec<&str> = ["cpu", "memory", "ephemeral-storage"]
                .iter()
                .filter(|r| stated(r))
                .map(|r| sample(r))
                .collect();
            (!wanted.is_empty()).then(|| format!(" --{list}={}", wanted.join(",")))
        })
        .collect();
    change(
        "State the resources (with amounts that fit the program)",
        format!("kubectl {namespace}describe resourcequota"),
        format!("kubectl {namespace}set resources {name}{flags}"),
        kubectl::undo(workload),
        kubectl::verify(workload),
        Risk::Low,
    )
}

/// What the pods ask for is outside of what a LimitRange allows.
pub(super) fn limit_range(facts: &Facts<'_>, victims: &Victims<'_>) -> Draft {
    let said = shorten(super::policy::reason(victims.first().message), 300);
    let ranges: Vec<Object<'_>> = facts.all_in("LimitRange", victims.namespace()).collect();
    let names: Vec<&str> = ranges.iter().map(|range| range.name()).collect();
    let named =
        if names.is_empty() { "a LimitRange".to_owned() } else { format!("LimitRange {}", names.join(", ")) };
    victims
        .own_draft(
            "limit-range-violated",
            format!("{} asks for resources outside of {named}: {said}", victims.name()),
        )
        .cause(said.split(',').next().unwrap_or_default())
        .summary(format!(
            "{named} of namespace {} bounds what a container or pod may ask for. The API server refuses the pods of {}: {said}.{}",
            victims.namespace(),
            victims.name(),
            victims.impact()
        ))
        .evidence(victims.spec_field("/containers/0/resources"))
        .evidence(ranges.iter().filter_map(|range| draft::field(*range, "/spec/limits")).take(2))
        .remedy(change(
            "Ask for resources within the bounds",
            format!("kubectl -n {} describe limitrange", sh(victims.namespace())),
            kubectl::edit(&victims.workload().reference),
            kubectl::undo(victims.workload()),
            kubectl::verify(victims.workload()),
            Risk::Low,
        ))
}
