//! `drydock.report/v1`: the contract of `drydock diagnose -o json`, of the `report` artifact and of `diagnose_cluster`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The value of [`Report::schema`].
pub const SCHEMA: &str = "drydock.report/v1";

/// What a diagnosis found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// Which cluster.
    pub cluster: ReportCluster,
    /// What was looked at.
    pub scope: Scope,
    /// When the diagnosis began, RFC 3339.
    pub started_at: String,
    /// How long it took, in milliseconds, reading included.
    pub duration_ms: u64,
    /// The whole in one word.
    pub verdict: Verdict,
    /// Everything found: root causes first, worst first.
    pub findings: Vec<Finding>,
    /// Ids of the findings that explain the others.
    pub root_causes: Vec<String>,
    /// What could be read and what could not.
    pub coverage: Coverage,
    /// What the reader should keep in mind.
    pub notes: Vec<String>,
}

/// Which cluster a report is about.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportCluster {
    /// Name.
    pub name: String,
    /// Server version.
    pub version: Option<String>,
    /// AWS region, where there is one.
    pub region: Option<String>,
    /// `live` or `bundle`.
    pub source: String,
    /// When a bundle was recorded, RFC 3339.
    pub captured_at: Option<String>,
}

/// What a diagnosis looks at. Empty means the whole cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Scope {
    /// Only these namespaces.
    pub namespaces: Vec<String>,
    /// Only what explains this object.
    pub object: Option<ObjectRef>,
}

/// An object by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// `v1`, `apps/v1`, ….
    pub api_version: String,
    /// `Pod`, `Deployment`, ….
    pub kind: String,
    /// Absent for cluster-scoped kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

/// The whole in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// No warning, nothing critical.
    Healthy,
    /// Something is at risk or impaired; what users need still works.
    Degraded,
    /// Something is down.
    Failing,
    /// Too little could be read to say.
    Unknown,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Down, or about to be.
    Critical,
    /// Impaired or at risk.
    Warning,
    /// Worth knowing.
    Info,
}

/// How sure the engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// The API says so, or two objects contradict each other.
    Certain,
    /// Strong evidence, with a gap.
    Likely,
    /// Inferred from a log pattern or from absence.
    Possible,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// `F1`, `F2`, … in the order of the report.
    pub id: String,
    /// Id of the rule, such as `image-not-found`.
    pub rule: String,
    /// How bad.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// What is wrong and why, in plain words.
    pub summary: String,
    /// The object whose change repairs it (root cause), or that suffers (symptom).
    pub object: ObjectRef,
    /// True where something is wrong and nothing else in the report explains it; false for what is only worth knowing.
    pub root_cause: bool,
    /// How sure.
    pub confidence: Confidence,
    /// Findings that explain this one.
    pub caused_by: Vec<String>,
    /// Findings that this one explains.
    pub affects: Vec<String>,
    /// Why we say so; each item can be looked up again.
    pub evidence: Vec<Evidence>,
    /// What to do about it, best first.
    pub remediation: Vec<Remediation>,
    /// Stable over runs: rule, object and cause, not time.
    pub fingerprint: String,
}

/// What kind of thing was observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EvidenceKind {
    /// A field of an object: `path` and `value`.
    Field,
    /// A Kubernetes event: `text`, `time`, `count`.
    Event,
    /// A line of a log: `text`; `path` is the container.
    Log,
    /// A measured value.
    Metric,
    /// An answer of an AWS API.
    Aws,
    /// Something that should be there and is not: `text`.
    Absent,
}

/// Something observed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// `E1`, `E2`, … within the finding.
    pub id: String,
    /// What kind.
    pub kind: EvidenceKind,
    /// Where it was seen.
    pub object: ObjectRef,
    /// JSONPath of a field (`$.spec.replicas`), or the container of a log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The field's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<serde_json::Value>,
    /// The exact text, shortened in the middle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// When, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// How often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// One way to repair it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Remediation {
    /// What it does.
    pub summary: String,
    /// Reads: look before the change.
    pub check: String,
    /// The change.
    pub command: String,
    /// True where `command` changes something.
    pub changes: bool,
    /// Takes the change back.
    pub undo: String,
    /// Reads: did it work?
    pub verify: String,
    /// What may go wrong by it.
    pub risk: Risk,
}

/// What a remediation may break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Touches only what is broken already.
    Low,
    /// Restarts something that works, or shifts load.
    Medium,
    /// May lose data or availability.
    High,
}

/// What could be read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Coverage {
    /// Plural names of what was read.
    pub read: Vec<String>,
    /// What was not, and why.
    pub missing: Vec<Missing>,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Missing {
    /// A resource, a file, a log.
    pub what: String,
    /// Why.
    pub why: String,
}
