//! Claims for which a volume has to be made: the class does not exist, there is no default, nobody makes volumes, or the
//! maker fails (H1, H2, H4, H5).

use serde_json::Value;

use crate::diagnosis::draft::{self, Draft, absent, advice, change, in_namespace, kubectl_name, sh, shorten};
use crate::diagnosis::facts::{Facts, Key, KubeEvent, Object, Read, Workload, nearest, reference};
use crate::diagnosis::report::{Confidence, Risk};
use crate::diagnosis::rules::kubectl;

use super::{Claim, classes};

/// Marks a class whose volumes are made by hand.
const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";
/// A driver that has begun is given this long, in seconds.
const AT_WORK: i64 = 900;

/// A finding where a volume should be made for the claim; `None` where it can only be matched with one that exists.
pub(super) fn check<'a>(facts: &Facts<'a>, claim: &Claim<'_, 'a>) -> Option<Draft> {
    match claim.class {
        Some("") => None,
        Some(class) => match facts.get("StorageClass", "", class) {
            Some(class) => made(facts, claim, class),
            // Volumes that were made by hand may carry the name of a class that does not exist.
            None if has_volume_of(facts, class) => None,
            None if is_known_missing(facts, claim) => Some(classes::missing(facts, claim, class)),
            None => Some(match failed(facts, claim) {
                Some(event) => failing(claim, class, None, &event),
                None => unmade(claim, class),
            }),
        },
        None if has_classless_volume(facts) => None,
        None => Some(classes::no_default(facts, claim)),
    }
}

fn has_volume_of(facts: &Facts<'_>, class: &str) -> bool {
    facts.all("PersistentVolume").iter().any(|volume| class_of_volume(*volume) == class)
}

fn is_known_missing<'a>(facts: &Facts<'a>, claim: &Claim<'_, 'a>) -> bool {
    let says_so =
        |event: KubeEvent<'_>| event.message.contains("storageclass") && event.message.contains("not found");
    let told = failed(facts, claim).is_some_and(says_so);
    facts.was_read("StorageClass") || told
}

pub(super) fn class_of_volume(volume: Object<'_>) -> &str {
    let beta = volume.annotation("volume.beta.kubernetes.io/storage-class");
    beta.unwrap_or_else(|| volume.value().text("/spec/storageClassName"))
}

fn has_classless_volume(facts: &Facts<'_>) -> bool {
    facts.all("PersistentVolume").iter().any(|volume| {
        class_of_volume(*volume).is_empty() && volume.value().text("/status/phase") == "Available"
    })
}

pub(super) fn failed<'a>(facts: &Facts<'a>, claim: &Claim<'_, 'a>) -> Option<KubeEvent<'a>> {
    facts.events(claim.object).find(|event| event.reason == "ProvisioningFailed")
}

/// The class could not be read, and nobody says why there is no volume.
fn unmade(claim: &Claim<'_, '_>, class: &str) -> Draft {
    let name = claim.object.name();
    claim
        .draft(
            "provisioning-failed",
            format!("No volume has been made for PersistentVolumeClaim {name} (StorageClass {class})"),
        )
        .confidence(Confidence::Possible)
        .summary(format!(
            "StorageClasses could not be read, so it is not known who should make it.{}",
            claim.impact()
        ))
        .cause(class)
        .evidence(class_field(claim))
        .remedy(advice(
            "Look at the class and at the events of the claim",
            format!(
                "kubectl get storageclass {}; {}",
                sh(class),
                kubectl::describe(&claim.object.reference())
            ),
            kubectl::get(&claim.object.reference(), ""),
        ))
}

pub(super) fn class_field(claim: &Claim<'_, '_>) -> Option<crate::diagnosis::report::Evidence> {
    let beta = "/metadata/annotations/volume.beta.kubernetes.io~1storage-class";
    draft::field(claim.object, beta).or_else(|| draft::field(claim.object, "/spec/storageClassName"))
}

/// The class exists and volumes are made for it.
fn made<'a>(facts: &Facts<'a>, claim: &Claim<'_, 'a>, class: Object<'a>) -> Option<Draft> {
    let provisioner = class.value().text("/provisioner");
    if provisioner == NO_PROVISIONER {
        return None;
    }
    Some(match failed(facts, claim) {
        Some(event) => failing(claim, class.name(), Some(class), &event),
        None => unanswered(facts, claim, class, provisioner),
    })
}

/// Some drivers take minutes, and say that they have begun.
pub(super) fn is_at_work<'a>(facts: &Facts<'a>, claim: &Claim<'_, 'a>) -> bool {
    if failed(facts, claim).is_some() {
        return false;
    }
    let begun = facts.events(claim.object).find(|event| event.reason == "Provisioning");
    begun.and_then(|event| event.last).is_some_and(|time| facts.seconds_since(time) < AT_WORK)
}

/// Why a provisioner fails, as its message says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    AccessMode,
    Parameter,
    Denied,
    Quota,
    Topology,
    Other,
}

/// Fragments in lower case, in the order in which they decide.
#[rustfmt::skip]
const SIGNS: &[(Failure, &[&str])] = &[
    (Failure::AccessMode, &["volume capabilities not supported", "multi_node_multi_writer", "access mode", "accessmodes"]),
    (Failure::Denied, &["unauthorizedoperation", "accessdenied", "access denied", "not authorized", "nocredentialproviders", "no ec2 imds role", "failed to refresh cached credentials", "assumerolewithwebidentity", "forbidden"]),
    (Failure::Quota, &["limitexceeded", "limit exceeded", "quota", "maxspot", "resourceexhausted"]),
    (Failure::Parameter, &["invalid parameter", "unknown parameter", "invalid option", "invalid aws volumetype", "invalid storageclass", "parse parameters", "invalidparameter", "unsupported volume type", "not a valid"]),
    (Failure::Topology, &["no available topology", "topology", "availability zone", "no topology key found"]),
];

impl Failure {
    fn of(message: &str) -> Self {
        let message = message.to_lowercase();
        let found = SIGNS.iter().find(|(_, signs)| signs.iter().any(|sign| message.contains(sign)));
        found.map_or(Self::Other, |(failure, _)| *failure)
    }

    fn in_short(self) -> &'static str {
        match self {
            Self::AccessMode => "the storage does not support the access mode",
            Self::Parameter => "the class has a parameter that the provisioner refuses",
            Self::Denied => "the provisioner is not allowed to make it",
            Self::Quota => "a quota is used up",
            Self::Topology => "there is no zone or node to make it in",
            Self::Other => "the provisioner reports an error",
        }
    }

    fn explanation(self) -> &'static str {
        match self {
            Self::AccessMode => {
                "Block storage such as EBS attaches to one node (ReadWriteOnce); ReadWriteMany needs a file system such as EFS."
            }
            Self::Parameter => "Every claim of the class fails alike.",
            Self::Denied => {
                "The role of the CSI driver's controller lacks the permission (for EBS: AmazonEBSCSIDriverPolicy, and the key's policy where the volume is encrypted), or the controller gets no credentials (service account without role, metadata service out of reach)."
            }
            Self::Quota => "The account or project may not have more volumes of this kind or size.",
            Self::Topology => {
                "The driver runs on no node that the class or the pod allows, or has not registered its zone there."
            }
            Self::Other => "Its message is in the evidence.",
        }
    }
}

/// What a driver says, without the wrapping of gRPC and the full stop.
pub(super) fn said(message: &str) -> String {
    let inner = message.rsplit("desc = ").next().unwrap_or(message);
    shorten(inner.trim().trim_end_matches('.'), 300)
}

fn failing(claim: &Claim<'_, '_>, class: &str, object: Option<Object<'_>>, event: &KubeEvent<'_>) -> Draft {
    let failure = Failure::of(event.message);
    let name = claim.object.name();
    let says = said(event.message);
    let title = format!("No volume can be made for PersistentVolumeClaim {name}: {}", failure.in_short());
    let rule = match failure {
        Failure::AccessMode => "access-mode-unsupported",
        Failure::Denied => "provisioning-denied",
        Failure::Parameter | Failure::Quota | Failure::Topology | Failure::Other => "provisioning-failed",
    };
    let mut draft = claim
        .draft(rule, title)
        .summary(format!("{} The provisioner says: {says}.{}", failure.explanation(), claim.impact()))
        .cause(format!("{failure:?}"))
        .evidence([draft::event(event)])
        .evidence(class_field(claim));
    if let (Failure::Parameter, Some(class)) = (failure, object) {
        draft.object = class.reference();
        draft.title = format!("StorageClass {} has a parameter that its provisioner refuses", class.name());
        draft.breaks.push(class.key());
        return draft.evidence(draft::field(class, "/parameters")).remedy(advice(
            "Make the class again with valid parameters (they cannot be changed)",
            kubectl::get(&class.reference(), "yaml"),
            kubectl::get(&claim.object.reference(), ""),
        ));
    }
    match failure {
        Failure::AccessMode => {
            draft.evidence(draft::field(claim.object, "/spec/accessModes")).remedy(classes::recreate(
                claim,
                "Make the claim again with ReadWriteOnce, or with a class that shares volumes",
                r#".spec.accessModes = ["ReadWriteOnce"]"#,
            ))
        }
        _ => draft.remedy(advice(
            format!(
                "Remove the reason that the provisioner of class {class} gives; it tries again by itself"
            ),
            kubectl::describe(&claim.object.reference()),
            kubectl::get(&claim.object.reference(), ""),
        )),
    }
}

/// Nobody answers the claim.
fn unanswered<'a>(facts: &Facts<'a>, claim: &Claim<'_, 'a>, class: Object<'a>, provisioner: &str) -> Draft {
    let controllers = controllers(facts, provisioner);
    let waits = facts.events(claim.object).find(|event| event.reason == "ExternalProvisioning");
    let name = claim.object.name();
    let stopped = controllers.iter().find(|controller| controller.desired() == Some(0));
    let known = facts.get("CSIDriver", "", current_name(provisioner)).is_some();
    let state = match (controllers.is_empty(), known) {
        (true, false) => "which is not installed",
        (true, true) => "of which no controller runs",
        (false, _) => "which does not answer",
    };
    let title = format!("PersistentVolumeClaim {name} waits for provisioner {provisioner}, {state}");
    let rule = if controllers.is_empty() { "provisioner-missing" } else { "provisioner-silent" };
    let hint = if provisioner == "kubernetes.io/aws-ebs" {
        " The in-tree driver was replaced by the EBS CSI driver (add-on aws-ebs-csi-driver)."
    } else {
        ""
    };
    let mut draft = claim
        .draft(rule, title)
        .confidence(Confidence::Likely)
        .summary(format!(
            "StorageClass {} leaves the making of volumes to {provisioner}.{hint}{}",
            class.name(),
            claim.impact()
        ))
        .cause(provisioner)
        .explained_by(controllers.iter().map(Workload::key))
        .evidence(draft::field(class, "/provisioner"))
        .evidence(class_field(claim))
        .evidence(waits.map(|event| draft::event(&event)));
    if !known && facts.was_read("CSIDriver") {
        let driver = reference("storage.k8s.io/v1", "CSIDriver", "", current_name(provisioner));
        draft =
            draft.evidence([absent(driver, format!("there is no CSIDriver {}", current_name(provisioner)))]);
    }
    if let Some(controller) = stopped {
        return stopped_controller(draft, controller, provisioner);
    }
    let drivers = facts.all("CSIDriver").iter().map(|driver| driver.name());
    let may_be_slip = controllers.is_empty() && !known && !is_well_known(provisioner);
    match nearest(provisioner, drivers).filter(|_| may_be_slip) {
        Some(meant) => misspelt(draft, class, provisioner, meant),
        None => draft.remedy(advice(
            "Install or heal the driver (on EKS an add-on, such as aws-ebs-csi-driver), or use a class whose driver is there",
            "kubectl get csidrivers; kubectl get storageclass; kubectl get pods -A | grep csi",
            kubectl::get(&claim.object.reference(), ""),
        )),
    }
}

fn stopped_controller(mut draft: Draft, controller: &Workload<'_>, provisioner: &str) -> Draft {
    let object = &controller.reference;
    let (namespace, name) = (in_namespace(object), kubectl_name(object));
    draft.title =
        format!("{} {} is scaled to 0, so no volumes are made by {provisioner}", object.kind, object.name);
    draft.breaks.push(Key::from(object));
    draft.explained_by.clear();
    let replicas = controller.object.and_then(|object| draft::field(object, "/spec/replicas"));
    draft.object = object.clone();
    draft.evidence(replicas).remedy(change(
        "Start the controller again",
        kubectl::get(object, ""),
        format!("kubectl {namespace}scale {name} --replicas=2"),
        format!("kubectl {namespace}scale {name} --replicas=0"),
        kubectl::verify(controller),
        Risk::Low,
    ))
}

fn misspelt(mut draft: Draft, class: Object<'_>, provisioner: &str, meant: &str) -> Draft {
    draft.title = format!(
        "StorageClass {} names provisioner {provisioner}, which is not installed; {meant} is",
        class.name()
    );
    draft.breaks.push(class.key());
    draft.object = class.reference();
    draft.remedy(advice(
        format!("Make the class again with provisioner {meant} (it cannot be changed)"),
        kubectl::get(&class.reference(), "yaml"),
        "kubectl get pvc -A",
    ))
}

/// Drivers whose names differ by a letter from others, and are no slips.
fn is_well_known(provisioner: &str) -> bool {
    let known = [
        "ebs.csi.aws.com",
        "efs.csi.aws.com",
        "fsx.csi.aws.com",
        "s3.csi.aws.com",
        "ebs.csi.eks.amazonaws.com",
    ];
    known.contains(&provisioner) || current_name(provisioner) != provisioner
}

/// The name under which an in-tree driver lives on.
fn current_name(provisioner: &str) -> &str {
    match provisioner {
        "kubernetes.io/aws-ebs" => "ebs.csi.aws.com",
        "kubernetes.io/gce-pd" => "pd.csi.storage.gke.io",
        "kubernetes.io/azure-disk" => "disk.csi.azure.com",
        "kubernetes.io/azure-file" => "file.csi.azure.com",
        "kubernetes.io/cinder" => "cinder.csi.openstack.org",
        "kubernetes.io/vsphere-volume" => "csi.vsphere.vmware.com",
        other => other,
    }
}

/// The workloads that make, attach and mount volumes of a driver: `ebs.csi.aws.com` by `ebs-csi-…`,
/// `rancher.io/local-path` by `local-path-…`, or because their arguments name the driver.
pub(super) fn driver_workloads<'a>(facts: &Facts<'a>, driver: &str, kinds: &[&str]) -> Vec<Workload<'a>> {
    let driver = current_name(driver);
    let stem = match (driver.split_once(".csi."), driver.rsplit_once('/')) {
        (Some((first, _)), _) => format!("{first}-csi"),
        (None, Some((_, last))) => last.to_owned(),
        (None, None) => driver.to_owned(),
    };
    let names_it = |value: &Value| {
        let containers = value.list("/spec/template/spec/containers").iter();
        let words = containers.clone().flat_map(|container| container.list("/args"));
        let values =
            containers.flat_map(|container| container.list("/env")).filter_map(|env| env.get("value"));
        words.chain(values).filter_map(Value::as_str).any(|word| word.contains(driver))
    };
    let all = kinds.iter().flat_map(|kind| facts.all(kind));
    let found = all.filter(|object| object.name().contains(&stem) || names_it(object.value()));
    found.map(|object| Workload::of(*object)).collect()
}

fn controllers<'a>(facts: &Facts<'a>, provisioner: &str) -> Vec<Workload<'a>> {
    driver_workloads(facts, provisioner, &["Deployment", "StatefulSet"])
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::denied(r#"failed to provision volume with StorageClass "gp3": rpc error: code = Internal desc = Could not create volume "pvc-1": could not create volume in EC2: operation error EC2: CreateVolume, https response error StatusCode: 403, RequestID: 1, api error UnauthorizedOperation: You are not authorized to perform this operation."#, Failure::Denied)]
    #[case::no_role(
        "could not create volume in EC2: NoCredentialProviders: no valid providers in chain",
        Failure::Denied
    )]
    #[case::shared(r#"failed to provision volume with StorageClass "gp3": rpc error: code = InvalidArgument desc = Volume capabilities MULTI_NODE_MULTI_WRITER not supported. Only AccessModes[ReadWriteOnce] supported."#, Failure::AccessMode)]
    #[case::quota(
        "VolumeLimitExceeded: You have exceeded the maximum gp3 storage limit of 50 TiB",
        Failure::Quota
    )]
    #[case::parameter(r#"invalid parameter "iopsPerGBB" for storageclass"#, Failure::Parameter)]
    #[case::topology(
        "error generating accessibility requirements: no available topology found",
        Failure::Topology
    )]
    #[case::other("rpc error: code = DeadlineExceeded desc = context deadline exceeded", Failure::Other)]
    fn the_provisioner_says_why(#[case] message: &str, #[case] failure: Failure) {
        assert_eq!(Failure::of(message), failure);
    }
}
