#!/usr/bin/env bash
# Puts the programs of this folder where their packages are installed, in a folder of their own.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
there=${XDG_CACHE_HOME:-$HOME/.cache}/drydock/node/interop
mkdir -p "$there"
if ! cmp -s "$here/package-lock.json" "$there/package-lock.json" || [ ! -d "$there/node_modules" ]; then
  cp "$here/package.json" "$here/package-lock.json" "$here/.npmrc" "$there"
  (cd "$there" && npm ci --silent)
fi
cp "$here"/*.mjs "$there"
