//! Volumes, their claims and classes.

use serde_json::Value;

use super::cells::{Column, Row, Words, age_column, flag, name_column, or, shown, wide};

pub(super) fn columns(kind: &str) -> Option<Vec<Column>> {
    Some(match kind {
        "PersistentVolumeClaim" => claims(),
        "PersistentVolume" => volumes(),
        "StorageClass" => classes(),
        _ => return None,
    })
}

fn claims() -> Vec<Column> {
    vec![
        name_column(),
        shown("Status", phase),
        shown("Volume", |row| row.object.text("spec.volumeName").into()),
        shown("Capacity", |row| match row.object.text("spec.volumeName") {
            "" => "".into(),
            _ => row.object.text("status.capacity.storage").into(),
        }),
        shown("Access Modes", |row| match row.object.text("spec.volumeName") {
            "" => "".into(),
            _ => access_modes(row.object.at("status.accessModes")),
        }),
        shown("StorageClass", |row| row.object.text("spec.storageClassName").into()),
        shown("VolumeAttributesClass", attributes_class),
        age_column(),
        wide("VolumeMode", volume_mode),
    ]
}

fn volumes() -> Vec<Column> {
    vec![
        name_column(),
        shown("Capacity", |row| row.object.text("spec.capacity.storage").into()),
        shown("Access Modes", |row| access_modes(row.object.at("spec.accessModes"))),
        shown("Reclaim Policy", |row| row.object.text("spec.persistentVolumeReclaimPolicy").into()),
        shown("Status", phase),
        shown("Claim", |row| {
            let claim = row.object.at("spec.claimRef");
            match claim.text("name") {
                "" => "".into(),
                name => format!("{}/{name}", claim.text("namespace")).into(),
            }
        }),
        shown("StorageClass", |row| row.object.text("spec.storageClassName").into()),
        shown("VolumeAttributesClass", attributes_class),
        shown("Reason", |row| row.object.text("status.reason").into()),
        age_column(),
        wide("VolumeMode", volume_mode),
    ]
}

fn phase(row: &Row<'_>) -> Value {
    match row.object.is_set("metadata.deletionTimestamp") {
        true => "Terminating".into(),
        false => row.object.text("status.phase").into(),
    }
}

fn attributes_class(row: &Row<'_>) -> Value {
    or(row.object.text("spec.volumeAttributesClassName"), "<unset>")
}

fn volume_mode(row: &Row<'_>) -> Value {
    or(row.object.text("spec.volumeMode"), "<unset>")
}

/// `RWO,ROX`, in the order in which kubectl has them.
fn access_modes(modes: Words<'_>) -> Value {
    const SHORT: [(&str, &str); 4] = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let has = |mode: &str| modes.list("").any(|known| known.0.as_str() == Some(mode));
    let short: Vec<&str> = SHORT.iter().filter(|(mode, _)| has(mode)).map(|(_, short)| *short).collect();
    short.join(",").into()
}

fn classes() -> Vec<Column> {
    vec![
        shown("Name", |row| {
            let annotations = row.object.at("metadata.annotations");
            let keys = [
                "storageclass.kubernetes.io/is-default-class",
                "storageclass.beta.kubernetes.io/is-default-class",
            ];
            let is_default = keys.iter().any(|key| annotations.key(key) == "true");
            format!("{}{}", row.object.text("metadata.name"), if is_default { " (default)" } else { "" })
                .into()
        }),
        shown("Provisioner", |row| row.object.text("provisioner").into()),
        shown("ReclaimPolicy", |row| or(row.object.text("reclaimPolicy"), "Delete")),
        shown("VolumeBindingMode", |row| or(row.object.text("volumeBindingMode"), "Immediate")),
        shown("AllowVolumeExpansion", |row| flag(row.object.at("allowVolumeExpansion").0 == true)),
        age_column(),
    ]
}
