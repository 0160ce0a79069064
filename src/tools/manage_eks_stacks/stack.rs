//! The stack of a cluster: where it is, whose it is, and how it is.

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_sdk_cloudformation::types::{Stack, StackEvent, StackResourceSummary, StackStatus, Tag};
use serde_json::{Map, Value, json};

use crate::aws::AwsError;
use crate::cluster::redact;

use super::super::table::table;
use super::super::text::{counted, plain, shorten};
use super::super::{AwsContext, ToolError, ToolOutcome};

/// The tag of stacks that were made here, and its value.
const OWNER: (&str, &str) = ("CreatedBy", "drydock");
/// How the names of our change sets begin.
pub(super) const CHANGE_SET: &str = "drydock-";
/// The most pages of events and resources.
const MAX_PAGES: usize = 5;
/// The most failures that are told.
const MAX_FAILURES: usize = 10;

/// The stack of one cluster.
pub(super) struct ClusterStack<'a> {
    pub(super) client: Client,
    pub(super) cluster: &'a str,
    pub(super) region: &'a str,
    pub(super) name: String,
}

impl<'a> ClusterStack<'a> {
    pub(super) fn of(cx: &'a AwsContext, cluster: &'a str) -> Result<Self, ToolError> {
        if cluster.contains('_') {
            return Err(ToolError::InvalidInput(format!(
                "cluster_name {cluster:?} cannot be part of a stack's name: use letters, digits and -"
            )));
        }
        Ok(Self {
            client: Client::new(&cx.aws.sdk),
            cluster,
            region: &cx.aws.region,
            name: format!("eks-{cluster}-stack"),
        })
    }

    /// The stack, if there is one.
    pub(super) async fn find(&self) -> Result<Option<Stack>, AwsError> {
        match self.client.describe_stacks().stack_name(&self.name).send().await {
            Ok(found) => Ok(found.stacks.unwrap_or_default().pop()),
            Err(error) if says_absent(error.code(), error.message()) => Ok(None),
            Err(error) => Err(AwsError::of("cloudformation:DescribeStacks")(error)),
        }
    }

    /// The stack; that there is none is an error.
    pub(super) async fn get(&self) -> Result<Stack, ToolError> {
        self.find().await?.ok_or_else(|| {
            ToolError::NotFound(format!(
                "there is no stack {} in {}: check region; list_eks_clusters has the clusters that were made in other ways",
                self.name, self.region
            ))
        })
    }

    /// Refuses a stack that was not made here.
    pub(super) async fn check_owner(&self, stack: &Stack) -> Result<(), ToolError> {
        if is_ours(stack) || (in_review(stack) && self.only_our_change_sets().await?) {
            return Ok(());
        }
        Err(ToolError::Refused(format!(
            "the stack {} was not made by this tool (it has no tag {}={}), so it is only described, not changed; whoever \
             made it can change it, for instance with aws cloudformation",
            self.name, OWNER.0, OWNER.1
        )))
    }

    /// A stack that a change set has opened has no tags yet.
    async fn only_our_change_sets(&self) -> Result<bool, AwsError> {
        let sets = self.client.list_change_sets().stack_name(&self.name).send().await;
        let sets = sets.map_err(AwsError::of("cloudformation:ListChangeSets"))?;
        let ours = |name: Option<&str>| name.is_some_and(|name| name.starts_with(CHANGE_SET));
        Ok(sets.summaries().iter().all(|set| ours(set.change_set_name())))
    }

    pub(super) async fn resources(&self, stack_id: &str) -> Result<Vec<StackResourceSummary>, AwsError> {
        let mut pages = self.client.list_stack_resources().stack_name(stack_id).into_paginator().send();
        let mut resources = Vec::new();
        for _ in 0..MAX_PAGES {
            let Some(page) = pages.next().await else { break };
            let page = page.map_err(AwsError::of("cloudformation:ListStackResources"))?;
            resources.extend(page.stack_resource_summaries.unwrap_or_default());
        }
        Ok(resources)
    }

    /// What has failed, the newest first, without what failed only because something else had.
    async fn failures(&self, stack_id: &str) -> Result<Vec<StackEvent>, AwsError> {
        let mut pages = self.client.describe_stack_events().stack_name(stack_id).into_paginator().send();
        let mut failures = Vec::new();
        for _ in 0..MAX_PAGES {
            let Some(page) = pages.next().await else { break };
            let page = page.map_err(AwsError::of("cloudformation:DescribeStackEvents"))?;
            failures.extend(page.stack_events.unwrap_or_default().into_iter().filter(is_failure));
            if failures.len() >= MAX_FAILURES {
                break;
            }
        }
        failures.truncate(MAX_FAILURES);
        Ok(failures)
    }

    /// What there is to know of it.
    pub(super) async fn describe(&self) -> Result<ToolOutcome, ToolError> {
        let stack = self.get().await?;
        let id = stack.stack_id().unwrap_or(&self.name).to_owned();
        let (resources, failures) = futures::join!(self.resources(&id), self.failures(&id));
        // Its status is worth knowing without them.
        let unread = [resources.as_ref().err(), failures.as_ref().err()];
        let notes: Vec<String> =
            unread.into_iter().flatten().map(|error| format!("Not read: {error}")).collect();
        let (resources, failures) = (resources.unwrap_or_default(), failures.unwrap_or_default());
        let outputs = outputs(&stack);
        let failed: Vec<Value> = failures.iter().map(failure).collect();
        let structured = json!({
            "operation": "describe", "clusterName": self.cluster, "stackName": self.name, "stackId": id,
            "region": self.region, "stackStatus": status(&stack), "statusReason": reason(stack.stack_status_reason()),
            "creationTime": stack.creation_time().map(ToString::to_string),
            "lastUpdatedTime": stack.last_updated_time().map(ToString::to_string),
            "madeHere": is_ours(&stack), "outputs": outputs, "failures": failed,
            "resources": resources.iter().map(resource).collect::<Vec<_>>(), "notes": notes,
        });
        let mut text = self.description(&stack, &outputs, &resources, &failed);
        text.extend(notes.iter().map(|note| format!("# {note}\n")));
        Ok(ToolOutcome::new(structured, text))
    }

    fn description(
        &self,
        stack: &Stack,
        outputs: &Map<String, Value>,
        resources: &[StackResourceSummary],
        failures: &[Value],
    ) -> String {
        let mut text = format!("Stack {} in {}: {}", self.name, self.region, status(stack));
        if let Some(why) = reason(stack.stack_status_reason()) {
            text.push_str(&format!(" ({why})"));
        }
        text.push_str(match is_ours(stack) {
            true => "\n",
            false => "\nNot made by this tool: it can be described here, not changed.\n",
        });
        if !failures.is_empty() {
            let said = |value: &Value| value.as_str().unwrap_or("-").to_owned();
            let row = |one: &Value| {
                ["time", "resource", "type", "status", "reason"].map(|name| said(&one[name])).to_vec()
            };
            let rows: Vec<Vec<String>> = failures.iter().map(row).collect();
            text.push_str("\nFailures, the newest first:\n");
            text.push_str(&table(&["TIME", "RESOURCE", "TYPE", "STATUS", "REASON"], &rows));
        }
        let rows: Vec<Vec<String>> = outputs
            .iter()
            .map(|(name, value)| vec![name.clone(), value.as_str().unwrap_or_default().to_owned()])
            .collect();
        if !rows.is_empty() {
            text.push_str(&format!("\n{}", table(&["OUTPUT", "VALUE"], &rows)));
        }
        text.push_str(&format!("\n{}", resource_lines(resources)));
        text
    }
}

/// The resources that are not as they should be, and how many are.
fn resource_lines(resources: &[StackResourceSummary]) -> String {
    let status =
        |one: &StackResourceSummary| one.resource_status().map_or("-", |status| status.as_str()).to_owned();
    let (done, open): (Vec<_>, Vec<_>) = resources.iter().partition(|one| {
        let status = status(one);
        status.ends_with("_COMPLETE") && !status.starts_with("DELETE") && !status.contains("ROLLBACK")
    });
    let mut text = format!("{} complete\n", counted(done.len(), "resource is", "resources are"));
    if !open.is_empty() {
        let row = |one: &&StackResourceSummary| {
            let text = |text: Option<&str>| shown(text.unwrap_or("-"));
            vec![text(one.logical_resource_id()), text(one.resource_type()), status(one)]
        };
        text.push_str(&table(&["RESOURCE", "TYPE", "STATUS"], &open.iter().map(row).collect::<Vec<_>>()));
    }
    text
}

/// CloudFormation has no code of its own for that.
pub(super) fn says_absent(code: Option<&str>, message: Option<&str>) -> bool {
    code == Some("ValidationError") && message.is_some_and(|message| message.contains("does not exist"))
}

fn is_failure(event: &StackEvent) -> bool {
    let failed = event.resource_status().is_some_and(|status| status.as_str().ends_with("_FAILED"));
    let consequence = |reason: &str| {
        let reason = reason.to_ascii_lowercase();
        reason.contains("creation cancelled") || reason.contains("update cancelled")
    };
    failed && !event.resource_status_reason().is_some_and(consequence)
}

fn failure(event: &StackEvent) -> Value {
    json!({
        "time": event.timestamp().map(ToString::to_string),
        "resource": event.logical_resource_id().map(shown),
        "type": event.resource_type().map(shown),
        "status": event.resource_status().map(|status| status.as_str()),
        "reason": reason(event.resource_status_reason()),
    })
}

fn resource(resource: &StackResourceSummary) -> Value {
    json!({
        "resource": resource.logical_resource_id().map(shown),
        "physicalId": resource.physical_resource_id().map(shown),
        "type": resource.resource_type().map(shown),
        "status": resource.resource_status().map(|status| status.as_str()),
    })
}

/// What a template or its maker has written: the id of a resource of their own may be anything.
pub(super) fn shown(text: &str) -> String {
    plain(&redact::text(text))
}

fn reason(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(|text| shorten(&shown(text), 600))
}

/// What the stack gives, without what its name says to be secret.
fn outputs(stack: &Stack) -> Map<String, Value> {
    let pairs = stack
        .outputs()
        .iter()
        .filter_map(|output| Some((plain(output.output_key()?), Value::from(shown(output.output_value()?)))));
    let mut outputs = Value::Object(pairs.collect());
    redact::record(&mut outputs);
    match outputs {
        Value::Object(outputs) => outputs,
        _ => Map::new(),
    }
}

pub(super) fn status(stack: &Stack) -> &str {
    stack.stack_status().map_or("-", StackStatus::as_str)
}

/// Opened by a change set, and still empty.
pub(super) fn in_review(stack: &Stack) -> bool {
    matches!(stack.stack_status(), Some(StackStatus::ReviewInProgress))
}

fn is_ours(stack: &Stack) -> bool {
    stack.tags().iter().any(|tag| tag.key() == Some(OWNER.0) && tag.value() == Some(OWNER.1))
}

/// Marks what is made here.
pub(super) fn owner_tag() -> Tag {
    Tag::builder().key(OWNER.0).value(OWNER.1).build()
}

/// `account 111122223333, eu-west-1`, by the ARN of a stack.
pub(super) fn place(stack_id: &str, region: &str) -> String {
    match stack_id.split(':').nth(4).filter(|account| !account.is_empty()) {
        Some(account) => format!("account {}, {region}", plain(account)),
        None => format!("the account, {region}"),
    }
}
