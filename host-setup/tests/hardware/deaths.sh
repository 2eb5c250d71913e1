# In the guest: kill -9 of a run, of its agent, or of both, at random instants, twenty times; each time all is as it was.
# Sourced by all.sh.

echo "== sudden deaths"
mkdir "$work/deaths"
cd "$work/deaths"
# Memory in one piece of 1 GiB is not to be had again and again.
sed '/^hugepages_1g/d' "$here/provisioning.toml" >provisioning.toml
state >"$work/before"

# How long one takes from its start to its end, tenths of a second.
began=$(date +%s%N)
check "a run that nobody kills" septet run provisioning.toml
took=$(( ($(date +%s%N) - began) / 100000000 ))
check "the host is what it was" same "$work/before"

random() { od -An -N2 -tu2 /dev/urandom | tr -d ' '; }
death=1
back=0
tries=0
# A death counts if something of the host was changed by then.
while [ "$death" -le "${DEATHS:-20}" ] && [ "$tries" -lt 60 ]; do
    tries=$((tries + 1))
    wait_tenths=$(( $(random) % took + 1 ))
    septet run --force "V=sriov" provisioning.toml >run.log 2>&1 &
    run=$!
    sleep "$((wait_tenths / 10)).$((wait_tenths % 10))"
    # There may be none yet, or none any more.
    agent=$(pgrep -o -P "$run" -x septet-host) || agent=""
    case $((death % 3)) in
        0) victims=$run ;;
        1) victims=${agent:-$run} ;;
        2) victims="$run $agent" ;;
    esac
    held=$(state | diff "$work/before" - | sed -n '/^[<>]/p' | wc -l)
    kill -9 $victims 2>/dev/null || echo "  not all of $victims lived any more"
    if wait "$run" 2>/dev/null; then echo "  the run had ended"; fi
    # What a killed agent could not give back is given back by whoever starts next; one that lives does it by itself, and
    # holds the host meanwhile.
    looks=0
    until septet host restore >restore.log 2>&1 || [ "$looks" = 60 ]; do
        looks=$((looks + 1))
        sleep 0.5
    done
    [ "$looks" -lt 60 ] || cat restore.log
    if same "$work/before" >difference; then
        back=$((back + 1))
        echo "  death $death after $wait_tenths tenths of a second, $held lines of the host changed by then: all back"
    else
        echo "  death $death after $wait_tenths tenths of a second, $held lines of the host changed by then:"
        sed 's/^/    /' difference | tail -n 20
        cat restore.log
    fi
    if [ "$held" = 0 ]; then
        back=$((back - 1))
        cat run.log
        continue
    fi
    death=$((death + 1))
done
check "there were ${DEATHS:-20} deaths while the host was changed" test "$death" -gt "${DEATHS:-20}"
check "all is back after each of $((death - 1)) deaths" test "$back" = "$((death - 1))"
check "a run after them" septet run --force "V=sriov" provisioning.toml
check "the host is what it was" same "$work/before"
