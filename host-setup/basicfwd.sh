#!/bin/sh
# Builds DPDK's skeleton sample, for V=basicfwd, from the source that the distribution installs (Debian: dpdk-doc)
# and copies it to OUT_DIR if its bytes are new: they are in keys. Without source or DPDK says so and goes on.
#   sh host-setup/basicfwd.sh OUT_DIR
set -eu

[ $# -eq 1 ] || { echo "usage: basicfwd.sh OUT_DIR" >&2; exit 2; }
source=/usr/share/dpdk/examples/skeleton/basicfwd.c
if ! [ -f "$source" ]; then
    echo "build: no basicfwd: there is no $source"
    exit 0
fi
if ! pkg-config --exists libdpdk 2>/dev/null; then
    echo "build: no basicfwd: pkg-config finds no libdpdk"
    exit 0
fi
mkdir -p "$1"
new=$1/.basicfwd.new
# The flags of the sample's own Makefile.
# shellcheck disable=SC2046
"${CC:-cc}" -O3 $(pkg-config --cflags libdpdk) -DALLOW_EXPERIMENTAL_API "$source" -o "$new" $(pkg-config --libs libdpdk)
if cmp -s "$new" "$1/basicfwd"; then
    rm -f "$new"
else
    # Under another name first, so that nobody ever runs half of it.
    mv -f "$new" "$1/basicfwd"
fi
