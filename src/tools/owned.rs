//! What an object owns, by owner references: a Deployment its ReplicaSets and their Pods, a CronJob its Jobs.

use std::collections::HashSet;

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
    let mut family = Family::default();
    family.add(Member::of(&kind.kind, object));
    for (api_version, kind) in below(kind) {
        let kind = cx.cluster.resolve(kind, Some(api_version)).await?;
        let query = ListQuery { namespace: Some(namespace_of(object).to_owned()), ..ListQuery::default() };
        let member = |object: &Value| family.owns(object).then(|| Member::of(&kind.kind, object));
        let (members, _) = list_all(cx, &kind, query, MAX_OBJECTS, member).await?;
        members.into_iter().flatten().for_each(|member| family.add(member));
    }
    Ok(family.names)
}

/// True where this is an owner of the object.
pub(super) fn is_owned_by(object: &Value, kind: &str, owner: &Value) -> bool {
    let mut family = Family::default();
    family.add(Member::of(kind, owner));
    family.owns(object)
}

/// True for the kinds that own objects of other kinds.
pub(super) fn may_own(kind: &Kind) -> bool {
    !below(kind).is_empty()
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
    uid: Option<String>,
}

impl Member {
    fn of(kind: &str, object: &Value) -> Self {
        let uid = object["metadata"]["uid"].as_str().map(str::to_owned);
        Self { kind: kind.to_owned(), name: name_of(object).to_owned(), uid }
    }
}

#[derive(Default)]
struct Family {
    names: Vec<(String, String)>,
    uids: HashSet<String>,
}

impl Family {
    fn add(&mut self, member: Member) {
        self.names.push((member.kind, member.name));
        self.uids.extend(member.uid);
    }

    /// Hand-written recordings may come without uids; then kind and name have to do.
    fn owns(&self, object: &Value) -> bool {
        let mut owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
        owners.any(|owner| match owner["uid"].as_str().filter(|_| !self.uids.is_empty()) {
            Some(uid) => self.uids.contains(uid),
            None => self
                .names
                .iter()
                .any(|(kind, name)| owner["kind"] == kind.as_str() && owner["name"] == name.as_str()),
        })
    }
}
