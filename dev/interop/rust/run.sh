#!/usr/bin/env bash
# The official Rust A2A client: run.sh DRYDOCK_URL OPEN_URL GUARDED_URL TOKEN
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$HOME/.cache/drydock/target}
cargo build --quiet --locked --manifest-path "$here/Cargo.toml"
"$CARGO_TARGET_DIR/debug/drydock-interop" "$@"
