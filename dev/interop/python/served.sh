#!/usr/bin/env bash
# `drydock ask` against agents that the Python SDKs serve: served.sh BIN_DIR
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bin=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
. "$here/environments.sh"

echo_of() { # echo_of PYTHON SCRIPT: what drydock ask gets from an agent of another house
  local port server
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  "$1" "$here/$2" "$port" > "$work/$2.log" 2>&1 &
  server=$!
  for _ in $(seq 300); do
    (exec 3<> "/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    sleep 0.1
  done
  "$bin/drydock" ask "http://127.0.0.1:$port" "one two three" 2> "$work/$2.progress" | tr '\n' ' ' || true
  kill "$server"
}

for agent in "1.3.0 echo_v1.py" "0.3.26 echo_v03.py"; do
  read -r version script <<< "$agent"
  heard=$(echo_of "$(sdk "$version")" "$script")
  if [ "$heard" = "one two three " ]; then
    echo "ok   drydock ask: streams from $script"
  else
    echo "FAIL drydock ask: $script said '$heard'"; cat "$work/$script".*; exit 1
  fi
done
