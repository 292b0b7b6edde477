#!/bin/bash
# NVIDIA's library in every mood: the real assess against a stand-in that hangs, crashes, lies, lacks
# functions or refuses. Whatever it does, assess ends well, and what was not said is not a number.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"

fake=$PLIMSOLL_BUILD/tests/fake
export LD_LIBRARY_PATH=$fake${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export PLIMSOLL_NVML_LIBRARY=libnvidia-ml.so.1 FAKE_NVML_ANSWERS=$T/answers

cat >"$T/answers" <<'END'
- nvmlInit_v2 0
- nvmlSystemGetDriverVersion 0 595.58.03
- nvmlSystemGetCudaDriverVersion_v2 0 13020
- nvmlDeviceGetCount_v2 0 2
0 nvmlDeviceGetHandleByIndex_v2 0
0 nvmlDeviceGetName 0 NVIDIA Test 10 GB
0 nvmlDeviceGetUUID 0 GPU-1
0 nvmlDeviceGetPciInfo_v3 0 0 193 0 571871454
0 nvmlDeviceGetMemoryInfo_v2 0 10737418240 416284672 692060160 9630121984
0 nvmlDeviceGetMemoryInfo 0 10737418240 692060160 10045358080
0 nvmlDeviceGetCudaComputeCapability 0 8 6
0 nvmlDeviceGetMemoryBusWidth 0 320
0 nvmlDeviceGetMaxClockInfo(2) 0 9501
0 nvmlDeviceGetPowerUsage 0 139620
0 nvmlDeviceGetTemperature(0) 0 61
0 nvmlDeviceGetTemperatureThreshold(1) 0 95
0 nvmlDeviceGetTemperatureThreshold(3) 0 93
0 nvmlDeviceGetUtilizationRates 0 65 9
0 nvmlDeviceGetCurrentClocksEventReasons 0 36
0 nvmlDeviceGetCurrentClocksThrottleReasons 0 36
0 nvmlDeviceGetComputeRunningProcesses_v3 0
0 nvmlDeviceGetComputeRunningProcesses_v2 0
0 nvmlDeviceGetComputeRunningProcesses 0
0 nvmlDeviceGetGraphicsRunningProcesses_v3 0
0 nvmlDeviceGetGraphicsRunningProcesses 0
0 process compute 4242 8589934592 4294967295 4294967295 /usr/bin/llama-server
0 process compute 4243 536870912 4294967295 4294967295 python3
0 process graphics 4242 8388608000 4294967295 4294967295 /usr/bin/llama-server
1 nvmlDeviceGetHandleByIndex_v2 0
1 nvmlDeviceGetName 0 NVIDIA Test 4 GB
1 nvmlDeviceGetUUID 0 GPU-2
1 nvmlDeviceGetPciInfo_v3 0 0 3 0 477106398
1 nvmlDeviceGetMemoryInfo_v2 0 4294967296 67108864 4227858432 0
1 nvmlDeviceGetMemoryInfo 0 4294967296 4227858432 67108864
1 nvmlDeviceGetComputeRunningProcesses_v3 4
END

# assess [FAULT] [LIBRARY]: into $T/json
assess() {
    local start end
    start=$(date +%s)
    FAKE_NVML_FAULT=${1:-} PLIMSOLL_NVML_LIBRARY=${2:-$PLIMSOLL_NVML_LIBRARY} run "$PLIMSOLL" assess --json
    end=$(date +%s)
    seconds=$((end - start))
    printf '%s\n' "$out" >"$T/json"
}
device() { # ID JQ: of that device
    jq -rc --arg id "$1" ".devices[] | select(.id == \$id) | $2" "$T/json"
}
sound() { # NAME: exit 0, and nothing unknown has a number
    is "$1: exit 0" "$status" 0
    is "$1: silent" "$err" ""
    is "$1: unknown is null" "$(jq '[.. | objects | select(has("source") and .source == "unknown" and
        .bytes != null)] | length' "$T/json")" 0
}

assess
sound "all is well"
is "in the order of the bus" "$(jq -rc '[.devices[].name]' "$T/json")" '["NVIDIA Test 4 GB","NVIDIA Test 10 GB"]'
is "six numbers apart" "$(device gpu1 '[.total, .reserved, .used, .available | .bytes]')" \
    '[10737418240,416284672,9630121984,692060160]'
is "bandwidth from clock and bus" "$(device gpu1 .bandwidth_bytes_per_second.bytes)" 760080000000
is "why it is slow" "$(device gpu1 .throttle)" "software power cap, software thermal slowdown"
is "margin to the first threshold" "$(device gpu1 .sensors.margin_celsius.value)" 32
is "capability" "$(device gpu1 '[.compute_capability, .bf16]')" '["8.6",true]'
is "runtime" "$(device gpu1 .runtime)" "CUDA 13.2"
like "a list that is refused is told" "$(jq -r '.notes[]' "$T/json")" '^gpu0: who holds .* no permission'
like "the numbering is told" "$(jq -r '.notes[]' "$T/json")" CUDA_DEVICE_ORDER
"$PLIMSOLL" assess --json >"$T/machine.json"
run "$PLIMSOLL" --machine "$T/machine.json" --json
is "the machine file is read" "$status" 0
run "$PLIMSOLL" assess --capture "$T/machine.tar" --no-redact --json
jq -S .devices <<<"$out" >"$T/then"
PLIMSOLL_NVML_LIBRARY='' run "$PLIMSOLL" assess --root "$T/machine.tar" --json
is "a capture holds the answers" "$(jq -S .devices <<<"$out")" "$(cat "$T/then")"
CUDA_VISIBLE_DEVICES=1 run "$PLIMSOLL" assess
like "devices hidden from CUDA are told" "$out" 'CUDA_VISIBLE_DEVICES=1'
run "$PLIMSOLL" assess
for word in 'NVIDIA Test 10 GB' 'not asked' '397 MiB' 'software power cap' 'CUDA 13.2'; do
    like "text: $word" "$out" "$word"
done

for symbol in nvmlInit_v2 nvmlDeviceGetCount_v2 nvmlDeviceGetHandleByIndex_v2 nvmlDeviceGetMemoryInfo_v2 \
    nvmlDeviceGetComputeRunningProcesses_v3 nvmlSystemGetProcessName; do
    export PLIMSOLL_NVML_TIMEOUT_MS=400
    assess "hang:$symbol"
    sound "hangs in $symbol"
    [ "$seconds" -le 10 ] && hung=no || hung=yes
    is "hangs in $symbol: assess does not" "$hung" no
    like "hangs in $symbol: told" "$(jq -r '.notes[]' "$T/json")" 'did not answer within'
    unset PLIMSOLL_NVML_TIMEOUT_MS
    for fault in crash exit; do
        assess "$fault:$symbol"
        sound "$fault in $symbol"
        like "$fault in $symbol: told" "$(jq -r '.notes[]' "$T/json")" 'its process ended with'
    done
done
is "what was said before the crash counts" "$(device gpu0 .name)" "NVIDIA Test 10 GB"
left=0
for p in $(grep -lzs "FAKE_NVML_ANSWERS=$T/" /proc/[0-9]*/environ); do
    grep -qzsx _sample "${p%environ}cmdline" && left=$((left + 1))
done
is "nothing is left running" "$left" 0

assess 'noise:nvmlDeviceGetName'
sound "prints on its own"
is "what it prints is no answer" "$(device gpu1 .name)" "NVIDIA Test 10 GB"

# every code of every kind of call: a state or nothing, never a number
for code in 1 2 3 4 6 7 9 12 13 15 16 17 18 19 20 21 25 26 27 28 29 999 77; do
    assess "$code:nvmlDeviceGetMemoryInfo_v2"
    sound "code $code for the memory"
    case $code in
    15 | 16) want='"10737418240",lost' ;;
    *) want='"10737418240",awake' ;;
    esac
    is "code $code: the older call answers" "$(device gpu1 '"\(.total.bytes)"' | sed 's/.*/"&"/'),$(device gpu1 .power)" "$want"
    is "code $code: its own memory is not told apart" "$(device gpu1 .reserved.bytes)" null
    assess "$code:*"
    sound "code $code for everything"
    is "code $code: no device is made up" "$(jq '[.devices[] | select(.vendor == "nvidia" and .name != null)] | length' "$T/json")" 0
done
for pair in '4 no permission' '17 no permission' '3 unsupported' '26 unsupported'; do
    assess "${pair%% *}:nvmlDeviceGetPowerUsage"
    is "power, code ${pair%% *}" "$(device gpu1 '.sensors.power_watts | "\(.value) \(.state)"')" "null ${pair#* }"
done
assess '15:nvmlDeviceGetTemperature'
is "a lost device" "$(device gpu1 .power)" lost
assess '9:nvmlInit_v2'
like "no driver: told" "$(jq -r '.notes[]' "$T/json")" 'the driver is not loaded'
assess '18:nvmlInit_v2'
like "after an update: told" "$(jq -r '.notes[]' "$T/json")" 'different versions'

assess grow
sound "a list that never fits"
is "a list that never fits: the rest is there" "$(device gpu1 .total.bytes)" 10737418240

# older and odder drivers
assess '' "$fake/libfake-nvml-old.so"
sound "an old driver"
is "old: total, used, available" "$(device gpu1 '[.total, .used, .available | .bytes]')" \
    '[10737418240,10045358080,692060160]'
is "old: reserved" "$(device gpu1 '.reserved | "\(.bytes) \(.state)"')" "null unsupported"
is "old: reasons under their older name" "$(device gpu1 .throttle)" "software power cap, software thermal slowdown"
for make in old wide; do
    FAKE_NVML_FAULT='' PLIMSOLL_NVML_LIBRARY=$fake/libfake-nvml-$make.so run "$PLIMSOLL" _sample nvml
    is "$make: processes" "$(grep ' process ' <<<"$out")" "$(grep ' process ' "$T/answers")"
done
run "$PLIMSOLL" _sample nvml
is "the child answers what the library says" "$(grep -vE '^(plimsoll-nvml|library|end)|MemoryInfo |Throttle| 3$' <<<"$out" |
    sed 's/\(RunningProcesses[_v23]*\) 0 .*/\1 0/' | sort)" \
    "$(grep -vE 'MemoryInfo |Throttle|RunningProcesses(_v2)? ' "$T/answers" | sort)"

# sentinels and impossible numbers
cp "$T/answers" "$T/kept"
lie() { # NAME SED WANT JQ
    sed "$2" "$T/kept" >"$T/answers"
    assess
    sound "$1"
    is "$1" "$(device gpu1 "$4")" "$3"
}
lie "a process whose memory is not told" \
    's/compute 4243 536870912/compute 4243 18446744073709551615/' 10737418240 .total.bytes
lie "more free than there is" 's/10737418240 416284672 692060160/1073741824 416284672 6920601600/' \
    "null,null,null" '"\(.total.bytes),\(.used.bytes),\(.available.bytes)"'
lie "18446744073709549568 bytes" 's/10737418240 416284672/18446744073709549568 416284672/' null .total.bytes
lie "clock of 4294967295 MHz" 's/Max\(.*\) 9501/Max\1 4294967295/' null .sensors.memory_clock_max_mhz.value
lie "hotter than iron melts" 's/Temperature(0) 0 61/Temperature(0) 0 4294967280/' null .sensors.temperature_celsius.value
lie "control characters in a name" 's/NVIDIA Test 10/NV\x1b[31mIDIA Test 10/' 'NV?[31mIDIA Test 10 GB' .name
cp "$T/kept" "$T/answers"

# unified memory: the driver tells no total
sed -e '/^1 /d' -e 's/Count_v2 0 2/Count_v2 0 1/' -e 's/Test 10 GB/GB10/' \
    -e 's/^\(0 nvmlDeviceGetMemoryInfo[_v2]*\) .*/\1 3/' "$T/kept" >"$T/answers"
assess
sound "a GB10"
is "GB10: integrated" "$(device gpu0 .kind)" integrated
is "GB10: its pool is a part of unified" "$(jq -rc '[.pools[] | select(.pool == "gpu0" or .pool == "ram") | .parent]' "$T/json")" \
    '["unified","unified"]'
is "GB10: available is that of the machine" "$(device gpu0 .available.bytes)" \
    "$(jq '.pools[] | select(.pool == "ram") | .available.bytes' "$T/json")"
is "GB10: used is what its processes hold, each once" "$(device gpu0 .used.bytes)" $((8589934592 + 536870912))
sed -e 's/nvmlDeviceGetMemoryInfo_v2 3/nvmlDeviceGetMemoryInfo_v2 0 0 0 0 0/' "$T/answers" >"$T/zero"
cp "$T/zero" "$T/answers"
assess
is "a total of 0 is shared memory too" "$(device gpu0 .kind)" integrated
cp "$T/kept" "$T/answers"

# MIG whose whole is not for everybody
{
    sed -e '/^1 /d' -e 's/Count_v2 0 2/Count_v2 0 1/' -e '/^0 process/d' -e 's/\(^0 .*MemoryInfo[_v2]*\) .*/\1 4/' "$T/kept"
    cat <<'END'
0 nvmlDeviceGetMigMode 0 1 1
0 nvmlDeviceGetMaxMigDeviceCount 0 7
0.0 nvmlDeviceGetMigDeviceHandleByIndex 0
0.0 nvmlDeviceGetGpuInstanceId 0 3
0.0 nvmlDeviceGetMemoryInfo_v2 0 5368709120 0 5000000000 368709120
0.2 nvmlDeviceGetMigDeviceHandleByIndex 0
0.2 nvmlDeviceGetGpuInstanceId 0 9
0.2 nvmlDeviceGetMemoryInfo_v2 0 2684354560 0 2684354560 0
END
} >"$T/answers"
assess
sound "MIG"
is "MIG: the whole has no pool for programs" "$(device gpu0 .pool)" null
is "MIG: no permission for the whole" "$(device gpu0 .total.state)" "no permission"
is "MIG: the parts" "$(jq -rc '[.pools[] | select(.parent == "gpu0") | [.pool, .available.bytes]]' "$T/json")" \
    '[["gpu0.0",5000000000],["gpu0.2",2684354560]]'
is "MIG: the whole is what its parts have" "$(jq '.pools[] | select(.pool == "gpu0") | .available.bytes' "$T/json")" 7684354560
cp "$T/kept" "$T/answers"

# no library at all
assess '' "$T/none.so"
sound "no library"
like "no library: told" "$(jq -r '.notes[]' "$T/json")" 'without NVML'
is "no library: no device" "$(jq '[.devices[] | select(.vendor == "nvidia")] | length' "$T/json")" 0
done_testing
