//! Claims and volumes that do not come together, or not apart (H6, H12, H13).

use crate::diagnosis::draft::{self, Draft, absent, advice, change, in_namespace, sh, shorten};
use crate::diagnosis::facts::{Facts, Object, Read, quantity, reference, selector};
use crate::diagnosis::report::{Risk, Severity};
use crate::diagnosis::rules::kubectl;

use super::provisioning::class_of_volume;
use super::{Claim, DELETION};

/// Why a volume does not suit a claim.
#[derive(Debug, Clone, PartialEq)]
enum Misfit {
    /// It still belongs to the claim of this namespace and name, which is gone.
    Released(String),
    Taken(String),
    NotAvailable(String),
    Class(String),
    TooSmall(String),
    AccessModes(String),
    VolumeMode,
    Selector,
}

impl Misfit {
    fn show(&self) -> String {
        match self {
            Self::Released(former) => format!("it still belongs to the former claim {former}"),
            Self::Taken(by) => format!("it belongs to claim {by}"),
            Self::NotAvailable(phase) => format!("its phase is {phase}"),
            Self::Class(class) if class.is_empty() => "it has no class".to_owned(),
            Self::Class(class) => format!("its class is {class}"),
            Self::TooSmall(size) => format!("it has only {size}"),
            Self::AccessModes(modes) => format!("its access modes are {modes}"),
            Self::VolumeMode => "its volumeMode is another".to_owned(),
            Self::Selector => "the claim's selector does not select it".to_owned(),
        }
    }
}

/// No volume that exists suits the claim, and none is made for it.
pub(super) fn unmatched<'a>(facts: &Facts<'a>, claim: &Claim<'_, 'a>) -> Draft {
    let object = claim.object;
    let name = object.name();
    let wanted = object.value().text("/spec/volumeName");
    if !wanted.is_empty()
        && facts.was_read("PersistentVolume")
        && facts.get("PersistentVolume", "", wanted).is_none()
    {
        return volume_missing(facts, claim, wanted);
    }
    let volumes =
        facts.all("PersistentVolume").iter().filter(|volume| wanted.is_empty() || volume.name() == wanted);
    let mut judged: Vec<(Object<'_>, Vec<Misfit>)> =
        volumes.map(|volume| (*volume, misfits(claim, *volume))).collect();
    judged.sort_by_key(|(volume, misfits)| (misfits.iter().any(is_taken), misfits.len(), volume.name()));
    match judged.first() {
        Some((volume, misfits)) if matches!(misfits.as_slice(), [Misfit::Released(_)]) => {
            return released(claim, *volume);
        }
        _ => {}
    }
    let nearest = judged.first().filter(|(_, misfits)| !misfits.is_empty() && !misfits.iter().any(is_taken));
    let why =
        nearest.map(|(volume, misfits)| format!("; {} comes closest, but {}", volume.name(), shown(misfits)));
    let title = format!("PersistentVolumeClaim {name} finds no PersistentVolume{}", why.unwrap_or_default());
    let binding = facts.events(object).find(|event| event.reason == "FailedBinding");
    claim
        .draft("no-matching-volume", title)
        .summary(format!("No volume is made for this claim, so one has to exist that suits it. {}{}", each(&judged), claim.impact()))
        .cause(nearest.map(|(_, misfits)| shown(misfits)).unwrap_or_default())
        .evidence(draft::field(object, "/spec/resources/requests/storage"))
        .evidence(draft::field(object, "/spec/accessModes"))
        .evidence(draft::field(object, "/spec/storageClassName"))
        .evidence(nearest.and_then(|(volume, misfits)| misfit_field(*volume, misfits.first()?)))
        .evidence(binding.map(|event| draft::event(&event)))
        .remedy(advice(
            "Make a volume that suits the claim, or make the claim again so that a volume suits it",
            "kubectl get pv -o custom-columns=NAME:.metadata.name,SIZE:.spec.capacity.storage,MODES:.spec.accessModes,CLASS:.spec.storageClassName,PHASE:.status.phase,CLAIM:.spec.claimRef.name",
            kubectl::get(&object.reference(), ""),
        ))
}

/// What speaks against each volume; those that belong to others are not worth a word, as long as there are free ones.
fn each(judged: &[(Object<'_>, Vec<Misfit>)]) -> String {
    let free = judged.iter().filter(|(_, misfits)| !misfits.iter().any(is_taken));
    let shown = free.take(5).map(|(volume, misfits)| match misfits.is_empty() {
        true => format!("{}: suits the claim, but cannot be reached from the node of the pod", volume.name()),
        false => format!("{}: {}", volume.name(), shown(misfits)),
    });
    let shown: Vec<String> = shown.collect();
    match (shown.is_empty(), judged.len()) {
        (true, 0) => "None was found.".to_owned(),
        (true, taken) => format!("All of the volumes that exist ({taken}) belong to others."),
        (false, _) => format!("Volumes: {}.", shown.join("; ")),
    }
}

fn is_taken(misfit: &Misfit) -> bool {
    matches!(misfit, Misfit::Taken(_) | Misfit::NotAvailable(_))
}

fn shown(misfits: &[Misfit]) -> String {
    misfits.iter().map(Misfit::show).collect::<Vec<_>>().join(", ")
}

fn misfits(claim: &Claim<'_, '_>, volume: Object<'_>) -> Vec<Misfit> {
    let (wants, has) = (claim.object.value(), volume.value());
    let mut found = Vec::new();
    found.extend(ownership(claim.object, volume));
    let class = class_of_volume(volume);
    if class != claim.class.unwrap_or_default() {
        found.push(Misfit::Class(class.to_owned()));
    }
    let amount = |value: &serde_json::Value, pointer: &str| value.pointer(pointer).and_then(quantity::of);
    let size = amount(has, "/spec/capacity/storage").unwrap_or(0.0);
    if size < amount(wants, "/spec/resources/requests/storage").unwrap_or(0.0) {
        found.push(Misfit::TooSmall(quantity::show("storage", size)));
    }
    let modes = has.list("/spec/accessModes");
    if !wants.list("/spec/accessModes").iter().all(|mode| modes.contains(mode)) {
        let modes: Vec<&str> = modes.iter().filter_map(serde_json::Value::as_str).collect();
        found.push(Misfit::AccessModes(modes.join(", ")));
    }
    let mode =
        |value: &serde_json::Value| value.maybe_text("/spec/volumeMode").unwrap_or("Filesystem").to_owned();
    if mode(wants) != mode(has) {
        found.push(Misfit::VolumeMode);
    }
    if wants.pointer("/spec/selector").is_some_and(|selector| !selector::matches(selector, volume.labels())) {
        found.push(Misfit::Selector);
    }
    found
}

/// Whose the volume is, where it is not this claim's.
fn ownership(claim: Object<'_>, volume: Object<'_>) -> Option<Misfit> {
    let owner = volume.value().pointer("/spec/claimRef").filter(|owner| owner.is_object());
    let phase = volume.value().text("/status/phase");
    let Some(owner) = owner else {
        return (phase == "Failed").then(|| Misfit::NotAvailable(phase.to_owned()));
    };
    let owner_name = format!("{}/{}", owner.text("/namespace"), owner.text("/name"));
    let is_same_name = owner.text("/namespace") == claim.namespace() && owner.text("/name") == claim.name();
    let uid = owner.text("/uid");
    match (phase, is_same_name) {
        (_, true) if uid.is_empty() || uid == claim.uid() => None,
        ("Released", _) => Some(Misfit::Released(owner_name)),
        ("Failed", _) => Some(Misfit::NotAvailable(phase.to_owned())),
        (_, true) => Some(Misfit::Released(owner_name)),
        (_, false) => Some(Misfit::Taken(owner_name)),
    }
}

fn misfit_field(volume: Object<'_>, misfit: &Misfit) -> Option<crate::diagnosis::report::Evidence> {
    let pointer = match misfit {
        Misfit::Released(_) | Misfit::Taken(_) => "/spec/claimRef",
        Misfit::NotAvailable(_) => "/status/phase",
        Misfit::Class(_) => "/spec/storageClassName",
        Misfit::TooSmall(_) => "/spec/capacity/storage",
        Misfit::AccessModes(_) => "/spec/accessModes",
        Misfit::VolumeMode => "/spec/volumeMode",
        Misfit::Selector => "/metadata/labels",
    };
    draft::field(volume, pointer)
}

fn volume_missing(facts: &Facts<'_>, claim: &Claim<'_, '_>, volume: &str) -> Draft {
    let names = facts.all("PersistentVolume").iter().map(|volume| volume.name());
    let hint = crate::diagnosis::facts::nearest(volume, names);
    let hint = hint.map(|near| format!(" {near} may be meant.")).unwrap_or_default();
    let title = format!(
        "PersistentVolumeClaim {} names PersistentVolume {volume}, which does not exist",
        claim.object.name()
    );
    claim
        .draft("no-matching-volume", title)
        .summary(format!(
            "A claim with volumeName waits for that volume and no other.{hint}{}",
            claim.impact()
        ))
        .cause(volume)
        .evidence(draft::field(claim.object, "/spec/volumeName"))
        .evidence([absent(
            reference("v1", "PersistentVolume", "", volume),
            format!("there is no PersistentVolume {volume}"),
        )])
        .remedy(advice(
            "Make the volume, or make the claim again with the right volumeName",
            "kubectl get pv",
            kubectl::get(&claim.object.reference(), ""),
        ))
}

/// The volume would suit, if it did not still belong to a claim that is gone.
fn released(claim: &Claim<'_, '_>, volume: Object<'_>) -> Draft {
    let name = sh(volume.name());
    let title = format!(
        "PersistentVolume {} is Released and still belongs to a former claim, so PersistentVolumeClaim {} cannot have it",
        volume.name(),
        claim.object.name()
    );
    let mut draft = claim
        .draft("volume-released", title)
        .summary(format!("With the reclaim policy Retain, a volume keeps the reference to its claim when that is deleted, and no other claim gets it until the reference is removed.{}", claim.impact()))
        .evidence(draft::field(volume, "/status/phase"))
        .evidence(draft::field(volume, "/spec/claimRef"));
    draft.object = volume.reference();
    draft.breaks.push(volume.key());
    draft.remedy(change(
        "Remove the reference to the former claim, if the data may be used by the new one",
        format!("kubectl get pv {name} -o yaml > volume.yaml; kubectl describe pv {name}"),
        format!(
            "kubectl patch pv {name} --type=json -p '[{{\"op\":\"remove\",\"path\":\"/spec/claimRef\"}}]'"
        ),
        "kubectl replace -f volume.yaml",
        kubectl::get(&claim.object.reference(), ""),
        Risk::Medium,
    ))
}

/// The claim's volume has been deleted under it.
pub(super) fn lost<'a>(facts: &Facts<'a>, claim: &Claim<'_, 'a>) -> Draft {
    let volume = claim.object.value().text("/spec/volumeName");
    let object = reference("v1", "PersistentVolume", "", volume);
    let gone = facts.get("PersistentVolume", "", volume).is_none();
    let event = facts.events(claim.object).find(|event| event.is_warning);
    let state = if gone { "does not exist any more" } else { "belongs to another claim now" };
    claim
        .draft("pvc-lost", format!("PersistentVolumeClaim {} is Lost: its volume {volume} {state}", claim.object.name()))
        .summary(format!("The claim was bound, and its PersistentVolume was deleted or given away. A lost claim never comes back; the data is where the volume was, if that still exists.{}", claim.impact()))
        .cause(volume)
        .evidence(draft::field(claim.object, "/status/phase"))
        .evidence(gone.then(|| absent(object, format!("there is no PersistentVolume {volume}"))))
        .evidence(event.map(|event| draft::event(&event)))
        .remedy(advice(
            "Make the PersistentVolume again from the storage behind it (same name, claimRef to the claim), or restore a snapshot into a new claim",
            "kubectl get pv",
            kubectl::get(&claim.object.reference(), ""),
        ))
}

/// A claim that is being deleted and does not go, because pods use it.
pub(super) fn terminating(facts: &Facts<'_>, claim: &Claim<'_, '_>) -> Option<Draft> {
    let object = claim.object;
    let since =
        object.value().time("/metadata/deletionTimestamp").map_or(0, |time| facts.seconds_since(time));
    let wanted = claim.consumers.iter().any(|pod| pod.node().is_none());
    if since < DELETION && !wanted {
        return None;
    }
    let users: Vec<&str> = claim
        .consumers
        .iter()
        .filter(|pod| pod.node().is_some())
        .map(|pod| pod.object.name())
        .take(3)
        .collect();
    let finalizers: Vec<&str> =
        object.value().list("/metadata/finalizers").iter().filter_map(serde_json::Value::as_str).collect();
    let held = match (users.is_empty(), finalizers.is_empty()) {
        (false, _) => format!("pod {} uses it", users.join(", ")),
        (true, false) => format!("the finalizer {} is not removed", finalizers.join(", ")),
        (true, true) => "it is held back".to_owned(),
    };
    let mut draft = claim
        .draft("pvc-stuck-terminating", format!("PersistentVolumeClaim {} is being deleted, but {held}", object.name()))
        .summary(format!("It goes as soon as the last pod that mounts it has ended, and its data with it, unless the reclaim policy is Retain. New pods that mount it are not scheduled.{}", claim.impact()))
        .evidence(draft::field(object, "/metadata/deletionTimestamp"))
        .evidence(draft::field(object, "/metadata/finalizers"))
        .remedy(advice(
            "Decide whether the data is still needed (snapshot it first), then let the pods that use it end; do not strip the finalizer",
            format!("kubectl {}describe pvc {}", in_namespace(&object.reference()), sh(object.name())),
            kubectl::get(&object.reference(), ""),
        ));
    if !wanted {
        // The pods that have it go on working.
        draft.severity = Severity::Warning;
        draft.breaks.retain(|key| key.kind == "PersistentVolumeClaim");
    }
    draft.title = shorten(&draft.title, 200);
    Some(draft)
}
