# What the guest's scripts share: modules, the cards, what a host is, and a tally. Sourced, with `here` set to its folder.
# It must not know what is measured.

programs=$(cd "$here/../../../target/release" && pwd)
PATH=$programs:$PATH
export PATH NO_COLOR=1
work=$(mktemp -d)
failures=$work/failures
: >"$failures"

check() { # WHAT CONDITION...: runs the condition, and says whether it holds
    what=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        echo "ok: $what"
    else
        echo "FAILED: $what ($*)"
        sed 's/^/    /' "$work/said" | tail -n 20
        echo "$what" >>"$failures"
    fi
}

fails() { ! "$@"; }

modules() {
    for module in igb igbvf virtio_net tun vfio_iommu_type1 vfio-pci acpi-cpufreq cpufreq_powersave bridge veth; do
        modprobe "$module" || echo "no module $module"
    done
}

interface() { # MAC: what the interface with that address is called
    grep -l "$1" /sys/class/net/*/address | cut -d / -f 5
}

# All that a lease may change, and what hangs on it.
state() {
    grep -s '' /sys/class/net/*/device/sriov_numvfs /sys/class/net/*/device/sriov_drivers_autoprobe \
        /sys/devices/system/cpu/online /sys/devices/system/cpu/cpufreq/policy*/scaling_governor \
        /sys/devices/system/cpu/cpufreq/policy*/scaling_m??_freq /sys/devices/system/cpu/smt/control \
        /sys/devices/system/node/node*/hugepages/*/nr_hugepages /proc/irq/default_smp_affinity \
        /sys/kernel/mm/transparent_hugepage/enabled /sys/fs/cgroup/*/cgroup.freeze | sort
    # By who is served: numbers change with the vectors of a card, and some have nobody.
    # No process for each: an emulated machine takes its time to start one.
    for handler in /proc/irq/*/*/; do
        handler=${handler%/}
        cpus=
        if [ -e "$handler" ]; then read -r cpus <"${handler%/*}/smp_affinity_list"; fi
        echo "interrupt of ${handler##*/} $cpus"
    done 2>/dev/null | sort
    ls -l /sys/bus/pci/devices/*/driver 2>/dev/null | sed 's/.* \/sys/\/sys/'
    ip -o link | sed 's/^[0-9]*: //; s/ qdisc .*//; s/ mode .*//' | sort
    ip -o addr | sed 's/^[0-9]*: //; s/ *\\.*//' | grep -v ' fe80' | sort
    ip route
    if [ -d /run/septet ]; then ls /run/septet | grep -v '^lock$'; fi
    # Processes of Septet's own.
    pgrep -l '^septet' | sort
}

same() { # BEFORE: whether the host is what it was; what the kernel does by itself takes a moment
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        state >"$work/now"
        if diff "$1" "$work/now"; then return 0; fi
        sleep 0.5
    done
    return 1
}

finish() {
    count=$(wc -l <"$failures")
    echo "== $count failed"
    [ "$count" = 0 ]
}

ran() { # [OPTIONS] EXPERIMENT: measures all of it; a suspect repetition, as where a busy machine stops an emulated CPU, fails nothing
    septet run -k "$@" || [ "$?" = 1 ]
}

measured() { # COUNT: whether so many tests have a repetition that did not fail, and none has one that did
    jq -s -e --argjson count "$1" '(map(.test) | unique | length) == $count and all(.status.state != "failed")' \
        .septet/results/*/*/record.json
}

counts() { # FOLDER: every packet of every stored repetition is accounted for, twice
    for record in "$1"/.septet/results/*/*/record.json; do
        name=$(jq -r .test "$record")
        jq -r '.evidence.parties | to_entries[] | "  \(.key): \(.value.totals | "sent \(.sent) received \(.received) lost \(.lost) corrupt \(.corrupt) duplicates \(.duplicates) foreign \(.foreign) rejected \(.rejected)")"' "$record"
        jq -r '.seen[]? | "  \(.flag): \(.words)"' "$record"
        check "$name: what was sent was received, once and whole" jq -e '
            [.evidence.parties[].totals] | (map(.sent) | add) == (map(.received) | add)
            and (map(.sent) | add) > 0 and all(.lost == 0 and .corrupt == 0 and .duplicates == 0 and .foreign == 0)' "$record"
        check "$name: it is indicative, since all of it is virtual" jq -e '.flags | index("virtualised")' "$record"
    done
}
