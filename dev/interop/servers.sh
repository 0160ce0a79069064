# For other scripts, which have a folder $work: serve NAME COMMAND... starts a server and prints where it listens. Its output
# is in $work/NAME.log. Servers and folder go when the script ends.
serve() {
  local name=$1
  shift
  : > "$work/$name.log" # to be looked at before the server writes
  "$@" > "$work/$name.log" 2>&1 &
  echo $! > "$work/$name.pid" # it is started in the subshell of $(serve ...), whose jobs the script does not know
  for _ in $(seq 300); do
    grep -oEm1 'http://127\.0\.0\.1:[0-9]+' "$work/$name.log" && return
    sleep 0.1
  done
  echo "no server in $name.log:" >&2
  cat "$work/$name.log" >&2
  return 1
}

leave() {
  local file pid
  for file in "$work"/*.pid; do
    read -r pid < "$file" || continue
    kill "$pid" 2> /dev/null || continue
    timeout 10 tail --pid="$pid" -f /dev/null || true
  done
  rm -rf "$work"
}
trap leave EXIT
