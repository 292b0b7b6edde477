#!/bin/bash
# Writes an SMBIOS table of seven slots by hand, field by field as DSP0134 lays them out:
#     tests/unit/smbios_table.sh > fuzz/corpus/smbios/whole
# With --dump it is put behind an entry point, which `dmidecode --from-dump FILE` reads.
set -eu

u8() { local n; for n; do printf "\\x$(printf %02x $((n & 255)))"; done; }
u16() { local n; for n; do u8 $((n & 255)) $((n >> 8 & 255)); done; }
u32() { local n; for n; do u16 $((n & 65535)) $((n >> 16 & 65535)); done; }
strings() { # each with its NUL, and the one that ends them; two NUL for none
    local s
    for s; do printf '%s\0' "$s"; done
    [ $# -gt 0 ] || u8 0
    u8 0
}

# array HANDLE USE SLOTS
array() {
    u8 16 23; u16 "$1"; u8 3 "$2" 3; u32 0x80000000; u16 0xfffe "$3"; u32 0 0; strings
}

# slot HANDLE ARRAY SIZE EXTENDED TYPE SPEED CONFIGURED CONFIGURED_EXTENDED LOCATOR [BANK]
slot() {
    local bank=0
    [ $# -gt 9 ] && bank=2
    u8 17 92; u16 "$1" "$2" 0xfffe 64 64 "$3"
    u8 9 0 1 $bank "$5"; u16 0x80 "$6"     # form, set, locator, bank, type, detail, speed
    u8 0 0 0 0 0; u32 "$4"; u16 "$7"       # maker, serial, tag, part, attributes; sizes, speed
    u16 1100 1100 1100; u8 3; u16 8; u8 0  # voltages; technology, modes, firmware
    u16 0 0 0 0                            # makers' ids
    u32 0 0 0 0 0 0 0 0                    # sizes of its parts
    u32 0 "$8"
    shift 8
    strings "$@"
}

table() {
    u8 0 4; u16 0; strings 'a vendor'                                        # BIOS, cut short
    array 0x1000 3 6
    array 0x1001 5 1                                                          # flash
    slot 0x1100 0x1000 0x7fff 32768 0x22 5600 4800 0 'DIMM A1' 'BANK 0'
    slot 0x1101 0x1000 0 0 0x02 0 0 0 'DIMM A2' 'BANK 0'
    slot 0x1102 0x1000 16384 0 0x1a 3200 0 0 'DIMM B1 '
    slot 0x1103 0x1000 0x7fff 65536 0x23 0xffff 0xffff 8533 'ONBOARD'
    slot 0x1104 0x1001 8 0 0x09 0 0 0 'FLASH'                                # of another array
    u8 17 0x15; u16 0x1105 0x1000 0xfffe 64 64 $((0x8000 | 512)); u8 9 0 1 0 0x0f; u16 0x80; strings 'OLD'
    slot 0x1106 0x1000 0xffff 0 0x02 0 0 0 'ODD'
    u8 127 4; u16 0x7fff; strings
}

if [ "${1:-}" = --dump ]; then
    size=$(table | wc -c)
    sum=0
    entry() { # CHECKSUM: the 64-bit entry point
        printf '_SM3_'; u8 "$1" 24 3 2 0 1 0; u32 "$size" 32 0
    }
    for n in $(entry 0 | od -An -tu1 -v); do sum=$((sum + n)); done
    entry $((-sum & 255))
    u32 0 0
    table
else
    table
fi
