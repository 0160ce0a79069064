//! Volumes that cannot be attached to the node of their pod (H7, H8).

use crate::diagnosis::draft::{self, Draft, advice, change, in_namespace, kubectl_name};
use crate::diagnosis::facts::{Facts, Key, KubeEvent, Object, Pod, Read, Workload};
use crate::diagnosis::report::{Confidence, Evidence, Remediation, Risk};
use crate::diagnosis::rules::kubectl;
use crate::diagnosis::rules::pods::{self, Group};

use super::mounting::{Mounted, mounted};
use super::provisioning::{driver_workloads, said};

/// An attachment that does not come about.
struct Attempt<'f, 'a> {
    pod: &'f Pod<'a>,
    volume: Option<Mounted<'a>>,
    /// What the controller or the driver says; empty where it is computed only.
    text: &'a str,
    evidence: Option<Evidence>,
    is_elsewhere: bool,
}

/// A finding where a volume of the group's pods is not attached: by event, by what its VolumeAttachment says (which does
/// not expire), or because a living pod on another node has it.
pub(super) fn check<'a>(facts: &Facts<'a>, group: &Group<'_, 'a>) -> Option<Draft> {
    let pods = || group.cases.iter().map(|case| case.pod);
    let attempt = pods()
        .find_map(|pod| told(facts, pod))
        .or_else(|| pods().find_map(|pod| recorded(facts, pod)))
        .or_else(|| pods().find_map(|pod| held(facts, pod)))?;
    match attempt.is_elsewhere {
        true => Some(multi_attach(facts, group, attempt)),
        false => Some(failed(facts, group, attempt)),
    }
}

/// By the newest event about attaching that no success has followed.
fn told<'f, 'a>(facts: &Facts<'a>, pod: &'f Pod<'a>) -> Option<Attempt<'f, 'a>> {
    let name = |event: &KubeEvent<'a>| quoted(event.message, "for volume \"");
    let mut attached = Vec::new();
    for event in facts.events(pod.object) {
        match event.reason {
            "SuccessfulAttachVolume" => attached.extend(name(&event)),
            "FailedAttachVolume" if name(&event).is_none_or(|name| !attached.contains(&name)) => {
                return Some(Attempt {
                    pod,
                    volume: name(&event).and_then(|name| mounted(facts, pod, name)),
                    text: event.message,
                    evidence: Some(draft::event(&event)),
                    is_elsewhere: event.message.contains("Multi-Attach"),
                });
            }
            _ => {}
        }
    }
    None
}

/// By the error in the VolumeAttachment of one of the pod's volumes to its node.
fn recorded<'f, 'a>(facts: &Facts<'a>, pod: &'f Pod<'a>) -> Option<Attempt<'f, 'a>> {
    let attachments = facts.all("VolumeAttachment").iter().filter(|attachment| {
        pod.node().is_some_and(|node| attachment.value().text("/spec/nodeName") == node)
    });
    let mut failed = attachments.filter(|attachment| !attachment.value().flag("/status/attached"));
    failed.find_map(|attachment| {
        let text = attachment.value().maybe_text("/status/attachError/message")?;
        let volume = mounted(facts, pod, attachment.value().text("/spec/source/persistentVolumeName"))?;
        let evidence = draft::field(*attachment, "/status/attachError/message");
        Some(Attempt { pod, volume: Some(volume), text, evidence, is_elsewhere: false })
    })
}

/// By a living pod on another node that mounts a claim which one node can have.
fn held<'f, 'a>(facts: &Facts<'a>, pod: &'f Pod<'a>) -> Option<Attempt<'f, 'a>> {
    let names = super::scheduling::claim_names(pod);
    let claims =
        names.iter().filter_map(|name| facts.get("PersistentVolumeClaim", pod.object.namespace(), name));
    let is_shared = |claim: &Object<'_>| {
        let modes = claim.value().list("/spec/accessModes");
        modes.iter().any(|mode| mode == "ReadWriteMany" || mode == "ReadOnlyMany")
    };
    let held = claims.filter(|claim| !is_shared(claim)).find(|claim| holder(facts, *claim, pod).is_some())?;
    let volume = mounted(facts, pod, held.value().text("/spec/volumeName"));
    Some(Attempt { pod, volume, text: "", evidence: None, is_elsewhere: true })
}

/// The text between `before` and the next quote.
pub(super) fn quoted<'t>(text: &'t str, before: &str) -> Option<&'t str> {
    text.split_once(before)?.1.split('"').next()
}

/// The volume is attached to another node, and may be attached to one only.
fn multi_attach<'a>(facts: &Facts<'a>, group: &Group<'_, 'a>, attempt: Attempt<'_, 'a>) -> Draft {
    let claim = attempt.volume.as_ref().and_then(|volume| volume.claim);
    let holder = claim.and_then(|claim| holder(facts, claim, attempt.pod));
    let name = claim.map_or("of the pod", |claim| claim.name());
    let at = holder
        .and_then(|holder| Some(format!(" by pod {} on node {}", holder.object.name(), holder.node()?)));
    let title = format!(
        "{}: the volume of claim {name} is attached elsewhere{} (Multi-Attach)",
        group.name(),
        at.unwrap_or_default()
    );
    let is_own = holder.is_some_and(|holder| holder.workload.key() == group.workload.key());
    let why = match (holder, is_own) {
        (Some(_), true) if group.workload.kind() == "Deployment" => {
            "A ReadWriteOnce volume attaches to one node. The Deployment starts a new pod before the old one has ended (RollingUpdate), or has more replicas than one, and the new pod is on another node."
        }
        (Some(_), true) => {
            "A ReadWriteOnce volume attaches to one node, and two pods of the workload on two nodes mount it."
        }
        (Some(_), false) => {
            "A ReadWriteOnce volume attaches to one node, and a pod of another workload on another node mounts the same claim."
        }
        (None, _) => {
            "No living pod mounts it elsewhere: the attachment is left over from a pod or node that is gone. Kubernetes detaches by force after six minutes, if it knows that the node is down."
        }
    };
    let mut draft = group
        .draft("volume-multi-attach", title)
        .summary(format!("{why}{}", group.impact()))
        .cause(name)
        .confidence(if attempt.text.is_empty() { Confidence::Likely } else { Confidence::Certain })
        .evidence(attempt.evidence)
        .evidence(claim.and_then(|claim| draft::field(claim, "/spec/accessModes")))
        .evidence(holder.and_then(|holder| draft::field(holder.object, "/spec/nodeName")));
    if let Some(node) = holder.and_then(|holder| holder.node()).filter(|node| pods::is_node_down(facts, node))
    {
        draft = draft.explained_by([Key::new("Node", "", node)]);
    }
    if let (None, Some(claim)) = (holder, claim) {
        draft.object = claim.reference();
        draft.breaks.push(claim.key());
        draft = draft.evidence(left_over(facts, claim, attempt.pod));
    }
    let recreate =
        (is_own && group.workload.kind() == "Deployment").then(|| recreate_strategy(group.workload));
    draft.remedies(recreate).remedy(advice(
        "Let the pod that holds the volume end, or give each pod a claim of its own (StatefulSet), or share a file system (ReadWriteMany)",
        "kubectl get volumeattachments",
        kubectl::verify(group.workload),
    ))
}

/// The attachment of the claim's volume to another node.
fn left_over(facts: &Facts<'_>, claim: Object<'_>, waiting: &Pod<'_>) -> Option<Evidence> {
    let volume = claim.value().text("/spec/volumeName");
    let mut attachments = facts.all("VolumeAttachment").iter();
    let elsewhere = attachments.find(|attachment| {
        let value = attachment.value();
        value.text("/spec/source/persistentVolumeName") == volume
            && Some(value.text("/spec/nodeName")) != waiting.node()
    });
    draft::field(*elsewhere?, "/spec/nodeName")
}

/// A living pod on another node that mounts the claim.
fn holder<'f, 'a>(facts: &'f Facts<'a>, claim: Object<'a>, waiting: &Pod<'a>) -> Option<&'f Pod<'a>> {
    facts.pods_in(claim.namespace()).find(|pod| {
        let mounts = super::scheduling::claim_names(pod).iter().any(|name| name == claim.name());
        mounts && !pod.is_done() && pod.node().is_some() && pod.node() != waiting.node()
    })
}

fn recreate_strategy(workload: &Workload<'_>) -> Remediation {
    let (namespace, name) = (in_namespace(&workload.reference), kubectl_name(&workload.reference));
    let patch =
        |spec: &str| format!("kubectl {namespace}patch {name} -p '{{\"spec\":{{\"strategy\":{spec}}}}}'");
    change(
        "End the old pod before the new one starts (with one replica; this means a short outage at each rollout)",
        kubectl::get(&workload.reference, "yaml"),
        patch(r#"{"type":"Recreate","rollingUpdate":null}"#),
        patch(r#"{"type":"RollingUpdate"}"#),
        kubectl::verify(workload),
        Risk::Medium,
    )
}

/// Why attaching fails, as the driver says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    Limit,
    Zone,
    Gone,
    Denied,
    InUse,
    /// Nobody attaches: the driver's controller is silent.
    Unanswered,
    /// The driver does not run on the node.
    NotOnNode,
    Other,
}

/// Fragments in lower case, in the order in which they decide.
#[rustfmt::skip]
const SIGNS: &[(Failure, &[&str])] = &[
    (Failure::Limit, &["attachment limit", "attachmentlimitexceeded", "maximum number of attachments", "maximum number of volumes"]),
    (Failure::NotOnNode, &["does not contain driver", "csinode"]),
    (Failure::Unanswered, &["external-attacher", "timed out waiting for the condition", "no volume plugin matched"]),
    (Failure::Zone, &["availability zone", "same zone"]),
    (Failure::Denied, &["unauthorizedoperation", "accessdenied", "not authorized", "no credential"]),
    (Failure::InUse, &["volumeinuse", "already attached", "incorrectstate", "is in use"]),
    (Failure::Gone, &["invalidvolume.notfound", "does not exist", "not found", "notfound"]),
];

impl Failure {
    fn of(message: &str) -> Self {
        let message = message.to_lowercase();
        let found = SIGNS.iter().find(|(_, signs)| signs.iter().any(|sign| message.contains(sign)));
        found.map_or(Self::Other, |(failure, _)| *failure)
    }

    fn in_short(self) -> &'static str {
        match self {
            Self::Limit => "the node has as many volumes attached as it can have",
            Self::Zone => "it is in another availability zone than the node",
            Self::Gone => "the storage behind it does not exist",
            Self::Denied => "the driver is not allowed to attach it",
            Self::InUse => "it is in use by another machine",
            Self::Unanswered => "the driver's controller does not answer",
            Self::NotOnNode => "the driver does not run on the node",
            Self::Other => "the driver reports an error",
        }
    }
}

fn failed<'a>(facts: &Facts<'a>, group: &Group<'_, 'a>, attempt: Attempt<'_, 'a>) -> Draft {
    let Attempt { pod, volume, text, evidence, .. } = attempt;
    let failure = Failure::of(text);
    let claim = volume.as_ref().and_then(|volume| volume.claim);
    let name = claim
        .map_or_else(|| "its volume".to_owned(), |claim| format!("PersistentVolumeClaim {}", claim.name()));
    let says = said(text);
    let mut draft = group
        .draft(
            "volume-attach-failed",
            format!("{name} cannot be attached for {}: {}", group.name(), failure.in_short()),
        )
        .summary(format!(
            "Attaching to node {} fails: {says}.{}",
            pod.node().unwrap_or_default(),
            group.impact()
        ))
        .cause(format!("{failure:?}"))
        .explained_by(pod.node().map(|node| Key::new("Node", "", node)))
        .evidence(evidence)
        .evidence(volume.as_ref().and_then(|volume| draft::field(volume.volume?, "/spec/csi/volumeHandle")));
    if let Some(driver) = volume.as_ref().and_then(|volume| volume.driver) {
        let kinds: &[&str] = match failure {
            Failure::Unanswered => &["Deployment", "StatefulSet"],
            Failure::NotOnNode => &["DaemonSet"],
            _ => &[],
        };
        draft = draft.explained_by(driver_workloads(facts, driver, kinds).iter().map(Workload::key));
    }
    if failure != Failure::Limit
        && let Some(object) = volume.and_then(|volume| volume.to_repair())
    {
        draft.object = object.reference();
        draft.breaks.push(object.key());
    }
    draft.remedy(advice(
        "Remove the reason that the driver gives; it tries again by itself",
        format!("{}; kubectl get volumeattachments", kubectl::describe(&pod.object.reference())),
        kubectl::verify(group.workload),
    ))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(r#"AttachVolume.Attach failed for volume "pvc-1" : rpc error: code = Internal desc = Could not attach volume "vol-1" to node "i-1": attachment of disk "vol-1" failed, expected device to be attached but was attaching; Attachment limit exceeded"#, Failure::Limit)]
    #[case(r#"AttachVolume.Attach failed for volume "pvc-1" : rpc error: code = Internal desc = Could not attach volume "vol-1" to node "i-1": operation error EC2: AttachVolume, api error InvalidVolume.ZoneMismatch: The volume 'vol-1' is not in the same availability zone as instance 'i-1'"#, Failure::Zone)]
    #[case("api error InvalidVolume.NotFound: The volume 'vol-1' does not exist.", Failure::Gone)]
    #[case(
        "api error UnauthorizedOperation: You are not authorized to perform this operation.",
        Failure::Denied
    )]
    #[case("VolumeInUse: vol-1 is already attached to an instance", Failure::InUse)]
    #[case(r#"AttachVolume.Attach failed for volume "pvc-1" : timed out waiting for external-attacher of ebs.csi.aws.com CSI driver to attach volume vol-1"#, Failure::Unanswered)]
    #[case(
        "AttachVolume.Attach failed for volume \"pvc-1\" : CSINode ip-1 does not contain driver ebs.csi.aws.com",
        Failure::NotOnNode
    )]
    fn the_driver_says_why(#[case] message: &str, #[case] failure: Failure) {
        assert_eq!(Failure::of(message), failure);
    }
}
