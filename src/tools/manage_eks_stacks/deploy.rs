//! Makes or changes the stack of a cluster: what would change is worked out by CloudFormation as a change set, and what
//! was approved is that change set.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::operation::get_template_summary::GetTemplateSummaryOutput;
use aws_sdk_cloudformation::types::{
    Change, ChangeSetStatus, ChangeSetType, ExecutionStatus, Parameter, ResourceChange, Stack, StackStatus,
};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::aws::AwsError;
use crate::cluster::redact;

use super::super::table::table;
use super::super::text::{counted, plain, shorten};
use super::super::{Act, AwsContext, Decision, Tool, ToolError, ToolOutcome};
use super::ManageEksStacks;
use super::stack::{CHANGE_SET, ClusterStack, in_review, owner_tag, place, says_absent, shown, status};

/// The longest template that a request takes, in bytes.
const MAX_TEMPLATE: usize = 51_200;
/// How long a change set may take; it goes on, and the next call finds it.
const PATIENCE: Duration = Duration::from_secs(40);
const LOOK: Duration = Duration::from_secs(2);
const MAX_PAGES: usize = 10;

/// What is to be deployed.
pub(super) struct Wanted<'a> {
    pub(super) template: &'a str,
    pub(super) parameters: &'a BTreeMap<String, String>,
}

pub(super) async fn deploy(
    cx: &AwsContext,
    at: &ClusterStack<'_>,
    wanted: Wanted<'_>,
    plan_token: Option<&str>,
) -> Result<ToolOutcome, ToolError> {
    if wanted.template.len() > MAX_TEMPLATE {
        return Err(ToolError::InvalidInput(format!(
            "the template has {} bytes, and CloudFormation takes {MAX_TEMPLATE} in a request",
            wanted.template.len()
        )));
    }
    let checked = at.client.get_template_summary().template_body(wanted.template).send().await;
    let checked = checked.map_err(AwsError::of("cloudformation:GetTemplateSummary"))?;
    let stack = at.find().await?;
    if let Some(stack) = &stack {
        at.check_owner(stack).await?;
        check_status(stack)?;
    }
    let existing = stack.as_ref().filter(|stack| !in_review(stack));
    let request = Request { at, wanted: &wanted, checked: &checked, existing };
    let Some(set) = request.change_set(cx, stack.is_some()).await? else {
        return Ok(request.nothing_changes(stack.as_ref()));
    };
    let preview = request.preview(&set);
    let id = set.output.change_set_id().unwrap_or_default();
    let act = Act {
        tool: ManageEksStacks::NAME,
        summary: &request.summary(&set),
        place: &place(set.output.stack_id().unwrap_or_default(), at.region),
        preview: &preview,
        arguments: &json!([
            "deploy",
            at.cluster,
            at.region,
            cx.aws.role_arn,
            wanted.template,
            wanted.parameters
        ]),
        state: &json!([set.output.stack_id(), id]),
    };
    let approved = match cx.gate.decide(&cx.call, plan_token, &act)? {
        Decision::Act(approved) => approved,
        Decision::Ask(outcome) => return Ok(outcome),
    };
    let done = at.client.execute_change_set().change_set_name(id).stack_name(&at.name).send().await;
    let done = done.map_err(AwsError::of("cloudformation:ExecuteChangeSet")).map_err(ToolError::from);
    cx.gate.record(approved, &done);
    done.map(|_| request.begun(&set))
}

/// A stack that cannot be changed now says what has to be done first.
fn check_status(stack: &Stack) -> Result<(), ToolError> {
    let first = match stack.stack_status() {
        Some(StackStatus::RollbackComplete | StackStatus::CreateFailed | StackStatus::RollbackFailed) => {
            "it was never made whole: delete it first (describe says why it failed)"
        }
        Some(StackStatus::ReviewInProgress) => return Ok(()),
        Some(status) if status.as_str().ends_with("_IN_PROGRESS") => {
            "it is being changed: wait until describe says that it is complete"
        }
        Some(StackStatus::DeleteFailed) => "its deletion has failed: describe says why",
        Some(StackStatus::UpdateRollbackFailed) => {
            "its last change could not be undone: aws cloudformation continue-update-rollback does that"
        }
        _ => return Ok(()),
    };
    Err(ToolError::Refused(format!("the stack is {}: {first}", status(stack))))
}

/// A change of the stack, as CloudFormation is asked for it.
struct Request<'a> {
    at: &'a ClusterStack<'a>,
    wanted: &'a Wanted<'a>,
    checked: &'a GetTemplateSummaryOutput,
    /// The stack, where it has resources already.
    existing: Option<&'a Stack>,
}

/// A change set that can be executed.
struct ChangeSet {
    output: DescribeChangeSetOutput,
    changes: Vec<ResourceChange>,
}

impl Request<'_> {
    /// The change set of these arguments: the one that an earlier call has made, or a new one. `None` where nothing would
    /// change.
    async fn change_set(
        &self,
        cx: &AwsContext,
        stack_is_there: bool,
    ) -> Result<Option<ChangeSet>, ToolError> {
        let name = self.name();
        let known = if stack_is_there { self.look(&name).await? } else { None };
        match known {
            Some(known) if is_usable(&known) => {}
            Some(_) => {
                self.discard(&name).await?;
                self.create(&name).await?;
            }
            None => self.create(&name).await?,
        }
        let begun = Instant::now();
        for look in 1.. {
            let output = self.look(&name).await?;
            match output.as_ref().and_then(|output| output.status()) {
                Some(ChangeSetStatus::CreateComplete) => break,
                Some(ChangeSetStatus::Failed) => return self.failed(&name, output).await,
                _ if begun.elapsed() > PATIENCE => {
                    return Err(AwsError::Unavailable(
                        "CloudFormation still works out what would change: call again with the same arguments".to_owned(),
                    )
                    .into());
                }
                _ => cx.call.report(look, None, "CloudFormation works out what would change"),
            }
            tokio::time::sleep(LOOK).await;
        }
        self.complete(&name).await.map(Some)
    }

    /// All pages of it.
    async fn complete(&self, name: &str) -> Result<ChangeSet, ToolError> {
        let mut changes = Vec::new();
        let mut token = None;
        for _ in 0..MAX_PAGES {
            let page = self.describe(name).set_next_token(token.take()).send().await;
            let mut page = page.map_err(AwsError::of("cloudformation:DescribeChangeSet"))?;
            changes.extend(
                page.changes
                    .take()
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|change: Change| change.resource_change),
            );
            token = page.next_token.take();
            if token.is_none() {
                return Ok(ChangeSet { output: page, changes });
            }
        }
        Err(ToolError::Refused(
            "the change set has more changes than can be shown: change less at once".to_owned(),
        ))
    }

    fn describe(
        &self,
        name: &str,
    ) -> aws_sdk_cloudformation::operation::describe_change_set::builders::DescribeChangeSetFluentBuilder
    {
        self.at.client.describe_change_set().stack_name(&self.at.name).change_set_name(name)
    }

    async fn look(&self, name: &str) -> Result<Option<DescribeChangeSetOutput>, AwsError> {
        match self.describe(name).send().await {
            Ok(output) => Ok(Some(output)),
            Err(error) if error.code() == Some("ChangeSetNotFound") => Ok(None),
            Err(error) if says_absent(error.code(), error.message()) => Ok(None),
            Err(error) => Err(AwsError::of("cloudformation:DescribeChangeSet")(error)),
        }
    }

    async fn create(&self, name: &str) -> Result<(), ToolError> {
        let kind = if self.existing.is_some() { ChangeSetType::Update } else { ChangeSetType::Create };
        let request = self
            .at
            .client
            .create_change_set()
            .stack_name(&self.at.name)
            .change_set_name(name)
            .change_set_type(kind)
            .template_body(self.wanted.template)
            .set_parameters(Some(self.parameters()?))
            .set_capabilities(Some(self.checked.capabilities().to_vec()))
            .tags(owner_tag())
            .description("made by drydock to show what would change");
        match request.send().await {
            // Another call with the same arguments is a little earlier.
            Err(error) if error.code() == Some("AlreadyExistsException") => Ok(()),
            created => {
                created.map_err(AwsError::of("cloudformation:CreateChangeSet"))?;
                Ok(())
            }
        }
    }

    async fn discard(&self, name: &str) -> Result<(), ToolError> {
        let gone =
            self.at.client.delete_change_set().stack_name(&self.at.name).change_set_name(name).send().await;
        gone.map_err(AwsError::of("cloudformation:DeleteChangeSet"))?;
        Ok(())
    }

    /// That nothing changes is a failure, too, in the words of CloudFormation.
    async fn failed(
        &self,
        name: &str,
        output: Option<DescribeChangeSetOutput>,
    ) -> Result<Option<ChangeSet>, ToolError> {
        let reason = output.and_then(|output| output.status_reason).unwrap_or_default();
        self.discard(name).await?;
        if reason.contains("didn't contain changes") || reason.contains("No updates are to be performed") {
            return Ok(None);
        }
        let reason = shorten(&shown(&reason), 400);
        Err(ToolError::Refused(format!("CloudFormation cannot deploy the template: {reason}")))
    }

    /// The values of the template's parameters: those given, then those that the stack has, then the template's own.
    fn parameters(&self) -> Result<Vec<Parameter>, ToolError> {
        let declared: Vec<&str> =
            self.checked.parameters().iter().filter_map(|parameter| parameter.parameter_key()).collect();
        if let Some(unknown) = self.wanted.parameters.keys().find(|name| !declared.contains(&name.as_str())) {
            return Err(ToolError::InvalidInput(format!(
                "the template has no parameter {:?}; it has {}",
                shorten(unknown, 60),
                declared.join(", ")
            )));
        }
        let before: Vec<&str> = self
            .existing
            .map(Stack::parameters)
            .unwrap_or_default()
            .iter()
            .filter_map(Parameter::parameter_key)
            .collect();
        let value = |name: &&str| {
            let parameter = Parameter::builder().parameter_key(*name);
            match self.wanted.parameters.get(*name) {
                Some(value) => Some(parameter.parameter_value(value).build()),
                None if *name == "ClusterName" => Some(parameter.parameter_value(self.at.cluster).build()),
                None if before.contains(name) => Some(parameter.use_previous_value(true).build()),
                None => None,
            }
        };
        Ok(declared.iter().filter_map(value).collect())
    }

    /// The same for the same arguments, so that the call that acts finds what the first has shown.
    fn name(&self) -> String {
        let arguments = json!([self.wanted.template, self.wanted.parameters, self.existing.is_some()]);
        let digest = Sha256::digest(arguments.to_string().as_bytes());
        let digits: String = digest.iter().take(10).map(|byte| format!("{byte:02x}")).collect();
        format!("{CHANGE_SET}{digits}")
    }

    fn summary(&self, set: &ChangeSet) -> String {
        let verb = if self.existing.is_some() { "change" } else { "create" };
        let changes = counted(set.changes.len(), "resource changes", "resources change");
        let gone = set.changes.iter().filter(|change| replaces(change) || action(change) == "Remove").count();
        let gone = if gone == 0 { String::new() } else { format!(", {gone} of them go or are replaced") };
        format!("{verb} the stack {} ({changes}{gone})", self.at.name)
    }

    fn preview(&self, set: &ChangeSet) -> String {
        let mut text = String::new();
        for parameter in set.output.parameters() {
            let name = parameter.parameter_key().unwrap_or_default();
            let hidden = self
                .checked
                .parameters()
                .iter()
                .any(|one| one.parameter_key() == Some(name) && one.no_echo() == Some(true));
            let value = if hidden { redact::MARK } else { parameter.parameter_value().unwrap_or_default() };
            let mut named = json!({ name: value });
            redact::record(&mut named);
            text.push_str(&plain(&format!("{name}={}", named[name].as_str().unwrap_or_default())));
            text.push('\n');
        }
        let capabilities: Vec<&str> = self.checked.capabilities().iter().map(|one| one.as_str()).collect();
        if !capabilities.is_empty() {
            text.push_str(&format!("It makes IAM roles or policies ({}).\n", capabilities.join(", ")));
        }
        let mut changes: Vec<&ResourceChange> = set.changes.iter().collect();
        // What is lost comes first.
        changes.sort_by_key(|change| (action(change) != "Remove", !replaces(change)));
        let rows: Vec<Vec<String>> = changes.into_iter().map(row).collect();
        format!("{text}\n{}", table(&["ACTION", "RESOURCE", "TYPE", "ID", "WHAT"], &rows))
    }

    fn nothing_changes(&self, stack: Option<&Stack>) -> ToolOutcome {
        let text = format!("Nothing changes: the stack {} is as the template has it.\n", self.at.name);
        let structured = json!({
            "operation": "deploy", "clusterName": self.at.cluster, "stackName": self.at.name, "region": self.at.region,
            "stackId": stack.and_then(Stack::stack_id), "stackStatus": stack.map(status), "changes": 0,
        });
        ToolOutcome::new(structured, text)
    }

    fn begun(&self, set: &ChangeSet) -> ToolOutcome {
        let (status, verb) = match self.existing {
            Some(_) => ("UPDATE_IN_PROGRESS", "changed"),
            None => ("CREATE_IN_PROGRESS", "made; a cluster takes some twenty minutes"),
        };
        let text = format!(
            "The stack {} is being {verb}. The operation describe tells how far it is and what has failed.\n",
            self.at.name
        );
        let structured = json!({
            "operation": "deploy", "clusterName": self.at.cluster, "stackName": self.at.name, "region": self.at.region,
            "stackId": set.output.stack_id(), "stackStatus": status, "changes": set.changes.len(),
        });
        ToolOutcome::new(structured, text)
    }
}

/// True for one that is being made, or that is ready and still fits the stack.
fn is_usable(set: &DescribeChangeSetOutput) -> bool {
    match set.status() {
        Some(ChangeSetStatus::CreatePending | ChangeSetStatus::CreateInProgress) => true,
        Some(ChangeSetStatus::CreateComplete) => {
            matches!(set.execution_status(), Some(ExecutionStatus::Available))
        }
        _ => false,
    }
}

fn action(change: &ResourceChange) -> &str {
    change.action().map_or("-", |action| action.as_str())
}

fn replaces(change: &ResourceChange) -> bool {
    change.replacement().is_some_and(|replacement| replacement.as_str() != "False")
}

/// One change; of a resource that stays, what of it changes.
fn row(change: &ResourceChange) -> Vec<String> {
    let text = |text: Option<&str>| shown(text.unwrap_or("-"));
    let mut what: Vec<&str> = change.details().iter().filter_map(|detail| detail.target()?.name()).collect();
    what.sort_unstable();
    what.dedup();
    let replaced = match change.replacement().map(|replacement| replacement.as_str()) {
        Some("True") => "REPLACED: ",
        Some("Conditional") => "PERHAPS REPLACED: ",
        _ => "",
    };
    vec![
        action(change).to_owned(),
        text(change.logical_resource_id()),
        text(change.resource_type()),
        text(change.physical_resource_id()),
        format!("{replaced}{}", plain(&what.join(", "))),
    ]
}
