//! Columns of accounts and roles, and of what extends the API.

use serde_json::Value;

use super::{Column, column, condition_or_phase, list, text, texts, time};

/// The IAM role of an account on EKS.
const IAM_ROLE: &str = "eks.amazonaws.com/role-arn";

pub(super) const SERVICE_ACCOUNT: &[Column] = &[
    column("iamRole", "IAM ROLE", |account| account["metadata"]["annotations"][IAM_ROLE].clone()),
    column("imagePullSecrets", "IMAGE PULL SECRETS", |account| match list(&account["imagePullSecrets"]) {
        [] => Value::Null,
        secrets => texts(secrets.iter().map(|secret| text(&secret["name"]).to_owned())),
    }),
];

pub(super) const ROLE: &[Column] =
    &[column("rules", "RULES", |role| texts(list(&role["rules"]).iter().map(rule)))];

pub(super) const INGRESS_CLASS: &[Column] = &[
    column("controller", "CONTROLLER", |class| class["spec"]["controller"].clone()),
    column("default", "DEFAULT", |class| {
        let default = &class["metadata"]["annotations"]["ingressclass.kubernetes.io/is-default-class"];
        (*default == "true").into()
    }),
];

pub(super) const LEASE: &[Column] = &[
    column("holder", "HOLDER", |lease| lease["spec"]["holderIdentity"].clone()),
    time("renewedAt", "RENEWED", |lease| lease["spec"]["renewTime"].clone()),
];

pub(super) const REVISION: &[Column] = &[
    column("revision", "REVISION", |kept| kept["revision"].clone()),
    column("controller", "CONTROLLER", |kept| {
        let owner = &kept["metadata"]["ownerReferences"][0];
        format!("{}/{}", text(&owner["kind"]), text(&owner["name"])).into()
    }),
];

pub(super) const PRIORITY_CLASS: &[Column] = &[
    column("value", "VALUE", |class| class["value"].clone()),
    column("globalDefault", "GLOBAL DEFAULT", |class| (class["globalDefault"] == true).into()),
    column("preemption", "PREEMPTION", |class| class["preemptionPolicy"].clone()),
];

pub(super) const WEBHOOKS: &[Column] = &[
    column("webhooks", "WEBHOOKS", |of| list(&of["webhooks"]).len().into()),
    column("failurePolicy", "ON FAILURE", |of| {
        texts(list(&of["webhooks"]).iter().map(|webhook| text(&webhook["failurePolicy"]).to_owned()))
    }),
    column("services", "CALLS", |of| {
        texts(list(&of["webhooks"]).iter().map(|webhook| match &webhook["clientConfig"]["service"] {
            Value::Null => text(&webhook["clientConfig"]["url"]).to_owned(),
            service => format!("{}/{}", text(&service["namespace"]), text(&service["name"])),
        }))
    }),
];

pub(super) const API_SERVICE: &[Column] = &[
    column("service", "SERVICE", |of| match &of["spec"]["service"] {
        Value::Null => "Local".into(),
        service => format!("{}/{}", text(&service["namespace"]), text(&service["name"])).into(),
    }),
    column("status", "STATUS", condition_or_phase),
];

pub(super) const DEFINITION: &[Column] = &[
    column("group", "GROUP", |of| of["spec"]["group"].clone()),
    column("kind", "KIND", |of| of["spec"]["names"]["kind"].clone()),
    column("versions", "VERSIONS", |of| {
        texts(list(&of["spec"]["versions"]).iter().map(|version| text(&version["name"]).to_owned()))
    }),
    column("scope", "SCOPE", |of| of["spec"]["scope"].clone()),
    column("status", "STATUS", condition_or_phase),
];

pub(super) const LIMIT_RANGE: &[Column] = &[column("limits", "LIMITS", |of| {
    let limits = list(&of["spec"]["limits"]).iter();
    texts(limits.map(|limit| {
        let bounds = ["min", "max", "default", "defaultRequest"];
        let bounds = bounds.into_iter().filter(|bound| limit[*bound].is_object());
        let bounds = bounds.map(|bound| format!("{bound} {}", crate::tools::table::cell(&limit[bound])));
        format!("{}: {}", text(&limit["type"]), bounds.collect::<Vec<_>>().join("; "))
    }))
})];

pub(super) const ATTACHMENT: &[Column] = &[
    column("volume", "PV", |of| of["spec"]["source"]["persistentVolumeName"].clone()),
    column("node", "NODE", |of| of["spec"]["nodeName"].clone()),
    column("attacher", "ATTACHER", |of| of["spec"]["attacher"].clone()),
    column("attached", "ATTACHED", |of| (of["status"]["attached"] == true).into()),
    column("error", "ERROR", |of| {
        let errors = [&of["status"]["attachError"]["message"], &of["status"]["detachError"]["message"]];
        errors.into_iter().find(|error| error.is_string()).cloned().unwrap_or_default()
    }),
];

/// `get,list pods,services`.
fn rule(rule: &Value) -> String {
    let words = |field: &str| list(&rule[field]).iter().map(text).collect::<Vec<_>>().join(",");
    let what = match words("resources") {
        empty if empty.is_empty() => words("nonResourceURLs"),
        resources => resources,
    };
    format!("{} {what}", words("verbs"))
}
