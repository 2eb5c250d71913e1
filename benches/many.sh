#!/bin/sh
# What septet takes with many stored tests, beside ninja with as many edges in the same run: nothing to do, one test of
# many dirty, a component upgraded; and how long their first report takes. Goals: nothing to do 0.1 of ninja's, one test
# dirty and a component upgraded 0.5, the first report of 100,000 tests 20 s. Then nothing to do of ten times as many,
# without a report: it must not grow.
#   RESULTS   stored tests (100000; some 6 GB in $TMPDIR)
#   MORE      stored tests of the second part (none; 1000000 need some 35 GB and a quarter of an hour to be made)
# Needs cargo; ninja and GNU time for the peer's rows.
set -eu
cd "$(dirname "$0")/.."
RESULTS=${RESULTS:-100000}
SEPTET_MANY=$RESULTS cargo bench -q --workspace --bench many
if [ -n "${MORE:-}" ]; then
    SEPTET_MANY=$MORE SEPTET_MANY_REPORT=no cargo bench -q --workspace --bench many
fi
