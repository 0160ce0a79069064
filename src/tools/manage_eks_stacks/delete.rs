//! Deletes the stack of a cluster, after it was shown what goes.

use aws_sdk_cloudformation::types::StackStatus;
use serde_json::json;

use crate::aws::AwsError;

use super::super::table::table;
use super::super::text::counted;
use super::super::{Act, AwsContext, Decision, Tool, ToolError, ToolOutcome};
use super::ManageEksStacks;
use super::stack::{ClusterStack, place, shown, status};

pub(super) async fn delete(
    cx: &AwsContext,
    at: &ClusterStack<'_>,
    plan_token: Option<&str>,
) -> Result<ToolOutcome, ToolError> {
    let stack = at.get().await?;
    at.check_owner(&stack).await?;
    if stack.enable_termination_protection == Some(true) {
        return Err(ToolError::Refused(format!(
            "the stack {} is protected against its deletion: whoever has switched that on can switch it off with aws \
             cloudformation update-termination-protection",
            at.name
        )));
    }
    // Its name may be that of another stack by the time the plan is approved.
    let id = stack.stack_id().unwrap_or(&at.name);
    if matches!(stack.stack_status(), Some(StackStatus::DeleteInProgress)) {
        return Ok(outcome(at, id, "is being deleted already"));
    }
    let resources = at.resources(id).await?;
    let row = |one: &aws_sdk_cloudformation::types::StackResourceSummary| {
        let text = |text: Option<&str>| shown(text.unwrap_or("-"));
        vec![text(one.logical_resource_id()), text(one.resource_type()), text(one.physical_resource_id())]
    };
    let rows: Vec<Vec<String>> = resources.iter().map(row).collect();
    let preview = format!(
        "The stack ({}) goes with {}. What the cluster has made by itself (load balancers, volumes) is not among them, and \
         keeps the network from going: delete its Services of type LoadBalancer and its claims first.\n\n{}",
        status(&stack),
        counted(rows.len(), "resource", "resources"),
        table(&["RESOURCE", "TYPE", "ID"], &rows)
    );
    let act = Act {
        tool: ManageEksStacks::NAME,
        summary: &format!("delete the stack {} and the cluster {} with it", at.name, at.cluster),
        place: &place(id, at.region),
        preview: &preview,
        arguments: &json!(["delete", at.cluster, at.region, cx.aws.role_arn]),
        state: &json!([id, rows]),
    };
    let approved = match cx.gate.decide(&cx.call, plan_token, &act)? {
        Decision::Act(approved) => approved,
        Decision::Ask(outcome) => return Ok(outcome),
    };
    let done = at.client.delete_stack().stack_name(id).send().await;
    let done = done.map_err(AwsError::of("cloudformation:DeleteStack")).map_err(ToolError::from);
    cx.gate.record(approved, &done);
    done.map(|_| outcome(at, id, "is being deleted"))
}

fn outcome(at: &ClusterStack<'_>, id: &str, says: &str) -> ToolOutcome {
    let structured = json!({
        "operation": "delete", "clusterName": at.cluster, "stackName": at.name, "stackId": id, "region": at.region,
        "stackStatus": "DELETE_IN_PROGRESS",
    });
    let text = format!(
        "The stack {} {says}; that takes some ten minutes. The operation describe tells how far it is, and that there is \
         no such stack when it is gone.\n",
        at.name
    );
    ToolOutcome::new(structured, text)
}
