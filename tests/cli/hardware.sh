#!/bin/bash
# The processor side of plimsoll assess against what free, lscpu, numactl, hwloc, ulimit, lsblk and the
# kernel say of this machine; the timed read; endpoints.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"

mkdir "$T/models"
run "$PLIMSOLL" assess --json --model-dir "$T/models"
is "exit 0" "$status" 0
printf '%s\n' "$out" >"$T/json"
get() { jq -r "$1" "$T/json"; }

if command -v free >/dev/null; then
    taken=$(jq '[.numa[] | select(.memory_only).total.bytes] | add // 0' "$T/json")
    is "free -b: total" "$(($(get '.pools[0].capacity.bytes') + taken))" "$(free -b | awk '/^Mem:/ { print $2 }')"
else
    skip "free -b: total" "free is not installed"
fi
if command -v lscpu >/dev/null && lscpu -J >"$T/lscpu" 2>/dev/null; then
    # fields are nested in newer versions
    field() { jq -r --arg k "$1:" '[.. | objects | select(.field? == $k).data] | first // empty' "$T/lscpu"; }
    is "lscpu -J: CPUs" "$(get .cpu.threads_logical)" "$(field 'CPU(s)')"
    is "lscpu -J: cores" "$(get .cpu.cores_physical)" "$(($(field 'Core(s) per socket') * $(field 'Socket(s)')))"
    is "lscpu -J: nodes" "$(get '.numa | length')" "$(field 'NUMA node(s)' | grep . || echo 1)"
    is "lscpu -J: model" "$(get .cpu.model)" "$(field 'Model name')"
else
    skip "lscpu -J" "lscpu -J is not there"
fi
if command -v numactl >/dev/null && numactl -H >"$T/numactl" 2>/dev/null && grep -q '^node 0 size: [1-9]' "$T/numactl"; then
    is "numactl -H: nodes" "$(get '.numa | length')" "$(awk '/^available:/ { print $2 }' "$T/numactl")"
    is "numactl -H: MB of each" "$(jq -r '.numa[] | "\(.id) \(.total.bytes / 1048576 | floor)"' "$T/json")" \
        "$(awk '$3 == "size:" { print $2, $4 }' "$T/numactl")"
    is "numactl -H: CPUs of each" "$(jq -r '.numa[] | "\(.id) \(.cpus)"' "$T/json")" \
        "$(awk '$3 == "cpus:" { print $2, NF - 3 }' "$T/numactl")"
    if [ "$(get '.numa[0].distance[0]')" != null ]; then
        is "numactl -H: distances" "$(jq -r '.numa[].distance | map(tostring) | join(" ")' "$T/json")" \
            "$(awk '/^node distances/ { on = 1 } on && /^ +[0-9]+:/ { sub(/^ *[0-9]+: */, ""); $1 = $1; print }' "$T/numactl")"
    fi
else
    skip "numactl -H" "numactl is not installed, or sees no nodes"
fi
if command -v lstopo-no-graphics >/dev/null; then
    lstopo-no-graphics --disallowed --of xml >"$T/hwloc.xml" 2>/dev/null
    is "hwloc: threads" "$(get .cpu.threads_logical)" "$(grep -c 'type="PU"' "$T/hwloc.xml")"
    is "hwloc: cores" "$(get .cpu.cores_physical)" "$(grep -c 'type="Core"' "$T/hwloc.xml")"
    is "hwloc: packages" "$(get .cpu.packages)" "$(grep -c 'type="Package"' "$T/hwloc.xml")"
    is "hwloc: bytes of every node" "$(jq '.numa[] | select(.total.bytes > 0).total.bytes' "$T/json")" \
        "$(grep -o 'type="NUMANode" .*' "$T/hwloc.xml" | sed -n 's/.* local_memory="\([0-9]*\)".*/\1/p')"
else
    skip "hwloc" "lstopo is not installed"
fi

limit() { # what bash prints, in bytes
    case $1 in unlimited) echo 9223372036854775807 ;; *) echo $(($1 * 1024)) ;; esac
}
# Who holds CAP_IPC_LOCK (14) is not bound; in a user namespace of one's own it counts for nothing.
capable=$((0x$(awk '$1 == "CapEff:" { print $2 }' /proc/self/status) >> 14 & 1))
[ "$(awk '{ print $1, $2, $3 }' /proc/self/uid_map)" = "0 0 4294967295" ] || capable=0
if [ "$capable" -eq 1 ]; then
    is "locked memory: who may lock freely has no limit" "$(get '.limits.memlock.bytes > 9e18')" true
else
    is "locked memory: ulimit -l" "$(get .limits.memlock.bytes)" "$(limit "$(ulimit -l)")"
fi
if [ "$capable" -eq 0 ]; then
    run bash -c 'ulimit -l 64; exec "$1" assess --json' _ "$PLIMSOLL"
    is "ulimit -l: lowered" "$(jq .limits.memlock.bytes <<<"$out")" 65536
elif command -v setpriv >/dev/null; then
    run bash -c 'ulimit -l 64; exec setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock "$1" assess --json' _ "$PLIMSOLL"
    is "ulimit -l: lowered" "$(jq .limits.memlock.bytes <<<"$out")" 65536
else
    skip "ulimit -l: lowered" "setpriv is not installed"
fi
want=0
for size in /sys/kernel/mm/hugepages/hugepages-*kB; do
    [ -e "$size/free_hugepages" ] || continue
    kb=${size##*hugepages-}
    want=$((want + $(cat "$size/free_hugepages") * ${kb%kB} * 1024))
done
if [ -e /sys/kernel/mm/hugepages ]; then
    is "free huge pages" "$(get .limits.hugepages.bytes)" "$want"
else
    is "free huge pages: unknown" "$(get .limits.hugepages.bytes)" null
fi
[ -e /proc/spl/kstat/zfs ] || is "no ZFS: 0, and why" "$(get '.limits.arc | "\(.bytes) \(.why)"')" "0 no ZFS runs here"
if [ -r /sys/class/dmi/id/product_name ]; then
    like "board" "$(get .board)" "."
fi
if command -v dmidecode >/dev/null && [ "$(id -u)" -eq 0 ] && dmidecode -t 17 2>/dev/null | grep -q 'Memory Device'; then
    is "dmidecode: slots" "$(get '.dimms | length')" "$(dmidecode -t 17 | grep -c '^Memory Device$')"
elif [ ! -e /sys/firmware/dmi/tables/DMI ] && [ ! -e '/run/udev/data/+dmi:id' ] && [ ! -e /sys/devices/system/edac/mc/mc0 ]; then
    is "no firmware table: unsupported, not 0" "$(get '.dimm_total | "\(.bytes) \(.state)"')" "null unsupported"
else
    skip "slots" "this user cannot read the firmware's table with another program"
fi

# a dump whose table is for root only; root without its right to read everything is anybody
without=()
[ "$(id -u)" -ne 0 ] || without=(setpriv '--bounding-set=-dac_override,-dac_read_search' '--inh-caps=-dac_override,-dac_read_search')
if "${without[@]}" true 2>/dev/null; then
    mkdir -p "$T/locked/sys/firmware/dmi/tables"
    touch "$T/locked/sys/firmware/dmi/tables/DMI"
    chmod 0 "$T/locked/sys/firmware/dmi/tables/DMI"
    like "a table for root only" "$("${without[@]}" "$PLIMSOLL" assess --root "$T/locked")" 'Slots +unknown \(needs root\)'
else
    skip "a table for root only" "setpriv does not work"
fi

# the table of the tests, which dmidecode reads too
mkdir -p "$T/smbios/sys/firmware/dmi/tables"
"$PLIMSOLL_SOURCE/tests/unit/smbios_table.sh" >"$T/smbios/sys/firmware/dmi/tables/DMI"
"$PLIMSOLL" assess --json --root "$T/smbios" >"$T/json"
is "a firmware table: slots" "$(get '.dimms | length')" 6
cmp -s "$T/smbios/sys/firmware/dmi/tables/DMI" "$PLIMSOLL_SOURCE/fuzz/corpus/smbios/whole"
is "a firmware table: the one of the unit tests" "$?" 0
if command -v dmidecode >/dev/null; then
    "$PLIMSOLL_SOURCE/tests/unit/smbios_table.sh" --dump >"$T/dmi"
    # the flash slot is of another array; dmidecode cannot know its size in our way
    is "dmidecode of the same table" \
        "$(jq -r '.dimms[] | select(.bytes.bytes != null) | "\(.slot | split(",")[0]) \(.bytes.bytes) \(.mt_per_s // 0)"' "$T/json")" \
        "$(dmidecode --from-dump "$T/dmi" -t 17 | awk '
            function flush() { if (name != "" && name != "FLASH" && size != "Unknown") print name, bytes(), (conf > 0 ? conf : speed + 0) }
            function bytes() {
                split(size, s, " ")
                return sprintf("%.0f", size ~ /No Module/ ? 0 : s[1] * (s[2] == "GB" ? 1073741824 : s[2] == "MB" ? 1048576 : 1024))
            }
            /^Memory Device/ { flush(); name = ""; conf = speed = 0 }
            /^\tSize:/ { sub(/^\tSize: /, ""); size = $0 }
            /^\tLocator:/ { sub(/^\tLocator: /, ""); sub(/ +$/, ""); name = $0 }
            /^\tSpeed: [0-9]/ { speed = $2 }
            /^\tConfigured Memory Speed: [0-9]/ { conf = $4 }
            END { flush() }')"
else
    skip "dmidecode of the same table" "dmidecode is not installed"
fi

# named tiers: sizes as configured, and as a host of that much shows them
tier() { # GIB USABLE_KB
    mkdir -p "$T/tier/proc"
    printf 'MemTotal: %s kB\n' "$2" >"$T/tier/proc/meminfo"
    "$PLIMSOLL" assess --json --root "$T/tier" | jq -r .tier
}
while read -r gib name; do
    is "tier of $gib GiB" "$(tier "$gib" $((gib * 1048576)))" "$(tr _ ' ' <<<"$name")"
done <<'END'
30 MINIMAL
28 DEV_ONLY
31 MINIMAL
32 MINIMAL
63 BASIC
64 BASIC
127 STANDARD
128 STANDARD
255 PRODUCTION
256 PRODUCTION
511 FULL
512 FULL
57 MINIMAL
115 BASIC
END
is "tier: 64 GB of which 62 GiB are usable" "$(tier 62 $((62 * 1048576)))" BASIC
is "tier: a virtual machine of 64 GiB less its kernel" "$(tier 64 $((64 * 1048576 - 1100000)))" BASIC
like "tier: the rule is printed" "$("$PLIMSOLL" assess --root "$T/tier")" "^Tiers +by nominal RAM"

# the device below the model folder
run "$PLIMSOLL" assess --json --model-dir "$T/models"
printf '%s\n' "$out" >"$T/json"
source=$(df --output=source "$T/models" | tail -n 1)
if command -v lsblk >/dev/null && [ -b "$source" ]; then
    disk=$(lsblk -nso NAME,TYPE "$source" 2>/dev/null | awk '{ gsub(/[^[:alnum:]_.-]/, "", $1) } $2 == "disk" { print $1; exit }')
    is "storage: the disk" "$(get '.storage[0].device')" "${disk:-$(basename "$source")}"
else
    skip "storage: the disk" "the folder is on no block device that lsblk can show"
fi
is "storage: not read unless asked" "$(get '.storage[0].read_bytes_per_second | "\(.bytes) \(.state)"')" "null not asked"

# the timed read: a file of its own, then a model file
run "$PLIMSOLL" assess --json --storage --model-dir "$T/models"
is "--storage: exit 0" "$status" 0
printf '%s\n' "$out" >"$T/json"
if [ "$(get '.storage[0].read_bytes_per_second.source')" = measured ]; then
    ok "--storage: a rate of this world" jq -e '.storage[0].read_bytes_per_second |
        .bytes > 1e5 and .bytes < 1e12 and .low <= .bytes and .bytes <= .high' "$T/json"
    like "--storage: of a file of its own" "$(get '.storage[0].read_bytes_per_second.why')" "a file of its own"
    is "--storage: which is gone" "$(ls -A "$T/models")" ""
    head -c 67108864 /dev/urandom >"$T/models/some.gguf"
    sync "$T/models/some.gguf"
    is "--storage: of a model file" "$("$PLIMSOLL" assess --json --storage --model-dir "$T/models" |
        jq -r '.storage[0].read_bytes_per_second.why' | grep -o 'a model file')" "a model file"
    rm "$T/models/some.gguf"
    truncate -s 64M "$T/models/holes.gguf"
    like "--storage: never of holes" "$("$PLIMSOLL" assess --json --storage --model-dir "$T/models" |
        jq -r '.storage[0].read_bytes_per_second.why')" "a file of its own"
    rm "$T/models/holes.gguf"
else
    skip "--storage: a rate" "$(get '.notes[]' | grep 'read speed' || echo 'it cannot be measured here')"
fi
if [ -d /dev/shm ] && [ "$(stat -f -c %T /dev/shm)" = tmpfs ]; then
    run "$PLIMSOLL" assess --json --storage --model-dir /dev/shm
    is "--storage: memory is no medium" "$(jq '.storage[0].read_bytes_per_second.bytes' <<<"$out")" null
    like "--storage: and says so" "$(jq -r '.notes[]' <<<"$out")" "the file system is memory"
else
    skip "--storage: memory is no medium" "/dev/shm is no tmpfs"
fi

# endpoints: something that listens, something that does not, a name that is none
is "endpoints: none asked" "$("$PLIMSOLL" assess --json | jq -c .endpoints)" '[]'
python=$(command -v python3)
if grep -q __asan_init "$PLIMSOLL"; then
    skip "endpoints" "the C library looks names up in threads whose stacks are too small for a sanitizer"
elif [ -n "$python" ]; then
    "$python" -c 'import socket, sys, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(8)
print(s.getsockname()[1], flush=True)
time.sleep(60)' >"$T/port" &
    listener=$!
    for _ in $(seq 100); do [ -s "$T/port" ] && break; sleep 0.05; done
    port=$(cat "$T/port")
    run "$PLIMSOLL" assess --json --endpoint "http://someone:secret@127.0.0.1:$port/v1?key=hidden" \
        --endpoint 127.0.0.1:1 --endpoint https://nobody.invalid/
    is "endpoints: exit 0" "$status" 0
    printf '%s\n' "$out" >"$T/json"
    is "endpoints: reached or not" "$(get '.endpoints | map(.reachable | tostring) | join(" ")')" "true false false"
    ok "endpoints: a time" jq -e '.endpoints[0].milliseconds > 0 and .endpoints[0].milliseconds < 1000' "$T/json"
    like "endpoints: why not" "$(get '.endpoints[1].why')" "refused"
    like "endpoints: why not, the name" "$(get '.endpoints[2].why')" "."
    unlike "endpoints: no secrets are shown" "$out" "secret|hidden"
    is "endpoints: from the environment" \
        "$(PLIMSOLL_ENDPOINTS="127.0.0.1:$port, 127.0.0.1:1" "$PLIMSOLL" assess --json | jq -c '[.endpoints[].reachable]')" \
        '[true,false]'
    like "endpoints: in text" "$("$PLIMSOLL" assess --endpoint "127.0.0.1:$port")" "^Network +127.0.0.1:$port connects in"
    kill "$listener" 2>/dev/null
    wait "$listener" 2>/dev/null
else
    skip "endpoints" "python3 is not installed"
fi
is "endpoints: not tried for a dump" \
    "$("$PLIMSOLL" assess --root "$T/tier" --json --endpoint 127.0.0.1:1 | jq -c '.endpoints[0] | [.reachable, .state]')" \
    '[null,"not asked"]'
for bad in ftp://x.example http:// somewhere 'http://[::1' http://a:99999 'http://[::1]:80x/' 'a b:80'; do
    run "$PLIMSOLL" assess --endpoint "$bad"
    is "endpoint '$bad': exit 2" "$status" 2
    is "endpoint '$bad': nothing on stdout" "$out" ""
done
many=()
for i in 1 2 3 4 5 6 7 8 9; do many+=(--endpoint "127.0.0.1:$i"); done
run "$PLIMSOLL" assess "${many[@]}"
is "nine endpoints: exit 2" "$status" 2
done_testing
