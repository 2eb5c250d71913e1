#!/bin/sh
# A thousand cycles of applying settings to an invented host, death at a random instant, and restoring; too
# long for every change. The seed is printed on failure and makes the same instants again, as far as the
# machine allows.
#   cycles.sh [CYCLES] [SEED]
set -eu
cd "$(dirname "$0")/../.."
SEPTET_CYCLES=${1:-1000} SEPTET_SEED=${2:-7} \
    cargo test --release -p septet-host-setup --test cycles whoever -- --nocapture
