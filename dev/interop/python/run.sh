#!/usr/bin/env bash
# The Python A2A clients against this agent, and its client against Python agents: run.sh BIN_DIR
# BIN_DIR holds drydock and examples/conformance. The clients live in virtual environments of their own.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
bin=$(cd "$1" && pwd)
envs=${XDG_CACHE_HOME:-$HOME/.cache}/drydock/python
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT

client() { # client VERSION: the interpreter of an environment that has this a2a-sdk
  local env=$envs/a2a-sdk-$1
  if ! "$env/bin/python" -c 'import a2a.client, httpx, uvicorn' 2>/dev/null; then
    rm -rf "$env"
    python3 -m venv "$env"
    "$env/bin/pip" install --quiet --disable-pip-version-check "a2a-sdk[http-server]==$1" uvicorn >&2
  fi
  echo "$env/bin/python"
}

url_in() { # url_in FILE: waits until a server says there where it listens
  for _ in $(seq 300); do
    grep -oEm1 'http://127\.0\.0\.1:[0-9]+' "$1" && return
    sleep 0.1
  done
  echo "no server in $1:" >&2; cat "$1" >&2; return 1
}

new=$(client 1.3.0)
old=$(client 0.3.26)
"$bin/drydock" serve --bundle "$root/demo/retail-store" --port 0 --data "$work/drydock" > "$work/drydock.log" 2>&1 &
"$bin/examples/conformance" --port 0 --data "$work/scripted" > "$work/scripted.log" 2>&1 &
drydock=$(url_in "$work/drydock.log")
scripted=$(url_in "$work/scripted.log")
"$new" "$here/v1.py" "$drydock" "$scripted"
"$old" "$here/v03.py" "$drydock" "$scripted"
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

for agent in "$new echo_v1.py" "$old echo_v03.py"; do
  read -r python script <<< "$agent"
  heard=$(echo_of "$python" "$script")
  if [ "$heard" = "one two three " ]; then
    echo "ok   drydock ask: streams from $script"
  else
    echo "FAIL drydock ask: $script said '$heard'"; cat "$work/$script".*; exit 1
  fi
done
"$new" "$here/ask.py" "$drydock" "Is anything wrong?" > "$work/answer.md"
grep -q '^#' "$work/answer.md" && echo "ok   ask.py prints an answer"
