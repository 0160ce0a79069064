//! The revisions that a cluster keeps: ReplicaSets of a Deployment, ControllerRevisions of the other kinds.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::cluster::{ClusterError, Kind, ListQuery};
use crate::tools::ToolContext;
use crate::tools::objects::{list_all, name_of, namespace_of};
use crate::tools::owned::is_owned_by;

const REVISION: &str = "deployment.kubernetes.io/revision";
const FORMER: &str = "deployment.kubernetes.io/revision-history";
const CAUSE: &str = "kubernetes.io/change-cause";
const HASH: &str = "controller-revision-hash";
/// Most objects of one kind that are looked at.
const MAX_OBJECTS: usize = 10_000;

/// One revision of a workload.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Revision {
    pub(super) number: u64,
    pub(super) name: String,
    pub(super) created: Option<Timestamp>,
    pub(super) is_current: bool,
    pub(super) replicas: i64,
    pub(super) ready: i64,
    pub(super) change_cause: Option<String>,
    /// Numbers that it had before it was rolled back to.
    pub(super) formerly: Option<String>,
    /// The pod template, secrets redacted.
    pub(super) template: Value,
}

impl Revision {
    /// Images of the containers, those that initialize first.
    pub(super) fn images(&self) -> Vec<String> {
        let lists = ["initContainers", "containers"].map(|list| self.template["spec"][list].as_array());
        let containers = lists.into_iter().flatten().flatten();
        containers.filter_map(|container| container["image"].as_str()).map(str::to_owned).collect()
    }
}

/// All that is kept, newest first.
pub(super) async fn revisions(
    cx: &ToolContext,
    kind: &Kind,
    workload: &Value,
) -> Result<Vec<Revision>, ClusterError> {
    let mut revisions = match kind.kind.as_str() {
        "Deployment" => of_deployment(cx, workload).await?,
        _ => of_controller(cx, kind, workload).await?,
    };
    revisions.sort_by_key(|revision| std::cmp::Reverse(revision.number));
    if kind.kind == "DaemonSet"
        && let Some(newest) = revisions.first_mut()
    {
        newest.is_current = true;
    }
    Ok(revisions)
}

/// What `read` takes from the objects of a kind that belong to the workload.
async fn owned<T>(
    cx: &ToolContext,
    (kind, api_version): (&str, &str),
    owner: (&Kind, &Value),
    read: impl Fn(&Value) -> T,
) -> Result<Vec<T>, ClusterError> {
    let kind = cx.cluster.resolve(kind, Some(api_version)).await?;
    let query = ListQuery { namespace: Some(namespace_of(owner.1).to_owned()), ..ListQuery::default() };
    let mine = |object: &Value| is_owned_by(object, &owner.0.kind, owner.1).then(|| read(object));
    let (found, _) = list_all(cx, &kind, query, MAX_OBJECTS, mine).await?;
    Ok(found.into_iter().flatten().collect())
}

async fn of_deployment(cx: &ToolContext, deployment: &Value) -> Result<Vec<Revision>, ClusterError> {
    let current = annotation(deployment, REVISION);
    let kind = cx.cluster.resolve("Deployment", Some("apps/v1")).await?;
    owned(cx, ("ReplicaSet", "apps/v1"), (&kind, deployment), |set| {
        let number = annotation(set, REVISION);
        let mut template = set["spec"]["template"].clone();
        if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
            labels.remove("pod-template-hash");
        }
        Revision {
            is_current: number.is_some() && number == current,
            number: number.and_then(|number| number.parse().ok()).unwrap_or(0),
            replicas: set["status"]["replicas"].as_i64().unwrap_or(0),
            ready: set["status"]["readyReplicas"].as_i64().unwrap_or(0),
            formerly: annotation(set, FORMER),
            template,
            ..Revision::kept_by(set)
        }
    })
    .await
}

async fn of_controller(
    cx: &ToolContext,
    kind: &Kind,
    workload: &Value,
) -> Result<Vec<Revision>, ClusterError> {
    let pods = owned(cx, ("Pod", "v1"), (kind, workload), |pod| {
        let ready = pod["status"]["conditions"].as_array().into_iter().flatten();
        let is_ready = ready.into_iter().any(|of| of["type"] == "Ready" && of["status"] == "True");
        (pod["metadata"]["labels"][HASH].as_str().unwrap_or_default().to_owned(), i64::from(is_ready))
    })
    .await?;
    let mut counts: HashMap<String, (i64, i64)> = HashMap::new();
    for (hash, ready) in pods {
        let count = counts.entry(hash).or_default();
        *count = (count.0 + 1, count.1 + ready);
    }
    let wanted = workload["status"]["updateRevision"].as_str().unwrap_or_default();
    owned(cx, ("ControllerRevision", "apps/v1"), (kind, workload), |kept| {
        // Pods of a StatefulSet bear the revision's name, those of a DaemonSet its hash.
        let hash = kept["metadata"]["labels"][HASH].as_str().unwrap_or_default();
        let (replicas, ready) =
            counts.get(name_of(kept)).or_else(|| counts.get(hash)).copied().unwrap_or_default();
        let mut template = kept["data"]["spec"]["template"].clone();
        if let Some(template) = template.as_object_mut() {
            template.remove("$patch");
        }
        Revision {
            is_current: name_of(kept) == wanted,
            number: kept["revision"].as_u64().unwrap_or(0),
            replicas,
            ready,
            template,
            ..Revision::kept_by(kept)
        }
    })
    .await
}

impl Revision {
    fn kept_by(object: &Value) -> Self {
        Self {
            number: 0,
            name: name_of(object).to_owned(),
            created: object["metadata"]["creationTimestamp"].as_str().and_then(|time| time.parse().ok()),
            is_current: false,
            replicas: 0,
            ready: 0,
            change_cause: annotation(object, CAUSE),
            formerly: None,
            template: Value::Null,
        }
    }
}

fn annotation(object: &Value, name: &str) -> Option<String> {
    object["metadata"]["annotations"][name].as_str().map(str::to_owned)
}
