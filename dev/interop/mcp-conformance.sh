#!/usr/bin/env bash
# The conformance suite of the Model Context Protocol against this server, in the revisions with and without sessions:
# mcp-conformance.sh BIN_DIR
# BIN_DIR holds drydock and examples/mcp_conformance. The suite is installed into a folder of its own.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=$(cd "$1" && pwd)
work=$(mktemp -d)
. "$here/servers.sh"
. "$here/mcp/packages.sh"

suite=$(packages conformance)

passes() { # passes NAME URL REVISION [EXPECTED_FAILURES]: what a revision requires; nothing may fail that is not expected to
  local log=$work/$1-$3.out
  if "$suite/node_modules/.bin/node" "$suite/node_modules/@modelcontextprotocol/conformance/dist/index.js" server \
    --url "$2/mcp" --requirements "$3" --output-dir "$work/results" ${4:+--expected-failures "$4"} > "$log" 2>&1; then
    echo "ok   $1 conforms to $3"
  else
    echo "FAIL $1 does not conform to $3"; sed -n '/=== SUMMARY ===/,$p' "$log"; tail -n 3 "$work/$1.log"; exit 1
  fi
}

# Fixtures behind the layers of this server: all that the revisions require.
fixtures=$(serve fixtures "$bin/examples/mcp_conformance" --port 0)
stateless=$(serve stateless "$bin/examples/mcp_conformance" --port 0 --stateless)
passes fixtures "$fixtures" 2026-07-28
passes fixtures "$fixtures" 2025-11-25
# Without sessions a server cannot ask its client anything in the revisions that have them.
passes stateless "$stateless" 2026-07-28

# This server itself: all but what needs fixtures.
drydock=$(serve drydock "$bin/drydock" mcp --http --bundle "$root/demo/retail-store" --allow-sensitive-data --port 0)
passes drydock "$drydock" 2026-07-28 "$here/mcp/conformance/expected-failures.yaml"
passes drydock "$drydock" 2025-11-25 "$here/mcp/conformance/expected-failures.yaml"

# A gateway in front of the fixtures: all that tools in text and JSON need, progress and errors among it.
gateway=$(serve gateway "$bin/examples/mcp_conformance" --port 0 --before "$fixtures/mcp")
passes gateway "$gateway" 2026-07-28 "$here/mcp/conformance/expected-of-gateway.yaml"
passes gateway "$gateway" 2025-11-25 "$here/mcp/conformance/expected-of-gateway.yaml"
