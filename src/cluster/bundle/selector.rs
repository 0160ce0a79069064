//! Label and field selectors, as the API server reads them.

use serde_json::Value;

/// A parsed selector: all requirements have to hold.
#[derive(Debug, Default)]
pub(super) struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Debug)]
enum Requirement {
    Equals { path: Path, value: String, negated: bool },
    In { label: String, values: Vec<String>, negated: bool },
    Exists { label: String, negated: bool },
}

#[derive(Debug)]
enum Path {
    Label(String),
    Field(String),
}

/// Fields by which every kind can be selected, and those that some kinds add.
const FIELDS: &[(&str, &[&str])] = &[
    ("", &["metadata.name", "metadata.namespace"]),
    (
        "Pod",
        &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
    ),
    (
        "Event",
        &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
    ),
    ("Node", &["spec.unschedulable"]),
    ("Secret", &["type"]),
    ("Namespace", &["status.phase"]),
    ("Job", &["status.successful"]),
    ("ReplicaSet", &["status.replicas"]),
];

impl Selector {
    /// `a=b,c!=d,e in (f,g),h notin (i),j,!k`
    pub(super) fn labels(text: &str) -> Result<Self, String> {
        let requirements = split_outside_parentheses(text).into_iter().map(label_requirement);
        Ok(Self { requirements: requirements.collect::<Result<_, _>>()? })
    }

    /// `metadata.name=x,status.phase!=Running`
    pub(super) fn fields(text: &str, kind: &str) -> Result<Self, String> {
        let terms = text.split(',').map(str::trim).filter(|term| !term.is_empty());
        let requirements = terms.map(|term| {
            let (field, value, negated) =
                comparison(term).ok_or_else(|| format!("invalid field selector {term:?}"))?;
            let known =
                |(of, fields): &(&str, &[&str])| (of.is_empty() || *of == kind) && fields.contains(&field);
            if !FIELDS.iter().any(known) {
                return Err(format!("field label not supported: {field}"));
            }
            Ok(Requirement::Equals { path: Path::Field(field.to_owned()), value: value.to_owned(), negated })
        });
        Ok(Self { requirements: requirements.collect::<Result<_, _>>()? })
    }

    pub(super) fn matches(&self, object: &Value) -> bool {
        self.requirements.iter().all(|requirement| requirement.holds(object))
    }
}

impl Requirement {
    fn holds(&self, object: &Value) -> bool {
        let label = |name: &str| object["metadata"]["labels"][name].as_str();
        match self {
            Self::Equals { path: Path::Label(name), value, negated } => {
                (label(name) == Some(value.as_str())) != *negated
            }
            Self::Equals { path: Path::Field(path), value, negated } => {
                (field(object, path) == *value) != *negated
            }
            Self::In { label: name, values, negated } => {
                label(name).is_some_and(|value| values.iter().any(|wanted| wanted == value)) != *negated
            }
            Self::Exists { label: name, negated } => label(name).is_some() != *negated,
        }
    }
}

/// The text of a field; what is not there is empty, as for the API server.
fn field(object: &Value, path: &str) -> String {
    let value = match path {
        "source" => &object["source"]["component"],
        path => path.split('.').fold(object, |value, name| &value[name]),
    };
    match value {
        Value::String(text) => text.clone(),
        Value::Null if matches!(path, "spec.unschedulable" | "spec.hostNetwork") => "false".to_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn label_requirement(term: &str) -> Result<Requirement, String> {
    let invalid = || format!("unable to parse requirement: {term:?}");
    for (word, negated) in [(" notin ", true), (" in ", false)] {
        if let Some((label, set)) = term.split_once(word) {
            let set =
                set.trim().strip_prefix('(').and_then(|set| set.strip_suffix(')')).ok_or_else(invalid)?;
            let values = set.split(',').map(|value| value.trim().to_owned()).collect();
            return Ok(Requirement::In { label: label.trim().to_owned(), values, negated });
        }
    }
    if let Some((label, value, negated)) = comparison(term) {
        let path = Path::Label(label.to_owned());
        return Ok(Requirement::Equals { path, value: value.to_owned(), negated });
    }
    let (label, negated) = match term.strip_prefix('!') {
        Some(label) => (label.trim(), true),
        None => (term, false),
    };
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    if label.is_empty() || !label.chars().all(legal) {
        return Err(invalid());
    }
    Ok(Requirement::Exists { label: label.to_owned(), negated })
}

/// `a=b`, `a==b` or `a!=b`.
fn comparison(term: &str) -> Option<(&str, &str, bool)> {
    let (left, right, negated) = match term.split_once("!=") {
        Some((left, right)) => (left, right, true),
        None => {
            let (left, right) = term.split_once('=')?;
            (left, right.strip_prefix('=').unwrap_or(right), false)
        }
    };
    Some((left.trim(), right.trim(), negated))
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    let parts = text.split(|c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    parts.map(str::trim).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case("app=web", true)]
    #[case("app==web", true)]
    #[case("app!=web", false)]
    #[case("tier!=x", true)]
    #[case("app in (api, web)", true)]
    #[case("app notin (api,web)", false)]
    #[case("tier notin (x)", true)]
    #[case("app", true)]
    #[case("!app", false)]
    #[case("!tier,app in (web),env=prod", true)]
    #[case("env=test", false)]
    fn label_selectors(#[case] selector: &str, #[case] matches: bool) {
        let object = json!({ "metadata": { "labels": { "app": "web", "env": "prod" } } });
        assert_eq!(Selector::labels(selector).unwrap().matches(&object), matches);
    }

    #[rstest]
    #[case("status.phase=Running", true)]
    #[case("status.phase!=Running,metadata.name=x", false)]
    #[case("spec.nodeName=", true)]
    #[case("spec.hostNetwork=false", true)]
    fn field_selectors(#[case] selector: &str, #[case] matches: bool) {
        let object = json!({ "metadata": { "name": "x" }, "status": { "phase": "Running" } });
        assert_eq!(Selector::fields(selector, "Pod").unwrap().matches(&object), matches);
    }

    #[rstest]
    #[case("spec.replicas=1")]
    #[case("nonsense")]
    fn unknown_fields_are_refused(#[case] selector: &str) {
        assert!(Selector::fields(selector, "Pod").is_err());
    }

    #[rstest]
    #[case("app in web")]
    #[case("a b")]
    fn broken_label_selectors_are_refused(#[case] selector: &str) {
        assert!(Selector::labels(selector).is_err());
    }
}
