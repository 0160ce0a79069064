#!/usr/bin/env bash
# The Python A2A clients, 1.3.0 and 0.3.26: run.sh DRYDOCK_URL OPEN_URL GUARDED_URL TOKEN
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/environments.sh"
"$(sdk 1.3.0)" "$here/v1.py" "$@"
"$(sdk 0.3.26)" "$here/v03.py" "$@"
