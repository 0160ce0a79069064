//! The EKS clusters of a region: their names, and what AWS says of one.

use aws_sdk_eks::types::Cluster;

use super::{AwsError, Connection};

/// The most pages of a list that are read; EKS gives 100 names a page.
const MAX_PAGES: usize = 50;
/// Names that are told to someone who named another.
const NEAR: usize = 5;

/// What a caller's name for a cluster says: `prod`, or its ARN.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClusterName<'n> {
    /// Its name in its region.
    pub name: &'n str,
    /// Of an ARN.
    pub region: Option<&'n str>,
    /// Of an ARN.
    pub account: Option<&'n str>,
}

impl<'n> ClusterName<'n> {
    /// Takes an ARN apart.
    pub fn of(given: &'n str) -> Self {
        let parts: Vec<&str> = given.splitn(6, ':').collect();
        match parts.as_slice() {
            ["arn", _, "eks", region, account, rest] if rest.starts_with("cluster/") => Self {
                name: rest.trim_start_matches("cluster/"),
                region: Some(region),
                account: Some(account),
            },
            _ => Self { name: given, ..Self::default() },
        }
    }
}

impl Connection {
    /// The client of EKS.
    pub fn eks(&self) -> aws_sdk_eks::Client {
        aws_sdk_eks::Client::new(&self.sdk)
    }

    /// The names of all clusters in the region, sorted.
    ///
    /// # Errors
    /// EKS could not be asked, or refused; there are more than anyone reads.
    pub async fn eks_cluster_names(&self) -> Result<Vec<String>, AwsError> {
        let mut names = Vec::new();
        let mut token = None;
        for _ in 0..MAX_PAGES {
            let page = self.eks().list_clusters().set_next_token(token.take());
            let page = Box::pin(page.send()).await.map_err(AwsError::of("eks:ListClusters"))?;
            names.extend(page.clusters.unwrap_or_default());
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                names.sort_unstable();
                return Ok(names);
            }
        }
        Err(AwsError::Invalid(format!(
            "there are more than {MAX_PAGES} pages of EKS clusters in {}",
            self.region
        )))
    }

    /// What AWS says of a cluster, by its name or ARN.
    ///
    /// # Errors
    /// There is none of this name (the error names others), or EKS could not be asked, or refused.
    pub async fn eks_cluster(&self, name: &str) -> Result<Cluster, AwsError> {
        let ClusterName { name, region, account } = ClusterName::of(name);
        check_name(name)?;
        if let Some(region) = region.filter(|region| *region != self.region) {
            return Err(AwsError::Invalid(format!(
                "this ARN is of {region}, and {} was asked: pass region {region:?}",
                self.region
            )));
        }
        let asked = Box::pin(self.eks().describe_cluster().name(name).send()).await;
        match asked.map_err(AwsError::of("eks:DescribeCluster")) {
            Ok(answer) => {
                let no_answer = || AwsError::from_answer("eks:DescribeCluster", 200, None, None);
                of_account(answer.cluster.ok_or_else(no_answer)?, account)
            }
            Err(AwsError::NotFound(_)) => Err(self.no_cluster(name).await),
            Err(error) => Err(error),
        }
    }

    async fn no_cluster(&self, name: &str) -> AwsError {
        let region = &self.region;
        // Who may describe clusters may not always list them.
        let others = match self.eks_cluster_names().await {
            Ok(names) if names.is_empty() => "there are none".to_owned(),
            Ok(names) => format!("there are: {}", nearest_first(name, names)),
            Err(_) => "list_eks_clusters shows which there are".to_owned(),
        };
        AwsError::NotFound(format!(
            "there is no EKS cluster {name:?} in {region} that this identity can see; {others}. Another region (argument \
             region) or account (role_arn) may have it"
        ))
    }
}

/// The cluster, if it is of the account that was named.
fn of_account(cluster: Cluster, account: Option<&str>) -> Result<Cluster, AwsError> {
    let arn = cluster.arn().unwrap_or_default();
    match account.filter(|account| ClusterName::of(arn).account != Some(account)) {
        None => Ok(cluster),
        Some(account) => Err(AwsError::Invalid(format!(
            "this identity sees {arn}; for the cluster of that name in account {account} pass role_arn, a role there"
        ))),
    }
}

/// The beginning of a list of names, those first that are most like what was asked for.
pub fn nearest_first(wanted: &str, mut names: Vec<String>) -> String {
    let likeness =
        |name: &str| strsim::normalized_damerau_levenshtein(&wanted.to_lowercase(), &name.to_lowercase());
    names.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)).then_with(|| a.cmp(b)));
    let more = names.len().saturating_sub(NEAR);
    names.truncate(NEAR);
    let names = names.join(", ");
    if more == 0 { names } else { format!("{names} and {more} more (list_eks_clusters shows all)") }
}

/// A name becomes part of a path and of a header.
fn check_name(name: &str) -> Result<(), AwsError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match !name.is_empty() && name.len() <= 100 && name.chars().all(fits) {
        true => Ok(()),
        false => Err(AwsError::Invalid(format!(
            "{:?} is not the name of an EKS cluster: they have letters, digits, - and _ only; list_eks_clusters shows them",
            name.chars().take(60).collect::<String>()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("prod-1_a", true)]
    #[case("", false)]
    #[case("../x", false)]
    #[case("prod\r\nx: y", false)]
    fn a_name_has_a_shape(#[case] name: &str, #[case] fits: bool) {
        assert_eq!(check_name(name).is_ok(), fits);
    }

    #[rstest]
    #[case("prod", "prod", None, None)]
    #[case(
        "arn:aws:eks:eu-west-1:111122223333:cluster/prod",
        "prod",
        Some("eu-west-1"),
        Some("111122223333")
    )]
    #[case("arn:aws:iam::1:role/x", "arn:aws:iam::1:role/x", None, None)]
    fn an_arn_says_region_and_account(
        #[case] given: &str,
        #[case] name: &str,
        #[case] region: Option<&str>,
        #[case] account: Option<&str>,
    ) {
        assert_eq!(ClusterName::of(given), ClusterName { name, region, account });
    }

    #[test]
    fn names_that_may_be_meant_come_first() {
        let names = ["a", "b", "c", "d", "e", "prod"].map(str::to_owned).to_vec();
        assert_eq!(nearest_first("Prd", names), "prod, d, a, b, c and 1 more (list_eks_clusters shows all)");
    }
}
