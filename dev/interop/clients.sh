#!/usr/bin/env bash
# The A2A clients of other houses against this agent, each over every method that it has: clients.sh BIN_DIR
# BIN_DIR holds drydock and examples/conformance. The clients are installed into folders of their own.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=$(cd "$1" && pwd)
work=$(mktemp -d)
. "$here/servers.sh"

token=conformance-token
drydock=$(serve drydock "$bin/drydock" serve --bundle "$root/demo/retail-store" --port 0 --data "$work/drydock-data")
open=$(serve open "$bin/examples/conformance" --port 0)
guarded=$(serve guarded "$bin/examples/conformance" --port 0 --token "$token")

"$here/python/run.sh" "$drydock" "$open" "$guarded" "$token"
"$here/js/run.sh" "$drydock" "$open" "$guarded" "$token"
"$here/rust/run.sh" "$drydock" "$open" "$guarded" "$token"
"$here/python/served.sh" "$bin"
