#!/usr/bin/env bash
# drydock beside the server that it re-makes, awslabs.eks-mcp-server 0.2.1: the same facts, and numbers of one run.
#   run.sh BIN_DIR [parity|measure]
# Not part of dev/test: it compares with somebody else's program. Needs Python with venv; everything else it installs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=$(cd "$1" && pwd)
only=${2:-all}
work=$(mktemp -d)
. "$root/dev/interop/servers.sh"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/drydock/python
venv() { # venv NAME PACKAGE...
  local folder=$cache/$1; shift
  [ -x "$folder/venv/bin/python" ] || python3 -m venv "$folder/venv"
  "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "$@"
}
venv eks-original 'awslabs.eks-mcp-server==0.2.1'
original=$cache/eks-original/venv/bin/awslabs.eks-mcp-server

kubeconfig() { # kubeconfig FILE CLUSTER URL
  cat > "$1" <<EOF
apiVersion: v1
kind: Config
current-context: $2
clusters: [{name: $2, cluster: {server: "$3"}}]
users: [{name: nobody, user: {}}]
contexts: [{name: $2, context: {cluster: $2, user: nobody}}]
EOF
}

if [ "$only" != measure ]; then
  venv moto 'moto[server]==5.2.5' 'boto3==1.44.5'
  shop=$(serve shop "$bin/drydock" bundle serve "$root/demo/retail-store" --port 0)
  kubeconfig "$work/shop" retail-store "$shop"
  aws=$(serve aws "$cache/moto/venv/bin/python" "$root/dev/aws/standin.py" 0 "$shop")
  python3 "$here/parity.py" "$bin/drydock" "$original" "$work/shop" "$aws"
fi
if [ "$only" != parity ]; then
  python3 "$here/large.py" "$work/large"
  large=$(serve large "$bin/drydock" bundle serve "$work/large" --port 0)
  slow=$(serve slow python3 "$here/slow_proxy.py" "$large")
  kubeconfig "$work/large.kubeconfig" large "$large"
  kubeconfig "$work/slow.kubeconfig" large "$slow"
  python3 "$here/measure.py" "$bin/drydock" "$original" "$work/large.kubeconfig" "$work/slow.kubeconfig" large
fi
