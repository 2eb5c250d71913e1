#!/bin/sh
# How fast the socket techniques send, beside iperf3 and beside a bare sendmmsg loop in C (sendmmsg.c).
#
# A sender on one core, a receiver on another, a bridge between them: three network namespaces, two veth pairs.
# Every rate is what the kernel counts at the receiver's interface over one second (meter.c), whoever sends.
#
# iperf3's -l is the UDP payload: -l 22 makes frames of 64 bytes (without FCS), which is P=64; -l 64, as its
# users would write "64 B", makes frames of 106. Both are compared, each with our frames of the same size.
# iperf3 is received by iperf3, septet-gen and the bare loop by septet-gen.
#
# What bounds each is the kernel's work for one packet: 97 to 99 % of a sender's time (perf record -e cpu-clock).
# On veth pairs the sender's core also carries the packet over the bridge and into the receiver's socket. The
# rest is, for iperf3, a clock reading and a call a packet; for septet-gen 70 instructions a packet with
# udp-mmsg (numbering it, a check of its header) and 140 with raw-mmsg (its UDP checksum besides; callgrind).
# A bare loop has nothing, so against it those instructions are all there is to lose.
# shellcheck disable=SC2086  # $at_left and $at_right are several words.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bench=generators
. "$here/../pairs/pairs.sh"
burst=64
window_s=1
# Longer than the meter waits, settles and measures; what is left of it is cut short.
traffic_s=5
needs septet-gen "make build" unshare nsenter ip taskset cc

# Once more, in a network namespace of our own: all links end with it.
if [ "${IN_NAMESPACE:-}" != yes ]; then
    flags=-n
    [ "$(id -u)" -eq 0 ] || flags=-Urn
    unshare $flags true 2>/dev/null || skip "no network namespace can be made here"
    IN_NAMESPACE=yes exec unshare $flags sh "$here/run.sh"
fi

scratch=$(mktemp -d)
# Processes of ours that run; forgotten as soon as they are waited for.
left="" right="" sender="" receiver=""
clean_up() {
    end_if_running $left $right $sender $receiver
    rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

for program in meter sendmmsg; do cc -O2 -o "$scratch/$program" "$here/$program.c"; done

# A namespace lives as long as a process in it, which lives as long as this script holds its input open.
mkfifo "$scratch/hold"
unshare -n cat <"$scratch/hold" &
left=$!
unshare -n cat <"$scratch/hold" &
right=$!
exec 9>"$scratch/hold"
own=$(readlink /proc/self/ns/net)

has_namespace() { [ "$(readlink "/proc/$1/ns/net")" != "$own" ]; }
await has_namespace "$left"
await has_namespace "$right"
# Words, not functions: what is started in the background with them is the program itself, and can be ended.
at_left="nsenter -t $left -n taskset -c $sender_cpu"
at_right="nsenter -t $right -n taskset -c $receiver_cpu"

quiet='for f in all default; do f=/proc/sys/net/ipv6/conf/$f/disable_ipv6; [ ! -e $f ] || echo 1 >$f; done'
sh -c "$quiet"
$at_left sh -c "$quiet"
$at_right sh -c "$quiet"
# Frames are to cross the bridge, not the packet filter.
[ ! -e /proc/sys/net/bridge ] || echo 0 >/proc/sys/net/bridge/bridge-nf-call-iptables
ip link add bridge type bridge
ip link add to_left type veth peer name left address 02:00:00:00:00:01 netns "$left"
ip link add to_right type veth peer name right address 02:00:00:00:00:02 netns "$right"
for port in to_left to_right; do ip link set "$port" master bridge up; done
ip link set bridge up
for end in "left 1 2" "right 2 1"; do
    set -- $end
    if [ "$1" = left ]; then at=$at_left; else at=$at_right; fi
    $at sh -c "ip link set $1 up && ip link set lo up && ip addr add 10.0.0.$2/24 dev $1 &&
        ip neigh add 10.0.0.$3 lladdr 02:00:00:00:00:0$3 dev $1 nud permanent"
done

# request ROLE IO FRAME_BYTES: what septet-gen is asked.
request() {
    client='{"mac":"02:00:00:00:00:01","ipv4":"10.0.0.1","udp_port":5000}'
    server='{"mac":"02:00:00:00:00:02","ipv4":"10.0.0.2","udp_port":6000}'
    case "$1" in
        # No core sends so many, so that nobody ever waits.
        send) ends="\"rate_pps\":20000000,\"local\":$client,\"remote\":$server" name=left ;;
        receive) ends="\"local\":$server,\"remote\":$client" name=right ;;
    esac
    mkdir -p "$scratch/out-$1"
    printf '{"version":1,"role":"%s","io":"%s","port":{"kind":"interface","name":"%s"},"frame_bytes":%s,' "$1" "$2" "$name" "$3"
    printf '"burst":%s,"flows":1,"queues":1,"touch":false,"wait":"spin",%s,' "$burst" "$ends"
    printf '"schedule":{"warmup_ns":0,"duration_ns":%s000000000,"cooldown_ns":0,' "$traffic_s"
    printf '"interval_ns":100000000,"drain_ns_max":200000000},"rtt_samples_max":0,"output":"%s"}\n' "$scratch/out-$1"
}

# ends PID STATUS: waits for a program, which must end with that status; another one spoils the figures.
ends() {
    status=0
    wait "$1" 2>/dev/null || status=$?
    [ "$status" -eq "$2" ] || { echo "generators: a program ended with $status instead of $2" >&2; exit 1; }
}

says() { grep -q "\"event\":\"$2\"" "$scratch/said-$1"; }
start() { echo "{\"command\":\"start\",\"epoch_mono_ns\":$(($("$scratch/meter" now) + 10000000))}"; }

# with_receiver IO FRAME_BYTES COMMAND...: runs the command while septet-gen receives.
with_receiver() {
    mkfifo "$scratch/to-receive"
    $at_right "$SEPTET_BIN/septet-gen" <"$scratch/to-receive" >"$scratch/said-receive" &
    receiver=$!
    exec 8>"$scratch/to-receive"
    request receive "$1" "$2" >&8
    await says receive ready
    start >&8
    shift 2
    "$@"
    echo '{"command":"stop"}' >&8
    # Until it has reported, the end of its input would end it.
    await says receive done
    exec 8>&-
    ends "$receiver" 0
    receiver=""
    rm "$scratch/to-receive"
}

# measure: waits for traffic at the right end and prints its rate.
measure() { $at_right "$scratch/meter" right "$window_s"; }

send_ours() {
    mkfifo "$scratch/to-send"
    $at_left "$SEPTET_BIN/septet-gen" <"$scratch/to-send" >"$scratch/said-send" &
    sender=$!
    exec 7>"$scratch/to-send"
    request send "$1" "$2" >&7
    await says send ready
    start >&7
    measure
    # The end of its input ends it, with 1: its caller is gone.
    exec 7>&-
    ends "$sender" 1
    sender=""
    rm "$scratch/to-send"
}

send_bare() {
    $at_left "$scratch/sendmmsg" "$@" &
    sender=$!
    measure
    kill "$sender"
    ends "$sender" 143
    sender=""
}

# rate_of SENDER FRAME_BYTES: one measurement.
rate_of() {
    case "$1" in
        udp | udp-mmsg | raw | raw-mmsg) with_receiver "$1" "$2" send_ours "$1" "$2" ;;
        bare-udp) with_receiver udp-mmsg "$2" send_bare udp "$2" "$burst" "$traffic_s" ;;
        bare-packet) with_receiver raw-mmsg "$2" send_bare packet "$2" "$burst" "$traffic_s" left ;;
        iperf3) rate_of_iperf3 "$(($2 - 42))" ;;
    esac
}

listens() { $at_right grep -qs ':1451 00000000:0000 0A' /proc/net/tcp; }
rate_of_iperf3() {
    $at_right iperf3 -4 -s -1 >/dev/null 2>&1 &
    receiver=$!
    await listens
    $at_left iperf3 -4 -c 10.0.0.2 -u -b 0 -l "$1" -t "$traffic_s" >/dev/null 2>&1 &
    sender=$!
    measure
    # A client that is gone already has sent nothing worth counting, so this must find it.
    kill "$sender"
    # The server ends with its client, or now; how either of them puts it is iperf3's own affair.
    end_if_running "$sender" "$receiver"
    sender="" receiver=""
}

head_of_table "packets received per second"
if command -v iperf3 >/dev/null 2>&1; then
    compare "udp / iperf3 -l 22 (P=64)" "rate_of udp 64" "rate_of iperf3 64"
    compare "udp-mmsg / iperf3 -l 22 (P=64)" "rate_of udp-mmsg 64" "rate_of iperf3 64"
    compare "udp / iperf3 -l 64 (P=106)" "rate_of udp 106" "rate_of iperf3 106"
    compare "udp-mmsg / iperf3 -l 64 (P=106)" "rate_of udp-mmsg 106" "rate_of iperf3 106"
else
    echo "generators: skipped: the pairs with iperf3, which is not installed"
fi
compare "udp-mmsg / bare sendmmsg, UDP (P=64)" "rate_of udp-mmsg 64" "rate_of bare-udp 64"
compare "raw-mmsg / bare sendmmsg, AF_PACKET (P=64)" "rate_of raw-mmsg 64" "rate_of bare-packet 64"
