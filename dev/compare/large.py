"""A recorded cluster of 2,000 pods in 50 namespaces: large.py FOLDER."""

import json
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])
(folder / "resources").mkdir(parents=True, exist_ok=True)


def pod(number):
    name, namespace = f"web-{number:04}", f"load-{number % 50}"
    container = {"name": "web", "image": "nginx:1.27", "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}}}
    status = {"name": "web", "ready": True, "restartCount": 0, "image": "nginx:1.27", "imageID": "", "state": {"running": {"startedAt": "2026-01-01T10:00:00Z"}}}
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{number}", "creationTimestamp": "2026-01-01T10:00:00Z", "labels": {"app": "web"}},
        "spec": {"nodeName": f"node-{number % 20}", "containers": [container]},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "containerStatuses": [status]},
    }


(folder / "cluster.json").write_text(json.dumps({"name": "large", "kubernetesVersion": "v1.31.4", "capturedAt": "2026-01-01T12:00:00Z"}))
items = [pod(number) for number in range(2000)]
(folder / "resources" / "pods.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
