//! `manage_eks_stacks`: a cluster with its network and nodes as one CloudFormation stack.

mod delete;
mod deploy;
mod stack;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::eks::cluster_name;
use super::{Annotations, AwsContext, Tool, ToolError, ToolOutcome};
use deploy::{Wanted, deploy};
use stack::ClusterStack;

/// The template, with `CLUSTER` for the name of the cluster.
const TEMPLATE: &str = include_str!("manage_eks_stacks/eks.yaml");

pub(super) struct ManageEksStacks;

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Operation {
    Generate,
    Deploy,
    Describe,
    Delete,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// `generate` gives a template, `deploy` makes or changes the stack, `describe` tells its status, outputs and failures,
    /// `delete` deletes it
    operation: Operation,
    /// Name of the cluster; its stack is `eks-NAME-stack`
    cluster_name: String,
    /// For deploy: the text of a CloudFormation template; the one of `generate` where left out
    template: Option<String>,
    /// Not used: this server reads and writes no templates on its own disk; see `template`
    template_file: Option<String>,
    /// For deploy: values of the template's parameters, such as `{"NodeInstanceType": "m6i.xlarge"}`; what is left out
    /// stays as it is
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    /// Has the plan done that a first call with the same arguments has shown
    plan_token: Option<String>,
}

impl Tool for ManageEksStacks {
    const NAME: &'static str = "manage_eks_stacks";
    const TITLE: &'static str = "Make or delete an EKS cluster as a stack";
    const DESCRIPTION: &'static str = "An EKS cluster with its own network, NAT gateways and a managed node group as one CloudFormation stack: gives the \
         template, deploys it, describes or deletes the stack. Only stacks that it has made are changed or deleted. deploy \
         and delete first answer with what would change and a plan_token; the second call with it acts. A plan of deploy \
         waits in CloudFormation as a change set.";
    const ANNOTATIONS: Annotations = Annotations::DESTROYS;
    const READ_OPERATIONS: &'static [&'static str] = &["generate", "describe"];
    type Input = Input;
    type Output = Value;
    type Context = AwsContext;

    async fn run(&self, input: Input, cx: &AwsContext) -> Result<ToolOutcome, ToolError> {
        let cluster = cluster_name(&input.cluster_name)?;
        let at = ClusterStack::of(cx, cluster)?;
        let token = input.plan_token.as_deref();
        match input.operation {
            Operation::Generate => Ok(generate(&at, input.template_file.is_some())),
            Operation::Describe => at.describe().await,
            Operation::Delete => delete::delete(cx, &at, token).await,
            Operation::Deploy => {
                let template = match (input.template, input.template_file) {
                    (Some(template), _) => template,
                    (None, None) => template(cluster),
                    (None, Some(_)) => {
                        return Err(ToolError::Refused(
                            "template_file is not allowed here: this server reads no files; pass the text of the file as \
                             template, or nothing for the template of generate"
                                .to_owned(),
                        ));
                    }
                };
                let wanted = Wanted { template: &template, parameters: &input.parameters };
                deploy(cx, &at, wanted, token).await
            }
        }
    }
}

fn template(cluster: &str) -> String {
    TEMPLATE.replace("Default: CLUSTER", &format!("Default: \"{cluster}\""))
}

fn generate(at: &ClusterStack<'_>, file: bool) -> ToolOutcome {
    let template = template(at.cluster);
    let note = match file {
        true => "No file was written (template_file is not used): give this text to deploy as template.",
        false => {
            "Give this text to deploy as template, changed or not; without template deploy takes it as it is."
        }
    };
    let text = format!("# {note}\n{template}");
    let structured = json!({
        "operation": "generate", "clusterName": at.cluster, "stackName": at.name, "template": template, "note": note,
    });
    ToolOutcome::new(structured, text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    fn parsed() -> Value {
        serde_saphyr::from_str(&template("prod")).unwrap()
    }

    /// The template's tags of YAML (`!Ref x`) are texts and lists to a reader that does not know them.
    fn words(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::String(text) => {
                found.extend(text.split(['.', ' ', '$', '{', '}']).map(str::to_owned));
            }
            Value::Array(items) => items.iter().for_each(|item| words(item, found)),
            Value::Object(members) => members.values().for_each(|member| words(member, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    #[test]
    fn the_template_has_a_cluster_in_a_network_of_its_own() {
        let template = parsed();
        assert_eq!(template["Parameters"]["ClusterName"]["Default"], "prod");
        let resources = template["Resources"].as_object().unwrap();
        let count = |of: &str| resources.values().filter(|resource| resource["Type"] == of).count();
        let counts = ["VPC", "Subnet", "NatGateway", "EIP", "InternetGateway"]
            .map(|of| count(&format!("AWS::EC2::{of}")));
        assert_eq!(counts, [1, 4, 2, 2, 1]);
        assert_eq!(
            (count("AWS::EKS::Cluster"), count("AWS::EKS::Nodegroup"), count("AWS::IAM::Role")),
            (1, 1, 2)
        );
        let tagged = |role: &str| {
            let tags = |resource: &&Value| resource["Properties"]["Tags"].to_string().contains(role);
            resources.values().filter(tags).count()
        };
        assert_eq!((tagged("kubernetes.io/role/elb"), tagged("kubernetes.io/role/internal-elb")), (2, 2));
    }

    #[test]
    fn everything_that_is_declared_is_used() {
        let template = parsed();
        let mut used = BTreeSet::new();
        words(&template["Resources"], &mut used);
        words(&template["Conditions"], &mut used);
        for name in template["Parameters"]
            .as_object()
            .unwrap()
            .keys()
            .chain(template["Conditions"].as_object().unwrap().keys())
        {
            assert!(used.contains(name), "{name}");
        }
    }

    #[test]
    fn the_outputs_have_the_names_that_callers_know() {
        let names: Vec<String> = parsed()["Outputs"].as_object().unwrap().keys().cloned().collect();
        let expected = [
            "ClusterArn",
            "ClusterEndpoint",
            "ClusterName",
            "ClusterSecurityGroupId",
            "NodeInstanceRoleArn",
            "SecurityGroups",
            "SubnetIds",
            "VpcId",
        ];
        assert_eq!(names.iter().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(expected));
    }
}
