#!/bin/bash
# Weights, KV and compute of dense models against the engine, on ghosts of the true geometry from 0.5B
# to 70B, at settings that move every term. Weights and KV: llama-fit-params -nr. Compute: the
# projection llama-server prints at its start (fit-params keeps logits of every token, the server of
# one per slot), which is also asked where fit-params lacks a flag (-kvu). The engine prints whole
# MiB: "equal" is our bytes, cut to MiB, giving its number.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/projected.sh"

models="qwen2.5-0.5b qwen3-8b llama-3.3-70b"
settings=(
    "-c 4096 -np 1"
    "-c 32768 -np 4 -kvu -ub 64"
    "-c 131072 -np 8 -ctk q8_0 -ctv q8_0"
    "-c 8192 -np 4 -ctk q4_0 -ctv q4_0 -ub 2048"
)
if [ "${PLIMSOLL_FULL:-0}" -ge 1 ]; then
    models="smollm2-135m qwen2.5-0.5b qwen3-0.6b llama-3.2-1b qwen2.5-1.5b llama-3.2-3b qwen3-4b
        mistral-7b-v0.3 llama-3.1-8b qwen3-8b qwen3-14b mistral-small-24b-2501 qwen2.5-32b
        llama-3.3-70b"
    settings+=(
        "-c 256 -np 1 -ub 64"
        "-c 512 -np 4"
        "-c 16384 -np 8 -kvu -ctk q8_0"
        "-c 65536 -np 1 -ctk q4_0 -ctv q4_0 -ub 64"
        "-c 131072 -np 4 -kvu -ub 2048"
        "-c 4096 -np 8 -ub 2048"
        "-c 32768 -np 1 -ctk f32 -ctv f32"
        "-c 8192 -np 1 -fa off"
    )
fi

check() { # NAME MODEL SETTINGS...
    local name=$1 weights kv compute tw tk tc fw="" fk=""
    shift
    run "$PLIMSOLL" estimate "$@" -nr --json
    read -r weights kv compute < <(printf '%s' "$out" | jq -r '.pools[0].parts |
        "\(.weights.bytes) \(.kv.bytes) \(.compute.bytes)"' 2>/dev/null)
    read -r tw tk tc < <(projected_beside "${compute:-0}" "$@")
    case " $* " in
    *" -kvu "*) ;;
    *) read -r fw fk < <(fitted "$@") && tw=$fw && tk=$fk ;;
    esac
    ok "$name: weights ${tw:-?} MiB" same_mib "${weights:-0}" "${tw:-none}"
    ok "$name: kv ${tk:-?} MiB" same_mib "${kv:-0}" "${tk:-none}"
    ok "$name: compute ${tc:-?} MiB" same_mib "${compute:-0}" "${tc:-none}"
}

if ! engine llama-fit-params >/dev/null; then
    for m in $models; do skip "$m" "no engines folder (make engines)"; done
    done_testing
    exit
fi

for m in $models; do
    run "$PLIMSOLL" ghost "$m:q4_k_m" -o "$T/$m.gguf"
    if [ "$status" -ne 0 ]; then
        is "$m: ghost" "$err" ""
        continue
    fi
    for s in "${settings[@]}"; do
        fa="-fa on"
        case $s in *"-fa"*) fa="" ;; esac
        # shellcheck disable=SC2086 # settings are words
        check "$m $s" "$T/$m.gguf" $s $fa
    done
    rm -f "$T/$m.gguf"
done
done_testing
