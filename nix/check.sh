#!/bin/sh
# Checks the flake without a network: every file parses; its outputs evaluate, for both systems, against a
# stand-in for nixpkgs; the lock file is the one that Nix would write; a version that differs is refused.
set -eu
cd "$(dirname "$0")/.."
if ! command -v nix >/dev/null 2>&1; then
    echo "skipped: the flake is not checked: nix is not installed (Debian: apt-get install nix-bin)"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A store of its own: nothing is built, and nothing of the machine is touched.
export NIX_CONFIG="experimental-features = nix-command flakes
substituters =
build-users-group =
store = local?root=$work/store
flake-registry =
warn-dirty = false"
export HOME="$work" XDG_CACHE_HOME="$work/cache" NIX_STATE_DIR="$work/state" NIX_LOG_DIR="$work/log"

find flake.nix nix -name '*.nix' -exec nix-instantiate --parse {} + >/dev/null

# Without the folders of builds: a flake outside of git is copied whole.
mkdir "$work/flake"
tar -cf - --exclude=./target --exclude=./.git --exclude='./generators/target' --exclude=.septet --exclude=./out . | tar -xf - -C "$work/flake"
check() { nix flake check --no-build --override-input nixpkgs "path:$work/flake/nix/stub" "path:$work/flake" 2>&1; }
check >"$work/said" || { cat "$work/said" >&2; echo "the flake does not evaluate" >&2; exit 1; }
grep -q "Added input" "$work/said" && { cat "$work/said" >&2; echo "flake.lock lacks an input" >&2; exit 1; }
cmp -s flake.lock "$work/flake/flake.lock" || { echo "flake.lock is not as nix would write it" >&2; exit 1; }

# A derivation depends on what it is made of: an edit of a text for people changes none of the programs, one of the
# pipeline no generator, one of the traffic's DPDK part all generators of that folder.
derivation() {
    nix eval --raw --override-input nixpkgs "path:$work/flake/nix/stub" "path:$work/flake#packages.x86_64-linux.$1.drvPath" \
        2>"$work/said" || { cat "$work/said" >&2; echo "packages.$1 has no derivation" >&2; exit 1; }
}
changed_by() {
    before="$(derivation default) $(derivation septet-gen) $(derivation septet-gen-dpdk) $(derivation septet-remote)"
    printf '\n' >>"$work/flake/$1"
    after="$(derivation default) $(derivation septet-gen) $(derivation septet-gen-dpdk) $(derivation septet-remote)"
    # shellcheck disable=SC2086
    set -- $before
    was1=$1 was2=$2 was3=$3 was4=$4
    # shellcheck disable=SC2086
    set -- $after
    said=""
    [ "$was1" = "$1" ] || said="$said all"
    [ "$was2" = "$2" ] || said="$said gen"
    [ "$was3" = "$3" ] || said="$said gen-dpdk"
    [ "$was4" = "$4" ] || said="$said remote"
    echo "$said"
}
expect() {
    got=$(changed_by "$1")
    [ "$got" = "$2" ] || { echo "an edit of $1 changes the derivations:$got; expected:$2" >&2; exit 1; }
}
expect README.md ""
expect flake.nix ""
expect pipeline/src/lib.rs " all"
expect generators/src/lib.rs " all gen gen-dpdk"
expect pipeline/remote/src/main.rs " all remote"

# The stand-in refuses what nixpkgs' install phase would not find.
cp "$work/flake/nix/programs.nix" "$work/programs.nix"
sed -i '/CARGO_TARGET_DIR/d' "$work/flake/nix/programs.nix"
if check >"$work/said"; then echo "a target folder that is not installed from was not refused" >&2; exit 1; fi
grep -q "install phase" "$work/said" || { cat "$work/said" >&2; exit 1; }
cp "$work/programs.nix" "$work/flake/nix/programs.nix"

sed -i 's/"3.7.1"/"0"/' "$work/flake/nix/versions.json"
if check >"$work/said"; then echo "a differing version was not refused" >&2; exit 1; fi
grep -q "versions differ" "$work/said" || { cat "$work/said" >&2; exit 1; }
echo "the flake evaluates against the stand-in for nixpkgs"
