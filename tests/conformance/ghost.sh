#!/bin/bash
# Ghosts in the real engine: it loads them, holds the same weights, names the same types, serves
# them. PLIMSOLL_FULL=1 takes every model of the catalogue and every mix.
. "$(dirname "$0")/../lib.sh"

[ -n "${PLIMSOLL_ENGINES:-}" ] || skip_all "no engines: PLIMSOLL_ENGINES names no folder"
for p in llama-fit-params llama-quantize llama-server; do
    engine $p >/dev/null || skip_all "the engines folder has no $p"
done
# a program run through the folder's loader does not find its backends by itself
isa=x64
grep -qw avx2 /proc/cpuinfo && grep -qw f16c /proc/cpuinfo && isa=haswell
GGML_BACKEND_PATH=$(find "$PLIMSOLL_ENGINES"/usr/lib -name "libggml-cpu-$isa.so" | head -n 1)
[ -n "$GGML_BACKEND_PATH" ] && export GGML_BACKEND_PATH

g=$T/g.gguf
models="smollm2-135m qwen2.5-0.5b llama-3.2-1b deepseek-r1-distill-qwen-1.5b mistral-7b-v0.3 qwen3-8b
    mistral-small-24b-2501 llama-3.3-70b"
mixes="Q8_0 Q6_K Q5_K_M Q4_K_M Q4_K_S Q4_0 Q3_K_L Q3_K_M Q2_K IQ4_XS IQ3_M IQ3_XS IQ2_M IQ1_M"
if [ "${PLIMSOLL_FULL:-0}" -ge 1 ]; then
    models=$(awk -F'\t' 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; next } $c["offered"] == 1 { print $1 }' \
        "$PLIMSOLL_SOURCE/data/models.tsv")
    # IQ3_XXS depends on whether an importance matrix is at hand, and here none is
    mixes=$(awk -F'\t' '$2 == "mix" && $1 !~ /^(F32|F16|BF16|IQ3_XXS|NVFP4|Q1_0)$/ && !seen[$1]++ {
        print $1 }' "$PLIMSOLL_SOURCE/data/quants.tsv")
fi

# number KEY: of the JSON in $out
number() { sed -n "s/^ *\"$1\": \([0-9]*\),*\$/\1/p" <<<"$out" | head -n 1; }

# 1. The engine counts the same weights, to the MiB it prints.
fit() { engine_run llama-fit-params -m "$1" -c 4096 -nr -fitp on 2>/dev/null | tail -n 1; }
for m in $models; do
    run "$PLIMSOLL" ghost "$m" -o "$g" --json
    is "$m: weights as llama-fit-params counts them" \
        "$(fit "$g" | awk '{ print $2 }')" $(($(number weight_bytes) / 1048576))
done

# 2. llama-quantize gives every tensor the type that the mix's ghost has. COPY makes it list what
#    the ghost holds.
types() { # GHOST TYPE: "name type" per tensor, after the arrow when there is one
    engine_run llama-quantize --dry-run --allow-requantize "$1" "$T/none.gguf" "$2" 1 2>&1 |
        sed -nE 's/^\[ *[0-9]+\/ *[0-9]+\] +([^ ]+) +- .*type = +([a-z0-9_A-Z]+),.*/\1 \2 &/p' |
        sed -E 's/^([^ ]+) [^ ]+ .*-> .*\(([a-zA-Z0-9_]+)\)$/\1 \2/; s/^([^ ]+ [^ ]+) .*/\1/'
}
for m in smollm2-135m qwen2.5-0.5b llama-3.1-8b qwen3-14b llama-3.3-70b; do
    "$PLIMSOLL" ghost $m:f16 -o "$T/f16.gguf" >/dev/null
    differ=
    for mix in $mixes; do
        types "$T/f16.gguf" "$mix" >"$T/want"
        "$PLIMSOLL" ghost "$m:$mix" -o "$g" >/dev/null 2>"$T/why" || differ="$differ $mix ($(cat "$T/why"))"
        types "$g" COPY >"$T/got"
        [ -s "$T/want" ] && cmp -s "$T/want" "$T/got" || differ="$differ $mix"
        [ -n "$differ" ] && diff "$T/want" "$T/got" | head -n 4 | sed 's/^/# /'
    done
    is "$m: types as llama-quantize picks them, $(wc -w <<<"$mixes") mixes" "$differ" ""
done

# 3. A ghost of a file: the engine sees no difference.
"$PLIMSOLL" ghost qwen2.5-0.5b -o "$g" >/dev/null
"$PLIMSOLL" ghost "$g" -o "$T/f16.gguf" --fill random >/dev/null
is "a ghost of a file: the same to llama-fit-params" "$(fit "$T/f16.gguf")" "$(fit "$g")"
rm -f "$T/f16.gguf"

# 4. Served: tokens come, and their probabilities are numbers.
port=$((20000 + $$ % 20000))
served() { # NAME MODEL GHOST-OPTIONS...
    local name=$1 model=$2 pid i
    shift 2
    "$PLIMSOLL" ghost "$model" -o "$g" --force "$@" >/dev/null
    engine_exec llama-server -m "$g" -c 512 -np 1 -t 1 -tb 1 --no-warmup --check-tensors \
        --host 127.0.0.1 --port $port >"$T/log" 2>&1 &
    pid=$!
    for i in $(seq 6000); do
        curl -fs "http://127.0.0.1:$port/health" >/dev/null && break
        kill -0 $pid 2>/dev/null || break
        sleep 0.1
    done
    run curl -s "http://127.0.0.1:$port/completion" \
        -d '{"prompt": "Grüße, world", "n_predict": 4, "ignore_eos": true, "n_probs": 3, "temperature": 0}'
    like "$name: four tokens" "$out" '"tokens_predicted": *4,'
    is "$name: every probability is a number" \
        "$(grep -oE '"logprob": *-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?[,}]' <<<"$out" | wc -l)" 16
    run curl -s "http://127.0.0.1:$port/v1/chat/completions" \
        -d '{"messages": [{"role": "user", "content": "hi"}], "max_tokens": 2, "ignore_eos": true}'
    like "$name: the chat template works" "$out" '"completion_tokens": *2'
    kill $pid
    wait $pid 2>/dev/null
    [ "$tap_failed" -eq 0 ] || diag "$(tail -n 5 "$T/log")"
}
if command -v curl >/dev/null; then
    served "qwen2.5-0.5b, zeros" qwen2.5-0.5b
    served "qwen2.5-0.5b, random" qwen2.5-0.5b --fill random
    served "llama-3.2-1b, rope factors, zeros" llama-3.2-1b:q2_k
    for q in iq1_m iq2_xxs q3_k_m tq2_0; do
        served "llama-3.2-1b:$q, random" llama-3.2-1b:$q --fill random
    done
else
    skip "served ghosts" "curl is not installed"
fi
done_testing
