#!/bin/sh
# In a second guest: a host that is reached by ssh over the line between the guests, until it is told to end. KEYS is a
# folder with keys for both guests, on this machine's own disk.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
modules
ip link set "$(interface 52:54:00:00:09:02)" up
ip addr add 10.99.0.2/24 dev "$(interface 52:54:00:00:09:02)"
cp -r "$(cat "$here/../../../target/hardware/keys-folder")" /run/keys
chmod 700 /run/keys
chmod 600 /run/keys/*
mkdir -p /run/sshd
state >/run/before
/usr/sbin/sshd -o HostKey=/run/keys/host -o AuthorizedKeysFile=/run/keys/client.pub -o StrictModes=no -o UsePAM=no \
    -o PermitRootLogin=yes -o PidFile=none -o ListenAddress=10.99.0.2 -f /dev/null
while [ ! -e /run/enough ]; do sleep 1; done
check "the second host is what it was" same /run/before
finish
