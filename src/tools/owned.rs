//! What an object owns, by owner references: a Deployment its ReplicaSets and their Pods, a CronJob its Jobs.

use serde_json::Value;

use crate::cluster::{ClusterError, Kind, ListQuery};

use super::ToolContext;
use super::objects::{list_all, name_of, namespace_of};

/// Most objects of one kind that are looked at.
const MAX_OBJECTS: usize = 10_000;

/// Kind and name of everything that the object owns, directly or through others; the object itself comes first.
pub(super) async fn family(
    cx: &ToolContext,
    kind: &Kind,
    object: &Value,
) -> Result<Vec<(String, String)>, ClusterError> {
    let mut family = vec![Member::of(&kind.kind, object)];
    for (api_version, kind) in below(kind) {
        let kind = cx.cluster.resolve(kind, Some(api_version)).await?;
        let query = ListQuery { namespace: Some(namespace_of(object).to_owned()), ..ListQuery::default() };
        let (candidates, _) = list_all(cx, &kind, query, MAX_OBJECTS).await?;
        let owned = candidates.iter().filter(|candidate| family.iter().any(|member| member.owns(candidate)));
        let owned: Vec<Member> = owned.map(|object| Member::of(&kind.kind, object)).collect();
        family.extend(owned);
    }
    Ok(family.into_iter().map(|member| (member.kind, member.name)).collect())
}

/// The kinds that may be owned, owners first.
fn below(kind: &Kind) -> &'static [(&'static str, &'static str)] {
    const REPLICA_SETS: (&str, &str) = ("apps/v1", "ReplicaSet");
    const JOBS: (&str, &str) = ("batch/v1", "Job");
    const PODS: (&str, &str) = ("v1", "Pod");
    match kind.kind.as_str() {
        "Deployment" => &[REPLICA_SETS, PODS],
        "CronJob" => &[JOBS, PODS],
        "ReplicaSet" | "ReplicationController" | "StatefulSet" | "DaemonSet" | "Job" => &[PODS],
        // Operators hang workloads under their own kinds.
        _ if kind.namespaced && kind.group.contains('.') && !kind.group.ends_with("k8s.io") => {
            &[("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), REPLICA_SETS, JOBS, PODS]
        }
        _ => &[],
    }
}

struct Member {
    kind: String,
    name: String,
    uid: String,
}

impl Member {
    fn of(kind: &str, object: &Value) -> Self {
        let uid = object["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        Self { kind: kind.to_owned(), name: name_of(object).to_owned(), uid }
    }

    /// Hand-written recordings may come without uids; then kind and name have to do.
    fn owns(&self, object: &Value) -> bool {
        let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
        let mut owners = owners.map(|owner| (&owner["kind"], &owner["name"], owner["uid"].as_str()));
        owners.any(|(kind, name, uid)| match uid.filter(|_| !self.uid.is_empty()) {
            Some(uid) => uid == self.uid,
            None => *kind == self.kind.as_str() && *name == self.name.as_str(),
        })
    }
}
