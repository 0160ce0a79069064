#!/usr/bin/env bash
# kill -9 in the midst of many streaming tasks, then a new start: kill.sh BIN_DIR [TASKS] [KILLS]
# Fails where a task does not end, or where an event is lost or repeated.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/server.sh" "$1"
tasks=${2:-1000}
kills=${3:-1}

start_server
"$bin/examples/load" "$url" --tasks "$tasks" & load=$!
for number in $(seq "$kills"); do
  python3 "$here/check_store.py" --wait-for-ended "$((tasks * number / (kills + 1)))" "$work/data/tasks.db"
  kill -9 "$server"
  wait "$server" 2>/dev/null || true
  start_server
done
wait "$load"
grep "took up" "$work/serve.log"
memory after
python3 "$here/check_store.py" "$work/data/tasks.db" "$tasks"
