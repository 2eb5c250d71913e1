#!/bin/sh
# These programs beside those of another commit, in turn on the same machine, store for store: nothing to do, one
# test of many to do, and the short commands.
#   BEFORE   the folder of the other commit's programs (none: skipped)
#   MANY     a folder that `SEPTET_MANY_IN=FOLDER cargo bench --workspace --bench many` has left
#   PAIRS    pairs of runs (11); TIMES   how often a command is run in each, since one is short (10)
#
# Each has a copy of the store of its own, and makes its own report of it before anything is timed. A program that
# reads no format newer than 1 gets a store that says so: results and index have not changed since.
set -eu
SEPTET_BIN=${SEPTET_BIN:-$(cd "$(dirname "$0")/.." && pwd)/target/release}
PAIRS=${PAIRS:-11}
TIMES=${TIMES:-10}
if [ -z "${BEFORE:-}" ] || [ -z "${MANY:-}" ]; then
    echo "before: skipped: BEFORE names no programs of another commit, or MANY no folder of many results"
    exit 0
fi
for program in "$SEPTET_BIN/septet" "$BEFORE/septet" "$BEFORE/septet-host"; do
    [ -x "$program" ] || { echo "before: there is no $program" >&2; exit 1; }
done
cmp -s "$SEPTET_BIN/septet-gen" "$BEFORE/septet-gen" || {
    echo "before: the two have different generators, so that nothing stored would count for one of them" >&2
    exit 1
}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

for side in now before; do
    bin=$SEPTET_BIN
    [ "$side" = now ] || bin=$BEFORE
    folder=$scratch/$side
    mkdir -p "$folder/.septet" "$folder/cache"
    cp "$MANY/many.toml" "$MANY/dirty.toml" "$folder"
    cp -a "$MANY/.septet/index" "$MANY/.septet/format" "$folder/.septet"
    cp -al "$MANY/.septet/results" "$MANY/.septet/manifests" "$folder/.septet"
    cd "$folder"
    "$bin/septet" plan dirty.toml >/dev/null 2>&1 || sed -i 's/[0-9][0-9]*/1/' .septet/format
    XDG_CACHE_HOME=$folder/cache "$bin/septet" run many.toml >log 2>&1 || {
        echo "before: the first report failed:" >&2
        tail -n 3 log >&2
        exit 1
    }
done
# Files that changed just now prove nothing; the run after that leaves the stamp from which later ones answer.
sleep 3
for side in now before; do
    bin=$SEPTET_BIN
    [ "$side" = now ] || bin=$BEFORE
    cd "$scratch/$side"
    XDG_CACHE_HOME=$scratch/$side/cache "$bin/septet" run many.toml >/dev/null 2>&1
done

# runs SIDE COMMAND: microseconds of wall time, and of user and system time, of one run of TIMES.
runs() {
    bin=$SEPTET_BIN
    [ "$1" = now ] || bin=$BEFORE
    cd "$scratch/$1"
    began=$(date +%s%N)
    XDG_CACHE_HOME=$scratch/$1/cache /usr/bin/time -o "$scratch/cpu" -f '%U %S' sh -c \
        "i=0; while [ \$i -lt $TIMES ]; do $bin/septet $2 >/dev/null 2>&1 || exit 1; i=\$((i + 1)); done" || {
        echo "before: septet $2 failed in $scratch/$1" >&2
        exit 1
    }
    ended=$(date +%s%N)
    awk -v wall="$((ended - began))" -v times="$TIMES" '{ print wall / times / 1e3, ($1 + $2) / times * 1e6 }' "$scratch/cpu"
}
median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

echo "before: milliseconds a run, medians of $PAIRS pairs of $TIMES runs, and the median of the pairs' ratios; load $(cut -d' ' -f1-3 /proc/loadavg); goal 1.03"
printf '%-24s %9s %9s %7s   %9s %9s %7s\n' command wall before ratio cpu before ratio
for command in "run many.toml" "plan many.toml" "plan dirty.toml" "check many.toml" "host facts"; do
    : >"$scratch/rows"
    pair=0
    while [ "$pair" -lt "$PAIRS" ]; do
        # Who begins takes turns.
        if [ $((pair % 2)) = 0 ]; then
            now=$(runs now "$command")
            before=$(runs before "$command")
        else
            before=$(runs before "$command")
            now=$(runs now "$command")
        fi
        echo "$now $before" >>"$scratch/rows"
        pair=$((pair + 1))
    done
    of() { awk "{ print $1 }" "$scratch/rows" | median; }
    printf '%-24s %9.2f %9.2f %7.3f   %9.2f %9.2f %7.3f\n' "$command" "$(of '$1 / 1e3')" "$(of '$3 / 1e3')" \
        "$(of '$1 / $3')" "$(of '$2 / 1e3')" "$(of '$4 / 1e3')" "$(of '$2 / ($4 + 1e-9)')"
done
