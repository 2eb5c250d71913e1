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

sed -i 's/"3.7.1"/"0"/' "$work/flake/nix/versions.json"
if check >"$work/said"; then echo "a differing version was not refused" >&2; exit 1; fi
grep -q "versions differ" "$work/said" || { cat "$work/said" >&2; exit 1; }
echo "the flake evaluates against the stand-in for nixpkgs"
