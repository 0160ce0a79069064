//! Reading: discovery, get, list, logs. Everything that leaves here is redacted.

use serde_json::Value;

use super::bundle::Kind;
use super::{Cluster, ClusterError, ClusterSource};

/// What to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Only this namespace; all of them where absent.
    pub namespace: Option<String>,
    /// A label selector as kubectl takes it.
    pub label_selector: Option<String>,
    /// A field selector as kubectl takes it.
    pub field_selector: Option<String>,
    /// Page size.
    pub limit: Option<u32>,
    /// `continue` of the page before.
    pub continue_token: Option<String>,
}

/// A page of a list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Page {
    /// The objects, each with its `apiVersion` and `kind`, secrets redacted.
    pub items: Vec<Value>,
    /// Reads on, where there is more.
    pub continue_token: Option<String>,
    /// How many more there are, where the server says so.
    pub remaining: Option<u64>,
}

/// Which log to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub pod: String,
    /// Container; may be absent where the pod has only one.
    pub container: Option<String>,
    /// The log of the instance before the current one.
    pub previous: bool,
    /// Only the newest lines.
    pub tail_lines: Option<u32>,
    /// Only what is younger.
    pub since_seconds: Option<u32>,
}

impl Cluster {
    /// Opens a cluster, and makes sure that it answers.
    pub async fn open(_source: &ClusterSource) -> Result<Self, ClusterError> {
        Err(unfinished())
    }

    /// Every kind that the API server offers, preferred versions first.
    pub async fn kinds(&self) -> Result<Vec<Kind>, ClusterError> {
        Err(unfinished())
    }

    /// The kind that someone means by `Pod`, `pods`, `po`, `deploy`, `deployments.apps`, …; `api_version` narrows it.
    pub async fn resolve(&self, _kind: &str, _api_version: Option<&str>) -> Result<Kind, ClusterError> {
        Err(unfinished())
    }

    /// One page of a list.
    pub async fn list(&self, _kind: &Kind, _query: &ListQuery) -> Result<Page, ClusterError> {
        Err(unfinished())
    }

    /// One object, secrets redacted.
    pub async fn get(
        &self,
        _kind: &Kind,
        _namespace: Option<&str>,
        _name: &str,
    ) -> Result<Value, ClusterError> {
        Err(unfinished())
    }

    /// A container's log, secrets redacted.
    pub async fn logs(&self, _query: &LogQuery) -> Result<String, ClusterError> {
        Err(unfinished())
    }
}

fn unfinished() -> ClusterError {
    ClusterError::Invalid("reading is being built".to_owned())
}
