//! What a workload looked like before its last change.

use serde_json::Value;

use crate::diagnosis::facts::{Facts, Object, Read, Workload};

/// The pod template of the revision before the newest one, where the cluster still has it (Deployments only).
pub(super) fn former_template<'a>(facts: &Facts<'a>, workload: &Workload<'a>) -> Option<&'a Value> {
    let deployment = workload.object.filter(|_| workload.kind() == "Deployment")?;
    let children = facts.children(deployment).iter();
    let mut sets: Vec<Object<'a>> = children.copied().filter(|set| set.kind() == "ReplicaSet").collect();
    sets.sort_by_key(|set| std::cmp::Reverse(revision(*set)));
    sets.get(1)?.value().pointer("/spec/template")
}

fn revision(set: Object<'_>) -> u64 {
    let revision = set.annotation("deployment.kubernetes.io/revision");
    revision.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The sum of one resource over the containers of a pod template; `list` is `requests` or `limits`.
pub(super) fn asked(template: &Value, list: &str, resource: &str) -> f64 {
    let containers = template.list("/spec/containers").iter();
    let amount = |container: &Value| {
        crate::diagnosis::facts::quantity::of(container.pointer("/resources")?.get(list)?.get(resource)?)
    };
    containers.filter_map(amount).sum()
}
