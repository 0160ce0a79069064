//! Claims whose StorageClass does not exist, or that name none where there is no default (H1, H2).

use crate::diagnosis::draft::{self, Draft, absent, change, in_namespace, sh, shorten};
use crate::diagnosis::facts::{Facts, Object, Read, nearest, reference};
use crate::diagnosis::report::{Remediation, Risk};
use crate::diagnosis::rules::kubectl;

use super::Claim;
use super::provisioning::{class_field, failed};

const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";

pub(super) fn missing<'a>(facts: &Facts<'a>, claim: &Claim<'_, 'a>, class: &str) -> Draft {
    let name = claim.object.name();
    let title = format!("PersistentVolumeClaim {name} asks for StorageClass {class}, which does not exist");
    let classes = class_names(facts);
    let other = nearest(class, classes.iter().copied()).or_else(|| usable_class(facts));
    let missing = || {
        let object = reference("storage.k8s.io/v1", "StorageClass", "", class);
        absent(object, format!("there is no StorageClass {class}"))
    };
    claim
        .draft("storage-class-missing", title)
        .summary(format!(
            "No volume is made for the claim until the class exists.{}{}{}",
            class_hint(facts, class),
            claim.impact(),
            template_hint(claim)
        ))
        .cause(class)
        .evidence(class_field(claim))
        .evidence(failed(facts, claim).map(|event| draft::event(&event)))
        .evidence(facts.was_read("StorageClass").then(missing))
        .remedies(other.map(|other| copy_class(claim, other, class)))
        .remedy(recreate(
            claim,
            "Make the claim again with a class that exists (a claim's class cannot be changed)",
            &set_class(other),
        ))
}

fn class_names<'a>(facts: &Facts<'a>) -> Vec<&'a str> {
    facts.all("StorageClass").iter().map(|class| class.name()).collect()
}

/// The default class, or else one whose driver is installed.
fn usable_class<'a>(facts: &Facts<'a>) -> Option<&'a str> {
    let classes = || facts.all("StorageClass").iter();
    let default = classes().find(|class| class.annotation(DEFAULT_CLASS) == Some("true"));
    let driven =
        || classes().find(|class| facts.get("CSIDriver", "", class.value().text("/provisioner")).is_some());
    default.or_else(driven).map(|class| class.name())
}

/// What exists instead, as far as that is known.
fn class_hint(facts: &Facts<'_>, class: &str) -> String {
    let classes = class_names(facts);
    match nearest(class, classes.iter().copied()) {
        _ if !facts.was_read("StorageClass") => String::new(),
        Some(similar) => format!(" There is a class {similar}, which may be meant."),
        None if classes.is_empty() => " The cluster has no StorageClass at all.".to_owned(),
        None => format!(" The classes are: {}.", shorten(&classes.join(", "), 200)),
    }
}

/// The StatefulSet that makes the claim from its template, and will make others like it.
fn template_hint(claim: &Claim<'_, '_>) -> String {
    let owner = claim.consumers.iter().find(|pod| pod.workload.kind() == "StatefulSet");
    let owner =
        owner.filter(|pod| claim.object.name().contains(&format!("-{}-", pod.workload.reference.name)));
    owner
        .map(|pod| {
            format!(
                " The class stands in volumeClaimTemplates of StatefulSet {}: correct it there too (the set has to be deleted with --cascade=orphan and applied again), or the next claim asks for the same.",
                pod.workload.reference.name
            )
        })
        .unwrap_or_default()
}

/// A class of the name that is asked for, with the settings of another: touches nothing that exists.
fn copy_class(claim: &Claim<'_, '_>, like: &str, class: &str) -> Remediation {
    let object = claim.object.reference();
    let strip =
        "del(.metadata.uid, .metadata.resourceVersion, .metadata.creationTimestamp, .metadata.annotations)";
    let rename = format!("{strip} | .metadata.name = {}", serde_json::json!(class));
    change(
        format!("Make the class, for example with the settings of {like}"),
        "kubectl get storageclass",
        format!("kubectl get storageclass {} -o json | jq {} | kubectl create -f -", sh(like), sh(&rename)),
        format!("kubectl delete storageclass {}", sh(class)),
        kubectl::get(&object, ""),
        Risk::Low,
    )
}

/// Sets the class of a claim, for `jq`.
fn set_class(class: Option<&str>) -> String {
    format!(".spec.storageClassName = {}", serde_json::json!(class.unwrap_or("<CLASS>")))
}

/// Deletes the claim, which holds no data yet, and makes it anew, changed by `set`.
pub(super) fn recreate(claim: &Claim<'_, '_>, summary: &str, set: &str) -> Remediation {
    let object = claim.object.reference();
    let (namespace, name) = (in_namespace(&object), sh(&object.name));
    let strip = "del(.metadata.uid, .metadata.resourceVersion, .metadata.creationTimestamp, .metadata.annotations, .status)";
    let (before, after) = (sh(&format!("{}.before.json", object.name)), sh(&format!("{}.json", object.name)));
    let replace =
        |file: &str| format!("kubectl {namespace}delete pvc {name} && kubectl {namespace}create -f {file}");
    change(
        summary,
        format!("kubectl get storageclass; kubectl {namespace}describe pvc {name}"),
        format!(
            "kubectl {namespace}get pvc {name} -o json | jq {} > {before} && jq {} {before} > {after} && {}",
            sh(strip),
            sh(set),
            replace(&after)
        ),
        replace(&before),
        format!("kubectl {namespace}get pvc {name}"),
        Risk::Low,
    )
}

pub(super) fn no_default(facts: &Facts<'_>, claim: &Claim<'_, '_>) -> Draft {
    let name = claim.object.name();
    let is_default = |class: &&Object<'_>| class.annotation(DEFAULT_CLASS) == Some("true");
    let default = facts.all("StorageClass").iter().find(is_default);
    let classes = class_names(facts);
    let why = match default {
        Some(class) => {
            format!("There is a default now ({}), but there was none when the claim was made.", class.name())
        }
        None if classes.is_empty() && facts.was_read("StorageClass") => {
            "The cluster has no StorageClass.".to_owned()
        }
        None if classes.is_empty() => String::new(),
        None => format!(
            "None of the classes is marked as default: {}. New EKS clusters have no default class.",
            shorten(&classes.join(", "), 200)
        ),
    };
    let draft = claim
        .draft(
            "no-default-storage-class",
            format!("PersistentVolumeClaim {name} names no StorageClass, and there is no default"),
        )
        .summary(format!(
            "{why} Without a class, a claim waits for a volume that was made by hand.{}",
            claim.impact()
        ))
        .evidence([absent(claim.object.reference(), "the claim has no storageClassName")]);
    let usable = usable_class(facts).or(classes.first().copied());
    let mark = usable.map(|class| {
        let class = sh(class);
        change(
            "Mark a class as the default (Kubernetes 1.28 and newer then give it to waiting claims)",
            "kubectl get storageclass",
            format!("kubectl annotate storageclass {class} {DEFAULT_CLASS}=true --overwrite"),
            format!("kubectl annotate storageclass {class} {DEFAULT_CLASS}-"),
            kubectl::get(&claim.object.reference(), ""),
            Risk::Medium,
        )
    });
    draft
        .remedy(recreate(claim, "Make the claim again with storageClassName", &set_class(usable)))
        .remedies(mark)
}
