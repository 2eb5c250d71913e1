#!/bin/sh
# Testbed time to a precision of 5 % and 2 %: the fixed protocol of experiments/paper.toml beside `precision`.
#
# First over simulated systems, whose true means are known (needs cargo). Then over three systems of this machine, each
# measured RUNS times to each precision, in stores of its own. The truth is not known there: what stands for it is the mean over
# all set-ups of all runs to that precision, and the coverage is the part of the intervals that hold it. What the fixed
# protocol would take is computed and not spent: windows of FIXED seconds vary between set-ups and within them as the
# runs to a precision have found, and as many are taken, 3 to 10, as Student's t needs; the rule that looks after each
# repetition whether it was enough takes no fewer. What this machine cannot measure is skipped, by name.
#   RUNS        runs to each precision (5)
#   FIXED       window of the fixed protocol, seconds (50), with TRIMS seconds before and after it (5)
#   CAP         what a test may take at most, in the protocol's words (as usual)
#   SYSTEMS     which of them ("linux-bridge/udp direct/dpdk ovs/dpdk")
#   REAL_ONLY   set: no simulated systems
set -eu
cd "$(dirname "$0")/.."
SEPTET_BIN=${SEPTET_BIN:-$(pwd)/target/release}
RUNS=${RUNS:-5} FIXED=${FIXED:-50} TRIMS=${TRIMS:-5}
SYSTEMS=${SYSTEMS:-linux-bridge/udp direct/dpdk ovs/dpdk}
CAP=${CAP:-}
export SEPTET_BIN RUNS FIXED TRIMS SYSTEMS CAP

[ -n "${REAL_ONLY:-}" ] || cargo bench -q -p septet-results --bench precise
for program in septet septet-host septet-gen; do
    [ -x "$SEPTET_BIN/$program" ] || { echo "precision: skipped: there is no $SEPTET_BIN/$program (make build)"; exit 0; }
done
command -v python3 > /dev/null || { echo "precision: the systems of this machine are skipped: there is no python3"; exit 0; }
exec python3 - <<'PYTHON'
import json, os, subprocess, tempfile

BIN, RUNS = os.environ["SEPTET_BIN"], int(os.environ["RUNS"])
FIXED, TRIMS = float(os.environ["FIXED"]), float(os.environ["TRIMS"])
CAP = f'cap = "{os.environ["CAP"]}"\n' if os.environ["CAP"] else ""
SYSTEMS = [system.split("/") for system in os.environ["SYSTEMS"].split()]
# Student's t, 97.5 %, by degrees of freedom.
T = {2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
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
    """One run: seconds of testbed, values of valid set-ups, the estimate, windows, and of what was chosen the variances
    (as parts of the mean's square) between set-ups and of a window of 1 s; or why there is none."""
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
        chosen = [record["chosen"] for record in valid if record.get("chosen")]
        last = max(chosen, key=lambda one: one["set_ups_before"], default={})
        variances = last.get("between_set_ups"), last.get("within_s")
        return seconds, values, estimates[0], windows, variances, len(records) - len(valid)


def fixed(runs, ratio):
    """Repetitions, and seconds, that the fixed protocol takes, by the variances that runs have found."""
    known = [run[4] for run in runs if None not in run[4]]
    if not known:
        return None
    variance = sum(between + within / FIXED for between, within in known) / len(known)
    enough = [n for n in range(3, 10) if T[n - 1] * (variance / n) ** 0.5 <= ratio]
    count = enough[0] if enough else 10
    return count, count * (FIXED + 2 * TRIMS)


load = open("/proc/loadavg").read().split()[0]
print(f"\n{'system':<18} {'to':>4}  fixed, computed: {FIXED:g} s + trims     precision ({RUNS} runs, load {load} before)")
for switch, io in SYSTEMS:
    for ratio in (0.05, 0.02):
        name = f"{switch + ' ' + io:<18} {ratio * 100:3.0f}%"
        runs, why = [], []
        for _ in range(RUNS):
            run = measure(switch, io, f'precision = {ratio}\n{CAP}warmup = "1s"\ncooldown = "100ms"')
            if isinstance(run, tuple):
                runs.append(run)
            else:
                why = run
        if not runs:
            print(f"{name}  skipped: {'; '.join(why)}", flush=True)
            break
        everything = [value for run in runs for value in run[1]]
        truth = sum(everything) / len(everything)
        held = reached = 0
        for run in runs:
            mean, half = run[2]["mean"], run[2].get("half_width", 0)
            held += mean - half <= truth <= mean + half
            reached += half <= ratio * mean
        mean_of = lambda values: sum(values) / max(len(values), 1)
        planned = fixed(runs, ratio)
        planned = f"{planned[0]:>2} repetitions, {planned[1]:5.0f} s" if planned else "unknown"
        print(f"{name}  {planned:<26} {mean_of([run[0] for run in runs]):7.1f} s, {mean_of([len(run[1]) for run in runs]):.1f} "
              f"set-ups of {mean_of([window for run in runs for window in run[3]]):.1f} s, {reached} of {len(runs)} reached it, "
              f"{held} hold the mean of all, {sum(run[5] for run in runs)} set-ups suspect or failed"
              + (f"; {RUNS - len(runs)} runs without a value: {'; '.join(why)}" if why else ""), flush=True)
PYTHON
