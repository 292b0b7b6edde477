#!/bin/bash
# Weights, KV and compute of dense models against llama-fit-params of the engines folder, on ghosts of
# the true geometry from 0.5B to 70B, at settings that move every term. The engine prints whole MiB,
# so "equal" is: our bytes, rounded the way it rounds, give its number.
. "$(dirname "$0")/../lib.sh"
compute_bytes=$PLIMSOLL_BUILD/tests/conformance/compute_bytes

models="qwen2.5-0.5b qwen3-8b llama-3.3-70b"
settings=(
    "-c 4096 -np 1"
    "-c 32768 -np 4 -kvu -ub 64"
    "-c 131072 -np 8 -ctk q8_0 -ctv q8_0"
    "-c 8192 -np 4 -ctk q4_0 -ctv q4_0 -ub 2048"
)
if [ "${PLIMSOLL_FULL:-0}" = 1 ]; then
    models="qwen2.5-0.5b qwen3-0.6b llama-3.2-1b qwen2.5-1.5b llama-3.2-3b qwen3-4b mistral-7b-v0.3
        llama-3.1-8b qwen3-8b qwen3-14b qwen2.5-32b llama-3.3-70b"
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

# The engine rounds each column down from a sum of buffers: common/fit.cpp prints bytes / MiB.
# The settings of one row as the engine sees them: "weights kv compute" in MiB. llama-fit-params knows
# no unified cache; there the server's own projection at its start is read, and the server is ended
# before it loads anything.
theirs_of() { # MODEL SETTINGS...
    local model=$1
    shift
    case " $* " in
    *" -kvu "*)
        engine_run llama-server -m "$model" -nr --host 127.0.0.1 --port 0 -lv 5 "$@" 2>&1 |
            sed -n '/- Host /{s/.*= *\([0-9]*\) + *\([0-9]*\) + *\([0-9]*\) .*/\1 \2 \3/p;q}'
        ;;
    *)
        engine_run llama-fit-params -m "$model" -nr -fitp on "$@" 2>/dev/null |
            awk '$1 == "Host" {print $2, $3, $4}'
        ;;
    esac
}

same_mib() { # OURS_BYTES THEIRS_MIB
    [ "$(($1 / 1048576))" = "$2" ]
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
        theirs=$(theirs_of "$T/$m.gguf" $s $fa)
        # shellcheck disable=SC2086
        run "$PLIMSOLL" estimate "$T/$m.gguf" -nr $s $fa --json
        # shellcheck disable=SC2086
        compute=$("$compute_bytes" "$T/$m.gguf" -nr $s $fa 2>/dev/null)
        read -r weights kv < <(printf '%s' "$out" |
            jq -r '.pools[0].parts | "\(.weights.bytes) \(.kv.bytes)"' 2>/dev/null)
        read -r tw tk tc <<<"$theirs"
        ok "$m $s: weights ${tw:-?} MiB" same_mib "${weights:-0}" "${tw:-none}"
        ok "$m $s: kv ${tk:-?} MiB" same_mib "${kv:-0}" "${tk:-none}"
        ok "$m $s: compute ${tc:-?} MiB" same_mib "${compute:-0}" "${tc:-none}"
    done
    rm -f "$T/$m.gguf"
done
done_testing
