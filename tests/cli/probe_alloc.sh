#!/bin/bash
# plimsoll assess --probe-alloc: the host for real, within limits it must not break; a CUDA driver
# that is not one, for what a real one does seldom.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"
mib=$((1024 * 1024))
available=$(awk '$1 == "MemAvailable:" { printf "%.0f", $2 * 1024 }' /proc/meminfo)
[ "$available" -gt $((3 * 1024 * mib)) ] || skip_all "less than 3 GiB of memory is available"

largest() { jq -r '.pools[] | select(.pool == "ram").largest_allocation.bytes' <<<"$out"; }
run "$PLIMSOLL" assess --json
is "not asked: unknown" "$(largest)" null

# The host.
run "$PLIMSOLL" assess --json --probe-alloc ram --probe-cap 256MiB
is "ram: exit 0" "$status" 0
is "ram: the cap was given" "$(largest)" $((256 * mib))
is "ram: measured" "$(jq -r '.pools[0].largest_allocation.source' <<<"$out")" measured
like "ram: the cache before" "$out" 'before the probe of allocations: MemFree .*, Cached .*, MemAvailable'
like "ram: and after" "$out" 'after the probe of allocations: MemFree'
# A sanitizer reserves terabytes of address space, locks none, and ends a crash with a report.
sanitized() { grep -q __asan_init "$PLIMSOLL"; }
run bash -c 'ulimit -v 600000; exec "$1" _probe-alloc host 2147483648' _ "$PLIMSOLL"
given=$(awk '$1 == "ok" { n = $2 } END { printf "%.0f", n }' <<<"$out")
if sanitized; then
    skip "ram: an address space of 586 MiB is found out" "a sanitizer needs more"
else
    ok "ram: an address space of 586 MiB is found out ($given)" test "$given" -gt $((400 * mib)) -a "$given" -lt $((600000 * 1024))
    is "ram: why no more: refused" "$(awk '$1 == "stop" { print $2 }' <<<"$out")" 3
fi

# Locked memory: the limit of a process without the right to go above it.
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    run bash -c 'ulimit -l 5000; exec setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock "$1" _probe-alloc locked 268435456' _ "$PLIMSOLL"
elif [ "$(id -u)" -ne 0 ]; then
    run bash -c 'ulimit -l 5000; exec "$1" _probe-alloc locked 268435456' _ "$PLIMSOLL"
else
    out=
fi
if sanitized; then
    skip "locked: the limit to the page" "a sanitizer makes mlock do nothing"
elif [ -n "$out" ]; then
    is "locked: the limit to the page" "$(awk '$1 == "ok" { n = $2 } END { print n }' <<<"$out")" $((5000 * 1024))
else
    skip "locked: the limit to the page" "setpriv is not installed"
fi

# A control group: a limit below what the probe would take. It must stop before, not be killed.
group=/sys/fs/cgroup/memory/plimsoll-test-$$
if mkdir "$group" 2>/dev/null && echo $((512 * mib)) >"$group/memory.limit_in_bytes" 2>/dev/null; then
    run bash -c 'echo $$ >"$1/cgroup.procs"; exec "$2" _probe-alloc host 2147483648' _ "$group" "$PLIMSOLL"
    is "control group: not killed" "$status" 0
    is "control group: why no more: others' share" "$(awk '$1 == "stop" { print $2 }' <<<"$out")" 2
    given=$(awk '$1 == "ok" { n = $2 } END { printf "%.0f", n }' <<<"$out")
    ok "control group: most of it was given ($given)" test "$given" -ge $((256 * mib)) -a "$given" -lt $((512 * mib))
    is "control group: the kernel killed nobody" "$(awk '$1 == "oom_kill" { print $2 }' "$group/memory.oom_control")" 0
    run bash -c 'echo $$ >"$1/cgroup.procs"; exec "$2" assess --json --probe-alloc all --probe-cap 2GiB' _ "$group" "$PLIMSOLL"
    is "control group: assess: exit 0" "$status" 0
    is "control group: assess: nothing is tried where little is free" "$(largest)" null
    rmdir "$group"
else
    rmdir "$group" 2>/dev/null
    skip "control group" "no control group of version 1 that may be written"
fi

# The driver that is not one.
fake=$PLIMSOLL_BUILD/tests/fake/cuda
export LD_LIBRARY_PATH=$fake
unset "${!PLIMSOLL_FAKE_CUDA@}"
gib=$((1024 * mib))
probe() { # VARIABLE=VALUE...: asks it for at most 16 GiB
    run env "${@/#/PLIMSOLL_FAKE_CUDA_}" "$PLIMSOLL" _probe-alloc cuda:0 $((16 * gib))
    given=$(awk '$1 == "ok" && $2 > n { n = $2 } END { printf "%.0f", n }' <<<"$out")
    stop=$(awk '$1 == "stop" { print $2 }' <<<"$out")
}
probe
is "cuda: all that is free is one block" "$given $stop" "$((6 * gib)) 1"
for largest in $((5 * gib)) $((3 * gib + 12345)) $((100 * mib)); do
    probe LARGEST="$largest"
    ok "cuda: found within 16 MiB: $largest ($given)" test "$given" -le "$largest" -a "$given" -gt $((largest - 17 * mib))
    is "cuda: $largest: refused above" "$stop" 3
done
tries=$(grep -c '^try ' <<<"$out")
ok "cuda: few tries ($tries)" test "$tries" -le 20
probe LARGEST=0
is "cuda: nothing is given" "$given $stop" "0 3"
probe REFUSE=1
is "cuda: no device" "$stop" 5
probe CRASH=$((2 * gib)) LARGEST=$((3 * gib))
least=128
sanitized && least=1
ok "cuda: a crash ends the child" test "$status" -ge $least
run "$PLIMSOLL" _probe-alloc cuda:7 1000000000
is "cuda: a number that is none" "$(awk '$1 == "stop" { print $2 }' <<<"$out")" 5
probe INTEGRATED=1 TOTAL=$((1024 * gib)) FREE=$((1024 * gib))
now=$(awk '$1 == "MemAvailable:" { printf "%.0f", $2 * 1024 }' /proc/meminfo)
ok "cuda: shared memory: 1 GiB is left to others ($given)" test "$given" -le $((now - gib + 512 * mib))

notes() { jq -r '.notes[]' <<<"$out"; }
run env PLIMSOLL_FAKE_CUDA_LARGEST=$((3 * gib)) "$PLIMSOLL" assess --json --probe-alloc cuda
is "assess: exit 0" "$status" 0
like "assess: fragmentation is said" "$(notes)" 'no block above [0-9.]+ GiB though 6.00 GiB are free: fragmentation'
run "$PLIMSOLL" assess --json --probe-alloc cuda
like "assess: capacity is said" "$(notes)" 'a block of 6.00 GiB was given of 6.00 GiB free: what is short is capacity'
run env PLIMSOLL_FAKE_CUDA_CRASH=$((2 * gib)) "$PLIMSOLL" assess --json --probe-alloc cuda
is "assess: a crash in the driver: exit 0" "$status" 0
like "assess: a crash in the driver: said" "$(notes)" 'the probe was killed or hung before'
run "$PLIMSOLL" assess --json --probe-alloc cuda --capture "$T/m.tar"
then=$out
run env LD_LIBRARY_PATH=/nonexistent "$PLIMSOLL" assess --json --root "$T/m.tar"
is "capture: replayed" "$(jq -S '.notes' <<<"$out")" "$(jq -S '.notes' <<<"$then")"
if [ -n "${PLIMSOLL_FULL:-}" ]; then
    run env PLIMSOLL_FAKE_CUDA_HANG=$((2 * gib)) "$PLIMSOLL" assess --json --probe-alloc cuda
    is "assess: a driver that hangs: exit 0" "$status" 0
    like "assess: a driver that hangs: said" "$(notes)" 'the probe was killed or hung before'
else
    skip "assess: a driver that hangs" "takes a minute; PLIMSOLL_FULL=1"
fi
unset LD_LIBRARY_PATH

run "$PLIMSOLL" assess --probe-alloc tape
is "no such pool: exit 2" "$status" 2
run "$PLIMSOLL" assess --probe-cap 1GiB
is "a cap of nothing: exit 2" "$status" 2
run "$PLIMSOLL" assess --json --probe-alloc ram --root "$T/m.tar"
is "a replay tries nothing: exit 0" "$status" 0
done_testing
