# In the guest: measures over virtual functions with Septet's own commands, and holds what the host is against what it
# was. Sourced by all.sh.

echo "== virtual functions"
mkdir "$work/sriov"
cd "$work/sriov"
cp "$here/sriov.toml" .
state >"$work/before"
check "a plan" septet plan sriov.toml
cat "$work/said"
check "a run over virtual functions" ran sriov.toml
cat "$work/said"
check "the host is what it was" same "$work/before"
check "a report" septet report sriov.toml
cat out/hardware/tables/received.csv
check "all is measured" measured 5
counts .
