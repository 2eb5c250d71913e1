#!/bin/sh
# An ACPI table that gives each processor of a QEMU guest three P-states, so that the kernel has a governor to set.
# The control register is a port of QEMU's device for tests: what is written there is read back, and does nothing else.
#   pstates.sh CPUS >TABLE.asl
set -eu
echo 'DefinitionBlock ("", "SSDT", 2, "SEPTET", "PSTATES", 1) {'
cpu=0
while [ "$cpu" -lt "$1" ]; do
    name=$(printf '\\_SB.CPUS.C%03X' "$cpu")
    cat <<E2
External ($name, ProcessorObj)
Scope ($name) {
    Name (_PCT, Package () {
        ResourceTemplate () { Register (SystemIO, 16, 0, 0xE0, ) },
        ResourceTemplate () { Register (SystemIO, 16, 0, 0xE0, ) } })
    Name (_PSS, Package () {
        Package () { 2400, 10000, 10, 10, 0x18, 0x18 },
        Package () { 1800, 7000, 10, 10, 0x12, 0x12 },
        Package () { 1200, 4000, 10, 10, 0x0C, 0x0C } })
    Name (_PPC, 0)
    Name (_PSD, Package () { Package () { 5, 0, $cpu, 0xFD, 1 } })
}
E2
    cpu=$((cpu + 1))
done
echo '}'
