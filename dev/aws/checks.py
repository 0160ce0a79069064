"""The tools of an AWS account, called by the MCP SDK for Python, against the account of standin.py.

    checks.py DRYDOCK AWS_URL FOLDER
"""

import asyncio
import os
import pathlib
import sys

import boto3
from mcp import ClientSession, StdioServerParameters, types
from mcp.client.stdio import stdio_client

DRYDOCK, AWS_URL, FOLDER = sys.argv[1:4]
TEMPLATE = """Resources:
  P:
    Type: AWS::SSM::Parameter
    Properties: {Name: /drydock/new, Type: String, Value: v}
Outputs:
  Param: {Value: !Ref P}
"""
AWS = {
    "AWS_ENDPOINT_URL": AWS_URL, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-west-2",
    "AWS_EC2_METADATA_DISABLED": "true",
}
checked = 0


def check(condition, says):
    global checked
    assert condition, says
    checked += 1


class Account:
    """What the tools say, and what is asked of the user."""

    def __init__(self, session):
        self.session = session

    async def call(self, tool, **arguments):
        result = await self.session.call_tool(tool, arguments)
        return result.is_error, result.content[0].text, result.structured_content

    async def done(self, tool, *facts, **arguments):
        failed, text, structured = await self.call(tool, **arguments)
        check(not failed, f"{tool}: {text}")
        for fact in facts:
            check(fact in text, f"{tool} does not say {fact}: {text}")
        return structured

    async def refused(self, tool, *facts, **arguments):
        failed, text, _ = await self.call(tool, **arguments)
        check(failed, f"{tool} was not refused: {text}")
        check("\n" not in text.strip(), f"{tool}: more than a line: {text}")
        for fact in facts:
            check(fact in text, f"{tool} does not say {fact}: {text}")


asked = []
answers = {"approve": True}


async def user(_, params):
    asked.append(params.message)
    return types.ElicitResult(action="accept", content={"approve": answers["approve"]})


async def read(account):
    await account.done("list_eks_clusters", "demo", "second", "1.31", "us-west-2")
    await account.done("list_eks_clusters", "no EKS clusters", region="eu-west-1")
    await account.done("get_eks_vpc_config", "10.0.0.0/16", "100.64.0.0/16", "10.0.9.0/28", "192.168.10.0/24", cluster_name="demo")
    insights = await account.done("get_eks_insights", "Kubelet version skew", cluster_name="demo")
    check(len(insights["insights"]) == 3, "all pages")
    number = insights["insights"][2]["id"]
    await account.done("get_eks_insights", "Update the manifests.", cluster_name="demo", insight_id=number)
    await account.done("get_policies_for_role", "write-logs", "read-objects", "eks.amazonaws.com", role_name="eks-role")
    logs = {"cluster_name": "demo", "resource_type": "pod", "log_type": "application", "resource_name": "web-1"}
    entries = await account.done("get_cloudwatch_logs", "ERROR boom", **logs)
    check("other-pod" not in str(entries), "only of the pod")
    await account.done("get_cloudwatch_logs", "ERROR boom", **{**logs, "filter_pattern": "ERROR"})
    await account.refused("get_cloudwatch_logs", "/aws/containerinsights/second", **{**logs, "cluster_name": "second"})
    await account.done(
        "get_cloudwatch_metrics", "pod_cpu_utilization", "Percent", cluster_name="demo", metric_name="pod_cpu_utilization",
        namespace="ContainerInsights", dimensions={"Namespace": "default", "PodName": "web"},
    )
    await account.done("manage_eks_stacks", "eks-demo-stack", operation="describe", cluster_name="demo")
    await account.done("list_k8s_resources", "catalog", cluster_name="demo", kind="deployments")
    await account.done("diagnose_cluster", "gp3-encrypted", cluster_name="demo")
    await account.refused("list_k8s_resources", "several EKS clusters", "demo", kind="pods")
    await account.refused("list_k8s_resources", "demo", cluster_name="dmo", kind="pods")
    await account.refused("get_policies_for_role", "nobody", role_name="nobody")


async def region(account):
    await account.done("set_aws_region", "eu-west-1", region="eu-west-1")
    await account.done("list_eks_clusters", "no EKS clusters")
    await account.done("set_aws_region", "us-west-2", region="us-west-2")
    await account.refused("set_aws_region", "region", region="not a region")


async def write(account):
    iam = boto3.client("iam", region_name="us-west-2", endpoint_url=AWS_URL, aws_access_key_id="testing", aws_secret_access_key="testing")
    policy = {"policy_name": "more", "role_name": "eks-role", "permissions": {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}}
    answers["approve"] = False
    await account.refused("add_inline_policy", "did not approve", **policy)
    check("more" not in iam.list_role_policies(RoleName="eks-role")["PolicyNames"], "declined is not done")
    answers["approve"] = True
    await account.done("add_inline_policy", **policy)
    check("more" in iam.list_role_policies(RoleName="eks-role")["PolicyNames"], "approved is done")
    check("s3:ListBucket" in asked[-1], "the user sees what is added")
    changed = {**policy, "permissions": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    await account.refused("add_inline_policy", "already", **changed)
    (pathlib.Path(FOLDER) / "small.yaml").write_text(TEMPLATE)
    await account.done("manage_eks_stacks", operation="deploy", cluster_name="new", template_file=str(pathlib.Path(FOLDER) / "small.yaml"))
    await account.done("manage_eks_stacks", "CREATE_COMPLETE", operation="describe", cluster_name="new")
    await account.done("manage_eks_stacks", operation="delete", cluster_name="new")
    stacks = boto3.client("cloudformation", region_name="us-west-2", endpoint_url=AWS_URL, aws_access_key_id="testing", aws_secret_access_key="testing")
    left = [stack["StackName"] for stack in stacks.describe_stacks()["Stacks"]]
    check("eks-new-stack" not in left and "eks-demo-stack" in left, f"only ours is gone: {left}")
    await account.refused("manage_eks_stacks", "eks-demo-stack", operation="delete", cluster_name="demo")


async def main():
    arguments = ["mcp", "--eks", "--allow-sensitive-data", "--allow-write", "--yaml-folder", FOLDER]
    server = StdioServerParameters(command=DRYDOCK, args=arguments, env={"HOME": os.environ["HOME"], **AWS})
    async with stdio_client(server) as (incoming, outgoing):
        async with ClientSession(incoming, outgoing, elicitation_callback=user) as session:
            await session.initialize()
            account = Account(session)
            await read(account)
            await region(account)
            await write(account)
    print(f"AWS tools against moto: {checked} checks")


asyncio.run(main())
