#!/bin/sh
# A Slurm cluster on one machine: slurmctld where clients run, and a slurmd for each node.
#
#   cluster.sh FOLDER BED HOST...      on emulated hosts that testbed.sh has brought up in the folder BED, a node each
#   cluster.sh FOLDER - COUNT          COUNT nodes, n1 and so on, all of them in one network namespace of its own
#
# Says `up`, and takes all down once standard input ends. FOLDER must be empty and seen by all hosts at the same path;
# `FOLDER/slurm.conf` is what clients have in $SLURM_CONF, `FOLDER/driver.pid` the process in whose namespaces they run.
# CLUSTER_EXTRA is more text for slurm.conf, CLUSTER_FEATURES more for the line of each node (`n1=Feature=cab1 n2=...`).
# CLUSTER_TRACKING is another ProctrackType. MinJobAge is short where CLUSTER_FORGETS is set.
# It changes nothing of this machine, and everything of it dies with this script. Only root can do it.
set -eu

fail() {
    echo "cluster: $*" >&2
    exit 3
}

folder=$(realpath "$1") bed=$2
shift 2
[ "$(id -u)" -eq 0 ] || fail "only root can bring up a cluster"
for program in munged slurmctld slurmd sinfo ip unshare nsenter setpriv; do
    command -v "$program" >/dev/null 2>&1 || fail "there is no $program: sh host-setup/setup.sh test installs it"
done
here=$(hostname -s)
# Of every user's jobs: what lies here is shown and named to them.
chmod 755 "$folder"
mkdir "$folder/state" "$folder/spool" "$folder/munge"

started=
daemons=
nodes=
down() {
    trap '' HUP INT TERM
    set +e
    # Steps are no children of whoever started them: they die with their host, or with this cluster's own processes.
    for process in $daemons $started; do
        kill -9 "$process" 2>/dev/null
        wait "$process" 2>/dev/null
    done
}
trap down EXIT
trap 'exit 130' HUP INT TERM

if [ "$bed" = - ]; then
    count=$1
    setpriv --pdeathsig KILL unshare --net --mount --pid --fork --kill-child --mount-proc \
        sh -c 'ip link set lo up; ip address add 10.77.0.1/32 dev lo; exec sleep infinity' </dev/null &
    started=$!
    tries=0
    until driver=$(cat "/proc/$started/task/$started/children") && [ -n "$driver" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 500 ] || fail "no process namespace"
        sleep 0.01
    done
    driver=${driver% }
    control=10.77.0.1
    n=1
    while [ "$n" -le "$count" ]; do
        nodes="$nodes n$n"
        n=$((n + 1))
    done
    tries=0
    until nsenter --target "$driver" --net ip -o address show lo 2>/dev/null | grep -q 10.77.0.1; do
        tries=$((tries + 1))
        [ "$tries" -lt 500 ] || fail "no network namespace"
        sleep 0.01
    done
else
    bed=$(realpath "$bed")
    driver=$(cat "$bed/driver.pid")
    control=10.77.0.1
    nodes="$*"
fi
echo "$driver" >"$folder/driver.pid"

# A node of many has its processes where all of them have.
inside="--target $driver --net --mount"
if [ "$bed" = - ]; then inside="$inside --pid"; fi
in_driver() {
    # shellcheck disable=SC2086
    nsenter $inside -- "$@"
}

# A key of this cluster's own; one munged is enough, since its socket is a file that all hosts see.
dd if=/dev/urandom of="$folder/munge/key" bs=128 count=1 2>/dev/null
chmod 400 "$folder/munge/key"
chmod 711 "$folder/munge"
cpus=$(nproc --all)
features() {
    for pair in ${CLUSTER_FEATURES:-}; do
        case $pair in "$1="*) echo "${pair#*=}" ;; esac
    done
}
{
    cat <<END
ClusterName=emulated
SlurmctldHost=$here($control)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket
CryptoType=crypto/munge
SlurmctldPort=6817
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool/%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/spool/%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/%n.log
ProctrackType=${CLUSTER_TRACKING:-proctrack/linuxproc}
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/filetxt
JobCompLoc=$folder/jobcomp
MpiDefault=none
SelectType=select/linear
SchedulerType=sched/backfill
ReturnToService=2
SlurmdParameters=config_overrides
SlurmctldTimeout=5
SlurmdTimeout=6
MessageTimeout=5
KillWait=2
UnkillableStepTimeout=30
MinJobAge=${CLUSTER_FORGETS:-300}
PropagateResourceLimits=NONE
END
    n=10
    port=7000
    for node in $nodes; do
        n=$((n + 1))
        port=$((port + 1))
        if [ "$bed" = - ]; then
            echo "NodeName=$node NodeHostname=$here NodeAddr=$control Port=$port CPUs=$cpus $(features "$node")"
        else
            echo "NodeName=$node NodeHostname=$node NodeAddr=10.77.0.$n CPUs=$cpus $(features "$node")"
        fi
    done
    echo "PartitionName=testbed Nodes=ALL Default=YES OverSubscribe=EXCLUSIVE MaxTime=60 State=UP PriorityTier=1"
    echo "${CLUSTER_EXTRA:-}"
} >"$folder/slurm.conf"
echo "CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
CgroupAutomount=no" >"$folder/cgroup.conf"
: >"$folder/jobcomp"
chmod 644 "$folder/jobcomp"

SLURM_CONF=$folder/slurm.conf
export SLURM_CONF
setpriv --pdeathsig KILL munged --foreground --force --key-file="$folder/munge/key" --socket="$folder/munge/socket" \
    --pid-file="$folder/munge/pid" --log-file="$folder/munge/log" --seed-file="$folder/munge/seed" --num-threads=4 \
    </dev/null >/dev/null 2>&1 &
daemons="$daemons $!"
tries=0
until [ -S "$folder/munge/socket" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 500 ] || fail "munged did not come up: $(cat "$folder/munge/log")"
    sleep 0.01
done
# shellcheck disable=SC2086
setpriv --pdeathsig KILL nsenter $inside -- slurmctld -D -i </dev/null >"$folder/slurmctld.out" 2>&1 &
controller=$!
daemons="$daemons $controller"
for node in $nodes; do
    if [ "$bed" = - ]; then
        # shellcheck disable=SC2086
        setpriv --pdeathsig KILL nsenter $inside -- slurmd -D -N "$node" </dev/null >"$folder/$node.out" 2>&1 &
    else
        setpriv --pdeathsig KILL nsenter --target "$(cat "$bed/$node.pid")" --net --mount --uts --ipc --pid -- \
            slurmd -D -N "$node" </dev/null >"$folder/$node.out" 2>&1 &
    fi
    daemons="$daemons $!"
done

tries=0
until said=$(in_driver timeout 5 sinfo -h -N -o '%T' 2>/dev/null) && [ -n "$said" ] && ! echo "$said" | grep -qv '^idle$'; do
    tries=$((tries + 1))
    if [ "$tries" -ge 400 ] || [ ! -d "/proc/$controller" ]; then
        for log in "$folder"/*.out; do tail -n 5 "$log" >&2; done
        fail "nodes did not come up: $said"
    fi
    sleep 0.05
done
echo up
while read -r line; do :; done
