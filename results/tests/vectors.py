#!/usr/bin/env python3
"""Makes scipy.json anew: what numpy and scipy say of the stored samples. The samples themselves are kept as they
are. Run it in an environment with numpy and scipy; the versions used are written into the file.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install numpy scipy && /tmp/venv/bin/python results/tests/vectors.py
"""

import json
import math
import pathlib

import numpy
import scipy
from scipy import stats

FILE = pathlib.Path(__file__).with_name("scipy.json")
SHARES = {"p2_5": 2.5, "p25": 25, "p50": 50, "p75": 75, "p90": 90, "p97_5": 97.5, "p99": 99, "p999": 99.9,
          "p9999": 99.99}
FREEDOMS = list(range(1, 31)) + [40, 60, 64, 65, 99, 100, 120, 500, 999, 1000]


def sample(name, values):
    array = numpy.array(values)
    n = len(array)
    low, high = numpy.percentile(array, [25, 75])
    reach = 1.5 * (high - low)
    median = numpy.median(array)
    mad = stats.median_abs_deviation(array, scale="normal")
    scale = mad if mad > 0 else numpy.mean(numpy.abs(array - median)) * math.sqrt(math.pi / 2)
    return {
        "name": name,
        "values": values,
        "sum": math.fsum(values),
        "mean": float(numpy.mean(array)),
        "standard_deviation": float(numpy.std(array, ddof=1)),
        "half_width_95": float(stats.t.ppf(0.975, n - 1) * stats.sem(array)),
        "nearest_rank": {key: float(numpy.percentile(array, share, method="inverted_cdf"))
                         for key, share in SHARES.items()},
        "interpolated": {key: float(numpy.percentile(array, share)) for key, share in SHARES.items()},
        "tukey": [int(at) for at in numpy.flatnonzero((array < low - reach) | (array > high + reach))],
        "median_deviation": [int(at) for at in numpy.flatnonzero(numpy.abs(array - median) > 3.5 * scale)],
    }


def comparison(name, before, after):
    """Student's test, and Fieller's limits, with Welch's degrees of freedom rounded down, as roots of their quadratic."""
    a, b = numpy.array(before), numpy.array(after)
    va, vb = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)

    def freedom(va, vb):
        return max(1, math.floor((va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))))

    ratio = b.mean() / a.mean()
    limit = stats.t.ppf(0.975, freedom(va * ratio**2, vb))
    roots = numpy.roots([a.mean() ** 2 - limit**2 * va, -2 * a.mean() * b.mean(), b.mean() ** 2 - limit**2 * vb])
    return {
        "name": name,
        "before": before,
        "after": after,
        "p": float(stats.ttest_ind(before, after).pvalue),
        "ratio": float(ratio),
        "interval": sorted(float(root.real) for root in roots),
    }


def stands(groups):
    means = [numpy.mean(group) for group in groups]
    return {"groups": groups, "half_width": float(stats.t.ppf(0.975, len(means) - 1) * stats.sem(means))}


def line(value):
    return json.dumps(value)


def main():
    stored = json.loads(FILE.read_text())
    values = {one["name"]: one["values"] for one in stored["samples"]}
    samples = [sample(name, kept) for name, kept in values.items()]
    rates = values["rates"]
    comparisons = [
        comparison("the same again", rates[:5], rates[5:]),
        comparison("three and three", [100.0, 101.0, 99.5], [103.0, 104.5, 103.2]),
        comparison("sizes differ", rates, [value * 1.03 for value in rates[:4]]),
        comparison("spreads differ", values["skewed"][:40], values["skewed"][40:60]),
        comparison("far apart", [1.0, 1.1, 0.9, 1.05], [9.0, 9.1, 8.7]),
    ]
    together = [stands([rates[:5], rates[5:]]), stands([rates[:3], rates[3:5], rates[5:]])]
    quantiles = [{"freedom": freedom, "t_95": float(stats.t.ppf(0.975, freedom)),
                  "t_99": float(stats.t.ppf(0.995, freedom))} for freedom in FREEDOMS]
    parts = [("samples", samples), ("quantiles", quantiles), ("comparisons", comparisons), ("stands", together)]
    lists = ["\"%s\": [\n%s\n]" % (name, ",\n".join(map(line, items))) for name, items in parts]
    made_by = line("numpy %s, scipy %s" % (numpy.__version__, scipy.__version__))
    FILE.write_text("{\"made_by\": %s,\n%s}\n" % (made_by, ",\n".join(lists)))


main()
