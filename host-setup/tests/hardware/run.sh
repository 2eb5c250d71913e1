#!/bin/sh
# `make test-hardware`: brings what a guest is made of, boots it, shows everything in it, and tries once more, told, if it
# fails. REMOTE=yes boots two guests with a cable between them instead.
#   run.sh FOLDER
set -u
here=$(cd "$(dirname "$0")" && pwd)
folder=$1
[ "$(id -u)" = 0 ] || { echo "hardware: the guest's root is this machine's own, which takes root to show" >&2; exit 3; }
sh "$here/fetch.sh" "$folder" || exit 1
folder=$(cd "$folder" && pwd)
# Hyper-threads and NUMA nodes as they come; the second node's CPUs are isolated.
isolated="isolcpus=4-7 nohz_full=4-7"

local_() { SECONDS_MOST=${SECONDS_MOST:-600} sh "$here/guest.sh" "$folder" "$here/all.sh" "$isolated"; }

remote() {
    keys=$(mktemp -d "$folder/keys.XXXXXX")
    echo "$keys" >"$folder/keys-folder"
    ssh-keygen -q -t ed25519 -N '' -f "$keys/host"
    ssh-keygen -q -t ed25519 -N '' -f "$keys/client"
    # The cable is a port of the hub that the card is on, the line for ssh another card.
    wire="-netdev stream,id=wire,addr.type=unix,addr.path=$keys/wire,server=SERVER"
    line="-netdev stream,id=line,addr.type=unix,addr.path=$keys/line,server=SERVER"
    more="$wire -netdev hubport,hubid=0,id=plug,netdev=wire $line -device virtio-net-pci,bus=pcie.0,netdev=line,mac=52:54:00:00:09:0"
    export SECONDS_MOST="${SECONDS_MOST:-450}" CPUS=8
    GUEST=0 QEMU_MORE=$(echo "$more" | sed 's/SERVER/on/g')1 sh "$here/guest.sh" "$folder" "$here/near.sh" "$isolated" >"$keys/near.log" 2>&1 &
    near=$!
    tries=0
    while [ ! -S "$keys/line" ] && [ "$tries" -lt 100 ]; do tries=$((tries + 1)); sleep 0.1; done
    status=0
    GUEST=1 QEMU_MORE=$(echo "$more" | sed 's/SERVER/off/g')2 sh "$here/guest.sh" "$folder" "$here/far.sh" "$isolated" >"$keys/far.log" 2>&1 || status=$?
    wait "$near" || status=$?
    sed 's/^/first:  /' "$keys/near.log"
    sed 's/^/second: /' "$keys/far.log"
    rm -rf "$keys"
    return "$status"
}

once() { if [ "${REMOTE:-}" = yes ]; then remote; else local_; fi; }

once && exit 0
echo "hardware: it failed, as above; once more, since an emulated machine now and then hangs"
once
