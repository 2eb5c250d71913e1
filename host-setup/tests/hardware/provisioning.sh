# In the guest: one run that sets everything which a run can set, looked at from outside while it measures, and held
# against what the host was. Sourced by all.sh.

echo "== provisioning"
mkdir "$work/provisioning"
cd "$work/provisioning"
cp "$here/provisioning.toml" .

# What a run is to change: another governor, a balancer of interrupts in a control group as systemd has it (it looks
# once, and then so seldom that it moves nothing while this lasts), an interrupt that only a second thread serves.
for policy in /sys/devices/system/cpu/cpufreq/policy*; do echo powersave >"$policy/scaling_governor"; done
mkdir -p /sys/fs/cgroup/irqbalance.service
"$folder/qemu/usr/sbin/irqbalance" --foreground --interval=3600 >/dev/null 2>&1 &
balancer=$!
echo "$balancer" >/sys/fs/cgroup/irqbalance.service/cgroup.procs
sleep 3
check "irqbalance runs" kill -0 "$balancer"
lone=$(ls -d /proc/irq/*/"$other" | head -n 1 | cut -d / -f 4)
check "an interrupt of a second thread alone" sh -c "echo 5 >/proc/irq/$lone/smp_affinity_list && grep -qx 5 /proc/irq/$lone/smp_affinity_list"

# All at once, in one line, so that what is seen together was so together.
seen() {
    governors=$(cat /sys/devices/system/cpu/cpufreq/policy*/scaling_governor 2>/dev/null | sort -u | tr '\n' ' ')
    bounds=$(cat /sys/devices/system/cpu/cpufreq/policy4/scaling_min_freq \
        /sys/devices/system/cpu/cpufreq/policy4/scaling_max_freq 2>/dev/null | tr '\n' ' ')
    near=/sys/devices/system/node/node1/hugepages
    # CPUs 4 and 6 measure: the cores of the card's node.
    disturbing=$(cat /proc/irq/*/effective_affinity_list | grep -cE '^[46]$')
    pinned=$(for process in $(pgrep '^septet-gen'); do sed -n 's/^Cpus_allowed_list:\t//p' "/proc/$process/status"; done | sort -u | tr '\n' ' ')
    drivers=$(for function in /sys/class/net/*/device/virtfn*; do basename "$(readlink "$function/driver" || echo none)"; done | sort | tr '\n' ' ')
    echo "governor $governors| khz $bounds| smt $(cat /sys/devices/system/cpu/smt/control)" \
        "| online $(cat /sys/devices/system/cpu/online)" \
        "| thp $(sed 's/.*\[\(.*\)\].*/\1/' /sys/kernel/mm/transparent_hugepage/enabled)" \
        "| 1g $(cat $near/hugepages-1048576kB/nr_hugepages) 2m $(cat $near/hugepages-2048kB/nr_hugepages)" \
        "| balancer $(sed -n 's/^frozen //p' /sys/fs/cgroup/irqbalance.service/cgroup.events)" \
        "| interrupts $disturbing | pinned $pinned| functions $drivers| scene $(pgrep -c '^septet-gen')"
}
state >"$work/before"
(while :; do seen; sleep 0.3; done) >seen.log 2>/dev/null &
watcher=$!
check "a run with everything set" ran provisioning.toml
cat "$work/said"
kill "$watcher"
sort seen.log | uniq -c | sort -rn | head -n 12
check "the governor is performance while it measures" grep -q 'governor performance | .*scene [1-9]' seen.log
check "the frequency is bound" grep -q 'khz 1200000 1800000 | .*scene [1-9]' seen.log
check "hyper-threads are off" grep -q 'smt off | online 0,2,4,6 .*scene [1-9]' seen.log
check "no transparent hugepages" grep -q 'thp never .*scene [1-9]' seen.log
check "hugepages of both sizes on the node of the card" grep -q '1g 1 2m [1-9][0-9]* .*scene [1-9]' seen.log
check "irqbalance is frozen" grep -q 'balancer 1 .*scene [1-9]' seen.log
check "no interrupt on a measuring CPU" grep -q 'interrupts 0 .*scene [1-9]' seen.log
check "isolated cores of the card's node measure, a thread of each" grep -q 'pinned 4 6 | .*scene 2' seen.log
check "functions have their drivers" grep -q 'functions .*vfio-pci .*scene [1-9]' seen.log
check "all of it at once" grep -q 'governor performance | khz 1200000 1800000 | smt off | online 0,2,4,6 | thp never | 1g 1 2m [1-9][0-9]* | balancer 1 | interrupts 0 | pinned 4 6 | .*vfio-pci.*scene [12]' seen.log
check "the host is what it was" same "$work/before"
kill "$balancer"
