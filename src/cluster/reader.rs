//! Reading: get, list, logs. Everything that leaves here is redacted.

use kube::api::{ListParams, LogParams};
use kube::core::Request;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::diagnosis::LogRef;

use super::kind::{Kind, segment};
use super::request::not_kubernetes;
use super::{Cluster, ClusterError, redact};

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
    /// Items that could not be read and are left out.
    pub skipped: usize,
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
    /// Each line begins with its time. Recordings have no times.
    pub timestamps: bool,
}

/// What of a log is kept, in bytes: the newest.
const MAX_LOG: usize = 1 << 20;

impl Cluster {
    /// One page of a list.
    pub async fn list(&self, kind: &Kind, query: &ListQuery) -> Result<Page, ClusterError> {
        let path = kind.path(query.namespace.as_deref(), None)?;
        let request = Request::new(path).list(&query.parameters()).map_err(invalid)?;
        let bytes = self.requests().bytes(&request.uri().to_string()).await?;
        let (kind, cluster) = (kind.clone(), self.info.name.clone());
        off_the_runtime(move || read_page(&kind, &bytes, &cluster)).await
    }

    /// One object, secrets redacted.
    pub async fn get(&self, kind: &Kind, namespace: Option<&str>, name: &str) -> Result<Value, ClusterError> {
        if kind.namespaced && namespace.is_none() {
            let message = format!("{} live in namespaces: say in which one {name:?} is", kind.plural);
            return Err(ClusterError::Invalid(message));
        }
        let path = kind.path(namespace, Some(name))?;
        let mut object: Value = self.requests().json(&path).await?;
        redact::object(&mut object);
        Ok(object)
    }

    /// A container's log, secrets redacted. At most 1 MiB; the newest lines are kept.
    pub async fn logs(&self, query: &LogQuery) -> Result<String, ClusterError> {
        self.logs_within(query, MAX_LOG).await
    }

    /// A container's log, secrets redacted: the newest whole lines that fit into so many bytes.
    pub(super) async fn logs_within(&self, query: &LogQuery, bytes: usize) -> Result<String, ClusterError> {
        let path = pods().path(Some(&query.namespace), None)?;
        let pod = segment(&query.pod)?;
        let request = Request::new(path).logs(pod, &query.parameters()).map_err(invalid)?;
        let tail = self.requests().tail(&request.uri().to_string(), bytes).await?;
        off_the_runtime(move || Ok(redact::text(&tail.into_text()))).await
    }
}

impl ListQuery {
    fn parameters(&self) -> ListParams {
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        ListParams {
            label_selector: filled(&self.label_selector),
            field_selector: filled(&self.field_selector),
            limit: self.limit,
            continue_token: filled(&self.continue_token),
            ..ListParams::default()
        }
    }
}

impl LogQuery {
    /// The newest lines of this log.
    pub(super) fn newest(of: &LogRef, lines: u32) -> Self {
        Self {
            namespace: of.namespace.clone(),
            pod: of.pod.clone(),
            container: Some(of.container.clone()),
            previous: of.previous,
            tail_lines: Some(lines),
            since_seconds: None,
            timestamps: false,
        }
    }

    fn parameters(&self) -> LogParams {
        LogParams {
            container: self.container.clone().filter(|name| !name.is_empty()),
            previous: self.previous,
            tail_lines: self.tail_lines.map(i64::from),
            since_seconds: self.since_seconds.map(i64::from),
            timestamps: self.timestamps,
            ..LogParams::default()
        }
    }
}

fn pods() -> Kind {
    Kind {
        group: String::new(),
        version: "v1".to_owned(),
        kind: "Pod".to_owned(),
        plural: "pods".to_owned(),
        short_names: Vec::new(),
        namespaced: true,
    }
}

fn invalid(error: kube::core::request::Error) -> ClusterError {
    ClusterError::Invalid(error.to_string())
}

/// Reading and redacting a long answer takes a while.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ClusterError> + Send + 'static,
) -> Result<T, ClusterError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| ClusterError::Invalid("the answer could not be read".to_owned()))?
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(default)]
    metadata: ListMetadata,
    // One by one: an item that is damaged must not take the others with it.
    #[serde(default, borrow)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ListMetadata {
    #[serde(rename = "continue")]
    continue_token: Option<String>,
    remaining_item_count: Option<u64>,
}

fn read_page(kind: &Kind, bytes: &[u8], cluster: &str) -> Result<Page, ClusterError> {
    let text = String::from_utf8_lossy(bytes);
    let list: List<'_> = serde_json::from_str(&text).map_err(|error| not_kubernetes(cluster, &error))?;
    let raw = list.items.unwrap_or_default();
    let items: Vec<Value> = raw.iter().filter_map(|item| read_item(kind, item)).collect();
    Ok(Page {
        skipped: raw.len() - items.len(),
        items,
        continue_token: list.metadata.continue_token.filter(|token| !token.is_empty()),
        remaining: list.metadata.remaining_item_count,
    })
}

fn read_item(kind: &Kind, item: &RawValue) -> Option<Value> {
    let mut item: Value = serde_json::from_str(item.get()).ok()?;
    let object = item.as_object_mut()?;
    object.entry("apiVersion").or_insert_with(|| kind.api_version().into());
    object.entry("kind").or_insert_with(|| kind.kind.clone().into());
    redact::object(&mut item);
    Some(item)
}
