#!/bin/sh
# Slurm's Epilog on nodes that Septet measures on: gives the host back that a killed job could not give back, and fails if
# the host is not as it was, so that Slurm drains the node. It runs as root, at the end of every job.
#
#   slurm.conf: Epilog=/opt/septet/epilog.sh
#
# SEPTET_HOST is the program; /opt/septet/septet-host if it is not said.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
program=${SEPTET_HOST:-/opt/septet/septet-host}
journal=/run/septet/journal

fail() {
    # slurmd keeps what is printed here in its log where it keeps it at all; the system's log has it in any case.
    echo "septet: $1" >&2
    logger -t septet-epilog -- "$1" 2>/dev/null
    exit 1
}

# A host of which nothing is noted is as it was.
[ -e "$journal" ] || exit 0
[ -x "$program" ] || fail "settings of this host are noted in $journal, and there is no $program to give them back"
# An agent of the job may still be at its own end.
tries=0
until said=$("$program" restore 2>&1); do
    tries=$((tries + 1))
    [ "$tries" -lt 20 ] || fail "this host could not be given back: $said"
    sleep 0.5
done
[ ! -e "$journal" ] || fail "this host was given back, and $journal is still there: $said"
exit 0
