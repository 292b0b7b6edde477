#!/bin/bash
# --override-kv, beside llama-fit-params under the same flag: weights, context and what both count as
# compute; keys of another type and arrays are ignored, as the engine ignores them.
. "$(dirname "$0")/../lib.sh"

engine llama-fit-params >/dev/null || skip_all "no engines folder (make engines)"
engine test-llama-archs >/dev/null || skip_all "the engines folder has no test-llama-archs"
mkdir "$T/archs"
engine_run test-llama-archs -o "$T/archs" >"$T/archs.log" 2>&1

theirs() {
    engine_run llama-fit-params -m "$1" -nr -fa on -fitp on -np 1 "${@:2}" 2>/dev/null </dev/null |
        awk 'NF >= 4 && $1 == "Host" {print $2, $3}'
}
ours() {
    "$PLIMSOLL" estimate "$1" -nr -fa on -np 1 --json "${@:2}" 2>"$T/why" |
        jq -r '.pools[0].parts | "\(.weights.bytes / 1048576 | floor) \((.kv.bytes + .recurrent.bytes) / 1048576 | floor)"'
}
check() { # MODEL OVERRIDE [SETTINGS...]
    local f=$T/archs/$1.gguf t
    t=$(theirs "$f" --override-kv "$2" "${@:3}")
    is "$1 $2 ${*:3}" "$(ours "$f" --override-kv "$2" "${@:3}")" "${t:-no answer}"
}
check llama-dense llama.context_length=int:131072
check llama-dense llama.context_length=int:131072,llama.context_length=int:4096 # the first counts
check llama-dense llama.context_length=float:131072                           # another type: ignored
check llama-dense llama.context_length=str:131072
check llama-dense llama.rope.freq_base=float:1000000 -c 32768
check llama-dense tokenizer.ggml.add_bos_token=bool:false -c 32768
check llama-dense no.such.key=int:7 -c 32768
check qwen3moe-moe qwen3moe.expert_used_count=int:1 -c 65536
check qwen3moe-moe qwen3moe.context_length=int:65536,qwen3moe.expert_used_count=int:1
check gemma3-dense gemma3.attention.sliding_window=int:4096 -c 65536
check gemma3-dense gemma3.attention.sliding_window=int:1024 -c 65536 --swa-full
check mamba-dense mamba.context_length=int:65536
check qwen35-dense qwen35.context_length=int:262144

# what shapes contradict, the engine refuses, and so do we
for o in llama.block_count=int:1 llama.attention.head_count_kv=int:1; do
    run "$PLIMSOLL" estimate "$T/archs/llama-dense.gguf" --override-kv "$o"
    is "$o: refused" "$status $(theirs "$T/archs/llama-dense.gguf" --override-kv "$o")" "2 "
done
# ... or cannot tell, where it is no plain decoder; never a number where the engine gives none
while read -r name keys; do
    for o in $keys; do
        run "$PLIMSOLL" estimate "$T/archs/$name.gguf" --override-kv "$o"
        is "$name $o: no number" "$status" 3
        is "... nor the engine's" "$(theirs "$T/archs/$name.gguf" --override-kv "$o")" ""
    done
done <<'TEXT'
deepseek2-moe deepseek2.attention.kv_lora_rank=int:64 deepseek2.block_count=int:1 deepseek2.expert_shared_count=int:3
qwen3moe-moe qwen3moe.attention.key_length=int:32 qwen3moe.expert_feed_forward_length=int:5 qwen3moe.embedding_length=int:64
mamba-dense mamba.ssm.state_size=int:4
gemma3-dense gemma3.attention.head_count=int:1 gemma3.attention.value_length=int:32
qwen35-dense qwen35.ssm.group_count=int:1
TEXT
check gemma3-dense gemma3.attention.head_count=int:2 -c 65536 # what the file says itself
# fewer experts used: fewer bytes a token, a faster guess
run "$PLIMSOLL" estimate qwen3-30b-a3b:q4_k_m -c 4096 --override-kv qwen3moe.expert_used_count=int:4 --json
is "the settings keep it" "$(jq -r '.verdict != null' <<<"$out")" true
for o in llama.context_length llama.context_length=7 llama.context_length=int:seven =int:7 x=bool:maybe; do
    run "$PLIMSOLL" estimate "$T/archs/llama-dense.gguf" --override-kv "$o"
    is "'$o' is refused" "$status" 2
done
done_testing
