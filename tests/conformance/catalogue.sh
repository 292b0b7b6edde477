#!/bin/bash
# Rows of the catalogue in the real engine: their ghosts load, and the engine counts the weights that
# the estimate has; the mixes give every tensor the type that llama-quantize gives it. One row of
# each architecture by default, a third of the rows with PLIMSOLL_FULL=1, every one with
# PLIMSOLL_FULL=2.
. "$(dirname "$0")/../lib.sh"

for p in llama-fit-params llama-quantize; do
    engine $p >/dev/null || skip_all "the engines folder has no $p (make engines)"
done
isa=x64
grep -qw avx2 /proc/cpuinfo && grep -qw f16c /proc/cpuinfo && isa=haswell
GGML_BACKEND_PATH=$(find "$PLIMSOLL_ENGINES"/usr/lib -name "libggml-cpu-$isa.so" | head -n 1)
[ -n "$GGML_BACKEND_PATH" ] && export GGML_BACKEND_PATH

g=$T/g.gguf
rows() { # all | one of each architecture
    awk -F'\t' -v all="$1" 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; next }
        $c["gguf_arch"] != "-" && $c["kind"] !~ /^(stt|tts|vision)$/ && (all == "all" || !seen[$c["gguf_arch"]]++) {
            print $1 }' "$PLIMSOLL_SOURCE/data/models.tsv"
}
# The engine's and ours, in MiB. gemma3n and gemma4 ask for the tied head before the embedding, and the
# engine then counts the one tensor twice.
embedding() { # MiB of the embedding of a ghost
    "$PLIMSOLL" inspect --tensors --json "$1" | jq '[.tensors[] | select(.name == "token_embd.weight") | .bytes][0] / 1048576 | floor'
}
weights() { # ID
    "$PLIMSOLL" ghost "$1" -o "$g" --force >/dev/null 2>&1 || return 1
    engine_mib=$(engine_run llama-fit-params -m "$g" -c 512 -nr -fitp on 2>"$T/log" | tail -n 1 | awk '{ print $2 }')
    ours=$("$PLIMSOLL" estimate "$g" -c 512 -nr --json 2>/dev/null | jq '.pools[0].parts.weights.bytes / 1048576 | floor')
    case $1 in
    gemma-3n-* | gemma-4-*) twice=$((engine_mib - ours - $(embedding "$g"))) && [ $twice -ge 0 ] && [ $twice -le 1 ] && return 0 ;;
    esac
    [ "$engine_mib" = "$ours" ] || diag "$1: engine $engine_mib, ours $ours; $(grep -iE 'error' "$T/log" | head -n 1)"
    [ "$engine_mib" = "$ours" ]
}
if ! command -v jq >/dev/null; then
    skip "weights" "jq is not installed"
else
    loaded=0 archs=
    for m in $(if [ "${PLIMSOLL_FULL:-0}" = 2 ]; then
        rows all
    elif [ "${PLIMSOLL_FULL:-0}" -ge 1 ]; then
        { rows one; rows all | awk 'NR % 3 == 0'; } | sort -u
    else
        rows one
    fi); do
        "$PLIMSOLL" inspect "$m" >/dev/null 2>"$T/why"
        status=$?
        if [ $status -eq 3 ]; then
            like "$m: says that it cannot tell" "$(cat "$T/why")" "cannot tell"
        else
            if weights "$m"; then
                tap_result 0 "$m: weights"
                loaded=$((loaded + 1))
                arch=$("$PLIMSOLL" inspect "$m" --json | jq -r .model.architecture)
                grep -qw -- "$arch" <<<"$archs" || archs="$archs $arch"
            else
                tap_result 1 "$m: weights"
            fi
        fi
    done
    diag "$loaded models of $(wc -w <<<"$archs") architectures loaded"
    ok "forty models of twenty architectures at least" test "$loaded" -ge 40 -a "$(wc -w <<<"$archs")" -ge 20
fi

types() { # GHOST TYPE: "name type" per tensor
    engine_run llama-quantize --dry-run --allow-requantize "$1" "$T/none.gguf" "$2" 1 2>&1 |
        sed -nE 's/^\[ *[0-9]+\/ *[0-9]+\] +([^ ]+) +- .*type = +([a-z0-9_A-Z]+),.*/\1 \2 &/p' |
        sed -E 's/^([^ ]+) [^ ]+ .*-> .*\(([a-zA-Z0-9_]+)\)$/\1 \2/; s/^([^ ]+ [^ ]+) .*/\1/'
}
models="qwen3-30b-a3b granite-4.0-h-1b lfm2-350m gpt-oss-20b gemma-3-1b deepseek-v2-lite phi-3-mini-4k mixtral-8x7b
    falcon-h1-0.5b qwen3.5-0.8b olmoe-1b-7b all-minilm-l6-v2 rwkv7-world-0.4b kimi-linear-48b-a3b"
mixes="Q8_0 Q6_K Q5_K_M Q4_K_M Q4_K_S Q3_K_M Q2_K IQ4_XS IQ3_M"
most= # mixes for some models; every architecture gets a few (tests/conformance/ghost.sh: dense ones)
if [ "${PLIMSOLL_FULL:-0}" -ge 1 ]; then
    models=$(rows one)
    mixes="Q8_0 Q4_K_M Q2_K IQ4_XS"
    most=$(awk -F'\t' '$2 == "mix" && $1 !~ /^(F32|F16|BF16|IQ3_XXS|NVFP4|Q1_0)$/ && !seen[$1]++ { print $1 }' \
        "$PLIMSOLL_SOURCE/data/quants.tsv")
fi
for m in $models; do
    "$PLIMSOLL" ghost "$m:f16" -o "$T/f16.gguf" --force >/dev/null 2>&1 || continue
    differ=
    these=$mixes
    case $m in qwen3-30b-a3b | gemma-3-270m | deepseek-v2-lite | falcon-h1-0.5b) these=${most:-$mixes} ;; esac
    for mix in $these; do
        types "$T/f16.gguf" "$mix" >"$T/want"
        "$PLIMSOLL" ghost "$m:$mix" -o "$g" --force >/dev/null 2>"$T/why" || differ="$differ $mix ($(cat "$T/why"))"
        types "$g" COPY >"$T/got"
        [ -s "$T/want" ] && cmp -s "$T/want" "$T/got" || {
            differ="$differ $mix"
            diff "$T/want" "$T/got" | head -n 4 | sed 's/^/# /'
        }
    done
    is "$m: types as llama-quantize picks them, $(wc -w <<<"$these") mixes" "$differ" ""
done
done_testing
