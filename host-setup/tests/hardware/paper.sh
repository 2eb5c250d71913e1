# In the guest: which of the paper's tests could be measured on such a machine. Sourced by all.sh.

echo "== the paper"
septet plan --json "$here/../../../experiments/paper.toml" >"$work/paper.json"
jq -r '"\(.tests_total) tests: \(.to_measure) to measure, \(.skipped) skipped"' "$work/paper.json"
# Each reason once, with how many local tests it holds for.
jq -r '.tests[] | select(.status == "skipped") | select(.name | contains("/local/")) | .why | join("; ")' \
    "$work/paper.json" | sort | uniq -c
reasons() { # SWITCH: reasons for which local tests through it are skipped
    jq -r --arg switch "/$1/" '.tests[] | select(.status == "skipped") | select((.name | contains("/local/"))
        and (.name | contains($switch))) | .why | join("; ")' "$work/paper.json"
}
for switch in basicfwd ovs; do
    check "no local test through $switch is skipped" test -z "$(reasons "$switch")"
done
# This kind of card has seven functions, and four pairs take eight.
check "no local test through sriov is skipped but for those of four pairs" \
    test -z "$(reasons sriov | grep -v 'can have 7 virtual functions, and it takes 8')"
for switch in snabb vpp; do
    if septet host facts | grep -q "switch.*$switch .*available"; then
        check "no local test through $switch is skipped" test -z "$(reasons "$switch")"
    else
        echo "skipped: local tests through $switch, which is not installed on this machine"
    fi
done
