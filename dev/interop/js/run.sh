#!/usr/bin/env bash
# The JavaScript A2A clients, 1.3.0 and 0.3.14: run.sh DRYDOCK_URL OPEN_URL GUARDED_URL TOKEN
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
there=${XDG_CACHE_HOME:-$HOME/.cache}/drydock/node/interop
"$here/install.sh"
node "$there/v1.mjs" "$@"
node "$there/v03.mjs" "$@"
