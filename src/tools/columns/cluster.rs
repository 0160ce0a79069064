//! Columns of nodes, namespaces, storage, configuration, events and access.

use serde_json::{Value, json};

use crate::tools::kube_event::KubeEvent;

use super::{Column, column, condition, count_of, is_true, list, text, texts, time};

pub(super) const NODE: &[Column] = &[
    column("status", "STATUS", node_status),
    column("roles", "ROLES", node_roles),
    column("version", "VERSION", |node| node["status"]["nodeInfo"]["kubeletVersion"].clone()),
    column("cpu", "CPU", |node| node["status"]["allocatable"]["cpu"].clone()),
    column("memory", "MEMORY", |node| node["status"]["allocatable"]["memory"].clone()),
    column("taints", "TAINTS", |node| texts(list(&node["spec"]["taints"]).iter().map(taint))),
    column("pressure", "PRESSURE", pressure),
];

pub(super) const NAMESPACE: &[Column] =
    &[column("status", "STATUS", |namespace| namespace["status"]["phase"].clone())];

pub(super) const CLAIM: &[Column] = &[
    column("status", "STATUS", |claim| claim["status"]["phase"].clone()),
    column("volume", "VOLUME", |claim| claim["spec"]["volumeName"].clone()),
    column("capacity", "CAPACITY", |claim| claim["status"]["capacity"]["storage"].clone()),
    column("requested", "", |claim| claim["spec"]["resources"]["requests"]["storage"].clone()),
    column("accessModes", "ACCESS MODES", |claim| claim["spec"]["accessModes"].clone()),
    column("class", "STORAGECLASS", |claim| claim["spec"]["storageClassName"].clone()),
];

pub(super) const VOLUME: &[Column] = &[
    column("status", "STATUS", |volume| volume["status"]["phase"].clone()),
    column("capacity", "CAPACITY", |volume| volume["spec"]["capacity"]["storage"].clone()),
    column("claim", "CLAIM", |volume| match &volume["spec"]["claimRef"] {
        Value::Null => Value::Null,
        claim => format!("{}/{}", text(&claim["namespace"]), text(&claim["name"])).into(),
    }),
    column("class", "STORAGECLASS", |volume| volume["spec"]["storageClassName"].clone()),
    column("reclaimPolicy", "RECLAIM POLICY", |of| of["spec"]["persistentVolumeReclaimPolicy"].clone()),
    column("reason", "REASON", |volume| volume["status"]["reason"].clone()),
];

pub(super) const STORAGE_CLASS: &[Column] = &[
    column("provisioner", "PROVISIONER", |class| class["provisioner"].clone()),
    column("reclaimPolicy", "RECLAIM POLICY", |class| class["reclaimPolicy"].clone()),
    column("volumeBindingMode", "BINDING MODE", |class| class["volumeBindingMode"].clone()),
    column("isDefault", "DEFAULT", |class| {
        (class["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true").into()
    }),
];

pub(super) const CONFIG_MAP: &[Column] =
    &[column("data", "DATA", |map| count_of([&map["data"], &map["binaryData"]]))];

pub(super) const SECRET: &[Column] = &[
    column("type", "TYPE", |secret| secret["type"].clone()),
    column("data", "DATA", |secret| count_of([&secret["data"], &Value::Null])),
];

pub(super) const QUOTA: &[Column] = &[column("used", "USED", |quota| {
    let used = &quota["status"]["used"];
    let hard = quota["status"]["hard"].as_object().into_iter().flatten();
    texts(hard.map(|(name, hard)| format!("{name}: {}/{}", used[name].as_str().unwrap_or("0"), text(hard))))
})];

pub(super) const EVENT: &[Column] = &[
    time("lastSeen", "LAST SEEN", |event| json!(KubeEvent::read(event).last_seen)),
    column("type", "TYPE", |event| event["type"].clone()),
    column("reason", "REASON", |event| event["reason"].clone()),
    column("object", "OBJECT", |event| KubeEvent::read(event).object().into()),
    column("count", "COUNT", |event| KubeEvent::read(event).count.into()),
    column("message", "MESSAGE", |event| KubeEvent::read(event).message.into()),
];

pub(super) const ROLE_BINDING: &[Column] = &[
    column("role", "ROLE", |binding| {
        let role = &binding["roleRef"];
        format!("{}/{}", text(&role["kind"]), text(&role["name"])).into()
    }),
    column("subjects", "SUBJECTS", |binding| {
        texts(list(&binding["subjects"]).iter().map(|subject| {
            let names = ["kind", "namespace", "name"].map(|field| text(&subject[field]));
            names.into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join("/")
        }))
    }),
];

fn node_status(node: &Value) -> Value {
    let ready = match condition(node, "Ready") {
        None => "Unknown",
        Some(_) if is_true(node, "Ready") => "Ready",
        Some(_) => "NotReady",
    };
    match node["spec"]["unschedulable"] == true {
        true => format!("{ready},SchedulingDisabled").into(),
        false => ready.into(),
    }
}

fn node_roles(node: &Value) -> Value {
    let labels = node["metadata"]["labels"].as_object().into_iter().flatten();
    let mut roles: Vec<String> = labels
        .filter_map(|(label, value)| match label.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role),
            None => value.as_str().filter(|_| label == "kubernetes.io/role"),
        })
        .map(str::to_owned)
        .collect();
    roles.sort();
    roles.dedup();
    texts(roles)
}

fn taint(taint: &Value) -> String {
    match text(&taint["value"]) {
        "" => format!("{}:{}", text(&taint["key"]), text(&taint["effect"])),
        value => format!("{}={value}:{}", text(&taint["key"]), text(&taint["effect"])),
    }
}

/// What the node complains about.
fn pressure(node: &Value) -> Value {
    let bad = |condition: &&Value| condition["type"] != "Ready" && condition["status"] == "True";
    let conditions = list(&node["status"]["conditions"]).iter().filter(bad);
    texts(conditions.map(|condition| text(&condition["type"]).to_owned()))
}
