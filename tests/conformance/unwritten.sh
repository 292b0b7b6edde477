#!/bin/bash
# Architectures of which llama.cpp's own test writes no file: made by `ghost --edit` from another's, with
# the tensors and keys that the engine asks for. Weights and context equal what the server projects, compute
# lies within its interval. A sample of the settings; PLIMSOLL_FULL=1 takes all.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/projected.sh"
. "$(dirname "$0")/buffers.sh"

settings=("-c 65536 -np 4 -kvu -ub 64" "-c 100000 -np 3 -ctk q8_0 -ctv q8_0")
[ "${PLIMSOLL_FULL:-0}" -ge 1 ] && settings+=("-c 32768 -np 2 -fa off" "-c 4096 -np 1 -ub 256"
    "-c 65536 -np 1 -ctk f32 -ctv f32" "-c 16384 -np 1 -ub 2048" "-c 262144 -np 4 -ub 64")

engine llama-server >/dev/null || skip_all "no engines folder (make engines)"
engine test-llama-archs >/dev/null || skip_all "the engines folder has no test-llama-archs"
mkdir "$T/archs"
engine_run test-llama-archs -o "$T/archs" >"$T/archs.log" 2>&1
run "$PLIMSOLL" ghost smollm2-135m:f16 -o "$T/llama.gguf"
is "the model that most are made of" "$status $err" "0 "
wide=576 layers=4 # of that one; it has 9 heads of 64, 3 for keys

# from FILE OLD NEW: $made is FILE under another architecture's name, its numbers as keys of that; lines of
# edits from stdin come after
from() {
    made=$T/$4.gguf
    {
        echo "set general.architecture $3"
        "$PLIMSOLL" inspect -k "$1" | awk -v o="$2." -v n="$3." 'index($1, o) == 1 && $0 !~ / x [a-z]/ {
            k = substr($1, length(o) + 1); $1 = ""; gsub(/^ +/, ""); gsub(/, /, ",")
            if ($0 !~ /^(-?[0-9.e+-]+(,-?[0-9.e+-]+)*|true|false)$/) next
            if (k ~ /freq_base|epsilon|scale|softcap|factor|clamp|log_mul|beta|alibi/ && $0 ~ /^-?[0-9]+$/) $0 = $0 ".0"
            print "set", n k, $0 }'
        cat
    } >"$T/edit"
    run "$PLIMSOLL" ghost "$1" --edit "$T/edit" -o "$made" --force
    [ "$status" -eq 0 ] || is "$4: its file" "$err" ""
    files+=("$made")
}
files=()
of() { # BLOCK SOURCE NAME SHAPE...: a tensor like another of that block, of another shape
    echo "copy blk.$1.$2.weight blk.$1.$3"
    [ $# -lt 4 ] || echo "shape blk.$1.$3 ${*:4}"
}
away() { for i in $(seq "$1" 29); do echo "drop blk.$i."; done; } # blocks from that on

from "$T/archs/deepseek-moe.gguf" deepseek deepseek2-ocr deepseek2-ocr < <(
    for i in 0 1; do for b in q k v; do echo "drop blk.$i.attn_$b.bias"; done; done)

for norm in false true; do
    from "$T/llama.gguf" llama chameleon "chameleon-$norm" < <(
        away $layers
        for i in $(seq 0 $((layers - 1))); do
            of "$i" attn_norm attn_q_norm.weight 64 9
            of "$i" attn_norm attn_k_norm.weight 64 3
        done
        echo "set chameleon.block_count $layers"
        echo "set chameleon.swin_norm $norm"
    )
done

mixing() { # ARCHITECTURE: tensors of a layer without attention are in; attention goes
    for i in $(seq 0 $((layers - 1))); do for t in q k v output; do echo "drop blk.$i.attn_$t."; done; done
    echo "copy token_embd.weight output.weight"
    printf 'set %s %s\n' "$1.block_count" $layers "$1.wkv.head_size" 64 "$1.token_shift_count" 1
}
for heads in 9 3; do
    from "$T/llama.gguf" llama rwkv6qwen2 "rwkv6qwen2-$heads" < <(
        away $layers
        for i in $(seq 0 $((layers - 1))); do
            of "$i" attn_output time_mix_w1.weight $wide 160
            of "$i" attn_output time_mix_w2.weight 32 $wide 5
            of "$i" attn_norm time_mix_lerp_x.weight $wide 1 1
            of "$i" attn_norm time_mix_lerp_fused.weight $wide 1 1 5
            of "$i" attn_norm time_mix_decay.weight
            of "$i" attn_output time_mix_decay_w1.weight $wide 64
            of "$i" attn_output time_mix_decay_w2.weight 64 $wide
            for t in key value; do
                of "$i" attn_output "time_mix_$t.weight" $wide $((64 * heads))
                of "$i" attn_norm "time_mix_$t.bias" $((64 * heads))
            done
            of "$i" attn_norm time_mix_receptance.bias
            for t in receptance gate output; do of "$i" attn_output "time_mix_$t.weight"; done
        done
        mixing rwkv6qwen2
        printf 'set rwkv6qwen2.%s %s\n' attention.head_count_kv "$heads" time_mix_extra_dim 32 time_decay_extra_dim 64
    )
done
for gate in 96 0; do
    from "$T/llama.gguf" llama arwkv7 "arwkv7-$gate" < <(
        away $layers
        for i in $(seq 0 $((layers - 1))); do
            for t in w a v; do
                of "$i" attn_norm "time_mix_${t}0.weight"
                of "$i" attn_output "time_mix_${t}1.weight" $wide 64
                of "$i" attn_output "time_mix_${t}2.weight" 64 $wide
            done
            of "$i" attn_norm time_mix_lerp_fused.weight $wide 1 1 $((gate > 0 ? 6 : 5))
            if [ "$gate" -gt 0 ]; then
                of "$i" attn_output time_mix_g1.weight $wide "$gate"
                of "$i" attn_output time_mix_g2.weight "$gate" $wide
            fi
            for t in k_k k_a r_k; do of "$i" attn_norm "time_mix_$t.weight"; done
            for t in key value receptance output; do of "$i" attn_output "time_mix_$t.weight"; done
        done
        mixing arwkv7
        printf 'set arwkv7.attention.%s_lora_rank %s\n' decay 64 iclr 64 value_residual_mix 64 gate "$gate"
    )
done

coder() { # ARCHITECTURE SIDES GATE: an encoder, and a decoder that attends to it
    for i in $(seq 0 $((layers - 1))); do
        for side in $2; do
            for t in attn_norm attn_q attn_k attn_v ffn_norm ffn_up ffn_down $3; do
                echo "copy blk.$i.$t.weight $side.blk.$i.$t.weight"
            done
            echo "copy blk.$i.attn_output.weight $side.blk.$i.attn_o.weight"
            for t in k v; do echo "shape $side.blk.$i.attn_$t.weight $wide $wide"; done
            [ "$side" = enc ] && continue
            echo "copy blk.$i.attn_norm.weight $side.blk.$i.cross_attn_norm.weight"
            for t in q k v o; do echo "copy blk.$i.attn_output.weight $side.blk.$i.cross_attn_$t.weight"; done
        done
    done
    for side in $2; do
        echo "copy blk.0.attn_norm.weight $side.blk.0.attn_rel_b.weight"
        echo "shape $side.blk.0.attn_rel_b.weight 9 32"
        echo "copy output_norm.weight $side.output_norm.weight"
    done
    echo "drop output_norm.weight"
    away 0
    echo "copy token_embd.weight output.weight"
    printf "set $1.%s %s\n" block_count $layers context_length 512 attention.relative_buckets_count 32 \
        attention.head_count_kv 9 attention.key_length 64 attention.value_length 64 decoder_start_token_id 0
}
from "$T/llama.gguf" llama t5 t5-gated < <(coder t5 "enc dec" ffn_gate)
from "$T/llama.gguf" llama t5 t5-plain < <(coder t5 "enc dec" "")
from "$T/llama.gguf" llama t5encoder t5encoder < <(coder t5encoder enc ffn_gate)

ask() { # FILE...
    local f s
    for f in "$@"; do
        for s in "${settings[@]}"; do
            # shellcheck disable=SC2086 # settings are words
            beside "$(basename "$f" .gguf)" "$f" $s
        done
    done
}
two ask "${files[@]}" >"$T/results"
judge <"$T/results"
judged_all $((10 * ${#settings[@]}))
is "graphs followed that are not exact" "$apart$untold" ""

# The same split over one and two devices
if software_gpu; then
    machine 1
    machine 2
    for f in "${files[@]}"; do
        for s in "1 -ngl 99 -c 8192 -np 1" "2 -ngl 99 -c 8192 -np 1 -ts 1,1"; do
            # shellcheck disable=SC2086 # settings are words
            said=$(theirs "${s%% *}" "$f" ${s#* }) mine=$(ours "${s%% *}" "$f" ${s#* })
            all=$(side_by_side "$mine" "$said")
            bad="the engine gives no answer"
            [ -z "$said" ] || bad=$(grep -E ' (outside|assumed) ' <<<"$all")
            is "$(basename "$f" .gguf), devices $s" "$bad" ""
        done
    done
else
    skip "on devices" "the engines folder has no Vulkan (tools/fetch-engines --vulkan)"
fi
done_testing
