//! `get_policies_for_role`: what an IAM role may do, and who may become it.

mod trust;

use aws_sdk_iam::types::Role;
use futures::{StreamExt, TryStreamExt, stream};
use percent_encoding::percent_decode_str;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws::{self, AwsError, Connection};
use crate::cluster::redact;

use super::text::plain;
use super::{AwsContext, Tool, ToolError, ToolOutcome};

/// Policies that are read at the same time.
const AT_ONCE: usize = 6;

pub(super) struct GetPoliciesForRole;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// Name of the IAM role, or its ARN
    role_name: String,
}

impl Tool for GetPoliciesForRole {
    const NAME: &'static str = "get_policies_for_role";
    const TITLE: &'static str = "Read the policies of an IAM role";
    const DESCRIPTION: &'static str = "Shows an IAM role: attached and inline policies with names, ARNs and documents, the permissions boundary, and who may \
         assume it. For roles of service accounts (IRSA, EKS Pod Identity) it says which service accounts of which cluster \
         may, and what in the trust policy may keep them out or let others in. Use it for AccessDenied in a pod or on a \
         node.";
    type Input = Input;
    type Output = Value;
    type Context = AwsContext;

    async fn run(&self, input: Input, cx: &AwsContext) -> Result<ToolOutcome, ToolError> {
        let role = cx.aws.role(input.role_name.trim()).await?;
        let name = role.role_name();
        let boundary = role.permissions_boundary().and_then(|boundary| boundary.permissions_boundary_arn());
        let (managed, inline, boundary) =
            tokio::try_join!(managed(&cx.aws, name), inline(&cx.aws, name), bounds(&cx.aws, boundary))?;
        let trust = role.assume_role_policy_document().and_then(document).unwrap_or_default();
        let may_assume = trust::who_may_assume(&trust);
        let tags = role.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().into()));
        let mut tags = Value::Object(tags.collect());
        redact::record(&mut tags);
        let mut structured = json!({
            "roleName": name, "roleArn": role.arn(), "roleId": role.role_id(), "description": role.description(),
            "createdAt": aws::time(role.create_date()), "lastUsedAt": last_used(&role),
            "maxSessionDurationSeconds": role.max_session_duration(),
            "tags": tags,
            "assumeRolePolicyDocument": trust, "mayAssume": may_assume.who, "trustNotes": may_assume.notes,
            "permissionsBoundary": boundary, "managedPolicies": managed, "inlinePolicies": inline,
        });
        redact::object(&mut structured);
        let text = text(&structured);
        Ok(ToolOutcome::new(structured, text))
    }
}

fn last_used(role: &Role) -> Option<String> {
    role.role_last_used().and_then(|used| used.last_used_date()).map(aws::time)
}

/// A document as IAM gives it: JSON, percent-encoded.
pub(super) fn document(encoded: &str) -> Option<Value> {
    let decoded = percent_decode_str(encoded).decode_utf8().ok()?;
    serde_json::from_str(&decoded).ok()
}

async fn managed(aws: &Connection, role: &str) -> Result<Vec<Value>, AwsError> {
    let attached = aws.attached_policies(role).await?;
    let arns = attached.iter().map(|policy| policy.policy_arn().unwrap_or_default());
    let read: Vec<_> = arns.map(|arn| managed_policy(aws, arn)).collect();
    Ok(stream::iter(read).buffered(AT_ONCE).collect().await)
}

async fn bounds(aws: &Connection, arn: Option<&str>) -> Result<Option<Value>, AwsError> {
    match arn {
        None => Ok(None),
        Some(arn) => Ok(Some(managed_policy(aws, arn).await)),
    }
}

/// A policy; what of it cannot be read is said in it, and does not hide the others.
async fn managed_policy(aws: &Connection, arn: &str) -> Value {
    let name = arn.rsplit('/').next().unwrap_or_default();
    let mut told = json!({ "name": name, "arn": arn, "awsManaged": arn.contains(":iam::aws:") });
    match read_policy(aws, arn, &mut told).await {
        Ok(()) => {}
        Err(error) => told["error"] = plain(&error.to_string()).into(),
    }
    told
}

async fn read_policy(aws: &Connection, arn: &str, told: &mut Value) -> Result<(), AwsError> {
    let policy = Box::pin(aws.iam().get_policy().policy_arn(arn).send()).await;
    let policy = policy.map_err(AwsError::of("iam:GetPolicy"))?.policy;
    let Some(policy) = policy else { return Ok(()) };
    told["description"] = policy.description().into();
    told["version"] = policy.default_version_id().into();
    let version = policy.default_version_id().unwrap_or("v1");
    let version = aws.iam().get_policy_version().policy_arn(arn).version_id(version);
    let version =
        Box::pin(version.send()).await.map_err(AwsError::of("iam:GetPolicyVersion"))?.policy_version;
    told["document"] = version.and_then(|version| document(version.document()?)).unwrap_or_default();
    Ok(())
}

async fn inline(aws: &Connection, role: &str) -> Result<Vec<Value>, AwsError> {
    let names = aws.inline_policy_names(role).await?;
    let read: Vec<_> = names.iter().map(|name| inline_policy(aws, role, name)).collect();
    stream::iter(read).buffered(AT_ONCE).try_collect().await
}

async fn inline_policy(aws: &Connection, role: &str, name: &str) -> Result<Value, AwsError> {
    let asked = aws.iam().get_role_policy().role_name(role).policy_name(name);
    let policy = Box::pin(asked.send()).await.map_err(AwsError::of("iam:GetRolePolicy"))?;
    Ok(json!({ "name": name, "document": document(policy.policy_document()) }))
}

fn text(role: &Value) -> String {
    let word = |member: &str| plain(role[member].as_str().unwrap_or("unknown"));
    let mut text = format!("Role {}\n", word("roleArn"));
    if let Some(description) = role["description"].as_str().filter(|words| !words.is_empty()) {
        text.push_str(&format!("{}\n", plain(description)));
    }
    let used = role["lastUsedAt"].as_str().unwrap_or("not known");
    text.push_str(&format!("created {}, last used {used}\n", word("createdAt")));
    lines(&mut text, "May assume it", &role["mayAssume"]);
    lines(&mut text, "Notes on the trust policy", &role["trustNotes"]);
    if role["permissionsBoundary"].is_object() {
        text.push_str("\nPermissions boundary: no more than this is allowed, whatever the policies say\n");
        text.push_str(&policy_text(&role["permissionsBoundary"]));
    }
    for (title, member) in [("Managed policies", "managedPolicies"), ("Inline policies", "inlinePolicies")] {
        let policies = role[member].as_array().map(Vec::as_slice).unwrap_or_default();
        text.push_str(&format!("\n{title}: {}\n", policies.len()));
        text.extend(policies.iter().map(policy_text));
    }
    text
}

fn lines(text: &mut String, title: &str, lines: &Value) {
    let lines = lines.as_array().map(Vec::as_slice).unwrap_or_default();
    if !lines.is_empty() {
        text.push_str(&format!("\n{title}\n"));
    }
    text.extend(lines.iter().map(|line| format!("- {}\n", plain(line.as_str().unwrap_or_default()))));
}

/// Its name, and a line for each statement.
fn policy_text(policy: &Value) -> String {
    let name = policy["arn"].as_str().or(policy["name"].as_str()).unwrap_or_default();
    let mut text = format!("{}\n", plain(name));
    if let Some(error) = policy["error"].as_str() {
        text.push_str(&format!("  {error}\n"));
    }
    for statement in one_or_many(&policy["document"]["Statement"]) {
        text.push_str(&format!("  {}\n", plain(&statement_line(statement))));
    }
    text
}

/// `Allow s3:GetObject on * if {...}`
pub(super) fn statement_line(statement: &Value) -> String {
    let words = |member: &str| {
        let all: Vec<&str> = one_or_many(&statement[member]).filter_map(Value::as_str).collect();
        (!all.is_empty()).then(|| all.join(", "))
    };
    let actions = words("Action").or_else(|| Some(format!("everything but {}", words("NotAction")?)));
    let resources = words("Resource").or_else(|| Some(format!("everything but {}", words("NotResource")?)));
    let mut line = statement["Effect"].as_str().unwrap_or("?").to_owned();
    line.push_str(&format!(" {}", actions.unwrap_or_else(|| "?".to_owned())));
    line.extend(resources.map(|resources| format!(" on {resources}")));
    if let Some(condition) = statement["Condition"].as_object() {
        line.push_str(&format!(" if {}", Value::Object(condition.clone())));
    }
    line
}

/// Policies write one element instead of a list of one.
pub(super) fn one_or_many(value: &Value) -> impl Iterator<Item = &Value> {
    let many = value.as_array().into_iter().flatten();
    many.chain(Some(value).filter(|value| !value.is_array() && !value.is_null()))
}
