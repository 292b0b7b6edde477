#!/bin/bash
# safetensors checkpoints: read, refused when broken, and estimated by engines that load them.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"
command -v python3 >/dev/null || skip_all "python3 is not installed"
make() { # FOLDER CONFIG [SHARDS]
    python3 "$PLIMSOLL_SOURCE/tests/safetensors/make.py" "$@"
}
json() { # EXPRESSION of the JSON in $out
    jq -r "$1" <<<"$out"
}
header() { # FILE: its header, as JSON, read without us
    local n
    n=$(od -An -v -tu8 -N8 "$1" | tr -d ' ')
    tail -c +9 "$1" | head -c "$n"
}
printf '{"schema": "plimsoll.assess/1", "pools": [{"pool": "ram", "kind": "host", "capacity": 17179869184, "available": 15000000000}, {"pool": "gpu0", "kind": "dedicated", "capacity": 8589934592, "available": 8200000000}]}\n' >"$T/8g.json"
mistral='{"model_type":"mistral","hidden_size":4096,"intermediate_size":14336,"head_dim":128,"num_attention_heads":32,"num_key_value_heads":8,"vocab_size":32768,"num_hidden_layers":32,"max_position_embeddings":32768,"torch_dtype":"bfloat16","sliding_window":null}'
ok "a checkpoint of three shards is made" make "$T/mistral" "$mistral" 3
ok "and one of one file" make "$T/one" "$mistral"

# reading: against the header itself
run "$PLIMSOLL" inspect "$T/one" --json
is "inspect: exit 0" "$status" 0
is "inspect: its format" "$(json .model.container.format)" safetensors
header "$T/one/model.safetensors" >"$T/header.json"
is "inspect: tensor bytes are those of data_offsets" "$(json .model.tensor_bytes)" \
    "$(jq '[del(.__metadata__)[] | .data_offsets[1] - .data_offsets[0]] | add' "$T/header.json")"
is "inspect: parameters are the products of shape" "$(json .model.parameters)" \
    "$(jq '[del(.__metadata__)[] | .shape | reduce .[] as $n (1; . * $n)] | add' "$T/header.json")"
is "inspect: as many tensors" "$(json .model.tensor_count)" "$(jq 'del(.__metadata__) | length' "$T/header.json")"
bytes=$(json .model.tensor_bytes)
for path in "$T/mistral" "$T/mistral/" "$T/mistral/model-00002-of-00003.safetensors" "$T/mistral/config.json" \
    "$T/mistral/model.safetensors.index.json"; do
    run "$PLIMSOLL" inspect "$path" --json
    is "inspect ${path#"$T"/}: all shards" "$(json .model.tensor_bytes)" "$bytes"
done
run env -C "$T/mistral" "$PLIMSOLL" inspect config.json
is "inspect config.json: from its folder" "$status" 0

# the same figures as from the catalogue, whose shapes come from elsewhere
for flags in "--dtype nf4" "--load-in-4bit --double-quant" "--load-in-8bit" "--dtype bf16" "--dtype fp32"; do
    # shellcheck disable=SC2086 # flags are words
    run "$PLIMSOLL" estimate mistral-7b-v0.3 --engine transformers $flags -M "$T/8g.json" --json
    want=$(json '[.pools[] | [.parts.weights.bytes, .parts.kv.bytes, .parts.compute.bytes]]|tostring')
    # shellcheck disable=SC2086
    run "$PLIMSOLL" estimate "$T/mistral" --engine transformers $flags -M "$T/8g.json" --json
    is "estimate $flags: as the catalogue's row" "$(json '[.pools[] | [.parts.weights.bytes, .parts.kv.bytes, .parts.compute.bytes]]|tostring')" "$want"
done

# what is inside another part, and layers that see a window
make "$T/window" '{"model_type":"gemma3","text_config":{"hidden_size":64,"intermediate_size":128,"head_dim":16,"num_attention_heads":4,"num_key_value_heads":2,"vocab_size":100,"num_hidden_layers":6,"max_position_embeddings":8192,"sliding_window":512,"layer_types":["sliding_attention","sliding_attention","sliding_attention","sliding_attention","sliding_attention","full_attention"]}}'
run "$PLIMSOLL" estimate "$T/window" --engine transformers -c 4096 -M "$T/8g.json" --json
is "text_config: KV of five windows and one full layer" "$(json '.pools[1].parts.kv.low')" \
    $(((5 * 512 + 4096) * 2 * (16 + 16) * 2))

# llama.cpp does not load it
run "$PLIMSOLL" estimate "$T/mistral"
is "llama.cpp: exit 2" "$status" 2
like "llama.cpp: and what would do" "$err" '--engine transformers'

# broken ones: one line, exit 2
broken() { # NAME EXPECTED: of $T/broken
    run "$PLIMSOLL" inspect "$T/broken/model.safetensors"
    is "$1: exit 2" "$status" 2
    like "$1: why" "$err" "$2"
    is "$1: one line and at most a hint" "$(grep -vc '^hint:' <<<"$err")" 1
}
mkdir "$T/broken"
file() { # JSON BYTES [LENGTH]: a file of that header
    local n=${3:-${#1}}
    {
        # shellcheck disable=SC2059 # the format is what is built
        printf "$(printf '\\x%02x\\x%02x\\x%02x\\x%02x' $((n & 255)) $((n >> 8 & 255)) $((n >> 16 & 255)) $((n >> 24 & 255)))\\0\\0\\0\\0"
        printf '%s' "$1"
        head -c "$2" /dev/zero
    } >"$T/broken/model.safetensors"
}
file '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}' 4
broken "cut off" 'cut off'
file '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}' 8
broken "overlap" 'overlaps'
file '{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}' 12
broken "gap" 'gap'
file '{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}' 8
broken "shape and offsets" 'disagree'
file '{"a":{"dtype":"Q4","shape":[8],"data_offsets":[0,8]}}' 8
broken "unknown dtype" 'dtype'
file '{"a":{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,8]}}' 8
broken "overflow" 'overflow'
file '{"a":' 8
broken "no JSON" 'model.safetensors'
file '{}' 0 9000
broken "header longer than the file" 'cut off'
printf '{"model_type": 5, "hidden_size": ' >"$T/one/config.json"
run "$PLIMSOLL" inspect "$T/one"
is "a broken config.json is not passed over" "$status" 2
rm "$T/one/config.json"
run "$PLIMSOLL" inspect "$T/one" --json
is "without config.json: what the container says" "$(json .model.tensor_bytes)" "$bytes"
run "$PLIMSOLL" estimate "$T/one" --engine transformers -M "$T/8g.json"
is "without config.json: cannot tell" "$status" 3
done_testing
