# For other scripts: sdk VERSION prints the interpreter of an environment that has this a2a-sdk.
export PYTHONDONTWRITEBYTECODE=1
sdk() {
  local env=${XDG_CACHE_HOME:-$HOME/.cache}/drydock/python/a2a-sdk-$1
  if ! "$env/bin/python" -c 'import a2a.client, httpx, uvicorn' 2>/dev/null; then
    rm -rf "$env"
    python3 -m venv "$env"
    "$env/bin/pip" install --quiet --disable-pip-version-check "a2a-sdk[http-server]==$1" uvicorn >&2
  fi
  echo "$env/bin/python"
}
