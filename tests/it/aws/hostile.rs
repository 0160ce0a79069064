//! Hostile inputs for the tools of an account: errors in one line, no change, nothing asked anywhere else.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use drydock::tools::{CallContext, Policy, Registry, Session, ToolOutcome, Toolbox};
use rstest::rstest;
use serde_json::{Value, json};

use super::account::{Account, Asked};
use super::services::{TOOLS, answer, refusal, statement};
use crate::support::aws::StandIn;
use crate::support::inputs::{assault, faults};

const MAX_BYTES: usize = 16 << 10;

fn caller() -> CallContext {
    CallContext::new(Session::new("alice", true), MAX_BYTES)
}

fn policy() -> Policy {
    Policy { allow_write: true, ..Policy::reads_all() }
}

/// An account in which a change set is there once it was made.
async fn account() -> Account {
    let made: Mutex<BTreeSet<String>> = Mutex::default();
    Account::start(move |asked| {
        let name = asked.parameter("ChangeSetName");
        match asked.action() {
            "CreateChangeSet" => drop(made.lock().unwrap().insert(name)),
            "DescribeChangeSet" if !made.lock().unwrap().contains(&name) => {
                return refusal(asked, "ChangeSetNotFound", "no");
            }
            _ => {}
        }
        answer(asked)
    })
    .await
}

/// What a caller may mean.
fn words(argument: &str) -> Vec<Value> {
    match argument {
        "cluster_name" => vec!["prod".into()],
        "region" => vec!["eu-west-1".into(), "us-east-2".into()],
        "role_arn" => vec!["arn:aws:iam::111122223333:role/reader".into()],
        "role_name" => vec!["cart".into()],
        "policy_name" => vec!["more".into(), "logs".into()],
        "permissions" => vec![statement(), json!([statement()])],
        "insight_id" => vec!["b".into()],
        "log_type" => vec!["application".into(), "control-plane".into()],
        "metric_name" => vec!["requests".into()],
        "operation" => vec!["deploy".into(), "delete".into(), "describe".into(), "generate".into()],
        "stat" => vec!["Average".into(), "p99".into()],
        "fields" => vec!["@timestamp, @message".into()],
        "dimensions" => vec![json!({ "Endpoint": "x" })],
        "parameters" => vec![json!({ "DbPassword": "x" })],
        "start_time" => vec!["2026-01-31T09:00:00Z".into()],
        "end_time" => vec!["2026-01-31T10:00:00Z".into()],
        "period" => vec![60.into()],
        _ => Vec::new(),
    }
}

/// What may be asked without an approved plan, by any of the tools. A change set only says what would change: it is the
/// plan, and does nothing until it is executed.
const HARMLESS: [&str; 19] = [
    "AssumeRole",
    "CreateChangeSet",
    "DescribeChangeSet",
    "DescribeInternetGateways",
    "DescribeLogGroups",
    "DescribeNatGateways",
    "DescribeRouteTables",
    "DescribeSecurityGroups",
    "DescribeStackEvents",
    "DescribeStacks",
    "DescribeSubnets",
    "DescribeVpcEndpoints",
    "DescribeVpcs",
    "GetTemplateSummary",
    "ListAttachedRolePolicies",
    "ListMetrics",
    "ListRolePolicies",
    "ListStackResources",
    "StartQuery",
];

fn is_harmless(asked: &Asked) -> bool {
    let action = asked.action();
    let reads = HARMLESS.contains(&action) || action.starts_with("Get") || is_eks(asked);
    reads && is_signed_for_a_region(asked) && is_named_well(asked)
}

/// Reads clusters and insights, at a path that no name has led away from.
fn is_eks(asked: &Asked) -> bool {
    let path = asked.path.split('?').next().unwrap_or_default();
    let mut segments = path.split('/').skip(1);
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    let known = segments.next() == Some("clusters") && segments.next().is_none_or(is_name);
    let rest: Vec<&str> = segments.collect();
    let is_insight = |id: &str| !matches!(id, "" | "." | "..");
    let reads = match (asked.method.as_str(), rest.as_slice()) {
        ("GET", []) | ("POST", ["insights"]) => true,
        ("GET", ["insights", id]) => is_insight(id),
        _ => false,
    };
    asked.action().is_empty() && known && reads
}

/// The region is part of the host where no stand-in is in its place.
fn is_signed_for_a_region(asked: &Asked) -> bool {
    let scope = asked.authorization.split('/').nth(2).unwrap_or_default();
    matches!(scope, "eu-west-1" | "us-east-2" | "us-east-1")
}

/// The role that is assumed, and the stack, are what was meant.
fn is_named_well(asked: &Asked) -> bool {
    let role = asked.action() != "AssumeRole"
        || asked.parameter("RoleArn") == "arn:aws:iam::111122223333:role/reader";
    let set = asked.action() != "CreateChangeSet"
        || (asked.parameter("ChangeSetName").starts_with("drydock-")
            && asked.parameter("StackName") == "eks-prod-stack");
    role && set && is_one_query(asked)
}

/// A query of Logs Insights has the commands of the tool, and no others.
fn is_one_query(asked: &Asked) -> bool {
    if asked.action() != "StartQuery" {
        return true;
    }
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    let group = body["logGroupName"].as_str().unwrap();
    let commands = commands(body["queryString"].as_str().unwrap());
    let known = |command: &&str| {
        ["fields ", "filter ", "sort ", "limit "].iter().any(|word| command.starts_with(word))
    };
    let of_tool = commands.iter().all(|command| known(&command.as_str()));
    let filters = commands.iter().filter(|command| command.starts_with("filter ")).count();
    let ends = commands.iter().rev().take(2).map(String::as_str).collect::<Vec<_>>();
    of_tool
        && filters <= 2
        && commands.len() == filters + 3
        && ends[0].starts_with("limit ")
        && ends[1] == "sort @timestamp desc"
        && group.chars().all(|c| c.is_ascii_alphanumeric() || "_-/.#".contains(c))
}

/// The commands of a query, as Logs Insights takes it apart: pipes in quotes and expressions separate nothing, and
/// comments are none.
fn commands(query: &str) -> Vec<String> {
    let mut commands = vec![String::new()];
    for (quote, text) in pieces(query) {
        let last = commands.last_mut().unwrap();
        match quote {
            Some(quote) => last.push_str(&format!("{quote}{text}{quote}")),
            None => {
                let mut parts = text.split('|');
                last.push_str(parts.next().unwrap());
                commands.extend(parts.map(str::to_owned));
            }
        }
    }
    commands.iter().map(|command| command.trim().to_owned()).collect()
}

/// A query as what is in quotes of some kind, or in an expression, and what is not.
fn pieces(query: &str) -> Vec<(Option<char>, String)> {
    let mut pieces = vec![(None, String::new())];
    let mut chars = query.chars();
    while let Some(c) = chars.next() {
        let (quote, text) = pieces.last_mut().unwrap();
        match (*quote, c) {
            (None, '"' | '\'' | '`' | '/') => pieces.push((Some(c), String::new())),
            (None, '#') => text.push_str("| a comment"),
            (Some(quote), c) if c == quote => pieces.push((None, String::new())),
            (Some(_), '\\') => text.extend([Some(c), chars.next()].into_iter().flatten()),
            _ => text.push(c),
        }
    }
    if pieces.last().unwrap().0.is_some() {
        pieces.push((None, "| open to its end".to_owned()));
    }
    pieces
}

/// Everything that is looked for is this text.
fn assert_looked_for(query: &str, text: &str) {
    let filter = commands(query).into_iter().find(|command| command.starts_with("filter ")).unwrap();
    for (quote, literal) in pieces(&filter).iter().filter_map(|(quote, text)| Some(((*quote)?, text))) {
        let is_it = match quote {
            '/' => regex::Regex::new(&format!("^(?:{literal})$")).unwrap().is_match(text),
            _ => literal == text && !literal.contains('\\'),
        };
        assert!(is_it, "{quote}{literal}{quote} of {filter} is not {text:?}");
    }
}

/// What was asked since the last look does harm.
fn harm(account: &Account) -> Option<String> {
    let asked = account.asked_since();
    let harmful = asked.iter().find(|asked| !is_harmless(asked));
    harmful.map(|asked| format!("a request that does harm: {asked:?}"))
}

#[tokio::test]
async fn hostile_inputs_are_errors_in_one_line_and_change_nothing() {
    let account = account().await;
    let tools = account.tools(policy(), None).await;
    assault(&tools, |name| TOOLS.contains(&name), &caller(), words, || harm(&account)).await;
}

#[tokio::test]
async fn hostile_inputs_of_who_may_only_read_do_not_even_make_a_plan() {
    let account = account().await;
    let tools = account.tools(policy(), None).await;
    let may_only_read = CallContext::new(Session::new("bob", false), MAX_BYTES);
    let harm = || {
        let asked = account.asked_since();
        let writes = asked.iter().find(|asked| !is_harmless(asked) || asked.action() == "CreateChangeSet");
        writes.map(|asked| format!("a request of who may only read: {asked:?}"))
    };
    assault(&tools, |name| TOOLS.contains(&name), &may_only_read, words, harm).await;
}

/// Has this called where everything may be done with an approved plan.
async fn called(tool: &str, arguments: Value) -> (ToolOutcome, Option<String>) {
    let account = account().await;
    let outcome = account.tools(policy(), None).await.call(tool, arguments, &caller()).await;
    (outcome, harm(&account))
}

/// An error in one line, with this in it, and nothing asked that does harm.
async fn assert_refused(tool: &str, arguments: Value, part: &str) {
    let (outcome, harm) = called(tool, arguments).await;
    assert!(outcome.is_error && outcome.text.contains(part), "{}", outcome.text);
    assert_eq!((faults(&outcome, MAX_BYTES), harm), (Vec::new(), None), "{}", outcome.text);
}

const INJECTIONS: [&str; 12] = [
    "\" | limit 10000 | filter \"",
    "' or 1=1 | unmask(@message) | filter '",
    "x\" or @message like \"",
    "a\\\" | stats count(*)",
    "a\\",
    "/ | fields @ptr | filter @message like /",
    "a\n| dedup @message\n| filter b",
    "a\r\n# the rest is a comment",
    "`a` | display @ptr",
    "filter level = \"a\" | unmask(@message)",
    "filter @message like /a\\/ | limit 9/",
    "{ $.level = \"error\" } | anomaly",
];

#[tokio::test]
async fn nothing_that_is_looked_for_becomes_a_command() {
    for injection in INJECTIONS {
        for argument in ["resource_name", "filter_pattern", "fields", "log_type"] {
            for resource_type in ["pod", "node", "namespace", "container"] {
                let mut arguments = json!({ "cluster_name": "prod", "resource_type": resource_type });
                arguments[argument] = injection.into();
                let account = account().await;
                let tools = account.tools(policy(), None).await;
                let outcome = tools.call("get_cloudwatch_logs", arguments, &caller()).await;
                assert!(faults(&outcome, MAX_BYTES).is_empty(), "{}", outcome.text);
                let queries = account.asked().into_iter().filter(|asked| asked.action() == "StartQuery");
                for query in queries.filter(|_| argument == "resource_name") {
                    let body: Value = serde_json::from_str(&query.body).unwrap();
                    // As kubectl prints it: `pod/x`.
                    let name = injection.rsplit('/').next().unwrap();
                    assert_looked_for(body["queryString"].as_str().unwrap(), name.trim());
                }
                assert_eq!(harm(&account), None, "{argument} {injection:?}");
            }
        }
    }
}

#[rstest]
#[case::another_host("eu-west-1.evil.com")]
#[case::a_path("eu-west-1/../x")]
#[case::a_user("x@evil.com/")]
#[case::a_fragment("evil.com#")]
#[case::a_port("eu-west-1:8080")]
#[case::a_line("eu-west-1\nHost: evil.com")]
#[case::letters_of_another_script("eu-wеst-1")]
#[case::very_long(&"eu-west-1".repeat(5000))]
#[tokio::test]
async fn what_is_no_region_is_asked_by_nobody(#[case] region: &str) {
    for tool in TOOLS {
        let mut arguments = honest(tool);
        arguments["region"] = region.into();
        assert_refused(tool, arguments, "is not an AWS region").await;
    }
}

#[rstest]
#[case::a_line("arn:aws:iam::111122223333:role/reader\nx")]
#[case::a_user("arn:aws:iam::111122223333:user/reader")]
#[case::no_account("arn:aws:iam::1:role/reader")]
#[case::another_partition("arn:evil:iam::111122223333:role/reader")]
#[case::a_query("arn:aws:iam::111122223333:role/reader&Action=DeleteRole")]
#[case::very_long(&format!("arn:aws:iam::111122223333:role/{}", " x".repeat(20_000)))]
#[tokio::test]
async fn what_is_no_role_is_assumed_by_nobody(#[case] role_arn: &str) {
    for tool in TOOLS.into_iter().filter(|tool| *tool != "set_aws_region") {
        let mut arguments = honest(tool);
        arguments["role_arn"] = role_arn.into();
        assert_refused(tool, arguments, "role_arn must be the ARN of an IAM role").await;
    }
}

/// Arguments with which a tool answers.
fn honest(tool: &str) -> Value {
    match tool {
        "set_aws_region" => json!({ "region": "eu-west-1" }),
        "list_eks_clusters" => json!({}),
        "get_policies_for_role" => json!({ "role_name": "cart" }),
        "add_inline_policy" => {
            json!({ "role_name": "cart", "policy_name": "more", "permissions": statement() })
        }
        "get_cloudwatch_metrics" => json!({ "cluster_name": "prod", "metric_name": "requests" }),
        "manage_eks_stacks" => json!({ "cluster_name": "prod", "operation": "describe" }),
        _ => json!({ "cluster_name": "prod" }),
    }
}

#[tokio::test]
async fn honest_arguments_are_answered() {
    for tool in TOOLS {
        let (outcome, harm) = called(tool, honest(tool)).await;
        assert!(!outcome.is_error && harm.is_none(), "{tool}: {} {harm:?}", outcome.text);
    }
}

#[rstest]
#[case::another_region("arn:aws:eks:us-east-2:111122223333:cluster/prod", "this ARN is of us-east-2")]
#[case::another_partition("arn:aws-cn:eks:cn-north-1:111122223333:cluster/prod", "this ARN is of cn-north-1")]
#[case::a_host("arn:aws:eks:evil.com/:111122223333:cluster/prod", "evil.com")]
#[case::away("arn:aws:eks:eu-west-1:111122223333:cluster/../../x", "name of an EKS cluster")]
#[case::no_cluster("arn:aws:s3:::bucket", "name of an EKS cluster")]
#[case::a_line("prod\r\nx-evil: 1", "name of an EKS cluster")]
#[case::a_path("prod/insights", "name of an EKS cluster")]
#[case::a_query("prod?x=1", "name of an EKS cluster")]
#[tokio::test]
async fn a_cluster_is_named_or_refused(#[case] name: &str, #[case] part: &str) {
    for tool in TOOLS {
        let mut arguments = honest(tool);
        if arguments["cluster_name"].is_string() {
            arguments["cluster_name"] = name.into();
            assert_refused(tool, arguments, part).await;
        }
    }
}

#[rstest]
#[case::other_id("i/../../prod")]
#[case::parent("..")]
#[case::encoded("%2e%2e%2f%2e%2e")]
#[case::query("b?x=1#y")]
#[tokio::test]
async fn the_id_of_an_insight_leads_nowhere_else(#[case] id: &str) {
    assert_refused("get_eks_insights", json!({ "cluster_name": "prod", "insight_id": id }), "has no insight")
        .await;
}

#[rstest]
#[case::of_another_account("arn:aws:iam::999999999999:role/cart/../x y")]
#[case::a_query("cart&Action=DeleteRole")]
#[case::a_line("cart\nx")]
#[case::of_china("arn:aws-cn:sts::111122223333:assumed-role/cart/x")]
#[tokio::test]
async fn a_role_is_named_or_refused(#[case] role: &str) {
    for tool in ["get_policies_for_role", "add_inline_policy"] {
        let mut arguments = honest(tool);
        arguments["role_name"] = role.into();
        assert_refused(tool, arguments, "is not the name of an IAM role").await;
    }
}

#[rstest]
#[case::a_mebibyte(json!({ "Effect": "Allow", "Action": "s3:*", "Resource": "x".repeat(1 << 20) }), "is too long")]
#[case::a_mebibyte_of_text(Value::from("[".repeat(1 << 20)), "no valid JSON")]
#[case::many_statements(Value::from(vec![statement(); 5000]), "is too long")]
#[case::a_long_member(json!({ "x".repeat(1 << 20): 1 }), "unknown member")]
#[case::a_long_action(json!({ "Effect": "Allow", "Action": "x".repeat(1 << 20), "Resource": "*" }), "has Action that is not like")]
#[tokio::test]
async fn a_policy_that_iam_would_not_take_is_not_sent(#[case] permissions: Value, #[case] part: &str) {
    let arguments = json!({ "role_name": "cart", "policy_name": "more", "permissions": permissions });
    assert_refused("add_inline_policy", arguments, part).await;
}

#[rstest]
#[case("../secret.yaml")]
#[case("/etc/passwd")]
#[case("link.yaml")]
#[case("own.yaml/../../secret.yaml")]
#[case("own.yaml\0.txt")]
#[case(".")]
#[case("%2e%2e/secret.yaml")]
#[case("file:///etc/passwd")]
#[tokio::test]
async fn a_template_is_read_from_nowhere_else(#[case] path: &str) {
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("open");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(outside.path().join("secret.yaml"), "tiger-lily").unwrap();
    std::fs::write(folder.join("own.yaml"), "Resources: {}").unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret.yaml"), folder.join("link.yaml")).unwrap();
    let account = account().await;
    let tools = account.tools(Policy { yaml_folder: Some(folder), ..policy() }, None).await;
    let arguments = json!({ "cluster_name": "prod", "operation": "deploy", "template_file": path });
    let outcome = tools.call("manage_eks_stacks", arguments, &caller()).await;
    assert!(outcome.is_error && outcome.text.contains("is not a readable text file"), "{}", outcome.text);
    assert!(faults(&outcome, MAX_BYTES).is_empty(), "{}", outcome.text);
    assert!(account.asked().is_empty());
}

#[rstest]
#[case::made_up("plan-1")]
#[case::long(&"x".repeat(100_000))]
#[case::a_line("a\nb")]
#[tokio::test]
async fn a_token_that_nobody_has_given_approves_nothing(#[case] token: &str) {
    for (tool, operation) in
        [("add_inline_policy", ""), ("manage_eks_stacks", "deploy"), ("manage_eks_stacks", "delete")]
    {
        let mut arguments = honest(tool);
        arguments["plan_token"] = token.into();
        if !operation.is_empty() {
            arguments["operation"] = operation.into();
        }
        assert_refused(tool, arguments, "plan_token").await;
    }
}

#[tokio::test]
async fn the_host_that_is_asked_is_of_the_region_that_was_named() {
    let hosts: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&hosts);
    let aws = StandIn::new(move |asked| {
        seen.lock().unwrap().push(asked.host.clone());
        (400, json!({ "__type": "ValidationException", "message": "no" }).to_string())
    });
    let tools: Registry = aws.tools(crate::tools::shop::shop(), policy());
    let regions =
        ["us-east-2", "us-gov-west-1", "cn-north-1", "xx-evil-1", "eu-west-1.evil.com", "evil.com/eu-west-1"];
    for region in regions {
        for tool in
            ["list_eks_clusters", "get_cloudwatch_logs", "get_cloudwatch_metrics", "manage_eks_stacks"]
        {
            let mut arguments = honest(tool);
            arguments["region"] = region.into();
            tools.call(tool, arguments, &caller()).await;
        }
    }
    let hosts = hosts.lock().unwrap();
    let is_aws = |host: &&String| host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
    let strange: Vec<&String> =
        hosts.iter().filter(|host| !is_aws(host) || host.contains("evil.com")).collect();
    assert!(strange.is_empty() && hosts.len() >= 12, "{hosts:?}");
}
