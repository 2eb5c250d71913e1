#!/bin/sh
# How fast septet-gen-dpdk sends, receives and answers, beside DPDK's own testpmd, one core each.
#
#   send / txonly into net_null        a device that drops: what making packets costs. Ours by its own account,
#                                      testpmd's by its port's counter.
#   send / txonly over vhost-user      into a testpmd that only receives, which counts for both
#   receive / rxonly over vhost-user   both fed by our sender, which counts for both
#   round trip, macswap / server       of our client, 4000 packets a second, one by one: medians, us, theirs first;
#                                      at least 0.95, or a difference within 0.5 us, is the goal
#
# testpmd sends one packet over and over; ours writes a number, a time stamp, a check and a UDP checksum into each.
# The last two have both pairs up at once, each stopped while the other has its turn of 0.1 s: how far two virtual
# cores are from each other changes within seconds, and rates with it, so pairs that each begin anew compare cores.
# The distance is measured before each pair of turns; beside all pairs, near and far ones have rows of their own.
#   MEMORY       "--no-huge -m 256", or what else the EAL is to have ("--in-memory --single-file-segments -m 256")
#   WINDOW_S     seconds of one measurement
#   STARTS       how often both pairs are started anew: where a process finds its memory decides over some percent
#   TURNS        pairs of turns of each start
#   ROWS         some of: null pair received answered
#
# What bounds each. Into net_null it is instructions: a packet costs either of them 87 in the driver, nearly all to
# give the buffer back; beyond that testpmd 119, and ours 110: 86 for header, check and checksum, 18 to take a
# buffer, 6 to number (callgrind, DPDK 22.11, bursts of 32). What is the same in all packets is written once, when the
# pool is made; where a driver is not known to leave it alone, for every packet. Over the pair both ends wait for
# each other's cache lines, and the slower end, vhost's, copies. Receiving costs either 340 in the driver; beyond that
# rxonly only gives the buffer back, while ours also looks at what has to be constant, at check and checksum (46 a
# packet, in its disassembly), and counts. Far cores hide that behind the lines that they wait for. Near ones do not: what
# makes up for it there is that ours does not poll at once a queue that had less than a burst.
# shellcheck disable=SC2086  # $memory and the devices are several words.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bench=generators-dpdk
. "$here/../pairs/pairs.sh"
memory=${MEMORY:---no-huge -m 256}
window_s=${WINDOW_S:-1}
starts=${STARTS:-30}
turns=${TURNS:-10}
seconds=$((window_s * 10 + 2)) # tenths, of a generator's schedule
needs septet-gen-dpdk "make build, with libdpdk-dev" dpdk-testpmd stdbuf taskset cc od

scratch=$(mktemp -d)
name=septet-bench-$$
export XDG_RUNTIME_DIR="$scratch"
# An end is left or right, or left2 or right2 of the pair that theirs is in. Each is a process of ours, forgotten as
# soon as it is waited for.
left="" right="" left2="" right2=""
clean_up() {
    end_if_running $left $right $left2 $right2
    rm -rf "$scratch" "/var/run/dpdk/$name-"left* "/var/run/dpdk/$name-"right*
}
trap clean_up EXIT
trap 'exit 130' INT TERM
cc -O2 -o "$scratch/meter" "$here/../generators/meter.c"
cc -O2 -pthread -o "$scratch/apart" "$here/apart.c"

# Nobody inherits another's way in, or closing it would end nothing.
# opens END: the way to the standard input of what was started there last; `tell END LINE` uses it.
opens() { eval "$1=$! && exec $(descriptor "$1")>\"$scratch/to-$1\""; }
closes() { eval "$1= && exec $(descriptor "$1")>&-"; }
tell() { eval "echo \"\$2\" >&$(descriptor "$1")"; }
descriptor() {
    case "$1" in
        left) echo 5 ;;
        right) echo 6 ;;
        left2) echo 7 ;;
        right2) echo 8 ;;
    esac
}
mkfifo "$scratch/to-left" "$scratch/to-right" "$scratch/to-left2" "$scratch/to-right2"

says() { grep -q "$2" "$scratch/said-$1"; }

socket() { echo "$scratch/socket${1##*t}"; }
vhost() { echo "--vdev net_vhost0,iface=$(socket "$1")"; }
virtio() { echo "--vdev net_virtio_user0,path=$(socket "$1"),mac=02:00:00:00:00:01"; }
listens() { await test -S "$(socket "$1")"; }
cpu_of() { case "$1" in left*) echo "$sender_cpu" ;; *) echo "$receiver_cpu" ;; esac; }
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
    "$SEPTET_BIN/septet-gen-dpdk" <"$scratch/to-$end" >"$scratch/said-$end" 2>"$scratch/log-$end" 5>&- 6>&- 7>&- 8>&- &
    opens "$end"
    tell "$end" "{\"version\":1,\"role\":\"$role\",\"io\":\"dpdk\",\"port\":{\"kind\":\"dpdk\",\"eal_args\":[$(json_words \
        --no-pci --lcores "0@$(cpu_of "$end")" --file-prefix "$name-$end" $memory "$@")]},\"frame_bytes\":64,\"burst\":$burst,\
$rate\"flows\":1,\"queues\":1,\"touch\":false,\"wait\":\"spin\",\"schedule\":{\"warmup_ns\":0,\
\"duration_ns\":${seconds}00000000,\"cooldown_ns\":0,\"interval_ns\":10000000,\"drain_ns_max\":100000000},\
$ends,\"rtt_samples_max\":1000000,\"output\":\"$scratch/out-$end\"}"
}
now() { "$scratch/meter" now; }
start() { tell "$1" "{\"command\":\"start\",\"epoch_mono_ns\":$2}"; }
stop() { tell "$1" '{"command":"stop"}'; }
# reports END: waits until a sender or client has ended its traffic. Not by polling while it lasts: that costs time of
# the very cores that are measured.
reports() { sleep "$window_s" && sleep 0.2 && has_reported "$1"; }
has_reported() {
    await says "$1" '"done"'
    leaves "$1"
}
# leaves END: waits for what was told to end, or has reported; ours stays until its input ends.
leaves() {
    eval "process=\$$1"
    closes "$1"
    wait "$process"
}
field() { sed -n "s/.*\"$2\":\([0-9]*\).*/\1/p" "$scratch/said-$1" | tail -n 1; }
# Packets sent a second of the schedule, by a sender's account.
rate_of() { echo $(($(field "$1" sent) * 10 / seconds)); }

# testpmd END MODE DEVICE...: starts testpmd, forwarding.
testpmd() {
    end=$1 mode=$2
    shift 2
    cpu=$(cpu_of "$end")
    : >"$scratch/said-$end"
    stdbuf -oL dpdk-testpmd --no-pci --lcores "0@$cpu,1@$cpu" --file-prefix "$name-$end" $memory "$@" -- -i --no-mlockall \
        --total-num-mbufs=16384 --forward-mode="$mode" <"$scratch/to-$end" >"$scratch/said-$end" 2>"$scratch/log-$end" \
        5>&- 6>&- 7>&- 8>&- &
    opens "$end"
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
    if grep -q testpmd "$scratch/said-$1"; then tell "$1" quit; else stop "$1"; fi
    leaves "$1" || { echo "generators-dpdk: the $1 end failed:" >&2; tail -n 3 "$scratch/said-$1" "$scratch/log-$1" >&2; return 1; }
}
soon() { echo $(($(now) + 10000000)); }
fast=1000000000
# Cores that share a cache exchange a line, there and back, in less.
near_ns=150

# One function a measurement; each prints a number.
ours_null() {
    generator left send $fast 32 --vdev net_null0
    await says left ready && start left "$(soon)" && reports left
    rate_of left
}
theirs_null() {
    testpmd left txonly --vdev net_null0
    pps left Tx-pps && ends left
}
sink() {
    rm -f "$(socket right)"
    testpmd right rxonly $(vhost right) && listens right
}
ours_pair() {
    sink
    generator left send $fast 32 $(virtio left)
    await says left ready && start left "$(soon)" && sleep 0.1
    pps right Rx-pps >"$scratch/rate"
    has_reported left && ends right && cat "$scratch/rate"
}
theirs_pair() {
    sink
    testpmd left txonly $(virtio left)
    pps right Rx-pps >"$scratch/rate"
    ends left && ends right && cat "$scratch/rate"
}

# take_turns ROLE ANSWER MODE RATE BURST: has ours in ROLE send to ours that does ANSWER, and the same to testpmd in
# MODE, turn by turn; what they recorded is then in out-left and out-left2, and whose turn was when in `turns`.
take_turns() {
    rm -f "$(socket right)" "$(socket right2)"
    # Two turns, and what starting them costs on a busy machine.
    seconds=$((turns * 3 + 30))
    generator right "$2" 0 32 $(vhost right)
    testpmd right2 "$3" $(vhost right2)
    for end in left left2; do
        listens "right${end#left}"
        generator "$end" "$1" "$4" "$5" $(virtio "$end")
    done
    await says left ready && await says right ready && await says left2 ready
    epoch=$(soon)
    start right "$epoch" && start left "$epoch" && start left2 "$epoch"
    turn=0
    while [ "$turn" -lt "$turns" ]; do
        kill -STOP $left $right $left2 $right2
        apart_ns=$("$scratch/apart" "$sender_cpu" "$receiver_cpu")
        if [ $((turn % 2)) -eq 0 ]; then mine && theirs; else theirs && mine; fi
        turn=$((turn + 1))
    done >"$scratch/turns"
    kill -CONT $left $right $left2 $right2
    stop left && stop left2
    has_reported left && has_reported left2 && ends right && ends right2
}
mine() { kill -STOP $left2 $right2 && kill -CONT $left $right && has_turn left; }
theirs() { kill -STOP $left $right && kill -CONT $left2 $right2 && has_turn left2; }
has_turn() {
    from=$(now)
    sleep 0.1
    echo "$turn $1 $((from - epoch)) $(($(now) - epoch)) $apart_ns"
}
# by_turn TITLE VALUES NUMERATOR DENOMINATOR MEASUREMENT [WITHIN]: runs the measurement, and prints a row of the values
# of two ends, which VALUES finds in what they recorded, for each distance of the cores.
by_turn() {
    sort="$here/../pairs/sort.awk"
    : >"$scratch/all-pairs"
    start=0
    while [ "$start" -lt "$starts" ]; do
        $5
        $2 "$3" && $2 "$4"
        awk -f "$sort" -f "$here/../pairs/turns.awk" "$scratch/turns" "$scratch/values-$3" "$scratch/values-$4" \
            | awk -v start="$start" '{ print $1, $2, start, $3 }' >>"$scratch/all-pairs"
        start=$((start + 1))
    done
    for distance in all near far; do
        awk -v near_ns=$near_ns -v wanted=$distance \
            'wanted == "all" || ($4 < near_ns ? "near" : "far") == wanted' "$scratch/all-pairs" >"$scratch/pairs"
        [ ! -s "$scratch/pairs" ] || awk -v name="$1, $distance" -v goal="$goal" -v within="${6:-0}" \
            -f "$sort" -f "$here/../pairs/ratio.awk" "$scratch/pairs"
    done
}
# Packets that a sender's port took, a second, interval by interval.
rates() { od -An -v -tu4 -w48 "$scratch/out-$1/intervals.bin" | awk '{ print (NR - 1) * 10000000, $2 * 100 }' >"$scratch/values-$1"; }
# Round trips, ns, by when each burst was due.
round_trips() { od -An -v -tu4 -w16 "$scratch/out-$1/rtt.bin" | awk '{ print $1 * 250000, $4 }' >"$scratch/values-$1"; }
received() {
    by_turn "receive / rxonly, vhost-user pair (P=64)" rates left left2 "take_turns send receive rxonly $fast 32"
}
answered() {
    # Times, not rates: turned round, more is better again.
    goal=0.95
    by_turn "round trip us, theirs (macswap) / ours (server)" round_trips left2 left \
        "take_turns client server macswap 4000 1" 500
}

head_of_table "packets per second"
for row in ${ROWS:-null pair received answered}; do
    case "$row" in
        null) compare "send / txonly, net_null (P=64)" ours_null theirs_null ;;
        pair) compare "send / txonly, vhost-user pair (P=64)" ours_pair theirs_pair ;;
        received | answered) "$row" ;;
    esac
done
