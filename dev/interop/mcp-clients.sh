#!/usr/bin/env bash
# The MCP clients of other houses against this server, and against its gateway: Python, TypeScript, the Inspector: mcp-clients.sh BIN_DIR
# BIN_DIR holds drydock and examples/mcp_conformance. The clients are installed into folders of their own.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=$(cd "$1" && pwd)
work=$(mktemp -d)
. "$here/servers.sh"
. "$here/mcp/packages.sh"

bundle=$root/demo/retail-store
calls=$here/mcp/calls.json # a call of each tool that can be read with
drydock=$(serve drydock "$bin/drydock" mcp --http --bundle "$bundle" --allow-sensitive-data --port 0)
gateway=$(serve gateway "$bin/drydock" gateway --target "shop=$drydock/mcp" --port 0)
fixtures=$(serve fixtures "$bin/examples/mcp_conformance" --port 0)

export PYTHONDONTWRITEBYTECODE=1
python=${XDG_CACHE_HOME:-$HOME/.cache}/drydock/python/mcp-2.1.1
if ! "$python/bin/python" -c 'import mcp.client' 2> /dev/null; then
  rm -rf "$python"
  python3 -m venv "$python"
  "$python/bin/pip" install --quiet --disable-pip-version-check mcp==2.1.1
fi
PYTHONPATH=$here/python "$python/bin/python" "$here/mcp/python/clients.py" \
  "$bin/drydock" "$bundle" "$calls" "$drydock" "$gateway" "$fixtures"

packages=$(packages js)
cp "$here/js/checks.mjs" "$here/mcp/js/sdk.mjs" "$packages"
"$packages/node_modules/.bin/node" "$packages/sdk.mjs" "$bin/drydock" "$bundle" "$calls" "$drydock" "$fixtures"
"$here/mcp/js/inspector.sh" "$packages" "$bin/drydock" "$bundle" "$drydock" "$gateway"
