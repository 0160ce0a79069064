"""The original server and drydock side by side, in one run on one machine: time to the first answer, memory, and calls.

    measure.py DRYDOCK ORIGINAL KUBECONFIG_OF_2000_PODS KUBECONFIG_OF_SLOW_API CLUSTER
"""

import statistics
import sys
import time

from mcp_stdio import Server

DRYDOCK, ORIGINAL, LARGE, SLOW, CLUSTER = sys.argv[1:6]
RUNS = 5
PODS = {"cluster_name": CLUSTER, "kind": "Pod", "api_version": "v1"}


def timed(run):
    begun = time.perf_counter()
    result = run()
    return (time.perf_counter() - begun) * 1000, result


def measure(command):
    large, slow = {"KUBECONFIG": LARGE}, {"KUBECONFIG": SLOW}
    starts = []
    for _ in range(RUNS):
        server = Server(command, large)
        starts.append(server.initialized_in * 1000)
        server.stop()
    server = Server(command, large)
    numbers = {"start to first answer, ms": statistics.median(starts), "memory at rest, MB": server.memory_mb()}
    server.request("tools/list", {})
    numbers["tools/list, ms"] = statistics.median(timed(lambda: server.request("tools/list", {}))[0] for _ in range(20))
    first = server.call("list_k8s_resources", PODS)
    assert not first.get("isError"), first["content"][0]["text"][:300]
    listings = [timed(lambda: server.call("list_k8s_resources", PODS))[0] for _ in range(RUNS)]
    numbers["list pods of 2,000, ms"] = statistics.median(listings)
    for _ in range(200):
        server.call("list_k8s_resources", {**PODS, "namespace": "load-1"})
    numbers["memory after 200 calls, MB"] = server.memory_mb()
    server.stop()
    server = Server(command, slow)
    server.call("list_k8s_resources", {**PODS, "namespace": "load-1"})  # discovery is slow, too, and done once

    def fifty():
        begun = [server.begin("tools/call", {"name": "list_k8s_resources", "arguments": {**PODS, "namespace": f"load-{n}"}}) for n in range(50)]
        return [server.end(number) for number in begun]

    numbers["50 calls of 0.5 s at once, ms"] = timed(fifty)[0]
    server.stop()
    return numbers


original = measure([ORIGINAL, "--auth-mode", "kubeconfig"])
drydock = measure([DRYDOCK, "mcp"])
print(f"| {'':32} | original | drydock | ratio |\n|---|---|---|---|")
for name in original:
    theirs, ours = original[name], drydock[name]
    print(f"| {name:32} | {theirs:8.1f} | {ours:7.1f} | {theirs / ours:5.1f} |")
