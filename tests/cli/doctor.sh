#!/bin/bash
# plimsoll doctor: on this machine, on made ones with one fault each, and its bundle.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"
unset HTTPS_PROXY https_proxy ALL_PROXY all_proxy HTTP_PROXY http_proxy HF_HUB_OFFLINE HF_ENDPOINT

run "$PLIMSOLL" doctor --json
printf '%s\n' "$out" >"$T/now.json"
is "this machine: status says whether models can run" "$status" \
    "$(jq 'if .can_run then 0 else 1 end' "$T/now.json")"
is "this machine: every check once" "$(jq -r '.checks[].check' "$T/now.json" | sort | uniq -d)" ""
is "this machine: a warning says what it costs" \
    "$(jq -r '.checks[] | select((.level == "warning" or .level == "error") and .costs == null).check' "$T/now.json")" ""
run "$PLIMSOLL" doctor
like "text: topics" "$(grep -E '^[a-z]+$' <<<"$out" | tr '\n' ' ')" \
    '^engines devices memory processor storage place $'

# An engine: a program that says its version; and none.
mkdir -p "$T/engine"
printf '#!/bin/sh\necho "version: 4711 (abcdef)" >&2\n' >"$T/engine/llama-server"
chmod +x "$T/engine/llama-server"
level() { jq -r --arg c "$1" '.checks[] | select(.check == $c) | .level' <<<"$out"; }
found() { jq -r --arg c "$1" '.checks[] | select(.check == $c) | .found' <<<"$out"; }
run env PLIMSOLL_ENGINE="$T/engine" "$PLIMSOLL" doctor --json
is "engine: found" "$(level engine)" ok
like "engine: its version and place" "$(found engine)" "4711.*$T/engine/llama-server"
mkdir "$T/empty"
run env PLIMSOLL_ENGINE="$T/empty" "$PLIMSOLL" doctor --json
is "no engine: an error" "$(level engine)" error
is "no engine: exit 1" "$status" 1
run env PLIMSOLL_ENGINE="$T/engine" HTTPS_PROXY=http://joe:secret@proxy "$PLIMSOLL" doctor --json
is "proxy: a note" "$(level place-network)" note
like "proxy: which variable" "$(found place-network)" HTTPS_PROXY
unlike "proxy: not its value" "$out" secret
run env PLIMSOLL_LEDGER=/dev/null/ledger "$PLIMSOLL" doctor --json
is "ledger: cannot be written" "$(level storage-ledger)" warning

# Made machines: a healthy one, then one fault at a time.
made() { # a healthy machine in $T/made
    rm -rf "$T/made"
    mkdir -p "$T/made/proc/sys/vm" "$T/made/proc/pressure" "$T/made/sys/kernel/mm/transparent_hugepage" \
        "$T/made/sys/devices/system/cpu/cpu0/cpufreq" "$T/made/sys/bus/pci/devices/0000:01:00.0"
    printf 'MemTotal: 16777216 kB\nMemFree: 8388608 kB\nMemAvailable: 12582912 kB\nSwapTotal: 8388608 kB\nSwapFree: 8388608 kB\nHugePages_Total: 0\nHugepagesize: 2048 kB\n' >"$T/made/proc/meminfo"
    printf 'some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n' >"$T/made/proc/pressure/memory"
    echo 0 >"$T/made/proc/sys/vm/overcommit_memory"
    echo 'always [madvise] never' >"$T/made/sys/kernel/mm/transparent_hugepage/enabled"
    printf 'processor\t: 0\nmodel name\t: Made\nflags\t\t: lm sse2 avx avx2 fma\n' >"$T/made/proc/cpuinfo"
    echo schedutil >"$T/made/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
    echo 0x030000 >"$T/made/sys/bus/pci/devices/0000:01:00.0/class"
    echo 0x1002 >"$T/made/sys/bus/pci/devices/0000:01:00.0/vendor"
    ln -s ../../../bus/pci/drivers/amdgpu "$T/made/sys/bus/pci/devices/0000:01:00.0/driver"
}
examine() { run "$PLIMSOLL" doctor --json --root "$T/made"; }
made
examine
is "made: exit 0" "$status" 0
is "made: nothing to complain of" \
    "$(jq -r '.checks[] | select(.level == "warning" or .level == "error") | .check' <<<"$out")" ""
is "made: its driver" "$(level device-driver)" ok
is "made: what only a live system knows is not told" "$(level engine)" "cannot tell"

fault() { # NAME CHECK LEVEL COMMAND: after COMMAND the check says LEVEL
    made
    (cd "$T/made" && eval "$4")
    examine
    is "$1" "$(level "$2")" "$3"
}
fault "little memory: an error" memory-available error 'sed -i "s/MemAvailable: .*/MemAvailable: 1024 kB/" proc/meminfo'
is "little memory: exit 1" "$status" 1
fault "overcommit refused" memory-overcommit warning 'echo 2 >proc/sys/vm/overcommit_memory'
fault "huge pages hold memory" memory-huge-pages warning 'sed -i "s/HugePages_Total: 0/HugePages_Total: 512/" proc/meminfo'
like "huge pages hold memory: how much" "$(found memory-huge-pages)" '1\.0+ GiB'
fault "swapped out" memory-swap warning 'sed -i "s/SwapFree: .*/SwapFree: 1024 kB/" proc/meminfo'
fault "no swap" memory-swap note 'sed -i "s/Swap\([TF]\)\([a-z]*\): .*/Swap\1\2: 0 kB/" proc/meminfo'
fault "compressed swap" memory-swap note 'mkdir -p sys/block/zram0; echo 8589934592 >sys/block/zram0/disksize'
fault "no pressure" memory-pressure note 'rm -r proc/pressure'
fault "pressure" memory-pressure warning 'sed -i "s/some avg10=0.00/some avg10=55.00/" proc/pressure/memory'
fault "no huge pages for anybody" memory-transparent-huge note 'echo "always madvise [never]" >sys/kernel/mm/transparent_hugepage/enabled'
fault "no AVX2" cpu-extensions warning 'sed -i "s/avx2//" proc/cpuinfo'
fault "slow governor" cpu-governor warning 'echo powersave >sys/devices/system/cpu/cpu0/cpufreq/scaling_governor'
fault "a governor of the driver's own" cpu-governor ok 'cd sys/devices/system/cpu/cpu0/cpufreq; echo powersave >scaling_governor; echo intel_pstate >scaling_driver'
fault "no driver" device-driver warning 'rm sys/bus/pci/devices/*/driver'
fault "a driver that models cannot use" device-driver warning \
    'cd sys/bus/pci/devices/0000:01:00.0; echo 0x10de >vendor; ln -sfn ../../../bus/pci/drivers/nouveau driver'
like "a driver that models cannot use: which" "$(found device-driver)" nouveau
fault "no graphics processor" device-driver note 'rm -r sys/bus/pci/devices/*'
if [ -d "$PLIMSOLL_SOURCE/tests/replay/hwloc" ]; then
    bad=
    for dump in "$PLIMSOLL_SOURCE"/tests/replay/hwloc/*.tar.bz2; do
        [ -e "$dump" ] || continue
        rm -rf "$T/dump" && mkdir "$T/dump" && tar -xjf "$dump" -C "$T/dump" 2>/dev/null || continue
        run "$PLIMSOLL" doctor --root "$T/dump"/*
        case $status in 0 | 1) ;; *) bad+=" ${dump##*/}:$status:$err" ;; esac
    done
    is "captured machines: none of them is too odd" "$bad" ""
fi

# A machine file knows less.
"$PLIMSOLL" assess --json >"$T/machine.json"
run "$PLIMSOLL" doctor --json --machine "$T/machine.json"
is "machine file: memory is told" "$(level memory-available)" ok
is "machine file: engines are not" "$(level engine)" "cannot tell"

# The bundle: what it says it holds, and no secret; it is examined like this machine.
mkdir -p "$T/home"
run env PLIMSOLL_ENGINE="$T/engine" "$PLIMSOLL_BUILD/tests/unit/make_ledger" "$PLIMSOLL_LEDGER"
run env PLIMSOLL_ENGINE="$T/engine" PLIMSOLL_MODELS=/home/secretuser "$PLIMSOLL" doctor --json \
    --bundle "$T/report.tar" --runs 2
is "bundle: exit 0" "$status" 0
like "bundle: says what is in it" "$err" "it holds what was read"
printf '%s\n' "$out" >"$T/live.json"
members=$(tar -tf "$T/report.tar")
for file in doctor.json assess.json runs.json version live.tsv; do
    like "bundle: $file" "$members" "^plimsoll/$file$"
done
is "bundle: the last two runs" "$(tar -xOf "$T/report.tar" plimsoll/runs.json | jq '.runs | length')" 2
like "bundle: the engine's version" "$(tar -xOf "$T/report.tar" plimsoll/live.tsv)" 'engine\.llama\.cpp.*4711'
not_ok "bundle: no user name" grep -qa secretuser "$T/report.tar"
run "$PLIMSOLL" doctor --json --root "$T/report.tar"
is "bundle: examined like this machine" "$(jq -S 'del(.this_system)' <<<"$out")" \
    "$(jq -S 'del(.this_system)' "$T/live.json" | sed 's,/home/secretuser,/home/user1,')"
run "$PLIMSOLL" doctor --bundle "$T/report.tar"
is "bundle: does not overwrite: exit 2" "$status" 2
run "$PLIMSOLL" doctor --bundle "$T/report.tar" --force
unlike "bundle: --force does" "$err" "there already"
like "bundle: --force: in text" "$(tar -tf "$T/report.tar")" '^plimsoll/doctor.txt$'

run "$PLIMSOLL" doctor --root "$T/nowhere"
is "no such root: exit 2" "$status" 2
run "$PLIMSOLL" doctor --root "$T/made" --machine "$T/machine.json"
is "two machines: exit 2" "$status" 2
run "$PLIMSOLL" doctor --root "$T/made" --bundle "$T/b.tar"
is "bundle of another machine: exit 2" "$status" 2
done_testing
