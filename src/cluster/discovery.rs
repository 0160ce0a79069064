//! Which kinds an API server offers, and which of them someone means by a name.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use serde::Deserialize;
use tokio::time::Instant;

use super::kind::split_api_version;
use super::request::Requests;
use super::{Cluster, ClusterError, Kind};
use crate::diagnosis::READ_KINDS;

/// How long what was discovered is taken for true.
const LIFETIME: Duration = Duration::from_secs(300);
/// How long it is taken for true that there is no kind of a name: a definition may just have been made.
const RECHECKED_AFTER: Duration = Duration::from_secs(2);
/// Longest name of a kind that is looked at, in characters.
const LONGEST_NAME: usize = 100;
/// Requests at the same time.
const CONCURRENCY: usize = 8;

/// What was discovered, and when.
#[derive(Debug, Default)]
pub(super) struct Cache(RwLock<Option<(Instant, Arc<[Kind]>)>>);

impl Cache {
    /// What is known, if it is younger than this.
    fn get(&self, lifetime: Duration) -> Option<Arc<[Kind]>> {
        let cached = self.0.read().unwrap_or_else(PoisonError::into_inner);
        cached.as_ref().filter(|(at, _)| at.elapsed() < lifetime).map(|(_, kinds)| Arc::clone(kinds))
    }

    /// Forgets what is known where it may be outdated by a change of an object of this kind: one that defines kinds, or one
    /// of a kind that was just defined.
    pub(super) fn changed(&self, kind: &Kind) {
        let defines = ["apiextensions.k8s.io", "apiregistration.k8s.io"].contains(&kind.group.as_str());
        let mut cached = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_known = cached.as_ref().is_none_or(|(_, kinds)| kinds.contains(kind));
        if defines || !is_known {
            *cached = None;
        }
    }

    fn set(&self, kinds: Arc<[Kind]>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), kinds));
    }
}

#[derive(Deserialize)]
struct GroupList {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    versions: Vec<GroupVersion>,
    preferred_version: Option<GroupVersion>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct GroupVersion {
    group_version: String,
}

#[derive(Deserialize)]
struct ResourceList {
    resources: Vec<ApiResource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ApiResource {
    name: String,
    namespaced: bool,
    kind: String,
    #[serde(default)]
    verbs: Vec<String>,
    #[serde(default)]
    short_names: Vec<String>,
}

impl Cluster {
    /// Every kind that the API server offers, preferred versions first.
    pub async fn kinds(&self) -> Result<Vec<Kind>, ClusterError> {
        Ok(self.discovered().await?.to_vec())
    }

    /// The kind that someone means by `Pod`, `pods`, `po`, `deploy`, `deployments.apps`, …; `api_version` narrows it.
    pub async fn resolve(&self, kind: &str, api_version: Option<&str>) -> Result<Kind, ClusterError> {
        let api_version = api_version.filter(|version| !version.is_empty());
        let kinds = self.discovered().await?;
        if let Some(kind) = find(&kinds, kind, api_version) {
            return Ok(kind.clone());
        }
        let kinds = self.discovered_within(RECHECKED_AFTER).await?;
        find(&kinds, kind, api_version).cloned().ok_or_else(|| unknown(&kinds, kind, api_version))
    }

    pub(super) async fn discovered(&self) -> Result<Arc<[Kind]>, ClusterError> {
        self.discovered_within(LIFETIME).await
    }

    /// What the API server offers, as it was not longer ago than this.
    async fn discovered_within(&self, lifetime: Duration) -> Result<Arc<[Kind]>, ClusterError> {
        if let Some(kinds) = self.discovery.get(lifetime) {
            return Ok(kinds);
        }
        let kinds: Arc<[Kind]> = self.discover().await?.into();
        self.discovery.set(Arc::clone(&kinds));
        Ok(kinds)
    }

    /// Asks group by group, which servers of every age answer. A group whose server is down is left out.
    async fn discover(&self) -> Result<Vec<Kind>, ClusterError> {
        let requests = self.requests();
        let groups: GroupList = requests.json("/apis").await?;
        let mut versions = vec!["v1".to_owned()];
        versions.extend(groups.groups.iter().filter_map(Group::preferred).map(str::to_owned));
        let rest = groups.groups.iter().flat_map(|group| group.versions.iter().map(|v| &v.group_version));
        versions.extend(rest.filter(|version| !versions.contains(version)).cloned().collect::<Vec<_>>());
        let kinds = versions.into_iter().map(|version| self.kinds_of(version));
        let kinds: Vec<Vec<Kind>> = futures::stream::iter(kinds).buffered(CONCURRENCY).try_collect().await?;
        Ok(kinds.into_iter().flatten().collect())
    }

    async fn kinds_of(&self, api_version: String) -> Result<Vec<Kind>, ClusterError> {
        let path = match api_version.as_str() {
            "v1" => "/api/v1".to_owned(),
            other => format!("/apis/{other}"),
        };
        let resources: ResourceList = match self.requests().json(&path).await {
            Ok(resources) => resources,
            Err(error) if api_version == "v1" => return Err(error),
            Err(error) => {
                tracing::info!(%api_version, %error, "an API group does not answer; its kinds are left out");
                return Ok(Vec::new());
            }
        };
        let (group, version) = split_api_version(&api_version);
        let kinds = resources.resources.into_iter().filter(ApiResource::is_readable);
        Ok(kinds.map(|resource| resource.into_kind(&group, &version)).collect())
    }

    pub(super) fn requests(&self) -> Requests<'_> {
        Requests { client: &self.client, cluster: &self.info.name }
    }
}

impl Group {
    fn preferred(&self) -> Option<&str> {
        let version = self.preferred_version.as_ref().or_else(|| self.versions.first())?;
        Some(&version.group_version)
    }
}

impl ApiResource {
    fn is_readable(&self) -> bool {
        let can = |verb: &str| self.verbs.iter().any(|known| known == verb);
        !self.name.contains('/') && can("get") && can("list")
    }

    fn into_kind(self, group: &str, version: &str) -> Kind {
        Kind {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: self.kind,
            plural: self.name,
            short_names: self.short_names,
            namespaced: self.namespaced,
        }
    }
}

/// Where several groups have a kind of this name, the one that a diagnosis reads is meant.
fn find<'a>(kinds: &'a [Kind], name: &str, api_version: Option<&str>) -> Option<&'a Kind> {
    let wanted_version = |kind: &&Kind| {
        api_version.is_none_or(|version| kind.api_version().eq_ignore_ascii_case(version.trim()))
    };
    let mut matching: Vec<&Kind> =
        kinds.iter().filter(|kind| kind.is_called(name.trim())).filter(wanted_version).collect();
    matching.sort_by_key(|kind| !is_read(kind));
    matching.first().copied()
}

fn is_read(kind: &Kind) -> bool {
    READ_KINDS.iter().any(|known| known.group == kind.group && known.kind == kind.kind)
}

fn unknown(kinds: &[Kind], name: &str, api_version: Option<&str>) -> ClusterError {
    if api_version.is_some()
        && let Some(other) = find(kinds, name, None)
    {
        let version = api_version.unwrap_or_default();
        let message = format!(
            "this cluster does not offer {} in {version}; it has it in {}",
            other.plural,
            other.api_version()
        );
        return ClusterError::NotFound(message);
    }
    let shown: String = name.chars().take(LONGEST_NAME).collect();
    let near = nearest(kinds, &shown);
    let hint = match near.as_slice() {
        [] => "see the kinds that it offers with list_api_versions or `kubectl api-resources`".to_owned(),
        near => format!("did you mean {}?", near.join(", ")),
    };
    ClusterError::NotFound(format!("this cluster has no kind {shown:?}; {hint}"))
}

/// At most three names that look like this one, the most alike first.
fn nearest(kinds: &[Kind], name: &str) -> Vec<String> {
    let name = name.to_lowercase();
    let likeness = |kind: &Kind| {
        let names = [kind.kind.to_lowercase(), kind.plural.clone()];
        names.iter().map(|known| strsim::jaro_winkler(known, &name)).fold(0.0, f64::max)
    };
    let mut near: Vec<(f64, &Kind)> =
        kinds.iter().map(|kind| (likeness(kind), kind)).filter(|(likeness, _)| *likeness > 0.8).collect();
    near.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let mut names: Vec<String> = Vec::new();
    for (_, kind) in near {
        if names.len() < 3 && !names.contains(&kind.plural) {
            names.push(kind.plural.clone());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use kube::client::Body;
    use serde_json::json;

    use super::super::ClusterInfo;
    use super::*;

    #[derive(Default)]
    struct Server {
        defined: AtomicBool,
        asked: AtomicUsize,
    }

    /// A cluster of pods, and of coupons once they are defined.
    fn cluster(server: &Arc<Server>) -> Cluster {
        let server = Arc::clone(server);
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let resource = |plural: &str, kind: &str| json!({ "name": plural, "kind": kind, "namespaced": true, "verbs": ["get", "list"] });
            let answer = match request.uri().path() {
                "/apis" => {
                    server.asked.fetch_add(1, Ordering::SeqCst);
                    json!({ "groups": [] })
                }
                _ if server.defined.load(Ordering::SeqCst) => {
                    json!({ "resources": [resource("pods", "Pod"), resource("coupons", "Coupon")] })
                }
                _ => json!({ "resources": [resource("pods", "Pod")] }),
            };
            let body = Body::from(answer.to_string().into_bytes());
            async move { Ok::<_, Infallible>(http::Response::new(body)) }
        });
        let info = ClusterInfo { name: "x".to_owned(), version: None, recorded: false, captured_at: None };
        Cluster::new(kube::Client::new(service, "default"), info)
    }

    #[tokio::test(start_paused = true)]
    async fn a_kind_that_was_just_defined_is_found_soon_and_what_is_known_is_not_asked_again() {
        let server = Arc::default();
        let cluster = cluster(&server);
        cluster.resolve("pod", None).await.unwrap();
        assert!(cluster.resolve("coupon", None).await.is_err());
        assert_eq!(server.asked.load(Ordering::SeqCst), 1, "it was asked a moment ago");
        server.defined.store(true, Ordering::SeqCst);
        tokio::time::advance(RECHECKED_AFTER).await;
        cluster.resolve("pod", None).await.unwrap();
        assert_eq!(server.asked.load(Ordering::SeqCst), 1);
        assert_eq!(cluster.resolve("coupon", None).await.unwrap().plural, "coupons");
    }

    #[tokio::test(start_paused = true)]
    async fn a_kind_that_was_defined_here_is_found_at_once() {
        let server = Arc::default();
        let cluster = cluster(&server);
        assert!(cluster.resolve("coupon", None).await.is_err());
        server.defined.store(true, Ordering::SeqCst);
        cluster.discovery.changed(&kind("example.com", "v1", "Coupon", "coupons"));
        assert_eq!(cluster.resolve("coupon", None).await.unwrap().plural, "coupons");
    }

    fn kind(group: &str, version: &str, kind: &str, plural: &str) -> Kind {
        let text = str::to_owned;
        let (group, version, kind, plural) = (text(group), text(version), text(kind), text(plural));
        Kind { group, version, kind, plural, short_names: Vec::new(), namespaced: true }
    }

    #[test]
    fn of_several_groups_the_one_that_a_diagnosis_reads_is_meant() {
        let old = kind("extensions", "v1beta1", "Ingress", "ingresses");
        let new = kind("networking.k8s.io", "v1", "Ingress", "ingresses");
        let kinds = [old.clone(), new.clone()];
        assert_eq!(find(&kinds, "ingress", None), Some(&new));
        assert_eq!(find(&kinds, "ingresses.extensions", None), Some(&old));
        assert_eq!(find(&kinds, "Ingress", Some("extensions/v1beta1")), Some(&old));
    }

    #[test]
    fn names_that_are_far_off_are_not_suggested() {
        let kinds = [kind("", "v1", "Pod", "pods"), kind("apps", "v1", "Deployment", "deployments")];
        assert_eq!(nearest(&kinds, "deplyoment"), ["deployments"]);
        assert_eq!(nearest(&kinds, "xyz"), Vec::<String>::new());
    }
}
