#!/bin/sh
# Runs the fuzz target without cargo-fuzz, by the nightly compiler alone: the same instrumentation, no sanitizer
# (there is no unsafe code in what it reaches).
#   run.sh [INPUTS]
set -eu
cd "$(dirname "$0")"
inputs=${1:-1000000}
target=$(rustc +nightly -vV | sed -n 's/^host: //p')
RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions -Ccodegen-units=1" \
    cargo +nightly build --release --target "$target"
mkdir -p corpus/requests
cp seeds/* corpus/requests/
"${CARGO_TARGET_DIR:-target}/$target/release/requests" -runs="$inputs" -dict=requests.dict -max_len=2048 \
    -timeout=10 -print_final_stats=1 corpus/requests
