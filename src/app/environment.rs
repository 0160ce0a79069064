//! What the tools work on, from what the command line names.

use std::sync::Arc;

use anyhow::ensure;

use crate::aws::Aws;
use crate::cluster::{Cluster, ClusterSource, Clusters};
use crate::tools::{Environment, Gate};

/// The clusters that a source means, and the AWS account where they are of EKS. A named one is made sure of; the contexts
/// of a kubeconfig, and all clusters of an account, are opened when they are asked about.
///
/// # Errors
/// A named cluster cannot be reached; a recording is to be changed.
pub async fn environment(source: &ClusterSource, gate: Gate) -> anyhow::Result<Environment> {
    let recorded = matches!(source, ClusterSource::Bundle(_));
    ensure!(
        !recorded || !gate.policy().allow_write,
        "a recording cannot be changed: drop --allow-write, or name a cluster that runs"
    );
    let aws = matches!(source, ClusterSource::Eks(_)).then(Aws::from_environment);
    let clusters = match (source, &aws) {
        (ClusterSource::Eks(None), Some(aws)) => Clusters::eks(aws.clone(), None),
        (ClusterSource::Infer, _) if !Cluster::is_inside() => Clusters::current_kubeconfig(),
        _ => Clusters::one(Cluster::open(source).await?),
    };
    Ok(Environment { clusters, aws, gate: Arc::new(gate) })
}
