//! The EKS clusters of the AWS accounts that can be reached.

use std::sync::Arc;

use aws_sdk_eks::types::{Cluster as Described, ClusterStatus};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::aws::{Aws, ClusterName, Connection, nearest_first};

use super::super::connect::{connect_to, is_loopback};
use super::super::link::{EksToken, Link};
use super::super::{Cluster, ClusterError};
use super::ClusterRef;
use super::opened::Opened;

/// Clusters by name, region and role; the account is the role's, or that of the process.
pub(super) struct EksClusters {
    aws: Aws,
    pub(super) default: Option<String>,
    opened: Opened<(String, String, Option<String>)>,
}

impl EksClusters {
    pub(super) fn new(aws: Aws, default: Option<String>) -> Self {
        Self { aws, default, opened: Opened::default() }
    }

    pub(super) async fn find(&self, wanted: &ClusterRef) -> Result<Cluster, ClusterError> {
        let given = wanted.name.as_deref().or(self.default.as_deref());
        let named = given.map(ClusterName::of).unwrap_or_default();
        let region = named.region.or(wanted.region.as_deref());
        let connection = self.aws.connection(region, wanted.role_arn.as_deref()).await?;
        let name = match given {
            Some(given) => given.to_owned(),
            None => the_only(&connection).await?,
        };
        let key = (name.clone(), connection.region.clone(), connection.role_arn.clone());
        self.opened.get(&key, Box::pin(open(connection, &name))).await
    }
}

/// The cluster that need not be named, because there is no other.
async fn the_only(connection: &Connection) -> Result<String, ClusterError> {
    let region = &connection.region;
    match <[String; 1]>::try_from(connection.eks_cluster_names().await?) {
        Ok([name]) => Ok(name),
        Err(names) if names.is_empty() => Err(ClusterError::NotFound(format!(
            "there is no EKS cluster in {region} that this identity can see; pass another region, or a role_arn"
        ))),
        Err(names) => Err(ClusterError::Invalid(format!(
            "cluster_name is required here, because {region} has several EKS clusters: {}",
            nearest_first("", names)
        ))),
    }
}

async fn open(connection: Arc<Connection>, name: &str) -> Result<Cluster, ClusterError> {
    let described = connection.eks_cluster(name).await?;
    let arn = described.arn().unwrap_or(name).to_owned();
    let Some(endpoint) = described.endpoint() else {
        return Err(no_endpoint(name, described.status()));
    };
    let url = endpoint.parse::<http::Uri>().ok().filter(|url| url.host().is_some());
    let url = url.ok_or_else(|| unfit(&arn, "the endpoint is not valid"))?;
    let authorities = authorities(&described);
    match url.scheme_str() {
        Some("https") if authorities.is_none() => {
            return Err(unfit(&arn, "the certificate authority is not valid"));
        }
        Some("https") => {}
        // A token in the clear is for whoever listens.
        _ if !is_loopback(&url) => return Err(unfit(&arn, "the endpoint has no TLS")),
        _ => {}
    }
    let token = EksToken::new(connection, ClusterName::of(name).name);
    let link = Link { token: Some(token), ..Link::default() };
    let opened = connect_to(arn, url, authorities, link).await;
    opened.map_err(|error| match (error, who_may_reach(&described)) {
        (ClusterError::Unreachable(told), Some(who)) => {
            ClusterError::Unreachable(format!("{}. {who}", told.trim_end_matches('?')))
        }
        (error, _) => error,
    })
}

/// The certificates that its own may be signed by.
fn authorities(described: &Described) -> Option<Vec<Vec<u8>>> {
    let data = STANDARD.decode(described.certificate_authority()?.data()?).ok()?;
    let certificates = CertificateDer::pem_slice_iter(&data).map(|found| found.map(|der| der.to_vec()));
    let certificates: Vec<Vec<u8>> = certificates.collect::<Result<_, _>>().ok()?;
    Some(certificates).filter(|certificates| !certificates.is_empty())
}

/// Where its endpoint does not answer everyone.
fn who_may_reach(described: &Described) -> Option<String> {
    let network = described.resources_vpc_config()?;
    if !network.endpoint_public_access() {
        let vpc = network.vpc_id().unwrap_or("its VPC");
        return Some(format!(
            "Its endpoint is private: it answers only from {vpc} and networks connected to that; run drydock there, \
             connect (VPN, peering), or allow public access to the endpoint"
        ));
    }
    let allowed = network.public_access_cidrs();
    let open = allowed.is_empty() || allowed.iter().any(|network| network == "0.0.0.0/0");
    (!open).then(|| format!("Its endpoint answers only to {}, and in its VPC", allowed.join(", ")))
}

fn no_endpoint(name: &str, status: Option<&ClusterStatus>) -> ClusterError {
    let status = status.map_or("unknown", ClusterStatus::as_str);
    ClusterError::Unreachable(format!(
        "the EKS cluster {name} has no endpoint: its status is {status}; it can be used once it is ACTIVE"
    ))
}

fn unfit(arn: &str, what: &str) -> ClusterError {
    ClusterError::Unreachable(format!(
        "{what} that eks:DescribeCluster gives for {arn}: check AWS_ENDPOINT_URL"
    ))
}
