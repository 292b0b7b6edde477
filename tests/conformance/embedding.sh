#!/bin/bash
# Embeddings and ranks: batches, outputs and pooling heads of encoders and of decoders, against what the
# server projects, and its own buffers as it loads. A sample; PLIMSOLL_FULL=1 takes all.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/projected.sh"

# an encoder of each family, and decoders that are trained to embed or to rank
models="all-minilm-l6-v2 nomic-embed-text-v1.5 jina-embeddings-v2-base-en embeddinggemma-300m
    qwen3-embedding-0.6b bge-reranker-base qwen3-reranker-0.6b"
decoders="llama-dense gemma3-dense qwen2vl-dense mamba-dense olmoe-moe"
settings=(
    "--embedding -c 8192 -np 4"
    "--embedding --pooling mean -c 8192 -np 1 -ub 2048 -b 4096"
    "--rerank -c 2048"
)
if [ "${PLIMSOLL_FULL:-0}" -ge 1 ]; then
    models+=" nomic-embed-text-v2-moe bge-m3 bge-large-en-v1.5 multilingual-e5-base
        snowflake-arctic-embed-m bge-reranker-v2-m3 e5-mistral-7b qwen3-embedding-4b"
    decoders+=" qwen3-dense gemma2-dense falcon-dense minicpm3-dense cogvlm-dense gpt2-dense lfm2-dense
        granite-dense deepseek2-moe rwkv7-dense jamba-dense qwen3vl-dense gpt-oss-moe"
    settings+=(
        "--embedding --pooling cls -c 4096 -np 2 -ub 1024 -fa off"
        "--embedding --pooling none -c 32768 -ub 256"
        "--embedding --pooling last -c 32768 -kvu -np 8"
        "--pooling mean -c 4096 -np 1"
    )
fi

engine llama-server >/dev/null || skip_all "no engines folder (make engines)"
engine test-llama-archs >/dev/null || skip_all "the engines folder has no test-llama-archs"
mkdir "$T/archs"
engine_run test-llama-archs -o "$T/archs" >"$T/archs.log" 2>&1

ask() { # FILE...
    local f s
    for f in "$@"; do
        for s in "${settings[@]}"; do
            # llama-fit-params takes none of these flags: weights and context are the server's too
            # shellcheck disable=SC2086 # settings are words
            beside "$(basename "$f" .gguf)" "$f" $s | sed 's/|[^|]*$/|-/'
        done
    done
}

files=()
for m in $models; do
    run "$PLIMSOLL" ghost "$m:f16" -o "$T/$m.gguf"
    is "$m: ghost" "$status $err" "0 "
    files+=("$T/$m.gguf")
done
run "$PLIMSOLL" ghost gemma-4-e2b:q4_0 --edit "$PLIMSOLL_SOURCE/tests/conformance/gemma-embedding2.edit" -o "$T/gemma-embedding2.gguf"
is "gemma-embedding2: ghost" "$status $err" "0 "
files+=("$T/gemma-embedding2.gguf")
for d in $decoders; do
    [ ! -e "$T/archs/$d.gguf" ] || files+=("$T/archs/$d.gguf")
done
two ask "${files[@]}" >"$T/answers"
judge <"$T/answers"
judged_all 30

# What is really there once it is loaded. The engine prints its plan first, then the buffers.
loaded() { # NAME of a buffer in the log, MiB
    grep -a "$1 buffer size =" "$T/server.log" | tail -n 1 | awk '{ print $(NF - 1) + 0 }'
}
said_here "$T/all-minilm-l6-v2.gguf" --embedding -c 512 -np 1 >/dev/null
: >"$T/server.log"
engine_exec llama-server -m "$T/all-minilm-l6-v2.gguf" --embedding -c 512 -np 1 -nr --port 0 -lv 5 \
    >"$T/server.log" 2>&1 &
pid=$!
for _ in $(seq 6000); do
    grep -qa 'listening' "$T/server.log" && break
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
done
kill "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
ours() { jq -r ".pools[0].parts.$1 / 10485.76 | round / 100" "$T/said"; }
is "compute of a loaded encoder" "$(ours compute.bytes)" "$(loaded compute)"
is "output of a loaded encoder" "$(ours output.low)" "$(loaded output)"
is "an encoder has no cache" "$(ours kv.bytes)" 0
done_testing
