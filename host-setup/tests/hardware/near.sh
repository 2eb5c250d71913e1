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
cat >"$HOME/.config/septet/site.toml" <<S
[hosts.north]
here = true
[hosts.south]
[[cables]]
ends = ["north:$card", "south:$far"]
S
mkdir "$work/remote"
cd "$work/remote"
cp "$here/remote.toml" .
state >"$work/before"
check "a plan" septet plan remote.toml
cat "$work/said"
check "a run between two guests, from function over wire to function" septet run -k remote.toml
cat "$work/said"
check "the first host is what it was" same "$work/before"
counts .
ssh south touch /run/enough
finish
