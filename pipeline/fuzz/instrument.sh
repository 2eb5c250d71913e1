#!/bin/sh
# cargo's RUSTC_WRAPPER of run.sh: instruments what is looked at, and nothing else. Septet's own crates, the targets, and
# who reads texts for them; polars and the other hundreds are built as they are anywhere, in a fraction of the time.
#   instrument.sh RUSTC ARGS...
set -eu
crate=
before=
for word in "$@"; do
    if [ "$before" = --crate-name ]; then crate=$word; fi
    before=$word
done
case "$crate" in
    septet_* | pipeline | results | reports | host_setup | generators | toml | toml_parser | winnow | serde_json | tar) ;;
    experiment | site | generation | record | claim | archive | requests) ;;
    *) exec "$@" ;;
esac
# Without a sanitizer: there is no unsafe code of ours in what the targets reach.
# shellcheck disable=SC2086 # Words.
exec "$@" --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    ${SEPTET_COMPARES:-} -Cdebug-assertions
