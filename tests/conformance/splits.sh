#!/bin/bash
# -sm tensor over two and three software GPUs: what the fullest of them holds of weights and caches is
# what the engine reports (of a device made of several it prints the largest part), for every
# architecture that it shares so. -sm row: it refuses on Vulkan, and so do we. PLIMSOLL_FULL=1 takes
# all; else a sample.
. "$(dirname "$0")/../lib.sh"

engine test-llama-archs >/dev/null || skip_all "no engines folder (make engines)"
software_gpu || skip_all "the engines folder has no Vulkan (tools/fetch-engines --vulkan)"

machine() { # N: a machine with so many software GPUs
    jq -n --argjson n "$1" '{schema: "plimsoll.assess/1",
        pools: ([{pool: "ram", kind: "host", capacity: 68719476736, available: 60000000000}] +
            [range($n) | {pool: "gpu\(.)", kind: "dedicated", capacity: 25000000000, available: 24000000000}]),
        devices: [range($n) | {id: "gpu\(.)", pool: "gpu\(.)", name: "llvmpipe"}]}' >"$T/machine$1.json"
}
machine 1
machine 2
machine 3

# serve N MODEL SETTINGS...: the engine's log, as far as its compute buffers
serve() {
    local n=$1 model=$2 visible=0,0 pid
    shift 2
    [ "$n" = 1 ] && visible=0
    [ "$n" = 3 ] && visible=0,0,0
    : >"$T/log"
    GGML_VK_VISIBLE_DEVICES=$visible GGML_NO_BACKTRACE=1 engine_exec llama-server -m "$model" -nr -fa on \
        -fit off --host 127.0.0.1 --port 0 --no-warmup -lv 5 "$@" >"$T/log" 2>&1 &
    pid=$!
    for _ in $(seq 6000); do
        kill -0 "$pid" 2>/dev/null || break
        [ "$(grep -c 'compute buffer size = ' "$T/log")" -ge 2 ] && break
        sleep 0.05
    done
    kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
}

# MiB with two decimals: ours lies within half a hundredth
check() { # N MODEL SETTINGS...
    local n=$1 name weights kv rs ours
    name="$(basename "$2" .gguf) on $n: ${*:3}"
    serve "$@"
    run "$PLIMSOLL" estimate "$2" -nr -fa on -fit off -M "$T/machine$n.json" --json "${@:3}"
    if grep -q 'SPLIT_MODE_TENSOR not implemented' "$T/log"; then
        is "$name: refused by both" "$status" 2
        return
    fi
    weights=$(sed -n 's/.*Meta() model buffer size = *\([0-9.]*\) MiB.*/\1/p' "$T/log" | head -n 1)
    kv=$(sed -n 's/.*Meta() KV buffer size = *\([0-9.]*\) MiB.*/\1/p' "$T/log" | awk '{s += $1} END {print s + 0}')
    rs=$(sed -n 's/.*Meta() RS buffer size = *\([0-9.]*\) MiB.*/\1/p' "$T/log" | awk '{s += $1} END {print s + 0}')
    if [ -z "$weights" ]; then
        skip "$name" "the engine gives no answer: $(grep -m1 -oE ' E .*|GGML_ASSERT.*' "$T/log" | cut -c1-90)"
        return
    fi
    if [ "$status" = 3 ]; then
        skip "$name" "not predicted: $err"
        return
    fi
    ours=$(jq -r '[.pools[1:][].parts] | "\(map(.weights.bytes) | max / 1048576) \(map(.kv.bytes) | max / 1048576) \(map(.recurrent.bytes) | max / 1048576)"' <<<"$out")
    ok "$name: weights, caches and states $ours MiB, the engine's $weights $kv $rs" \
        awk -v o="$ours" -v w="$weights" -v k="$kv" -v r="$rs" 'function off(x, y) { return x - y >= 0.012 || y - x >= 0.012 }
            BEGIN { split(o, a, " "); exit off(a[1], w) || off(a[2], k) || off(a[3], r) }'
    name="... compute inside"
    ok "$name" jq -e --argjson c "$(sed -n 's/.*Meta() compute buffer size = *\([0-9.]*\) MiB.*/\1/p' "$T/log" | head -n 1)" \
        '.pools[1].parts.compute | .low / 1048576 <= $c and $c <= .high / 1048576 + 0.01' <<<"$out"
}

mkdir "$T/archs"
engine_run test-llama-archs -o "$T/archs" >"$T/archs.log" 2>&1
sample="llama-dense qwen3-dense gemma3-dense gpt-oss-moe glm4moe-moe gptneox-dense mpt-dense
    qwen35-dense qwen35moe-moe qwen3next-moe" # the last three share states of delta nets too
every=0 # of the other files; PLIMSOLL_FULL=2 takes each
[ "${PLIMSOLL_FULL:-0}" -ge 1 ] && every=6
[ "${PLIMSOLL_FULL:-0}" = 2 ] && every=1
[ "$every" = 0 ] || sample+=" $(cd "$T/archs" && for f in *.gguf; do echo "${f%.gguf}"; done | awk -v n="$every" 'NR % n == 0')"
for m in $sample; do check 2 "$T/archs/$m.gguf" -sm tensor -np 1 -ngl 99 -c 65536; done
for m in qwen35-dense qwen3next-moe; do
    check 3 "$T/archs/$m.gguf" -sm tensor -np 3 -ngl 99 -c 32768
    check 2 "$T/archs/$m.gguf" -sm tensor -np 2 -ngl 99 -c 32768 -ts 3,1
done
for s in "-ts 3,1" "-ngl 2" "-ctk q8_0 -ctv q8_0"; do
    # shellcheck disable=SC2086 # settings are words
    check 2 "$T/archs/llama-dense.gguf" -sm tensor -np 2 -ngl 99 -c 32768 $s
done
run "$PLIMSOLL" ghost smollm2-135m:q4_k_m -o "$T/m.gguf"
check 3 "$T/m.gguf" -sm tensor -np 1 -ngl 99 -c 8192
check 3 "$T/m.gguf" -sm tensor -np 1 -ngl 99 -c 8192 -ts 3,1,1

serve 2 "$T/m.gguf" -sm row -ngl 99 -c 512
like "-sm row: the engine refuses it on Vulkan" "$(cat "$T/log")" 'does not support split buffers'
run "$PLIMSOLL" estimate "$T/m.gguf" -sm row -ngl 99 -c 512 -M "$T/machine2.json"
is "... and we" "$status" 2
like "... naming the device" "$err" 'Vulkan0'
run "$PLIMSOLL" estimate "$T/m.gguf" -sm row -ngl 99 -c 512 --device rtx3090,rtx3090 --json
ok "on two CUDA devices the rows are shared: half each, give or take a step" \
    jq -e '[.pools[1:][].parts.weights] | (.[0].bytes - .[1].bytes | fabs) < (.[0].high - .[0].low) and
        .[0].low < .[0].bytes' <<<"$out"

# --moe-cache-mib: a cache of the experts that stay on the host, within what we say
for s in "-cmoe --moe-cache-mib 4" "-cmoe --moe-cache-mib 400" "-ncmoe 1 --moe-cache-mib 400"; do
    # shellcheck disable=SC2086 # settings are words
    serve 1 "$T/archs/qwen3moe-moe.gguf" -np 1 -ngl 99 -c 8192 $s
    cache=$(sed -n 's/.*MoE cache size = *\([0-9.]*\) MiB.*/\1/p' "$T/log" | head -n 1)
    compute=$(sed -n 's/.*Vulkan0 compute buffer size = *\([0-9.]*\) MiB.*/\1/p' "$T/log" | head -n 1)
    # shellcheck disable=SC2086
    run "$PLIMSOLL" estimate "$T/archs/qwen3moe-moe.gguf" -nr -fa on -np 1 -ngl 99 -c 8192 -fit off $s \
        -M "$T/machine1.json" --json
    ok "$s: $cache and $compute MiB are inside" jq -e --argjson e "${cache:-0}" --argjson c "${compute:-0}" \
        '.pools[1].parts | $e > 0 and $e * 1048576 <= .extra.high + 10486 and
         .compute.low <= $c * 1048576 and $c * 1048576 <= .compute.high' <<<"$out"
done
run "$PLIMSOLL" estimate "$T/m.gguf" --moe-cache-mib 4 -M "$T/machine1.json"
is "... and refused without experts, as the engine does" "$status" 2
done_testing
