//! The clusters that a server can work on, by name.

mod eks;
mod kubeconfig;
mod opened;

use std::sync::Arc;

use crate::aws::Aws;

use super::{Cluster, ClusterError, ClusterInfo};
use eks::EksClusters;
use kubeconfig::KubeconfigClusters;

/// A cluster as a caller names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterRef {
    /// Its name, if it was said.
    pub name: Option<String>,
    /// AWS region.
    pub region: Option<String>,
    /// IAM role to assume.
    pub role_arn: Option<String>,
}

/// Which clusters there are. Cheap to clone.
#[derive(Clone)]
pub struct Clusters {
    source: Source,
}

#[derive(Clone)]
enum Source {
    One(Cluster),
    Kubeconfig(Arc<KubeconfigClusters>),
    Eks(Arc<EksClusters>),
}

/// Among which clusters a caller chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// There is one.
    One,
    /// The contexts of the kubeconfig.
    Contexts {
        /// One is meant where none is named.
        default: bool,
    },
    /// The EKS clusters of regions and accounts.
    Eks {
        /// One is meant where none is named.
        default: bool,
    },
}

impl Clusters {
    /// One cluster, which need not be named.
    pub fn one(cluster: Cluster) -> Self {
        Self { source: Source::One(cluster) }
    }

    /// The contexts of the kubeconfig, by their names or those of their clusters. The default (a context or a cluster), or
    /// the only one, need not be named. Proxies are used as for [`Cluster::open`].
    pub fn kubeconfig(default: Option<String>) -> Self {
        Self { source: Source::Kubeconfig(Arc::new(KubeconfigClusters::new(default))) }
    }

    /// The contexts of the kubeconfig, of which the current one need not be named.
    pub fn current_kubeconfig() -> Self {
        Self { source: Source::Kubeconfig(Arc::new(KubeconfigClusters::current())) }
    }

    /// The EKS clusters of the regions and roles that callers name, by name or ARN. The default, or the only one of the
    /// region, need not be named. Proxies are used as for [`Cluster::open`]; for AWS itself the same variables hold.
    pub fn eks(aws: Aws, default: Option<String>) -> Self {
        Self { source: Source::Eks(Arc::new(EksClusters::new(aws, default))) }
    }

    /// The cluster that need not be named, where there is no other, ever.
    pub fn only(&self) -> Option<&Cluster> {
        match &self.source {
            Source::One(cluster) => Some(cluster),
            Source::Kubeconfig(_) | Source::Eks(_) => None,
        }
    }

    /// Among which clusters a caller chooses.
    pub fn choice(&self) -> Choice {
        match &self.source {
            Source::One(_) => Choice::One,
            Source::Kubeconfig(clusters) => Choice::Contexts { default: clusters.has_default() },
            Source::Eks(clusters) => Choice::Eks { default: clusters.default.is_some() },
        }
    }

    /// The cluster that is meant.
    ///
    /// # Errors
    /// There is none of this name, or it cannot be reached.
    pub async fn find(&self, wanted: &ClusterRef) -> Result<Cluster, ClusterError> {
        match &self.source {
            Source::One(cluster) => {
                check_name(wanted.name.as_deref().unwrap_or_default(), &cluster.info)?;
                Ok(cluster.clone())
            }
            Source::Kubeconfig(clusters) => clusters.find(wanted.name.as_deref()).await,
            Source::Eks(clusters) => clusters.find(wanted).await,
        }
    }
}

/// True for any part of what a cluster is called: `prod` of `arn:aws:eks:eu-west-1:111122223333:cluster/prod` or
/// `admin@prod.eu-west-1.eksctl.io`.
fn is_part(part: &str, whole: &str) -> bool {
    part.eq_ignore_ascii_case(whole)
        || whole.split(['/', '@', ':', '.']).any(|segment| segment.eq_ignore_ascii_case(part))
}

/// Callers may name a cluster by any part of what it is called, or the other way round.
fn check_name(given: &str, cluster: &ClusterInfo) -> Result<(), ClusterError> {
    if given.is_empty() || is_part(given, &cluster.name) || is_part(&cluster.name, given) {
        return Ok(());
    }
    Err(ClusterError::Invalid(format!(
        "cluster_name {:?} is not the cluster of this server: it works on {:?}; leave cluster_name out or name that one",
        given.chars().take(60).collect::<String>(),
        cluster.name
    )))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::none("", true)]
    #[case::its_arn("arn:aws:eks:eu-west-1:111122223333:cluster/prod", true)]
    #[case::its_name("prod", true)]
    #[case::in_other_letters("Prod", true)]
    #[case::another("prod-2", false)]
    #[case::a_piece_of_it("pro", false)]
    fn a_cluster_is_known_by_the_parts_of_its_name(#[case] given: &str, #[case] fits: bool) {
        let name = "arn:aws:eks:eu-west-1:111122223333:cluster/prod".to_owned();
        let info = ClusterInfo { name, version: None, recorded: false, captured_at: None };
        assert_eq!(check_name(given, &info).is_ok(), fits);
    }

    #[test]
    fn an_arn_names_a_cluster_that_is_known_by_its_short_name() {
        let info = ClusterInfo { name: "prod".to_owned(), version: None, recorded: true, captured_at: None };
        assert!(check_name("arn:aws:eks:eu-west-1:111122223333:cluster/prod", &info).is_ok());
        let refused = check_name("test", &info).unwrap_err().to_string();
        assert!(refused.contains("it works on \"prod\""), "{refused}");
    }
}
