#!/bin/sh
# Runs fuzz targets without cargo-fuzz, by the nightly compiler alone: the same instrumentation, no sanitizer
# (there is no unsafe code of ours in what they reach).
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
target=$(rustc +nightly -vV | sed -n 's/^host: //p')
RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
$compares -Cdebug-assertions" \
    cargo +nightly build --release --target "$target"
# What archives unpack is in nobody's way in memory.
[ ! -d /dev/shm ] || export TMPDIR=/dev/shm
for one in $which; do
    mkdir -p "corpus/$one" artifacts
    cp "seeds/$one"/* "corpus/$one/"
    "${CARGO_TARGET_DIR:-target}/$target/release/$one" -runs="$inputs" -max_len=8192 -timeout=20 -rss_limit_mb=2048 \
        -artifact_prefix="artifacts/$one-" -print_final_stats=1 "corpus/$one"
done
