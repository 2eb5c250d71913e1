#!/bin/sh
# In the guest: measures over virtual functions with Septet's own commands, and holds what the host is against what it
# was, after each run and after deaths at random instants.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
programs=$(cd "$here/../../../target/release" && pwd)
PATH=$programs:$PATH
export PATH NO_COLOR=1
work=$(mktemp -d)
cd "$work"
failed=0
check() { # what, condition's exit code
    if [ "$2" = 0 ]; then echo "ok: $1"; else echo "FAILED: $1"; failed=1; fi
}

for module in igb igbvf vfio-pci acpi-cpufreq cpufreq_powersave bridge veth; do modprobe "$module" || echo "no module $module"; done
card=$(grep -l 52:54:00:00:00:01 /sys/class/net/*/address | cut -d / -f 5)
other=$(grep -l 52:54:00:00:00:02 /sys/class/net/*/address | cut -d / -f 5)
ip link set "$other" up
echo "card $card, cabled to $other"

# All that a lease may change, and what hangs on it.
state() {
    for file in /sys/class/net/*/device/sriov_numvfs /sys/class/net/*/device/sriov_drivers_autoprobe \
        /sys/devices/system/cpu/cpufreq/policy*/scaling_governor /sys/devices/system/cpu/cpufreq/policy*/scaling_m??_freq \
        /sys/devices/system/cpu/smt/control /sys/devices/system/node/node*/hugepages/*/nr_hugepages \
        /proc/irq/default_smp_affinity /proc/irq/*/smp_affinity_list /sys/kernel/mm/transparent_hugepage/enabled; do
        if [ -e "$file" ]; then echo "$file $(cat "$file")"; fi
    done
    for device in /sys/bus/pci/devices/*; do echo "$device $(readlink "$device/driver")"; done
    ip -o link | sed 's/^[0-9]*: //; s/ qdisc .*//' | sort
    if [ -d /run/septet ]; then ls /run/septet; fi
}

echo "== host check"
septet host check || echo "exit code $?"
cp "$here/sriov.toml" .
state >before
echo "== plan"
septet plan sriov.toml
echo "== run"
septet run -k sriov.toml && status=0 || status=$?
check "run ends with 0 (it was $status)" "$status"
state >after
diff before after && same=0 || same=1
check "the host is what it was" $same
septet report sriov.toml >report.log 2>&1 || { cat report.log; failed=1; }
cat out/hardware/tables/received.csv || failed=1
septet status sriov.toml || failed=1

exit $failed
