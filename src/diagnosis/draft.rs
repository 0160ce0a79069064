//! A finding while the rules still write it: what is broken by it, and what would explain it.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::facts::{Key, KubeEvent, Object, reference};
use super::report::{Confidence, Evidence, EvidenceKind, Finding, ObjectRef, Remediation, Risk, Severity};
use super::rules;

/// Longest text of a piece of evidence, in characters; longer ones are cut in the middle.
const MAX_TEXT: usize = 600;

/// A finding of one rule, before causes and victims are linked.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) rule: &'static str,
    pub(crate) severity: Severity,
    pub(crate) confidence: Confidence,
    pub(crate) object: ObjectRef,
    pub(crate) title: String,
    pub(crate) summary: String,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) remediation: Vec<Remediation>,
    /// What tells this cause from another of the same rule and object; part of the fingerprint. Must not hold times,
    /// counts or pod names.
    pub(crate) cause: String,
    /// Objects that do not work because of this.
    pub(crate) breaks: Vec<Key>,
    /// Objects whose being broken would explain this.
    pub(crate) explained_by: Vec<Key>,
}

impl Draft {
    pub(crate) fn new(rule: &'static str, severity: Severity, object: ObjectRef, title: String) -> Self {
        debug_assert!(rules::RULES.iter().any(|known| known.id == rule), "bug: rule {rule} is not listed");
        Self {
            rule,
            severity,
            confidence: Confidence::Certain,
            object,
            title,
            summary: String::new(),
            evidence: Vec::new(),
            remediation: Vec::new(),
            cause: String::new(),
            breaks: Vec::new(),
            explained_by: Vec::new(),
        }
    }

    pub(crate) fn confidence(mut self, confidence: Confidence) -> Self {
        self.confidence = confidence;
        self
    }

    pub(crate) fn summary(mut self, summary: impl Into<String>) -> Self {
        self.summary = summary.into();
        self
    }

    pub(crate) fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = cause.into();
        self
    }

    /// Adds evidence, numbered in the order in which it comes.
    pub(crate) fn evidence(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        for mut evidence in evidence {
            evidence.id = format!("E{}", self.evidence.len() + 1);
            self.evidence.push(evidence);
        }
        self
    }

    pub(crate) fn remedy(mut self, remedy: Remediation) -> Self {
        self.remediation.push(remedy);
        self
    }

    pub(crate) fn remedies(mut self, remedies: impl IntoIterator<Item = Remediation>) -> Self {
        self.remediation.extend(remedies);
        self
    }

    pub(crate) fn breaks(mut self, objects: impl IntoIterator<Item = Key>) -> Self {
        self.breaks.extend(objects);
        self
    }

    pub(crate) fn explained_by(mut self, objects: impl IntoIterator<Item = Key>) -> Self {
        self.explained_by.extend(objects);
        self
    }

    /// The same over runs: rule, object and cause.
    pub(crate) fn fingerprint(&self) -> String {
        let key = Key::from(&self.object);
        let digest = Sha256::digest(format!("{}\n{key}\n{}", self.rule, self.cause));
        digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The finding, with its place in the report.
    pub(crate) fn into_finding(self, id: String, caused_by: Vec<String>, affects: Vec<String>) -> Finding {
        let fingerprint = self.fingerprint();
        Finding {
            id,
            rule: self.rule.to_owned(),
            severity: self.severity,
            title: self.title,
            summary: self.summary,
            object: self.object,
            // What is only worth knowing has broken nothing.
            root_cause: caused_by.is_empty() && self.severity != Severity::Info,
            confidence: self.confidence,
            caused_by,
            affects,
            evidence: self.evidence,
            remediation: self.remediation,
            fingerprint,
        }
    }
}

fn evidence(kind: EvidenceKind, object: ObjectRef) -> Evidence {
    Evidence { id: String::new(), kind, object, path: None, value: None, text: None, time: None, count: None }
}

/// A field of an object, by JSON pointer, with the value that stands there now. Absent fields give nothing.
pub(crate) fn field(object: Object<'_>, pointer: &str) -> Option<Evidence> {
    let value = object.value().pointer(pointer)?;
    Some(Evidence {
        path: Some(json_path(pointer)),
        value: Some(shortened_value(value)),
        ..evidence(EvidenceKind::Field, object.reference())
    })
}

/// What a condition says: its message, or its status where it has none.
pub(crate) fn condition(object: Object<'_>, of_type: &str) -> Option<Evidence> {
    let conditions = object.value().pointer("/status/conditions")?.as_array()?;
    let index = conditions.iter().position(|condition| condition["type"] == of_type)?;
    let has_message = conditions[index]["message"].as_str().is_some_and(|message| !message.is_empty());
    let member = if has_message { "message" } else { "status" };
    field(object, &format!("/status/conditions/{index}/{member}"))
}

/// An event, with its exact text.
pub(crate) fn event(event: &KubeEvent<'_>) -> Evidence {
    let involved = event.involved();
    let text = |name: &str| involved[name].as_str().unwrap_or_default();
    let object = reference(text("apiVersion"), text("kind"), text("namespace"), text("name"));
    Evidence {
        text: Some(shorten(&format!("{}: {}", event.reason, event.message), MAX_TEXT)),
        time: event.last.map(|time| time.to_string()),
        count: Some(event.count),
        ..evidence(EvidenceKind::Event, object)
    }
}

/// A line of a container's log.
pub(crate) fn log_line(pod: Object<'_>, container: &str, line: &str) -> Evidence {
    Evidence {
        path: Some(container.to_owned()),
        text: Some(shorten(line.trim(), MAX_TEXT)),
        ..evidence(EvidenceKind::Log, pod.reference())
    }
}

/// Something that should be there and is not.
pub(crate) fn absent(object: ObjectRef, text: impl Into<String>) -> Evidence {
    Evidence { text: Some(shorten(&text.into(), MAX_TEXT)), ..evidence(EvidenceKind::Absent, object) }
}

/// `/spec/containers/0/image` → `$.spec.containers[0].image`; names that are no identifiers go in brackets.
fn json_path(pointer: &str) -> String {
    let mut path = "$".to_owned();
    for token in pointer.split('/').skip(1) {
        let name = token.replace("~1", "/").replace("~0", "~");
        let is_index = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
        let is_plain =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        path.push_str(&match (is_index, is_plain) {
            (true, _) => format!("[{name}]"),
            (false, true) => format!(".{name}"),
            (false, false) => format!("['{}']", name.replace('\\', "\\\\").replace('\'', "\\'")),
        });
    }
    path
}

/// A name as one token of a JSON pointer.
pub(crate) fn pointer_token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn shortened_value(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(shorten(text, MAX_TEXT)),
        Value::Array(_) | Value::Object(_) if value.to_string().len() > MAX_TEXT * 2 => {
            Value::String(shorten(&value.to_string(), MAX_TEXT))
        }
        other => other.clone(),
    }
}

/// A text of at most `max` characters: the middle goes first, because both ends tell more.
pub(crate) fn shorten(text: &str, max: usize) -> String {
    let length = text.chars().count();
    if length <= max {
        return text.to_owned();
    }
    let keep = max.saturating_sub(3) / 2;
    let head: String = text.chars().take(keep).collect();
    let tail: String = text.chars().skip(length - keep).collect();
    format!("{head} … {tail}")
}

/// A word of a shell command: quoted where it has to be. Names come from a cluster, which may be hostile.
pub(crate) fn sh(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// `-n shop`, with a space behind it, or nothing for a cluster-scoped object.
pub(crate) fn in_namespace(object: &ObjectRef) -> String {
    object.namespace.as_ref().map(|namespace| format!("-n {} ", sh(namespace))).unwrap_or_default()
}

/// `deployment/catalog`, as kubectl takes it.
pub(crate) fn kubectl_name(object: &ObjectRef) -> String {
    let group = object.api_version.split_once('/').map_or("", |(group, _)| group);
    let kind = object.kind.to_lowercase();
    let known = ["", "apps", "batch", "networking.k8s.io", "storage.k8s.io", "policy", "autoscaling"];
    let kind =
        if known.contains(&group) || group.ends_with(".k8s.io") { kind } else { format!("{kind}.{group}") };
    format!("{}/{}", sh(&kind), sh(&object.name))
}

/// A remediation that changes something.
pub(crate) fn change(
    summary: impl Into<String>,
    check: impl Into<String>,
    command: impl Into<String>,
    undo: impl Into<String>,
    verify: impl Into<String>,
    risk: Risk,
) -> Remediation {
    Remediation {
        summary: summary.into(),
        check: check.into(),
        command: command.into(),
        changes: true,
        undo: undo.into(),
        verify: verify.into(),
        risk,
    }
}

/// A remediation that no single command can make: `command` shows what has to be looked at or edited.
pub(crate) fn advice(
    summary: impl Into<String>,
    check: impl Into<String>,
    verify: impl Into<String>,
) -> Remediation {
    let check = check.into();
    Remediation {
        summary: summary.into(),
        command: check.clone(),
        check,
        changes: false,
        undo: String::new(),
        verify: verify.into(),
        risk: Risk::Low,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case("/spec/containers/0/image", "$.spec.containers[0].image")]
    #[case("/metadata/labels/app.kubernetes.io~1name", "$.metadata.labels['app.kubernetes.io/name']")]
    fn pointers_become_json_paths(#[case] pointer: &str, #[case] path: &str) {
        assert_eq!(json_path(pointer), path);
    }

    #[test]
    fn a_field_is_evidence_only_where_it_stands() {
        let object = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "x" }, "spec": { "nodeName": "n" } });
        let found = field(Object::new(&object), "/spec/nodeName").unwrap();
        assert_eq!((found.path.as_deref(), found.value), (Some("$.spec.nodeName"), Some(json!("n"))));
        assert_eq!(field(Object::new(&object), "/spec/priority"), None);
    }

    #[test]
    fn long_texts_lose_their_middle() {
        let text = format!("begin {} end", "x".repeat(2000));
        let short = shorten(&text, 100);
        assert!(
            short.starts_with("begin x") && short.ends_with("x end") && short.chars().count() <= 100,
            "{short}"
        );
    }

    #[rstest]
    #[case("catalog", "catalog")]
    #[case("a b", "'a b'")]
    #[case("x; rm -rf /", "'x; rm -rf /'")]
    #[case("it's", r"'it'\''s'")]
    #[case("", "''")]
    fn words_cannot_break_out_of_a_command(#[case] word: &str, #[case] quoted: &str) {
        assert_eq!(sh(word), quoted);
    }

    #[test]
    fn a_fingerprint_knows_rule_object_and_cause_only() {
        let object = reference("apps/v1", "Deployment", "shop", "catalog");
        let draft = |cause: &str, title: &str| {
            Draft::new("image-not-found", Severity::Critical, object.clone(), title.to_owned()).cause(cause)
        };
        assert_eq!(draft("a", "seen 3 times").fingerprint(), draft("a", "seen 9 times").fingerprint());
        assert_ne!(draft("a", "x").fingerprint(), draft("b", "x").fingerprint());
    }

    #[test]
    fn what_is_only_worth_knowing_is_no_root_cause() {
        let object = reference("apps/v1", "Deployment", "shop", "catalog");
        let finding = |severity| {
            let draft = Draft::new("scaled-to-zero", severity, object.clone(), String::new());
            draft.into_finding("F1".to_owned(), Vec::new(), Vec::new())
        };
        assert!(finding(Severity::Warning).root_cause && !finding(Severity::Info).root_cause);
    }
}
