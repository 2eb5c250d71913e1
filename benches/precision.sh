#!/bin/sh
# Testbed time to a precision of 5 % and 2 %: the fixed protocol of experiments/paper.toml beside `precision`.
#
# First over simulated systems, whose true means are known (needs cargo). Then over three systems of this machine, each
# measured both ways in stores of its own, RUNS times to the precision. The truth is not known there: what stands for it is the
# mean over all set-ups of all runs, and the coverage is the part of the intervals that hold it. What this machine
# cannot measure is skipped, by name.
#   RUNS        runs to each precision (5)
#   FIXED       window of the fixed protocol, seconds (50), with TRIMS seconds before and after it (5)
set -eu
cd "$(dirname "$0")/.."
SEPTET_BIN=${SEPTET_BIN:-$(pwd)/target/release}
RUNS=${RUNS:-5} FIXED=${FIXED:-50} TRIMS=${TRIMS:-5}
export SEPTET_BIN RUNS FIXED TRIMS

[ -n "${REAL_ONLY:-}" ] || cargo bench -q -p septet-results --bench precise
for program in septet septet-host septet-gen; do
    [ -x "$SEPTET_BIN/$program" ] || { echo "precision: skipped: there is no $SEPTET_BIN/$program (make build)"; exit 0; }
done
command -v python3 > /dev/null || { echo "precision: the systems of this machine are skipped: there is no python3"; exit 0; }
exec python3 - <<'PYTHON'
import json, os, subprocess, tempfile

BIN, RUNS = os.environ["SEPTET_BIN"], int(os.environ["RUNS"])
FIXED, TRIMS = float(os.environ["FIXED"]), float(os.environ["TRIMS"])
SYSTEMS = [("linux-bridge", "udp"), ("direct", "dpdk"), ("ovs", "dpdk")]
EXPERIMENT = """[experiment]
name = "precision"
[protocol]
{protocol}
[[tests]]
id = "a"
D = "throughput"
L = "local"
S = "1vs1"
V = "{switch}"
P = 64
R = "1M"
B = 32
io = "{io}"
[[table]]
id = "t"
from = "a"
rows = "V"
value = "rx_kpps"
"""


def septet(folder, *arguments):
    done = subprocess.run([BIN + "/septet", *arguments], cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def measure(switch, io, protocol):
    """Seconds of testbed, and valid set-ups' values; or why there are none."""
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/precision.toml", "w") as file:
            file.write(EXPERIMENT.format(protocol=protocol, switch=switch, io=io))
        _, _, told = septet(folder, "run", "precision.toml")
        plan = json.loads(septet(folder, "plan", "precision.toml", "--json")[1])
        key = plan["tests"][0]["key"]
        if key is None:
            return plan["tests"][0]["why"]
        records = json.loads(septet(folder, "show", key, "--json")[1])
        with open(folder + "/out/precision/summary.json") as file:
            summary = json.load(file)
        estimates = [test["values"]["rx_pps"] for test in summary["tests"] if "rx_pps" in test.get("values", {})]
        if not estimates:
            return told.splitlines()[-1:] or ["no valid repetition"]
        valid = [record for record in records if record["status"]["state"] == "valid"]
        values = [record["reduction"]["values"]["rx_pps"] for record in valid]
        seconds = sum(record["cost"]["total_ms"] for record in records) / 1e3
        windows = [record["times"]["duration_ns"] / 1e9 for record in valid]
        return seconds, values, estimates[0], windows


print(f"\n{'system':<18} {'to':>4}  fixed: {FIXED:g} s, 3 to 10        precision ({RUNS} runs)")
for switch, io in SYSTEMS:
    for ratio in (0.05, 0.02):
        trims = f'warmup = "{TRIMS:g}s"\ncooldown = "{TRIMS:g}s"'
        adaptive = f"repetitions = {{ min = 3, max = 10, ci = {ratio} }}"
        fixed = measure(switch, io, f'duration = "{FIXED:g}s"\n{trims}\n{adaptive}')
        if not isinstance(fixed, tuple):
            print(f"{switch + ' ' + io:<18} skipped: {'; '.join(fixed)}")
            break
        runs = [measure(switch, io, f'precision = {ratio}\nwarmup = "1s"\ncooldown = "100ms"') for _ in range(RUNS)]
        runs = [run for run in runs if isinstance(run, tuple)]
        everything = [value for run in runs for value in run[1]]
        truth = sum(everything) / max(len(everything), 1)
        low_high = [(run[2]["mean"] - run[2].get("half_width", 0), run[2]["mean"] + run[2].get("half_width", 0)) for run in runs]
        held = sum(low <= truth <= high for low, high in low_high)
        seconds = sum(run[0] for run in runs) / max(len(runs), 1)
        set_ups = sum(len(run[1]) for run in runs) / max(len(runs), 1)
        windows = [window for run in runs for window in run[3]]
        window = sum(windows) / max(len(windows), 1)
        print(f"{switch + ' ' + io:<18} {ratio * 100:3.0f}%  {fixed[0]:7.1f} s, {len(fixed[1])} repetitions   "
              f"{seconds:7.1f} s, {set_ups:.1f} set-ups of {window:.1f} s, {held} of {len(runs)} hold the mean of all",
              flush=True)
PYTHON
