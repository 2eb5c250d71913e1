#!/bin/sh
# How fast septet-gen-dpdk sends, receives and answers, beside DPDK's own testpmd, one core each.
#
#   send / txonly into net_null        a device that drops: what making packets costs. Ours by its own account,
#                                      testpmd's by its port's counter.
#   send / txonly over vhost-user      into a testpmd that only receives, which counts for both
#   receive / rxonly over vhost-user   both fed by our sender, which counts for both
#   round trip, macswap / server       of our client at 1000 bursts a second of 4: medians, us, theirs first; at least
#                                      0.95 is the goal
#
# testpmd sends one packet over and
# over; ours writes a number, a time stamp, a check and a UDP checksum into each.
#   MEMORY       "--no-huge -m 256", or what else the EAL is to have ("--in-memory --single-file-segments -m 256")
#   WINDOW_S     seconds of one measurement
#   ROWS         some of: null pair received answered
#
# What bounds each. Into net_null it is instructions: a packet costs either of them 87 in the driver, nearly all to
# give the buffer back; beyond that testpmd 119, and ours 110: 86 for header, check and checksum, 18 to take a
# buffer, 6 to number (callgrind, DPDK 22.11, bursts of 32). What is the same in all packets is written once, when the
# pool is made; where a driver is not known to leave it alone, for every packet. Over the pair both ends wait for
# each other's cache lines, and the slower end, vhost's, copies.
# shellcheck disable=SC2086  # $memory and the devices are several words.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bench=generators-dpdk
. "$here/../pairs/pairs.sh"
memory=${MEMORY:---no-huge -m 256}
window_s=${WINDOW_S:-1}
needs septet-gen-dpdk "make build, with libdpdk-dev" dpdk-testpmd stdbuf taskset cc od

scratch=$(mktemp -d)
name=septet-bench-$$
export XDG_RUNTIME_DIR="$scratch"
# Processes of ours that run; forgotten as soon as they are waited for.
left="" right=""
clean_up() {
    end_if_running $left $right
    rm -rf "$scratch" "/var/run/dpdk/$name-left" "/var/run/dpdk/$name-right"
}
trap clean_up EXIT
trap 'exit 130' INT TERM
cc -O2 -o "$scratch/meter" "$here/../generators/meter.c"
mkfifo "$scratch/to-left" "$scratch/to-right"

says() { grep -q "$2" "$scratch/said-$1"; }

vhost="--vdev net_vhost0,iface=$scratch/socket"
virtio() { echo "--vdev net_virtio_user0,path=$scratch/socket,mac=02:00:00:00:00:0$1"; }
cpu_of() { [ "$1" = left ] && echo "$sender_cpu" || echo "$receiver_cpu"; }
json_words() { for word in "$@"; do printf '"%s",' "$word"; done | sed 's/,$//'; }

# generator END ROLE RATE BURST DEVICE...: starts ours and waits until it is ready, or not (for a vhost port).
generator() {
    end=$1 role=$2 rate=$3 burst=$4
    shift 4
    mkdir -p "$scratch/out-$end"
    here_end='{"mac":"02:00:00:00:00:01","ipv4":"10.0.0.1","udp_port":5000}'
    # The same address and port for both: then what macswap sends back is an answer.
    there_end='{"mac":"02:00:00:00:00:02","ipv4":"10.0.0.1","udp_port":5000}'
    case "$role" in
        send | client) ends="\"local\":$here_end,\"remote\":$there_end" rate="\"rate_pps\":$rate," ;;
        *) ends="\"local\":$there_end,\"remote\":$here_end" rate="" ;;
    esac
    : >"$scratch/said-$end"
    "$SEPTET_BIN/septet-gen-dpdk" <"$scratch/to-$end" >"$scratch/said-$end" 2>"$scratch/log-$end" &
    eval "$end=$!"
    [ "$end" = left ] && exec 7>"$scratch/to-left" || exec 8>"$scratch/to-right"
    tell "$end" "{\"version\":1,\"role\":\"$role\",\"io\":\"dpdk\",\"port\":{\"kind\":\"dpdk\",\"eal_args\":[$(json_words \
        --no-pci --lcores "0@$(cpu_of "$end")" --file-prefix "$name-$end" $memory "$@")]},\"frame_bytes\":64,\"burst\":$burst,\
$rate\"flows\":1,\"queues\":1,\"touch\":false,\"wait\":\"spin\",\"schedule\":{\"warmup_ns\":0,\
\"duration_ns\":$((window_s * 1000000000 + 200000000)),\"cooldown_ns\":0,\"interval_ns\":10000000,\"drain_ns_max\":100000000},\
$ends,\"rtt_samples_max\":1000000,\"output\":\"$scratch/out-$end\"}"
}
tell() { if [ "$1" = left ]; then echo "$2" >&7; else echo "$2" >&8; fi; }
start() { tell "$1" "{\"command\":\"start\",\"epoch_mono_ns\":$(($("$scratch/meter" now) + 10000000))}"; }
# reports END: waits until a sender or client has ended its traffic. Not by polling while it lasts: that costs time of
# the very cores that are measured.
reports() { sleep "$window_s" && sleep 0.2 && await says "$1" '"done"'; }
field() { sed -n "s/.*\"$2\":\([0-9]*\).*/\1/p" "$scratch/said-$1" | tail -n 1; }
# Packets sent a second of the schedule, by a sender's account.
rate_of() { echo $(($(field "$1" sent) * 10 / (window_s * 10 + 2))); }

# testpmd END MODE DEVICE...: starts testpmd, forwarding.
testpmd() {
    end=$1 mode=$2
    shift 2
    cpu=$(cpu_of "$end")
    : >"$scratch/said-$end"
    stdbuf -oL dpdk-testpmd --no-pci --lcores "0@$cpu,1@$cpu" --file-prefix "$name-$end" $memory "$@" -- -i --no-mlockall \
        --total-num-mbufs=16384 --forward-mode="$mode" <"$scratch/to-$end" >"$scratch/said-$end" 2>"$scratch/log-$end" &
    eval "$end=$!"
    [ "$end" = left ] && exec 7>"$scratch/to-left" || exec 8>"$scratch/to-right"
    await says "$end" '^Done'
    tell "$end" start
    await says "$end" 'packet forwarding'
}
# Packets a second of testpmd's port, from its own clock and counter: KEY is Rx-pps or Tx-pps.
pps() {
    before=$(lines "$1" "$2")
    tell "$1" "show port stats 0"
    await more_than "$1" "$2" "$before"
    sleep "$window_s"
    tell "$1" "show port stats 0"
    await more_than "$1" "$2" $((before + 1))
    sed -n "s/.*$2: *\([0-9]*\).*/\1/p" "$scratch/said-$1" | tail -n 1
}
lines() { awk -v part="$2" '$0 ~ part { count++ } END { print count + 0 }' "$scratch/said-$1"; }
more_than() { [ "$(lines "$1" "$2")" -gt "$3" ]; }
# ends END: ends whatever runs there, as it likes to be ended.
ends() {
    if [ "$1" = left ]; then process=$left; else process=$right; fi
    if grep -q testpmd "$scratch/said-$1"; then tell "$1" quit; else tell "$1" '{"command":"stop"}'; fi
    # What has reported is gone already.
    wait "$process" || { echo "generators-dpdk: the $1 end failed:" >&2; tail -n 3 "$scratch/said-$1" "$scratch/log-$1" >&2; return 1; }
    if [ "$1" = left ]; then left="" && exec 7>&-; else right="" && exec 8>&-; fi
}
fast=1000000000

# One function a measurement; each prints a number.
ours_null() {
    generator left send $fast 32 --vdev net_null0
    await says left ready && start left && reports left
    rate_of left && wait "$left" && left="" && exec 7>&-
}
theirs_null() {
    testpmd left txonly --vdev net_null0
    pps left Tx-pps && ends left
}
sink() { testpmd right rxonly $vhost && await test -S "$scratch/socket"; }
ours_pair() {
    sink
    generator left send $fast 32 $(virtio 1)
    await says left ready && start left && sleep 0.1
    pps right Rx-pps >"$scratch/rate"
    await says left '"done"' && wait "$left" && left="" && exec 7>&-
    ends right && cat "$scratch/rate"
}
theirs_pair() {
    sink
    testpmd left txonly $(virtio 1)
    pps right Rx-pps >"$scratch/rate"
    ends left && ends right && cat "$scratch/rate"
}
feed() {
    generator left send $fast 32 $(virtio 1)
    await says left ready
    [ "$1" = ours ] && await says right ready && start right
    start left && reports left
    rate_of left >"$scratch/rate"
    wait "$left" && left="" && exec 7>&-
    ends right && cat "$scratch/rate"
}
ours_received() {
    generator right receive 0 32 $vhost
    await test -S "$scratch/socket" && feed ours
}
theirs_received() { sink && feed theirs; }
ask() {
    generator left client 4000 4 $(virtio 1)
    await says left ready
    [ "$1" = ours ] && await says right ready && start right
    start left && reports left && wait "$left" && left="" && exec 7>&-
    ends right
    od -An -v -tu4 -w16 "$scratch/out-left/rtt.bin" | awk '{ print $4 }' | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}
ours_answered() {
    generator right server 0 32 $vhost
    await test -S "$scratch/socket" && ask ours
}
theirs_answered() {
    testpmd right macswap $vhost
    await test -S "$scratch/socket" && ask theirs
}

head_of_table "packets per second"
for row in ${ROWS:-null pair received answered}; do
    case "$row" in
        null) compare "send / txonly, net_null (P=64)" ours_null theirs_null ;;
        pair) compare "send / txonly, vhost-user pair (P=64)" ours_pair theirs_pair ;;
        received) compare "receive / rxonly, vhost-user pair (P=64)" ours_received theirs_received ;;
        # Times, not rates: turned round, more is better again.
        answered) goal=0.95 && compare "round trip us, theirs (macswap) / ours (server)" theirs_answered ours_answered ;;
    esac
done
