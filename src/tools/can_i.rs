//! `can_i`: whether somebody may do something, or who may, by the roles and bindings of the cluster.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cluster::{Kind, access};
use crate::diagnosis::report::{Missing, ObjectRef};
use crate::diagnosis::{Access, AccessQuery, Grant, Subject};

use super::table::table;
use super::text::{counted, plain, shorten};
use super::{Tool, ToolContext, ToolError, ToolOutcome};

/// Rows of the text.
const SHOWN: usize = 100;
/// What RBAC does not know.
const OTHERS: &str = "Computed from RBAC alone: other authorizers (EKS access entries with access policies, webhooks, the node \
     authorizer) may allow more, and admission may still refuse.";

pub(super) struct CanI;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// What to do: get, list, watch, create, update, patch, delete, deletecollection, or another verb such as `impersonate`
    verb: String,
    /// On what: `pods`, `deploy`, `pods/log`, `deployments.apps/scale`, `*`, or a path such as `/metrics`
    resource: String,
    /// Who: `system:serviceaccount:shop:web`, `sa:shop/web`, `user:alice`, `group:sre`; everybody who can where left out
    subject: Option<String>,
    /// Groups that the subject is in, besides those that follow from its name
    #[serde(default)]
    groups: Vec<String>,
    /// Where; in all namespaces at once where left out
    namespace: Option<String>,
    /// One object only
    name: Option<String>,
}

/// The answer.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Output {
    /// The question in one line.
    question: String,
    /// The subject as bindings name it.
    subject: Option<Subject>,
    #[serde(flatten)]
    access: Access,
    /// What could not be read.
    missing: Vec<Missing>,
    /// What to keep in mind.
    notes: Vec<String>,
}

impl Tool for CanI {
    const NAME: &'static str = "can_i";
    const TITLE: &'static str = "Check permissions";
    const DESCRIPTION: &'static str = "Whether a ServiceAccount, user or group may do something, by which binding and role, or why not and what would \
         allow it; without subject everybody who can. Computed from Roles and bindings, with groups, wildcards, \
         aggregated roles, resourceNames and subresources. Use it for 'forbidden' errors and to audit rights.";
    type Input = Input;
    type Output = Output;
    type Context = ToolContext;

    async fn run(&self, input: Input, cx: &ToolContext) -> Result<ToolOutcome, ToolError> {
        let subject = input.subject.as_deref().map(subject).transpose()?;
        let (group, resource, kind) = resource(&input.resource, cx).await;
        let is_clusterwide = resource.starts_with('/') || kind.as_ref().is_some_and(|kind| !kind.namespaced);
        let query = AccessQuery {
            subject: subject.clone(),
            groups: input.groups,
            verb: input.verb.trim().to_lowercase(),
            group,
            resource,
            name: input.name,
            namespace: input.namespace.filter(|_| !is_clusterwide),
        };
        let question = question(&query);
        let mut notes = vec![OTHERS.to_owned()];
        let is_virtual = kind.is_none() && !query.resource.starts_with('/') && query.resource != "*";
        if is_virtual {
            notes.push(format!(
                "This cluster offers no resource {:?}: it was taken as it is written",
                query.resource
            ));
        }
        let (mut access, missing) = access(&cx.cluster, query).await?;
        if is_clusterwide {
            // What a namespace's binding gives is no right to what is in no namespace.
            access.elsewhere.clear();
        }
        outcome(&Output { question, subject, access, missing, notes })
    }
}

/// The group and resource that someone means; as they are written where the cluster does not offer them.
async fn resource(text: &str, cx: &ToolContext) -> (String, String, Option<Kind>) {
    let text = text.trim();
    if text.starts_with('/') || text == "*" {
        return (String::new(), text.to_owned(), None);
    }
    let (name, sub) = text.split_once('/').map_or((text, None), |(name, sub)| (name, Some(sub)));
    let with_sub =
        |resource: &str| sub.map_or_else(|| resource.to_owned(), |sub| format!("{resource}/{sub}"));
    if let Ok(kind) = cx.cluster.resolve(name, None).await {
        return (kind.group.clone(), with_sub(&kind.plural), Some(kind));
    }
    let (resource, group) = name.split_once('.').unwrap_or((name, ""));
    (group.to_owned(), with_sub(resource), None)
}

/// Who is meant.
fn subject(text: &str) -> Result<Subject, ToolError> {
    let text = text.trim();
    let of = |kind: &str, namespace: Option<&str>, name: &str| Subject {
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    };
    if let Some((namespace, name)) =
        text.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'))
    {
        return Ok(of("ServiceAccount", Some(namespace), name));
    }
    let lower = text.to_lowercase();
    for prefix in ["serviceaccount:", "serviceaccount/", "sa:", "sa/"] {
        if lower.starts_with(prefix) {
            let account = text[prefix.len()..].split_once(['/', ':']);
            let (namespace, name) = account.ok_or_else(|| {
                ToolError::InvalidInput(format!(
                    "subject must say the namespace of the ServiceAccount, too: sa:NAMESPACE/NAME, not {:?}",
                    shorten(text, 60)
                ))
            })?;
            return Ok(of("ServiceAccount", Some(namespace), name));
        }
    }
    let is_group = ["system:authenticated", "system:unauthenticated", "system:masters", "system:nodes"]
        .contains(&text)
        || text.starts_with("system:serviceaccounts");
    Ok(match (text.strip_prefix("group:"), text.strip_prefix("user:")) {
        (Some(group), _) => of("Group", None, group),
        (None, Some(user)) => of("User", None, user),
        (None, None) => of(if is_group { "Group" } else { "User" }, None, text),
    })
}

/// `may ServiceAccount shop/web list pods in namespace shop`.
fn question(query: &AccessQuery) -> String {
    let who = query
        .subject
        .as_ref()
        .map_or_else(|| "who may".to_owned(), |subject| format!("may {}", named(subject)));
    let resource = match (query.group.as_str(), query.resource.split_once('/')) {
        ("", _) => query.resource.clone(),
        (group, Some((resource, sub))) => format!("{resource}.{group}/{sub}"),
        (group, None) => format!("{}.{group}", query.resource),
    };
    let name = query.name.as_ref().map(|name| format!(" {name:?}")).unwrap_or_default();
    let place = match &query.namespace {
        Some(namespace) => format!(" in namespace {namespace}"),
        None if query.resource.starts_with('/') => String::new(),
        None => " in the whole cluster".to_owned(),
    };
    plain(&format!("{who} {} {resource}{name}{place}", query.verb))
}

fn named(subject: &Subject) -> String {
    match &subject.namespace {
        Some(namespace) => format!("{} {namespace}/{}", subject.kind, subject.name),
        None => format!("{} {}", subject.kind, subject.name),
    }
}

fn outcome(output: &Output) -> Result<ToolOutcome, ToolError> {
    let mut text = format!("{}: {}\n", output.question, verdict(output));
    let access = &output.access;
    let parts = [
        ("", &access.grants),
        ("Only for some names:", &access.limited),
        ("In other namespaces only:", &access.elsewhere),
    ];
    for (title, grants) in parts {
        let is_answer = title.is_empty() || access.allowed != Some(true);
        if !grants.is_empty() && is_answer {
            text.push_str(&format!(
                "\n{}",
                if title.is_empty() { String::new() } else { format!("{title}\n") }
            ));
            text.push_str(&rows(grants));
        }
    }
    if let Some(why) = &access.why_not {
        text.push_str(&format!("\n{}\n", plain(why)));
    }
    for command in &access.would_allow {
        text.push_str(&format!("\nWould allow it: {command}\n"));
    }
    for missing in &output.missing {
        text.push_str(&format!("\nNot read: {} ({})\n", missing.what, plain(&missing.why)));
    }
    for note in &output.notes {
        text.push_str(&format!("\n{note}\n"));
    }
    let structured = serde_json::to_value(output).map_err(|error| {
        tracing::error!(%error, "bug: an answer about rights cannot be written as JSON");
        ToolError::Bug
    })?;
    Ok(ToolOutcome::new(structured, text))
}

fn verdict(output: &Output) -> String {
    match (output.access.allowed, output.subject.is_some()) {
        (Some(true), true) if output.access.grants.is_empty() => {
            "yes: system:masters may do everything".to_owned()
        }
        (Some(true), true) => "yes".to_owned(),
        (Some(true), false) => counted(output.access.grants.len(), "subject may", "subjects may"),
        (Some(false), true) => "no".to_owned(),
        (Some(false), false) => "nobody, besides system:masters".to_owned(),
        (None, _) => "it cannot be told: roles or bindings could not be read".to_owned(),
    }
}

fn rows(grants: &[Grant]) -> String {
    let object = |object: &ObjectRef| match &object.namespace {
        Some(namespace) => format!("{} {namespace}/{}", object.kind, object.name),
        None => format!("{} {}", object.kind, object.name),
    };
    let row = |grant: &Grant| {
        let mut row = vec![plain(&named(&grant.subject)), object(&grant.binding), object(&grant.role)];
        if !grant.only_names.is_empty() {
            row.push(shorten(&grant.only_names.join(","), 80));
        }
        row
    };
    let rows: Vec<Vec<String>> = grants.iter().take(SHOWN).map(row).collect();
    let mut text = table(&["SUBJECT", "BY BINDING", "WITH ROLE"], &rows);
    if grants.len() > SHOWN {
        text.push_str(&format!("and {} more\n", grants.len() - SHOWN));
    }
    text
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("system:serviceaccount:shop:web", "ServiceAccount shop/web")]
    #[case("sa:shop/web", "ServiceAccount shop/web")]
    #[case("ServiceAccount/shop/web", "ServiceAccount shop/web")]
    #[case("alice", "User alice")]
    #[case("user:arn:aws:iam::111122223333:role/x", "User arn:aws:iam::111122223333:role/x")]
    #[case("group:sre", "Group sre")]
    #[case("system:authenticated", "Group system:authenticated")]
    #[case("system:serviceaccounts:shop", "Group system:serviceaccounts:shop")]
    fn subjects_are_understood(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(subject(text).map(|subject| named(&subject)).ok().as_deref(), Some(expected));
    }

    #[test]
    fn an_account_without_a_namespace_is_no_subject() {
        assert!(subject("sa:web").is_err_and(|error| error.to_string().contains("sa:NAMESPACE/NAME")));
    }
}
