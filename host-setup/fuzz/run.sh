#!/bin/sh
# Runs the fuzz target without cargo-fuzz and without nightly, with the instrumentation of pipeline/fuzz/instrument.sh.
#   run.sh [INPUTS]
#   COMPARES=no run.sh ...      more inputs in a second, which do not see what numbers and texts are compared with
set -eu
cd "$(dirname "$0")"
inputs=${1:-1000000}
compares=-Cllvm-args=-sanitizer-coverage-trace-compares
[ "${COMPARES:-yes}" = yes ] || compares=
target=${CARGO_TARGET_DIR:-target}
# cargo does not see what its wrapper adds.
if [ "$(cat "$target/compares" 2>/dev/null)" != "with $compares" ]; then
    cargo clean --release -p septet-host-fuzz -p septet-host-setup -p serde_json
    mkdir -p "$target"
    echo "with $compares" >"$target/compares"
fi
RUSTC_WRAPPER=$PWD/../../pipeline/fuzz/instrument.sh SEPTET_COMPARES=$compares cargo build --release
mkdir -p corpus/requests
cp seeds/* corpus/requests/
"$target/release/requests" -runs="$inputs" -dict=requests.dict -max_len=2048 \
    -timeout=10 -print_final_stats=1 corpus/requests
