//! Who may do what: the Roles and bindings of the snapshot, evaluated as the API server does.

use std::borrow::Cow;

use serde_json::Value;

use crate::diagnosis::facts::{Facts, Object, Read, nearest, selector};

use super::denial::Denial;

/// Why a request is not allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cause<'a> {
    /// A binding names a role that does not exist.
    RoleMissing { binding: Object<'a> },
    /// A binding would give the right, but not to this account; `subject` is its place in the list.
    WrongSubject { binding: Object<'a>, subject: usize },
    /// A binding gives the right, but in its own namespace only.
    OtherNamespace { binding: Object<'a> },
    /// The account has roles where it asks, and none of them has the right; `role` is the nearest one.
    RoleLacks { role: Object<'a>, binding: Object<'a> },
    /// Nothing is bound to the account; `role` would have the right.
    NotBound { role: Option<Object<'a>> },
    /// Roles and bindings were not read.
    Unknown,
}

/// Without these nothing can be said; without their cluster-wide counterparts a little less.
const NEEDED: [&str; 2] = ["Role", "RoleBinding"];
const WANTED: [&str; 2] = ["ClusterRole", "ClusterRoleBinding"];

/// Everything that could give a right was read.
pub(super) fn is_complete(facts: &Facts<'_>) -> bool {
    NEEDED.iter().chain(&WANTED).all(|kind| facts.was_read(kind))
}

/// `None` where the request is allowed by now, or nobody that the snapshot knows has made it.
pub(super) fn cause<'a>(facts: &Facts<'a>, denial: &Denial) -> Option<Cause<'a>> {
    let account = denial.account()?;
    if NEEDED.iter().any(|kind| !facts.was_read(kind)) {
        return Some(Cause::Unknown);
    }
    let reaching: Vec<Object<'a>> = reaching_bindings(facts, denial).collect();
    let of_account = |binding: &Object<'a>| binds(*binding, account);
    let grants = |binding: &Object<'a>| role(facts, *binding).is_some_and(|role| allows(role, denial));
    if reaching.iter().any(|binding| of_account(binding) && grants(binding)) {
        return None;
    }
    let named = |binding: &Object<'a>| names(*binding, account);
    let is_dangling = |binding: &&Object<'a>| {
        let kind = binding.value().text("/roleRef/kind");
        named(binding) && facts.was_read(kind) && role(facts, **binding).is_none()
    };
    let dangling = reaching.iter().find(is_dangling);
    let astray = || {
        let granting = reaching.iter().filter(|binding| grants(binding));
        granting.copied().find_map(|binding| Some((binding, meant_subject(facts, binding, account)?)))
    };
    let elsewhere =
        || facts.all("RoleBinding").iter().copied().find(|binding| named(binding) && grants(binding));
    Some(if let Some(binding) = dangling {
        Cause::RoleMissing { binding: *binding }
    } else if let Some((binding, subject)) = astray() {
        Cause::WrongSubject { binding, subject }
    } else if let Some(binding) = elsewhere() {
        Cause::OtherNamespace { binding }
    } else if let Some((role, binding)) = nearest_role(facts, &reaching, denial, account) {
        Cause::RoleLacks { role, binding }
    } else {
        Cause::NotBound { role: unbound_role(facts, denial) }
    })
}

/// The bindings that count where the request was made.
fn reaching_bindings<'a>(facts: &Facts<'a>, denial: &Denial) -> impl Iterator<Item = Object<'a>> {
    let local = denial.namespace.clone();
    let in_namespace =
        facts.all("RoleBinding").iter().filter(move |binding| Some(binding.namespace()) == local.as_deref());
    in_namespace.chain(facts.all("ClusterRoleBinding")).copied()
}

/// The role that a binding gives.
pub(in crate::diagnosis) fn role<'a>(facts: &Facts<'a>, binding: Object<'a>) -> Option<Object<'a>> {
    let name = binding.value().text("/roleRef/name");
    match binding.value().text("/roleRef/kind") {
        "Role" => facts.get("Role", binding.namespace(), name),
        _ => facts.get("ClusterRole", "", name),
    }
}

/// The account itself is among the subjects.
pub(super) fn names(binding: Object<'_>, (namespace, name): (&str, &str)) -> bool {
    binding.value().list("/subjects").iter().any(|subject| match subject.text("/kind") {
        "ServiceAccount" => subject["name"] == name && subject["namespace"] == namespace,
        "User" => subject.text("/name") == format!("system:serviceaccount:{namespace}:{name}"),
        _ => false,
    })
}

/// The account, or a group that it belongs to, is among the subjects.
fn binds(binding: Object<'_>, account: (&str, &str)) -> bool {
    let group = format!("system:serviceaccounts:{}", account.0);
    let of_group = |subject: &Value| {
        subject["kind"] == "Group"
            && ["system:authenticated", "system:serviceaccounts", &group].contains(&subject.text("/name"))
    };
    names(binding, account) || binding.value().list("/subjects").iter().any(of_group)
}

/// The subject that was most likely meant to be the account: the same name in another namespace or as another kind, or a
/// similar name in the same one. An account that exists is meant as it is written, unless the binding stands in the
/// namespace of the one that asks.
fn meant_subject(facts: &Facts<'_>, binding: Object<'_>, (namespace, name): (&str, &str)) -> Option<usize> {
    let exists = |subject: &Value| {
        facts.get("ServiceAccount", subject.text("/namespace"), subject.text("/name")).is_some()
    };
    let is_local = binding.namespace() == namespace && name != "default";
    binding.value().list("/subjects").iter().position(|subject| match subject.text("/kind") {
        "ServiceAccount" if subject["namespace"] == namespace => {
            nearest(name, [subject.text("/name")]).is_some() && !exists(subject)
        }
        "ServiceAccount" => subject["name"] == name && (is_local || !exists(subject)),
        "User" | "Group" => subject["name"] == name,
        _ => false,
    })
}

fn listed(rule: &Value, list: &str, wanted: &str) -> bool {
    rule.list(list).iter().any(|entry| entry == "*" || entry == wanted)
}

fn has_resource(rule: &Value, wanted: &str) -> bool {
    let sub = wanted.split_once('/').map(|(_, sub)| format!("*/{sub}"));
    listed(rule, "/resources", wanted) || sub.is_some_and(|any| listed(rule, "/resources", &any))
}

/// What is asked for: a verb on a resource, or on a path that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::diagnosis) struct Attributes<'q> {
    pub(in crate::diagnosis) verb: &'q str,
    /// Empty for the core group.
    pub(in crate::diagnosis) group: &'q str,
    /// With its subresource, `pods/log`; or a path of the API server, `/metrics`.
    pub(in crate::diagnosis) resource: &'q str,
}

/// True where a rule of a role allows it, for the objects in its `resourceNames` or for all.
pub(in crate::diagnosis) fn rule_allows(rule: &Value, asked: Attributes<'_>) -> bool {
    let is_path = asked.resource.starts_with('/');
    listed(rule, "/verbs", asked.verb)
        && if is_path {
            rule.list("/nonResourceURLs")
                .iter()
                .filter_map(Value::as_str)
                .any(|url| has_path(url, asked.resource))
        } else {
            listed(rule, "/apiGroups", asked.group) && has_resource(rule, asked.resource)
        }
}

fn has_path(url: &str, path: &str) -> bool {
    match url.strip_suffix('*') {
        Some(beginning) => path.starts_with(beginning),
        None => url == path,
    }
}

/// The rules of a role. Those of an aggregated one are its parts' until the controller has put them together.
pub(in crate::diagnosis) fn rules<'a>(facts: &Facts<'a>, role: Object<'a>) -> Cow<'a, [Value]> {
    let own = role.value().list("/rules");
    let selectors = role.value().list("/aggregationRule/clusterRoleSelectors");
    if !own.is_empty() || selectors.is_empty() {
        return Cow::Borrowed(own);
    }
    let is_part =
        |part: &&Object<'a>| selectors.iter().any(|wanted| selector::matches(wanted, part.labels()));
    let parts = facts.all("ClusterRole").iter().filter(is_part);
    parts.flat_map(|part| part.value().list("/rules")).cloned().collect()
}

pub(super) fn allows(role: Object<'_>, denial: &Denial) -> bool {
    let asked = Attributes { verb: &denial.verb, group: &denial.group, resource: &denial.resource };
    role.value().list("/rules").iter().any(|rule| {
        let names = rule.list("/resourceNames");
        let has_name = names.is_empty()
            || denial.name.as_ref().is_some_and(|name| names.iter().any(|known| known == name.as_str()));
        rule_allows(rule, asked) && has_name
    })
}

/// Of the roles that the account has, the one that comes nearest to the right.
fn nearest_role<'a>(
    facts: &Facts<'a>,
    reaching: &[Object<'a>],
    denial: &Denial,
    account: (&str, &str),
) -> Option<(Object<'a>, Object<'a>)> {
    let closeness = |role: Object<'_>| {
        let rules = role.value().list("/rules").iter();
        let points = rules.map(|rule| {
            let resource = has_resource(rule, &denial.resource);
            let group = listed(rule, "/apiGroups", &denial.group);
            usize::from(resource) * 4 + usize::from(resource && group) * 2 + usize::from(group)
        });
        points.max().unwrap_or(0)
    };
    let own = reaching.iter().copied().filter(|binding| names(*binding, account));
    let roles = own.filter_map(|binding| Some((role(facts, binding)?, binding)));
    roles.max_by_key(|(role, _)| (closeness(*role), !is_shared(*role)))
}

/// A role that Kubernetes brings along, which is not to be changed for one account.
pub(super) fn is_shared(role: Object<'_>) -> bool {
    role.kind() == "ClusterRole"
        && (role.label("kubernetes.io/bootstrapping").is_some() || role.name().starts_with("system:"))
}

/// A role made for this purpose, which only needs to be bound.
fn unbound_role<'a>(facts: &Facts<'a>, denial: &Denial) -> Option<Object<'a>> {
    let (namespace, name) = denial.account()?;
    let local = facts.all("Role").iter().filter(|role| Some(role.namespace()) == denial.namespace.as_deref());
    let fitting = local.chain(facts.all("ClusterRole")).copied();
    let fitting = fitting.filter(|role| allows(*role, denial) && !is_shared(*role));
    let is_meant = |role: &Object<'_>| {
        role.name() == name || nearest(name, [role.name()]).is_some() || role.namespace() == namespace
    };
    fitting.max_by_key(|role| (role.name() == name, is_meant(role))).filter(is_meant)
}

/// Another account of the same namespace that has the right.
pub(super) fn entitled_account<'a>(facts: &Facts<'a>, denial: &Denial) -> Option<Object<'a>> {
    let (namespace, name) = denial.account()?;
    let granting: Vec<Object<'a>> = reaching_bindings(facts, denial)
        .filter(|binding| role(facts, *binding).is_some_and(|role| allows(role, denial)))
        .collect();
    facts.all_in("ServiceAccount", namespace).find(|account| {
        account.name() != name && granting.iter().any(|binding| names(*binding, (namespace, account.name())))
    })
}
