#!/usr/bin/env bash
# Signatures of agent cards between this agent and the SDKs of Python and JavaScript, in both directions: signatures.sh BIN_DIR
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=$(cd "$1" && pwd)
work=$(mktemp -d)
. "$here/servers.sh"
. "$here/python/environments.sh"

umask 077
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/ec.pem" 2> /dev/null
openssl genpkey -algorithm ED25519 -out "$work/ed.pem" 2> /dev/null
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$work/rsa.pem" 2> /dev/null
keys=(--card-key "$work/ec.pem" --card-key "$work/ed.pem" --card-key "$work/rsa.pem")
shop=(--bundle "$root/demo/retail-store" --port 0)
open=$(serve open "$bin/drydock" serve "${shop[@]}" --data "$work/open-data" "${keys[@]}")
# The issuer is not asked for anything here: its name makes the card say who may call.
guarded=$(serve guarded "$bin/drydock" serve "${shop[@]}" --data "$work/guarded-data" "${keys[@]}" \
  --issuer https://idp.invalid --required-scope drydock/invoke)

python=$(sdk 1.3.0)
"$python" -c 'import jwt, cryptography' 2>/dev/null \
  || "$python" -m pip install --quiet --disable-pip-version-check 'a2a-sdk[signing]==1.3.0'
"$python" "$here/python/signatures.py" "$open" "$guarded" "$work/ec.pem" "$work/python"
"$here/js/install.sh"
node "${XDG_CACHE_HOME:-$HOME/.cache}/drydock/node/interop/signatures.mjs" "$open" "$guarded" "$work/ec.pem" "$work/js"

openssl pkey -in "$work/ec.pem" -pubout -out "$work/ec.pub.pem"
for card in "$work"/python-*.json "$work"/js-*.json; do
  if "$bin/drydock" card verify "$card" --key "$work/ec.pub.pem" > "$work/verified" 2>&1; then
    echo "ok   drydock card verify: $(basename "$card")"
  else
    echo "FAIL drydock card verify: $(basename "$card")"; cat "$work/verified"; exit 1
  fi
done
