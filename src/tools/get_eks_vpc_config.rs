//! `get_eks_vpc_config`: the network of an EKS cluster.

mod facts;
mod notes;
mod render;

use aws_sdk_eks::types::{Cluster, RemoteNetworkConfigResponse};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws::{AwsError, Connection};
use crate::cluster::redact;

use super::text::shorten;
use super::{AwsContext, Tool, ToolError, ToolOutcome};

pub(super) struct GetEksVpcConfig;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// Name of the EKS cluster, as list_eks_clusters gives it
    cluster_name: String,
    /// Another VPC than the cluster's, such as vpc-0a1b2c3d
    vpc_id: Option<String>,
}

impl Tool for GetEksVpcConfig {
    const NAME: &'static str = "get_eks_vpc_config";
    const TITLE: &'static str = "Read the network of an EKS cluster";
    const DESCRIPTION: &'static str = "Shows the VPC of an EKS cluster: address ranges, every subnet with its free addresses, zone, route table and whether \
         it is public, all routes, NAT and internet gateways, VPC endpoints, the security groups of the control plane \
         with their rules, from where the API server can be reached, and networks of hybrid nodes. Notes say what may be \
         wrong. Use it for pods without addresses, nodes that do not join, images that cannot be pulled, load balancers \
         without subnets.";
    type Input = Input;
    type Output = Value;
    type Context = AwsContext;

    async fn run(&self, input: Input, cx: &AwsContext) -> Result<ToolOutcome, ToolError> {
        let cluster = cx.aws.eks_cluster(&input.cluster_name).await?;
        let vpc_id = input.vpc_id.as_deref().map(str::trim).filter(|id| !id.is_empty());
        let network = cluster.resources_vpc_config();
        let vpc_id = vpc_id.or_else(|| network.and_then(|network| network.vpc_id())).ok_or_else(|| {
            ToolError::NotFound(format!(
                "eks:DescribeCluster gives no VPC for {}: pass vpc_id",
                shorten(&input.cluster_name, 60)
            ))
        })?;
        let read = Read::all(&cx.aws, &cluster, vpc_id).await?;
        let mut facts = facts::of(&of_cluster(&cluster), &read);
        facts["notes"] = notes::about(&facts).into();
        facts["missing"] = read.missing.clone().into();
        redact::object(&mut facts);
        let text = render::text(&facts);
        Ok(ToolOutcome::new(facts, text))
    }
}

/// What EC2 says, as it says it.
#[derive(Default)]
struct Read {
    vpc: Value,
    subnets: Vec<Value>,
    route_tables: Vec<Value>,
    security_groups: Vec<Value>,
    nat_gateways: Vec<Value>,
    internet_gateways: Vec<Value>,
    endpoints: Vec<Value>,
    /// What could not be read, and why.
    missing: Vec<String>,
}

impl Read {
    async fn all(aws: &Connection, cluster: &Cluster, vpc_id: &str) -> Result<Self, AwsError> {
        let in_vpc = [("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", vpc_id)];
        let by_id = [("VpcId.1", vpc_id)];
        let attached = [("Filter.1.Name", "attachment.vpc-id"), ("Filter.1.Value.1", vpc_id)];
        let groups = groups(cluster);
        let groups: Vec<(&str, &str)> =
            groups.iter().map(|(name, id)| (name.as_str(), id.as_str())).collect();
        let security_groups = async {
            // Without a filter these would be all groups of the region.
            if groups.is_empty() {
                Ok(Vec::new())
            } else {
                aws.ec2("DescribeSecurityGroups", "securityGroupInfo", &groups).await
            }
        };
        let (vpcs, subnets, tables, groups, nats, gateways, endpoints) = tokio::join!(
            aws.ec2("DescribeVpcs", "vpcSet", &by_id),
            aws.ec2("DescribeSubnets", "subnetSet", &in_vpc),
            aws.ec2("DescribeRouteTables", "routeTableSet", &in_vpc),
            security_groups,
            aws.ec2("DescribeNatGateways", "natGatewaySet", &in_vpc),
            aws.ec2("DescribeInternetGateways", "internetGatewaySet", &attached),
            aws.ec2("DescribeVpcEndpoints", "vpcEndpointSet", &in_vpc),
        );
        let no_vpc = || {
            AwsError::NotFound(format!(
                "there is no VPC {vpc_id:?} in {}: check vpc_id and region",
                aws.region
            ))
        };
        let vpc = match vpcs {
            Ok(vpcs) => vpcs.into_iter().next().ok_or_else(no_vpc)?,
            Err(AwsError::NotFound(_)) => return Err(no_vpc()),
            Err(error) => return Err(error),
        };
        let mut read = Self { vpc, subnets: subnets?, route_tables: tables?, ..Self::default() };
        let mut optional = |found: Result<Vec<Value>, AwsError>| match found {
            Ok(found) => found,
            Err(error) => {
                read.missing.push(error.to_string());
                Vec::new()
            }
        };
        let groups = optional(groups);
        let (nats, gateways, endpoints) = (optional(nats), optional(gateways), optional(endpoints));
        Ok(Self {
            security_groups: groups,
            nat_gateways: nats,
            internet_gateways: gateways,
            endpoints,
            ..read
        })
    }
}

/// The security groups of the control plane, as parameters.
fn groups(cluster: &Cluster) -> Vec<(String, String)> {
    let Some(network) = cluster.resources_vpc_config() else { return Vec::new() };
    let mut ids: Vec<&str> = network.security_group_ids().iter().map(String::as_str).collect();
    ids.extend(network.cluster_security_group_id().filter(|id| !id.is_empty()));
    ids.iter().enumerate().map(|(at, id)| (format!("GroupId.{}", at + 1), (*id).to_owned())).collect()
}

/// What EKS says of the cluster's network.
fn of_cluster(cluster: &Cluster) -> Value {
    let network = cluster.resources_vpc_config();
    let service = cluster.kubernetes_network_config();
    let remote = cluster.remote_network_config();
    json!({
        "clusterName": cluster.name(),
        "clusterVpcId": network.and_then(|network| network.vpc_id()),
        "endpointPublicAccess": network.is_some_and(|network| network.endpoint_public_access()),
        "endpointPrivateAccess": network.is_some_and(|network| network.endpoint_private_access()),
        "publicAccessCidrs": network.map(|network| network.public_access_cidrs()).unwrap_or_default(),
        "subnetIds": network.map(|network| network.subnet_ids()).unwrap_or_default(),
        "securityGroupIds": network.map(|network| network.security_group_ids()).unwrap_or_default(),
        "clusterSecurityGroupId": network.and_then(|network| network.cluster_security_group_id()),
        "serviceIpv4Cidr": service.and_then(|service| service.service_ipv4_cidr()),
        "serviceIpv6Cidr": service.and_then(|service| service.service_ipv6_cidr()),
        "remoteNodeCidrBlocks": remote_nodes(remote), "remotePodCidrBlocks": remote_pods(remote),
    })
}

fn remote_nodes(remote: Option<&RemoteNetworkConfigResponse>) -> Vec<&str> {
    let networks = remote.map(|remote| remote.remote_node_networks()).unwrap_or_default();
    distinct(networks.iter().flat_map(|network| network.cidrs()))
}

fn remote_pods(remote: Option<&RemoteNetworkConfigResponse>) -> Vec<&str> {
    let networks = remote.map(|remote| remote.remote_pod_networks()).unwrap_or_default();
    distinct(networks.iter().flat_map(|network| network.cidrs()))
}

/// In their order.
fn distinct<'c>(cidrs: impl Iterator<Item = &'c String>) -> Vec<&'c str> {
    let mut kept: Vec<&str> = Vec::new();
    for cidr in cidrs {
        if !kept.contains(&cidr.as_str()) {
            kept.push(cidr);
        }
    }
    kept
}
