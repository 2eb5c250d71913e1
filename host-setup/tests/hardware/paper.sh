# In the guest: which of the paper's tests could be measured on such a machine. Sourced by all.sh.

echo "== the paper"
# Switches of no distribution's, where the system would have them.
if [ -n "${SEPTET_SNABB:-}" ]; then ln -s "$SEPTET_SNABB" /usr/local/bin/snabb; fi
if [ -n "${SEPTET_VPP:-}" ]; then
    ln -s "$SEPTET_VPP" /usr/bin/vpp
    for plugins in "${SEPTET_VPP%/bin/vpp}"/lib/*/vpp_plugins "${SEPTET_VPP%/bin/vpp}/lib/vpp_plugins"; do
        if [ -d "$plugins" ]; then ln -s "$plugins" "/usr/lib/$(uname -m)-linux-gnu/vpp_plugins"; fi
    done
fi
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
# This kind of card has seven functions, and four pairs take eight: a limit of its kernel driver, since it keeps one.
check "no local test through sriov is skipped but for those of four pairs" \
    test -z "$(reasons sriov | grep -v 'can have 7 virtual functions, and it takes 8')"
# Nothing else stands in their way: a card that said 8, as most say more, would have them.
echo 8 >"$work/functions"
for port in "$card" "$other"; do mount --bind "$work/functions" "/sys/class/net/$port/device/sriov_totalvfs"; done
septet plan --json --refresh "$here/../../../experiments/paper.toml" >"$work/paper.json"
check "no local test through sriov is skipped where a card has eight" test -z "$(reasons sriov)"
jq -r '"a card of eight functions: \(.to_measure) to measure, \([.tests[] | select(.status == "skipped" and (.name | contains("/local/")))] | length) local tests skipped"' \
    "$work/paper.json"
for port in "$card" "$other"; do umount "/sys/class/net/$port/device/sriov_totalvfs"; done
for switch in snabb vpp; do
    case $(reasons "$switch") in
        *" is not installed: "*) echo "skipped: local tests through $switch, which this machine has not (SEPTET_VPP, SEPTET_SNABB name them)" ;;
        *) check "no local test through $switch is skipped" test -z "$(reasons "$switch")" ;;
    esac
done
