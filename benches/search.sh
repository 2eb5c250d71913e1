#!/bin/sh
# What a throughput search costs on simulated systems under test, in simulated seconds of trial windows, beside the
# package MLRsearch 1.2.1 with the same goals: full trials of 10 s, three of them decide, exceed ratio 0.5, width 1 %,
# from 1 kpps to 40 Mpps. A search has landed when the true rate lies within its bounds, give or take the width.
# Needs cargo, python3 with venv, and the package index for MLRsearch; without it the peer's rows are left out.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d "${TMPDIR:-/tmp}/septet-search.XXXXXX")
trap 'rm -rf "$work"' EXIT

echo "septet:"
cargo bench -q --workspace --bench search
if ! { python3 -m venv "$work/venv" && "$work/venv/bin/pip" install -q 'MLRsearch==1.2.1' 2> "$work/pip"; }; then
    echo "MLRsearch is left out: $(tail -1 "$work/pip" 2> /dev/null)"
    exit 0
fi
echo "MLRsearch 1.2.1:"
cat > "$work/peer.py" <<'PYTHON'
import logging, math, random
from MLRsearch import AbstractMeasurer, Config, MeasurementResult, MultipleLossRatioSearch, SearchGoal
from MLRsearch.search_goal_tuple import SearchGoalTuple

logging.disable(logging.CRITICAL)
CAPACITY, FULL, SEARCHES, WIDTH = 1.234e6, 10.0, 200, 0.01
noise = lambda: sum(random.random() for _ in range(12)) - 6
step = lambda capacity, rate: max(0.0, 1 - capacity / rate)
clean = lambda rate, time: step(CAPACITY, rate)
noisy = lambda rate, time: step(CAPACITY * (1 + 0.003 * math.sqrt(10 / time) * noise()), rate)
floor = lambda rate, time: max(step(CAPACITY, rate), 0.001 * (1 + 0.2 * noise()))
bistable = lambda rate, time: step(CAPACITY * (0.7 if random.randrange(6) == 0 else 1), rate)


class Simulated(AbstractMeasurer):
    def __init__(self, system):
        self.system, self.seconds, self.trials = system, 0.0, 0

    def measure(self, intended_duration, intended_load):
        self.seconds += intended_duration
        self.trials += 1
        count = round(intended_load * intended_duration)
        lost = round(count * self.system(intended_load, intended_duration))
        return MeasurementResult(intended_duration=intended_duration, intended_load=intended_load,
                                 offered_count=count, loss_count=lost)


for name, loss, system in [("clean ndr", 0, clean), ("clean pdr", 0.005, clean), ("noisy ndr", 0, noisy),
                           ("noisy pdr", 0.005, noisy), ("floor pdr", 0.005, floor), ("bistable ndr", 0, bistable)]:
    seconds = trials = landed = failed = 0
    for seed in range(SEARCHES):
        random.seed(seed)
        goal = SearchGoal(loss_ratio=loss, exceed_ratio=0.5, relative_width=WIDTH, initial_trial_duration=1.0,
                          final_trial_duration=FULL, duration_sum=3 * FULL, preceding_targets=2, fail_fast=False)
        config = Config()
        config.goals = SearchGoalTuple((goal,))
        config.min_load, config.max_load = 1000.0, 40e6
        config.search_duration_max, config.warmup_duration = 1e9, None
        simulated = Simulated(system)
        try:
            result = MultipleLossRatioSearch(config=config).search(simulated)[goal]
            low, high = float(result.relevant_lower_bound), float(result.relevant_upper_bound)
            truth = CAPACITY / (1 - loss)
            landed += low - WIDTH * truth <= truth <= high + WIDTH * truth
        except Exception:
            failed += 1
        seconds += simulated.seconds
        trials += simulated.trials
    note = f"  {failed} failed" if failed else ""
    print(f"{name:<14} {SEARCHES} searches  {seconds / SEARCHES:7.1f} s  {trials / SEARCHES:5.1f} trials  "
          f"{landed / SEARCHES:.3f} landed{note}")
PYTHON
"$work/venv/bin/python" "$work/peer.py"
