#!/usr/bin/env bash
# The command line of MCP Inspector, on stdin and stdout and over HTTP: inspector.sh PACKAGES DRYDOCK BUNDLE URL GATEWAY_URL
# The gateway calls the server at URL shop.
set -euo pipefail
inspector=("$1/node_modules/.bin/node" "$1/node_modules/.bin/mcp-inspector" --cli)
drydock=("$2" mcp --bundle "$3" --allow-sensitive-data)
url=$4 gateway=$5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME=$work # it keeps a catalog there

asks() { # asks METHOD EXIT_CODE FILTER [OPTION...]: the answer fits a jq filter
  local method=$1 meant=$2 filter=$3 code=0 target=("$url/mcp")
  shift 3
  case $where in stdio) target=("${drydock[@]}") ;; gateway) target=("$gateway/mcp") ;; esac
  "${inspector[@]}" --protocol-era "$era" --method "$method" "$@" -- "${target[@]}" > "$work/answer" 2> "$work/said" || code=$?
  if [ "$code" = "$meant" ] && jq -e "$filter" "$work/answer" > "$work/found"; then
    echo "ok   MCP Inspector, $where, $era: $method${1:+ $*}"
  else
    echo "FAIL MCP Inspector, $where, $era: $method${1:+ $*}"; echo "exit code $code"; head -c 2000 "$work/answer" "$work/said"; exit 1
  fi
}

for where in stdio HTTP; do
  for era in legacy modern; do
    # --strict: schemas that some models or clients cannot take are errors.
    asks tools/list 0 '[.tools[].name] | index("diagnose_cluster") >= 0' --strict
    asks tools/call 0 '.structuredContent.rootCauses | length > 0' --tool-name diagnose_cluster
    asks tools/call 5 '.isError' --tool-name get_pod_logs --tool-arg pod_name=none
    asks resources/list 0 '.resources | length > 100'
    asks resources/read 0 '.contents[0].text | length > 0' --uri drydock://rules/storage-class-missing
    asks prompts/list 0 '[.prompts[].name] | index("pod_crash") >= 0'
    asks prompts/get 0 '.messages[0].content.text | contains("checkout")' \
      --prompt-name pod_crash --prompt-args namespace=checkout
  done
done

for era in legacy modern; do
  where=gateway
  asks tools/list 0 '[.tools[].name] | index("shop___diagnose_cluster") >= 0' --strict
  asks tools/call 0 '.structuredContent.rootCauses | length > 0' --tool-name shop___diagnose_cluster
  asks tools/call 5 '.isError' --tool-name shop___get_pod_logs --tool-arg pod_name=none
done
