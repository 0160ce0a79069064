//! Volumes that cannot be mounted (H9, D14). ConfigMaps and Secrets are not looked at here.

use serde_json::Value;

use crate::diagnosis::draft::{self, Draft, advice, change};
use crate::diagnosis::facts::{Facts, Key, KubeEvent, Object, Pod, Read, Workload};
use crate::diagnosis::report::{Confidence, Risk};
use crate::diagnosis::rules::kubectl;
use crate::diagnosis::rules::pods::Group;

use super::attaching::quoted;
use super::provisioning::{driver_workloads, said};

/// A volume of a pod, and what stands behind it.
pub(super) struct Mounted<'a> {
    /// Its place in the pod's list of volumes.
    index: usize,
    spec: &'a Value,
    pub(super) claim: Option<Object<'a>>,
    pub(super) volume: Option<Object<'a>>,
    pub(super) driver: Option<&'a str>,
}

impl<'a> Mounted<'a> {
    /// Who can repair it: the volume, where somebody wrote it by hand; else the claim.
    pub(super) fn to_repair(&self) -> Option<Object<'a>> {
        let made = |volume: &Object<'_>| volume.annotation("pv.kubernetes.io/provisioned-by").is_some();
        match self.volume {
            Some(volume) if !made(&volume) => Some(volume),
            _ => self.claim,
        }
    }

    /// Written in the pod itself.
    fn is_inline(&self) -> bool {
        ["hostPath", "nfs", "csi", "iscsi", "awsElasticBlockStore"]
            .iter()
            .any(|kind| self.spec.get(kind).is_some())
    }

    fn is_claim(&self) -> bool {
        self.spec.get("persistentVolumeClaim").is_some() || self.spec.get("ephemeral").is_some()
    }
}

/// A pod's volume by its own name or by that of its PersistentVolume: messages use both.
pub(super) fn mounted<'a>(facts: &Facts<'a>, pod: &Pod<'a>, name: &str) -> Option<Mounted<'a>> {
    let volumes = pod.value().list("/spec/volumes").iter().enumerate();
    let mut all = volumes.map(|(index, spec)| resolve(facts, pod, index, spec));
    all.find(|mounted| {
        let volume = mounted.claim.map(|claim| claim.value().text("/spec/volumeName"));
        mounted.spec.text("/name") == name || volume == Some(name)
    })
}

fn resolve<'a>(facts: &Facts<'a>, pod: &Pod<'a>, index: usize, spec: &'a Value) -> Mounted<'a> {
    let namespace = pod.object.namespace();
    let ephemeral = || {
        spec.get("ephemeral")?;
        let name = format!("{}-{}", pod.object.name(), spec.text("/name"));
        facts.get("PersistentVolumeClaim", namespace, &name)
    };
    let named = spec.maybe_text("/persistentVolumeClaim/claimName");
    let claim = named.and_then(|name| facts.get("PersistentVolumeClaim", namespace, name)).or_else(ephemeral);
    let volume =
        claim.and_then(|claim| facts.get("PersistentVolume", "", claim.value().text("/spec/volumeName")));
    let driver = volume.and_then(|volume| volume.value().maybe_text("/spec/csi/driver"));
    Mounted { index, spec, claim, volume, driver: driver.or_else(|| spec.maybe_text("/csi/driver")) }
}

/// A finding where a volume that is no ConfigMap or Secret cannot be mounted.
pub(super) fn check<'a>(facts: &Facts<'a>, group: &Group<'_, 'a>) -> Option<Draft> {
    group.cases.iter().find_map(|case| {
        let complaints = complaints(facts, case.pod);
        // `Unable to attach or mount volumes` says only that something takes too long: the others say what.
        let telling = complaints.iter().find(|(event, _)| !event.message.starts_with("Unable to"));
        let (event, volume) = telling.or(complaints.first())?;
        Some(failed(facts, group, case.pod, volume, event))
    })
}

fn complaints<'a>(facts: &Facts<'a>, pod: &Pod<'a>) -> Vec<(KubeEvent<'a>, Mounted<'a>)> {
    let reasons = ["FailedMount", "FailedMapVolume"];
    let events = facts.events(pod.object).filter(|event| reasons.contains(&event.reason));
    let found = events.filter_map(|event| Some((event, mounted(facts, pod, volume_name(event.message)?)?)));
    found.filter(|(_, volume)| volume.is_claim() || volume.is_inline()).collect()
}

/// `for volume "pvc-1"`, or the first of `unmounted volumes=[data cache]`.
fn volume_name(message: &str) -> Option<&str> {
    let listed = || {
        let (_, list) = message.split_once("unmounted volumes=[")?;
        list.split([']', ' ', ',']).next()
    };
    quoted(message, "for volume \"").or_else(listed)
}

/// Why mounting fails, as the kubelet or the driver says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    NotRegistered,
    HostPath,
    Unreachable,
    Denied,
    FileSystem,
    NotFound,
    Slow,
    Other,
}

/// Fragments in lower case, in the order in which they decide.
#[rustfmt::skip]
const SIGNS: &[(Failure, &[&str])] = &[
    (Failure::NotRegistered, &["list of registered csi drivers"]),
    (Failure::HostPath, &["hostpath type check failed"]),
    (Failure::FileSystem, &["wrong fs type", "bad superblock", "fsck", "structure needs cleaning"]),
    (Failure::Denied, &["access denied", "permission denied", "accessdenied", "not authorized", "operation not permitted"]),
    (Failure::Unreachable, &["connection timed out", "no route to host", "connection refused", "failed to resolve", "no such host", "name or service not known", "host is down", "could not resolve"]),
    (Failure::NotFound, &["no such file or directory", "does not exist", "not found", "notfound"]),
    (Failure::Slow, &["timed out waiting for the condition", "context deadline exceeded", "deadlineexceeded"]),
];

impl Failure {
    fn of(message: &str) -> Self {
        let message = message.to_lowercase();
        let found = SIGNS.iter().find(|(_, signs)| signs.iter().any(|sign| message.contains(sign)));
        found.map_or(Self::Other, |(failure, _)| *failure)
    }

    fn in_short(self) -> &'static str {
        match self {
            Self::NotRegistered => "its CSI driver does not run on the node",
            Self::HostPath => "the path on the node is missing or of another type",
            Self::Unreachable => "the file server cannot be reached",
            Self::Denied => "the file server or device denies access",
            Self::FileSystem => "its file system cannot be read",
            Self::NotFound => "what it names does not exist",
            Self::Slow => "it does not become ready",
            Self::Other => "mounting fails",
        }
    }

    fn rule(self) -> &'static str {
        match self {
            Self::NotRegistered => "csi-driver-not-on-node",
            Self::HostPath => "host-path-unusable",
            _ => "volume-mount-failed",
        }
    }
}

fn failed<'a>(
    facts: &Facts<'a>,
    group: &Group<'_, 'a>,
    pod: &Pod<'a>,
    volume: &Mounted<'a>,
    event: &KubeEvent<'a>,
) -> Draft {
    let failure = Failure::of(event.message);
    let of = match volume.claim {
        Some(claim) => format!("PersistentVolumeClaim {}", claim.name()),
        None => format!("volume {}", volume.spec.text("/name")),
    };
    let says = said(event.message);
    let title = format!("{} cannot mount {of}: {}", group.name(), failure.in_short());
    let confidence = if failure == Failure::Slow { Confidence::Likely } else { Confidence::Certain };
    let mut draft = group
        .draft(failure.rule(), title)
        .confidence(confidence)
        .summary(format!("The kubelet says: {says}.{}", group.impact()))
        .cause(format!("{failure:?}"))
        .explained_by(pod.node().map(|node| Key::new("Node", "", node)))
        .evidence([draft::event(event)])
        .evidence(source_field(group, volume));
    if failure == Failure::NotRegistered {
        return not_registered(facts, draft, volume, event, group.workload);
    }
    if let Some(object) = volume.to_repair().filter(|_| !volume.is_inline()) {
        draft.object = object.reference();
        draft.breaks.push(object.key());
    }
    let check = kubectl::describe(&pod.object.reference());
    match volume.is_inline() {
        true => draft.remedy(change(
            "Correct the volume in the pod template",
            check,
            kubectl::edit(&group.workload.reference),
            kubectl::undo(group.workload),
            kubectl::verify(group.workload),
            Risk::Low,
        )),
        false => draft.remedy(advice(
            "Remove the reason that the kubelet gives; it tries again by itself",
            check,
            kubectl::verify(group.workload),
        )),
    }
}

fn source_field(group: &Group<'_, '_>, volume: &Mounted<'_>) -> Option<crate::diagnosis::report::Evidence> {
    let sources = ["/spec/csi", "/spec/nfs", "/spec/hostPath", "/spec/local"];
    let of_volume = volume.volume.and_then(|found| sources.iter().find_map(|at| draft::field(found, at)));
    of_volume.or_else(|| group.spec_field(&format!("/volumes/{}", volume.index)))
}

/// The driver's DaemonSet is not on the node, or nowhere.
fn not_registered(
    facts: &Facts<'_>,
    mut draft: Draft,
    volume: &Mounted<'_>,
    event: &KubeEvent<'_>,
    workload: &Workload<'_>,
) -> Draft {
    let named = event.message.split_once("driver name ").and_then(|(_, rest)| rest.split_whitespace().next());
    let driver = volume.driver.or(named).unwrap_or_default();
    let plugins = driver_workloads(facts, driver, &["DaemonSet"]);
    draft = draft.explained_by(plugins.iter().map(Workload::key));
    if let [plugin] = plugins.as_slice() {
        draft.object = plugin.reference.clone();
        draft.title = format!(
            "DaemonSet {} does not run on the node of {}, which needs CSI driver {driver}",
            plugin.reference.name, workload.reference.name
        );
    }
    draft.remedy(advice(
        format!("Get the node plugin of {driver} to run on the node (tolerations, affinity), or install the driver"),
        "kubectl get csidrivers; kubectl get csinodes; kubectl get pods -A -o wide | grep csi",
        kubectl::verify(workload),
    ))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(
        "MountVolume.MountDevice failed for volume \"pvc-1\" : kubernetes.io/csi: attacher.MountDevice failed to create newCsiDriverClient: driver name efs.csi.aws.com not found in the list of registered CSI drivers",
        Failure::NotRegistered
    )]
    #[case(
        "MountVolume.SetUp failed for volume \"logs\" : hostPath type check failed: /var/x is not a directory",
        Failure::HostPath
    )]
    #[case(
        "MountVolume.SetUp failed for volume \"nfs\" : mount failed: exit status 32 Output: mount.nfs: Connection timed out",
        Failure::Unreachable
    )]
    #[case(
        "Output: Failed to resolve \"fs-1.efs.eu-west-1.amazonaws.com\" - check that your file system ID is correct",
        Failure::Unreachable
    )]
    #[case("mount.nfs4: access denied by server while mounting 10.0.0.1:/", Failure::Denied)]
    #[case("mount: wrong fs type, bad option, bad superblock on /dev/nvme1n1", Failure::FileSystem)]
    #[case(
        "mount.nfs: mounting 10.0.0.1:/x failed, reason given by server: No such file or directory",
        Failure::NotFound
    )]
    #[case(
        "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[data]: timed out waiting for the condition",
        Failure::Slow
    )]
    fn the_kubelet_says_why(#[case] message: &str, #[case] failure: Failure) {
        assert_eq!(Failure::of(message), failure);
    }

    #[rstest]
    #[case("MountVolume.SetUp failed for volume \"pvc-1\" : x", Some("pvc-1"))]
    #[case(
        "Unable to attach or mount volumes: unmounted volumes=[data cache], unattached volumes=[]",
        Some("data")
    )]
    #[case("nothing", None)]
    fn messages_name_their_volume(#[case] message: &str, #[case] name: Option<&str>) {
        assert_eq!(volume_name(message), name);
    }
}
