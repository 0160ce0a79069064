# What the scripts share; sourced with BIN_DIR.
bin=$(cd "$1" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
port=0
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
ulimit -n "$(ulimit -Hn)" 2>/dev/null || true

start_server() { # sets $server and $url; a later start takes the same port and the same tasks
  : > "$work/serve.log"
  "$bin/drydock" serve --bundle "$root/demo/retail-store" --port "$port" --data "$work/data" > "$work/serve.log" 2>&1 &
  server=$!
  for _ in $(seq 600); do
    url=$(grep -oEm1 'http://127\.0\.0\.1:[0-9]+' "$work/serve.log") && break
    sleep 0.1
  done
  [ -n "$url" ] || { cat "$work/serve.log" >&2; exit 1; }
  port=${url##*:}
}

memory() {
  awk -v when="$1" '/^VmRSS/ {now = $2} /^VmHWM/ {peak = $2}
    END {printf "memory %s: %d MiB, peak %d MiB\n", when, now / 1024, peak / 1024}' "/proc/$server/status"
}
