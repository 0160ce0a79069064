#!/usr/bin/env bash
# Stock kubectl against `drydock bundle serve`: what it shows has to be what the bundle holds.
#
#   dev/interop/kubectl.sh path/to/drydock
set -euo pipefail
bin=$(realpath "${1:?usage: dev/interop/kubectl.sh path/to/drydock}")
work=$(mktemp -d)
server=
# shellcheck disable=SC2317 # called by the trap
cleanup() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap cleanup EXIT
fail() { printf 'kubectl: %s\n' "$*" >&2; exit 1; }
same() { # same WHAT EXPECTED ACTUAL: two files
  diff -u "$2" "$3" >&2 || fail "$1 differs from the bundle's content"
  printf '  %s\n' "$1"
}

# The bundle: a pod that crashes, one that waits for its image, one that runs, in two namespaces.
bundle=$work/bundle
mkdir -p "$bundle/resources" "$bundle/logs/shop/web-1"
cat > "$bundle/cluster.json" <<'JSON'
{ "name": "shop", "kubernetesVersion": "v1.31.4", "capturedAt": "2025-03-11T08:00:00Z" }
JSON
jq -n '
  def pod($ns; $name; $phase; $state; $ready; $restarts): {
    apiVersion: "v1", kind: "Pod",
    metadata: { namespace: $ns, name: $name, uid: "uid-\($ns)-\($name)", labels: { app: ($name | split("-")[0]) },
      creationTimestamp: "2025-03-11T07:00:00Z" },
    spec: { nodeName: "node-1", serviceAccountName: "default", restartPolicy: "Always",
      containers: [{ name: "app", image: "registry.example/\($name):1", ports: [{ containerPort: 8080, protocol: "TCP" }] }] },
    status: { phase: $phase, podIP: "10.0.0.7", startTime: "2025-03-11T07:00:01Z", conditions: [
        { type: "Ready", status: (if $ready then "True" else "False" end) }],
      containerStatuses: [{ name: "app", image: "registry.example/\($name):1", imageID: "", ready: $ready,
        restartCount: $restarts, state: $state, lastState: (if $restarts > 0 then { terminated: {
          exitCode: 1, reason: "Error", startedAt: "2025-03-11T07:58:00Z", finishedAt: "2025-03-11T07:58:01Z" } } else {} end) }] } };
  { apiVersion: "v1", kind: "List", items: [
    pod("other"; "job-1"; "Running"; { running: { startedAt: "2025-03-11T07:00:02Z" } }; true; 0),
    pod("shop"; "db-0"; "Pending"; { waiting: { reason: "ImagePullBackOff", message: "Back-off pulling image" } }; false; 0),
    pod("shop"; "web-1"; "Running"; { waiting: { reason: "CrashLoopBackOff", message: "back-off 5m0s" } }; false; 7)
  ] }' > "$bundle/resources/pods.json"
jq -n '
  def event($name; $pod; $type; $reason; $message; $count): {
    apiVersion: "v1", kind: "Event", metadata: { namespace: "shop", name: $name, creationTimestamp: "2025-03-11T07:30:00Z" },
    type: $type, reason: $reason, message: $message, count: $count, source: { component: "kubelet", host: "node-1" },
    involvedObject: { apiVersion: "v1", kind: "Pod", namespace: "shop", name: $pod, uid: "uid-shop-\($pod)" },
    firstTimestamp: "2025-03-11T07:30:00Z", lastTimestamp: "2025-03-11T07:59:00Z" };
  { apiVersion: "v1", kind: "List", items: [
    event("db-0.1"; "db-0"; "Warning"; "Failed"; "Failed to pull image \"registry.example/db-0:1\": not found"; 4),
    event("web-1.1"; "web-1"; "Normal"; "Started"; "Started container app"; 8),
    event("web-1.2"; "web-1"; "Warning"; "BackOff"; "Back-off restarting failed container app"; 69)
  ] }' > "$bundle/resources/events.json"
printf '2025-03-11T07:59:58Z starting\n2025-03-11T07:59:59Z ERROR no database\n' > "$bundle/logs/shop/web-1/app.log"
printf '2025-03-11T07:58:00Z starting\n2025-03-11T07:58:01Z ERROR no database, giving up\n' \
  > "$bundle/logs/shop/web-1/app.previous.log"

"$bin" bundle serve "$bundle" --port 0 --kubeconfig "$work/kubeconfig" 2> "$work/server.log" & server=$!
for _ in $(seq 100); do
  [ -s "$work/kubeconfig" ] && break
  kill -0 "$server" 2>/dev/null || { cat "$work/server.log" >&2; fail "the server did not start"; }
  sleep 0.1
done
export KUBECONFIG=$work/kubeconfig HOME=$work
kubectl version 2>/dev/null | sed 's/^/  /' || true

# get pods -A: what the rows say, and the objects themselves.
kubectl get pods -A --no-headers | awk '{ print $1, $2, $3, $4, $5 }' > "$work/actual"
jq -r '.items[] | .status.containerStatuses[0] as $container
  | [.metadata.namespace, .metadata.name, (if $container.ready then "1/1" else "0/1" end),
     ($container.state.waiting.reason // .status.phase), ($container.restartCount | tostring)] | join(" ")' \
  "$bundle/resources/pods.json" > "$work/expected"
same "get pods -A" "$work/expected" "$work/actual"
kubectl get pods -A -o json | jq -S '.items' > "$work/actual"
jq -S '.items' "$bundle/resources/pods.json" > "$work/expected"
same "get pods -A -o json" "$work/expected" "$work/actual"
kubectl get pods -n shop -l app=web -o name > "$work/actual"
jq -r '.items[] | select(.metadata.labels.app == "web" and .metadata.namespace == "shop") | "pod/\(.metadata.name)"' \
  "$bundle/resources/pods.json" > "$work/expected"
same "get pods -l app=web" "$work/expected" "$work/actual"

# describe pod: the fields, and exactly the events of this pod.
kubectl describe pod web-1 -n shop > "$work/describe"
field() { sed -n "s/^ *$1: *//p" "$work/describe" | head -1; }
{ field Name; field Namespace; field Node; field Image; field "Restart Count"; field "Exit Code"; } > "$work/actual"
grep -A1 '^ *State:' "$work/describe" | sed -n 's/^ *Reason: *//p' >> "$work/actual"
jq -r '.items[] | select(.metadata.name == "web-1") | .status.containerStatuses[0] as $container
  | .metadata.name, .metadata.namespace, "\(.spec.nodeName)/", .spec.containers[0].image, $container.restartCount,
    $container.lastState.terminated.exitCode, $container.state.waiting.reason' \
  "$bundle/resources/pods.json" > "$work/expected"
same "describe pod" "$work/expected" "$work/actual"
sed -n '/^Events:/,$p' "$work/describe" | awk 'NR > 3 { print $1, $2 }' | sort > "$work/actual"
jq -r '.items[] | select(.involvedObject.name == "web-1") | "\(.type) \(.reason)"' \
  "$bundle/resources/events.json" | sort > "$work/expected"
same "events in describe pod" "$work/expected" "$work/actual"

# logs, of this instance and of the one before.
kubectl logs web-1 -n shop --previous > "$work/actual"
same "logs --previous" "$bundle/logs/shop/web-1/app.previous.log" "$work/actual"
kubectl logs web-1 -n shop -c app > "$work/actual"
same "logs -c" "$bundle/logs/shop/web-1/app.log" "$work/actual"
kubectl logs web-1 -n shop --tail=1 > "$work/actual"
tail -n 1 "$bundle/logs/shop/web-1/app.log" > "$work/expected"
same "logs --tail=1" "$work/expected" "$work/actual"

# get events: rows and objects.
kubectl get events -n shop --no-headers | sed -E 's/ {2,}/|/g' | cut -d'|' -f2- | sort > "$work/actual"
jq -r '.items[] | [.type, .reason, "pod/\(.involvedObject.name)", .message] | join("|")' \
  "$bundle/resources/events.json" | sort > "$work/expected"
same "get events" "$work/expected" "$work/actual"
kubectl get events -A -o json | jq -S '.items' > "$work/actual"
jq -S '.items' "$bundle/resources/events.json" > "$work/expected"
same "get events -A -o json" "$work/expected" "$work/actual"

# Nothing can be changed.
if kubectl delete pod web-1 -n shop --wait=false > "$work/refusal" 2>&1; then fail "a recorded pod was deleted"; fi
grep -q 'recorded cluster' "$work/refusal" || { cat "$work/refusal" >&2; fail "the refusal does not say why"; }
printf '  delete is refused\n'

kill -INT "$server"
wait "$server" || fail "the server did not stop in good order"
server=
echo "kubectl sees what the bundle holds"
