//! What the user wants diagnosed: names as people write them, and near ones where they do not exist.

use std::str::FromStr;

use crate::cluster::{Cluster, ClusterError, Kind, ListQuery};
use crate::diagnosis::report::{ObjectRef, Scope};

/// Objects that are looked through for near names, at most.
const LOOKED_THROUGH: usize = 5_000;
/// Near names that are told, at most.
const NEAR: usize = 3;

/// `KIND/NAME` as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    kind: String,
    name: String,
}

impl FromStr for Named {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((kind, name)) if !kind.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Self { kind: kind.to_owned(), name: name.to_owned() })
            }
            _ => Err("write it as KIND/NAME, such as pod/web-0 or deploy/web"),
        }
    }
}

/// The scope that the arguments mean.
pub(super) async fn scope(
    cluster: &Cluster,
    object: Option<&Named>,
    namespaces: &[String],
) -> anyhow::Result<Scope> {
    for namespace in namespaces {
        check_namespace(cluster, namespace).await?;
    }
    let object = match object {
        Some(named) => Some(find(cluster, named, namespaces).await?),
        None => None,
    };
    Ok(Scope { namespaces: namespaces.to_vec(), object })
}

/// A namespace that does not exist would look healthy.
async fn check_namespace(cluster: &Cluster, name: &str) -> anyhow::Result<()> {
    let kind = cluster.resolve("namespaces", None).await?;
    match cluster.get(&kind, None, name).await {
        Ok(_) | Err(ClusterError::Forbidden(_)) => Ok(()),
        Err(ClusterError::NotFound(_)) => {
            let near = near(name, names(cluster, &kind, None).await);
            anyhow::bail!("there is no namespace {name}{near}")
        }
        Err(error) => Err(error.into()),
    }
}

async fn find(cluster: &Cluster, named: &Named, namespaces: &[String]) -> anyhow::Result<ObjectRef> {
    let kind = cluster.resolve(&named.kind, None).await?;
    let object = |namespace: Option<String>| ObjectRef {
        api_version: kind.api_version(),
        kind: kind.kind.clone(),
        namespace,
        name: named.name.clone(),
    };
    if !kind.namespaced {
        return match cluster.get(&kind, None, &named.name).await {
            Ok(_) => Ok(object(None)),
            Err(ClusterError::NotFound(_)) => Err(missing(cluster, &kind, &named.name, namespaces).await),
            Err(error) => Err(error.into()),
        };
    }
    let mut found = homes(cluster, &kind, &named.name, namespaces).await?;
    match (found.pop(), found.as_slice()) {
        (None, _) => Err(missing(cluster, &kind, &named.name, namespaces).await),
        (Some(namespace), []) => Ok(object(Some(namespace))),
        (Some(last), others) => anyhow::bail!(
            "there is a {} {} in {} and {last}: say which with -n",
            kind.kind,
            named.name,
            others.join(", ")
        ),
    }
}

/// The namespaces in which there is an object of this name.
async fn homes(
    cluster: &Cluster,
    kind: &Kind,
    name: &str,
    namespaces: &[String],
) -> Result<Vec<String>, ClusterError> {
    let field_selector = Some(format!("metadata.name={name}"));
    let mut homes = Vec::new();
    for namespace in searched(namespaces) {
        let query = ListQuery { namespace, field_selector: field_selector.clone(), ..ListQuery::default() };
        let page = cluster.list(kind, &query).await?;
        homes.extend(
            page.items.iter().filter_map(|item| item["metadata"]["namespace"].as_str()).map(str::to_owned),
        );
    }
    homes.sort_unstable();
    Ok(homes)
}

/// Where to look: in these namespaces, or in all.
fn searched(namespaces: &[String]) -> Vec<Option<String>> {
    if namespaces.is_empty() { vec![None] } else { namespaces.iter().cloned().map(Some).collect() }
}

async fn missing(cluster: &Cluster, kind: &Kind, name: &str, namespaces: &[String]) -> anyhow::Error {
    let mut known = Vec::new();
    for namespace in searched(namespaces) {
        known.extend(names(cluster, kind, namespace).await);
    }
    let place = if namespaces.is_empty() { String::new() } else { format!(" in {}", namespaces.join(", ")) };
    anyhow::anyhow!("there is no {} {name}{place}{}", kind.kind, near(name, known))
}

/// Names of a kind, as far as they can be read.
async fn names(cluster: &Cluster, kind: &Kind, namespace: Option<String>) -> Vec<String> {
    let mut names = Vec::new();
    let mut query = ListQuery { namespace, limit: Some(500), ..ListQuery::default() };
    while let Ok(page) = cluster.list(kind, &query).await {
        let metadata = page.items.iter().map(|item| &item["metadata"]);
        names.extend(metadata.filter_map(|metadata| metadata["name"].as_str()).map(str::to_owned));
        query.continue_token = page.continue_token;
        if query.continue_token.is_none() || names.len() >= LOOKED_THROUGH {
            break;
        }
    }
    names
}

/// `; near names: …`, or nothing.
fn near(name: &str, known: Vec<String>) -> String {
    let mut scored: Vec<(f64, String)> = known
        .into_iter()
        .map(|known| (if known.contains(name) { 1.0 } else { strsim::jaro_winkler(name, &known) }, known))
        .filter(|(score, _)| *score > 0.75)
        .collect();
    scored.sort_by(|(a, x), (b, y)| b.total_cmp(a).then_with(|| x.cmp(y)));
    scored.dedup();
    let near: Vec<String> = scored.into_iter().take(NEAR).map(|(_, known)| known).collect();
    if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(", ")) }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("pod/web-0", true)]
    #[case("deployments.apps/web", true)]
    #[case("pod", false)]
    #[case("/web", false)]
    #[case("pod/", false)]
    #[case("a/b/c", false)]
    fn an_object_is_kind_slash_name(#[case] text: &str, #[case] right: bool) {
        assert_eq!(text.parse::<Named>().is_ok(), right);
    }

    #[test]
    fn near_names_are_told_the_nearest_first() {
        let known = ["catalog", "cart", "catalog-db", "orders"].map(str::to_owned).to_vec();
        assert_eq!(near("catalgo", known.clone()), "; did you mean catalog, catalog-db, cart?");
        assert_eq!(near("zzz", known), "");
    }
}
