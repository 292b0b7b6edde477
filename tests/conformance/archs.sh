#!/bin/bash
# Every architecture that llama.cpp knows, by the small models its own test writes: what is answered is
# right (weights and KV equal, compute within its interval), what is not known is "cannot tell".
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/projected.sh"

answered="llama qwen2 qwen3 mistral3" # src/engine/llamacpp/resolve.c
settings=(
    "-c 65536 -np 1"
    "-c 65536 -np 4 -kvu -ub 64"
    "-c 100000 -np 3 -ctk q8_0 -ctv q8_0"
    "-c 32768 -np 2 -fa off"
)

engine llama-server >/dev/null || skip_all "no engines folder (make engines)"
engine test-llama-archs >/dev/null || skip_all "the engines folder has no test-llama-archs"
mkdir "$T/archs"
engine_run test-llama-archs -o "$T/archs" >"$T/archs.log" 2>&1
count=$(find "$T/archs" -name '*.gguf' | wc -l)
ok "models of every architecture: $count" test "$count" -gt 100

within() { # LOW HIGH THEIRS_MIB
    [ $(($1 / 1048576)) -le "$3" ] && [ $(($2 / 1048576)) -ge "$3" ]
}

right() { # NAME MODEL SETTINGS...
    local name=$1 weights kv low high tw tk tc
    shift
    run "$PLIMSOLL" estimate "$@" -nr --json
    read -r weights kv low high < <(printf '%s' "$out" | jq -r '.pools[0].parts |
        "\(.weights.bytes) \(.kv.bytes) \(.compute.low) \(.compute.high)"' 2>/dev/null)
    read -r tw tk tc < <(projected "$@")
    ok "$name: weights ${tw:-?} MiB" same_mib "${weights:-0}" "${tw:-none}"
    ok "$name: kv ${tk:-?} MiB" same_mib "${kv:-0}" "${tk:-none}"
    ok "$name: compute ${tc:-?} MiB" within "${low:-0}" "${high:-0}" "${tc:--1}"
}

told=""
untold=0
wrong=""
for f in "$T"/archs/*.gguf; do
    name=$(basename "$f" .gguf)
    run "$PLIMSOLL" estimate "$f" -c 65536 -np 1 -nr --json
    case $status in
    0 | 1)
        told="$told ${name%-dense}"
        for s in "${settings[@]}"; do
            # shellcheck disable=SC2086 # settings are words
            right "$name $s" "$f" $s
        done
        ;;
    3) untold=$((untold + 1)) ;;
    *) wrong="$wrong $name($status: $err)" ;;
    esac
done
is "neither an answer nor 'cannot tell'" "$wrong" ""
is "answered" "$(tr ' ' '\n' <<<"$told" | sed '/^$/d' | sort | tr '\n' ' ')" \
    "$(tr ' ' '\n' <<<"$answered" | sort | tr '\n' ' ')"
diag "$untold of $count are not told"
done_testing
