//! `get_policies_for_role` and `add_inline_policy`.

use drydock::tools::{Approval, Policy};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::account::{Account, Answer, Asked, call};

const ISSUER: &str = "oidc.eks.eu-west-1.amazonaws.com/id/ABC";

fn encoded(document: &Value) -> String {
    utf8_percent_encode(&document.to_string(), NON_ALPHANUMERIC).to_string()
}

fn result(action: &str, content: &str) -> Answer {
    (200, format!("<{action}Response><{action}Result>{content}</{action}Result></{action}Response>"))
}

fn no_such_entity() -> Answer {
    let error = "<Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>not found</Message></Error>";
    (404, format!("<ErrorResponse>{error}</ErrorResponse>"))
}

fn role() -> String {
    let trust = json!({ "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": { "Federated": format!("arn:aws:iam::111122223333:oidc-provider/{ISSUER}") },
        "Condition": { "StringEquals": {
            (format!("{ISSUER}:sub")): "system:serviceaccount:shop:cart", (format!("{ISSUER}:aud")): "sts.amazonaws.com",
        } },
    }] });
    format!(
        "<Role><Path>/</Path><RoleName>cart</RoleName><RoleId>AROA1</RoleId>\
         <Arn>arn:aws:iam::111122223333:role/cart</Arn><CreateDate>2026-07-01T12:00:00Z</CreateDate>\
         <AssumeRolePolicyDocument>{}</AssumeRolePolicyDocument><PermissionsBoundary><PermissionsBoundaryType>Policy\
         </PermissionsBoundaryType><PermissionsBoundaryArn>arn:aws:iam::111122223333:policy/bounds</PermissionsBoundaryArn>\
         </PermissionsBoundary></Role>",
        encoded(&trust)
    )
}

fn statement(action: &str) -> Value {
    json!({ "Effect": "Allow", "Action": action, "Resource": "*" })
}

/// A role with two managed policies on two pages, of which one may not be read, and one inline policy.
fn iam(asked: &Asked) -> Answer {
    let attached = |name: &str| {
        format!(
            "<member><PolicyName>{name}</PolicyName><PolicyArn>arn:aws:iam::aws:policy/{name}</PolicyArn></member>"
        )
    };
    match asked.action() {
        "GetRole" if asked.parameter("RoleName") == "cart" => result("GetRole", &role()),
        "ListAttachedRolePolicies" => {
            let (name, more) = match asked.parameter("Marker").is_empty() {
                true => ("First", "<IsTruncated>true</IsTruncated><Marker>two</Marker>"),
                false => ("Hidden", "<IsTruncated>false</IsTruncated>"),
            };
            let list = format!("<AttachedPolicies>{}</AttachedPolicies>{more}", attached(name));
            result("ListAttachedRolePolicies", &list)
        }
        "GetPolicy" if asked.parameter("PolicyArn").ends_with("/Hidden") => {
            let error = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
            (403, format!("<ErrorResponse>{error}</ErrorResponse>"))
        }
        "GetPolicy" => result("GetPolicy", "<Policy><DefaultVersionId>v3</DefaultVersionId></Policy>"),
        "GetPolicyVersion" => {
            let document = encoded(&json!({ "Statement": [statement("s3:GetObject")] }));
            let version = asked.parameter("VersionId");
            assert_eq!(version, "v3");
            let version = format!("<PolicyVersion><Document>{document}</Document></PolicyVersion>");
            result("GetPolicyVersion", &version)
        }
        "ListRolePolicies" => {
            let list = "<PolicyNames><member>logs</member></PolicyNames><IsTruncated>false</IsTruncated>";
            result("ListRolePolicies", list)
        }
        "GetRolePolicy" if asked.parameter("PolicyName") == "logs" => {
            let document = json!({ "Version": "2012-10-17", "Statement": [statement("logs:PutLogEvents")] });
            let document = format!("<PolicyDocument>{}</PolicyDocument>", encoded(&document));
            let names = "<RoleName>cart</RoleName><PolicyName>logs</PolicyName>";
            result("GetRolePolicy", &format!("{names}{document}"))
        }
        "PutRolePolicy" => (200, "<PutRolePolicyResponse/>".to_owned()),
        _ => no_such_entity(),
    }
}

#[tokio::test]
async fn a_role_is_shown_with_its_policies_and_who_may_assume_it() {
    let given = json!({ "role_name": "arn:aws:iam::111122223333:role/cart" });
    let outcome = Account::start(iam).await.call("get_policies_for_role", given).await;
    insta::assert_snapshot!(outcome.text, @"
    Role arn:aws:iam::111122223333:role/cart
    created 2026-07-01T12:00:00Z, last used not known

    May assume it
    - the service account shop/cart of the cluster with issuer oidc.eks.eu-west-1.amazonaws.com/id/ABC

    Permissions boundary: no more than this is allowed, whatever the policies say
    arn:aws:iam::111122223333:policy/bounds
      Allow s3:GetObject on *

    Managed policies: 2
    arn:aws:iam::aws:policy/First
      Allow s3:GetObject on *
    arn:aws:iam::aws:policy/Hidden
      the AWS identity of this server may not do iam:GetPolicy: allow iam:GetPolicy in its IAM policy, or pass a role_arn that may. AWS says: no

    Inline policies: 1
    logs
      Allow logs:PutLogEvents on *
    ");
    assert_eq!(outcome.structured["managedPolicies"][0]["name"], "First");
    assert_eq!(
        outcome.structured["inlinePolicies"][0]["document"]["Statement"][0]["Action"],
        "logs:PutLogEvents"
    );
}

#[tokio::test]
async fn a_role_that_is_not_there_says_where_names_are() {
    let outcome = Account::start(iam).await.call("get_policies_for_role", json!({ "role_name": "x" })).await;
    assert!(outcome.is_error && outcome.text.contains("eks.amazonaws.com/role-arn"), "{}", outcome.text);
}

fn writing() -> Policy {
    Policy { allow_write: true, ..Policy::reads_all() }
}

fn adding(policy_name: &str, action: &str) -> Value {
    json!({ "policy_name": policy_name, "role_name": "cart", "permissions": statement(action) })
}

const TOOL: &str = "add_inline_policy";

#[tokio::test]
async fn a_policy_is_shown_first_and_added_by_the_second_call() {
    let account = Account::start(iam).await;
    let tools = account.tools(writing(), None).await;
    let mut given = adding("more", "sts:AssumeRole");
    let shown = call(&tools, TOOL, given.clone()).await;
    let pending = shown.pending.unwrap_or_else(|| panic!("{}", shown.text));
    let asks = "add the inline policy more to the role cart on arn:aws:iam::111122223333:role/cart?";
    assert_eq!(pending.question, asks);
    assert!(shown.text.contains("+      \"Action\": \"sts:AssumeRole\""), "{}", shown.text);
    assert!(shown.text.contains("can give themselves any right"), "{}", shown.text);
    assert_eq!(account.count("PutRolePolicy"), 0);
    given["plan_token"] = pending.plan_token.into();
    let done = call(&tools, TOOL, given).await;
    assert!(!done.is_error && done.text.contains("was added"), "{}", done.text);
    let asked = account.asked();
    let put = asked.iter().find(|asked| asked.action() == "PutRolePolicy").unwrap();
    let document: Value = serde_json::from_str(&put.parameter("PolicyDocument")).unwrap();
    assert_eq!(document, json!({ "Version": "2012-10-17", "Statement": [statement("sts:AssumeRole")] }));
}

#[tokio::test]
async fn a_plan_is_of_exactly_these_permissions() {
    let account = Account::start(iam).await;
    let tools = account.tools(writing(), None).await;
    let shown = call(&tools, TOOL, adding("more", "s3:GetObject")).await;
    let mut other = adding("more", "s3:*");
    other["plan_token"] = shown.pending.map(|pending| pending.plan_token).into();
    let refused = call(&tools, TOOL, other).await;
    assert!(refused.is_error && refused.text.contains("does not fit"), "{}", refused.text);
    assert_eq!(account.count("PutRolePolicy"), 0);
}

#[tokio::test]
async fn a_policy_that_is_there_is_never_changed() {
    let account = Account::start(iam).await;
    let tools = account.tools(Policy { approval: Approval::None, ..writing() }, None).await;
    let other = call(&tools, TOOL, adding("logs", "logs:*")).await;
    assert!(other.is_error && other.text.contains("this tool changes none"), "{}", other.text);
    let same = call(&tools, TOOL, adding("logs", "logs:PutLogEvents")).await;
    assert!(!same.is_error && same.text.contains("nothing was done"), "{}", same.text);
    assert_eq!(account.count("PutRolePolicy"), 0);
}

#[tokio::test]
async fn without_write_access_nothing_is_even_asked() {
    let account = Account::start(iam).await;
    let outcome = account.call(TOOL, adding("more", "s3:GetObject")).await;
    assert!(outcome.is_error && outcome.text.contains("--allow-write"), "{}", outcome.text);
    assert_eq!(account.asked().len(), 0);
}

#[tokio::test]
async fn what_iam_refuses_is_told_with_the_next_step() {
    let account = Account::start(|asked| match asked.action() {
        "PutRolePolicy" => {
            let error = "<Error><Code>AccessDenied</Code><Message>not authorized</Message></Error>";
            (403, format!("<ErrorResponse>{error}</ErrorResponse>"))
        }
        _ => iam(asked),
    });
    let account = account.await;
    let tools = account.tools(Policy { approval: Approval::None, ..writing() }, None).await;
    let refused = call(&tools, TOOL, adding("more", "s3:GetObject")).await;
    assert!(refused.is_error && refused.text.contains("allow iam:PutRolePolicy"), "{}", refused.text);
}
