//! The log groups that a cluster has, for who asked for one that is not there.

use aws_sdk_cloudwatchlogs::Client;

use crate::aws::AwsError;

use super::super::ToolError;
use super::super::text::nearest;
use super::query::LOG_TYPES;

/// Says which groups there are instead, and how the logs of a cluster get into them.
pub(super) async fn missing(client: &Client, group: &str, cluster: &str, region: &str) -> ToolError {
    let found = of_cluster(client, cluster).await;
    let groups = match &found {
        Ok(groups) if groups.is_empty() => {
            format!("CloudWatch has no log group of cluster {cluster} in {region}")
        }
        Ok(groups) => format!("cluster {cluster} has {}", groups.join(", ")),
        Err(error) => format!("which there are is not known ({error})"),
    };
    let meant = match nearest(group, LOG_TYPES, 1).first() {
        Some(meant) => format!(" (did you mean {meant}?)"),
        None => String::new(),
    };
    ToolError::NotFound(format!(
        "there is no log group {group} in {region}{meant}; {groups}. {}",
        how_to_enable(group, cluster, region)
    ))
}

/// The groups of Container Insights and of the control plane.
async fn of_cluster(client: &Client, cluster: &str) -> Result<Vec<String>, AwsError> {
    let groups = |prefix: String| async move {
        let found = client.describe_log_groups().log_group_name_prefix(prefix).send().await;
        let found = found.map_err(AwsError::of("logs:DescribeLogGroups"))?;
        let names = found.log_groups().iter().filter_map(|group| group.log_group_name());
        Ok::<_, AwsError>(names.map(str::to_owned).collect::<Vec<_>>())
    };
    let (insights, control_plane) = futures::try_join!(
        groups(format!("/aws/containerinsights/{cluster}/")),
        groups(format!("/aws/eks/{cluster}/"))
    )?;
    Ok([insights, control_plane].concat())
}

fn how_to_enable(group: &str, cluster: &str, region: &str) -> String {
    match group.starts_with("/aws/eks/") {
        true => format!(
            "Logs of the control plane are switched on with: aws eks update-cluster-config --region {region} --name \
             {cluster} --logging '{{\"clusterLogging\":[{{\"types\":[\"api\",\"audit\",\"authenticator\",\
             \"controllerManager\",\"scheduler\"],\"enabled\":true}}]}}'"
        ),
        false => format!(
            "Logs of pods and nodes come with the add-on: aws eks create-addon --region {region} --cluster-name {cluster} \
             --addon-name amazon-cloudwatch-observability; until then get_pod_logs reads them from the cluster"
        ),
    }
}
