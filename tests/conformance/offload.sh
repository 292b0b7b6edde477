#!/bin/bash
# Weights and caches on each device and on the host, against the engine itself, on Mesa's software
# GPU: every architecture that llama.cpp knows, and ghosts of real geometries. The engine prints whole
# MiB: "equal" is our bytes, cut to MiB, giving its number. PLIMSOLL_FULL=1 takes most
# settings, PLIMSOLL_FULL=2 all.
. "$(dirname "$0")/../lib.sh"

engine llama-fit-params >/dev/null || skip_all "no engines folder (make engines)"
engine test-llama-archs >/dev/null || skip_all "the engines folder has no test-llama-archs"
software_gpu || skip_all "the engines folder has no Vulkan (tools/fetch-engines --vulkan)"

one=(
    "-ngl 99 -c 65536"
    "-ngl 2 -c 32768 -np 2"
)
two=(
    "-ngl 99 -c 65536 -ts 3,1"
)
if [ "${PLIMSOLL_FULL:-0}" -ge 1 ]; then
    one+=(
        "-ngl 3 -c 100000 -np 3 -ctk q8_0 -ctv q8_0"
        "-ngl 2 -c 65536 -nkvo"
        "-ngl 99 -c 32768 -ncmoe 1"
        "-ngl 99 -c 32768 -ot ffn_(up|gate).*=CPU"
        "-ngl 1 -c 32768 -ot blk\\.\\d\\.attn=Vulkan0"
        "-ngl 99 -c 32768 --swa-full"
    )
    two+=(
        "-ngl 2 -c 65536 -ts 1,1"
        "-ngl 99 -c 65536 -sm none -mg 1"
        "-ngl 99 -c 65536 -ts 1,1 -ot exps=Vulkan1"
    )
fi
if [ "${PLIMSOLL_FULL:-0}" = 2 ]; then
    one+=(
        "-ngl 0 -c 65536"
        "-ngl 1 -c 65536"
        "-ngl 99 -c 32768 -nkvo"
        "-ngl 99 -c 32768 --no-host"
        "-ngl 99 -c 32768 -cmoe"
        "-ngl 99 -c 32768 -ncffn 1"
        "-ngl 99 -c 32768 -dev none"
    )
    two+=(
        "-ngl 99 -c 65536 -ts 1,9"
        "-ngl 99 -c 65536 -dev Vulkan1"
        "-ngl 99 -c 65536 -dev Vulkan1,Vulkan0 -ts 3,1"
    )
fi

# a machine with N software GPUs
machine() { # N
    local i pools="" devices=""
    for ((i = 0; i < $1; i++)); do
        pools+=", {\"pool\": \"gpu$i\", \"kind\": \"dedicated\", \"capacity\": 25000000000, \"available\": 24000000000}"
        devices+="${devices:+, }{\"id\": \"gpu$i\", \"pool\": \"gpu$i\", \"name\": \"llvmpipe\"}"
    done
    printf '{"schema": "plimsoll.assess/1", "pools": [{"pool": "ram", "kind": "host", "capacity": 68719476736, "available": 60000000000}%s], "devices": [%s]}\n' \
        "$pools" "$devices" >"$T/machine$1.json"
}
machine 1
machine 2

theirs() { # VISIBLE MODEL SETTINGS...: "NAME weights context" of each
    local visible=$1 model=$2
    shift 2
    GGML_VK_VISIBLE_DEVICES=$visible engine_run llama-fit-params -m "$model" -nr -fa on -fitp on "$@" \
        2>/dev/null | awk 'NF >= 4 && ($1 == "Host" || $1 ~ /^Vulkan[0-9]$/) {print $1, $2, $3}' | sort
}

ours() { # N MODEL SETTINGS...
    local n=$1 model=$2
    shift 2
    "$PLIMSOLL" estimate "$model" -nr -fa on -M "$T/machine$n.json" --json "$@" 2>"$T/.err" |
        jq -r '.pools[] | "\(.pool | sub("gpu"; "Vulkan") | sub("ram"; "Host")) \(.parts.weights.bytes / 1048576 | floor) \((.parts.kv.bytes + .parts.recurrent.bytes) / 1048576 | floor)"' | sort
}

check() { # NAME N MODEL SETTINGS...
    local name=$1 n=$2 visible=0 a b
    shift 2
    [ "$n" = 2 ] && visible=0,0
    case " $* " in *" -np "*) ;; *) set -- "$@" -np 1 ;; esac # fit-params has one slot, a server four
    b=$(theirs "$visible" "$@")
    if [ -z "$b" ]; then # two of its own runs abort (grok and laguna, quantised cache)
        skip "$name" "the engine gives no answer"
        return
    fi
    a=$(ours "$n" "$@")
    [ "$a" = "$b" ] || b=$(theirs "$visible" "$@") # a damaged line is read again
    is "$name" "$a" "$b"
}

mkdir "$T/archs"
engine_run test-llama-archs -o "$T/archs" >"$T/archs.log" 2>&1
count=$(find "$T/archs" -name '*.gguf' | wc -l)
ok "models of every architecture: $count" test "$count" -gt 100
for f in "$T"/archs/*.gguf; do
    name=$(basename "$f" .gguf)
    for s in "${one[@]}"; do
        # shellcheck disable=SC2086 # settings are words
        check "$name $s" 1 "$f" $s
    done
    for s in "${two[@]}"; do
        # shellcheck disable=SC2086
        check "$name two: $s" 2 "$f" $s
    done
done
rm -rf "$T/archs"

# -ngl auto: the engine's own fitting, for several amounts of free memory; our compute buffers are
# bounds, so a layer or so may differ
fitted() { # MODEL ROOM_MIB
    local free theirs ours
    free=$(engine_run llama-server --list-devices 2>/dev/null | sed -n 's/.*, \([0-9]*\) MiB free).*/\1/p')
    theirs=$(engine_run llama-fit-params -m "$1" -nr -c 4096 -np 1 -fitt $((free - $2)) 2>/dev/null |
        sed -n 's/.*-ngl \(-\{0,1\}[0-9]*\).*/\1/p' | tail -n 1)
    sed "s/24000000000/$((free * 1048576))/" "$T/machine1.json" >"$T/free.json"
    run "$PLIMSOLL" estimate "$1" -nr -c 4096 -np 1 -fitt $((free - $2)) -M "$T/free.json" --json
    ours=$(jq .settings.n_gpu_layers <<<"$out")
    [ "$theirs" = -1 ] && theirs=37
    ok "-ngl auto with $2 MiB: $ours layers, the engine's $theirs" \
        test $((ours - theirs)) -ge -2 -a $((ours - theirs)) -le 2
}
run "$PLIMSOLL" ghost qwen3-8b:q4_k_m -o "$T/fit.gguf"
for room in 5000 4000 2500 1000; do fitted "$T/fit.gguf" "$room"; done
rm -f "$T/fit.gguf"

models="qwen2.5-0.5b qwen3-8b"
[ "${PLIMSOLL_FULL:-0}" -ge 1 ] && models+=" llama-3.2-1b mistral-7b-v0.3 llama-3.3-70b"
for m in $models; do
    run "$PLIMSOLL" ghost "$m:q4_k_m" -o "$T/$m.gguf"
    for s in "-ngl 0 -c 4096" "-ngl 10 -c 8192 -np 4" "-ngl 99 -c 32768 -ctk q8_0 -ctv q8_0"; do
        # shellcheck disable=SC2086
        check "$m $s" 1 "$T/$m.gguf" $s
    done
    check "$m two: -ngl 99 -ts 2,3" 2 "$T/$m.gguf" -ngl 99 -ts 2,3 -c 8192
    rm -f "$T/$m.gguf"
done
# A draft model is a second estimate: the engine's buffers of its context, added up.
run "$PLIMSOLL" ghost qwen2.5-0.5b:q4_k_m -o "$T/target.gguf"
run "$PLIMSOLL" ghost qwen2.5-0.5b:q8_0 -o "$T/draft.gguf"
engine_exec llama-server -m "$T/target.gguf" -md "$T/draft.gguf" --spec-type draft-simple -c 1024 -np 2 -nr -ctkd q8_0 -dev none \
    -lv 5 --host 127.0.0.1 --port 0 --no-warmup -fit off >"$T/draft.log" 2>&1 &
pid=$!
for _ in $(seq 6000); do
    [ "$(grep -c 'compute buffer size = ' "$T/draft.log")" -ge 2 ] && break
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
done
kill -9 "$pid"
wait "$pid" 2>/dev/null
theirs=$(sed '1,/loading draft model/d' "$T/draft.log" |
    sed -n 's/.*\(model\|KV\|compute\|output\) buffer size = *\([0-9.]*\) MiB.*/\2/p' | awk '{s += $1} END {printf "%d", s}')
run "$PLIMSOLL" estimate "$T/target.gguf" -md "$T/draft.gguf" --spec-type draft-simple -c 1024 -np 2 -nr -ctkd q8_0 -dev none --json
ours=$(jq '.pools[0].parts.draft.bytes / 1048576 | floor' <<<"$out")
ok "a draft model: $ours MiB, the engine's $theirs" test "$((ours - theirs))" -ge -1 -a "$((ours - theirs))" -le 1

# The whole way: the engine started on the software GPU (slow: few layers, short texts), its buffers
# there beside the prediction, kept in the ledger.
run "$PLIMSOLL" try smollm2-135m -c 512 -np 1 -ub 32 -ngl 3 --repeats 1 --warmup 0 --prompt 8 --predict 2 --json
is "try with layers on a device: exit 0" "$status" 0
diag "$err"
for part in weights kv; do
    ok "... $part there as predicted" jq -e ".run.predicted.pools[1].parts.$part.bytes as \$p |
        .run.measured.devices[0] | .pool == \"gpu0\" and .parts.$part.low - 65536 <= \$p and \$p <= .parts.$part.high + 65536" <<<"$out"
done
run "$PLIMSOLL" runs --json
is "... and remembered" "$(jq -r '.runs[0].measured.devices[0].parts.kv.source' <<<"$out")" measured
done_testing
