//! Statements of a policy as callers write them, held against what IAM takes.

use serde_json::{Map, Value, json};

use super::super::ToolError;
use super::super::get_policies_for_role::one_or_many;
use super::super::text::{nearest, shorten};

/// Characters that IAM allows for all inline policies of a role together, without white space.
const MAX_POLICY: usize = 10_240;
/// Members of a statement of a policy that says what an identity may do.
const MEMBERS: [&str; 7] = ["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"];

/// The policy document, from one statement, a list of them, a whole document, or one of these as JSON in a string.
pub(super) fn document(permissions: &Value) -> Result<Value, ToolError> {
    let parsed;
    let permissions = match permissions {
        Value::String(text) => {
            parsed = serde_json::from_str::<Value>(text)
                .map_err(|error| invalid(format!("no valid JSON ({error})")))?;
            &parsed
        }
        other => other,
    };
    let statements = permissions.get("Statement").unwrap_or(permissions);
    let statements: Vec<&Value> = one_or_many(statements).collect();
    if statements.is_empty() {
        return Err(invalid("has no statements".to_owned()));
    }
    for (at, statement) in statements.iter().enumerate() {
        check(statement).map_err(|why| invalid(format!("statement {} {why}", at + 1)))?;
    }
    let document = json!({ "Version": "2012-10-17", "Statement": statements });
    match document.to_string().len() {
        length if length > MAX_POLICY => Err(invalid(format!(
            "is too long: {length} characters, and IAM takes {MAX_POLICY} of a role's inline policies"
        ))),
        _ => Ok(document),
    }
}

fn invalid(why: String) -> ToolError {
    ToolError::InvalidInput(format!(
        "permissions: {why}; a statement looks like \
         {{\"Effect\":\"Allow\",\"Action\":[\"s3:GetObject\"],\"Resource\":\"arn:aws:s3:::bucket/*\"}}"
    ))
}

fn check(statement: &Value) -> Result<(), String> {
    let statement = statement.as_object().ok_or("is no object")?;
    if let Some(unknown) = statement.keys().find(|member| !MEMBERS.contains(&member.as_str())) {
        let near = nearest(unknown, MEMBERS, 1);
        let near = near.first().map(|near| format!(", perhaps {near}")).unwrap_or_default();
        return Err(format!("has the unknown member {:?}{near}", shorten(unknown, 40)));
    }
    match statement.get("Effect").and_then(Value::as_str) {
        Some("Allow" | "Deny") => {}
        _ => return Err("needs Effect: Allow or Deny".to_owned()),
    }
    either(statement, "Action", "NotAction")?;
    either(statement, "Resource", "NotResource")?;
    match statement.get("Condition") {
        None | Some(Value::Object(_)) => Ok(()),
        Some(_) => Err("has a Condition that is no object".to_owned()),
    }
}

/// Exactly one of two members, with texts in it.
fn either(statement: &Map<String, Value>, member: &str, not: &str) -> Result<(), String> {
    let value = match (statement.get(member), statement.get(not)) {
        (Some(value), None) | (None, Some(value)) => value,
        (None, None) => return Err(format!("needs {member} (or {not})")),
        (Some(_), Some(_)) => return Err(format!("has both {member} and {not}")),
    };
    let mut texts = one_or_many(value).peekable();
    let is_action = member == "Action";
    let fits = |text: &Value| {
        text.as_str()
            .is_some_and(|text| !text.is_empty() && (!is_action || text == "*" || text.contains(':')))
    };
    match texts.peek().is_some() && texts.all(fits) {
        true => Ok(()),
        false if is_action => {
            Err(format!("has {member} that is not like \"s3:GetObject\", or a list of such"))
        }
        false => Err(format!("has {member} that is no ARN, or a list of such")),
    }
}

pub(super) fn check_name(name: &str) -> Result<&str, ToolError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    match (1..=128).contains(&name.len()) && name.chars().all(fits) {
        true => Ok(name),
        false => Err(ToolError::InvalidInput(format!(
            "policy_name must have 1 to 128 letters, digits or _+=,.@-, not {:?}",
            shorten(name, 60)
        ))),
    }
}

/// What is allowed more widely than is mostly meant.
pub(super) fn wide(policy: &Value) -> Vec<String> {
    let mut notes = Vec::new();
    for statement in one_or_many(&policy["Statement"]).filter(|statement| statement["Effect"] == "Allow") {
        let has = |member: &str, wanted: &str| {
            one_or_many(&statement[member])
                .filter_map(Value::as_str)
                .any(|text| text.eq_ignore_ascii_case(wanted))
        };
        if has("Action", "*") {
            notes.push("it allows every action of every service");
        }
        if !statement["NotAction"].is_null() {
            notes.push("Allow with NotAction allows everything else, also what AWS will add");
        }
        let on_everything = has("Resource", "*") && statement["Condition"].is_null();
        if on_everything {
            notes.push("it holds for all resources, without a condition");
        }
        let escalates =
            ["iam:*", "iam:PassRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "sts:AssumeRole", "sts:*"];
        if on_everything && escalates.iter().any(|action| has("Action", action)) {
            notes.push("who has it can give themselves any right (iam or sts actions on all resources)");
        }
    }
    notes.dedup();
    notes.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn statement() -> Value {
        json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*" })
    }

    #[rstest]
    #[case::one(statement())]
    #[case::a_list(json!([statement()]))]
    #[case::a_document(json!({ "Version": "2012-10-17", "Statement": statement() }))]
    #[case::json_in_a_string(Value::from(statement().to_string()))]
    fn statements_become_a_document(#[case] given: Value) {
        assert_eq!(document(&given).unwrap(), json!({ "Version": "2012-10-17", "Statement": [statement()] }));
    }

    #[rstest]
    #[case::nothing(json!([]), "has no statements")]
    #[case::no_object(json!(["s3:GetObject"]), "statement 1 is no object")]
    #[case::no_effect(json!({ "Action": "s3:Get*", "Resource": "*" }), "needs Effect")]
    #[case::no_action(json!({ "Effect": "Allow", "Resource": "*" }), "needs Action (or NotAction)")]
    #[case::odd_action(json!({ "Effect": "Allow", "Action": "GetObject", "Resource": "*" }), "not like \"s3:GetObject\"")]
    #[case::no_resource(json!({ "Effect": "Allow", "Action": "s3:*" }), "needs Resource")]
    #[case::both(json!({ "Effect": "Allow", "Action": "*", "NotAction": "*", "Resource": "*" }), "has both")]
    #[case::misspelt(json!({ "Effect": "Allow", "Actions": "*", "Resource": "*" }), "perhaps Action")]
    #[case::of_a_trust_policy(json!({ "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*" }), "unknown member \"Principal\"")]
    #[case::no_json(json!("{"), "no valid JSON")]
    fn what_iam_would_not_take_is_told(#[case] given: Value, #[case] part: &str) {
        let told = document(&given).unwrap_err().to_string();
        assert!(told.contains(part), "{told}");
    }

    #[test]
    fn a_policy_has_a_largest_size() {
        let resource = "x".repeat(MAX_POLICY);
        let told =
            document(&json!({ "Effect": "Allow", "Action": "s3:*", "Resource": resource })).unwrap_err();
        assert!(told.to_string().contains("too long"));
    }

    #[test]
    fn wide_permissions_are_pointed_out() {
        let all = json!({ "Effect": "Allow", "Action": ["*", "iam:PassRole"], "Resource": "*" });
        assert_eq!(wide(&json!({ "Statement": [all] })).len(), 3);
        assert_eq!(wide(&json!({ "Statement": [statement()] })), [""; 0]);
    }
}
