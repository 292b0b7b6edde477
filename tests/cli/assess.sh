#!/bin/bash
# plimsoll assess against what free, lscpu, nproc, df and the kernel say of this machine.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"

run "$PLIMSOLL" assess
is "text: exit 0" "$status" 0
is "text: silent on stderr" "$err" ""
for word in Machine CPU Memory Storage Tier Pool ram Caches ISA Pressure; do
    like "text: $word" "$out" "^$word "
done

run "$PLIMSOLL" assess --json
is "json: exit 0" "$status" 0
printf '%s\n' "$out" >"$T/json"
get() { jq -r "$1" "$T/json"; }
is "schema" "$(get .schema)" plimsoll.assess/1
is "this system" "$(get .this_system)" true
like "bandwidth is unknown before it was measured, or declared by the device data" \
    "$(get '.pools[0].bandwidth_bytes_per_second.source')" '^(unknown|declared)$'

# near NAME GOT WANT PARTS: within PARTS thousandths; for what moves between two readings
near() {
    ok "$1 ($2, $3)" awk -v a="$2" -v b="$3" -v p="$4" \
        'BEGIN { d = a > b ? a - b : b - a; exit !(d * 1000 <= b * p) }'
}

total=$(awk '$1 == "MemTotal:" { printf "%.0f", $2 * 1024 }' /proc/meminfo)
is "RAM: MemTotal" "$(get '.pools[] | select(.pool == "ram").capacity.bytes')" "$total"
if command -v free >/dev/null; then
    is "RAM: free's total" "$(free -b | awk '/^Mem:/ { print $2 }')" "$total"
    near "RAM: free's available" "$(get '.pools[0].available.bytes')" \
        "$(free -b | awk '/^Mem:/ { print $7 }')" 20
else
    skip "RAM: free" "free is not installed"
fi
is "RAM: capacity = reserved + used + available" \
    "$(get '.pools[0] | .reserved.bytes + .used.bytes + .available.bytes')" "$total"

is "CPU: nproc" "$(get .cpu.threads_allowed)" "$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc)"
is "CPU: pinned to one" "$(taskset -c "$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')" \
    "$PLIMSOLL" assess --json | jq .cpu.threads_allowed)" 1
is "CPU: architecture" "$(get .cpu.arch)" "$(uname -m)"
is "kernel" "$(get .kernel)" "$(uname -sr)"
if command -v lscpu >/dev/null; then
    table=$(lscpu -p=CPU,CORE,SOCKET | grep -v '^#')
    is "CPU: threads online" "$(get .cpu.threads_logical)" "$(wc -l <<<"$table")"
    is "CPU: cores" "$(get '.cpu.cores_physical')" "$(cut -d, -f2,3 <<<"$table" | sort -u | wc -l)"
    is "CPU: packages" "$(get '.cpu.packages')" "$(cut -d, -f3 <<<"$table" | sort -u | wc -l)"
    if lscpu -B -C=NAME,ALL-SIZE >"$T/caches" 2>/dev/null; then
        is "CPU: bytes of every cache" \
            "$(get '.cpu.caches[] | "l\(.level)\(if .type == "unified" then "" else .type[0:1] end) \(.bytes * .instances)"' |
                awk '{ n[$1] += $2 } END { for (k in n) printf "%s %.0f\n", k, n[k] }' | sort)" \
            "$(awk 'NR > 1 { print tolower($1), $2 }' "$T/caches" | sort)"
    else
        skip "CPU: bytes of every cache" "lscpu shows none"
    fi
else
    skip "CPU: lscpu" "lscpu is not installed"
fi
if grep -q '^flags' /proc/cpuinfo; then
    # words that every kernel in use has names for, under our names
    known='sse[23]|ssse3|sse4_[12]|avx|avx2|fma|f16c|bmi[12]|avx512(f|dq|cd|bw|vl|ifma|vbmi)'
    known="$known|avx512_(vnni|bitalg|vbmi2|vpopcntdq)"
    want=$(sed -n 's/^flags[^:]*: *//p' /proc/cpuinfo | head -n 1 | tr ' ' '\n' |
        sed 's/^pni$/sse3/' | grep -xE "$known" | LC_ALL=C sort)
    is "CPU: extensions" "$(get '.cpu.isa[]' | grep -xE "$known")" "$want"
    is "CPU: extensions are sorted" "$(get '.cpu.isa[]')" "$(get '.cpu.isa[]' | LC_ALL=C sort -u)"
else
    skip "CPU: extensions" "not x86"
    skip "CPU: extensions are sorted" "not x86"
fi

mkdir "$T/models"
run "$PLIMSOLL" assess --json --model-dir "$T/models"
printf '%s\n' "$out" >"$T/json"
is "storage: the folder asked about" "$(get '.storage[0].path')" "$T/models"
fstype="$(df --output=fstype "$T/models" | tail -n 1)"
# df writes "-" where no mount covers the folder (a chroot); that is not known, not a type
[ "$fstype" != - ] || fstype=null
is "storage: type" "$(get '.storage[0].filesystem')" "$fstype"
is "storage: size" "$(get '.storage[0].total.bytes')" \
    "$(df -B1 --output=size "$T/models" | tail -n 1 | tr -d ' ')"
near "storage: free" "$(get '.storage[0].available.bytes')" \
    "$(df -B1 --output=avail "$T/models" | tail -n 1 | tr -d ' ')" 20
is "storage: ~/models by default" "$("$PLIMSOLL" assess --json | jq -r '.storage[0].path')" "$T/models"
is "storage: PLIMSOLL_MODELS before it" \
    "$(PLIMSOLL_MODELS=/ "$PLIMSOLL" assess --json | jq -r '.storage[0].path')" /
run "$PLIMSOLL" assess --json --model-dir "$T/models/not/yet"
is "storage: a folder that is not there yet: exit 0" "$status" 0
is "storage: has its parent's size" "$(jq '.storage[0].total.bytes' <<<"$out")" \
    "$(get '.storage[0].total.bytes')"
like "storage: and says so" "$(jq -r '.notes[]' <<<"$out")" "$T/models/not/yet does not exist"

# the identity: stable, and not the machine id itself
id=$(get .id)
is "id: the same again" "$("$PLIMSOLL" assess --json | jq -r .id)" "$id"
if [ -s /etc/machine-id ]; then
    is "id: a hash of the machine id" "$id" \
        "$(printf 'plimsoll machine-id %s\n' "$(cat /etc/machine-id)" | sha256sum | cut -c1-32)"
    unlike "id: the machine id is not shown" "$out" "$(cat /etc/machine-id)"
else
    skip "id: a hash of the machine id" "there is no /etc/machine-id"
    skip "id: the machine id is not shown" "there is no /etc/machine-id"
fi

# bandwidth: measured, remembered, left out
run "$PLIMSOLL" assess --bandwidth --json
is "--bandwidth: exit 0" "$status" 0
printf '%s\n' "$out" >"$T/json"
source=$(get '.pools[0].bandwidth_bytes_per_second.source')
like "--bandwidth: a source" "$source" '^(measured|assumed)$'
ok "--bandwidth: a rate of this world" jq -e \
    '.pools[0].bandwidth_bytes_per_second | .bytes > 1e8 and .bytes < 1e13 and .low <= .bytes' "$T/json"
ok "--bandwidth: one core too" jq -e '.pools[0].bandwidth_one_core_bytes_per_second.bytes > 1e8' "$T/json"
if [ "$source" = measured ]; then
    is "bandwidth is remembered" \
        "$("$PLIMSOLL" assess --json | jq '.pools[0].bandwidth_bytes_per_second.bytes')" \
        "$(get '.pools[0].bandwidth_bytes_per_second.bytes')"
else
    skip "bandwidth is remembered" "too little memory to measure it here"
fi
is "--no-bandwidth: unknown" \
    "$("$PLIMSOLL" assess --no-bandwidth --json | jq '.pools[0].bandwidth_bytes_per_second.bytes')" null
printf 'not a ledger' >"$T/broken"
run env PLIMSOLL_LEDGER="$T/broken" "$PLIMSOLL" assess --json
is "a broken ledger: exit 0" "$status" 0
like "a broken ledger: said in a note" "$(jq -r '.notes[]' <<<"$out")" "remembered bandwidth cannot be read"
is "a broken ledger: left alone" "$(cat "$T/broken")" "not a ledger"

# bad input
run "$PLIMSOLL" assess --bandwidth --no-bandwidth
is "both: exit 2" "$status" 2
run "$PLIMSOLL" assess --root "$T/nowhere"
is "no such root: exit 2" "$status" 2
like "no such root: named" "$err" "^plimsoll: .*$T/nowhere"
is "no such root: nothing on stdout" "$out" ""
run "$PLIMSOLL" assess --root "$T/json"
is "a root that is a file: exit 2" "$status" 2
mkdir "$T/empty"
run "$PLIMSOLL" assess --root "$T/empty"
is "an empty root: exit 2" "$status" 2
like "an empty root: a hint" "$err" "^hint: "
run "$PLIMSOLL" assess --root ""
is "no root: exit 2" "$status" 2
run "$PLIMSOLL" assess surplus
is "an argument: exit 2" "$status" 2

# a dump in a container's view, with traps: a link out of the dump, a fifo, damage
mkdir -p "$T/dump/proc/self" "$T/dump/sys/fs/cgroup/box"
printf 'MemTotal: 16777216 kB\nMemFree: 1 kB\nMemAvailable: 8388608 kB\n' >"$T/dump/proc/meminfo"
ln -s /proc/cpuinfo "$T/dump/proc/cpuinfo"
mkfifo "$T/dump/proc/version"
printf '0::/box\n' >"$T/dump/proc/self/cgroup"
printf '30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n' >"$T/dump/proc/self/mountinfo"
printf '4294967296\n' >"$T/dump/sys/fs/cgroup/box/memory.max"
printf '1073741824\n' >"$T/dump/sys/fs/cgroup/box/memory.current"
run timeout 10 "$PLIMSOLL" assess --root "$T/dump" --json
is "dump: exit 0" "$status" 0
printf '%s\n' "$out" >"$T/json"
is "dump: not this system" "$(get .this_system)" false
is "dump: the link out of it is not followed" "$(get .cpu.model)" null
is "dump: the limit is a pool in ram" "$(get '.pools[1] | "\(.pool) \(.parent) \(.kind) \(.capacity.bytes)"')" \
    "cgroup ram cap 4294967296"
is "dump: what the limit leaves" "$(get '.pools[1].available.bytes')" 3221225472
is "dump: tier by the limit" "$(get .tier)" "DEV ONLY"
run "$PLIMSOLL" assess --explain
is "--explain: exit 0" "$status" 0
like "--explain: sources" "$out" "read from +MemTotal of /proc/meminfo"
done_testing
