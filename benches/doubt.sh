#!/bin/sh
# What `run --for` gains by measuring what is in doubt first, on simulated runs of experiments/paper.toml: the part of
# claims settled and of figures and tables complete after each tenth of the time, beside the order of a run without it.
# Needs cargo.
set -eu
cd "$(dirname "$0")/.."
cargo bench -q --workspace --bench doubt
