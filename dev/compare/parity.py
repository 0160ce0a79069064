"""Each tool of the original server and of drydock, with the same arguments against the same cluster and account: drydock
has to give at least the facts that the original gives.

    parity.py DRYDOCK ORIGINAL KUBECONFIG AWS_URL
"""

import datetime
import json
import re
import sys

from mcp_stdio import Server

DRYDOCK, ORIGINAL, KUBECONFIG, AWS_URL = sys.argv[1:5]
CLUSTER = "retail-store"
KUBERNETES = [
    ("list_k8s_resources", {"kind": "Pod", "api_version": "v1"}),
    ("list_k8s_resources", {"kind": "Pod", "api_version": "v1", "namespace": "checkout"}),
    ("list_k8s_resources", {"kind": "Deployment", "api_version": "apps/v1", "namespace": "catalog"}),
    ("list_k8s_resources", {"kind": "Node", "api_version": "v1"}),
    ("manage_k8s_resource", {"operation": "read", "kind": "Deployment", "api_version": "apps/v1", "name": "catalog", "namespace": "catalog"}),
    ("manage_k8s_resource", {"operation": "read", "kind": "Service", "api_version": "v1", "name": "checkout", "namespace": "checkout"}),
    ("get_k8s_events", {"kind": "PersistentVolumeClaim", "name": "data-checkout-redis-0", "namespace": "checkout"}),
    ("get_pod_logs", {"namespace": "catalog", "pod_name": "catalog-mysql-0"}),
    ("list_api_versions", {}),
]
AWS = [
    ("get_eks_vpc_config", {"cluster_name": "demo"}),
    ("get_eks_insights", {"cluster_name": "demo"}),
    ("get_eks_insights", {"cluster_name": "demo", "category": "MISCONFIGURATION"}),
    ("get_policies_for_role", {"role_name": "eks-role"}),
    ("get_eks_metrics_guidance", {"resource_type": "cluster"}),
    ("get_eks_metrics_guidance", {"resource_type": "node"}),
    ("get_eks_metrics_guidance", {"resource_type": "pod"}),
    ("get_cloudwatch_logs", {"resource_type": "pod", "cluster_name": "demo", "log_type": "application", "resource_name": "web-1"}),
    ("get_cloudwatch_logs", {"resource_type": "cluster", "cluster_name": "demo", "log_type": "control-plane"}),
    ("get_cloudwatch_metrics", {
        "cluster_name": "demo", "metric_name": "pod_cpu_utilization", "namespace": "ContainerInsights",
        "dimensions": {"ClusterName": "demo", "Namespace": "default", "PodName": "web"},
    }),
    ("manage_eks_stacks", {"operation": "describe", "cluster_name": "demo"}),
]
# Metrics are described in our own words; points lie on whole periods here, and not where the question happened to be asked.
OWN_WORDS = {"get_eks_metrics_guidance": {"description"}, "get_cloudwatch_metrics": {"timestamp"}}
# What the original says about the call and not about the cluster, and what differs from call to call.
NO_FACTS = {"message", "operation", "next_token", "@ptr", "start_time", "end_time", "detail_mode", "template_path", "policy_type"}
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?")


def seconds(text):
    """A time in any of the usual forms, as seconds."""
    try:
        at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return text
    if at.tzinfo is None:
        at = at.replace(tzinfo=datetime.timezone.utc)
    return f"@{int(at.timestamp())}"


def normal(text):
    return TIME.sub(lambda found: seconds(found.group()), text)


def facts(value, key=""):
    """The leaves of what the original answers."""
    if key in NO_FACTS or value in (None, "", [], {}):
        return
    if isinstance(value, dict):
        for name, member in value.items():
            yield from facts(member, name)
    elif isinstance(value, list):
        for member in value:
            yield from facts(member, key)
    elif isinstance(value, bool):
        return  # What a flag says is said in other words.
    elif isinstance(value, float) and value > 1e9:
        yield key, f"@{int(value)}"  # a time
    elif isinstance(value, float) and value.is_integer():
        yield key, str(int(value))
    else:
        yield key, normal(str(value))


def leaves(value):
    if isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from leaves(member)
    elif isinstance(value, list):
        for member in value:
            yield from leaves(member)
    elif isinstance(value, float) and value.is_integer():
        yield str(int(value))
    else:
        yield normal(str(value))


def dimension_sets(value):
    """Lists of names, whose order does not matter."""
    if isinstance(value, dict):
        return set().union(*(dimension_sets(member) for member in value.values()))
    if isinstance(value, list):
        if value and all(isinstance(member, str) for member in value):
            return {frozenset(value)}
        return set().union(*(dimension_sets(member) for member in value))
    return set()


def of_original(result):
    found = []
    for block in result["content"]:
        try:
            found.append(json.loads(block["text"]))
        except (ValueError, KeyError):
            continue
    return [fact for value in found if isinstance(value, (dict, list)) for fact in facts(value)]


def compare(original, drydock, tool, arguments):
    theirs, ours = original.call(tool, arguments), drydock.call(tool, arguments)
    if theirs.get("isError"):
        return f"original fails: {theirs['content'][0]['text'][:100]}", [], ours.get("isError")
    asked = {normal(str(value)) for value in arguments.values()}
    passed_over = OWN_WORDS.get(tool, set())
    wanted = [(key, fact) for key, fact in of_original(theirs) if fact not in asked and key not in passed_over]
    known = set(leaves(ours.get("structuredContent") or {}))
    text = normal(ours["content"][0]["text"]) + " " + " ".join(known)
    sets = {frozenset(value.split(",")) for value in known} | dimension_sets(ours.get("structuredContent"))

    def is_known(key, fact):
        return fact in known or fact in text or (key == "dimensions" and frozenset(fact.split(",")) in sets)

    missing = [(key, fact) for key, fact in wanted if not is_known(key, fact)]
    return f"{len(wanted)} facts", missing, ours.get("isError")


def main():
    flags = ["--allow-sensitive-data-access"]
    aws = {"AWS_ENDPOINT_URL": AWS_URL, "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-west-2"}
    kube = {"KUBECONFIG": KUBECONFIG}
    lanes = [
        (KUBERNETES, kube, [ORIGINAL, "--auth-mode", "kubeconfig", *flags], [DRYDOCK, "mcp", "--allow-sensitive-data"]),
        (AWS, aws, [ORIGINAL, *flags], [DRYDOCK, "mcp", "--eks", "--allow-sensitive-data"]),
    ]
    failed = False
    for cases, environment, original, drydock in lanes:
        original, drydock = Server(original, environment), Server(drydock, environment)
        for tool, arguments in cases:
            if cases is KUBERNETES:
                arguments = {"cluster_name": CLUSTER, **arguments}
            says, missing, is_error = compare(original, drydock, tool, arguments)
            failed |= bool(missing) or bool(is_error)
            outcome = "ERROR" if is_error else "missing" if missing else "ok"
            print(f"{outcome:8} {tool} {json.dumps(arguments)}: {says}")
            for key, fact in missing[:8]:
                print(f"           {key}: {fact[:150]}")
        original.stop()
        drydock.stop()
    sys.exit(1 if failed else 0)


main()
