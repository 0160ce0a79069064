//! Reading objects kind by kind: side by side, page by page, and with a word on what could not be read.

use std::collections::HashSet;

use futures::StreamExt;
use serde_json::Value;

use crate::cluster::{Bundle, Cluster, ClusterError, Kind, ListQuery};
use crate::diagnosis::ReadKind;
use crate::diagnosis::report::Missing;

use super::Progress;

/// Objects per request.
const PAGE: u32 = 500;
/// Requests at the same time.
pub(in crate::cluster) const CONCURRENCY: usize = 8;

/// Older versions (and for events, another group) whose objects say the same, where the cluster has no better one.
const ALTERNATIVES: &[(&str, &str, &str)] = &[
    ("Event", "events.k8s.io", "v1"),
    ("Event", "events.k8s.io", "v1beta1"),
    ("EndpointSlice", "discovery.k8s.io", "v1beta1"),
    ("CronJob", "batch", "v1beta1"),
    ("HorizontalPodAutoscaler", "autoscaling", "v2beta2"),
    ("PodDisruptionBudget", "policy", "v1beta1"),
];

/// What came of reading one kind.
#[derive(Debug, Default)]
pub(in crate::cluster) struct KindRead {
    /// `pods`.
    pub(in crate::cluster) plural: &'static str,
    /// The objects.
    pub(in crate::cluster) items: Vec<Value>,
    /// False where nothing is known of this kind.
    pub(in crate::cluster) read: bool,
    /// What is not among the objects, and why.
    pub(in crate::cluster) missing: Vec<Missing>,
    error: Option<ClusterError>,
}

impl KindRead {
    fn missing(plural: &'static str, why: String) -> Self {
        let missing = vec![Missing { what: plural.to_owned(), why }];
        Self { plural, missing, ..Self::default() }
    }
}

/// How to read.
pub(in crate::cluster) struct Reading<'a> {
    /// The cluster.
    pub(in crate::cluster) cluster: &'a Cluster,
    /// Where to look for kinds that may not be listed in all namespaces.
    pub(in crate::cluster) namespaces: Vec<String>,
    /// At most so many objects of a kind.
    pub(in crate::cluster) limit: usize,
    /// Objects of other namespaces are not asked for.
    pub(in crate::cluster) confined: bool,
}

/// The objects of one kind, as far as they came.
#[derive(Default)]
struct Objects {
    items: Vec<Value>,
    skipped: usize,
    cut: bool,
}

impl Reading<'_> {
    /// Reads these kinds, in their order. Fails where the cluster does not answer at all.
    pub(in crate::cluster) async fn kinds(
        &self,
        wanted: &[ReadKind],
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Vec<KindRead>, ClusterError> {
        let offered = self.cluster.discovered().await?;
        let reading = (0..wanted.len()).map(|place| {
            let offered = &offered;
            async move { (place, self.kind(&wanted[place], offered).await) }
        });
        let mut reading = futures::stream::iter(reading).buffer_unordered(CONCURRENCY);
        let mut done = Vec::with_capacity(wanted.len());
        let mut objects = 0;
        while let Some((place, read)) = reading.next().await {
            objects += read.items.len();
            done.push((place, read));
            progress(Progress::Read { done: done.len(), of: wanted.len(), objects });
        }
        done.sort_by_key(|(place, _)| *place);
        let mut reads = answered(done.into_iter().map(|(_, read)| read).collect())?;
        say_once(&mut reads);
        Ok(reads)
    }

    async fn kind(&self, wanted: &ReadKind, offered: &[Kind]) -> KindRead {
        let plural = wanted.plural;
        let kind = match self.choose(wanted, offered) {
            Ok(kind) => kind,
            Err(why) => return KindRead::missing(plural, why.to_owned()),
        };
        if self.confined && kind.namespaced {
            return self.in_namespaces(plural, kind).await;
        }
        match self.pages(kind, None).await {
            Ok(objects) => objects.into_read(plural),
            Err(ClusterError::Forbidden(_)) if kind.namespaced => self.in_namespaces(plural, kind).await,
            Err(error) => {
                let missing = KindRead::missing(plural, why(&error));
                KindRead { error: Some(error), ..missing }
            }
        }
    }

    /// The version to read: the one that the rules know, or an older one.
    fn choose<'k>(&self, wanted: &ReadKind, offered: &'k [Kind]) -> Result<&'k Kind, &'static str> {
        let older = ALTERNATIVES.iter().filter(|(kind, ..)| *kind == wanted.kind);
        let versions = std::iter::once((wanted.group, wanted.version))
            .chain(older.map(|(_, group, version)| (*group, *version)));
        let candidates: Vec<&Kind> = versions
            .filter_map(|(group, version)| {
                let is_it =
                    |kind: &&Kind| kind.kind == wanted.kind && kind.group == group && kind.version == version;
                offered.iter().find(is_it)
            })
            .collect();
        match &self.cluster.bundle {
            None => candidates.first().copied().ok_or("not offered by this cluster"),
            Some(bundle) => choose_recorded(bundle, &candidates).ok_or("not recorded in this bundle"),
        }
    }

    /// Namespace by namespace; where nobody says which, the one of the kubeconfig's context.
    async fn in_namespaces(&self, plural: &'static str, kind: &Kind) -> KindRead {
        let default = [self.cluster.client.default_namespace().to_owned()];
        let namespaces = if self.namespaces.is_empty() { &default[..] } else { &self.namespaces };
        let mut all = KindRead { plural, ..KindRead::default() };
        for namespace in namespaces {
            match self.pages(kind, Some(namespace)).await {
                Ok(objects) => {
                    let read = objects.into_read(plural);
                    all.items.extend(read.items);
                    all.missing.extend(read.missing);
                    all.read = true;
                }
                Err(error) => {
                    let what = format!("{plural} in the namespace {namespace}");
                    all.missing.push(Missing { what, why: why(&error) });
                    all.error = Some(error);
                }
            }
        }
        if self.confined {
            return all;
        }
        if !all.read {
            return KindRead::missing(plural, FORBIDDEN.to_owned());
        }
        let what = format!("namespaces other than {}", namespaces.join(", "));
        all.missing.push(Missing { what, why: FORBIDDEN.to_owned() });
        all
    }

    async fn pages(&self, kind: &Kind, namespace: Option<&str>) -> Result<Objects, ClusterError> {
        let namespace = namespace.map(str::to_owned);
        let mut query = ListQuery { namespace, limit: Some(PAGE), ..ListQuery::default() };
        let mut objects = Objects::default();
        loop {
            let page = match self.cluster.list(kind, &query).await {
                // The list changed faster than it was read: from the start, in one piece, which cannot expire.
                Err(ClusterError::Expired(_)) if query.continue_token.is_some() => {
                    objects = Objects::default();
                    (query.continue_token, query.limit) = (None, None);
                    continue;
                }
                page => page?,
            };
            objects.items.extend(page.items);
            objects.skipped += page.skipped;
            query.continue_token = page.continue_token;
            if objects.items.len() > self.limit || query.continue_token.is_none() {
                objects.cut = objects.items.len() > self.limit;
                objects.items.truncate(self.limit);
                return Ok(objects);
            }
        }
    }
}

/// What is missing of many kinds for the same reason is said with the first.
fn say_once(reads: &mut [KindRead]) {
    let mut said = HashSet::new();
    for read in reads {
        read.missing.retain(|missing| said.insert((missing.what.clone(), missing.why.clone())));
    }
}

fn choose_recorded<'k>(bundle: &Bundle, candidates: &[&'k Kind]) -> Option<&'k Kind> {
    let with_objects = candidates.iter().find(|kind| bundle.count(kind) > 0);
    with_objects.or_else(|| candidates.iter().find(|kind| bundle.is_recorded(kind))).copied()
}

impl Objects {
    fn into_read(self, plural: &'static str) -> KindRead {
        let mut missing = Vec::new();
        if self.skipped > 0 {
            let what = format!("{} of the {plural}", self.skipped);
            missing.push(Missing { what, why: "damaged in the API's answer".to_owned() });
        }
        if self.cut {
            let what = format!("{plural} beyond the first {}", self.items.len());
            missing.push(Missing { what, why: "more than drydock reads of one kind".to_owned() });
        }
        KindRead { plural, items: self.items, read: true, missing, error: None }
    }
}

pub(super) const FORBIDDEN: &str = "forbidden";

fn why(error: &ClusterError) -> String {
    match error {
        ClusterError::Forbidden(_) => FORBIDDEN.to_owned(),
        ClusterError::NotFound(_) => "not offered by this cluster".to_owned(),
        other => other.to_string(),
    }
}

/// Where nothing could be read because nobody answers, there is nothing to diagnose.
fn answered(mut reads: Vec<KindRead>) -> Result<Vec<KindRead>, ClusterError> {
    let silent = |read: &KindRead| matches!(read.error, Some(ClusterError::Unreachable(_)));
    if !reads.iter().any(|read| read.read)
        && let Some(place) = reads.iter().position(silent)
        && let Some(error) = reads.swap_remove(place).error
    {
        return Err(error);
    }
    Ok(reads)
}
