#!/bin/bash
# Ten captured machines: what assess says of them against awk and lscpu on the same files.
. "$(dirname "$0")/../lib.sh"

here=$PLIMSOLL_SOURCE/tests/replay
for tool in jq bzip2 tar awk; do
    command -v "$tool" >/dev/null || skip_all "$tool is not installed"
done

# kb KEY FILE: bytes of the first line of that key
kb() {
    awk -v key="$1:" '$1 == key && $3 == "kB" && !seen++ { printf "%.0f\n", $2 * 1024 }' "$2"
}

# apart DIR KEYS: sum of these lines over the memory nodes that have no CPUs
apart() {
    local node sum=0
    for node in "$1"/sys/devices/system/node/node[0-9]*; do
        [ -e "$node/cpulist" ] && [ -z "$(tr -d '\0\n' <"$node/cpulist")" ] && [ -s "$node/meminfo" ] &&
            ! grep -q '[1-9a-f]' "$node/cpumap" &&
            sum=$((sum + $(awk -v keys=" $2 " 'index(keys, " " $3 " ") { n += $4 } END { printf "%.0f", n * 1024 }' "$node/meminfo")))
    done
    echo "$sum"
}

# memory NAME JSON MEMINFO DIR: the pool "ram" against the raw file
memory() {
    local name=$1 json=$2 file=$3 total available
    total=$(kb MemTotal "$file")
    available=$(kb MemAvailable "$file")
    if [ "$(apart "${4:-/nonexistent}" MemTotal:)" -gt 0 ]; then
        is "$name: capacity" "$(jq '.pools[0].capacity.bytes' "$json")" $((total - $(apart "$4" MemTotal:)))
        is "$name: available" "$(jq '.pools[0].available.bytes' "$json")" \
            $((available - $(apart "$4" "MemFree: Active(file): Inactive(file):")))
        is "$name: available is derived" "$(jq -r '.pools[0].available.source' "$json")" derived
        return
    fi
    is "$name: capacity" "$(jq '.pools[0].capacity.bytes' "$json")" "${total:-null}"
    if [ -n "$available" ]; then
        is "$name: available" "$(jq '.pools[0].available.bytes' "$json")" "$available"
        is "$name: available is measured" "$(jq -r '.pools[0].available.source' "$json")" measured
    elif [ -n "$(kb Shmem "$file")" ] && [ -n "$total" ]; then
        available=$(($(kb MemFree "$file") + $(kb Cached "$file") + $(kb Buffers "$file") - $(kb Shmem "$file")))
        is "$name: available" "$(jq '.pools[0].available.bytes' "$json")" "$available"
        is "$name: available is derived" "$(jq -r '.pools[0].available.source' "$json")" derived
    else
        is "$name: available is unknown" "$(jq -r '.pools[0].available | "\(.bytes) \(.source)"' "$json")" \
            "null unknown"
    fi
}

# topology NAME JSON DIR: packages, cores and caches against lscpu, which reads the same files.
# It counts offline CPUs too, so machines with some are left to the unit tests.
topology() {
    local name=$1 json=$2 dir=$3 table
    if ! lscpu --sysroot "$dir" -p=CPU,CORE,SOCKET >/dev/null 2>&1 ||
        grep -qE '[0-9]' "$dir/sys/devices/system/cpu/offline" 2>/dev/null; then
        skip "$name: topology" "lscpu cannot count this dump"
        return
    fi
    table=$(lscpu --sysroot "$dir" -p=CPU,CORE,SOCKET | grep -v '^#')
    is "$name: threads" "$(jq .cpu.threads_logical "$json")" "$(wc -l <<<"$table")"
    # lscpu numbers cores anew for each kind of core, so distinct sets of siblings are counted
    is "$name: cores" "$(jq .cpu.cores_physical "$json")" \
        "$(cat "$dir"/sys/devices/system/cpu/cpu*/topology/thread_siblings | sort -u | wc -l)"
    is "$name: packages" "$(jq .cpu.packages "$json")" "$(cut -d, -f3 <<<"$table" | sort -u | wc -l)"
    # one line per name: total bytes of all instances
    lscpu --sysroot "$dir" -B -C=NAME,ALL-SIZE >"$T/lscpu.caches" 2>/dev/null ||
        { skip "$name: caches" "this lscpu has no -C"; return; }
    awk 'NR > 1 { print tolower($1), $2 }' "$T/lscpu.caches" | sort >"$T/want"
    jq -r '.cpu.caches[] | "l\(.level)\(if .type == "unified" then "" else .type[0:1] end) \(.bytes * .instances)"' \
        "$json" | awk '{ n[$1] += $2 } END { for (k in n) printf "%s %.0f\n", k, n[k] }' | sort >"$T/got"
    is "$name: bytes of every cache" "$(cat "$T/got")" "$(cat "$T/want")"
}

for tarball in "$here"/hwloc/*.tar.bz2; do
    name=$(basename "$tarball" .tar.bz2)
    mkdir "$T/$name" && tar -xjf "$tarball" -C "$T/$name"
    dir=$(echo "$T/$name"/*)
    run "$PLIMSOLL" assess --root "$dir" --json
    is "$name: exit 0" "$status" 0
    is "$name: silent on stderr" "$err" ""
    printf '%s\n' "$out" >"$T/json"
    is "$name: marked as replayed" "$(jq .this_system "$T/json")" false
    like "$name: no bandwidth measured" "$(jq -r .pools[0].bandwidth_bytes_per_second.source "$T/json")" \
        '^(unknown|declared)$'
    is "$name: no disk" "$(jq '.storage[0].available.bytes' "$T/json")" null
    if [ -e "$dir/proc/meminfo" ]; then
        memory "$name" "$T/json" "$dir/proc/meminfo" "$dir"
    else
        is "$name: memory unknown" "$(jq .pools[0].capacity.bytes "$T/json")" null
    fi
    topology "$name" "$T/json" "$dir"
    # the extensions are flags of the dump, each word under the kernel's name
    flags=$(awk -F: '/^(flags|Features)[ \t]*:/ { print $2; exit }' "$dir/proc/cpuinfo" |
        sed -e 's/\<pni\>/sse3/' -e 's/\<asimddp\>/dotprod/' -e 's/\<asimdhp\>/fp16/' \
            -e 's/\<asimdfhm\>/fhm/' -e 's/\<asimd\>/neon/')
    for word in $(jq -r '.cpu.isa[]' "$T/json"); do
        case " $flags " in *" $word "*) ;; *) not_ok "$name: invented $word" true ;; esac
    done
    for word in avx avx2 fma f16c avx512f avx512_vnni avx_vnni neon dotprod i8mm sve; do
        case " $flags " in
        *" $word "*) ok "$name: has $word" jq -e --arg w "$word" '.cpu.isa | index([$w])' "$T/json" ;;
        esac
    done
    # a saved assessment is a machine file, and replaying changes nothing
    run "$PLIMSOLL" assess --root "$dir" --json
    is "$name: the same twice" "$out" "$(cat "$T/json")"
    rm -rf "${T:?}/$name"
done

for file in "$here"/meminfo/*.txt; do
    name=$(basename "$file" .txt)
    mkdir -p "$T/$name/proc" && cp "$file" "$T/$name/proc/meminfo"
    run "$PLIMSOLL" assess --root "$T/$name" --json
    is "$name: exit 0" "$status" 0
    printf '%s\n' "$out" >"$T/json"
    memory "$name" "$T/json" "$file"
    is "$name: cores unknown, not 0" "$(jq .cpu.cores_physical "$T/json")" null
done
is "1.13 TB is FULL" "$("$PLIMSOLL" assess --root "$T/epyc9655-1.13tb-20260111_123428" --json | jq -r .tier)" FULL
is "16 GB is DEV ONLY" "$("$PLIMSOLL" assess --root "$T/gopsutil-intelcorei5" --json | jq -r .tier)" "DEV ONLY"
done_testing
