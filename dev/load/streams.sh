#!/usr/bin/env bash
# Many streaming tasks at once on one process: streams.sh BIN_DIR [TASKS] [QUESTION]
# Fails where a task or an event is lost; says how much memory the process took.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/server.sh" "$1"
tasks=${2:-1000}

start_server
memory before
"$bin/examples/load" "$url" --tasks "$tasks" --text "${3:-Is anything wrong in my cluster?}"
memory after
python3 "$here/check_store.py" "$work/data/tasks.db" "$tasks"
