# In the guest: `host check` before and after what it advises, and a card that carries the default route. Sourced by
# all.sh.

echo "== host check"
septet host check >"$work/check.before" && status=0 || status=$?
cat "$work/check.before"
check "a virtual machine is told" grep -q 'the host is virtual' "$work/check.before"
check "its exit code says that it is not paper-grade" test "$status" = 3
for finding in transparent-hugepages numa-balancing hyper-threads; do
    check "it finds $finding" grep -q "^  $finding:" "$work/check.before"
done
# Exactly the commands that it prints for an administrator, of those that change no boot parameter.
sed -n 's/^    remedy: an administrator: \(echo [a-z]* > [^,]*\).*/\1/p; s/^    remedy: an administrator: \(sysctl -w [^ ]*\).*/\1/p' \
    "$work/check.before" >"$work/advice"
cat "$work/advice"
thp=$(sed 's/.*\[\(.*\)\].*/\1/' /sys/kernel/mm/transparent_hugepage/enabled)
check "its advice can be followed" sh -e "$work/advice"
septet host check >"$work/check.after" && status=0 || status=$?
check "it is a virtual machine still" test "$status" = 3
for finding in transparent-hugepages numa-balancing hyper-threads; do
    check "$finding is gone" fails grep -q "^  $finding:" "$work/check.after"
done
echo on >/sys/devices/system/cpu/smt/control
echo "$thp" >/sys/kernel/mm/transparent_hugepage/enabled

echo "== a card that carries the default route"
mkdir "$work/route"
cd "$work/route"
cp "$here/sriov.toml" .
ip link set "$card" up
ip link set "$other" up
ip addr add 10.77.0.1/24 dev "$card"
ip addr add 10.78.0.1/24 dev "$other"
ip route add default via 10.77.0.254 dev "$card"
ip route add default via 10.78.0.254 dev "$other" metric 10
# A link comes some time after it was asked for.
for _ in $(seq 100); do
    if grep -q 1 "/sys/class/net/$card/carrier" && grep -q 1 "/sys/class/net/$other/carrier"; then break; fi
    sleep 0.1
done
state >"$work/routed"
septet plan sriov.toml >plan.log
check "neither card is taken" grep -q "$card carries the default route; $other carries the default route" plan.log
sed -n '/skipped/,$p' plan.log
# Whoever asks for it all the same: the agent itself refuses.
mac=02:73:70:00:00:01
protocol=$(sed -n 's/^pub const PROTOCOL: u32 = \([0-9]*\);/\1/p' "$here/../../src/protocol.rs")
printf '%s\n' '{"id":1,"op":"hello","protocol":'"$protocol"'}' \
    '{"id":2,"op":"lease","wait_ms":0,"setup":{"vfs":[{"interface":"'"$card"'","each":[{"mac":"'$mac'"}]}]}}' '{"id":3,"op":"bye"}' \
    >request
check "the agent refuses as well" sh -c 'septet-host agent --as-root <request | grep "carries the default route"'
check "and has changed nothing" same "$work/routed"
ip route del default dev "$other"
ip addr flush dev "$other"
septet plan sriov.toml >plan.log
check "the other card is taken where only one carries it" fails grep -q 'skipped: [1-9]\|[1-9] skipped' plan.log
ip route del default dev "$card"
ip addr flush dev "$card"
ip link set "$card" down
