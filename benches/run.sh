#!/bin/sh
# Runs the benchmarks, all or the named ones, and prints a table for each.
#   sh benches/run.sh [NAME...]
# A benchmark is benches/NAME.sh or benches/NAME/run.sh. It says itself what it compares and what it needs; what
# is missing it names, and skips. Figures below a goal are shown, not failed: a shared machine proves nothing.
#   SEPTET_BIN   the folder of the programs (target/release)
#   PAIRS        interleaved pairs of a comparison (11)
set -eu
cd "$(dirname "$0")"
SEPTET_BIN=${SEPTET_BIN:-$(cd .. && pwd)/target/release}
PAIRS=${PAIRS:-11}
export SEPTET_BIN PAIRS

names=""
for script in ./*.sh ./*/run.sh; do
    name=${script#./}
    name=${name%/run.sh}
    name=${name%.sh}
    [ "$name" = run ] || names="$names $name"
done
failed=""
for name in ${*:-$names}; do
    script=$name.sh
    [ -f "$script" ] || script=$name/run.sh
    if [ ! -f "$script" ]; then
        echo "bench: there is no benchmark called $name; there are:$names" >&2
        exit 2
    fi
    sh "$script" || failed="$failed $name"
done
if [ -n "$failed" ]; then
    echo "bench: these did not run to their end:$failed" >&2
    exit 1
fi
