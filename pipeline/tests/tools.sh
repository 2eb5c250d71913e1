#!/bin/sh
# Puts what some tests ask besides into target/tools: a server that speaks S3, a BagIt validator, a checker of
# TOML against schemas, what reads data packages and Parquet. Without Python or a package index those tests are skipped, and say so.
cd "$(dirname "$0")/../.." || exit 0
tools=target/tools
wanted="moto[server]==5.* bagit==1.* taplo==0.* frictionless==5.* duckdb==1.* pandas pyarrow jsonschema playwright==1.* axe-playwright-python"
[ "$(cat "$tools/wanted" 2>/dev/null)" = "$wanted" ] && exit 0
rm -rf "$tools"
mkdir -p target
# shellcheck disable=SC2086
if python3 -m venv "$tools" >/dev/null 2>&1 && "$tools/bin/pip" install -q --disable-pip-version-check $wanted >"$tools/log" 2>&1
then
    echo "$wanted" >"$tools/wanted"
else
    echo "setup: no Python packages ($wanted), so tests that need them are skipped: $(tail -n 1 "$tools/log" 2>/dev/null)"
    rm -rf "$tools"
fi
exit 0
