#!/bin/sh
# Reducing raw round trips (Parquet on disk) to summaries with percentiles, beside DuckDB's equivalent query on the
# same files in the same run: wall time, peak memory, and that both say the same. The goal: no slower, under 2 GB.
#   TESTS        how many tests (200)
#   ROUND_TRIPS  of each (500000: 100 million together, about 600 MB on disk)
#   RUNS         timed runs of each, taken in turn (3)
# Needs cargo, python3 with venv, and the package index for duckdb; without it the peer's rows are left out.
set -eu
cd "$(dirname "$0")/.."
TESTS=${TESTS:-200} ROUND_TRIPS=${ROUND_TRIPS:-500000} RUNS=${RUNS:-3}
work=$(mktemp -d "${TMPDIR:-/tmp}/septet-reduction.XXXXXX")
trap 'rm -rf "$work"' EXIT

echo "reduction: $TESTS tests of $ROUND_TRIPS round trips each"
cargo bench --workspace --bench reduction --no-run --message-format json 2>/dev/null |
    sed -n 's/.*"executable":"\([^"]*\/reduction-[^"]*\)".*/\1/p' | tail -1 > "$work/program"
program=$(cat "$work/program")
[ -x "$program" ] || { echo "reduction: the benchmark did not build: cargo bench --workspace --bench reduction"; exit 1; }
"$program" make "$work/samples" "$TESTS" "$ROUND_TRIPS"
echo "on disk: $(du -sm "$work/samples" | cut -f1) MB"

if python3 -m venv "$work/venv" && "$work/venv/bin/pip" install -q 'duckdb>=1,<3' 2> "$work/pip"; then
    duckdb="$work/venv/bin/python"
else
    echo "reduction: DuckDB is left out: $(tail -1 "$work/pip" 2> /dev/null)"
    duckdb=""
fi
cat > "$work/query.py" <<'PYTHON'
import duckdb, sys
folder = sys.argv[1]
_, first, last = open(folder + "/window").read().split()
rows = duckdb.sql(f"""
    SELECT parse_filename(filename), count(*), avg(rtt_ns), min(rtt_ns), max(rtt_ns),
           quantile_disc(rtt_ns, [0.5, 0.9, 0.99, 0.999, 0.9999])
    FROM read_parquet('{folder}/*.parquet', filename = true)
    WHERE kind = 'rtt' AND burst >= {first} AND burst < {last}
    GROUP BY filename ORDER BY filename""").fetchall()
for name, count, mean, least, most, (p50, p90, p99, p999, p9999) in rows:
    print(f"{name} {count} {mean:.3f} {p50} {p90} {p99} {p999}")
PYTHON
cat > "$work/timed.py" <<'PYTHON'
import resource, subprocess, sys, time
out, command = sys.argv[1], sys.argv[2:]
began = time.monotonic()
with open(out, "w") as file:
    subprocess.run(command, stdout=file, check=True)
seconds = time.monotonic() - began
print(f"{seconds:7.2f} s  {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:6.0f} MB")
PYTHON
run=1
while [ "$run" -le "$RUNS" ]; do
    echo "septet   $(python3 "$work/timed.py" "$work/ours" "$program" reduce "$work/samples")"
    if [ -n "$duckdb" ]; then
        echo "duckdb   $(python3 "$work/timed.py" "$work/theirs" "$duckdb" "$work/query.py" "$work/samples")"
    fi
    run=$((run + 1))
done
if [ -n "$duckdb" ]; then
    if cmp -s "$work/ours" "$work/theirs"; then
        echo "both say the same of every test"
    else
        echo "they differ: $(diff "$work/ours" "$work/theirs" | grep -c '^<') of $TESTS tests, first:"
        diff "$work/ours" "$work/theirs" | sed -n 2,4p
    fi
fi
