#!/bin/sh
# Runs fuzz targets without cargo-fuzz and without nightly: instrument.sh asks the compiler for the same instrumentation,
# for our crates and for who reads texts for them.
#   run.sh [TARGET|all] [INPUTS]
#   COMPARES=no run.sh ...      three times as many inputs in a second, which do not see what numbers and texts are
#                               compared with: for millions of inputs, after the other way has found the way in
set -eu
cd "$(dirname "$0")"
which=${1:-all}
inputs=${2:-1000000}
[ "$which" != all ] || which="experiment site generation record claim archive"
compares=-Cllvm-args=-sanitizer-coverage-trace-compares
[ "${COMPARES:-yes}" = yes ] || compares=
target=${CARGO_TARGET_DIR:-target}
# cargo does not see what its wrapper adds.
if [ "$(cat "$target/compares" 2>/dev/null)" != "with $compares" ]; then
    cargo clean --release -p septet-pipeline-fuzz -p septet-pipeline -p septet-reports -p septet-results \
        -p toml -p toml_parser -p winnow -p serde_json -p tar
    mkdir -p "$target"
    echo "with $compares" >"$target/compares"
fi
RUSTC_WRAPPER=$PWD/instrument.sh SEPTET_COMPARES=$compares cargo build --release
# What archives unpack is in nobody's way in memory.
[ ! -d /dev/shm ] || export TMPDIR=/dev/shm
for one in $which; do
    mkdir -p "corpus/$one" artifacts
    cp "seeds/$one"/* "corpus/$one/"
    "$target/release/$one" -runs="$inputs" -max_len=8192 -timeout=20 -rss_limit_mb=2048 \
        -artifact_prefix="artifacts/$one-" -print_final_stats=1 "corpus/$one"
done
