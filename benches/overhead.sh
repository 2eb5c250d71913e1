#!/bin/sh
# What a test costs beyond its traffic, with each container runtime: real runs of a temporary experiment.
#
# Of each repetition's record: the whole time less warm-up, window and cool-down. The drain is still in it (end
# markers for 64 ms, then 20 ms of quiet), so what is shown is above what the goals speak of. The paper's own
# scripts took 108 s a test.
#
# What bounds it: the end markers and the drain, which are waiting by design; then, for netns and lxc alike, the
# kernel's taking down of network namespaces. LXC adds the start of one lxc-execute a container. Over DPDK: the start
# of its environment in each program, and for ovs its packet buffers.
set -eu
SEPTET_BIN=${SEPTET_BIN:-$(cd "$(dirname "$0")/.." && pwd)/target/release}
repetitions=${REPETITIONS:-10}

for program in septet septet-host septet-gen; do
    [ -x "$SEPTET_BIN/$program" ] || { echo "overhead: skipped: there is no $SEPTET_BIN/$program (make build)"; exit 0; }
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

experiment() {
    cat <<END
[experiment]
name = "overhead"
[protocol]
duration = "100ms"
warmup = "20ms"
cooldown = "20ms"
repetitions = $repetitions
[[tests]]
id = "tests"
D = ["latency", "throughput"]
L = "local"
S = "1vs1"
V = "$2"
P = 64
R = 1000
B = 4
runtime = "$1"
END
}
traffic_ms=140

# The numbers of field $1 in the records on standard input.
numbers() { sed -n "s/^ *\"$1\": \([0-9]*\),\{0,1\}\$/\1/p"; }
# median: of the numbers on standard input.
median() { sort -n | awk '{ v[NR] = $1 } END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }

echo "overhead: milliseconds a repetition beyond its $traffic_ms ms of traffic, medians; goals: netns 500, lxc 1000, over DPDK 1000, ovs 3000"
printf '%-21s %6s %9s %9s  %-8s  %s\n' "runtime and switch" tests beyond slowest "" "of it: build, ready, traffic and drain beyond, collect, teardown"
for goal in "netns linux-bridge 500" "lxc linux-bridge 1000" "netns direct 1000" "netns testpmd 1000" "netns basicfwd 1000" \
    "netns ovs 3000" "lxc ovs 3000"; do
    way=${goal% *}
    folder=$scratch/${way% *}-${way#* }
    mkdir "$folder"
    experiment "${way% *}" "${way#* }" >"$folder/overhead.toml"
    store=$folder/store
    if ! "$SEPTET_BIN/septet" run "$folder/overhead.toml" --store "$store" -o "$folder/out" >"$folder/log" 2>&1; then
        echo "$way: septet run failed:" >&2
        tail -n 5 "$folder/log" >&2
        continue
    fi
    "$SEPTET_BIN/septet" plan "$folder/overhead.toml" --store "$store" --json \
        | sed -n 's/^ *"key": "\([0-9a-f]*\)".*/\1/p' >"$folder/keys"
    while read -r key; do "$SEPTET_BIN/septet" show "$key" --store "$store" --json; done <"$folder/keys" >"$folder/records"
    numbers total_ms <"$folder/records" >"$folder/total_ms"
    if [ ! -s "$folder/total_ms" ]; then
        printf '%-21s skipped: %s\n' "$way" "$(grep -i -m 1 skipped "$folder/log" || echo "nothing was measured")"
        continue
    fi
    of() { numbers "$1" <"$folder/records" | median; }
    awk -v way="$way" -v goal="${goal##* }" -v traffic="$traffic_ms" -v tests="$(wc -l <"$folder/total_ms")" \
        -v total="$(median <"$folder/total_ms")" -v slowest="$(sort -n "$folder/total_ms" | tail -n 1)" -v build="$(of build_ms)" \
        -v ready="$(of ready_ms)" -v sent="$(of traffic_ms)" -v collect="$(of collect_ms)" -v teardown="$(of teardown_ms)" '
        BEGIN {
            printf "%-21s %6d %9.0f %9.0f  %-8s  %.0f, %.0f, %.0f, %.0f, %.0f\n", way, tests, total - traffic,
                slowest - traffic, (total - traffic < goal ? "PASS" : "above"), build, ready, sent - traffic, collect, teardown
        }'
done
