//! What is wrong with a recorded cluster, as its `truth.yaml` says.

use std::fmt;
use std::path::Path;

use drydock::diagnosis::report::{Finding, ObjectRef};
use regex::Regex;
use serde::Deserialize;

/// A `truth.yaml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Truth {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) root_causes: Vec<Cause>,
    /// Patterns of which each is in some finding.
    pub(super) must_mention: Vec<String>,
    /// What suffers, or only looks ill.
    pub(super) must_not_root_cause: Vec<Named>,
}

/// A root cause, and what its finding has to say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cause {
    kind: String,
    namespace: String,
    name: String,
    /// Other objects whose change repairs it as well.
    #[serde(default)]
    alternatives: Vec<Named>,
    /// The rule that names this mode, and not its lookalike.
    pub(super) rule: Option<String>,
    #[serde(default)]
    pub(super) must_mention: Vec<String>,
    #[serde(default)]
    pub(super) must_not_mention: Vec<String>,
}

/// Objects, by patterns that match the whole kind, namespace and name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    kind: String,
    namespace: String,
    name: String,
}

impl Truth {
    pub(super) fn load(file: &Path) -> Self {
        serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
    }
}

impl Cause {
    pub(super) fn is(&self, object: &ObjectRef) -> bool {
        let namespace = object.namespace.as_deref().unwrap_or_default();
        (self.kind == object.kind && self.namespace == namespace && self.name == object.name)
            || self.alternatives.iter().any(|other| other.matches(object))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

impl Named {
    pub(super) fn matches(&self, object: &ObjectRef) -> bool {
        let whole =
            |pattern: &str, text: &str| Regex::new(&format!("^(?:{pattern})$")).unwrap().is_match(text);
        whole(&self.kind, &object.kind)
            && whole(&self.namespace, object.namespace.as_deref().unwrap_or_default())
            && whole(&self.name, &object.name)
    }
}

/// True where a pattern is in the title, the summary or the evidence of one of the findings.
pub(super) fn says(findings: &[&Finding], pattern: &str) -> bool {
    let pattern = Regex::new(pattern).unwrap();
    findings.iter().any(|finding| {
        let evidence = finding.evidence.iter().flat_map(|evidence| {
            let value = evidence.value.as_ref().map(ToString::to_string);
            value.into_iter().chain(evidence.text.clone())
        });
        let told = [finding.title.clone(), finding.summary.clone()];
        told.into_iter().chain(evidence).any(|text| pattern.is_match(&text))
    })
}
