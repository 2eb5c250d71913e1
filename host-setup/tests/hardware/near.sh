#!/bin/sh
# In the first of two guests: measures over virtual functions of both their cards and the cable between them.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
modules
card=$(interface 52:54:00:00:00:01)
line=$(interface 52:54:00:00:09:01)
ip link set "$line" up
ip addr add 10.99.0.1/24 dev "$line"
cp -r "$(cat "$here/../../../target/hardware/keys-folder")" /run/keys
chmod 700 /run/keys
chmod 600 /run/keys/*
mkdir -p "$work/home/.ssh" "$work/home/.config/septet"
export HOME=$work/home
cat >/etc/ssh/ssh_config <<S
Host south
    HostName 10.99.0.2
    User root
    IdentityFile /run/keys/client
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
S
tries=0
until ssh south true 2>/dev/null || [ "$tries" = 200 ]; do tries=$((tries + 1)); sleep 1; done
check "the second guest is reached" ssh south true
far=$(ssh south "grep -l 52:54:00:00:01:01 /sys/class/net/*/address | cut -d / -f 5")
site() { # UPLINK: by what switches of DPDK's get at both cards
    cat >"$HOME/.config/septet/site.toml" <<S
[hosts.north]
here = true
uplink = "$1"
[hosts.south]
uplink = "$1"
[[cables]]
ends = ["north:$card", "south:$far"]
S
}
measure() { # EXPERIMENT TESTS WHAT
    mkdir "$work/$1"
    cd "$work/$1"
    cp "$here/$1.toml" .
    check "a run between two guests, $3" ran "$1.toml"
    cat "$work/said"
    check "each of $2 tests is measured" measured "$2"
    check "the first host is what it was" same "$work/before"
    counts .
    echo "($1 is through $(cut -d . -f 1 /proc/uptime) s after the guest's start)"
}
restored() { # whoever of the dead agent's still lives holds the host a moment longer
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        if septet host restore; then return 0; fi
        sleep 0.5
    done
    return 1
}
is_away() { [ "$(basename "$(readlink "/sys/bus/pci/devices/$address/driver")")" = vfio-pci ]; }
sudden_death() { # of a run and its agent, while a switch has the card whole
    cd "$work/uplink"
    septet run --force "V=ovs" uplink.toml >run.log 2>&1 &
    run=$!
    while ! is_away && kill -0 "$run" 2>/dev/null; do sleep 0.1; done
    check "the kernel has the card no more" is_away
    kill -9 "$run" "$(pgrep -o -P "$run" -x septet-host)"
    wait "$run" 2>/dev/null || echo "  killed, with its agent"
    check "the host is restored" restored
    check "the first host is what it was" same "$work/before"
}
address=$(basename "$(readlink "/sys/class/net/$card/device")")
state >"$work/before"
for part in ${PARTS:-remote uplink}; do
    case $part in
        remote) site af-packet; measure remote 4 "from function over wire to function" ;;
        uplink)
            site pci
            septet host check | grep -A9 '^stand'
            measure uplink 3 "from switch to switch that have their cards whole"
            sudden_death
            ;;
        *) check "a part called $part" false ;;
    esac
done
ssh south touch /run/enough
finish
