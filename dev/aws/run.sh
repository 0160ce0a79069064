#!/usr/bin/env bash
# The tools of an AWS account against moto, with the MCP SDK for Python: run.sh BIN_DIR
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=$(cd "$1" && pwd)
work=$(mktemp -d)
. "$root/dev/interop/servers.sh"

venv=${XDG_CACHE_HOME:-$HOME/.cache}/drydock/python/moto/venv
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check 'moto[server]==5.2.5' 'boto3==1.44.5' 'mcp==2.1.1'

shop=$(serve shop "$bin/drydock" bundle serve "$root/demo/retail-store" --port 0)
aws=$(serve aws "$venv/bin/python" "$here/standin.py" 0 "$shop")
mkdir "$work/templates"
"$venv/bin/python" "$here/checks.py" "$bin/drydock" "$aws" "$work/templates"
