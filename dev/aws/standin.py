"""AWS for tests: moto in server mode, with what it lacks of EKS, and an account to look at.

    standin.py PORT KUBERNETES_URL

Moto has no insights, and clusters whose endpoint leads nowhere; here they lead to KUBERNETES_URL. Logs Insights of moto
ignores filters; here `filter` of the forms that drydock writes is honoured. Prints `ready` when it can be asked.
"""

import base64
import datetime
import json
import os
import re
import sys
import threading
import time
import urllib.parse

os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
    os.environ[name] = "testing"
os.environ["AWS_DEFAULT_REGION"] = "us-west-2"

import boto3
import moto.eks.models as eks_models
import moto.eks.responses as eks_responses
import moto.eks.urls as eks_urls
import moto.logs.models as logs_models
from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.moto_server import werkzeug_app
from werkzeug.serving import make_server

REFRESHED = datetime.datetime(2026, 8, 1, tzinfo=datetime.timezone.utc)
INSIGHTS = [
    ("11111111-0000-4000-8000-000000000001", "Deprecated APIs removed in Kubernetes v1.32", "UPGRADE_READINESS", "PASSING"),
    ("11111111-0000-4000-8000-000000000002", "Kubelet version skew", "UPGRADE_READINESS", "WARNING"),
    ("11111111-0000-4000-8000-000000000003", "Hybrid node networking", "MISCONFIGURATION", "ERROR"),
]


def patch_clusters(kubernetes_url):
    """New clusters lead to `kubernetes_url`, and know their VPC."""
    original = eks_models.Cluster.__init__

    def init(self, *args, **kwargs):
        original(self, *args, **kwargs)
        self.endpoint = kubernetes_url
        self.certificate_authority = {"data": base64.b64encode(authority()).decode()}
        config = kwargs.get("resources_vpc_config")
        if isinstance(config, dict) and config.get("subnetIds"):
            backend = ec2_backends[kwargs["account_id"]][kwargs["region_name"]]
            config["vpcId"] = backend.get_subnet(config["subnetIds"][0]).vpc_id

    eks_models.Cluster.__init__ = init


def authority():
    """A certificate authority that nothing was signed with."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kubernetes")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def insight(entry):
    number, name, category, status = entry
    return {
        "id": number, "name": name, "category": category, "kubernetesVersion": "1.32",
        "lastRefreshTime": REFRESHED, "lastTransitionTime": REFRESHED, "description": f"Checks: {name}.",
        "insightStatus": {"status": status, "reason": f"{name}: {status.lower()}"},
    }


def patch_insights():
    """ListInsights, two on a page, and DescribeInsight."""

    def list_insights(self):
        self.eks_backend.describe_cluster(name=urllib.parse.urlsplit(self.uri).path.split("/")[2])
        asked = json.loads(self.body or "{}")
        wanted = asked.get("filter") or {}
        chosen = [
            entry for entry in INSIGHTS
            if entry[2] in (wanted.get("categories") or [entry[2]]) and entry[3] in (wanted.get("statuses") or [entry[3]])
        ]
        start = int(asked.get("nextToken") or 0)
        page = {"insights": [insight(entry) for entry in chosen[start : start + 2]]}
        if start + 2 < len(chosen):
            page["nextToken"] = str(start + 2)
        return ActionResult(page)

    def describe_insight(self):
        number = urllib.parse.urlsplit(self.uri).path.split("/")[4]
        entry = next(entry for entry in INSIGHTS if entry[0] == number)
        usage = {
            "usage": "/apis/policy/v1beta1/podsecuritypolicies", "replacedWith": "", "stopServingVersion": "1.32",
            "clientStats": [{"userAgent": "helm", "numberOfRequestsLast30Days": 3, "lastRequestTime": REFRESHED}],
        }
        resource = {"insightStatus": {"status": entry[3]}, "kubernetesResourceUri": "/apis/apps/v1/deployments/x"}
        more = {
            "recommendation": "Update the manifests.", "additionalInfo": {"docs": "https://docs.aws.amazon.com/eks/"},
            "resources": [resource], "categorySpecificSummary": {"deprecationDetails": [usage]},
        }
        return ActionResult({"insight": {**insight(entry), **more}})

    eks_responses.EKSResponse.list_insights = list_insights
    eks_responses.EKSResponse.describe_insight = describe_insight
    for path in ("insights", "insights/(?P<id>[^/]+)"):
        eks_urls.url_paths["{0}/clusters/(?P<clusterName>[^/]+)/" + path + "$"] = eks_urls.response.dispatch


def patch_logs():
    """Logs Insights that knows `filter FIELD like /…/` or `like "…"`, and AWS' form of times."""
    original = logs_models.execute_query

    def execute(log_groups, query, start_time, end_time):
        rows = original(log_groups=log_groups, query=query, start_time=start_time, end_time=end_time)
        found = re.findall(r"filter [^|]*?like (?:\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|/((?:[^/\\]|\\.)*)/)", query)
        for double, single, pattern in found:
            text = re.sub(r"\\(.)", r"\1", double or single)
            fits = (lambda row: re.search(pattern, row.get("@message", ""))) if pattern else (lambda row: text in row.get("@message", ""))
            rows = [row for row in rows if fits(row)]
        for row in rows:
            if str(row.get("@timestamp", "")).isdigit():
                at = datetime.datetime.fromtimestamp(int(row["@timestamp"]) / 1000, datetime.timezone.utc)
                row["@timestamp"] = at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
        return rows

    logs_models.execute_query = execute


def seed(url):
    """One account, region us-west-2: a VPC, two clusters, a role, metrics, logs, stacks."""
    client = lambda service: boto3.client(service, region_name="us-west-2", endpoint_url=url)
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="100.64.0.0/16")
    blocks = [("10.0.0.0/24", "a"), ("10.0.1.0/24", "b"), ("10.0.9.0/28", "c")]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=f"us-west-2{zone}")["Subnet"]["SubnetId"]
        for block, zone in blocks
    ]
    ec2.modify_subnet_attribute(SubnetId=subnets[0], MapPublicIpOnLaunch={"Value": True})
    group = ec2.create_security_group(GroupName="eks", Description="nodes", VpcId=vpc)["GroupId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    main = next(table["RouteTableId"] for table in tables if any(link.get("Main") for link in table["Associations"]))
    ec2.create_route(RouteTableId=main, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    statement = lambda *members: json.dumps({"Version": "2012-10-17", "Statement": [dict(members)]})
    allow = ("Effect", "Allow")
    iam = client("iam")
    trust = statement(allow, ("Principal", {"Service": "eks.amazonaws.com"}), ("Action", "sts:AssumeRole"))
    iam.create_role(RoleName="eks-role", Description="EKS cluster role", AssumeRolePolicyDocument=trust)
    logs_policy = iam.create_policy(PolicyName="write-logs", PolicyDocument=statement(allow, ("Action", "logs:*"), ("Resource", "*")))
    iam.attach_role_policy(RoleName="eks-role", PolicyArn=logs_policy["Policy"]["Arn"])
    reading = statement(allow, ("Action", "s3:GetObject"), ("Resource", "*"))
    iam.put_role_policy(RoleName="eks-role", PolicyName="read-objects", PolicyDocument=reading)
    eks = client("eks")
    hybrid = {"remoteNodeNetworks": [{"cidrs": ["192.168.0.0/24"]}], "remotePodNetworks": [{"cidrs": ["192.168.10.0/24"]}]}
    for name, more in (("demo", {"remoteNetworkConfig": hybrid}), ("second", {})):
        eks.create_cluster(
            name=name, version="1.31", roleArn="arn:aws:iam::123456789012:role/eks-role",
            resourcesVpcConfig={"subnetIds": subnets, "securityGroupIds": [group]}, **more,
        )
    seed_observations(client)


def seed_observations(client):
    now = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
    dimensions = [{"Name": name, "Value": value} for name, value in (("ClusterName", "demo"), ("Namespace", "default"), ("PodName", "web"))]
    points = [
        {"MetricName": "pod_cpu_utilization", "Dimensions": dimensions, "Timestamp": now - datetime.timedelta(minutes=minute), "Value": 10.0 + minute, "Unit": "Percent"}
        for minute in range(1, 10)
    ]
    client("cloudwatch").put_metric_data(Namespace="ContainerInsights", MetricData=points)
    logs = client("logs")
    lines = ["plain line web-1 ok", '{"log":"ERROR boom","kubernetes":{"pod_name":"web-1"}}', "other-pod info"]
    for group in ("/aws/containerinsights/demo/application", "/aws/eks/demo/cluster"):
        logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName="s1")
        begin = int(time.time() * 1000) - 60_000
        events = [{"timestamp": begin + 1000 * index, "message": line} for index, line in enumerate(lines)]
        logs.put_log_events(logGroupName=group, logStreamName="s1", logEvents=events)
    template = "Resources:\n  P:\n    Type: AWS::SSM::Parameter\n    Properties: {Name: /x/%s, Type: String, Value: v}\nOutputs:\n  Param: {Value: !Ref P}\n"
    stacks = client("cloudformation")
    for name, tags in (("eks-demo-stack", [{"Key": "CreatedBy", "Value": "EksMcpServer"}]), ("eks-foreign-stack", [])):
        stacks.create_stack(StackName=name, TemplateBody=template % name, Tags=tags)


def main():
    port, kubernetes_url = int(sys.argv[1]), sys.argv[2]
    patch_clusters(kubernetes_url)
    patch_insights()
    patch_logs()
    app = werkzeug_app.DomainDispatcherApplication(werkzeug_app.create_backend_app)
    server = make_server("127.0.0.1", port, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    seed(f"http://127.0.0.1:{server.port}")
    print(f"ready http://127.0.0.1:{server.port}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
