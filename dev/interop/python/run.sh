#!/usr/bin/env bash
# The Python A2A clients against this agent: run.sh BIN_DIR
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
  if ! "$env/bin/python" -c 'import a2a.client, httpx' 2>/dev/null; then
    rm -rf "$env"
    python3 -m venv "$env"
    "$env/bin/pip" install --quiet --disable-pip-version-check "a2a-sdk[http-server]==$1" >&2
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
"$new" "$here/ask.py" "$drydock" "Is anything wrong?" | grep -q . && echo "ok   ask.py prints an answer"
