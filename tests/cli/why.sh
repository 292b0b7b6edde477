#!/bin/bash
# plimsoll why: a failure read from a log, explained.
. "$(dirname "$0")/../lib.sh"

oom='torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 112.00 MiB. GPU 0 has a total capacity of 7.77 GiB of which 37.19 MiB is free.'
cuda='ggml_backend_cuda_buffer_type_alloc_buffer: allocating 2880.00 MiB on device 0: cudaMalloc failed: out of memory
alloc_tensor_range: failed to allocate CUDA0 buffer of size 3019898880'

# why_json ARGUMENTS... <LOG: the answer in $out
why_json() { run "$PLIMSOLL" why "$@" --json; }
field() { jq -r "$1" <<<"$out"; }

printf '%s\n' "$oom" >"$T/torch.log"
why_json "$T/torch.log"
is "a file: exit 0" "$status" 0
is "engine and device" "$(field '.engine + " " + (.device | tostring)')" "torch 0"
is "112 MiB were asked for" "$(field .numbers.requested.bytes)" $((112 * 1048576))
is "7.77 GiB in all" "$(field .numbers.total.bytes)" "$(awk 'BEGIN { printf "%.0f", 7.77 * 2 ^ 30 }')"
is "37.19 MiB free" "$(field .numbers.free.bytes)" "$(awk 'BEGIN { printf "%.0f", 37.19 * 2 ^ 20 }')"
is "the memory is short" "$(field .capacity)" true
is "missing is their difference" "$(field '.missing.bytes == .numbers.requested.bytes - .numbers.free.bytes')" true
like "without a model: whose matrix it may be" "$(field .resembles)" '14336 x 4096 16-bit matrix, as in '

why_json "$T/torch.log" --model mistral-7b-v0.3
like "with the model: which matrix" "$(field '.objects[0].what')" '^one 14336 x 4096 16-bit matrix, blk\.0\.ffn_'
is "with the model: weights are being laid out" "$(field .phase)" weights
like "with the model: the cause" "$(field .cause)" 'full precision while loading'
is "settings of another engine are not proposed" "$(field '[.remedies[].flags | select(. != null)] | length')" 0

# a pipe, the default input, an unknown text
printf '%s\n' "$oom" | "$PLIMSOLL" why - >"$T/piped"
like "a pipe: -" "$(cat "$T/piped")" '^torch \(cuda\), device 0: capacity'
printf '%s\n' "$oom" | "$PLIMSOLL" why >"$T/piped"
like "a pipe: no argument" "$(cat "$T/piped")" '^torch'
printf 'all is well\n' >"$T/well.log"
run "$PLIMSOLL" why "$T/well.log"
is "nothing failed: exit 3" "$status" 3
like "nothing failed: said" "$out" '^nothing in these 1 lines is a failure'
run "$PLIMSOLL" why "$T/absent.log"
is "no such log: exit 2" "$status" 2
like "no such log: said" "$err" 'absent.log: No such file'
: >"$T/empty"
run "$PLIMSOLL" why "$T/empty"
is "an empty log: exit 3" "$status" 3
run "$PLIMSOLL" why "$T"
is "a folder is no log" "$status" 2

# the estimator's figures: what each change frees, and whether it is enough
printf '%s\n' "$cuda" >"$T/cuda.log"
flags=(--model qwen3-8b:q4_k_m --device rtx3070 --ram 32GiB -c 20480 -ngl 99)
why_json "$T/cuda.log" "${flags[@]}"
is "llama.cpp: what was asked for is the cache" "$(field '.objects[0].what')" "kv on gpu0, whole, with these settings"
is "llama.cpp: its size" "$(field '.objects[0].bytes')" 3019898880
before=$("$PLIMSOLL" estimate qwen3-8b:q4_k_m "${flags[@]:2}" --json | jq '[.pools[] | select(.pool == "gpu0").peak.bytes][0]')
n=0
while IFS=$'\t' read -r change frees; do
    # shellcheck disable=SC2086
    after=$("$PLIMSOLL" estimate qwen3-8b:q4_k_m "${flags[@]:2}" $change --json | jq '[.pools[] | select(.pool == "gpu0").peak.bytes][0] // 0')
    is "$change frees what estimate says" "$frees" $((before - ${after:-0}))
    n=$((n + 1))
done < <(field '.remedies[] | select(.flags != null) | [.flags, .frees.bytes] | @tsv')
ok "several changes are offered" test "$n" -ge 5
like "the 8-bit cache is among them" "$(field '.remedies[].flags')" 'q8_0'

# the model is taken from the log when it names one of the catalogue; an address in a log is not asked
printf 'llama_model_loader: loaded meta data with 29 key-value pairs and 399 tensors from /m/Qwen3-8B-Q4_K_M.gguf (version GGUF V3 (latest))\nllama_context: n_ctx = 20480\n%s\n' "$cuda" >"$T/named.log"
why_json "$T/named.log" --device rtx3070 --ram 32GiB -c 20480 -ngl 99
is "the log names the model" "$(field '.objects[0].bytes')" 3019898880
is "the cache failed, the weights were there" "$(field .phase)" kv
printf "srv load: loading model 'http://127.0.0.1:1/x.gguf'\n%s\n" "$cuda" >"$T/address.log"
why_json "$T/address.log"
is "an address in a log is not asked" "$status $(field '.objects | length')" "0 0"

# words of others, as they say them
printf 'The node was low on resource: memory. Threshold quantity: 100Mi, available: 53028Ki. Container llm was using 12Gi, request is 8Gi, has larger consumption of memory. \n' >"$T/evicted"
why_json "$T/evicted"
is "an evicted pod" "$(field '[.engine, .class] | join(" ")')" "kubernetes userspace_killer"
is "an evicted pod: its numbers, in Ki and Gi" "$(field '[.numbers.free.bytes, .numbers.process_in_use.bytes] | join(" ")')" "$((53028 * 1024)) $((12 << 30))"
printf 'Process finished with exit code 137 (interrupted by signal 9:SIGKILL)\n' >"$T/ide"
why_json "$T/ide"
is "137 alone names no container" "$(field '[.engine, .class, .platform] | map(. // "-") | join(" ")')" "- killed -"
printf 'web-1 exited with code 137\n' >"$T/composed"
why_json "$T/composed"
is "137 of a container" "$(field '[.engine, .class] | join(" ")')" "docker killed"
printf 'InternalError: Check failed: (__e == VK_SUCCESS) is false: Vulkan Error, code=-2: VK_ERROR_OUT_OF_DEVICE_MEMORY\n' >"$T/vk"
why_json "$T/vk"
is "Vulkan by its own word" "$(field .backend)" vulkan
printf 'time=2026-03-25T09:28:05.821+08:00 level=WARN source=server.go:1044 msg="model request too large for system" requested="338.1 GiB" available="337.2 GiB" total="377.2 GiB" free="328.0 GiB" swap="9.2 GiB"\n' >"$T/large"
why_json "$T/large"
is "ollama: what it counted" "$(field '[.numbers.requested.bytes, .numbers.free.bytes, .numbers.total.bytes] | map(. / 107374182.4 | round / 10) | join(" ")')" "338.1 337.2 377.2"

# bounds
head -c 200000000 /dev/zero | tr '\0' 'A' >"$T/long"
printf '\n%s\n' "$oom" >>"$T/long"
why_json "$T/long"
is "a line of 200 MB: what follows is read" "$(field .class)" capacity
is "a line of 200 MB: it was cut" "$(field .log.cut)" true
rm "$T/long"
head -c 3000000 /dev/urandom >"$T/noise"
run "$PLIMSOLL" why "$T/noise"
is "noise: no crash" "$(((status == 0 || status == 3)))" 1
(
    printf '%s\n' "$oom"
    exec sleep 4
) | timeout -s INT 2 "$PLIMSOLL" why - >"$T/endless"
like "an endless pipe, interrupted: what came is answered" "$(cat "$T/endless")" '^torch'

done_testing
