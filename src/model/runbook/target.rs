//! What the names of a question mean in this cluster.

use std::collections::BTreeSet;

use serde_json::Value;

use super::known::Known;
use super::question::{Mention, Question};

/// Kinds that are listed to find a name that no diagnosis mentions, best guess first.
pub(super) const SEARCHED_KINDS: &[&str] =
    &["deployments", "statefulsets", "daemonsets", "cronjobs", "jobs", "services"];

/// Which of several objects of one name is meant, where the question does not say the kind.
const PREFERENCE: &[&str] = &[
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "CronJob",
    "Job",
    "Pod",
    "Node",
    "Service",
    "Ingress",
    "PersistentVolumeClaim",
];

/// An object of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TargetObject {
    pub(super) kind: String,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
}

/// What the question is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// The whole cluster.
    Cluster,
    /// These namespaces.
    Namespaces(Vec<String>),
    /// One object.
    Object(TargetObject),
    /// These names are not known yet; look for them.
    Sought(Vec<String>),
    /// These names are nowhere.
    Unknown(Vec<String>),
}

impl Target {
    /// What the words alone say.
    pub(super) fn asked(question: &Question) -> Self {
        let Some(scope) = &question.scope else {
            return Self::of_namespaces(question.namespaces.iter().cloned());
        };
        match &scope.object {
            Some(object) => Self::Object(TargetObject {
                kind: object.kind.clone(),
                namespace: object.namespace.clone(),
                name: object.name.clone(),
            }),
            None => Self::of_namespaces(scope.namespaces.iter().cloned()),
        }
    }

    /// What the names mean, as far as is known.
    pub(super) fn resolve(question: &Question, known: &Known<'_>) -> Self {
        if !question.names_something() {
            return Self::asked(question);
        }
        let searched = SEARCHED_KINDS.iter().all(|kind| known.has_listed(kind));
        let mut namespaces: BTreeSet<String> = question.namespaces.iter().cloned().collect();
        let mut objects = BTreeSet::new();
        let mut unknown = Vec::new();
        for mention in &question.mentions {
            let mut found = objects_named(mention, &question.namespaces, known);
            if found.is_empty() && mention.kind == Some("pod") {
                // The orders pod is one of the workload orders; its own name nobody remembers.
                let workload = Mention { kind: None, ..mention.clone() };
                found = objects_named(&workload, &question.namespaces, known);
            }
            if !found.is_empty() {
                objects.extend(found);
            } else if is_namespace(mention, known) {
                namespaces.insert(mention.name.clone());
            } else {
                unknown.push(mention);
            }
        }
        // A plain word may be no name at all, so it is looked for, and missed, only where nothing else is meant.
        let found_something = !objects.is_empty() || !namespaces.is_empty();
        let sought: Vec<String> = unknown
            .into_iter()
            .filter(|mention| mention.certain || !found_something)
            .map(|mention| mention.name.clone())
            .collect();
        if !sought.is_empty() && !searched {
            return Self::Sought(sought);
        }
        Self::found(objects, namespaces, sought)
    }

    fn found(objects: BTreeSet<TargetObject>, namespaces: BTreeSet<String>, unknown: Vec<String>) -> Self {
        let mut objects = objects.into_iter();
        match (objects.next(), objects.next()) {
            (Some(object), None) => Self::Object(object),
            (Some(first), Some(second)) => {
                let all = [first, second].into_iter().chain(objects);
                Self::of_namespaces(all.filter_map(|object| object.namespace).chain(namespaces))
            }
            (None, _) if namespaces.is_empty() && !unknown.is_empty() => Self::Unknown(unknown),
            (None, _) => Self::of_namespaces(namespaces),
        }
    }

    fn of_namespaces(namespaces: impl IntoIterator<Item = String>) -> Self {
        let namespaces: BTreeSet<String> = namespaces.into_iter().collect();
        match namespaces.is_empty() {
            true => Self::Cluster,
            false => Self::Namespaces(namespaces.into_iter().collect()),
        }
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster | Self::Sought(_) | Self::Unknown(_))
    }

    /// The namespaces to list; none means all.
    pub(super) fn namespaces(&self) -> Vec<String> {
        match self {
            Self::Namespaces(namespaces) => namespaces.clone(),
            Self::Object(object) => object.namespace.clone().into_iter().collect(),
            Self::Cluster | Self::Sought(_) | Self::Unknown(_) => Vec::new(),
        }
    }
}

fn is_namespace(mention: &Mention, known: &Known<'_>) -> bool {
    mention.kind.is_none() && known.listed("namespaces").any(|item| item["name"] == mention.name.as_str())
}

/// The objects of this name, one per namespace: the kind that the question says, or else the preferred one.
fn objects_named(mention: &Mention, namespaces: &[String], known: &Known<'_>) -> Vec<TargetObject> {
    let wanted = |object: &TargetObject| {
        object.name.eq_ignore_ascii_case(&mention.name)
            && mention.kind.is_none_or(|kind| object.kind.eq_ignore_ascii_case(kind))
            && (namespaces.is_empty()
                || object.namespace.as_ref().is_none_or(|namespace| namespaces.contains(namespace)))
    };
    let reported = known.reported().map(|object| TargetObject {
        kind: object.kind.clone(),
        namespace: object.namespace.clone(),
        name: object.name.clone(),
    });
    let searched =
        SEARCHED_KINDS.iter().chain(&["pods"]).flat_map(|kind| known.listed(kind).map(listed_object));
    let mut all: Vec<TargetObject> = reported.chain(searched.flatten()).filter(wanted).collect();
    all.sort_by_key(|object| {
        let rank = PREFERENCE.iter().position(|kind| *kind == object.kind).unwrap_or(PREFERENCE.len());
        (object.namespace.clone(), rank, object.kind.clone())
    });
    all.dedup_by(|later, earlier| later.namespace == earlier.namespace);
    all
}

fn listed_object(item: &Value) -> Option<TargetObject> {
    Some(TargetObject {
        kind: item["kind"].as_str()?.to_owned(),
        namespace: item["namespace"].as_str().map(str::to_owned),
        name: item["name"].as_str()?.to_owned(),
    })
}
