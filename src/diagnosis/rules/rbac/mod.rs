//! Requests that RBAC denies (FAILURES K1): which Role, binding or ServiceAccount has to change.

mod authority;
mod denial;
mod remedies;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diagnosis::draft::{self, Draft, absent, log_line};
use crate::diagnosis::facts::{Facts, Key, Object, Pod, Read, reference};
use crate::diagnosis::report::{Confidence, Evidence, ObjectRef, Remediation, Severity};

use super::links;

use authority::Cause;
pub(in crate::diagnosis) use authority::{Attributes, role, rule_allows, rules};
pub(in crate::diagnosis) use denial::Denial;

/// A denial counts where it stands among the last lines of a log, or so often.
const LAST_LINES: usize = 15;
const OFTEN: usize = 3;

/// A denied request, explained.
#[derive(Debug)]
pub(super) struct Denied {
    pub(super) rule: &'static str,
    /// What has to change.
    pub(super) object: ObjectRef,
    pub(super) title: String,
    pub(super) summary: String,
    pub(super) evidence: Vec<Evidence>,
    pub(super) remedies: Vec<Remediation>,
    confidence: Confidence,
    account: Key,
    cause: String,
}

impl Denied {
    /// What is broken by it besides its victims: what a victim's own finding names as its explanation.
    pub(super) fn keys(&self) -> Vec<Key> {
        vec![Key::from(&self.object), self.account.clone()]
    }
}

/// Explains the first denial in a text that still holds. `None` where there is none.
pub(super) fn denied(facts: &Facts<'_>, text: &str) -> Option<Denied> {
    Denial::all(text).iter().find_map(|denial| explain(facts, denial, None))
}

/// Why a ServiceAccount may not do this, and what would let it. `None` where it may, or is no ServiceAccount.
pub(in crate::diagnosis) fn why_not(
    facts: &Facts<'_>,
    denial: &Denial,
) -> Option<(String, Vec<Remediation>)> {
    explain(facts, denial, None).map(|denied| (denied.summary, denied.remedies))
}

/// Looks through all logs and last words of containers.
pub(super) fn check(facts: &Facts<'_>, drafts: &mut Vec<Draft>) {
    let mut found: BTreeMap<(Key, String), Draft> = BTreeMap::new();
    let mut linked = Vec::new();
    for (pod, container, line) in complaints(facts) {
        let explained = Denial::all(line).iter().find_map(|denial| explain(facts, denial, Some(pod)));
        let Some(denied) = explained else { continue };
        let keys = denied.keys();
        linked.push((pod.workload.key(), keys[0].clone()));
        let place = (keys[0].clone(), denied.cause.clone());
        let draft = found.remove(&place).unwrap_or_else(|| draft(denied, pod, container, line));
        found.insert(place, draft.breaks(victims(facts, pod)).breaks(keys));
    }
    for (workload, cause) in &linked {
        links::explain(drafts, workload, cause);
    }
    drafts.extend(found.into_values());
}

/// Lines that tell of a denial, one of each container and request.
fn complaints<'f, 'a>(facts: &'f Facts<'a>) -> Vec<(&'f Pod<'a>, &'a str, &'a str)> {
    let mut found = Vec::new();
    for log in facts.logs() {
        let Some(pod) = facts.pods_in(&log.of.namespace).find(|pod| pod.object.name() == log.of.pod) else {
            continue;
        };
        found.extend(telling_lines(&log.text).into_iter().map(|line| (pod, log.of.container.as_str(), line)));
    }
    for pod in facts.pods() {
        for container in &pod.containers {
            let message = container.last_end().map_or("", |(end, _)| end.text("/message"));
            found.extend(telling_lines(message).into_iter().map(|line| (pod, container.name(), line)));
        }
    }
    found
}

fn telling_lines(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let tail = lines.len().saturating_sub(LAST_LINES);
    let mut requests: BTreeMap<Denial, (usize, bool, &str)> = BTreeMap::new();
    for (place, line) in lines.into_iter().enumerate() {
        for denial in Denial::all(line) {
            let seen = requests.entry(denial).or_insert((0, false, line));
            *seen = (seen.0 + 1, seen.1 || place >= tail, line);
        }
    }
    let telling = requests.into_values().filter(|(count, is_late, _)| *is_late || *count >= OFTEN);
    telling.map(|(_, _, line)| line).take(5).collect()
}

/// The workload, and those of its pods that are not ready.
fn victims(facts: &Facts<'_>, pod: &Pod<'_>) -> Vec<Key> {
    let workload = pod.workload.key();
    let unready = facts.pods_of(&workload).filter(|pod| !pod.is_ready()).map(|pod| pod.object.key());
    unready.chain([workload.clone()]).collect()
}

fn draft(denied: Denied, pod: &Pod<'_>, container: &str, line: &str) -> Draft {
    let severity = match (pod.is_ready(), pod.workload.ready()) {
        (false, Some(0) | None) => Severity::Critical,
        _ => Severity::Warning,
    };
    let name = format!("{} {}", pod.workload.kind(), pod.workload.reference.name);
    Draft::new(
        denied.rule,
        severity,
        denied.object,
        format!("{} is forbidden by RBAC: {}", name, denied.title),
    )
    .confidence(denied.confidence)
    .summary(denied.summary)
    .cause(denied.cause)
    .evidence([log_line(pod.object, container, line)])
    .evidence(denied.evidence)
    .remedies(denied.remedies)
}

fn explain<'a>(facts: &Facts<'a>, denial: &Denial, pod: Option<&Pod<'a>>) -> Option<Denied> {
    if denial.user == "system:anonymous" {
        return anonymous(denial, pod?);
    }
    let (namespace, name) = denial.account()?;
    let account = Key::new("ServiceAccount", namespace, name);
    let cause = authority::cause(facts, denial)?;
    let who = format!("ServiceAccount {namespace}/{name}");
    let action = denial.action();
    let found = Explained::new(facts, denial, cause, pod);
    Some(Denied {
        rule: found.rule,
        object: found.object,
        title: format!("{who} may not {action}: {}", found.title),
        summary: format!("The API server does not let {who} {action}. {}", found.why),
        evidence: found.evidence,
        remedies: remedies::of(facts, denial, cause),
        confidence: if authority::is_complete(facts) { Confidence::Certain } else { Confidence::Likely },
        account,
        cause: format!("{} {}", denial.user, action),
    })
}

/// A pod that was told to do without its account's token.
fn anonymous(denial: &Denial, pod: &Pod<'_>) -> Option<Denied> {
    let workload = &pod.workload;
    let refuses = pod.value().pointer("/spec/automountServiceAccountToken") == Some(&Value::Bool(false));
    refuses.then(|| Denied {
        rule: "rbac-no-token",
        object: workload.reference.clone(),
        title: format!("its pods have no token (automountServiceAccountToken is false), so they may not {}", denial.action()),
        summary: format!(
            "The API server does not know who asks (system:anonymous), and does not let that {}. The pod specification says that no token is mounted.",
            denial.action()
        ),
        evidence: fields(pod.object, &["/spec/automountServiceAccountToken"]),
        remedies: vec![remedies::mount_token(workload)],
        confidence: Confidence::Likely,
        account: Key::new("ServiceAccount", pod.object.namespace(), pod.value().text("/spec/serviceAccountName")),
        cause: format!("{} {}", denial.user, denial.action()),
    })
}

/// What a cause means, in words.
struct Explained {
    rule: &'static str,
    object: ObjectRef,
    title: String,
    why: String,
    evidence: Vec<Evidence>,
}

impl Explained {
    fn new<'a>(facts: &Facts<'a>, denial: &Denial, cause: Cause<'a>, pod: Option<&Pod<'a>>) -> Self {
        match cause {
            Cause::RoleMissing { binding } => role_missing(facts, binding),
            Cause::WrongSubject { binding, subject } => wrong_subject(denial, binding, subject),
            Cause::OtherNamespace { binding } => other_namespace(denial, binding),
            Cause::RoleLacks { role, binding } => role_lacks(denial, role, binding),
            Cause::NotBound { role } => not_bound(facts, denial, role, pod),
            Cause::Unknown => unknown(denial),
        }
    }
}

/// `RoleBinding shop/cart`, `ClusterRole view`.
fn named(object: Object<'_>) -> String {
    object.key().to_string()
}

fn fields(object: Object<'_>, pointers: &[&str]) -> Vec<Evidence> {
    pointers.iter().filter_map(|pointer| draft::field(object, pointer)).collect()
}

fn role_missing(facts: &Facts<'_>, binding: Object<'_>) -> Explained {
    let (kind, name) = (binding.value().text("/roleRef/kind"), binding.value().text("/roleRef/name"));
    let namespace = if kind == "Role" { binding.namespace() } else { "" };
    let existing =
        facts.all(kind).iter().filter(|role| role.namespace() == namespace).map(|role| role.name());
    let hint = match crate::diagnosis::facts::nearest(name, existing) {
        Some(similar) => format!(" There is a {kind} {similar}, which may be meant."),
        None => String::new(),
    };
    let role = reference("rbac.authorization.k8s.io/v1", kind, namespace, name);
    let mut evidence = fields(binding, &["/roleRef"]);
    evidence.push(absent(role, format!("there is no {kind} {name}")));
    Explained {
        rule: "rbac-role-missing",
        object: binding.reference(),
        title: format!("{} names {kind} {name}, which does not exist", named(binding)),
        why: format!(
            "{} binds it to {kind} {name}, but there is none, so it gives no right.{hint}",
            named(binding)
        ),
        evidence,
    }
}

fn wrong_subject(denial: &Denial, binding: Object<'_>, subject: usize) -> Explained {
    let value = binding.value();
    let of = |member: &str| value.text(&format!("/subjects/{subject}/{member}"));
    let written = match of("namespace") {
        "" => format!("{} {}", of("kind"), of("name")),
        namespace => format!("{} {namespace}/{}", of("kind"), of("name")),
    };
    let account = denial.account().map_or(String::new(), |(namespace, name)| format!("{namespace}/{name}"));
    Explained {
        rule: "rbac-wrong-subject",
        object: binding.reference(),
        title: format!("{} names {written} instead", named(binding)),
        why: format!(
            "{} gives exactly this right, but its subject is {written}, not ServiceAccount {account}.",
            named(binding)
        ),
        evidence: fields(binding, &[&format!("/subjects/{subject}"), "/roleRef"]),
    }
}

fn other_namespace(denial: &Denial, binding: Object<'_>) -> Explained {
    let (home, asked) = (binding.namespace(), denial.namespace.as_deref());
    let needed = match asked {
        Some(namespace) => format!("It needs a RoleBinding in namespace {namespace}"),
        None => "It needs a ClusterRoleBinding, or has to ask for its own namespace only".to_owned(),
    };
    Explained {
        rule: "rbac-wrong-scope",
        object: binding.reference(),
        title: format!("{} gives the right in namespace {home} only", named(binding)),
        why: format!(
            "{} gives this right, but a RoleBinding counts in its own namespace, {home}. {needed}.",
            named(binding)
        ),
        evidence: fields(binding, &["/metadata/namespace", "/subjects", "/roleRef"]),
    }
}

fn role_lacks(denial: &Denial, role: Object<'_>, binding: Object<'_>) -> Explained {
    let rules = role.value().list("/rules");
    let is_about = |rule: &&Value| {
        rule.list("/resources").iter().any(|resource| resource == denial.resource.as_str() || resource == "*")
    };
    let place = rules.iter().position(|rule| is_about(&rule));
    let allowed = rules.iter().filter(is_about).map(rights).collect::<Vec<_>>().join("; ");
    let what = match place {
        Some(_) => format!("which allows {allowed}, and not this"),
        None => format!("which says nothing of {}", denial.resource_text()),
    };
    // A role that Kubernetes brings along is the same for everybody; which role is bound can change.
    let object = if authority::is_shared(role) { binding } else { role };
    let pointer = place.map_or("/rules".to_owned(), |place| format!("/rules/{place}"));
    let mut evidence = fields(role, &[&pointer]);
    evidence.extend(fields(binding, &["/roleRef"]));
    Explained {
        rule: "rbac-role-lacks",
        object: object.reference(),
        title: format!("{} does not allow {} {}", named(role), denial.verb, denial.resource_text()),
        why: format!("{} binds it to {}, {what}.", named(binding), named(role)),
        evidence,
    }
}

/// `get, list of secrets`, with the API groups and names where the rule has some.
fn rights(rule: &Value) -> String {
    let words = |list: &str| {
        let words: Vec<&str> = rule.list(list).iter().filter_map(Value::as_str).collect();
        words.join(", ")
    };
    let groups = Some(words("/apiGroups")).filter(|groups| !groups.is_empty());
    let groups = groups.map(|groups| format!(" in API group {groups}")).unwrap_or_default();
    let names = Some(words("/resourceNames")).filter(|names| !names.is_empty());
    let names = names.map(|names| format!(" named {names}")).unwrap_or_default();
    format!("{} of {}{groups}{names}", words("/verbs"), words("/resources"))
}

fn not_bound<'a>(
    facts: &Facts<'a>,
    denial: &Denial,
    role: Option<Object<'a>>,
    pod: Option<&Pod<'a>>,
) -> Explained {
    let (namespace, name) = denial.account().unwrap_or_default();
    let account = reference("v1", "ServiceAccount", namespace, name);
    let entitled = authority::entitled_account(facts, denial).filter(|_| name == "default");
    if let (Some(entitled), Some(pod)) = (entitled, pod) {
        return default_account(entitled, pod);
    }
    let hint =
        role.map_or(String::new(), |role| format!(" {} would allow it and is not bound to it.", named(role)));
    let text =
        format!("no RoleBinding or ClusterRoleBinding names ServiceAccount {namespace}/{name} where it asks");
    Explained {
        rule: "rbac-not-bound",
        object: account.clone(),
        title: "no binding gives it the right".to_owned(),
        why: format!("No binding gives this account any role where it asks.{hint}"),
        evidence: vec![absent(account, text)],
    }
}

/// The pods run as `default`, while another account of the namespace has the right.
fn default_account(entitled: Object<'_>, pod: &Pod<'_>) -> Explained {
    let mut evidence = fields(pod.object, &["/spec/serviceAccountName"]);
    evidence.extend(fields(entitled, &["/metadata/name"]));
    Explained {
        rule: "rbac-default-account",
        object: pod.workload.reference.clone(),
        title: format!("its pods use the account default, ServiceAccount {} has the right", entitled.name()),
        why: format!(
            "The pod specification names no ServiceAccount, so the pods run as default, which has no rights. ServiceAccount {} has the right and is probably meant.",
            entitled.name()
        ),
        evidence,
    }
}

fn unknown(denial: &Denial) -> Explained {
    let (namespace, name) = denial.account().unwrap_or_default();
    Explained {
        rule: "rbac-not-bound",
        object: reference("v1", "ServiceAccount", namespace, name),
        title: "the right is missing".to_owned(),
        why: "Roles and bindings could not be read, so it is not known which one should give it.".to_owned(),
        evidence: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
