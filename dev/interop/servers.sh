# For other scripts: serve NAME COMMAND... starts a server and prints where it listens. Its output is in $work/NAME.log.
serve() {
  local name=$1
  shift
  "$@" > "$work/$name.log" 2>&1 &
  for _ in $(seq 300); do
    grep -oEm1 'http://127\.0\.0\.1:[0-9]+' "$work/$name.log" && return
    sleep 0.1
  done
  echo "no server in $name.log:" >&2
  cat "$work/$name.log" >&2
  return 1
}
