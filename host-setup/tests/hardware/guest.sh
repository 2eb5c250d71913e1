#!/bin/sh
# Boots a guest with the hardware that a small machine lacks (a card with SR-IOV behind an IOMMU, hyper-threads, two
# NUMA nodes, a governor) and runs a script in it as root. Its root is this machine's own, read-only below a layer in
# memory, so that the project's programs run in it as they are and cannot harm anything.
#   guest.sh FOLDER SCRIPT [KERNEL PARAMETERS]     FOLDER as fetch.sh has filled it
# What the script prints is printed; its exit code is ours. SECONDS_MOST (900), CPUS (8, a multiple of 4), MEMORY_MIB
# (8192), CARDS_NODE (1: the NUMA node of both), GUEST (0 to 9: its number, in the addresses of its cards), QEMU_MORE (more arguments of QEMU's). PARTS and DEATHS are
# the scripts', SEPTET_VPP and SEPTET_SNABB switches that the machine has somewhere: the guest has them too.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(cd "$1" && pwd)
script=$(readlink -f "$2")
parameters=${3:-}
cpus=${CPUS:-8}
memory=${MEMORY_MIB:-8192}
guest=${GUEST:-0}
release=$(cat "$folder/complete")
modules=$folder/kernel/lib/modules/$release
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The first root: BusyBox and the modules that the second one needs.
root=$work/root
mkdir -p "$root/bin" "$root/modules" "$root/proc" "$root/sys" "$root/dev" "$root/below" "$root/above" "$root/new"
cp "$(command -v busybox)" "$root/bin/busybox"
cp "$here/init.sh" "$root/init"
chmod +x "$root/init"
order() { # a module's files, those that it needs first
    sed -n "s#^\(kernel/.*/$1\.ko\(\.xz\)\{0,1\}\):#\1#p" "$modules/modules.dep" | tr ' ' '\n' | sed '/^$/d' | tac
}
for module in virtio_pci 9pnet_virtio 9p overlay; do order "$module"; done | awk '!seen[$0]++' >"$root/modules/order"
while read -r file; do
    cp "$modules/$file" "$root/modules/"
done <"$root/modules/order"
sed -i 's,.*/,,' "$root/modules/order"
cat >"$root/guest" <<S
script='$script'
folder='$folder'
release='$release'
S
for name in PARTS DEATHS SEPTET_VPP SEPTET_SNABB; do
    eval "value=\${$name:-}"
    [ -z "$value" ] || echo "export $name='$value'" >>"$root/guest"
done
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initramfs"

# A governor: processor objects with P-states, whose control register is a device of QEMU's for tests.
sh "$here/pstates.sh" "$cpus" >"$work/pstates.asl"
"$folder/qemu/usr/bin/iasl" -p "$work/pstates" "$work/pstates.asl" >"$work/iasl.log" 2>&1 ||
    { cat "$work/iasl.log" >&2; exit 1; }

log=$work/console
status=0
# Interrupt controllers by registers of the processor's own (x2apic, which takes eim): on a busy machine this QEMU loses
# a write to memory of a device now and then, where threads wait for one another, and one to a timer hangs the guest.
# Two threads a core, two cores a socket, a NUMA node a socket.
# Its own modules, not those of a QEMU that is installed.
export QEMU_MODULE_DIR="$folder/qemu/usr/lib/x86_64-linux-gnu/qemu"
timeout "${SECONDS_MOST:-900}" "$folder/qemu/usr/bin/qemu-system-x86_64" -L "$folder/qemu/usr/share/qemu" \
    -L "$folder/qemu/usr/share/seabios" -L "$folder/qemu/usr/lib/ipxe/qemu" \
    -accel tcg,thread=multi -machine q35,kernel-irqchip=off -cpu Nehalem-v1,pdpe1gb=on,x2apic=on \
    -smp "$cpus,sockets=2,cores=$((cpus / 4)),threads=2" -m "$memory" \
    -object memory-backend-ram,id=m0,size="$((memory / 2))M" -numa "node,nodeid=0,cpus=0-$((cpus / 2 - 1)),memdev=m0" \
    -object memory-backend-ram,id=m1,size="$((memory / 2))M" -numa "node,nodeid=1,cpus=$((cpus / 2))-$((cpus - 1)),memdev=m1" \
    -global q35-pcihost.pci-hole64-size=0 -device intel-iommu,intremap=on,eim=on,caching-mode=on \
    -device pxb-pcie,id=near1,bus_nr=64,numa_node=${CARDS_NODE:-1},bus=pcie.0 \
    -device pcie-root-port,id=port0,chassis=1,bus=near1 -device pcie-root-port,id=port1,chassis=2,bus=near1 \
    -netdev hubport,hubid=0,id=net0 -device igb,bus=port0,netdev=net0,mac=52:54:00:00:0$guest:01 \
    -netdev hubport,hubid=0,id=net1 -device igb,bus=port1,netdev=net1,mac=52:54:00:00:0$guest:02 \
    -fsdev local,id=root,path=/,security_model=none,readonly=on,multidevs=remap \
    -device virtio-9p-pci,fsdev=root,mount_tag=root,bus=pcie.0 \
    -acpitable file="$work/pstates.aml" -device pc-testdev \
    -nodefaults -display none -vga none -serial stdio -no-reboot -kernel "$folder/kernel/boot/vmlinuz-$release" -initrd "$work/initramfs" \
    -append "console=ttyS0 quiet panic=-1 no_timer_check intel_iommu=on iommu=pt hugepagesz=1G hugepages=0 hugepagesz=2M $parameters" \
    ${QEMU_MORE:-} </dev/null >"$log" 2>&1 || status=$?

tr -d '\r' <"$log" | sed -n '/^guest: begins$/,/^guest: ends/p' | sed '/^guest: begins$/d; /^guest: ends/d'
ended=$(tr -d '\r' <"$log" | sed -n 's/^guest: ends with \([0-9]*\)$/\1/p' | tail -n 1)
if [ -z "$ended" ]; then
    echo "guest: it did not end by itself (QEMU: $status); its last words:" >&2
    tail -n 20 "$log" >&2
    exit 70
fi
exit "$ended"
