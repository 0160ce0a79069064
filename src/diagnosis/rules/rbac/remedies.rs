//! How to give an account the right that it lacks, and no more.

use serde_json::{Value, json};

use crate::diagnosis::draft::{change, in_namespace, kubectl_name, sh};
use crate::diagnosis::facts::{Facts, Object, Read, Workload};
use crate::diagnosis::report::{Remediation, Risk};
use crate::diagnosis::rules::kubectl;

use super::authority::{self, Cause};
use super::denial::Denial;

pub(super) fn of(facts: &Facts<'_>, denial: &Denial, cause: Cause<'_>) -> Vec<Remediation> {
    match cause {
        Cause::RoleMissing { binding } => vec![make_role(denial, binding)],
        Cause::WrongSubject { binding, subject } => vec![correct_subject(denial, binding, subject)],
        Cause::RoleLacks { role, .. } if !authority::is_shared(role) => vec![extend_role(denial, role)],
        Cause::OtherNamespace { binding } => vec![bind(denial, authority::role(facts, binding))],
        Cause::NotBound { role } => vec![bind(denial, role)],
        Cause::RoleLacks { .. } | Cause::Unknown => vec![bind(denial, None)],
    }
}

pub(super) fn mount_token(workload: &Workload<'_>) -> Remediation {
    let (namespace, name) = (in_namespace(&workload.reference), kubectl_name(&workload.reference));
    let patch = r#"{"spec":{"template":{"spec":{"automountServiceAccountToken":true}}}}"#;
    change(
        "Let the pods have the token of their account",
        kubectl::get(&workload.reference, "yaml"),
        format!("kubectl {namespace}patch {name} -p '{patch}'"),
        kubectl::undo(workload),
        kubectl::verify(workload),
        Risk::Low,
    )
}

fn patch(object: Object<'_>, operations: &Value) -> String {
    let object = object.reference();
    let patch = sh(&operations.to_string());
    format!("kubectl {}patch {} --type json -p {patch}", in_namespace(&object), kubectl_name(&object))
}

fn correct_subject(denial: &Denial, binding: Object<'_>, subject: usize) -> Remediation {
    let (namespace, name) = denial.account().unwrap_or_default();
    let path = format!("/subjects/{subject}");
    let right = json!({ "kind": "ServiceAccount", "name": name, "namespace": namespace });
    let replace = |value: &Value| json!([{ "op": "replace", "path": path, "value": value }]);
    let former = binding.value().pointer(&path).cloned().unwrap_or(Value::Null);
    change(
        "Let the binding name the account that asks",
        kubectl::get(&binding.reference(), "yaml"),
        patch(binding, &replace(&right)),
        patch(binding, &replace(&former)),
        denial.can_i(),
        Risk::Low,
    )
}

fn extend_role(denial: &Denial, role: Object<'_>) -> Remediation {
    let rule = json!({ "apiGroups": [denial.group], "resources": [denial.resource], "verbs": [denial.verb] });
    let count = role.value().list("/rules").len();
    // A role without rules has no list to append to.
    let (path, value) = match count {
        0 => ("/rules", json!([rule])),
        _ => ("/rules/-", rule),
    };
    let added = match count {
        0 => "/rules".to_owned(),
        count => format!("/rules/{count}"),
    };
    change(
        "Add this one right to the role",
        kubectl::get(&role.reference(), "yaml"),
        patch(role, &json!([{ "op": "add", "path": path, "value": value }])),
        patch(role, &json!([{ "op": "remove", "path": added }])),
        denial.can_i(),
        Risk::Low,
    )
}

/// The role that a binding names.
fn make_role(denial: &Denial, binding: Object<'_>) -> Remediation {
    let value = binding.value();
    let kind = value.text("/roleRef/kind").to_lowercase();
    let namespace = match kind.as_str() {
        "role" => format!("-n {} ", sh(binding.namespace())),
        _ => String::new(),
    };
    let name = sh(value.text("/roleRef/name"));
    change(
        "Make the role that the binding names, with the right that is asked for",
        kubectl::get(&binding.reference(), "yaml"),
        format!("kubectl {namespace}create {kind} {name} {}", rights(denial)),
        format!("kubectl {namespace}delete {kind} {name}"),
        denial.can_i(),
        Risk::Low,
    )
}

fn rights(denial: &Denial) -> String {
    let (resource, sub) = denial.resource.split_once('/').unwrap_or((&denial.resource, ""));
    let group = if denial.group.is_empty() { String::new() } else { format!(".{}", denial.group) };
    let sub = if sub.is_empty() { String::new() } else { format!("/{sub}") };
    format!("--verb={} --resource={}", sh(&denial.verb), sh(&format!("{resource}{group}{sub}")))
}

/// Binds a role to the account where it asks; makes the role first where there is none.
fn bind(denial: &Denial, role: Option<Object<'_>>) -> Remediation {
    let (namespace, account) = denial.account().unwrap_or_default();
    let (scope, kind) = match &denial.namespace {
        Some(namespace) => (format!("-n {} ", sh(namespace)), "role"),
        None => (String::new(), "clusterrole"),
    };
    // A Role of one namespace cannot be bound in another, or in the whole cluster.
    let usable = role
        .filter(|role| role.kind() == "ClusterRole" || Some(role.namespace()) == denial.namespace.as_deref());
    let name = sh(usable.map_or(account, |role| role.name()));
    let flag = usable.map_or(kind.to_owned(), |role| role.kind().to_lowercase());
    let make = match usable {
        Some(_) => String::new(),
        None => format!("kubectl {scope}create {kind} {name} {} && ", rights(denial)),
    };
    let drop = match usable {
        Some(_) => String::new(),
        None => format!(" && kubectl {scope}delete {kind} {name}"),
    };
    let binding = sh(&format!("{account}-{}", denial.verb));
    let subject = sh(&format!("{namespace}:{account}"));
    change(
        "Bind a role with this right to the account",
        denial.can_i(),
        format!(
            "{make}kubectl {scope}create {kind}binding {binding} --{flag}={name} --serviceaccount={subject}"
        ),
        format!("kubectl {scope}delete {kind}binding {binding}{drop}"),
        denial.can_i(),
        Risk::Low,
    )
}
