//! Stacks of clusters: shown before they are made or deleted, only ours, and what was shown is what is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use drydock::tools::{CallContext, Policy, Registry, Session, ToolOutcome, Toolbox};
use rstest::rstest;
use serde_json::{Value, json};

use super::shop::shop;
use crate::support::aws::{Asked, StandIn, call};

const TOOL: &str = "manage_eks_stacks";
const STACK: &str = "arn:aws:cloudformation:eu-west-1:111122223333:stack/eks-prod-stack/1";
const OURS: &str = "<Tags><member><Key>CreatedBy</Key><Value>drydock</Value></member></Tags>";
const FOREIGN: &str = "<Tags><member><Key>CreatedBy</Key><Value>someone</Value></member></Tags>";

/// CloudFormation with perhaps one stack.
#[derive(Clone)]
struct Formation {
    /// Status, and tags.
    stack: Option<(&'static str, &'static str)>,
    /// More members of the stack.
    more: &'static str,
    /// What DescribeChangeSet says of a set that is there, and why.
    set: (&'static str, &'static str),
    /// Looks until a set is ready.
    looks: usize,
    /// Whether it is there already.
    set_is_there: Arc<AtomicBool>,
    looked: Arc<AtomicUsize>,
    changes: &'static str,
}

const CHANGES: &str = "<member><ResourceChange><Action>Modify</Action><LogicalResourceId>NodeGroup</LogicalResourceId>\
    <PhysicalResourceId>ng-1</PhysicalResourceId><ResourceType>AWS::EKS::Nodegroup</ResourceType>\
    <Replacement>True</Replacement><Details><member><Target><Name>InstanceTypes</Name></Target></member></Details>\
    </ResourceChange></member><member><ResourceChange><Action>Add</Action><LogicalResourceId>Vpc</LogicalResourceId>\
    <ResourceType>AWS::EC2::VPC</ResourceType></ResourceChange></member>";
const RESOURCES: &str = "<member><LogicalResourceId>Vpc</LogicalResourceId><PhysicalResourceId>vpc-1</PhysicalResourceId>\
    <ResourceType>AWS::EC2::VPC</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus></member>\
    <member><LogicalResourceId>Cluster</LogicalResourceId><PhysicalResourceId>prod</PhysicalResourceId>\
    <ResourceType>AWS::EKS::Cluster</ResourceType><ResourceStatus>CREATE_FAILED</ResourceStatus></member>";
const EVENTS: &str = "<member><LogicalResourceId>Cluster</LogicalResourceId><ResourceType>AWS::EKS::Cluster</ResourceType>\
    <ResourceStatus>CREATE_FAILED</ResourceStatus><ResourceStatusReason>no capacity in eu-west-1c; token=\
    tiger-lily-4711</ResourceStatusReason><Timestamp>2026-01-31T09:00:00Z</Timestamp></member>\
    <member><LogicalResourceId>NodeRole</LogicalResourceId><ResourceStatus>CREATE_FAILED</ResourceStatus>\
    <ResourceStatusReason>Resource creation cancelled</ResourceStatusReason></member>\
    <member><LogicalResourceId>Vpc</LogicalResourceId><ResourceStatus>CREATE_COMPLETE</ResourceStatus></member>";

impl Formation {
    fn new(stack: Option<(&'static str, &'static str)>) -> Self {
        Self {
            stack,
            more: "",
            set: ("CREATE_COMPLETE", ""),
            looks: 1,
            set_is_there: Arc::default(),
            looked: Arc::default(),
            changes: CHANGES,
        }
    }

    fn stand_in(&self) -> StandIn {
        let formation = self.clone();
        StandIn::new(move |asked| match formation.answer(asked) {
            Ok(result) => {
                let action = &asked.action;
                (
                    200,
                    format!("<{action}Response><{action}Result>{result}</{action}Result></{action}Response>"),
                )
            }
            Err((code, message)) => {
                let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
                (400, format!("<ErrorResponse>{error}</ErrorResponse>"))
            }
        })
    }

    fn answer(&self, asked: &Asked) -> Result<String, (&'static str, &'static str)> {
        Ok(match asked.action.as_str() {
            "DescribeStacks" => {
                let (status, tags) = self.stack.ok_or(("ValidationError", "Stack with id x does not exist"))?;
                let id = format!("<StackId>{STACK}</StackId><StackName>eks-prod-stack</StackName>");
                let stack = format!("{id}<StackStatus>{status}</StackStatus>{tags}{}", self.more);
                format!("<Stacks><member>{stack}</member></Stacks>")
            }
            "GetTemplateSummary" if asked.parameter("TemplateBody").unwrap().contains("broken") => {
                return Err(("ValidationError", "Template format error"));
            }
            "GetTemplateSummary" => "<Parameters><member><ParameterKey>ClusterName</ParameterKey></member><member>\
                <ParameterKey>NodeMinimum</ParameterKey></member><member><ParameterKey>Key</ParameterKey><NoEcho>true\
                </NoEcho></member></Parameters><Capabilities><member>CAPABILITY_IAM</member></Capabilities>"
                .to_owned(),
            "DescribeChangeSet" if !self.set_is_there.load(Ordering::Relaxed) => {
                return Err(("ChangeSetNotFound", "no"));
            }
            "DescribeChangeSet" => self.change_set(asked),
            "CreateChangeSet" => {
                self.set_is_there.store(true, Ordering::Relaxed);
                String::new()
            }
            "DeleteChangeSet" => {
                self.set_is_there.store(false, Ordering::Relaxed);
                String::new()
            }
            "ListStackResources" if self.stack.is_some_and(|(status, _)| status == "DELETE_FAILED") => {
                return Err(("AccessDenied", "no"));
            }
            "ListStackResources" => format!("<StackResourceSummaries>{RESOURCES}</StackResourceSummaries>"),
            "DescribeStackEvents" => format!("<StackEvents>{EVENTS}</StackEvents>"),
            "ListChangeSets" => {
                "<Summaries><member><ChangeSetName>by-hand</ChangeSetName></member></Summaries>".to_owned()
            }
            "ExecuteChangeSet" | "DeleteStack" => String::new(),
            other => panic!("{other} is not expected"),
        })
    }

    fn change_set(&self, asked: &Asked) -> String {
        let look = self.looked.fetch_add(1, Ordering::Relaxed) + 1;
        let (status, reason) = if look < self.looks { ("CREATE_IN_PROGRESS", "") } else { self.set };
        let name = asked.parameter("ChangeSetName").unwrap();
        let parameters = "<member><ParameterKey>ClusterName</ParameterKey><ParameterValue>prod</ParameterValue></member>\
            <member><ParameterKey>Key</ParameterKey><ParameterValue>tiger-lily-4711</ParameterValue></member>";
        format!(
            "<ChangeSetId>id-of-{name}</ChangeSetId><StackId>{STACK}</StackId><Status>{status}</Status>\
             <StatusReason>{reason}</StatusReason><ExecutionStatus>AVAILABLE</ExecutionStatus>\
             <Parameters>{parameters}</Parameters><Changes>{}</Changes>",
            self.changes
        )
    }
}

fn writing() -> Policy {
    Policy { allow_write: true, ..Policy::default() }
}

fn arguments(operation: &str) -> Value {
    json!({ "operation": operation, "cluster_name": "prod" })
}

/// Calls twice: shows the plan, then has it done.
async fn shown_and_done(tools: &Registry, mut arguments: Value) -> (ToolOutcome, ToolOutcome) {
    let shown = call(tools, TOOL, arguments.clone()).await;
    let pending = shown.pending.as_ref().unwrap_or_else(|| panic!("{}", shown.text));
    arguments["plan_token"] = pending.plan_token.as_str().into();
    let done = call(tools, TOOL, arguments).await;
    (shown, done)
}

async fn refused(formation: &Formation, arguments: Value) -> (String, StandIn) {
    let aws = formation.stand_in();
    let outcome = call(&aws.tools(shop(), writing()), TOOL, arguments).await;
    assert!(outcome.is_error && outcome.pending.is_none(), "{}", outcome.text);
    (outcome.text, aws)
}

#[tokio::test]
async fn a_template_is_given_to_who_may_only_read_and_no_file_is_written() {
    let aws = StandIn::new(|asked| panic!("{asked:?}"));
    let caller = CallContext::new(Session::new("alice", false), 1 << 20);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("eks.yaml");
    let mut arguments = arguments("generate");
    arguments["template_file"] = file.to_str().unwrap().into();
    let outcome = aws.tools(shop(), Policy::default()).call(TOOL, arguments, &caller).await;
    assert!(outcome.text.starts_with("# No file was written"), "{}", outcome.text);
    let template = outcome.structured["template"].as_str().unwrap();
    assert!(template.contains("Default: \"prod\"") && template.contains("AWS::EKS::Nodegroup"), "{template}");
    assert!(!file.exists());
}

#[rstest]
#[case("deploy")]
#[case("delete")]
#[tokio::test]
async fn who_may_only_read_changes_nothing(#[case] operation: &str) {
    let aws = StandIn::new(|asked| panic!("{asked:?}"));
    let outcome = call(&aws.tools(shop(), Policy::default()), TOOL, arguments(operation)).await;
    assert!(outcome.is_error && outcome.text.contains("--allow-write"), "{}", outcome.text);
}

#[tokio::test(start_paused = true)]
async fn a_new_stack_is_shown_as_a_change_set_and_exactly_that_is_executed() {
    let formation = Formation { looks: 4, ..Formation::new(None) };
    let aws = formation.stand_in();
    let tools = aws.tools(shop(), writing());
    let mut arguments = arguments("deploy");
    arguments["parameters"] = json!({ "NodeMinimum": "3" });
    let (shown, done) = shown_and_done(&tools, arguments).await;
    assert!(!done.is_error, "{}", done.text);
    let created = &aws.asked("CreateChangeSet")[0];
    let sent = |name: &str| created.parameter(name).unwrap_or_default();
    assert_eq!((sent("StackName").as_str(), sent("ChangeSetType").as_str()), ("eks-prod-stack", "CREATE"));
    assert_eq!(
        (sent("Tags.member.1.Key"), sent("Tags.member.1.Value")),
        ("CreatedBy".into(), "drydock".into())
    );
    assert_eq!(sent("Capabilities.member.1"), "CAPABILITY_IAM");
    assert_eq!(
        (sent("Parameters.member.1.ParameterValue"), sent("Parameters.member.2.ParameterValue")),
        ("prod".into(), "3".into())
    );
    let question = "create the stack eks-prod-stack (2 resources change, 1 of them go or are replaced) on account \
        111122223333, eu-west-1?";
    assert_eq!(shown.pending.unwrap().question, question);
    let parts =
        ["ClusterName=prod\n", "Key=***\n", "CAPABILITY_IAM", "REPLACED: InstanceTypes", "AWS::EC2::VPC"];
    for part in parts {
        assert!(shown.text.contains(part), "{part}: {}", shown.text);
    }
    assert!(!shown.text.contains("tiger-lily"), "{}", shown.text);
    let executed = aws.asked("ExecuteChangeSet");
    assert_eq!(executed.len(), 1);
    assert_eq!(executed[0].parameter("ChangeSetName"), Some(format!("id-of-{}", sent("ChangeSetName"))));
}

#[tokio::test]
async fn the_second_call_finds_the_change_set_of_the_first() {
    let formation = Formation {
        more: "<Parameters><member><ParameterKey>NodeMinimum</ParameterKey></member></Parameters>",
        ..Formation::new(Some(("CREATE_COMPLETE", OURS)))
    };
    let aws = formation.stand_in();
    let (shown, done) = shown_and_done(&aws.tools(shop(), writing()), arguments("deploy")).await;
    assert!(shown.text.contains("Plan: change the stack"), "{}", shown.text);
    assert!(done.text.contains("is being changed"), "{}", done.text);
    let created = aws.asked("CreateChangeSet");
    assert_eq!(created.len(), 1);
    assert_eq!(created[0].parameter("ChangeSetType").as_deref(), Some("UPDATE"));
    assert_eq!(created[0].parameter("Parameters.member.2.UsePreviousValue").as_deref(), Some("true"));
}

#[tokio::test]
async fn a_plan_of_one_template_is_none_of_another() {
    let aws = Formation::new(Some(("CREATE_COMPLETE", OURS))).stand_in();
    let tools = aws.tools(shop(), writing());
    let pending = call(&tools, TOOL, arguments("deploy")).await.pending.unwrap();
    let mut other = arguments("deploy");
    other["template"] = "Resources: {}".into();
    other["plan_token"] = pending.plan_token.into();
    let outcome = call(&tools, TOOL, other).await;
    assert!(outcome.is_error && outcome.text.contains("does not fit"), "{}", outcome.text);
    assert!(aws.asked("ExecuteChangeSet").is_empty());
}

#[tokio::test]
async fn a_change_set_without_changes_is_told_and_taken_away() {
    let set = ("FAILED", "The submitted information didn't contain changes. Submit different information");
    let aws = Formation { set, ..Formation::new(Some(("UPDATE_COMPLETE", OURS))) }.stand_in();
    let outcome = call(&aws.tools(shop(), writing()), TOOL, arguments("deploy")).await;
    assert!(!outcome.is_error && outcome.text.starts_with("Nothing changes"), "{}", outcome.text);
    assert_eq!(aws.asked("DeleteChangeSet").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_change_set_that_takes_long_is_found_by_the_next_call() {
    let formation = Formation { looks: usize::MAX, ..Formation::new(None) };
    let (text, aws) = refused(&formation, arguments("deploy")).await;
    assert!(text.contains("call again with the same arguments"), "{text}");
    assert!(aws.asked("ExecuteChangeSet").is_empty());
}

#[rstest]
#[case::deploy("deploy", Some(("CREATE_COMPLETE", FOREIGN)), "was not made by this tool")]
#[case::delete("delete", Some(("CREATE_COMPLETE", FOREIGN)), "was not made by this tool")]
#[case::opened_by_hand("delete", Some(("REVIEW_IN_PROGRESS", "")), "was not made by this tool")]
#[case::busy("deploy", Some(("UPDATE_IN_PROGRESS", OURS)), "wait until describe says")]
#[case::rolled_back("deploy", Some(("ROLLBACK_COMPLETE", OURS)), "delete it first")]
#[case::none("delete", None, "there is no stack eks-prod-stack in eu-west-1")]
#[case::none_to_describe("describe", None, "there is no stack eks-prod-stack in eu-west-1")]
#[tokio::test]
async fn what_may_not_be_changed_is_not(
    #[case] operation: &str,
    #[case] stack: Option<(&'static str, &'static str)>,
    #[case] part: &str,
) {
    let (text, aws) = refused(&Formation::new(stack), arguments(operation)).await;
    assert!(text.contains(part), "{text}");
    for action in ["CreateChangeSet", "ExecuteChangeSet", "DeleteStack"] {
        assert!(aws.asked(action).is_empty(), "{action}");
    }
}

#[rstest]
#[case(json!({ "template_file": "/etc/passwd" }), "this server reads no files")]
#[case(json!({ "template": "broken" }), "Template format error")]
#[case(json!({ "template": "x".repeat(60_000) }), "has 60000 bytes")]
#[case(json!({ "parameters": { "Color": "red" } }), "has no parameter \"Color\"; it has ClusterName, NodeMinimum, Key")]
#[case(json!({ "cluster_name": "my_cluster" }), "cannot be part of a stack's name")]
#[tokio::test]
async fn what_cannot_be_deployed_says_why(#[case] more: Value, #[case] part: &str) {
    let mut arguments = arguments("deploy");
    for (name, value) in more.as_object().unwrap() {
        arguments[name] = value.clone();
    }
    let (text, aws) = refused(&Formation::new(None), arguments).await;
    assert!(text.contains(part), "{text}");
    assert!(aws.asked("CreateChangeSet").is_empty());
}

#[tokio::test]
async fn a_stack_that_goes_is_shown_with_all_that_goes() {
    let aws = Formation::new(Some(("CREATE_COMPLETE", OURS))).stand_in();
    let (shown, done) = shown_and_done(&aws.tools(shop(), writing()), arguments("delete")).await;
    let parts = [
        "delete the stack eks-prod-stack and the cluster prod with it",
        "AWS::EKS::Cluster",
        "vpc-1",
        "LoadBalancer",
    ];
    for part in parts {
        assert!(shown.text.contains(part), "{part}: {}", shown.text);
    }
    assert!(!done.is_error, "{}", done.text);
    let deleted = aws.asked("DeleteStack");
    assert_eq!(deleted.len(), 1);
    assert_eq!(deleted[0].parameter("StackName").as_deref(), Some(STACK));
}

#[tokio::test]
async fn a_protected_stack_is_not_deleted() {
    let more = "<EnableTerminationProtection>true</EnableTerminationProtection>";
    let formation = Formation { more, ..Formation::new(Some(("CREATE_COMPLETE", OURS))) };
    let (text, aws) = refused(&formation, arguments("delete")).await;
    assert!(text.contains("is protected against its deletion"), "{text}");
    assert!(aws.asked("DeleteStack").is_empty());
}

#[tokio::test]
async fn a_stack_is_described_with_what_failed_first() {
    let more = "<StackStatusReason>The following resource(s) failed</StackStatusReason><Outputs><member><OutputKey>VpcId\
        </OutputKey><OutputValue>vpc-1</OutputValue></member><member><OutputKey>AdminPassword</OutputKey><OutputValue>\
        tiger-lily-4711</OutputValue></member></Outputs>";
    let aws = Formation { more, ..Formation::new(Some(("ROLLBACK_COMPLETE", FOREIGN))) }.stand_in();
    let outcome = call(&aws.tools(shop(), Policy::default()), TOOL, arguments("describe")).await;
    let text = &outcome.text;
    let parts = [
        "Stack eks-prod-stack in eu-west-1: ROLLBACK_COMPLETE (The following resource(s) failed)",
        "Not made by this tool",
        "no capacity in eu-west-1c",
        "VpcId",
        "1 resource is complete",
        "Cluster    AWS::EKS::Cluster   CREATE_FAILED",
    ];
    for part in parts {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("cancelled") && !text.contains("tiger-lily"), "{text}");
    assert!(!outcome.structured.to_string().contains("tiger-lily"), "{}", outcome.structured);
    assert_eq!(outcome.structured["madeHere"], false);
    assert_eq!(outcome.structured["failures"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_may_not_be_read_of_a_stack_leaves_the_rest() {
    let aws = Formation::new(Some(("DELETE_FAILED", OURS))).stand_in();
    let outcome = call(&aws.tools(shop(), Policy::default()), TOOL, arguments("describe")).await;
    assert!(!outcome.is_error && outcome.text.contains("no capacity in eu-west-1c"), "{}", outcome.text);
    assert!(
        outcome.text.contains("# Not read: the AWS identity of this server may not do"),
        "{}",
        outcome.text
    );
}
