#!/bin/sh
# Testbed time to a precision of 5 % and 2 %: the fixed protocol of experiments/paper.toml (windows of 50 s, 5 s left out
# before and after them, at least three) beside `precision`.
#
# 1. Over simulated systems, whose true means are known (needs cargo).
# 2. Over three systems of this machine, of each a long record: RECORD_SET_UPS set-ups of RECORD_S seconds. Both ways are
#    replayed from it many times (`results/benches/replay.rs` says how): seconds of testbed, half width reached, and how
#    often the interval holds the mean of the whole record; and the hours for the paper's 1,096 tests, if they were alike.
# 3. The same systems measured to each precision RUNS times, under CAP: what it took, and whether the interval holds the
#    mean of the record, which was measured before it: a host that drifts in between misses it.
# What this machine cannot measure is skipped, by name. A whole run takes about 25 minutes of the host, and no more than 30
# where nothing else needs it; LONGER=1 takes three hours.
#   RECORD_SET_UPS, RECORD_S   the record (15 of 20 s; LONGER: 60 of 50 s)
#   RUNS, CAP                  runs to each precision (1; LONGER: 5), and what one may take ("40s"; LONGER: "5min")
#   SYSTEMS                    which of them ("linux-bridge/udp direct/dpdk ovs/dpdk")
#   RATE                       packets/s that are offered ("1M")
#   REAL_ONLY                  set: no simulated systems
set -eu
cd "$(dirname "$0")/.."
SEPTET_BIN=${SEPTET_BIN:-$(pwd)/target/release}
if [ -n "${LONGER:-}" ]; then
    RECORD_SET_UPS=${RECORD_SET_UPS:-60} RECORD_S=${RECORD_S:-50} RUNS=${RUNS:-5} CAP=${CAP:-5min}
fi
RECORD_SET_UPS=${RECORD_SET_UPS:-15} RECORD_S=${RECORD_S:-20} RUNS=${RUNS:-1} CAP=${CAP:-40s} RATE=${RATE:-1M}
SYSTEMS=${SYSTEMS:-linux-bridge/udp direct/dpdk ovs/dpdk}
export SEPTET_BIN RECORD_SET_UPS RECORD_S RUNS CAP SYSTEMS RATE

if command -v cargo > /dev/null; then
    # Built before anything is measured; of the whole workspace, since polars alone would be built with other features.
    cargo bench -q --no-run --workspace --bench precise --bench replay
    [ -n "${REAL_ONLY:-}" ] || cargo bench -q --workspace --bench precise
else
    echo "precision: neither simulations nor replays: there is no cargo"
fi
for program in septet septet-host septet-gen; do
    [ -x "$SEPTET_BIN/$program" ] || { echo "precision: skipped: there is no $SEPTET_BIN/$program (make build)"; exit 0; }
done
command -v python3 > /dev/null || { echo "precision: the systems of this machine are skipped: there is no python3"; exit 0; }
exec python3 - <<'PYTHON'
import glob, json, os, shutil, statistics, subprocess, tempfile, time

BIN, RUNS, CAP, RATE = (os.environ[name] for name in ("SEPTET_BIN", "RUNS", "CAP", "RATE"))
SET_UPS, RECORD_S = int(os.environ["RECORD_SET_UPS"]), float(os.environ["RECORD_S"])
SYSTEMS = [system.split("/") for system in os.environ["SYSTEMS"].split()]
WARMUP_S, COOLDOWN_S = 1.0, 0.1
EXPERIMENT = """[experiment]
name = "precision"
[protocol]
{protocol}
warmup = "{warmup}ms"
cooldown = "{cooldown}ms"
[[tests]]
id = "a"
D = "throughput"
L = "local"
S = "1vs1"
V = "{switch}"
P = 64
R = "{rate}"
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
    return done.stdout, done.stderr


def measure(folder, switch, io, protocol, *more):
    """Records of all set-ups with the folders that they lie in, oldest first, and why there are none."""
    with open(folder + "/precision.toml", "w") as file:
        trims = {"warmup": round(WARMUP_S * 1000), "cooldown": round(COOLDOWN_S * 1000)}
        file.write(EXPERIMENT.format(protocol=protocol, switch=switch, io=io, rate=RATE, **trims))
    _, told = septet(folder, "run", "precision.toml", *more)
    records = []
    for path in glob.glob(folder + "/.septet/results/*/*/record.json"):
        with open(path) as file:
            records.append((json.load(file), os.path.dirname(path)))
    records.sort(key=lambda pair: pair[0]["started"])
    if records:
        return records, ""
    plan = json.loads(septet(folder, "plan", "precision.toml", "--json")[0] or "{}")
    why = [str(why) for test in plan.get("tests", []) if test.get("key") is None for why in [test.get("why")]]
    return [], "; ".join(why + told.splitlines()[-1:])


def beyond(record):
    """Seconds of a set-up outside of its window, and of the window outside of its traffic."""
    cost, times = record["cost"], record["times"]
    inside = (cost["ready_ms"] + cost["traffic_ms"] + cost["collect_ms"]) / 1e3
    traffic = (times["warmup_ns"] + times["duration_ns"] + times["cooldown_ns"]) / 1e9
    return max(cost["total_ms"] / 1e3 - inside, 0), max(inside - traffic, 0)


began, kept, words, truths = time.time(), tempfile.mkdtemp(prefix="precision-"), [], {}
load = open("/proc/loadavg").read().split()[0]
print(f"records of {SET_UPS} set-ups of {RECORD_S:g} s, load {load} before")
for switch, io in SYSTEMS:
    name = f"{switch} {io}"
    folder = tempfile.mkdtemp(dir=kept)
    most_s = round(SET_UPS * (RECORD_S + WARMUP_S + COOLDOWN_S + 2) * 1.2)
    protocol = f'duration = "{RECORD_S:g}s"\nrepetitions = {SET_UPS}'
    records, why = measure(folder, switch, io, protocol, "--for", f"{most_s}s")
    measured = [pair for pair in records if pair[0]["status"]["state"] != "failed"]
    valid = [pair for pair in measured if pair[0]["status"]["state"] == "valid"]
    if len(measured) < 3:
        print(f"{name:<20} skipped: {why or 'too few set-ups were measured'}", flush=True)
        continue
    used = valid if len(valid) >= 3 else measured
    values = [record["reduction"]["values"]["rx_pps"] for record, _ in used]
    truths[name] = statistics.fmean(values)
    deviation = statistics.stdev(values) / truths[name] * 100
    print(f"{name:<20} {truths[name] / 1e3:8.1f} kpps, set-ups differ by {deviation:.2f} %, {len(used)} used, "
          f"{len(measured) - len(valid)} suspect{' and used all the same' if used is measured and len(valid) < 3 else ''}",
          flush=True)
    costs = [beyond(record) for record, _ in used]
    set_up_s, start_s = (statistics.median(each) for each in zip(*costs))
    words += ["--"] * bool(words) + [name, f"{set_up_s:.3f}", f"{start_s:.3f}", str(WARMUP_S + COOLDOWN_S)]
    words += [folder + "/samples.parquet" for _, folder in used]
print(flush=True)
if words and shutil.which("cargo"):
    subprocess.run(["cargo", "bench", "-q", "--workspace", "--bench", "replay", "--", *words], check=True)

load = open("/proc/loadavg").read().split()[0]
print(f"measured to a precision, {RUNS} runs each under a cap of {CAP}, load {load} before")
for switch, io in SYSTEMS:
    name = f"{switch} {io}"
    if name not in truths:
        continue
    for ratio in (0.05, 0.02):
        lines = []
        for _ in range(int(RUNS)):
            with tempfile.TemporaryDirectory() as folder:
                records, why = measure(folder, switch, io, f'precision = {ratio}\ncap = "{CAP}"')
                try:
                    with open(folder + "/out/precision/summary.json") as file:
                        tests = json.load(file)["tests"]
                    estimate = next(test["values"]["rx_pps"] for test in tests if "rx_pps" in test.get("values", {}))
                except (OSError, StopIteration):
                    lines.append(f"no value: {why or 'no valid set-up'}")
                    continue
            valid = [record for record, _ in records if record["status"]["state"] == "valid"]
            mean, half = estimate["mean"], estimate.get("half_width", float("inf"))
            windows = [max(len(record.get("windows", [])), 1) for record in valid]
            holds = abs(mean - truths[name]) <= half
            lines.append(
                f"{sum(record['cost']['total_ms'] for record, _ in records) / 1e3:6.1f} s, {mean / 1e3:.1f} kpps "
                f"±{half / mean * 100:.1f} % ({'reached' if half <= ratio * mean * 1.000001 else 'not reached'}), "
                f"{len(valid)} set-ups of {min(windows)} to {max(windows)} windows, {len(records) - len(valid)} suspect; "
                f"{'holds' if holds else 'misses'} the record's mean")
        for line in lines:
            print(f"{name:<20} {ratio * 100:3.0f} %  {line}", flush=True)
shutil.rmtree(kept)
print(f"{(time.time() - began) / 60:.1f} minutes of this host")
PYTHON
