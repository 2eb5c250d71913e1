#!/bin/sh
# In the guest: everything that is shown there, one part after another. PARTS names some of them.
set -u
here=$(cd "$(dirname "$0")" && pwd)
folder=$here/../../../target/hardware
. "$here/lib.sh"
modules
card=$(interface 52:54:00:00:00:01)
other=$(interface 52:54:00:00:00:02)
ip link set "$other" up
echo "card $card, cabled to $other"
for part in ${PARTS:-check sriov provisioning deaths paper}; do
    . "$here/$part.sh"
    echo "($part is through $(cut -d . -f 1 /proc/uptime) s after the guest's start)"
done
finish
