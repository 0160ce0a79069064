//! `add_inline_policy`: gives an IAM role an inline policy that it has not yet.

mod permissions;

use aws_sdk_iam::types::Role;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws::{AwsError, Connection};
use crate::cluster::redact;

use super::get_policies_for_role::{document, statement_line};
use super::{Act, Annotations, AwsContext, Decision, Tool, ToolError, ToolOutcome};

pub(super) struct AddInlinePolicy;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// Name of the new policy
    policy_name: String,
    /// Name of the IAM role, or its ARN
    role_name: String,
    /// The permissions: one statement of a policy (Effect, Action, Resource, Condition), or a list of them
    #[schemars(schema_with = "statements")]
    permissions: Value,
    /// Has the plan done that a first call with the same arguments has shown
    plan_token: Option<String>,
}

fn statements(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "oneOf": [{ "type": "object" }, { "type": "array", "items": { "type": "object" } }] })
}

impl Tool for AddInlinePolicy {
    const NAME: &'static str = "add_inline_policy";
    const TITLE: &'static str = "Give an IAM role an inline policy";
    const DESCRIPTION: &'static str = "Adds an inline policy to an IAM role; a policy of this name that is there already is never changed. The first call \
         shows the policy, what is wide about it, and a plan_token; the second call with it adds the policy.";
    const ANNOTATIONS: Annotations = Annotations::WRITES;
    type Input = Input;
    type Output = Value;
    type Context = AwsContext;

    async fn run(&self, input: Input, cx: &AwsContext) -> Result<ToolOutcome, ToolError> {
        let policy = permissions::document(&input.permissions)?;
        let name = permissions::check_name(input.policy_name.trim())?;
        let role = cx.aws.role(input.role_name.trim()).await?;
        let known = policy_of(&cx.aws, role.role_name(), name).await?;
        match known {
            Some(known) if known == policy => {
                return Ok(told(&role, name, &policy, "was there already; nothing was done"));
            }
            Some(_) => return Err(exists(&role, name)),
            None => {}
        }
        let act = Act {
            tool: Self::NAME,
            summary: &format!("add the inline policy {name} to the role {}", role.role_name()),
            place: role.arn(),
            preview: &preview(&policy)?,
            arguments: &json!({ "policy_name": name, "role_name": role.role_name(), "permissions": policy }),
            state: &json!([role.role_id()]),
        };
        let approved = match cx.gate.decide(&cx.call, input.plan_token.as_deref(), &act)? {
            Decision::Act(approved) => approved,
            Decision::Ask(outcome) => return Ok(outcome),
        };
        let done = put(&cx.aws, role.role_name(), name, &policy).await;
        cx.gate.record(approved, &done);
        done?;
        Ok(told(&role, name, &policy, "was added"))
    }
}

/// The policy of this name, if the role has it.
async fn policy_of(aws: &Connection, role: &str, name: &str) -> Result<Option<Value>, AwsError> {
    let asked = Box::pin(aws.iam().get_role_policy().role_name(role).policy_name(name).send()).await;
    match asked.map_err(AwsError::of("iam:GetRolePolicy")) {
        Ok(found) => Ok(Some(document(found.policy_document()).unwrap_or_default())),
        Err(AwsError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn put(aws: &Connection, role: &str, name: &str, policy: &Value) -> Result<(), ToolError> {
    let put =
        aws.iam().put_role_policy().role_name(role).policy_name(name).policy_document(policy.to_string());
    Box::pin(put.send()).await.map_err(AwsError::of("iam:PutRolePolicy"))?;
    Ok(())
}

fn exists(role: &Role, name: &str) -> ToolError {
    ToolError::Refused(format!(
        "the role {} has another inline policy {name:?} already, and this tool changes none: choose another policy_name, or \
         see it with get_policies_for_role",
        role.role_name()
    ))
}

/// The lines that come, then what is wide about them.
fn preview(policy: &Value) -> Result<String, ToolError> {
    let mut shown = policy.clone();
    redact::object(&mut shown);
    let lines = serde_json::to_string_pretty(&shown).map_err(|_| ToolError::Bug)?;
    let lines = redact::text(&lines);
    let mut text: String = lines.lines().map(|line| format!("+{line}\n")).collect();
    let wide = permissions::wide(policy);
    if !wide.is_empty() {
        text.push_str("\nMind:\n");
    }
    text.extend(wide.iter().map(|note| format!("- {note}\n")));
    Ok(text)
}

fn told(role: &Role, name: &str, policy: &Value, what: &str) -> ToolOutcome {
    let mut policy = policy.clone();
    redact::object(&mut policy);
    let statements = policy["Statement"].as_array().into_iter().flatten();
    let lines: String = statements.map(|statement| format!("  {}\n", statement_line(statement))).collect();
    let text = format!("The inline policy {name} of the role {} {what}.\n{lines}", role.arn());
    let structured = json!({
        "policyName": name, "roleName": role.role_name(), "roleArn": role.arn(), "permissionsAdded": policy["Statement"],
        "changed": what == "was added",
    });
    ToolOutcome::new(structured, text)
}
