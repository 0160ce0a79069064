//! What the API server says when it denies a request.

use std::sync::LazyLock;

use regex::Regex;

use crate::diagnosis::draft::sh;

/// One request that RBAC did not allow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::diagnosis) struct Denial {
    pub(in crate::diagnosis) user: String,
    pub(in crate::diagnosis) verb: String,
    /// With its subresource: `pods/log`.
    pub(in crate::diagnosis) resource: String,
    /// Empty for the core group.
    pub(in crate::diagnosis) group: String,
    /// Absent where the request was about the whole cluster.
    pub(in crate::diagnosis) namespace: Option<String>,
    /// The object, where the request was about one.
    pub(in crate::diagnosis) name: Option<String>,
}

static FORBIDDEN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let pattern = r#"(?:\S+ "(?P<name>[^"]+)" )?is forbidden: User "(?P<user>[^"]+)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"(?: in the namespace "(?P<namespace>[^"]+)")?"#;
    Regex::new(pattern).ok()
});

impl Denial {
    /// Every denial in a text. Quotes may be escaped, as they are in JSON logs.
    pub(super) fn all(text: &str) -> Vec<Self> {
        if !text.contains("is forbidden: User ") {
            return Vec::new();
        }
        let text = text.replace("\\\"", "\"");
        let Some(pattern) = FORBIDDEN.as_ref() else { return Vec::new() };
        let found = pattern.captures_iter(&text).map(|captures| {
            let group = |name: &str| captures.name(name).map(|found| found.as_str().to_owned());
            Self {
                user: group("user").unwrap_or_default(),
                verb: group("verb").unwrap_or_default(),
                resource: group("resource").unwrap_or_default(),
                group: group("group").unwrap_or_default(),
                namespace: group("namespace"),
                name: group("name"),
            }
        });
        found.collect()
    }

    /// Namespace and name, where the user is a ServiceAccount.
    pub(super) fn account(&self) -> Option<(&str, &str)> {
        self.user.strip_prefix("system:serviceaccount:")?.split_once(':')
    }

    /// `deployments.apps`, `pods/log`.
    pub(super) fn resource_text(&self) -> String {
        match (self.group.as_str(), self.resource.split_once('/')) {
            ("", _) => self.resource.clone(),
            (group, Some((resource, sub))) => format!("{resource}.{group}/{sub}"),
            (group, None) => format!("{}.{group}", self.resource),
        }
    }

    /// `list deployments.apps in namespace shop`.
    pub(super) fn action(&self) -> String {
        let scope = match &self.namespace {
            Some(namespace) => format!("in namespace {namespace}"),
            None => "in the whole cluster".to_owned(),
        };
        format!("{} {} {scope}", self.verb, self.resource_text())
    }

    /// Asks the API server whether it is allowed.
    pub(super) fn can_i(&self) -> String {
        let (resource, sub) = self.resource.split_once('/').unwrap_or((&self.resource, ""));
        let group = if self.group.is_empty() { String::new() } else { format!(".{}", self.group) };
        let sub = if sub.is_empty() { String::new() } else { format!(" --subresource={}", sh(sub)) };
        let scope = match &self.namespace {
            Some(namespace) => format!(" -n {}", sh(namespace)),
            None => " -A".to_owned(),
        };
        let resource = sh(&format!("{resource}{group}"));
        format!("kubectl auth can-i {} {resource}{sub} --as={}{scope}", sh(&self.verb), sh(&self.user))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn denial(resource: &str, group: &str, namespace: Option<&str>, name: Option<&str>) -> Denial {
        Denial {
            user: "system:serviceaccount:shop:cart".to_owned(),
            verb: "list".to_owned(),
            resource: resource.to_owned(),
            group: group.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.map(str::to_owned),
        }
    }

    #[rstest]
    #[case::namespaced(
        r#"failed to list *v1.Deployment: deployments.apps is forbidden: User "system:serviceaccount:shop:cart" cannot list resource "deployments" in API group "apps" in the namespace "web""#,
        denial("deployments", "apps", Some("web"), None)
    )]
    #[case::cluster(
        r#"nodes is forbidden: User "system:serviceaccount:shop:cart" cannot list resource "nodes" in API group "" at the cluster scope"#,
        denial("nodes", "", None, None)
    )]
    #[case::named_in_json(
        r#"{"error":"leases.coordination.k8s.io \"lock\" is forbidden: User \"system:serviceaccount:shop:cart\" cannot list resource \"leases\" in API group \"coordination.k8s.io\" in the namespace \"web\""}"#,
        denial("leases", "coordination.k8s.io", Some("web"), Some("lock"))
    )]
    #[case::subresource(
        r#"pods "x" is forbidden: User "system:serviceaccount:shop:cart" cannot list resource "pods/log" in API group "" in the namespace "web""#,
        denial("pods/log", "", Some("web"), Some("x"))
    )]
    fn a_denial_is_read(#[case] text: &str, #[case] expected: Denial) {
        assert_eq!(Denial::all(text), [expected]);
    }

    #[test]
    fn other_refusals_are_no_denials() {
        assert_eq!(Denial::all("403 Forbidden: pods \"x\" is forbidden: exceeded quota: q"), []);
    }

    #[test]
    fn the_check_asks_for_the_same_right() {
        let asked = denial("pods/log", "", Some("web"), None).can_i();
        let expected =
            "kubectl auth can-i list pods --subresource=log --as=system:serviceaccount:shop:cart -n web";
        assert_eq!(asked, expected);
    }
}
