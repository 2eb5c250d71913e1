# In the guest: kill -9 of a run, of its agent, or of both, at random instants, twenty times; each time all is as it was.
# Sourced by all.sh.

echo "== sudden deaths"
mkdir "$work/deaths"
cd "$work/deaths"
# Everything that a run can set and functions of both kinds, as briefly as can be: memory in one piece of 1 GiB is not to be
# had again and again.
sed '/^hugepages_1g/d; s/^duration = .*/duration = "200ms"/; s/^warmup = .*/warmup = "100ms"/; s/^cooldown = .*/cooldown = "50ms"/' \
    "$here/provisioning.toml" >provisioning.toml
journal=/run/septet/journal
state >"$work/before"

now() { # hundredths of a second since the guest's start
    read -r up _ </proc/uptime
    echo "${up%.*}${up#*.}"
}
changing() { # RUN: waits until that run has noted its first change; fails if it ends without one
    while [ ! -e "$journal" ]; do
        kill -0 "$1" 2>/dev/null || return 1
        sleep 0.05
    done
}

held_by() { # RUN: waits until what it changed is given back, or it has ended
    while [ -e "$journal" ] && kill -0 "$1" 2>/dev/null; do sleep 0.05; done
}

ended() { # RUN: whether it ended by itself and well; that a repetition is suspect fails nothing
    wait "$1" || [ "$?" = 1 ]
}

# How long it has the host changed.
septet run provisioning.toml >run.log 2>&1 &
run=$!
began=$(now)
check "a run that nobody kills changes the host" changing "$run"
changed=$(now)
held_by "$run"
took=$(($(now) - changed))
check "it ends well" ended "$run"
echo "  it changes the host $((changed - began)) hundredths of a second after its start, for $took"
check "the host is what it was" same "$work/before"

random() { od -An -N2 -tu2 /dev/urandom | tr -d ' '; }
death=1
back=0
wait_hundredths=0
tries=0
# A death counts if something of the host was changed by then.
while [ "$death" -le "${DEATHS:-20}" ] && [ "$tries" -lt 60 ]; do
    tries=$((tries + 1))
    septet run --force "V=sriov" provisioning.toml >run.log 2>&1 &
    run=$!
    if changing "$run"; then
        wait_hundredths=$(($(random) % took))
        sleep "$((wait_hundredths / 100)).$(printf %02d $((wait_hundredths % 100)))"
    fi
    # There may be none any more.
    agent=$(pgrep -o -P "$run" -x septet-host) || agent=""
    case $((death % 3)) in
        0) victims=$run ;;
        1) victims=${agent:-$run} ;;
        2) victims="$run $agent" ;;
    esac
    held=$(cat "$journal" 2>/dev/null | grep -c '"what":"\(change\|moved\)"')
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
        whole=yes
        echo "  death $death after $wait_hundredths hundredths of a second of changes, $held noted by then: all back"
    else
        whole=no
        echo "  death $death after $wait_hundredths hundredths of a second of changes, $held noted by then:"
        sed 's/^/    /' difference | tail -n 20
        cat restore.log
    fi
    if [ "$held" = 0 ] && [ "$whole" = yes ]; then
        tail -n 5 run.log
        # The first run may have measured longer than these do.
        took=$((took * 4 / 5 + 1))
        continue
    fi
    [ "$whole" = no ] || back=$((back + 1))
    death=$((death + 1))
done
check "there were ${DEATHS:-20} deaths while the host was changed" test "$death" -gt "${DEATHS:-20}"
check "all is back after each of $((death - 1)) deaths" test "$back" = "$((death - 1))"
check "a run after them" ran --force "V=sriov" provisioning.toml
check "the host is what it was" same "$work/before"
