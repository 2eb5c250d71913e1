#!/bin/sh
# Unpacks DPDK and Open vSwitch of another suite of Debian into a prefix, with their libraries and their loader, to be
# a stack beside what this system has:
#   sh host-setup/prefix.sh [--containers] SUITE PREFIX [MIRROR]
# With --containers also its LXC and BusyBox, which every test with that stack then runs through. For example `sh host-setup/prefix.sh trixie /opt/debian13`, and in ~/.config/septet/site.toml
#   [stacks.debian13]
#   from = "/opt/debian13"
# Needs apt-get and dpkg-deb (this system's own, also as an ordinary user), patchelf and readelf; with a C compiler also
# basicfwd is built, from the suite's own source. Without MIRROR packages come from where this system's come from.
# Nothing is installed, and of this system nothing changes but PREFIX, which must not be there yet.
set -eu
containers=
if [ "${1:-}" = --containers ]; then
    containers="busybox-static lxc"
    shift
fi
if [ $# -lt 2 ] || [ $# -gt 3 ]; then
    echo "usage: prefix.sh [--containers] SUITE PREFIX [MIRROR]" >&2
    exit 2
fi
suite=$1
case $2 in /*) prefix=$2 ;; *) prefix=$(pwd)/$2 ;; esac
[ ! -e "$prefix" ] || { echo "prefix.sh: $prefix is there already" >&2; exit 2; }
for tool in apt-get dpkg-deb patchelf readelf; do
    command -v "$tool" >/dev/null || { echo "prefix.sh: there is no $tool (Debian: apt, dpkg, patchelf, binutils)" >&2; exit 3; }
done
mirror=${3:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)}
[ -n "$mirror" ] || { echo "prefix.sh: apt knows no mirror here: name one" >&2; exit 3; }
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f "$keys" ] || { echo "prefix.sh: there is no $keys (package debian-archive-keyring)" >&2; exit 3; }

mkdir -p "$(dirname "$prefix")"
work=$(mktemp -d "$prefix.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

# A system of apt's own, with nothing installed, so that all that is needed is fetched.
mkdir -p "$work/apt/lists/partial" "$work/apt/cache/archives/partial" "$work/root" "$work/new"
: >"$work/apt/status"
echo "deb [signed-by=$keys] $mirror $suite main" >"$work/apt/sources.list"
apt() {
    apt-get -q -o Dir::Etc::sourcelist="$work/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$work/apt/lists" -o Dir::State::status="$work/apt/status" \
        -o Dir::State::extended_states="$work/apt/extended" -o Dir::Cache="$work/apt/cache" \
        -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o APT::Install-Recommends=false "$@"
}
apt update
# shellcheck disable=SC2086
apt install -y --download-only openvswitch-switch-dpdk dpdk dpdk-dev dpdk-doc libdpdk-dev $containers

# As base-files has it, before anything is unpacked through it.
mkdir -p "$work/root/usr/bin" "$work/root/usr/sbin" "$work/root/usr/lib" "$work/root/usr/lib64"
for folder in bin sbin lib lib64; do
    ln -s "usr/$folder" "$work/root/$folder"
done
for package in "$work"/apt/cache/archives/*.deb; do
    dpkg-deb --extract "$package" "$work/root"
done

new=$work/new
multiarch=$(uname -m)-linux-gnu
libraries=$work/root/usr/lib/$multiarch
cd "$work/root/usr"
mkdir -p "$new/bin" "$new/sbin" "$new/lib/openvswitch-switch-dpdk" "$new/share/openvswitch"

# A library by the name that it is asked for, with all links on the way to its file: the version of a driver of DPDK is
# read from them, and who is linked to a driver must find the very file that DPDK loads from its folder.
take_library() {
    name=$1
    while [ ! -e "$new/lib/$name" ]; do
        [ -e "$libraries/$name" ] || { echo "prefix.sh: no package has $name, which $2 asks for" >&2; exit 3; }
        mkdir -p "$(dirname "$new/lib/$name")"
        cp -P "$libraries/$name" "$new/lib/$name"
        if [ -h "$libraries/$name" ]; then
            name=$(dirname "$name")/$(readlink "$libraries/$name")
            name=${name#./}
        else
            take_needed "$libraries/$name"
        fi
    done
}
take_needed() {
    for needed in $(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p'); do
        [ -e "$new/lib/$needed" ] || take_library "$needed" "$1"
    done
}
# A program, and what it loads; it asks for the loader of its own C library, at the place where that will be.
take_program() {
    [ -f "$1" ] || { echo "prefix.sh: no package has $1" >&2; exit 3; }
    cp "$1" "$new/$2"
    take_needed "$1"
    if loader=$(patchelf --print-interpreter "$1" 2>/dev/null); then
        take_library "$(basename "$loader")" "$1"
        patchelf --set-interpreter "$prefix/lib/$(basename "$loader")" "$new/$2"
    fi
}
take_program bin/dpdk-testpmd bin/dpdk-testpmd
take_program lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk
take_program sbin/ovsdb-server sbin/ovsdb-server
take_program bin/ovsdb-tool bin/ovsdb-tool
take_program bin/ovs-vsctl bin/ovs-vsctl
cp share/openvswitch/vswitch.ovsschema "$new/share/openvswitch/"
if [ -n "$containers" ]; then
    take_program bin/busybox bin/busybox
    take_program bin/lxc-execute bin/lxc-execute
    take_program sbin/init.lxc.static sbin/init.lxc.static
fi
# What DPDK loads by itself, besides what its programs are linked to.
for driver in bus_vdev mempool_ring net_vhost net_virtio; do
    for file in "$libraries"/dpdk/pmds-*/librte_$driver.so.*.*; do
        take_library "${file#"$libraries/"}" DPDK
    done
done

if command -v cc >/dev/null && command -v pkg-config >/dev/null; then
    export PKG_CONFIG_SYSROOT_DIR="$work/root" PKG_CONFIG_LIBDIR="$libraries/pkgconfig"
    # As host-setup/basicfwd.sh builds it, of the suite's own source, headers and libraries.
    # shellcheck disable=SC2046
    cc --sysroot="$work/root" -O3 $(pkg-config --cflags libdpdk) -DALLOW_EXPERIMENTAL_API \
        share/dpdk/examples/skeleton/basicfwd.c -o "$work/basicfwd" $(pkg-config --libs libdpdk)
    take_program "$work/basicfwd" bin/basicfwd
else
    echo "prefix.sh: no basicfwd: there is no C compiler or no pkg-config"
fi

mv "$new" "$prefix"
chmod 755 "$prefix"
version() {
    dpkg-deb --field "$(ls "$work"/apt/cache/archives/"$1"_*.deb)" Version
}
echo "$prefix: DPDK $(version dpdk), Open vSwitch $(version openvswitch-switch-dpdk)," \
    "$(du -sh "$prefix" | cut -f 1)"
