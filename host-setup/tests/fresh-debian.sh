#!/bin/sh
# What the README promises of a fresh Debian 12, tried on one: a root file system that debootstrap makes, with a C
# compiler, make and git in it, Rust lent by this machine, a copy of this repository, and nothing else. Outside of
# CI, since it downloads a system and builds all of Septet. As root; needs debootstrap.
#   fresh-debian.sh FOLDER packages    setup.sh's packages as they are, and a PDF of a report as root and as a user
#   fresh-debian.sh FOLDER demo|test   make demo, or make test, there, as root and then as an ordinary user
# FOLDER is made, used again if it is there, and left: remove it yourself. It says how long each step took.
set -eu
[ $# -eq 2 ] && [ "$(id -u)" -eq 0 ] || { echo "usage, as root: fresh-debian.sh FOLDER packages|demo|test" >&2; exit 2; }
what=$2
case "$what" in packages | demo | test) ;; *) echo "fresh-debian: no step is called $what" >&2; exit 2 ;; esac
sources=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
root=$folder/root

# In namespaces of its own: what is mounted below is gone when this ends, however it ends.
if [ -z "${SEPTET_FRESH:-}" ]; then
    SEPTET_FRESH=1 exec unshare --mount --pid --fork --kill-child --mount-proc "$0" "$folder" "$what"
fi

timed() {
    words=$1
    shift
    began=$(date +%s)
    "$@" >>"$folder/log" 2>&1 || { tail -n 25 "$folder/log" >&2; echo "fresh-debian: FAILED: $words" >&2; exit 1; }
    echo "fresh-debian: $words: $(($(date +%s) - began)) s"
}
inside() { chroot "$root" /usr/bin/env -i HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive TERM=dumb \
    PATH=/opt/cargo/bin:/usr/sbin:/usr/bin:/sbin:/bin RUSTUP_HOME=/opt/rustup "$@"; }
as_user() { chroot "$root" /usr/sbin/runuser -u visitor -- /usr/bin/env -i HOME=/home/visitor LANG=C.UTF-8 TERM=dumb \
    PATH=/opt/cargo/bin:/usr/bin:/bin RUSTUP_HOME=/opt/rustup CARGO_HOME=/home/visitor/.cargo "$@"; }

: >"$folder/log"
# The mirror is the one of this machine, whichever that is.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' | awk '$2 == "bookworm" { print $1; exit }')
[ -n "$mirror" ] || { echo "fresh-debian: this machine's apt knows no bookworm" >&2; exit 1; }
if [ ! -e "$folder/bootstrapped" ]; then
    rm -rf "$root"
    timed "debootstrap" debootstrap --variant=minbase bookworm "$root" "$mirror"
    touch "$folder/bootstrapped"
fi
# How this machine reaches its mirror is not part of what is tried.
mount --bind /etc/apt "$root/etc/apt"
mount -o remount,bind,ro "$root/etc/apt"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
for file in resolv.conf hosts; do
    # A host may have neither.
    if [ -f "/etc/$file" ]; then cp "/etc/$file" "$root/etc/"; fi
done
timed "a C compiler, make and git" inside sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev make git ca-certificates'
inside id visitor >/dev/null 2>&1 || inside useradd --create-home visitor

# Rust is what the README asks for besides; it is lent, and can only be read. What it downloads goes into the copy.
mkdir -p "$root/opt/cargo" "$root/opt/rustup"
cargo_home=${CARGO_HOME:-$HOME/.cargo}
for pair in "$cargo_home:$root/opt/cargo" "${RUSTUP_HOME:-$HOME/.rustup}:$root/opt/rustup"; do
    mount --bind "${pair%%:*}" "${pair#*:}"
    mount -o remount,bind,ro "${pair#*:}"
done
for home in root home/visitor; do
    mkdir -p "$root/$home/.cargo"
    # Which registry there is; without a configuration cargo has its own.
    for config in "$cargo_home"/config*; do
        if [ -f "$config" ]; then cp "$config" "$root/$home/.cargo/"; fi
    done
    rm -rf "$root/$home/septet"
    git clone -q "$sources" "$root/$home/septet"
done
inside chown -R visitor: /home/visitor

case "$what" in
    packages)
        timed "setup.sh measure test" inside sh -c 'sh ~/septet/host-setup/setup.sh measure test'
        inside sh -c 'dpkg-query -W -f "\${Package}\n" | grep -E "^(lmodern|cm-super|texlive-)"' | tr '\n' ' '
        echo
        # A report that somebody made here: the programs are not what is tried.
        [ -e "$sources/out/quick/report.tex" ] || { echo "fresh-debian: no out/quick/report.tex: run make demo first" >&2; exit 1; }
        for home in root home/visitor; do rm -rf "$root/$home/quick"; cp -r "$sources/out/quick" "$root/$home/"; done
        inside chown -R visitor: /home/visitor
        # As septet report --pdf calls it.
        tex='cd ~/quick && rm -f report.pdf && latexmk -gg -pdf -interaction=nonstopmode -halt-on-error -no-shell-escape report.tex && pdfinfo report.pdf && pdffonts report.pdf'
        timed "a PDF as root" inside sh -c "$tex"
        timed "a PDF as a user" as_user sh -c "$tex"
        timed "a PDF without lmodern" inside sh -c "dpkg --purge --force-depends lmodern fonts-lmodern && $tex"
        ;;
    *)
        timed "make $what as root" inside sh -c "make -C ~/septet $what"
        timed "make $what as a user" as_user make -C /home/visitor/septet "$what"
        ;;
esac
echo "fresh-debian: all passed; what was printed is in $folder/log"
