//! Secrets in all that AWS answers: none comes out of any tool.

use std::collections::BTreeSet;

use drydock::tools::{Approval, CallContext, Policy, Session, Toolbox};
use rstest::rstest;
use serde_json::{Value, json};

use super::account::{Account, Asked};
use super::services::{SECRETS, TOOLS, answer, refusal, secret, statement};
use crate::support::inputs::{choices, leaks};

fn caller() -> CallContext {
    CallContext::new(Session::new("alice", true), 1 << 20)
}

fn policy(approval: Approval) -> Policy {
    Policy { allow_write: true, approval, ..Policy::reads_all() }
}

/// What a caller who knows the account may give for each argument; null leaves it out.
fn values(argument: &str, spec: &Value) -> Vec<Value> {
    match argument {
        "cluster_name" => vec!["prod".into()],
        "role_name" => vec!["cart".into()],
        "region" => vec!["eu-west-1".into()],
        "policy_name" => vec!["more".into(), "logs".into()],
        "permissions" => vec![statement()],
        "insight_id" => vec![Value::Null, "b".into()],
        "include_details" => vec![true.into()],
        "log_type" => vec!["application".into(), "host".into()],
        "metric_name" => vec!["requests".into(), "others".into()],
        "operation" => spec["enum"].as_array().cloned().unwrap_or_default(),
        "template" => vec![Value::Null, template().into()],
        "parameters" => vec![Value::Null, json!({ "DbPassword": secret("a parameter") })],
        _ => Vec::new(),
    }
}

fn template() -> String {
    format!("Parameters: {{ Password: {{ Default: {} }} }}", secret("a template"))
}

/// Every tool with every choice of arguments on this account, none of which lets a secret out; the names of those that
/// answered.
async fn call_all(account: &Account, approval: Approval) -> BTreeSet<String> {
    let tools = account.tools(policy(approval), None).await;
    let (mut answered, mut leaked) = (BTreeSet::new(), BTreeSet::new());
    for tool in tools.list(&caller()).await.unwrap().iter().filter(|tool| TOOLS.contains(&&*tool.name)) {
        for choice in choices(tool, values) {
            let outcome = tools.call(&tool.name, choice.clone(), &caller()).await;
            leaked.extend(
                leaks(&SECRETS, &choice, &outcome).iter().map(|place| format!("{place} by {}", tool.name)),
            );
            if !outcome.is_error {
                answered.insert(tool.name.to_string());
            }
        }
    }
    assert!(leaked.is_empty(), "{leaked:#?}");
    answered
}

#[rstest]
#[case::shown_first(Approval::Ask)]
#[case::done_at_once(Approval::None)]
#[tokio::test]
async fn none_comes_out_of_any_tool(#[case] approval: Approval) {
    let account = Account::start(answer).await;
    let answered = call_all(&account, approval).await;
    let silent: Vec<&str> = TOOLS.into_iter().filter(|name| !answered.contains(*name)).collect();
    assert!(silent.is_empty(), "no call of these was answered, so that nothing is shown by them: {silent:?}");
    let done = ["PutRolePolicy", "ExecuteChangeSet", "DeleteStack"].map(|action| account.count(action) > 0);
    assert_eq!(done, [approval == Approval::None; 3]);
}

/// Asked for what a tool can do without.
fn is_detail(asked: &Asked) -> bool {
    let actions = [
        "GetPolicy",
        "GetPolicyVersion",
        "ListStackResources",
        "DescribeStackEvents",
        "DescribeSecurityGroups",
        "DescribeNatGateways",
        "ListMetrics",
        "DescribeLogGroups",
        "PutRolePolicy",
        "ExecuteChangeSet",
        "DeleteStack",
        "GetQueryResults",
    ];
    actions.contains(&asked.action()) || asked.path.starts_with("/clusters/prod")
}

#[rstest]
#[case::denied("AccessDenied", "the request had Authorization: Bearer SECRET")]
#[case::no_code_of_ours("ValidationError", "Template error: password=SECRET is too short")]
#[case::not_found("ResourceNotFoundException", "no such thing: postgres://app:SECRET@db/shop")]
#[case::cut_within_a_url("ValidationException", "LONG postgres://app:SECRET@db.example.com:5432/shop")]
#[case::cut_within_a_key(
    "ValidationException",
    "LONG -----BEGIN PRIVATE KEY-----\nSECRETtigerlily\nMIIE\n-----END PRIVATE KEY-----"
)]
#[case::in_the_code("password=SECRET", "no")]
#[tokio::test]
async fn none_comes_out_of_what_aws_refuses(#[case] code: &str, #[case] message: &str) {
    let in_place = |text: &str| {
        let secret = secret("an error of AWS");
        // What is passed on of a long message ends right after the secret.
        let before = text.find("SECRET").unwrap_or(0) + secret.len();
        text.replace("SECRET", secret).replace("LONG", &"x".repeat(404 - before))
    };
    let (code, message) = (in_place(code), in_place(message));
    for only_details in [false, true] {
        let (code, message) = (code.clone(), message.clone());
        let account = Account::start(move |asked| match is_detail(asked) || !only_details {
            true => refusal(asked, &code, &message),
            false => answer(asked),
        });
        let account = account.await;
        call_all(&account, Approval::None).await;
        assert!(account.asked().len() > 10);
    }
}
