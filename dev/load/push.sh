#!/usr/bin/env bash
# Push notifications of many tasks to receivers that answer, are down, slow, redirect or are private:
# push.sh BIN_DIR [TASKS] [SECONDS_DOWN]
# Fails where a notification is lost or out of order, or where one reaches an address that is forbidden.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/server.sh" "$1"
tasks=${2:-1000}
export DRYDOCK_PUSH_ALLOW=127.77.0.1

start_server
"$bin/examples/push_load" "$url" --tasks "$tasks" --down "${3:-20}" --private-name "$(hostname)"
memory after
"$bin/drydock" tasks list --dead --limit 100000 --data "$work/data" -o json |
  python3 -c 'import collections, json, sys
letters = json.load(sys.stdin)["pushNotifications"]
for reason, count in collections.Counter(letter["lastError"] for letter in letters).items():
    print(f"dead letters: {count} ({reason})")'
