#!/bin/sh
# Builds septet-gen, static and reproducible, and copies it to OUT_DIR if its bytes are new.
#   sh generators/build.sh TARGET_DIR OUT_DIR
# Its bytes are in keys: nothing of this machine may be in them, so paths are remapped, the target is named
# (flags then spare build scripts and macros), and flags of the environment are replaced.
set -eu

[ $# -eq 2 ] || { echo "usage: build.sh TARGET_DIR OUT_DIR" >&2; exit 2; }
mkdir -p "$1" "$2"
target_dir=$(cd "$1" && pwd)
out_dir=$(cd "$2" && pwd)
cd "$(dirname "$0")"
sources=$(pwd -P)

cargo_home=${CARGO_HOME:-$HOME/.cargo}
sysroot=$(rustc --print sysroot)
host=$(rustc -vV | sed -n 's/^host: //p')

# The separator of CARGO_ENCODED_RUSTFLAGS allows for spaces in paths.
sep=$(printf '\037')
flags="-Ctarget-feature=+crt-static"
flags="$flags${sep}--remap-path-prefix=$sysroot=/rust"
flags="$flags${sep}--remap-path-prefix=$cargo_home=/cargo"
# Sources are unpacked before the build, into folders named after where they were fetched from.
cargo fetch --quiet --locked --target "$host"
for crates in "$cargo_home"/registry/src/*; do
    flags="$flags${sep}--remap-path-prefix=$crates=/crates"
done
flags="$flags${sep}--remap-path-prefix=$target_dir=/target"
flags="$flags${sep}--remap-path-prefix=$sources=/septet/generators"
# The profile is the manifest's, whatever the environment says.
for name in $(env | sed -n 's/^\(CARGO_PROFILE_RELEASE_[A-Z0-9_]*\)=.*/\1/p'); do unset "$name"; done
CARGO_INCREMENTAL=0 CARGO_ENCODED_RUSTFLAGS=$flags cargo build --release --locked --target "$host" --target-dir "$target_dir" \
    --package septet-generators --bin septet-gen

built=$target_dir/$host/release/septet-gen
if ! cmp -s "$built" "$out_dir/septet-gen"; then
    # Under another name first, so that nobody ever runs half of it.
    cp "$built" "$out_dir/.septet-gen.new"
    mv -f "$out_dir/.septet-gen.new" "$out_dir/septet-gen"
fi
