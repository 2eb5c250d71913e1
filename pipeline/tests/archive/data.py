"""Reads an archive's bag as somebody who has never heard of septet would: by its own descriptions alone.

usage: data.py BAG SUMMARY-SCHEMA RECORD-SCHEMA
"""
import contextlib
import glob
import io
import json
import os
import re
import sys

try:
    import duckdb
    import frictionless
    import jsonschema
    import pandas
    import pyarrow.parquet
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(0)

bag, summary_schema, record_schema = (os.path.abspath(path) for path in sys.argv[1:4])
os.chdir(os.path.join(bag, "data"))

# The data packages, of the archive and of the report.
for package in ["datapackage.json", "report/datapackage.json"]:
    here = os.getcwd()
    os.chdir(os.path.dirname(package) or ".")
    outcome = frictionless.validate(os.path.basename(package))
    os.chdir(here)
    assert outcome.valid, outcome.flatten(["title", "message"])
package = json.load(open("datapackage.json"))
samples = next(resource for resource in package["resources"] if resource["name"] == "samples")
fields = {field["name"]: field for field in samples["schema"]["fields"]}

# Every column of every file is described, and CSV files have no others.
records = {os.path.dirname(path): json.load(open(path)) for path in glob.glob("store/results/*/*/record.json")}
assert sorted(samples["path"]) == sorted(f"{folder}/samples.parquet" for folder in records)
for path in samples["path"]:
    schema = pyarrow.parquet.read_schema(path)
    assert [name for name in schema.names] == list(fields), schema.names
    record = records[os.path.dirname(path)]
    metadata = pyarrow.parquet.read_metadata(path).metadata
    about = {key.decode(): value.decode() for key, value in metadata.items()}
    assert about["septet.test"] == record["test"] and about["septet.key"] == record["key"], about
    window = json.loads(about["septet.window"])
    assert window["interval_ns"] == record["interval_ns"], window
    assert all(window[name] == record["times"][name] for name in ["warmup_ns", "duration_ns", "cooldown_ns"]), window
    units = json.loads(about["septet.units"])
    assert units == {name: field["unit"] for name, field in fields.items() if "unit" in field}, units
    # From the file alone, in pandas: what the record says was received.
    rows = pandas.read_parquet(path)
    start = rows["interval"] * window["interval_ns"]
    inside = (start >= window["warmup_ns"]) & (start < window["warmup_ns"] + window["duration_ns"])
    received = rows[inside & (rows["kind"] == "interval") & (rows["role"] == "receive")]
    if len(received):
        rate = received["packets"].sum() * 1e9 / window["duration_ns"]
        assert abs(rate - record["reduction"]["values"]["rx_pps"]) <= 1e-6 * rate, (rate, record["test"])

# The query of the README.
snippets = "\n".join(re.findall(r"^    (.*)$", open("README.md").read(), re.M))
query = snippets[snippets.index("SELECT"):snippets.index("import glob")]
rates = duckdb.sql(query).fetchall()
expected = sorted(
    (record["test"], round(record["reduction"]["values"]["rx_pps"], 3))
    for record in records.values()
    if record["tuple"]["dimension"] == "throughput"
)
assert sorted((test, round(rate, 3)) for test, source, rate in rates if source.startswith("receive")) == expected, rates

# What it says in pandas.
printed = io.StringIO()
with contextlib.redirect_stdout(printed):
    exec(snippets[snippets.index("import glob"):], {})
received = [line.rsplit(" ", 1) for line in printed.getvalue().splitlines()]
every = sorted((record["test"], round(record["reduction"]["values"]["rx_pps"], 3)) for record in records.values())
assert len(every) > len(expected) and sorted((test, round(float(rate), 3)) for test, rate in received) == every, received

# Schemas.
jsonschema.validate(json.load(open("report/summary.json")), json.load(open(summary_schema)))
for record in records.values():
    jsonschema.validate(record, json.load(open(record_schema)))

# Numbers are numbers.
summary = json.load(open("report/summary.json"))
point = summary["figures"][0]["series"][0]["points"][0]
assert isinstance(point["x"], int) and summary["figures"][0]["x_unit"] == "bytes", point
test = next(test for test in summary["tests"] if test["D"] == "throughput")
assert (test["P"], test["R"], test["B"], test["V"]) == (64, 50000, 32, "linux-bridge"), test
assert test["variant"]["io"] == "udp-mmsg" and test["values"]["rx_pps"]["unit"] == "packets/s", test
compared = summary["claims"][0]["comparisons"][0]["values"]
assert len(compared) == 2 and all(isinstance(value["value"], float) for value in compared), compared
for path in glob.glob("report/*/*.csv"):
    table = pandas.read_csv(path)
    assert table["P_bytes" if "size" in path else "B_packets"].dtype.kind == "i", table.dtypes
print("all as it says")
