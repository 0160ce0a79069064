//! Claims that were made larger and do not grow (H11).

use crate::diagnosis::draft::{self, Draft, advice};
use crate::diagnosis::facts::{Facts, Read, quantity};
use crate::diagnosis::report::Severity;
use crate::diagnosis::rules::kubectl;

use super::Claim;

/// Growing takes a while; this long, in seconds, is stuck.
const PATIENCE: i64 = 600;

/// Conditions of a claim that is about to change.
const UNDER_WAY: &[&str] = &["Resizing", "FileSystemResizePending", "ModifyingVolume"];
/// Conditions that say that a change failed.
const FAILED: &[&str] = &["ControllerResizeError", "NodeResizeError", "ModifyVolumeError"];

pub(super) fn check<'a>(facts: &Facts<'a>, claim: &Claim<'_, 'a>) -> Option<Draft> {
    let value = claim.object.value();
    let amount = |pointer: &str| value.pointer(pointer).and_then(quantity::of);
    let (wanted, has) = (amount("/spec/resources/requests/storage")?, amount("/status/capacity/storage")?);
    let conditions = value.list("/status/conditions").iter().enumerate();
    let mut open = conditions.filter(|(_, condition)| condition["status"] == "True");
    let stuck = open.find(|(_, condition)| {
        let of_type = condition.text("/type");
        let since = condition.time("/lastTransitionTime").map_or(0, |time| facts.seconds_since(time));
        FAILED.contains(&of_type) || (UNDER_WAY.contains(&of_type) && since > PATIENCE)
    });
    let event = facts
        .events(claim.object)
        .find(|event| matches!(event.reason, "VolumeResizeFailed" | "VolumeModifyFailed"));
    let is_short = wanted > has;
    if stuck.is_none() && (event.is_none() || !is_short) {
        return None;
    }
    let (wanted, has) = (quantity::show("storage", wanted), quantity::show("storage", has));
    let condition = stuck.map(|(_, condition)| condition.text("/type")).unwrap_or_default();
    let why = match condition {
        "FileSystemResizePending" => "The volume has grown; its file system grows when a pod mounts it anew.",
        _ => {
            "The driver could not change the volume. EBS allows one change in six hours; some volumes grow only while detached."
        }
    };
    let title = match is_short {
        true => format!(
            "PersistentVolumeClaim {} asks for {wanted}, and its volume stays at {has}",
            claim.object.name()
        ),
        false => format!("PersistentVolumeClaim {} cannot be changed: {condition}", claim.object.name()),
    };
    let mut draft = claim
        .draft("volume-expansion-stuck", title)
        .summary(why)
        .cause(condition)
        .evidence(draft::field(claim.object, "/spec/resources/requests/storage"))
        .evidence(draft::field(claim.object, "/status/capacity/storage"))
        .evidence(
            stuck.and_then(|(index, _)| draft::field(claim.object, &format!("/status/conditions/{index}"))),
        )
        .evidence(event.map(|event| draft::event(&event)))
        .remedy(advice(
            match condition {
                "FileSystemResizePending" => "Restart the pod that mounts it",
                _ => "Remove the reason in the events; the driver tries again by itself",
            },
            kubectl::describe(&claim.object.reference()),
            kubectl::get(&claim.object.reference(), ""),
        ));
    draft.severity = Severity::Warning;
    // The pods that mount it go on with what there is.
    draft.breaks.retain(|key| *key == claim.object.key());
    Some(draft)
}
