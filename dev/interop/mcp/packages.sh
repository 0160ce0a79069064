# For other scripts: packages FOLDER installs what dev/interop/mcp/FOLDER names, in a folder of its own, and prints which. The
# runtime is one of the packages: the suite and the inspector need a newer one than distributions have.
packages() {
  local from=$here/mcp/$1 to=${XDG_CACHE_HOME:-$HOME/.cache}/drydock/node/mcp-$1
  mkdir -p "$to"
  if ! cmp -s "$from/package-lock.json" "$to/package-lock.json" || [ ! -x "$to/node_modules/.bin/node" ]; then
    cp "$from/package.json" "$from/package-lock.json" "$from/.npmrc" "$to"
    (cd "$to" && npm ci --silent) >&2
  fi
  echo "$to"
}
