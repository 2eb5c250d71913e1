#!/bin/sh
# How long the front page of the paper's 1,096 tests takes to open in headless Chromium, from synthetic summaries,
# beside an empty page: the difference is the page's own. Goal: below 1 s, and below 3 MB.
set -eu
cd "$(dirname "$0")/.."
pages=${PAGES:-11}

for program in cargo chromium; do
    command -v "$program" >/dev/null || { echo "front-page: skipped: $program is not installed"; exit 0; }
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
KEEP_REPORT="$scratch" cargo test --release --workspace --quiet --test report -- the_paper_renders >/dev/null
echo '<!DOCTYPE html><title>empty</title>' >"$scratch/empty.html"

opened() { # milliseconds from the start of the browser until the page is drawn
    began=$(date +%s%N)
    chromium --headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update \
        --disable-sync --no-first-run --user-data-dir="$scratch/profile" --screenshot="$scratch/page.png" \
        "file://$1" >/dev/null 2>&1
    echo $((($(date +%s%N) - began) / 1000000))
}
median() { sort -n | sed -n "$(((pages + 1) / 2))p"; }

opened "$scratch/empty.html" >/dev/null
for run in $(seq "$pages"); do
    opened "$scratch/empty.html" >>"$scratch/empty"
    opened "$scratch/paper/index.html" >>"$scratch/page"
done
bytes=$(wc -c <"$scratch/paper/index.html")
empty=$(median <"$scratch/empty")
page=$(median <"$scratch/page")
echo "front page of 1,096 tests: $bytes bytes; opened in $((page - empty)) ms (browser alone $empty ms, together $page ms)"
