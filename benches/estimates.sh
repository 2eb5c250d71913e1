#!/bin/sh
# How well announced times hold: of each kind of tests of the shipped experiments, and of searches of them, what `plan`
# announces with its spread, what the run then takes, and the ratio of both. Twice: in an empty store, and with results of
# like tests (of packets two bytes larger or smaller). The goal: within a factor of 1.5 in nine of ten.
#
# At small scale, since the paper's tests take days: windows of WINDOW_MS between trims of 50 ms, in place of the
# experiments' own, and of each kind KIND_TESTS tests at most, of each switch some; repetitions are the experiments' own, the
# adaptive ones too. What this machine cannot measure is named and left out.
#
# Where one is off, the last columns tell why: repetitions made, those among them that do not count (disturbed by others:
# they are made again, which no plan foresees), trials of searches, what the records do not hold (the run itself, and what
# lies between repetitions), and the load.
#   WINDOW_MS    of a window (200)
#   KIND_TESTS   of each kind (4)
#   ONLY         kinds whose names have this in them (all)
set -eu
cd "$(dirname "$0")/.."
SEPTET_BIN=${SEPTET_BIN:-$(pwd)/target/release}
WINDOW_MS=${WINDOW_MS:-200} KIND_TESTS=${KIND_TESTS:-4} ONLY=${ONLY:-}
export SEPTET_BIN WINDOW_MS KIND_TESTS ONLY

for program in septet septet-host septet-gen; do
    [ -x "$SEPTET_BIN/$program" ] || { echo "estimates: skipped: there is no $SEPTET_BIN/$program (make build)"; exit 0; }
done
python3 -c 'import tomllib' 2> /dev/null || { echo "estimates: skipped: there is no python3 of 3.11 or later"; exit 0; }
exec python3 - <<'PYTHON'
import json, os, pathlib, subprocess, tempfile, time, tomllib

BIN, WINDOW, TESTS = os.environ["SEPTET_BIN"], int(os.environ["WINDOW_MS"]), int(os.environ["KIND_TESTS"])
AXES = ("D", "L", "S", "V", "P", "R", "B", "io")


def septet(folder, *arguments):
    done = subprocess.run([BIN + "/septet", *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode not in (0, 1) or (not done.stdout and arguments[0] == "plan"):
        raise SystemExit(f"estimates: septet {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def plan(folder):
    return json.loads(septet(folder, "plan", "estimates.toml", "--json"))


def text(protocol, axes):
    lines = ['[experiment]', 'name = "estimates"', '[protocol]', *protocol, '[[tests]]', 'id = "all"']
    return "\n".join(lines + [f"{name} = {json.dumps(value)}" for name, value in axes.items()]) + "\n"


def values(value):
    return value if isinstance(value, list) else [value]


def thinned(axes, can):
    """Some tests of what this machine can measure: both ends of an axis as long as there is room, switches first."""
    axes = dict(axes, V=[switch for switch in values(axes["V"]) if switch in can][:TESTS])
    left = TESTS // max(len(axes["V"]), 1)
    for name in ("R", "io", "P", "B", "S"):
        if name in axes:
            all_of = values(axes[name])
            axes[name] = all_of if len(all_of) <= left else [all_of[-1]] if left < 2 else [all_of[0], all_of[-1]]
            left //= len(axes[name])
    return axes


def records(folder):
    return {path: json.loads(path.read_text()) for path in pathlib.Path(folder, ".septet", "results").rglob("record.json")}


def measured(protocol, axes, folder):
    """What is announced of tests that are not measured yet, what they take, and what that was made of."""
    path = pathlib.Path(folder, "estimates.toml")
    path.write_text(text(protocol, axes))
    planned, before = plan(folder), records(folder)
    began = time.monotonic()
    septet(folder, "run", "estimates.toml", "--no-report", "--quiet")
    took = time.monotonic() - began
    made = [record for path, record in records(folder).items() if path not in before]
    lost = sum(record["status"]["state"] != "valid" for record in made)
    trials = sum(len(record["search"]["trials"]) for record in made if record.get("search"))
    besides = took - sum(record["cost"]["total_ms"] for record in made) / 1e3
    return planned, took, f"{len(made):>5} {lost:>5} {trials:>6} {besides:>7.1f} {load():>5}"


def kinds():
    for path in sorted(pathlib.Path("experiments").glob("*.toml")):
        experiment = tomllib.loads(path.read_text())
        wanted = experiment["protocol"]["repetitions"]
        if isinstance(wanted, dict):
            wanted = "{ " + ", ".join(f"{name} = {value}" for name, value in wanted.items()) + " }"
        for group in experiment["tests"]:
            axes = {name: group[name] for name in AXES if name in group}
            yield f"{path.stem} {group['id']}", wanted, axes
            if path.stem in ("quick", "vswitch") and group["D"] == "throughput" and group["S"] == "1vs1":
                yield f"{path.stem} {group['id']}, searched", 1, dict(axes, R="ndr")


def load():
    return open("/proc/loadavg").read().split()[0]


print(f"estimates: windows of {WINDOW} ms, {TESTS} tests of a kind at most (load {load()} before)")
print(f"{'tests':<25} {'known':<8} {'':>3}  {'s announced':<22} {'took':>6} {'ratio':>6}   {'made':>5} {'again':>5} {'trials':>6} {'besides':>7} {'load':>5}")
held = [0, 0]
within = [0, 0]
count = 0
for name, wanted, axes in kinds():
    if os.environ["ONLY"] not in name:
        continue
    protocol = [f'duration = "{WINDOW}ms"', 'warmup = "50ms"', 'cooldown = "50ms"', f"repetitions = {wanted}"]
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "estimates.toml").write_text(text(protocol, axes))
        tests = plan(folder)["tests"]
        can = [switch for switch in values(axes["V"]) if any(f"/{switch}/" in test["name"] and test["status"] != "skipped" for test in tests)]
        if not can:
            print(f"{name:<25} skipped: {'; '.join(tests[0]['why'])}", flush=True)
            continue
        axes = thinned(axes, can)
        count += 1
        for turn, known in enumerate(("nothing", "like")):
            sizes = values(axes["P"])
            more = sizes + [size + 2 if size < 1400 else size - 2 for size in sizes] if turn else sizes
            planned, took, made_of = measured(protocol, dict(axes, P=more), folder)
            announced, low, high = planned["eta_s"], planned["eta_s_low"], planned["eta_s_high"]
            ratio = took / max(announced, 1e-3)
            held[turn] += low <= took <= high
            within[turn] += 1 / 1.5 <= ratio <= 1.5
            spread = f"{announced:6.1f} [{low:.1f}, {high:.1f}]"
            print(f"{name:<25} {known:<8} {planned['to_measure']:>3}  {spread:<22} {took:>6.1f} {ratio:>6.2f}   {made_of}", flush=True)
print(f"within a factor of 1.5: {within[0]} of {count} with nothing known, {within[1]} of {count} with like ones known; "
      f"within what was announced: {held[0]}, {held[1]}")
PYTHON
