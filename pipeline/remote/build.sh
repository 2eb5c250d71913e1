#!/bin/sh
# Builds septet-remote and copies it to OUT_DIR if its bytes are new. A workspace of its own: see its Cargo.toml.
#   sh pipeline/remote/build.sh TARGET_DIR OUT_DIR
set -eu
[ $# -eq 2 ] || { echo "usage: build.sh TARGET_DIR OUT_DIR" >&2; exit 2; }
mkdir -p "$1" "$2"
target_dir=$(cd "$1" && pwd)
out_dir=$(cd "$2" && pwd)
cd "$(dirname "$0")"
cargo build --release --locked --target-dir "$target_dir"
if ! cmp -s "$target_dir/release/septet-remote" "$out_dir/septet-remote"; then
    # Under another name first, so that nobody ever runs half of it.
    cp "$target_dir/release/septet-remote" "$out_dir/.septet-remote.new"
    mv -f "$out_dir/.septet-remote.new" "$out_dir/septet-remote"
fi
