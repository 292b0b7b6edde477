#!/bin/bash
# Who holds memory: this machine, a snapshot of its /proc made here, and awk over the same files.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"

# sum1 FILE: the parts of the tree
sum1() { jq '[.memory.rows[] | select(.depth == 1).bytes.bytes] | add' "$1"; }
row() { jq --arg n "$1" '[.memory.rows[] | select(.name == $n and .depth == 1).bytes.bytes] | add // 0' "$2"; }

run "$PLIMSOLL" assess --memory --json
is "--memory: exit 0" "$status" 0
printf '%s\n' "$out" >"$T/json"
total=$(awk '$1 == "MemTotal:" { printf "%.0f", $2 * 1024 }' /proc/meminfo)
is "the tree's parts sum to MemTotal" "$(sum1 "$T/json")" "$total"
# pages on their way back to the kernel, or to the host of a virtual machine, are in no counter for a
# while, and while other programs give memory back there are always some: until one look meets few
settled() {
    for _ in $(seq 100); do
        "$PLIMSOLL" assess --memory --json | jq -e --argjson t "$total" \
            '[.memory.rows[] | select(.name == "not accounted").bytes.bytes][0] * 20 < $t' && return
        sleep 1
    done
    return 1
}
ok "what is not accounted is less than a twentieth" settled
ok "sums of consumers stay below what is used and cached" \
    jq -e '([.consumers[].host.bytes // 0] | add) <= .pools[0].capacity.bytes - .memory.free.bytes' "$T/json"
ok "without --memory there is no tree" test "$("$PLIMSOLL" assess --json | jq .memory)" = null
ok "consumers: the largest first" jq -e '[.consumers[] | select(.name != "smaller ones") | (.host.bytes // 0) + ([.devices[].held.bytes // 0] | add // 0)] | . == (sort | reverse)' "$T/json"

# parts WHAT: the tree's parts still sum while memory is taken and given back
head -c 64M /dev/zero >"$T/tmpfs.file"
if [ -d /dev/shm ] && [ -w /dev/shm ]; then
    shm=/dev/shm/plimsoll-test.$$
    trap 'rm -rf "$T" "$shm"' EXIT
    # others may give theirs back between two looks: until one pair shows it
    more_shared() {
        local before _
        for _ in $(seq 50); do
            rm -f "$shm"
            "$PLIMSOLL" assess --memory --json >"$T/tmpfs"
            before=$(row "shared memory and tmpfs" "$T/tmpfs")
            head -c 64M /dev/zero >"$shm"
            "$PLIMSOLL" assess --memory --json >"$T/tmpfs"
            [ $(($(row "shared memory and tmpfs" "$T/tmpfs") - before)) -gt $((48 * 1024 * 1024)) ] && return
        done
        return 1
    }
    ok "a file in tmpfs is shared memory" more_shared
    is "a file in tmpfs: the parts sum" "$(sum1 "$T/tmpfs")" "$total"
    rm -f "$shm"
else
    skip "a file in tmpfs" "no /dev/shm"
fi

# a process that holds 200 MiB: found, named, measured
# (tail keeps a line until it ends)
mkfifo "$T/never"
exec 9<>"$T/never"
(head -c 200M /dev/zero; read -r _ <"$T/never") | tail -n 1 >/dev/null &
holder=$!
held() { awk '$1 == "RssAnon:" { printf "%.0f", $2 * 1024 }' "/proc/$holder/status" 2>/dev/null; }
until [ "$(held)" -gt 200000000 ]; do kill -0 "$holder" || break; sleep 0.05; done
"$PLIMSOLL" assess --memory --json >"$T/held"
is "while a process holds memory the parts sum" "$(sum1 "$T/held")" "$total"
anon=$(held)
name=$(awk '$1 == "Name:" { print $2 }' "/proc/$holder/status")
ok "the process is among the consumers" jq -e --arg n "$name" --argjson a "$anon" \
    '[.consumers[] | select(.name == $n) | .host] | any(.high >= $a * 0.98 and .low <= $a * 1.02)' "$T/held"
kill "$holder" 2>/dev/null
echo >&9
wait "$holder" 2>/dev/null

# a snapshot of /proc as a dump: every figure against awk over the same files
mkdir -p "$T/dump/proc"
cp /proc/meminfo "$T/dump/proc/meminfo"
for d in /proc/[0-9]*; do
    pid=${d#/proc/}
    mkdir "$T/dump/proc/$pid"
    for f in status cgroup cmdline; do
        cat "$d/$f" >"$T/dump/proc/$pid/$f" 2>/dev/null
    done
    [ -s "$T/dump/proc/$pid/status" ] || rm -rf "$T/dump/proc/$pid"
done
run "$PLIMSOLL" assess --root "$T/dump" --memory --json
is "snapshot: exit 0" "$status" 0
printf '%s\n' "$out" >"$T/snap"
total=$(awk '$1 == "MemTotal:" { printf "%.0f", $2 * 1024 }' "$T/dump/proc/meminfo")
is "snapshot: the parts sum to MemTotal" "$(sum1 "$T/snap")" "$total"
with=$(grep -l '^RssAnon:' "$T"/dump/proc/[0-9]*/status | wc -l)
is "snapshot: every process with memory is counted once" \
    "$(jq '[.consumers[].processes] | add' "$T/snap")" "$with"
# the most that all can hold: anonymous and shared pages of each, and locked pages of files
most=$(jq '[.consumers[] | .host.high] | add' "$T/snap")
read -r least above <<<"$(awk '/^VmLck:/ { k[FILENAME] = $2 } /^RssAnon:/ { n += $2 } /^RssShmem:/ { n += $2 }
    /^RssFile:/ { f[FILENAME] = $2 } END { for (i in f) l += k[i] < f[i] ? k[i] : f[i]
        printf "%.0f %.0f\n", n * 1024, (n + l) * 1024 }' "$T"/dump/proc/[0-9]*/status)"
ok "snapshot: the upper ends of the amounts ($most, $least to $above)" \
    test "$most" -ge "$least" -a "$most" -le "$above"
is "snapshot: free" "$(jq .memory.free.bytes "$T/snap")" \
    "$(awk '$1 == "MemFree:" { printf "%.0f", $2 * 1024 }' "$T/dump/proc/meminfo")"
is "snapshot: kernel" "$(row kernel "$T/snap")" \
    "$(awk '{ v[$1] = $2 } END { vm = v["VmallocUsed:"] - v["KernelStack:"]; if (vm < 0 || !("KReclaimable:" in v)) vm = 0
        printf "%.0f", (v["SUnreclaim:"] + v["KernelStack:"] + v["PageTables:"] + v["SecPageTables:"] + v["Percpu:"] \
            + v["Zswap:"] + v["Bounce:"] + v["WritebackTmp:"] + v["Balloon:"] + vm) * 1024 }' "$T/dump/proc/meminfo")"
is "snapshot: cache" "$(row "cache (reclaimable)" "$T/snap")" \
    "$(awk '{ v[$1] = $2 } END { k = v["KReclaimable:"] > v["SReclaimable:"] ? v["KReclaimable:"] : v["SReclaimable:"]
        printf "%.0f", (v["Cached:"] - v["Shmem:"] + v["Buffers:"] + k) * 1024 }' "$T/dump/proc/meminfo")"
is "snapshot: the same twice" "$("$PLIMSOLL" assess --root "$T/dump" --memory --json)" "$(cat "$T/snap")"

# containers, a desktop, engines: a dump with known amounts
id=$(printf 'a%.0s' $(seq 64))
process() { # PID NAME CGROUP ANON FILE SHMEM (KiB)
    mkdir -p "$T/box/proc/$1"
    printf 'Name:\t%s\nPid:\t%s\nVmLck:\t0 kB\nVmRSS:\t%s kB\nRssAnon:\t%s kB\nRssFile:\t%s kB\nRssShmem:\t%s kB\n' \
        "$2" "$1" $(($4 + $5 + $6)) "$4" "$5" "$6" >"$T/box/proc/$1/status"
    printf '0::%s\n' "$3" >"$T/box/proc/$1/cgroup"
}
mkdir -p "$T/box/proc" "$T/box/var/lib/docker/containers/$id"
printf 'MemTotal: 16777216 kB\nMemFree: 4194304 kB\nMemAvailable: 8388608 kB\nBuffers: 0 kB\nCached: 2097152 kB\nShmem: 1024 kB\nAnonPages: 4000000 kB\n' >"$T/box/proc/meminfo"
printf '{"ID":"%s","Name":"/zoe-tts"}' "$id" >"$T/box/var/lib/docker/containers/$id/config.v2.json"
process 1 systemd /init.scope 10000 5000 0
process 10 python3 "/system.slice/docker-$id.scope" 2800000 100000 0
printf 'python3\0-m\0vllm.entrypoints\0' >"$T/box/proc/10/cmdline"
process 20 gnome-shell /user.slice/user-1000.slice/session-2.scope 300000 100000 0
process 21 firefox /user.slice/user-1000.slice/session-2.scope 400000 100000 0
process 22 'Isolated Web Co' /user.slice/user-1000.slice/session-2.scope 200000 100000 0
run "$PLIMSOLL" assess --root "$T/box" --memory --json
printf '%s\n' "$out" >"$T/json"
is "box: the container by name, its engine by command line" \
    "$(jq -r '.consumers[0] | "\(.container) \(.runtime) \(.name) \(.kind) \(.host.bytes)"' "$T/json")" \
    "zoe-tts docker vllm engine 2867200000"
is "box: a browser is one program" \
    "$(jq -r '.consumers[] | select(.name == "firefox") | "\(.processes) \(.pid) \(.kind) \(.host.bytes)"' "$T/json")" \
    "2 null browser 614400000"
is "box: the desktop" "$(jq -r .desktop "$T/json")" gnome-shell
is "box: subtotals" "$(jq -r '.consumer_totals[] | select(.kind == "desktop" or .kind == "browser") | "\(.kind) \(.host.bytes)"' "$T/json")" \
    "desktop 307200000
browser 614400000"
is "box: the tree names the container" \
    "$(jq '.memory.rows[] | select(.name == "docker zoe-tts").bytes.bytes' "$T/json")" 2867200000
is "box: the parts sum" "$(sum1 "$T/json")" 17179869184
run "$PLIMSOLL" assess --root "$T/box"
like "text: container" "$out" 'vllm +docker zoe-tts +engine'
like "text: what closing gives" "$out" 'frees 586 MiB of ram'
like "text: the subtotal of the desktop" "$out" 'desktop +- +sum +293 MiB'
like "text: what draws" "$out" '^Desktop +gnome-shell'
run "$PLIMSOLL" assess --root "$T/box" --consumers 1
like "--consumers 1: the rest is counted" "$out" '^3 more programs: --all'
run "$PLIMSOLL" assess --root "$T/box" --all
like "--all: every one" "$out" 'systemd +- +system'
run "$PLIMSOLL" assess --root "$T/box" --memory
like "text: the tree" "$out" '^  containers and services +2.67 GiB'
like "text: free, reclaimable, available" "$out" '^free 4.00 GiB .*reclaimable 4.00 GiB .*truly available 8.00 GiB'
rm "$T/box/var/lib/docker/containers/$id/config.v2.json"
is "no name: the short id" "$("$PLIMSOLL" assess --root "$T/box" --json | jq -r '.consumers[0].container')" "${id:0:12}"
process 20 bash /user.slice/user-1000.slice/session-2.scope 300 100 0
is "headless" "$("$PLIMSOLL" assess --root "$T/box" --json | jq -r .desktop)" headless
rm -r "$T/box/proc/1"
is "not all processes seen: unknown, not headless" "$("$PLIMSOLL" assess --root "$T/box" --json | jq -r .desktop)" null

# a real control group named like a container, where that is permitted
group=
for base in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd /sys/fs/cgroup/memory; do
    [ -e "$base/cgroup.procs" ] && mkdir "$base/plimsoll-test.$$" 2>/dev/null || continue
    group=$base/plimsoll-test.$$/docker-$id.scope
    mkdir "$group" 2>/dev/null && break
    rmdir "$base/plimsoll-test.$$"
    group=
done
sleep 60 &
sleeper=$!
if [ -n "$group" ] && (echo "$sleeper" >"$group/cgroup.procs") 2>/dev/null; then
    is "a real group: its process is in the container" \
        "$("$PLIMSOLL" assess --json | jq -r '.consumers[] | select(.name == "sleep" and .runtime == "docker").container')" \
        "${id:0:12}"
else
    skip "a real group" "no control group may be made here"
fi
kill "$sleeper" 2>/dev/null
wait "$sleeper" 2>/dev/null
[ -z "$group" ] || rmdir "$group" "${group%/*}"
done_testing
