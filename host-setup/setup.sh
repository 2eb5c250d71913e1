#!/bin/sh
# Installs what Septet needs of a Debian 12 machine. As root by apt-get; otherwise says exactly what an
# administrator would install, takes what an ordinary user can have, and goes on.
#   setup.sh measure         what measuring runs through
#   setup.sh measure test    what the tests run besides
#   setup.sh measure remote  what emulated hosts of `make demo-remote` are made of
set -eu
cd "$(dirname "$0")/.."

measure="busybox-static lxc"
# DPDK, to build our generator against and to run (dpdk-dev: testpmd; dpdk-doc: source of the skeleton sample), and
# its switch.
measure="$measure pkg-config libclang-dev libdpdk-dev dpdk dpdk-dev dpdk-doc openvswitch-switch-dpdk"
# lmodern: fonts that scale, which Debian only recommends; a report does without, but looks better with them.
# texlive-publishers, texlive-fonts-recommended: other people's papers, which our figures have to fit into, and their fonts.
# chromium: pages of reports are operated in it, by keyboard, touch and printer.
# strace: what a program does when the system refuses one of its calls.
# sudo, pkexec (with a bus of the test's own), opendoas: what an ordinary user may do through them is tried with the real ones.
test="python3-venv iproute2 iperf3 tshark latexmk lmodern texlive-latex-recommended texlive-latex-extra texlive-pictures"
test="$test texlive-publishers texlive-fonts-recommended poppler-utils nix-bin mandoc chromium strace sudo pkexec dbus"
# Emulated hosts, each with its sshd.
remote="openssh-server openssh-client iproute2"
# A Slurm cluster of emulated hosts, with daemons of its own: those of the system are not started.
slurm="slurmctld slurmd slurm-client munge"
test="$test $remote $slurm"

wanted=""
for set in "$@"; do
    case "$set" in
        measure) wanted="$wanted $measure" ;;
        test) wanted="$wanted $test" ;;
        remote) wanted="$wanted $remote" ;;
        *) echo "setup: no set of packages is called $set" >&2; exit 2 ;;
    esac
done

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "setup: this is no Debian; septet uses what it finds of:$wanted"
    exit 0
fi

missing=""
for package in $wanted; do
    # A package that was never here is an error to dpkg-query, and an answer to us.
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)" != installed ]; then
        missing="$missing $package"
    fi
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
    echo "setup: installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    others="" clusters=""
    for package in $missing; do
        case " $slurm " in
            *" $package "*) clusters="$clusters $package" ;;
            *) others="$others $package" ;;
        esac
    done
    install() {
        apt-get install -y -qq --no-install-recommends "$@" >"$log" 2>&1 || {
            tail -n 15 "$log" >&2
            echo "setup: apt-get failed; septet goes on with what is there and names what is missing" >&2
        }
    }
    apt-get update -qq >"$log" 2>&1 || tail -n 15 "$log" >&2
    # shellcheck disable=SC2086
    [ -z "$others" ] || install $others
    if [ -n "$clusters" ]; then
        # Debian starts what it installs, unless this says no; one that is there is its owner's and stays.
        policy=/usr/sbin/policy-rc.d
        own_policy=""
        if [ ! -e "$policy" ]; then
            own_policy=$policy
            trap 'rm -f "$own_policy"' EXIT
            trap 'exit 130' HUP INT TERM
            printf '#!/bin/sh\nexit 101\n' >"$policy"
            chmod 755 "$policy"
        fi
        # shellcheck disable=SC2086
        install $clusters
        [ -z "$own_policy" ] || rm -f "$own_policy"
        own_policy=""
        if [ -d /run/systemd/system ]; then
            # Nor are they started when the machine is.
            for service in munge slurmctld slurmd; do
                case " $clusters " in *" $service "*) systemctl disable --quiet "$service" >"$log" 2>&1 || cat "$log" >&2 ;; esac
            done
        fi
    fi
    rm -f "$log"
    exit 0
fi

echo "setup: not root, so these packages are not installed:$missing"
echo "setup: an administrator would run: apt-get install --no-install-recommends$missing"
case " $missing " in
    *" busybox-static "*)
        # A static BusyBox needs no installation: it is taken out of its package, beside the programs.
        folder=target/busybox
        if [ ! -x "$folder/bin/busybox" ]; then
            mkdir -p "$folder/package"
            if (cd "$folder/package" && apt-get download -qq busybox-static && dpkg -x busybox-static_*.deb ..) >/dev/null 2>&1; then
                echo "setup: took busybox out of its package, into $folder"
            else
                echo "setup: busybox-static cannot be downloaded either; containers will hold the generator only"
            fi
        fi
        if [ -x "$folder/bin/busybox" ]; then
            mkdir -p target/release
            cp "$folder/bin/busybox" target/release/busybox.new && mv target/release/busybox.new target/release/busybox
        fi
        ;;
esac
exit 0
