#!/bin/sh
# Brings up two emulated hosts with a cable between them and runs an experiment on them over ssh.
#   demo.sh FOLDER-OF-PROGRAMS EXPERIMENT [ARGUMENT-OF-RUN...]
set -eu
programs=$(realpath "$1")
experiment=$2
shift 2
here=$(dirname "$(realpath "$0")")
if [ "$(id -u)" -ne 0 ]; then
    echo "demo: emulated hosts need root; with two machines of your own see docs/testbed.md" >&2
    exit 3
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' HUP INT TERM
mkdir -p "$folder/hosts" "$folder/config/septet"
# Both hosts are this machine: each is given half of its CPUs, so that neither disturbs the other.
cpus=$(nproc --all)
of_north= of_south=
if [ "$cpus" -ge 2 ]; then
    of_north="cores = \"0-$((cpus / 2 - 1))\"" of_south="cores = \"$((cpus / 2))-$((cpus - 1))\""
fi
cat >"$folder/config/septet/site.toml" <<END
[hosts.north]
$of_north
[hosts.south]
$of_south

[[cables]]
ends = ["north:cable0", "south:cable0"]
END
echo "demo: two emulated hosts, north and south, as this site file has them:"
sed 's/^/    /' "$folder/config/septet/site.toml"
# Hugepages for a switch and a generator of each host, at most.
code=0
XDG_CONFIG_HOME="$folder/config" sh "$here/testbed.sh" -p 1280 -c "'$programs/septet' run '$experiment' $*" \
    "$folder/hosts" north south || code=$?
exit "$code"
