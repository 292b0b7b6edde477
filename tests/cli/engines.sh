#!/bin/bash
# plimsoll estimate --engine NAME: other engines, by their own flags.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"
estimate() { run "$PLIMSOLL" estimate "$@"; }
json() { # EXPRESSION of the JSON in $out
    jq -r "$1" <<<"$out"
}
printf '{"schema": "plimsoll.assess/1", "pools": [{"pool": "ram", "kind": "host", "capacity": 17179869184, "available": 15000000000}, {"pool": "gpu0", "kind": "dedicated", "capacity": 8589934592, "available": 8200000000}]}\n' >"$T/8g.json"
printf '{"schema": "plimsoll.assess/1", "pools": [{"pool": "ram", "kind": "host", "capacity": 17179869184, "available": 15000000000}]}\n' >"$T/cpu.json"

# which engine, and whose flags
estimate mistral-7b-v0.3 --engine nothing -M "$T/8g.json"
is "unknown engine: exit 2" "$status" 2
like "unknown engine: those there are" "$err" 'one of llama.cpp, transformers'
estimate mistral-7b-v0.3 --engine transformers -ngl 99 -M "$T/8g.json"
is "a flag of another engine: exit 2" "$status" 2
estimate mistral-7b-v0.3 --engine transformers --dtpe nf4 -M "$T/8g.json"
like "a misspelt flag: the nearest" "$err" 'did you mean --dtype'
estimate mistral-7b-v0.3 --engine transformers --dtype q4_k_m -M "$T/8g.json"
is "a wrong word: exit 2" "$status" 2
like "a wrong word: the right ones" "$err" 'nf4'
estimate mistral-7b-v0.3 --engine transformers --oracle -M "$T/8g.json"
is "--oracle is llama.cpp's: exit 2" "$status" 2
estimate mistral-7b-v0.3 --engine=llama.cpp -c 2048 -M "$T/8g.json" --json
is "llama.cpp by its name" "$(json .engine.name)" llama.cpp
estimate mistral-7b-v0.3 --load-in-4bit -M "$T/8g.json"
is "without --engine its flags are unknown" "$status" 2
estimate --engine transformers --help
like "--help lists that engine's flags" "$out" '--bnb-4bit-quant-type'
unlike "--help: and no other's" "$out" '--n-gpu-layers'

# what every engine's answer holds
for engine in $("$PLIMSOLL" estimate --engine none x 2>&1 | sed -n 's/.*one of \(.*\);.*/\1/p' | tr -d ',' | sed 's/llama.cpp//'); do
    case $engine in
    whisper.cpp) set -- whisper-small --engine "$engine" ;; # it loads nothing else
    *) set -- mistral-7b-v0.3 --engine "$engine" ;;
    esac
    estimate "$@" -M "$T/8g.json" --json
    case $status in 0 | 1 | 3) ;; *) is "$engine: exit" "$status: $err" "0, 1 or 3" ;; esac
    is "$engine: its name" "$(json .engine.name)" "$engine"
    is "$engine: no interval is upside down" \
        "$(json '[.. | objects | select(.low? != null and .bytes? != null and (.low > .bytes or .bytes > .high))] | length')" 0
    is "$engine: steady is the sum of the parts" \
        "$(json '[.pools[] | ([.parts[].bytes] | add) == .steady.bytes] | all')" true
    estimate "$@" -M "$T/8g.json" --why --json
    is "$engine: the terms of a part add up to it" "$(json '. as $d | [.pools[] as $p | $p.parts | to_entries[] | select(.value.bytes != null) |
        . as $e | ([$d.terms[] | select(.pool == $p.pool and .part == $e.key) | .bytes] | add // 0) | select(. != $e.value.bytes)] | length')" 0
    is "$engine: every term has a source" "$(json '[.terms[] | select(.source == "" or .source == null)] | length')" 0
    if command -v python3 >/dev/null && python3 -c 'import jsonschema' 2>/dev/null; then
        ok "$engine: valid JSON" python3 "$PLIMSOLL_SOURCE/tests/cli/validate.py" "$PLIMSOLL_SOURCE/data/schema/estimate.json" "$T/.out"
    else
        skip "$engine: valid JSON" "python3-jsonschema is not installed"
    fi
    estimate "$@" -M "$T/8g.json"
    like "$engine: text names it" "$out" "^engine +$engine; formulas of "
done

# transformers: weights, from the published shapes of Mistral-7B-v0.3
linear=$((32 * (4096 * 4096 * 2 + 4096 * 1024 * 2 + 4096 * 14336 * 3)))
rest=$((2 * 32768 * 4096 + (32 * 2 + 1) * 4096))
weights() { json '.pools[] | select(.pool == "'"${1:-gpu0}"'") | .parts.weights.bytes'; }
estimate mistral-7b-v0.3 --engine transformers --dtype nf4 -M "$T/8g.json" --json
is "NF4: half a byte and 4 of a scale for 64" "$(weights)" $((linear / 2 + linear / 64 * 4 + 224 * 64 + rest * 2))
is "NF4: its name" "$(json .model.file_type)" NF4
is "NF4: the largest allocation while loading is 112 MiB" "$(json .facts.largest_linear_bytes.value)" $((14336 * 4096 * 2))
estimate mistral-7b-v0.3 --engine transformers --load-in-4bit --bnb-4bit-quant-type nf4 --double-quant -M "$T/8g.json" --json
is "NF4 with double quantisation" "$(weights)" \
    $((linear / 2 + linear / 64 + linear / 64 / 256 * 4 + 224 * (1024 + 64 + 4) + rest * 2))
estimate mistral-7b-v0.3 --engine transformers --load-in-8bit -M "$T/8g.json" --json
rows=$((32 * (4096 * 2 + 1024 * 2 + 14336 * 2 + 4096)))
is "int8: a byte, and 4 a row" "$(weights)" $((linear + rows * 4 + rest * 2))
for type in bf16:2 fp16:2 fp32:4; do
    estimate mistral-7b-v0.3 --engine transformers --dtype "${type%:*}" -M "$T/cpu.json" --json
    is "${type%:*}: ${type#*:} bytes an element" "$(weights ram)" $(((linear + rest) * ${type#*:}))
done
estimate mistral-7b-v0.3 --engine transformers --dtype nf4 --transformers-version 4.57 -M "$T/8g.json"
is "NF4 of 7B on 8 GiB with version 4: fits" "$status" 0
like "NF4 of 7B with version 4: safe" "$out" '^verdict +safe'
estimate mistral-7b-v0.3 --engine transformers --dtype nf4 --transformers-version 5.0 -M "$T/8g.json"
is "the same with the loader of version 5: does not" "$status" 1
like "and why" "$out" 'transformers#43032'
output() { json '[.pools[].parts.output.bytes] | max'; }
estimate mistral-7b-v0.3 --engine transformers -c 2048 --transformers-version 4.44 -M "$T/cpu.json" --json
is "before 4.45: logits of every token of the prompt" "$(output)" $((2048 * 32768 * 6))
estimate mistral-7b-v0.3 --engine transformers -c 2048 --transformers-version 4.45 -M "$T/cpu.json" --json
is "since 4.45: of the last one" "$(output)" $((32768 * 6))
estimate mistral-7b-v0.3 --engine transformers --dtype bf16 -M "$T/8g.json"
is "bf16 of 7B on 8 GiB does not fit" "$status" 1
estimate mistral-7b-v0.3 --engine transformers --load-in-4bit --load-in-8bit -M "$T/8g.json"
is "4 and 8 bit at once: exit 2" "$status" 2
estimate mistral-7b-v0.3 --engine transformers --device-map cuda -M "$T/cpu.json"
is "a device where there is none: exit 2" "$status" 2

# vLLM: the cache is what is left, in whole blocks, and must hold a sequence
printf '{"schema": "plimsoll.assess/1", "pools": [{"pool": "ram", "kind": "host", "capacity": 68719476736, "available": 60000000000}, {"pool": "gpu0", "kind": "dedicated", "capacity": 25769803776, "available": 25600000000}, {"pool": "gpu1", "kind": "dedicated", "capacity": 25769803776, "available": 25600000000}]}\n' >"$T/2x24.json"
vllm() { estimate "$@" --engine vllm -M "$T/2x24.json"; }
vllm llama-3.1-8b --max-model-len 8192 --json
is "vllm: fits" "$status" 0
is "vllm: the parts are the share claimed" "$(json '[.pools[1].parts[].bytes] | add')" $((25769803776 * 9 / 10))
is "vllm: weights and the rotary table" "$(json '.pools[1].parts.weights.bytes')" $((8030261248 * 2 + 131072 * 128 * 2))
kv=$(json '.pools[1].parts.kv.bytes')
is "vllm: whole blocks of 16 tokens" "$(json .facts.gpu_blocks.value)" $((kv / (16 * 8 * 256 * 2 * 32)))
is "vllm: tokens" "$(json .facts.kv_cache_tokens.value)" $((kv / (16 * 8 * 256 * 2 * 32) * 16))
vllm llama-3.1-8b --max-model-len 8192 --kv-cache-dtype fp8 --kv-cache-memory-bytes 1073741824 --json
is "vllm: fp8 halves a block" "$(json .facts.kv_cache_tokens.value)" $((1073741824 / (8 * 256 * 32)))
vllm llama-3.1-8b
is "vllm: the model's own length does not fit: exit 1" "$status" 1
like "vllm: and the longest that would" "$out" '--max-model-len [0-9]+ would'
most=$(sed -n 's/.*--max-model-len \([0-9]*\) would.*/\1/p' <<<"$out")
vllm llama-3.1-8b --max-model-len "$most" --json
unlike "vllm: that one fits" "$(json .verdict)" does_not_fit
vllm llama-3.1-8b --max-model-len "$((most + 16))" --json
is "vllm: a block more does not" "$(json .verdict)" does_not_fit
vllm llama-3.3-70b --max-model-len 4096
is "vllm: 70B in 16 bits does not start" "$status" 1
like "vllm: for want of blocks" "$out" 'no memory is left for the blocks'
vllm llama-3.1-8b --max-model-len 8192 -tp 2 --json
is "vllm: two devices share it" "$(json '[.pools[].pool] | join(",")')" ram,gpu0,gpu1
is "vllm: and its heads" "$(json .facts.gpu_blocks.value)" $(($(json '.pools[1].parts.kv.bytes') / (16 * 4 * 256 * 2 * 32)))
vllm llama-3.1-8b -tp 4
is "vllm: more devices than there are: exit 2" "$status" 2
vllm llama-3.1-8b --gpu-memory-utilization 1.5
is "vllm: more than all: exit 2" "$status" 2
estimate llama-3.1-8b --engine vllm -M "$T/cpu.json"
is "vllm: no device: exit 2" "$status" 2
vllm llama-3.1-8b --enable-lora
is "vllm: what is not predicted: exit 3" "$status" 3
vllm llama-3.1-8b --port 9 --max-model-len 4096 --gpu-memory-utilization 1
is "vllm: more than is free: exit 1" "$status" 1
like "vllm: the most that is" "$out" '--gpu-memory-utilization 0.9[0-9] is the most here'
# layers with a window: groups of layers share blocks (gemma-3-4b: 34 layers, every sixth sees all)
vllm gemma-3-4b --max-model-len 32768 --kv-cache-memory-bytes 4294967296 --max-num-batched-tokens 2048 --json
blocks=$((4294967296 / (16 * 4 * 512 * 2) / 5))
is "vllm: blocks of a group of 5 layers" "$(json .facts.gpu_blocks.value)" "$blocks"
is "vllm: seven groups" "$(json .facts.kv_cache_tokens.value)" $((blocks / 7 * 16))

# training: Llama-3.2-1B has 1235814400 parameters; adapters by peft's own arithmetic
train() { estimate llama-3.2-1b --engine transformers -c 1024 -M "$T/2x24.json" "$@" --json; }
extra() { json '.pools[1].parts.extra.low'; }
train --mode train
is "train: gradients of 4 bytes, a state of 8" "$(extra)" $((1235814400 * 12))
is "train: weights in 32 bits" "$(json '.pools[1].parts.weights.bytes')" $((1235814400 * 4))
train --mode train --dtype bf16 --optim sgd
is "train: sgd keeps no state" "$(extra)" $((1235814400 * 2))
train --mode train --dtype bf16 --optim adamw_bnb_8bit
is "train: 8-bit states" "$(extra)" $((1235814400 * 4 + 1235814400 / 256 * 8))
train --mode lora --lora-targets qv --lora-r 8
is "lora: as many parameters as peft counts" "$(json .facts.trainable_parameters.value)" 851968
train --mode qlora --lora-r 16
is "qlora: on every linear weight" "$(json .facts.trainable_parameters.value)" 11272192
is "qlora: beside 4-bit weights" "$(json .settings.load_in_4bit)" true
whole=$(json '.pools[1].parts.compute.bytes')
train --mode qlora --lora-r 16 --gradient-checkpointing
ok "gradient checkpointing keeps less" test "$(json '.pools[1].parts.compute.bytes')" -lt "$whole"
estimate mistral-7b-v0.3 --engine transformers --mode train -M "$T/8g.json"
is "training 7B on 8 GiB: refused" "$status" 1
like "with the sum" "$out" 'training: weights .* \+ gradients .* \+ optimiser .* \+ activations .* = '
estimate mistral-7b-v0.3 --engine transformers --mode train --load-in-4bit -M "$T/8g.json"
is "packed weights cannot be trained: exit 2" "$status" 2

# types that a device does not compute
estimate llama-3.2-1b --engine transformers --dtype bf16 --device tesla-t4 --ram 16GiB
like "bf16 on SM 7.5 is emulated, fp16 proposed" "$out" 'compute capability 7.5\): bfloat16 is emulated.*fp16'
estimate llama-3.2-1b --engine transformers --dtype fp16 --device tesla-t4 --ram 16GiB
unlike "fp16 is not" "$out" 'emulated|native'
estimate llama-3.2-1b --engine transformers --dtype bf16 --device rtx3090 --ram 16GiB
unlike "bf16 on SM 8.6 is native" "$out" 'emulated'
estimate llama-3.2-1b --engine vllm --quantization fp8 --max-model-len 4096 --device rtx3090 --ram 16GiB
like "FP8 below 8.9 is not" "$out" 'FP8 products are not native'
estimate llama-3.2-1b --engine vllm --dtype bfloat16 --max-model-len 4096 --device tesla-t4 --ram 16GiB
is "vllm: refuses bfloat16 there" "$status" 1
like "vllm: and says what to say" "$out" '--dtype half'
estimate llama-3.2-1b:bf16 -ngl 99 -c 2048 --device tesla-t4 --ram 16GiB --json
like "llama.cpp: a BF16 file too" "$(json '.reasons|join(";")')" 'bfloat16 is emulated'

# names that are declared
estimate faster-whisper-large-v3:int8 -M "$T/8g.json" --json
is "declared: its device figure" "$(json '.pools[1].steady.bytes')" $((2816 * 1048576))
is "declared: and says so" "$(json '.pools[1].steady.source')" declared
for name in kokoro piper ollama faster-whisper-small:int8; do
    estimate "$name" -M "$T/cpu.json" --json
    is "declared: $name" "$status" 0
    is "declared: $name has an interval" "$(json '.pools[0].steady | .low <= .bytes and .bytes <= .high and .low > 0')" true
done
estimate faster-whisper-large-v3 -M "$T/cpu.json"
is "declared: without a device it cannot be told" "$status" 3
ok "declared: every row has a source and whole intervals" awk -F'\t' 'NR > 1 && (NF != 12 || $12 == "" ||
    $5 + 0 > $6 + 0 || $6 + 0 > $7 + 0 || $8 + 0 > $9 + 0 || $9 + 0 > $10 + 0) { exit 1 }' \
    "$PLIMSOLL_SOURCE/data/declared.tsv"
done_testing
