//! Who may do what: the roles and bindings of a snapshot, evaluated as the API server does.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::facts::{Facts, Object, Read};
use super::report::ObjectRef;
use super::rules::rbac::{Attributes, Denial, role, rule_allows, rules, why_not};
use super::snapshot::Snapshot;

/// The kinds that an answer needs, as in [`super::READ_KINDS`].
pub const ACCESS_KINDS: [&str; 5] =
    ["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "ServiceAccount"];

/// The group that may do everything, whatever roles say.
const MASTERS: &str = "system:masters";

/// A question about rights.
#[derive(Debug, Clone)]
pub struct AccessQuery {
    /// Whose rights; everybody's where absent.
    pub subject: Option<Subject>,
    /// Groups that the subject is in, besides those that follow from its name.
    pub groups: Vec<String>,
    /// `get`, `list`, `create`, ….
    pub verb: String,
    /// Empty for the core group.
    pub group: String,
    /// With its subresource, `pods/log`; or a path of the API server, `/metrics`.
    pub resource: String,
    /// One object.
    pub name: Option<String>,
    /// Where; in the whole cluster where absent.
    pub namespace: Option<String>,
}

/// Who acts, as bindings name them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Subject {
    /// `ServiceAccount`, `User` or `Group`.
    pub kind: String,
    /// Of a ServiceAccount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

/// What a binding gives.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// To whom: the subject itself, or a group that it is in.
    pub subject: Subject,
    /// The binding.
    pub binding: ObjectRef,
    /// The role that it gives.
    pub role: ObjectRef,
    /// Only these objects, where the rule says so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only_names: Vec<String>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// Whether the subject may, or anybody where none was named. Absent where too little could be read to say no.
    pub allowed: Option<bool>,
    /// What allows it.
    pub grants: Vec<Grant>,
    /// What allows it for some objects only, which were not asked for.
    pub limited: Vec<Grant>,
    /// What would allow it, but in other namespaces.
    pub elsewhere: Vec<Grant>,
    /// Why not, where that is known.
    pub why_not: Option<String>,
    /// Commands that would allow it.
    pub would_allow: Vec<String>,
}

/// Answers a question about rights.
pub fn access(snapshot: &Snapshot, query: &AccessQuery) -> Access {
    let facts = Facts::new(snapshot);
    let mut access = Access {
        allowed: None,
        grants: Vec::new(),
        limited: Vec::new(),
        elsewhere: Vec::new(),
        why_not: None,
        would_allow: Vec::new(),
    };
    let bindings = facts.all("ClusterRoleBinding").iter().chain(facts.all("RoleBinding"));
    for binding in bindings {
        let Some((grant, is_whole)) = granted(&facts, *binding, query) else { continue };
        let to = subjects(*binding, query).map(|subject| Grant { subject, ..grant.clone() });
        match (reaches(*binding, query), is_whole) {
            (false, _) => access.elsewhere.extend(to),
            (true, true) => access.grants.extend(to),
            (true, false) => access.limited.extend(to),
        }
    }
    conclude(&facts, query, &mut access);
    access
}

fn conclude(facts: &Facts<'_>, query: &AccessQuery, access: &mut Access) {
    let is_master =
        query.subject.as_ref().is_some_and(|subject| groups_of(subject, query).contains(&MASTERS.to_owned()));
    if is_master || !access.grants.is_empty() {
        access.allowed = Some(true);
        return;
    }
    if !ACCESS_KINDS[..4].iter().all(|kind| facts.was_read(kind)) {
        return;
    }
    access.allowed = Some(false);
    let account = query.subject.as_ref().filter(|subject| subject.kind == "ServiceAccount");
    let Some(account) = account.filter(|_| !query.resource.starts_with('/')) else { return };
    let denial = Denial {
        user: format!(
            "system:serviceaccount:{}:{}",
            account.namespace.as_deref().unwrap_or_default(),
            account.name
        ),
        verb: query.verb.clone(),
        resource: query.resource.clone(),
        group: query.group.clone(),
        namespace: query.namespace.clone(),
        name: query.name.clone(),
    };
    if let Some((why, remedies)) = why_not(facts, &denial) {
        access.why_not = Some(why);
        access.would_allow = remedies.into_iter().map(|remedy| remedy.command).collect();
    }
}

/// A binding counts where the question is about: everywhere, or in its own namespace.
fn reaches(binding: Object<'_>, query: &AccessQuery) -> bool {
    binding.kind() == "ClusterRoleBinding" || Some(binding.namespace()) == query.namespace.as_deref()
}

/// What a binding gives of what is asked for, and whether it is all of it. Its subject is filled in later.
fn granted<'a>(facts: &Facts<'a>, binding: Object<'a>, query: &AccessQuery) -> Option<(Grant, bool)> {
    let is_path = query.resource.starts_with('/');
    if is_path && binding.kind() == "RoleBinding" {
        return None;
    }
    let role = role(facts, binding)?;
    let asked = Attributes { verb: &query.verb, group: &query.group, resource: &query.resource };
    let rules = rules(facts, role);
    let granting: Vec<&Value> = rules.iter().filter(|rule| rule_allows(rule, asked)).collect();
    let covers = |rule: &&Value| {
        let names = rule.list("/resourceNames");
        names.is_empty()
            || query.name.as_ref().is_some_and(|name| names.iter().any(|known| known == name.as_str()))
    };
    let is_whole = granting.iter().any(covers);
    let names = || {
        let names = granting.iter().flat_map(|rule| rule.list("/resourceNames"));
        names.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let subject = Subject { kind: String::new(), namespace: None, name: String::new() };
    let grant = Grant {
        subject,
        binding: binding.reference(),
        role: role.reference(),
        only_names: if is_whole { Vec::new() } else { names() },
    };
    (!granting.is_empty()).then_some((grant, is_whole))
}

/// The subjects of a binding: all of them, or the one that makes it the asking subject's.
fn subjects<'q>(binding: Object<'q>, query: &'q AccessQuery) -> impl Iterator<Item = Subject> + 'q {
    let named = binding.value().list("/subjects").iter().map(|subject| Subject {
        kind: subject.text("/kind").to_owned(),
        namespace: subject.maybe_text("/namespace").map(str::to_owned),
        name: subject.text("/name").to_owned(),
    });
    named.filter(|subject| query.subject.as_ref().is_none_or(|asking| is_of(subject, asking, query)))
}

fn is_of(named: &Subject, asking: &Subject, query: &AccessQuery) -> bool {
    match named.kind.as_str() {
        "ServiceAccount" => named == asking,
        "User" => named.name == user_name(asking),
        "Group" => groups_of(asking, query).contains(&named.name),
        _ => false,
    }
}

/// As the API server calls it.
fn user_name(subject: &Subject) -> String {
    match (subject.kind.as_str(), &subject.namespace) {
        ("ServiceAccount", Some(namespace)) => format!("system:serviceaccount:{namespace}:{}", subject.name),
        ("User", _) => subject.name.clone(),
        _ => String::new(),
    }
}

/// The groups that follow from what it is called, those that were said, and where it is a group, itself.
fn groups_of(subject: &Subject, query: &AccessQuery) -> Vec<String> {
    let own: Vec<String> = match (subject.kind.as_str(), &subject.namespace) {
        ("ServiceAccount", Some(namespace)) => {
            vec!["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")]
        }
        ("Group", _) => vec![subject.name.clone()],
        _ if subject.name.starts_with("system:node:") => vec!["system:nodes".to_owned()],
        _ => Vec::new(),
    };
    let everybody = match subject.name.as_str() {
        "system:anonymous" | "system:unauthenticated" => "system:unauthenticated",
        _ => "system:authenticated",
    };
    own.into_iter().chain([everybody.to_owned()]).chain(query.groups.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::super::testing::{object, snapshot, with};
    use super::*;

    fn cluster_scoped(kind: &str, name: &str, rest: Value) -> Value {
        let object = object("rbac.authorization.k8s.io/v1", kind, name, rest);
        with(object, json!({ "metadata": { "namespace": null } }))
    }

    fn rule(verbs: &[&str], group: &str, resources: &[&str]) -> Value {
        json!({ "verbs": verbs, "apiGroups": [group], "resources": resources })
    }

    fn role(name: &str, rules: Value) -> Value {
        object("rbac.authorization.k8s.io/v1", "Role", name, json!({ "rules": rules }))
    }

    fn bound(kind: &str, role: (&str, &str), subject: Value) -> Value {
        let rest = json!({ "roleRef": { "kind": role.0, "name": role.1 }, "subjects": [subject] });
        let name = format!("{}-binding", role.1);
        match kind {
            "RoleBinding" => object("rbac.authorization.k8s.io/v1", kind, &name, rest),
            _ => cluster_scoped(kind, &name, rest),
        }
    }

    fn account(name: &str) -> Value {
        json!({ "kind": "ServiceAccount", "namespace": "shop", "name": name })
    }

    fn group(name: &str) -> Value {
        json!({ "kind": "Group", "name": name })
    }

    fn asking(verb: &str, resource: &str, namespace: Option<&str>) -> AccessQuery {
        let subject = Subject {
            kind: "ServiceAccount".to_owned(),
            namespace: Some("shop".to_owned()),
            name: "web".to_owned(),
        };
        AccessQuery {
            subject: Some(subject),
            groups: Vec::new(),
            verb: verb.to_owned(),
            group: String::new(),
            resource: resource.to_owned(),
            name: None,
            namespace: namespace.map(str::to_owned),
        }
    }

    fn roles() -> Vec<Value> {
        let part = json!({ "metadata": { "labels": { "to-view": "yes" } }, "rules": [rule(&["get"], "", &["services"])] });
        let selectors = json!([{ "matchLabels": { "to-view": "yes" } }]);
        vec![
            role("reader", json!([rule(&["get", "list"], "", &["pods", "pods/log"])])),
            bound("RoleBinding", ("Role", "reader"), account("web")),
            role(
                "named",
                json!([{ "verbs": ["get"], "apiGroups": [""], "resources": ["secrets"], "resourceNames": ["one"] }]),
            ),
            bound("RoleBinding", ("Role", "named"), account("web")),
            cluster_scoped("ClusterRole", "scaler", json!({ "rules": [rule(&["*"], "*", &["*/scale"])] })),
            bound("ClusterRoleBinding", ("ClusterRole", "scaler"), group("system:serviceaccounts:shop")),
            cluster_scoped("ClusterRole", "part", part),
            cluster_scoped(
                "ClusterRole",
                "view",
                json!({ "aggregationRule": { "clusterRoleSelectors": selectors } }),
            ),
            bound("ClusterRoleBinding", ("ClusterRole", "view"), group("system:authenticated")),
            cluster_scoped(
                "ClusterRole",
                "probe",
                json!({ "rules": [{ "verbs": ["get"], "nonResourceURLs": ["/healthz/*", "/version"] }] }),
            ),
            bound(
                "ClusterRoleBinding",
                ("ClusterRole", "probe"),
                json!({ "kind": "User", "name": "system:serviceaccount:shop:web" }),
            ),
        ]
    }

    #[rstest]
    #[case::a_role("list", "pods", Some("shop"), Some("reader"))]
    #[case::a_subresource("get", "pods/log", Some("shop"), Some("reader"))]
    #[case::another_subresource("get", "pods/exec", Some("shop"), None)]
    #[case::another_verb("delete", "pods", Some("shop"), None)]
    #[case::another_namespace("list", "pods", Some("bank"), None)]
    #[case::all_namespaces("list", "pods", None, None)]
    #[case::by_group_and_wildcard("update", "deployments/scale", None, Some("scaler"))]
    #[case::aggregated("get", "services", Some("bank"), Some("view"))]
    #[case::a_path("get", "/healthz/etcd", None, Some("probe"))]
    #[case::another_path("get", "/metrics", None, None)]
    #[case::only_a_name("get", "secrets", Some("shop"), None)]
    fn rights_are_what_the_api_server_would_say(
        #[case] verb: &str,
        #[case] resource: &str,
        #[case] namespace: Option<&str>,
        #[case] by: Option<&str>,
    ) {
        let answer = access(&snapshot(roles()), &asking(verb, resource, namespace));
        assert_eq!(answer.allowed, Some(by.is_some()));
        assert_eq!(answer.grants.first().map(|grant| grant.role.name.as_str()), by);
    }

    #[test]
    fn a_right_to_some_names_is_a_right_to_these_only() {
        let query = asking("get", "secrets", Some("shop"));
        let answer = access(&snapshot(roles()), &query);
        assert_eq!(answer.limited[0].only_names, ["one"]);
        let one = AccessQuery { name: Some("one".to_owned()), ..query };
        assert_eq!(access(&snapshot(roles()), &one).allowed, Some(true));
        let two = AccessQuery { name: Some("two".to_owned()), ..one };
        assert_eq!(access(&snapshot(roles()), &two).allowed, Some(false));
    }

    #[test]
    fn a_right_in_another_namespace_is_told_and_why_it_does_not_count() {
        let answer = access(&snapshot(roles()), &asking("list", "pods", Some("bank")));
        assert_eq!(answer.elsewhere[0].binding.name, "reader-binding");
        assert!(answer.why_not.is_some_and(|why| why.contains("shop")), "{:?}", answer.would_allow);
    }

    #[test]
    fn who_can_lists_every_subject_with_its_binding() {
        let query = AccessQuery { subject: None, ..asking("list", "pods", Some("shop")) };
        let answer = access(&snapshot(roles()), &query);
        let who: Vec<&str> = answer.grants.iter().map(|grant| grant.subject.name.as_str()).collect();
        assert_eq!(who, ["web"]);
    }

    #[test]
    fn groups_that_are_said_count_and_masters_may_do_everything() {
        let user = Subject { kind: "User".to_owned(), namespace: None, name: "alice".to_owned() };
        let mut query = AccessQuery { subject: Some(user), ..asking("delete", "pods", Some("shop")) };
        let mut objects = roles();
        objects.push(role("ops", json!([rule(&["delete"], "", &["pods"])])));
        objects.push(bound("RoleBinding", ("Role", "ops"), group("sre")));
        assert_eq!(access(&snapshot(objects.clone()), &query).allowed, Some(false));
        query.groups = vec!["sre".to_owned()];
        assert_eq!(access(&snapshot(objects), &query).allowed, Some(true));
        query.groups = vec!["system:masters".to_owned()];
        assert_eq!(access(&snapshot(Vec::new()), &query).allowed, Some(true));
    }

    #[test]
    fn no_is_not_said_where_bindings_were_not_read() {
        let mut snapshot = snapshot(Vec::new());
        snapshot.coverage.read.retain(|plural| plural != "clusterrolebindings");
        assert_eq!(access(&snapshot, &asking("list", "pods", Some("shop"))).allowed, None);
    }
}
