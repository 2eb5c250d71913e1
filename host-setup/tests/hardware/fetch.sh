#!/bin/sh
# Brings what a guest is made of into a folder, from Debian's packages and without installing any: a QEMU that
# emulates a card with SR-IOV (bookworm's own is too old for it), a kernel with its modules, a compiler for ACPI tables,
# an irqbalance to be paused.
#   fetch.sh FOLDER      prints nothing when all is there already
set -eu
folder=$1
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
[ ! -e "$folder/complete" ] || exit 0
for program in apt-get dpkg-deb depmod busybox cpio; do
    command -v "$program" >/dev/null || { echo "hardware: $program is not here" >&2; exit 1; }
done

packages=$folder/packages
state=$packages/apt
rm -rf "$packages" && mkdir -p "$state/lists/partial" "$state/archives/partial"

# The mirror is the one that this machine uses already; the newer suite is looked at in a state of our own.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' | awk '$2 == "bookworm" { print $1; exit }')
[ -n "$mirror" ] || { echo "hardware: this is no Debian 12 with a package mirror" >&2; exit 1; }
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb [signed-by=$keys] $mirror bookworm-backports main" >"$state/sources.list"
newer() {
    apt-get -qq -o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts=- \
        -o Dir::State::Lists="$state/lists" -o Dir::Cache="$state" "$@"
}

cd "$packages"
kernel=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: \(linux-image-.*-amd64\)$/\1/p' | head -n 1)
[ -n "$kernel" ] || { echo "hardware: no kernel package is known; try apt-get update" >&2; exit 1; }
log=$packages/log
if ! { newer update && newer download qemu-system-x86/bookworm-backports qemu-system-common/bookworm-backports \
    qemu-system-data/bookworm-backports seabios/bookworm-backports &&
    apt-get -qq download ipxe-qemu acpica-tools irqbalance "$kernel"; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    echo "hardware: packages cannot be downloaded" >&2
    exit 1
fi
for package in *.deb; do
    case $package in
        linux-image-*) dpkg-deb -x "$package" "$folder/kernel" ;;
        *) dpkg-deb -x "$package" "$folder/qemu" ;;
    esac
done
cd /
release=$(ls "$folder/kernel/lib/modules")
depmod -b "$folder/kernel" "$release"
rm -rf "$packages"

missing=$(ldd "$folder/qemu/usr/bin/qemu-system-x86_64" | sed -n 's/^\t\(.*\) => not found$/\1/p' | tr '\n' ' ')
[ -z "$missing" ] || { echo "hardware: QEMU lacks $missing: apt-get install --no-install-recommends qemu-system-x86 brings them" >&2; exit 1; }
echo "$release" >"$folder/complete"
