//! All services that the tools ask, with a secret in each place where people put them.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::account::{Answer, Asked, found, not_found};

/// The tools of an account.
pub const TOOLS: [&str; 9] = [
    "set_aws_region",
    "list_eks_clusters",
    "get_eks_insights",
    "get_eks_vpc_config",
    "get_policies_for_role",
    "add_inline_policy",
    "get_cloudwatch_logs",
    "get_cloudwatch_metrics",
    "manage_eks_stacks",
];

/// One for each place, so that a leak says where it is from.
pub const SECRETS: [(&str, &str); 35] = [
    ("a log", "tiger-lily-2001"),
    ("a URL in a log", "tiger-lily-2002"),
    ("a token in JSON", "tiger-lily-2003"),
    ("passwords in JSON", "tiger-lily-2004"),
    ("a log in a wrapping", "tiger-lily-2005"),
    ("the Secret of an audit event", "tiger-lily-2006"),
    ("an access key", "AKIATIGERLILY2007XYZ"),
    ("a secret key", "tiger/Lily+2008/wJalrXUtnFEMI/K7MDENGxyz"),
    ("a session token", "IQoJb3JpZ2luX2VjEtigerlily2035tigerlily"),
    ("a private key", "MIIEvgIBADANBgkqhkiGtigerlily2009"),
    ("a field of a log", "tiger-lily-2010"),
    ("an output by its name", "tiger-lily-2011"),
    ("a URL in an output", "tiger-lily-2012"),
    ("a parameter", "tiger-lily-2013"),
    ("a NoEcho parameter", "tiger-lily-2014"),
    ("an event of a stack", "tiger-lily-2015"),
    ("the status of a stack", "tiger-lily-2016"),
    ("the id of a resource", "tiger-lily-2017"),
    ("a tag of a role", "tiger-lily-2018"),
    ("the description of a role", "tiger-lily-2019"),
    ("a condition of a policy", "tiger-lily-2020"),
    ("a list in a condition", "tiger-lily-2021"),
    ("the description of a policy", "tiger-lily-2022"),
    ("a trust policy", "tiger-lily-2023"),
    ("the name of an insight", "tiger-lily-2024"),
    ("the reason of an insight", "tiger-lily-2025"),
    ("a recommendation", "tiger-lily-2026"),
    ("a link of an insight", "tiger-lily-2027"),
    ("a client of an insight", "tiger-lily-2028"),
    ("a health issue", "tiger-lily-2029"),
    ("the name of a subnet", "tiger-lily-2030"),
    ("a message of CloudWatch", "tiger-lily-2031"),
    ("a dimension", "tiger-lily-2032"),
    ("a template", "tiger-lily-2033"),
    ("an error of AWS", "tiger-lily-2034"),
];

pub fn secret(place: &str) -> &'static str {
    let found = SECRETS.iter().find(|(name, _)| *name == place);
    found.map(|(_, secret)| *secret).unwrap_or_else(|| panic!("{place}"))
}

/// What the account answers.
pub fn answer(asked: &Asked) -> Answer {
    match asked.action() {
        "" => eks(asked),
        "StartQuery" | "GetQueryResults" | "DescribeLogGroups" => logs(asked),
        "AssumeRole" => query("AssumeRole", ASSUMED),
        "GetMetricData" | "ListMetrics" | "GetMetricStatistics" => metrics(asked),
        action if action.contains("Stack") || action.contains("ChangeSet") || action.contains("Template") => {
            formation(asked)
        }
        action if action.starts_with("Describe") => ec2(action),
        _ => iam(asked),
    }
}

/// An error in the words of whichever protocol was asked.
pub fn refusal(asked: &Asked, code: &str, message: &str) -> Answer {
    let escaped = message.replace('&', "&amp;").replace('<', "&lt;");
    let error = format!("<Error><Code>{code}</Code><Message>{escaped}</Message></Error>");
    match asked.action() {
        "" => (400, json!({ "__type": code, "message": message }).to_string()),
        _ if !asked.target.is_empty() => (400, json!({ "__type": code, "message": message }).to_string()),
        _ if asked.authorization.contains("/ec2/") => {
            (400, format!("<Response><Errors>{error}</Errors></Response>"))
        }
        _ => (400, format!("<ErrorResponse>{error}</ErrorResponse>")),
    }
}

const ASSUMED: &str = "<Credentials><AccessKeyId>ASSUMED</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t\
    </SessionToken><Expiration>2999-01-01T00:00:00Z</Expiration></Credentials>";

fn query(action: &str, content: &str) -> Answer {
    (200, format!("<{action}Response><{action}Result>{content}</{action}Result></{action}Response>"))
}

fn eks(asked: &Asked) -> Answer {
    let url = format!("https://app:{}@docs.example/", secret("a link of an insight"));
    let status = json!({
        "status": "ERROR",
        "reason": format!("the client sent Authorization: Bearer {}", secret("the reason of an insight")),
    });
    let mut insight = json!({
        "id": "b", "name": format!("check token={}", secret("the name of an insight")), "category": "UPGRADE_READINESS",
        "insightStatus": status,
    });
    match asked.line().split('?').next().unwrap_or_default() {
        "GET /clusters" => found(&json!({ "clusters": ["prod"] })),
        "GET /clusters/prod" => found(&json!({ "cluster": cluster() })),
        "POST /clusters/prod/insights" => found(&json!({ "insights": [insight] })),
        "GET /clusters/prod/insights/b" => {
            let agent = format!("curl/8 password={}", secret("a client of an insight"));
            insight["recommendation"] = format!("run with --token {}", secret("a recommendation")).into();
            insight["additionalInfo"] = json!({ "docs": url });
            insight["resources"] = json!([{ "insightStatus": status, "kubernetesResourceUri": url }]);
            insight["categorySpecificSummary"] = json!({
                "deprecationDetails": [{
                    "usage": "/apis/x", "replacedWith": "/apis/y",
                    "clientStats": [{ "userAgent": agent, "numberOfRequestsLast30Days": 3 }],
                }],
                "addonCompatibilityDetails": [{ "name": "cni", "compatibleVersions": ["v1"] }],
            });
            found(&json!({ "insight": insight }))
        }
        _ => not_found("no"),
    }
}

fn cluster() -> Value {
    let message = format!("the webhook answered: bad password={}", secret("a health issue"));
    json!({
        "name": "prod", "arn": "arn:aws:eks:eu-west-1:111122223333:cluster/prod", "status": "ACTIVE", "version": "1.33",
        "resourcesVpcConfig": { "vpcId": "vpc-1", "subnetIds": ["subnet-a"], "clusterSecurityGroupId": "sg-1" },
        "health": { "issues": [{ "code": "Other", "message": message, "resourceIds": ["r-1"] }] },
    })
}

fn logs(asked: &Asked) -> Answer {
    match asked.action() {
        "StartQuery" if asked.body.contains("/prod/host") => {
            (400, json!({ "__type": "ResourceNotFoundException", "message": "no" }).to_string())
        }
        "StartQuery" => found(&json!({ "queryId": "q-1" })),
        "DescribeLogGroups" => found(&json!({ "logGroups": [{ "logGroupName": "/aws/eks/prod/cluster" }] })),
        _ => found(
            &json!({ "status": "Complete", "results": lines(), "statistics": { "recordsMatched": 9.0 } }),
        ),
    }
}

fn lines() -> Vec<Value> {
    let wrapped = json!({
        "log": format!("db.password={}", secret("a log in a wrapping")),
        "kubernetes": { "pod_name": "web-1", "namespace_name": "shop", "container_name": "app" },
    });
    let structured = json!({
        "level": "error", "token": secret("a token in JSON"), "db": { "passwords": [secret("passwords in JSON")] },
    });
    let event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "verb": "update", "objectRef": { "resource": "secrets" },
        "requestObject": { "stringData": { "x": secret("the Secret of an audit event") } },
    });
    let key = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", secret("a private key"));
    let messages = [
        format!("login with password={} failed", secret("a log")),
        format!("connect postgres://app:{}@db:5432/shop: refused", secret("a URL in a log")),
        structured.to_string(),
        wrapped.to_string(),
        event.to_string(),
        format!("using {} with secret_access_key={}", secret("an access key"), secret("a secret key")),
        format!("STS gave {} for an hour", secret("a session token")),
        format!("loaded {key}"),
    ];
    let field = |name: &str, value: &str| json!({ "field": name, "value": value });
    let line = |message: &String| {
        json!([
            field("@timestamp", "2026-01-31 09:00:00.000"),
            field("@message", message),
            field("token", secret("a field of a log")),
        ])
    };
    messages.iter().map(line).collect()
}

fn metrics(asked: &Asked) -> Answer {
    let said = format!("login with password={} failed", secret("a message of CloudWatch"));
    let dimension =
        |name: &str, value: &str| format!("<member><Name>{name}</Name><Value>{value}</Value></member>");
    let url = format!("https://app:{}@shop.example/", secret("a dimension"));
    let dimensions = dimension("ClusterName", "prod") + &dimension("Endpoint", &url);
    let points = match asked.body.contains("Endpoint") {
        true => {
            "<Timestamps><member>2026-01-31T09:00:00Z</member></Timestamps><Values><member>1</member></Values>"
        }
        false => "",
    };
    let content = match asked.action() {
        "GetMetricData" => format!(
            "<MetricDataResults><member><Id>m0</Id><StatusCode>Complete</StatusCode>{points}<Messages><member><Code>x\
             </Code><Value>{said}</Value></member></Messages></member></MetricDataResults>"
        ),
        "ListMetrics" => format!(
            "<Metrics><member><MetricName>requests</MetricName><Dimensions>{dimensions}</Dimensions></member></Metrics>"
        ),
        _ => String::new(),
    };
    query(asked.action(), &content)
}

fn formation(asked: &Asked) -> Answer {
    let action = asked.action();
    let absent = |code: &str, message: &str| refusal(asked, code, message);
    let content = match action {
        "DescribeStacks" if asked.parameter("StackName").contains("prod") => stack(),
        "DescribeStacks" => return absent("ValidationError", "Stack with id x does not exist"),
        "GetTemplateSummary" => {
            "<Parameters><member><ParameterKey>DbPassword</ParameterKey></member><member><ParameterKey>Hidden\
             </ParameterKey><NoEcho>true</NoEcho></member></Parameters>"
                .to_owned()
        }
        "DescribeChangeSet" => change_set(),
        "ListStackResources" => format!("<StackResourceSummaries>{}</StackResourceSummaries>", resource()),
        "DescribeStackEvents" => format!(
            "<StackEvents><member><LogicalResourceId>Hook</LogicalResourceId><ResourceStatus>CREATE_FAILED\
             </ResourceStatus><ResourceStatusReason>refused: token={}</ResourceStatusReason></member></StackEvents>",
            secret("an event of a stack")
        ),
        _ => String::new(),
    };
    query(action, &content)
}

fn stack() -> String {
    let output = |name: &str, value: &str| {
        format!("<member><OutputKey>{name}</OutputKey><OutputValue>{value}</OutputValue></member>")
    };
    let url = format!("postgres://app:{}@db:5432/shop", secret("a URL in an output"));
    let outputs = output("DbSecret", secret("an output by its name")) + &output("Url", &url);
    let parameter = |name: &str, value: &str| {
        format!(
            "<member><ParameterKey>{name}</ParameterKey><ParameterValue>{value}</ParameterValue></member>"
        )
    };
    let parameters = parameter("DbPassword", &format!("two words: {}", secret("a parameter")));
    format!(
        "<Stacks><member><StackId>arn:aws:cloudformation:eu-west-1:111122223333:stack/eks-prod-stack/1</StackId>\
         <StackName>eks-prod-stack</StackName><StackStatus>UPDATE_COMPLETE</StackStatus><StackStatusReason>bad \
         client_secret={}</StackStatusReason><Tags><member><Key>CreatedBy</Key><Value>drydock</Value></member></Tags>\
         <Outputs>{outputs}</Outputs><Parameters>{parameters}</Parameters></member></Stacks>",
        secret("the status of a stack")
    )
}

fn resource() -> String {
    format!(
        "<member><LogicalResourceId>Hook</LogicalResourceId><PhysicalResourceId>https://app:{}@hook.example/\
         </PhysicalResourceId><ResourceType>Custom::Hook</ResourceType><ResourceStatus>UPDATE_FAILED</ResourceStatus>\
         </member>",
        secret("the id of a resource")
    )
}

fn change_set() -> String {
    let change = resource().replace("<member>", "<member><ResourceChange><Action>Modify</Action>");
    let change = change.replace("</member>", "</ResourceChange></member>");
    let parameter = |name: &str, value: &str| {
        format!(
            "<member><ParameterKey>{name}</ParameterKey><ParameterValue>{value}</ParameterValue></member>"
        )
    };
    let parameters = parameter("DbPassword", &format!("two words: {}", secret("a parameter")))
        + &parameter("Hidden", secret("a NoEcho parameter"));
    format!(
        "<ChangeSetId>set-1</ChangeSetId><StackId>arn:aws:cloudformation:eu-west-1:111122223333:stack/eks-prod-stack/1\
         </StackId><Status>CREATE_COMPLETE</Status><ExecutionStatus>AVAILABLE</ExecutionStatus><Parameters>{parameters}\
         </Parameters><Changes>{change}</Changes>"
    )
}

fn ec2(action: &str) -> Answer {
    let tag = |key: &str, value: &str| format!("<item><key>{key}</key><value>{value}</value></item>");
    let name = format!("db password={}", secret("the name of a subnet"));
    let (list, item) = match action {
        "DescribeVpcs" => ("vpcSet", "<vpcId>vpc-1</vpcId><cidrBlock>10.0.0.0/16</cidrBlock>".to_owned()),
        "DescribeSubnets" => {
            let tags = tag("Name", &name) + &tag("kubernetes.io/api-token", &name);
            ("subnetSet", format!("<subnetId>subnet-a</subnetId><tagSet>{tags}</tagSet>"))
        }
        "DescribeSecurityGroups" => {
            ("securityGroupInfo", format!("<groupId>sg-1</groupId><groupName>{name}</groupName>"))
        }
        "DescribeRouteTables" => ("routeTableSet", format!("<tagSet>{}</tagSet>", tag("Name", &name))),
        _ => ("none", String::new()),
    };
    (200, format!("<Response><{list}><item>{item}</item></{list}></Response>"))
}

fn encoded(document: &Value) -> String {
    utf8_percent_encode(&document.to_string(), NON_ALPHANUMERIC).to_string()
}

/// A statement with a token where a statement may have one.
pub fn statement() -> Value {
    json!({
        "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*",
        "Condition": { "StringEquals": {
            "aws:RequestTag/api-token": secret("a condition of a policy"),
            "aws:ResourceTag/password": [secret("a list in a condition")],
        } },
    })
}

fn iam(asked: &Asked) -> Answer {
    let document = encoded(&json!({ "Version": "2012-10-17", "Statement": [statement()] }));
    let content = match asked.action() {
        "GetRole" if asked.parameter("RoleName") == "cart" => role(),
        "ListAttachedRolePolicies" => "<AttachedPolicies><member><PolicyName>P</PolicyName><PolicyArn>\
            arn:aws:iam::111122223333:policy/P</PolicyArn></member></AttachedPolicies>"
            .to_owned(),
        "GetPolicy" => format!(
            "<Policy><DefaultVersionId>v1</DefaultVersionId><Description>for password={}</Description></Policy>",
            secret("the description of a policy")
        ),
        "GetPolicyVersion" => format!("<PolicyVersion><Document>{document}</Document></PolicyVersion>"),
        "ListRolePolicies" => "<PolicyNames><member>logs</member></PolicyNames>".to_owned(),
        "GetRolePolicy" if asked.parameter("PolicyName") == "logs" => format!(
            "<RoleName>cart</RoleName><PolicyName>logs</PolicyName><PolicyDocument>{document}</PolicyDocument>"
        ),
        "PutRolePolicy" => String::new(),
        _ => return refusal(asked, "NoSuchEntity", "not found"),
    };
    query(asked.action(), &content)
}

fn role() -> String {
    let trust = json!({ "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "AWS": "arn:aws:iam::111122223333:root" },
        "Condition": { "StringEquals": { "aws:PrincipalTag/authToken": [secret("a trust policy")] } },
    }] });
    format!(
        "<Role><Path>/</Path><RoleName>cart</RoleName><RoleId>AROA1</RoleId><Arn>arn:aws:iam::111122223333:role/cart\
         </Arn><CreateDate>2026-07-01T12:00:00Z</CreateDate><Description>logs in with password={}</Description><Tags>\
         <member><Key>token</Key><Value>{}</Value></member></Tags><AssumeRolePolicyDocument>{}\
         </AssumeRolePolicyDocument></Role>",
        secret("the description of a role"),
        secret("a tag of a role"),
        encoded(&trust)
    )
}
