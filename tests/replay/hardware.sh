#!/bin/bash
# Memory nodes, slots and processors of captured machines: against awk on the same files, and against
# hwloc and dmidecode where they are installed.
. "$(dirname "$0")/../lib.sh"

here=$PLIMSOLL_SOURCE/tests/replay
for tool in jq bzip2 tar awk od; do
    command -v "$tool" >/dev/null || skip_all "$tool is not installed"
done

# members LIST: "0-2,5" as a line each
members() {
    tr ',' '\n' <<<"$1" | awk -F- 'NF { for (i = $1; i <= (NF > 1 ? $2 : $1); i++) print i }'
}

# node_field DIR ID KEY: bytes of a line of the node's meminfo
node_field() {
    awk -v key="$3:" '$3 == key { printf "%.0f\n", $4 * 1024 }' "$1/node$2/meminfo"
}

# nodes NAME JSON DIR: id, CPUs online, total, free and distances of every node
nodes() {
    local name=$1 json=$2 dir=$3 node=$3/sys/devices/system/node ids online id cpus want
    ids=$(ls -d "$node"/node[0-9]* 2>/dev/null | sed 's/.*node//' | sort -n)
    [ -e "$node/online" ] && ids=$(members "$(tr -d '\0' <"$node/online")" | grep -xFf <(echo "$ids"))
    if [ -z "$ids" ]; then
        is "$name: one node, assumed" "$(jq -c '.numa | [length, .[0].total.source]' "$json")" \
            '[1,"assumed"]'
        return
    fi
    online=$(members "$(tr -d '\0' <"$dir/sys/devices/system/cpu/online" 2>/dev/null)")
    want=$(for id in $ids; do
        cpus=-
        if [ -s "$node/node$id/cpulist" ] && [ -n "$online" ]; then
            cpus=$(members "$(tr -d '\0' <"$node/node$id/cpulist")" | grep -cxFf <(echo "$online"))
        fi
        echo "$id $cpus $(node_field "$node" "$id" MemTotal) $(node_field "$node" "$id" MemFree) $(
            tr -d '\0' <"$node/node$id/distance" | tr ' ' '\n' | awk 'NF' |
                awk -v n="$(wc -w <<<"$ids")" '{ d[NR] = $1 } END { for (i = 1; i <= n; i++) printf "%s ", NR == n ? d[i] : "null" }')"
    done)
    is "$name: nodes" "$(jq -r '.numa[] | "\(.id) \(.cpus) \(.total.bytes) \(.free.bytes) \(.distance | map(tostring + " ") | add)"' "$json" |
        while read -r id cpus rest; do
            # a node whose list the dump left empty: the mask counts, checked by the unit tests
            grep -q "^$id - " <<<"$want" && cpus=-
            echo "$id $cpus $rest"
        done)" "$(awk '{ $1 = $1; print }' <<<"$want")"
}

# sums NAME JSON DIR: no byte is in two pools, none is lost
sums() {
    local name=$1 json=$2 total kinds
    total=$(awk '$1 == "MemTotal:" { printf "%.0f", $2 * 1024; exit }' "$3/proc/meminfo" 2>/dev/null)
    [ -n "$total" ] || return
    is "$name: ram and what was taken out of it are MemTotal" "$(jq '
        ([.pools[] | select(.pool == "ram").capacity.bytes] | add) +
        ([.numa[] | select(.memory_only).total.bytes] | add // 0)' "$json")" "$total"
    ok "$name: pools without a parent do not exceed MemTotal" jq -e --argjson t "$total" \
        '[.pools[] | select(.parent == null).capacity.bytes] | add <= $t' "$json"
    ok "$name: available does not exceed capacity" jq -e \
        'all(.pools[]; .available.bytes == null or .capacity.bytes == null or .available.high <= .capacity.bytes)' "$json"
    kinds=$(jq '[.numa[] | select(.memory_only | not) | select(.total.bytes > 0)] | length' "$json")
    is "$name: a pool in ram for every ordinary node of several" \
        "$(jq '[.pools[] | select(.parent == "ram" and (.pool | startswith("numa")))] | length' "$json")" \
        "$([ "$kinds" -gt 1 ] && echo "$kinds" || echo 0)"
}

# against_hwloc NAME JSON DIR: nodes and their memory as hwloc reads the same tree
against_hwloc() {
    if ! command -v lstopo-no-graphics >/dev/null; then
        skip "$1: hwloc's nodes" "hwloc is not installed"
        return
    fi
    HWLOC_FSROOT=$3 HWLOC_THISSYSTEM=0 HWLOC_COMPONENTS=linux,stop HWLOC_KEEP_NVIDIA_GPU_NUMA_NODES=1 \
        lstopo-no-graphics --disallowed --of xml 2>/dev/null >"$T/hwloc.xml"
    # hwloc leaves out what has neither memory nor CPUs, and counts huge pages on their own
    is "$1: hwloc's nodes" \
        "$(jq -r '.numa[] | select(.total.source == "measured" and .total.bytes > 0) | "\(.id) \(.total.bytes)"' "$2" | sort)" \
        "$(grep -o 'type="NUMANode" .*' "$T/hwloc.xml" |
            sed -n 's/.*os_index="\([0-9]*\)".* local_memory="\([0-9]*\)".*/\1 \2/p' | sort)"
    is "$1: hwloc's threads" "$(jq .cpu.threads_logical "$2")" "$(grep -c 'type="PU"' "$T/hwloc.xml")"
    # Bulldozer: the kernel calls two integer units that share a front end threads, hwloc cores
    grep -q 'Opteron(TM) Processor 62' "$3/proc/cpuinfo" ||
        is "$1: hwloc's cores" "$(jq .cpu.cores_physical "$2")" "$(grep -c 'type="Core"' "$T/hwloc.xml")"
}

# The cases that hwloc reads otherwise, and why:
#   16em64t-4s2c2t-offlines, 2arm-2c, 2i386-2t-hugepagesizecount: no node folder, or one that hwloc
#   fills from elsewhere; offline-cpu0-node0: the dump's node list was edited
odd_for_hwloc='16em64t-4s2c2t-offlines 2arm-2c 2i386-2t-hugepagesizecount offline-cpu0-node0'

for tarball in "$here"/hwloc/*.tar.bz2 "$here"/hwloc-nodes/*.tar.bz2; do
    name=$(basename "$tarball" .tar.bz2)
    mkdir "$T/$name" && tar -xjf "$tarball" -C "$T/$name"
    dir=$(echo "$T/$name"/*)
    run "$PLIMSOLL" assess --root "$dir" --json
    printf '%s\n' "$out" >"$T/json"
    nodes "$name" "$T/json" "$dir"
    sums "$name" "$T/json" "$dir"
    case " $odd_for_hwloc " in
    *" $name "*) skip "$name: hwloc's nodes" "hwloc reads this dump from other files" ;;
    *) against_hwloc "$name" "$T/json" "$dir" ;;
    esac
    is "$name: nothing live on a replay" \
        "$(jq -c '[.storage[0].read_bytes_per_second.bytes, (.endpoints | length)]' "$T/json")" '[null,0]'
    case $name in
    nvidiagpunumanodes)
        is "$name: graphics memory is known as such" \
            "$(jq -c '[.numa[] | select(.what == "gpu").id]' "$T/json")" \
            "[$(sed -n 's/^Node: *//p' "$dir"/proc/driver/nvidia/gpus/*/numa_status | sort -n | paste -sd,)]"
        like "$name: and said" "$(jq -r '.notes[]' "$T/json")" "ram is without 90.00 GiB in 6 memory nodes"
        ;;
    fakeheteromemtiers)
        is "$name: what the memory-only nodes are" \
            "$(jq -r '.numa[] | select(.memory_only) | "\(.id) \(.what)"' "$T/json")" \
            "$(for id in 4 6 8 9; do
                link=$(grep -lx "$id" "$dir"/sys/bus/dax/devices/*/target_node | head -n 1)
                case $(readlink "$(dirname "$link")") in
                *ndbus*) echo "$id dax" ;;
                *hmem*) echo "$id specific-purpose" ;;
                esac
            done)"
        ;;
    20em64t-hybrid*) is "$name: fast and slow cores" "$(jq -c '[.cpu.cores_fast, .cpu.cores_slow]' "$T/json")" '[6,8]' ;;
    nvidia-dgx-gb10)
        is "$name: fast and slow cores" "$(jq -c '[.cpu.cores_fast, .cpu.cores_slow]' "$T/json")" \
            "[$(grep -c 'part.*0xd85' "$dir/proc/cpuinfo"),$(grep -c 'part.*0xd87' "$dir/proc/cpuinfo")]"
        ;;
    32em64t-2n8c+dax*)
        # type 17 of SMBIOS: size in MiB at byte 12, locator is string number byte 16
        is "$name: slots" "$(jq '.dimms | length' "$T/json")" \
            "$(ls -d "$dir"/sys/firmware/dmi/entries/17-* | wc -l)"
        is "$name: size of every slot" "$(jq -c '[.dimms[].bytes.bytes / 1048576]' "$T/json")" \
            "[$(for i in $(seq 0 23); do
                od -An -tu2 -j12 -N2 "$dir/sys/firmware/dmi/entries/17-$i/raw" | tr -d ' '
            done | paste -sd,)]"
        is "$name: sum" "$(jq .dimm_total.bytes "$T/json")" $((8 * 4096 * 1048576))
        ;;
    esac
    if [ -e "$dir/sys/class/dmi/id/sys_vendor" ]; then
        like "$name: board" "$(jq -r .board "$T/json")" "$(cut -d' ' -f1 "$dir/sys/class/dmi/id/product_name" | head -n 1)"
    fi
    rm -rf "${T:?}/$name"
done

# bit HEX N: that bit of a register
bit() {
    [ $((0x$1 >> $2 & 1)) -eq 1 ]
}

# reg FILE LEAF SUB COLUMN: a register (1 = EAX .. 4 = EDX) of a dump
reg() {
    awk -v leaf="$2" -v sub_leaf="$3" -v column="$4" '$2 == leaf && ($1 == "1" || $4 == sub_leaf) {
        print $(6 + column); exit }' "$1"
}

if [ -e "$here/hwloc-x86/hwloc.tsv" ]; then
    while IFS=$'\t' read -r name packages cores threads fast slow caches model; do
        [ "$name" = dump ] && continue
        mkdir -p "$T/x86/cpuid"
        tar -xjf "$here/hwloc-x86/$name.tar.bz2" -C "$T/x86/cpuid" --strip-components 1
        run "$PLIMSOLL" assess --root "$T/x86" --json
        is "$name: exit 0" "$status" 0
        printf '%s\n' "$out" >"$T/json"
        is "$name: packages, cores, threads" \
            "$(jq -r '.cpu | "\(.packages) \(.cores_physical) \(.threads_logical)"' "$T/json")" \
            "$packages $cores $threads"
        is "$name: fast and slow cores" \
            "$(jq -r '.cpu | "\(.cores_fast // "-") \(.cores_slow // "-")"' "$T/json")" "$fast $slow"
        is "$name: caches" "$(jq -r '.cpu.caches[] |
            "l\(.level)\(if .type == "unified" then "" else .type[0:1] end):\(.bytes):\(.instances)"' "$T/json" |
            sort)" "$(tr ' ' '\n' <<<"$caches" | sort)"
        is "$name: model" "$(jq -r .cpu.model "$T/json")" "$model"
        pu=$T/x86/cpuid/pu0
        want=$( # word, leaf, sub-leaf, register, bit: Intel SDM volume 2A, CPUID
            while read -r word leaf sub column n; do
                value=$(reg "$pu" "$leaf" "$sub" "$column")
                [ -n "$value" ] && bit "$value" "$n" && echo "$word"
            done <<'END'
avx 1 0 3 28
avx2 7 0 2 5
fma 1 0 3 12
f16c 1 0 3 29
avx512f 7 0 2 16
avx512bw 7 0 2 30
avx512_vnni 7 0 3 11
avx512_bf16 7 1 1 5
avx512_fp16 7 0 4 23
avx_vnni 7 1 1 4
amx_tile 7 0 4 24
amx_int8 7 0 4 25
amx_bf16 7 0 4 22
END
        )
        is "$name: extensions" "$(jq -r '.cpu.isa[]' "$T/json" | grep -xE 'avx|avx2|fma|f16c|avx512(f|bw|_vnni|_bf16|_fp16)|avx_vnni|amx_(tile|int8|bf16)' | sort)" \
            "$(sort <<<"$want")"
        run "$PLIMSOLL" assess --root "$T/x86"
        if grep -qx avx512f <<<"$want"; then
            like "$name: AVX-512 in text" "$out" "AVX-512: .*\bf\b"
        else
            like "$name: no AVX-512 in text" "$out" "AVX-512: not supported"
        fi
        rm -rf "$T/x86"
    done <"$here/hwloc-x86/hwloc.tsv"
fi
done_testing
