#!/bin/sh
# The same sources and toolchain make the same generator: in another folder, with another target folder and
# another CARGO_HOME, whatever flags the environment holds. Exits with 0 if the bytes are equal, else with 1.
#   sh generators/tests/reproducible.sh [FOLDER]         septet-gen
#   sh generators/tests/reproducible.sh FOLDER dpdk      septet-gen-dpdk, with the same DPDK
set -eu
kind=${2:-}
name=septet-gen${kind:+-$kind}
generators=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d "${1:-${TMPDIR:-/tmp}}/septet-reproducible.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM

# Sources only, at two depths, one path with a space in it.
first=$scratch/one
second="$scratch/two/deeper and/wider"
for folder in "$first" "$second"; do
    mkdir -p "$folder"
    cp -R "$generators/Cargo.toml" "$generators/Cargo.lock" "$generators/build.sh" "$generators/src" \
        "$generators/wire" "$generators/dpdk" "$generators/dpdk-sys" "$folder"
    # Tests and benches are no sources of the program, but the manifest may name them.
    for extra in tests benches; do
        [ ! -d "$generators/$extra" ] || cp -R "$generators/$extra" "$folder"
    done
done

# Another CARGO_HOME with the same crates: the registry is copied, so that nothing is fetched twice.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
other_home=$scratch/home
(cd "$first" && cargo fetch --quiet --locked)
mkdir -p "$other_home/registry"
cp -R "$cargo_home/registry/index" "$cargo_home/registry/cache" "$other_home/registry"
for config in config.toml config; do
    [ ! -e "$cargo_home/$config" ] || cp "$cargo_home/$config" "$other_home"
done

sh "$first/build.sh" "$scratch/target-one" "$scratch/out-one" $kind >"$scratch/log-one" 2>&1 || {
    cat "$scratch/log-one" >&2
    exit 1
}
CARGO_HOME=$other_home RUSTFLAGS=-Ctarget-cpu=native CARGO_PROFILE_RELEASE_LTO=off CARGO_INCREMENTAL=1 LC_ALL=C TZ=Asia/Tokyo \
    sh "$second/build.sh" "$scratch/two/target" "$scratch/two/out" $kind >"$scratch/log-two" 2>&1 || {
    cat "$scratch/log-two" >&2
    exit 1
}

if ! cmp "$scratch/out-one/$name" "$scratch/two/out/$name"; then
    echo "$name is not reproducible: its bytes depend on the folder it is built in" >&2
    exit 1
fi
if strings -a "$scratch/out-one/$name" 2>/dev/null | grep -F -e "$scratch" -e "$cargo_home/" >&2; then
    echo "$name is not reproducible: it holds the paths above" >&2
    exit 1
fi
echo "$name is reproducible: $(wc -c <"$scratch/out-one/$name") bytes, twice the same"
