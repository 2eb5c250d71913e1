#!/bin/sh
# Builds a generator, reproducible, and copies it to OUT_DIR if its bytes are new.
#   sh generators/build.sh TARGET_DIR OUT_DIR         septet-gen, static
#   sh generators/build.sh TARGET_DIR OUT_DIR dpdk    septet-gen-dpdk, with the DPDK that pkg-config finds
# Their bytes are in keys: nothing of this machine may be in them, so paths are remapped, the target is named
# (flags then spare build scripts and macros), and flags of the environment are replaced.
set -eu

case "$#${3:-}" in
    2) package=septet-generators name=septet-gen folder=. ;;
    3dpdk) package=septet-generator-dpdk name=septet-gen-dpdk folder=dpdk ;;
    *) echo "usage: build.sh TARGET_DIR OUT_DIR [dpdk]" >&2; exit 2 ;;
esac
# Each in a folder of its own: their flags differ.
mkdir -p "$1/$folder" "$2"
target_dir=$(cd "$1/$folder" && pwd)
out_dir=$(cd "$2" && pwd)
cd "$(dirname "$0")"
sources=$(pwd -P)

cargo_home=${CARGO_HOME:-$HOME/.cargo}
sysroot=$(rustc --print sysroot)
host=$(rustc -vV | sed -n 's/^host: //p')

# The separator of CARGO_ENCODED_RUSTFLAGS allows for spaces in paths.
sep=$(printf '\037')
flags="--remap-path-prefix=$sysroot=/rust"
# DPDK's libraries are shared ones, and it loads its drivers.
[ "$name" = septet-gen-dpdk ] || flags="-Ctarget-feature=+crt-static${sep}$flags"
# DPDK asks as much of a processor (its -march=corei7), and there is an instruction for the check of a header in it.
case "$name $host" in "septet-gen-dpdk x86_64-"*) flags="-Ctarget-feature=+sse4.2${sep}$flags" ;; esac
flags="$flags${sep}--remap-path-prefix=$cargo_home=/cargo"
# Sources are unpacked before the build, into folders named after where they were fetched from.
cargo fetch --quiet --locked --target "$host"
for crates in "$cargo_home"/registry/src/*; do
    flags="$flags${sep}--remap-path-prefix=$crates=/crates"
done
flags="$flags${sep}--remap-path-prefix=$target_dir=/target"
flags="$flags${sep}--remap-path-prefix=$sources=/septet/generators"
# The profile is the manifest's, whatever the environment says.
for variable in $(env | sed -n 's/^\(CARGO_PROFILE_RELEASE_[A-Z0-9_]*\)=.*/\1/p'); do unset "$variable"; done
CARGO_INCREMENTAL=0 CARGO_ENCODED_RUSTFLAGS=$flags cargo build --release --locked --target "$host" --target-dir "$target_dir" \
    --package "$package" --bin "$name"

built=$target_dir/$host/release/$name
if ! cmp -s "$built" "$out_dir/$name"; then
    # Under another name first, so that nobody ever runs half of it.
    cp "$built" "$out_dir/.$name.new"
    mv -f "$out_dir/.$name.new" "$out_dir/$name"
fi
