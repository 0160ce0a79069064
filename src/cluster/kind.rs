//! A kind of objects and how it is addressed.

use super::ClusterError;

/// A kind and how it is addressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// API group, empty for the core.
    pub group: String,
    /// Version, such as `v1`.
    pub version: String,
    /// `Pod`.
    pub kind: String,
    /// `pods`.
    pub plural: String,
    /// `po`.
    pub short_names: Vec<String>,
    /// True where objects live in a namespace.
    pub namespaced: bool,
}

impl Kind {
    /// `v1` or `apps/v1`.
    pub fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// True for its kind, plural, singular and short names, in any case, also with the group: `deployments.apps`,
    /// `deployments.v1.apps`.
    pub fn is_called(&self, name: &str) -> bool {
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        if is(&self.kind) || is(&self.plural) || self.short_names.iter().any(|short| is(short)) {
            return true;
        }
        let Some((base, group)) = name.split_once('.') else { return false };
        let known = |known: &str| known.eq_ignore_ascii_case(base);
        let group = group.to_lowercase();
        (known(&self.kind) || known(&self.plural))
            && (group == self.group || group == format!("{}.{}", self.version, self.group))
    }

    /// The path of the list, or of one object, in the API. Names are checked: a path must not lead elsewhere.
    pub(super) fn path(&self, namespace: Option<&str>, name: Option<&str>) -> Result<String, ClusterError> {
        let mut path = match self.group.as_str() {
            "" => format!("/api/{}", self.version),
            group => format!("/apis/{group}/{}", self.version),
        };
        if let Some(namespace) = namespace.filter(|_| self.namespaced) {
            path.push_str("/namespaces/");
            path.push_str(segment(namespace)?);
        }
        path.push('/');
        path.push_str(&self.plural);
        if let Some(name) = name {
            path.push('/');
            path.push_str(segment(name)?);
        }
        Ok(path)
    }
}

/// A name as Kubernetes allows it: RBAC's may hold colons.
pub(super) fn segment(name: &str) -> Result<&str, ClusterError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '@' | '~');
    match name.is_empty() || matches!(name, "." | "..") || !name.chars().all(legal) {
        true => {
            let shown: String = name.chars().take(60).collect();
            Err(ClusterError::Invalid(format!("{shown:?} is not a name of a Kubernetes object")))
        }
        false => Ok(name),
    }
}

/// `apps/v1` → (`apps`, `v1`).
pub fn split_api_version(api_version: &str) -> (String, String) {
    match api_version.split_once('/') {
        Some((group, version)) => (group.to_owned(), version.to_owned()),
        None => (String::new(), api_version.to_owned()),
    }
}
