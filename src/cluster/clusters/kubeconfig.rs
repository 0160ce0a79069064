//! The contexts of the kubeconfig as clusters.

use kube::config::{Kubeconfig, NamedContext};

use super::super::connect::{open_context_of, read_kubeconfig};
use super::super::{Cluster, ClusterError};
use super::is_part;
use super::opened::Opened;

/// Contexts that an error names.
const MAX_NAMES: usize = 20;

/// The file is read anew for each call, so that a context that was just added is found.
#[derive(Default)]
pub(super) struct KubeconfigClusters {
    default: Option<String>,
    /// The default is the context that the file says is the current one.
    follows_current: bool,
    opened: Opened<String>,
}

impl KubeconfigClusters {
    pub(super) fn new(default: Option<String>) -> Self {
        Self { default, ..Self::default() }
    }

    /// Those of which the current one need not be named.
    pub(super) fn current() -> Self {
        Self { follows_current: true, ..Self::default() }
    }

    pub(super) fn has_default(&self) -> bool {
        self.follows_current || self.default.is_some()
    }

    pub(super) async fn find(&self, name: Option<&str>) -> Result<Cluster, ClusterError> {
        let kubeconfig = read_kubeconfig().await?;
        let current = kubeconfig.current_context.clone().filter(|_| self.follows_current);
        let context = pick(&kubeconfig, name.or(self.default.as_deref()).or(current.as_deref()))?;
        let open = open_context_of(kubeconfig, Some(context.clone()));
        self.opened.get(&context, Box::pin(open)).await
    }
}

/// The context that is meant: of this name, or whose cluster is called so; the only one where nothing is said.
fn pick(kubeconfig: &Kubeconfig, wanted: Option<&str>) -> Result<String, ClusterError> {
    let contexts = &kubeconfig.contexts;
    let fits = |context: &&NamedContext| match wanted {
        None => true,
        Some(wanted) => {
            let cluster =
                context.context.as_ref().map(|context| context.cluster.as_str()).unwrap_or_default();
            is_part(wanted, cluster) || is_part(wanted, &context.name)
        }
    };
    let exact = contexts.iter().find(|context| Some(context.name.as_str()) == wanted);
    let fitting: Vec<&NamedContext> = match exact {
        Some(exact) => vec![exact],
        None => contexts.iter().filter(fits).collect(),
    };
    match (fitting.as_slice(), wanted) {
        ([one], _) => Ok(one.name.clone()),
        ([], None) => Err(ClusterError::NotFound("the kubeconfig has no contexts".to_owned())),
        ([], Some(wanted)) => Err(ClusterError::NotFound(format!(
            "the kubeconfig has no context or cluster {:?}; its contexts are {}",
            wanted.chars().take(60).collect::<String>(),
            names(contexts)
        ))),
        (several, None) => Err(ClusterError::Invalid(format!(
            "cluster_name is required here, because the kubeconfig has several contexts: {}",
            names(several.iter().copied())
        ))),
        (several, Some(_)) => Err(ClusterError::Invalid(format!(
            "several contexts lead to a cluster of this name; name one of them: {}",
            names(several.iter().copied())
        ))),
    }
}

fn names<'k>(contexts: impl IntoIterator<Item = &'k NamedContext>) -> String {
    let mut names: Vec<&str> = contexts.into_iter().map(|context| context.name.as_str()).collect();
    names.sort_unstable();
    let more = names.len().saturating_sub(MAX_NAMES);
    names.truncate(MAX_NAMES);
    let names = names.join(", ");
    if more == 0 { names } else { format!("{names} and {more} more") }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:eks:eu-west-1:111122223333:cluster/prod";

    fn kubeconfig(contexts: &[(&str, &str)]) -> Kubeconfig {
        let context =
            |(name, cluster): &(&str, &str)| json!({ "name": name, "context": { "cluster": cluster } });
        let contexts: Vec<_> = contexts.iter().map(context).collect();
        serde_json::from_value(json!({ "contexts": contexts, "current-context": "b" })).unwrap()
    }

    #[rstest]
    #[case::context("a", "a")]
    #[case::cluster("test", "b")]
    #[case::short_name_of_an_arn("prod", "a")]
    #[case::the_arn(ARN, "a")]
    fn a_context_or_its_cluster_is_named(#[case] wanted: &str, #[case] context: &str) {
        let kubeconfig = kubeconfig(&[("a", ARN), ("b", "test")]);
        assert_eq!(pick(&kubeconfig, Some(wanted)).unwrap(), context);
    }

    #[test]
    fn the_only_context_need_not_be_named() {
        assert_eq!(pick(&kubeconfig(&[("a", "x")]), None).unwrap(), "a");
    }

    #[rstest]
    #[case::several(None, "cluster_name is required here, because the kubeconfig has several contexts: a, b")]
    #[case::none(Some("c"), "no context or cluster \"c\"; its contexts are a, b")]
    #[case::both(Some("x"), "name one of them: a, b")]
    fn what_is_not_clear_is_not_guessed(#[case] wanted: Option<&str>, #[case] part: &str) {
        let told = pick(&kubeconfig(&[("a", "x"), ("b", "x")]), wanted).unwrap_err().to_string();
        assert!(told.contains(part), "{told}");
    }
}
