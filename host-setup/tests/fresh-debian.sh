#!/bin/sh
# What the README promises of a fresh Debian 12, tried on one: a root file system that debootstrap makes, with a C
# compiler, make and git in it, Rust lent by this machine, a copy of this repository, and nothing else. Outside of
# CI, since it downloads a system and builds all of Septet. As root; needs debootstrap.
#   fresh-debian.sh FOLDER packages            setup.sh's packages as they are, and a PDF of a report as root and as a user
#   fresh-debian.sh FOLDER demo|test [TARGET]  make demo, or make test, there, as root and then as an ordinary user
# FOLDER is made, used again if it is there, and left: remove it yourself. It says how long each step took. The user gets
# root's checkout, and what was built in it. TARGET is a target folder of this machine's: its builds of other people's
# crates are lent, as Rust is, where half an hour of two cores is too much; Septet's own crates are built in any case. It
# can be lent where this machine's cargo has its home in root's own folder, as it has there.
set -eu
usage() { echo "usage, as root: fresh-debian.sh FOLDER packages|demo|test [TARGET]" >&2; exit 2; }
[ $# -ge 2 ] && [ $# -le 3 ] && [ "$(id -u)" -eq 0 ] || usage
what=$2
case "$what" in packages | demo | test) ;; *) echo "fresh-debian: no step is called $what" >&2; exit 2 ;; esac
lent=""
if [ $# -eq 3 ]; then lent=$(cd "$3" && pwd); fi
sources=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd)
root=$folder/root
checkout=$root/srv/septet
certificates=/etc/ssl/certs

# In namespaces of its own: what is mounted below is gone when this ends, however it ends.
if [ -z "${SEPTET_FRESH:-}" ]; then
    SEPTET_FRESH=1 exec unshare --mount --pid --fork --kill-child --mount-proc "$0" "$folder" "$what" ${lent:+"$lent"}
fi

timed() {
    words=$1
    shift
    began=$(date +%s)
    "$@" >>"$folder/log" 2>&1 || { tail -n 25 "$folder/log" >&2; echo "fresh-debian: FAILED: $words" >&2; exit 1; }
    echo "fresh-debian: $words: $(($(date +%s) - began)) s"
}
# As if it had been started: in a mere chroot nobody may make namespaces, and nothing would be measured.
entered() {
    unshare --mount sh -c 'cd "$1" && shift && pivot_root . old && cd / && umount -l /old && exec "$@"' sh "$root" "$@"
}
inside() { entered /usr/bin/env -i HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive TERM=dumb \
    PIP_CERT=$certificates/ca-certificates.crt PATH=/opt/cargo/bin:/usr/sbin:/usr/bin:/sbin:/bin RUSTUP_HOME=/opt/rustup "$@"; }
as_user() { entered /usr/sbin/runuser -u visitor -- /usr/bin/env -i HOME=/home/visitor LANG=C.UTF-8 TERM=dumb \
    PIP_CERT=$certificates/ca-certificates.crt PATH=/opt/cargo/bin:/usr/bin:/bin RUSTUP_HOME=/opt/rustup CARGO_HOME=$cargo_home "$@"; }

cargo_home=${CARGO_HOME:-$HOME/.cargo}
: >"$folder/log"
# The mirror is the one of this machine, whichever that is.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' | awk '$2 == "bookworm" { print $1; exit }')
[ -n "$mirror" ] || { echo "fresh-debian: this machine's apt knows no bookworm" >&2; exit 1; }
if [ ! -e "$folder/bootstrapped" ]; then
    rm -rf "$root"
    timed "debootstrap" debootstrap --variant=minbase bookworm "$root" "$mirror"
    touch "$folder/bootstrapped"
fi
mkdir -p "$root/old"
mount --bind "$root" "$root"
# How this machine reaches its mirror is not part of what is tried.
mount --bind /etc/apt "$root/etc/apt"
mount -o remount,bind,ro "$root/etc/apt"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /dev "$root/dev"
# A system of its own has its own shared memory: tests look at what is left there.
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t tmpfs tmpfs "$root/run"
for file in resolv.conf hosts; do
    # A host may have neither.
    if [ -f "/etc/$file" ]; then cp "/etc/$file" "$root/etc/"; fi
done
timed "a C compiler, make and git" inside sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends gcc libc6-dev make git ca-certificates'
# Nor is whose certificates it trusts on the way to registries of crates and of Python's packages.
mount --bind "$certificates" "$root$certificates"
mount -o remount,bind,ro "$root$certificates"
inside id visitor >/dev/null 2>&1 || inside useradd --create-home visitor

# Rust is what the README asks for besides; it is lent, and can only be read. What it downloads goes into the copy.
mkdir -p "$root/opt/cargo" "$root/opt/rustup"
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
done
# Of an earlier attempt only the builds are kept.
if [ -d "$checkout/target" ]; then
    rm -rf "$folder/target"
    mv "$checkout/target" "$folder/target"
    echo "fresh-debian: what was built before is used again"
elif [ -n "$lent" ]; then
    # The workspace's, and those of septet-remote's own.
    for build in release remote/release; do
        for kind in deps build .fingerprint; do
            mkdir -p "$folder/target/$build/$kind"
            find "$lent/$build/$kind" -mindepth 1 -maxdepth 1 ! -name '*septet*' -exec cp -a -t "$folder/target/$build/$kind" {} +
        done
    done
    echo "fresh-debian: builds of other people's crates are lent by $lent"
fi
rm -rf "$checkout"
git clone -q "$sources" "$checkout"
if [ -d "$folder/target" ]; then mv "$folder/target" "$checkout/target"; fi
inside chown -R root: /srv/septet "$cargo_home"

case "$what" in
    packages)
        timed "setup.sh measure test" inside sh /srv/septet/host-setup/setup.sh measure test
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
        # What is tried here next gets the packages as they are: apt does nothing while one that others need is gone.
        timed "lmodern again" inside sh -c "apt-get install -y -qq --no-install-recommends --fix-broken && apt-get install -y -qq --no-install-recommends lmodern"
        ;;
    *)
        timed "make $what as root" inside make -C /srv/septet "$what"
        # The user measures everything again.
        find "$checkout" -maxdepth 2 \( -name .septet -o -name out \) -not -path '*/target/*' -exec rm -rf {} +
        # Root's crates as well: one that lies elsewhere is another one to cargo.
        inside chown -R visitor: /srv/septet "$cargo_home"
        inside chmod a+x /root
        timed "make $what as a user" as_user make -C /srv/septet "$what"
        ;;
esac
echo "fresh-debian: all passed; what was printed is in $folder/log"
