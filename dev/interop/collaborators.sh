#!/usr/bin/env bash
# The programs in examples/collaborator against a drydock that wants tokens: collaborators.sh BIN_DIR
# BIN_DIR holds drydock and examples/identity. What the programs need is installed into folders of their own.
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=$(cd "$1" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/drydock
work=$(mktemp -d)
. "$here/servers.sh"

python_of() { # python_of FOLDER: the interpreter of an environment with the folder's requirements
  local env=$cache/python/$1 requirements=$root/examples/collaborator/$1/requirements.txt
  if ! cmp -s "$requirements" "$env/requirements.txt"; then
    rm -rf "$env"
    python3 -m venv "$env"
    "$env/bin/pip" install --quiet --disable-pip-version-check -r "$requirements" >&2
    cp "$requirements" "$env"
  fi
  echo "$env/bin/python"
}

built() { # the compiled program of examples/collaborator/typescript
  local from=$root/examples/collaborator/typescript to=$cache/node/collaborator
  mkdir -p "$to"
  if ! cmp -s "$from/package-lock.json" "$to/package-lock.json" || [ ! -d "$to/node_modules" ]; then
    cp "$from/package.json" "$from/package-lock.json" "$from/.npmrc" "$to"
    (cd "$to" && npm ci --silent) >&2
  fi
  cp -r "$from/tsconfig.json" "$from/src" "$to"
  (cd "$to" && npm run --silent build) >&2
  echo "$to/dist/collaborator.js"
}

serve identity "$bin/examples/identity" --port 0 > /dev/null
word() { awk -v first="$1" '$1 == first { print $2 }' "$work/identity.log"; }
agent=$(serve agent "$bin/drydock" serve --bundle "$root/demo/retail-store" --port 0 --data "$work/data" --issuer "$(word issuer)")
question="Why is checkout down?"

asks() { # asks NAME COMMAND...: the program is refused without a token, and answered with one
  local name=$1
  shift
  if "$@" "$agent" "$question" > "$work/answer" 2> "$work/progress"; then
    echo "FAIL $name: answered without a token"; cat "$work/answer"; exit 1
  fi
  echo "ok   $name: is refused without a token"
  if ! TOKEN_URL=$(word token) CLIENT_ID=machine-client CLIENT_SECRET=machine-secret \
    "$@" "$agent" "$question" > "$work/answer" 2> "$work/progress" || ! grep -q StorageClass "$work/answer"; then
    echo "FAIL $name"; cat "$work/answer" "$work/progress" "$work/agent.log"; exit 1
  fi
  echo "ok   $name: gets its answer with a machine token"
}

collaborators=$root/examples/collaborator
asks python-v03 "$(python_of python-v03)" "$collaborators/python-v03/collaborator.py"
asks python-v1 "$(python_of python-v1)" "$collaborators/python-v1/collaborator.py"
asks typescript node "$(built)"
