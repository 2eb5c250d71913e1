#!/bin/sh
# Emulated hosts on one machine: each has network, mount, UTS, IPC and PID namespaces of its own and an sshd that is
# its first process, so that `kill -9` of that is a crash. A place called `driver`, where clients run, reaches them by
# their names over ssh, through a bridge of management links 10.77.0.0/24. Data cables join pairs of hosts: the first
# with the second, the third with the fourth; either end is called cable0. HOST=SECONDS is a host whose monotonic clock is
# off by so much.
#
#   testbed.sh [-p PAGES] FOLDER HOST...              brings them up, says `up`, and takes all down once standard input ends
#   testbed.sh [-p PAGES] -c COMMAND FOLDER HOST...   runs a shell command in the driver, then takes all down: its exit code
#
# -p reserves so many more hugepages of 2 MiB while the hosts are up. Emulated hosts share this machine's, and each takes
# for its own what is free when it looks: where several measure over DPDK, there must be enough for all.
#
# FOLDER must be empty; `FOLDER/HOST.pid` and `FOLDER/driver.pid` have the processes whose namespaces the places are:
#
#   nsenter --target $(cat FOLDER/HOST.pid) --all COMMAND      starts one more program in a host; it dies with it
#   nsenter --target $(cat FOLDER/driver.pid) --net --mount    the driver's
#
# It changes nothing of this machine: /etc, /root, ~/.ssh, its sshd and interfaces are not touched. All of it dies with
# this script, however that dies. Hugepages, which a host forgets with its power, are this machine's here: if a host has
# died, their number is set back at the end. Only root can do it.
set -eu

fail() {
    echo "testbed: $*" >&2
    exit 3
}

# --- The first process of a host, already in its namespaces: testbed.sh init FOLDER HOST.
if [ "$1" = init ]; then
    folder=$2 host=$3
    mount --make-rprivate /
    hostname "$host"
    mount -t tmpfs -o mode=1777 tmpfs /dev/shm
    # What it needs of the folder comes along: a host has a /tmp of its own.
    keep=/dev/shm/testbed
    mkdir -p "$keep/cgroup"
    cp "$folder/$host.sshd" "$folder/$host.key" "$folder/client.pub" "$keep"
    mount --rbind /sys/fs/cgroup "$keep/cgroup"
    mount -t sysfs sysfs /sys
    mount --rbind "$keep/cgroup" /sys/fs/cgroup
    umount -l "$keep/cgroup"
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir -p /run/sshd /run/netns /run/lock /run/testbed
    rmdir "$keep/cgroup"
    mv "$keep"/* /run/testbed
    rmdir "$keep"
    for own in /tmp /var/tmp /var/log /root; do
        mount -t tmpfs -o mode=1777 tmpfs "$own"
    done
    chmod 700 /root
    chmod 755 /var/log
    if [ -d /etc/openvswitch ]; then mount -t tmpfs -o mode=755 tmpfs /etc/openvswitch; fi
    chmod 600 /run/testbed/*.key
    ip link set lo up
    cd /
    exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        /usr/sbin/sshd -D -e -f "/run/testbed/$host.sshd"
fi

pages=0
if [ "$1" = -p ]; then
    pages=$2
    shift 2
fi
command=
if [ "$1" = -c ]; then
    command=$2
    shift 2
fi
[ $# -ge 2 ] || fail "usage: testbed.sh [-p PAGES] [-c COMMAND] FOLDER HOST..."
folder=$1
shift

[ "$(id -u)" -eq 0 ] || fail "only root can make the namespaces of emulated hosts"
for program in /usr/sbin/sshd ssh ssh-keygen ip unshare nsenter setpriv; do
    command -v "$program" >/dev/null 2>&1 || fail "there is no $program: sh host-setup/setup.sh test installs it"
done
folder=$(realpath "$folder")
here=$(realpath "$0")

# Hugepages of each node and size, as lines of a number and a file.
hugepages() {
    for file in /sys/devices/system/node/node*/hugepages/hugepages-*/nr_hugepages; do
        [ ! -w "$file" ] || echo "$(cat "$file") $file"
    done
}
# Several testbeds can be up: the first one notes what there was, the last one gives it back.
noted=/run/septet-testbeds
exec 9>>"$noted"
! flock -n -x 9 || hugepages >"$noted"
flock -s 9
of_all=/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages

# Everything that is started here dies with this script: what unshare forks with it, and unshare with its parent.
started=
down() {
    trap '' HUP INT TERM
    set +e
    crashed=
    for file in "$folder"/*.pid; do
        # The driver is this machine.
        [ "${file##*/}" != driver.pid ] || continue
        # One whose agent is at work loses its power now.
        if [ ! -d "/proc/$(cat "$file")/ns" ] || [ -e "/proc/$(cat "$file")/root/run/septet/journal" ]; then crashed=$file; fi
    done
    for process in $started; do
        # One that has died is as well.
        kill -9 "$process" 2>/dev/null
        wait "$process" 2>/dev/null
    done
    [ -z "$crashed" ] && [ "$pages" = 0 ] || echo changed >&9
    if flock -n -x 9 && grep -q changed "$noted"; then
        grep -v changed "$noted" | while read -r count file; do
            [ "$(cat "$file")" = "$count" ] || echo "$count" >"$file"
        done
    fi
    flock -u 9
}
trap down EXIT
trap 'exit 130' HUP INT TERM
if [ "$pages" != 0 ] && [ -w "$of_all" ]; then echo $(($(cat "$of_all") + pages)) >"$of_all"; fi

# The only child of a process; polled, since it has to be forked first.
child_of() {
    tries=0
    until child=$(cat "/proc/$1/task/$1/children") && [ -n "$child" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 500 ] || fail "a host's first process did not start"
        sleep 0.01
    done
    echo "${child% }"
}

ssh-keygen -q -t ed25519 -N '' -C testbed -f "$folder/client"
: >"$folder/known_hosts"
: >"$folder/ssh_config"

# The driver sees the clients' configuration where ssh looks for the system's, and no other difference.
setpriv --pdeathsig KILL unshare --net --mount sh -c '
    mount --make-rprivate /
    mount --bind "$1/ssh_config" /etc/ssh/ssh_config
    ip link set lo up
    ip link add management type bridge
    ip address add 10.77.0.1/24 dev management
    ip link set management up
    : >"$1/driver.ready"
    exec sleep infinity' sh "$folder" </dev/null &
driver=$!
started="$driver"
echo "$driver" >"$folder/driver.pid"

number=10
for spec in "$@"; do
    host=${spec%%=*}
    number=$((number + 1))
    ssh-keygen -q -t ed25519 -N '' -C "$host" -f "$folder/$host.key"
    cat >"$folder/$host.sshd" <<END
ListenAddress 10.77.0.$number
HostKey /run/testbed/$host.key
PidFile none
AuthorizedKeysFile /run/testbed/client.pub
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 100
UseDNS no
PrintMotd no
END
    cat >>"$folder/ssh_config" <<END
Host $host
    HostName 10.77.0.$number
    User root
    IdentityFile $folder/client
    IdentitiesOnly yes
    UserKnownHostsFile $folder/known_hosts
    GlobalKnownHostsFile none
    BatchMode yes
END
    echo "10.77.0.$number $(cat "$folder/$host.key.pub")" >>"$folder/known_hosts"
done

tries=0
until [ -e "$folder/driver.ready" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 500 ] && [ -d "/proc/$driver" ] || fail "the driver did not come up"
    sleep 0.01
done

# sshd needs its address before it starts, and the link its namespaces before that: they wait at a FIFO.
number=10
last=
for spec in "$@"; do
    host=${spec%%=*}
    clock=
    case $spec in *=*) clock="--time --monotonic ${spec#*=} --boottime ${spec#*=}" ;; esac
    number=$((number + 1))
    mkfifo "$folder/$host.go"
    # shellcheck disable=SC2086
    setpriv --pdeathsig KILL unshare --net --mount --uts --ipc --pid $clock --fork --kill-child --mount-proc \
        sh -c 'read -r go <"$2/$3.go"; exec sh "$1" init "$2" "$3"' sh "$here" "$folder" "$host" \
        </dev/null 2>"$folder/$host.log" &
    started="$started $!"
    init=$(child_of $!)
    echo "$init" >"$folder/$host.pid"
    ip link add management netns "$init" type veth peer name "to-$number" netns "$driver"
    nsenter --target "$driver" --net sh -c "ip link set to-$number master management up"
    nsenter --target "$init" --net sh -c "ip address add 10.77.0.$number/24 dev management; ip link set management up"
    if [ -n "$last" ]; then
        ip link add cable0 netns "$last" type veth peer name cable0 netns "$init"
        for end in "$last" "$init"; do nsenter --target "$end" --net ip link set cable0 up; done
        last=
    else
        last=$init
    fi
    echo go >"$folder/$host.go"
done

for spec in "$@"; do
    host=${spec%%=*}
    tries=0
    until nsenter --target "$driver" --net --mount ssh -o ConnectTimeout=2 -- "$host" true 2>"$folder/$host.first"; do
        tries=$((tries + 1))
        if [ "$tries" -ge 100 ]; then
            cat "$folder/$host.log" "$folder/$host.first" >&2
            fail "$host did not come up"
        fi
        sleep 0.05
    done
done

if [ -n "$command" ]; then
    code=0
    # Another mount namespace begins in its root, and names of files are meant from here.
    nsenter --target "$driver" --net --mount sh -c "cd \"\$1\" && $command" sh "$PWD" || code=$?
    exit "$code"
fi
echo up
while read -r line; do :; done
