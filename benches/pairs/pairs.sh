# What the benchmarks that set two programs side by side have in common; sourced by them, after `bench=NAME`.
#
# Each measurement is a command that prints one number, more being better. Pairs are interleaved, and whoever was
# first in one is second in the next.
#   PAIRS, SEPTET_BIN, SENDER_CPU, RECEIVER_CPU
# shellcheck shell=sh disable=SC2034,SC2086,SC2154  # Used by, and words given by, whoever sources this.
PAIRS=${PAIRS:-11}
SEPTET_BIN=${SEPTET_BIN:-$(cd "$here/../.." && pwd)/target/release}
sender_cpu=${SENDER_CPU:-0}
receiver_cpu=${RECEIVER_CPU:-1}
goal=0.97

skip() {
    echo "$bench: skipped: $1"
    exit 0
}

# needs GENERATOR HOW PROGRAM...: what a benchmark cannot do without; HOW is what makes the generator.
needs() {
    [ -x "$SEPTET_BIN/$1" ] || skip "there is no $SEPTET_BIN/$1 ($2)"
    shift 2
    for program in "$@"; do
        command -v "$program" >/dev/null 2>&1 || skip "$program is not installed"
    done
    taskset -c "$sender_cpu,$receiver_cpu" true 2>/dev/null && [ "$sender_cpu" != "$receiver_cpu" ] \
        || skip "cores $sender_cpu and $receiver_cpu are not both ours"
}

# end_if_running PID...: ends what still runs or is stopped, and waits for it; how it ended is then nobody's concern.
end_if_running() {
    for process in "$@"; do
        if kill -CONT "$process" 2>/dev/null && kill "$process"; then wait "$process" 2>/dev/null || ended=$?; fi
    done
}

# await COMMAND...: polls until the command succeeds; gives up after 30 s.
await() {
    tries=0
    until "$@" 2>/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -lt 3000 ] || { echo "$bench: waited too long for: $*" >&2; return 1; }
        sleep 0.01
    done
}

# The share of one second that the processors were not idle, before anything of this runs.
busy_percent() {
    first=$(head -n 1 /proc/stat)
    sleep 1
    echo "$first $(head -n 1 /proc/stat)" | awk '{
        for (i = 2; i <= 9; i++) total += $(i + NF / 2) - $i
        print int(100 - 100 * ($(5 + NF / 2) - $5 + $(6 + NF / 2) - $6) / total)
    }'
}

# head_of_table WHAT: what the numbers are, and what spoils them.
head_of_table() {
    busy=$(busy_percent)
    [ "$busy" -le 10 ] || echo "$bench: others keep $busy % of this machine busy: ratios will scatter, rates mean nothing"
    echo "$bench: $1, in thousands; goal: lower end of the interval at least $goal"
    printf '%-44s %9s %9s %7s  %-14s  %5s\n' "ours / theirs" ours theirs ratio "95% interval" pairs
}

# compare TITLE NUMERATOR DENOMINATOR: a row of the table, of two measurements.
compare() {
    : >"$scratch/pairs"
    pair=0
    while [ "$pair" -lt "$PAIRS" ]; do
        # Not in a subshell: what a measurement starts is to be known to whoever cleans up.
        if [ $((pair % 2)) -eq 0 ]; then
            $2 >"$scratch/first"
            $3 >"$scratch/second"
        else
            $3 >"$scratch/second"
            $2 >"$scratch/first"
        fi
        echo "$(cat "$scratch/first") $(cat "$scratch/second")" >>"$scratch/pairs"
        pair=$((pair + 1))
    done
    awk -v name="$1" -v goal="$goal" -f "$here/../pairs/sort.awk" -f "$here/../pairs/ratio.awk" "$scratch/pairs"
}
