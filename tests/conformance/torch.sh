#!/bin/bash
# What PyTorch really holds, beside `estimate --engine transformers`: the modules of a config.json,
# built by torch.nn alone in three types, which is what transformers builds of it. And what the hub's
# own reader says of checkpoints. PLIMSOLL_PYTHON: a Python with torch (Debian: python3-torch).
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"
python=${PLIMSOLL_PYTHON:-/usr/bin/python3}
command -v "$python" >/dev/null || skip_all "$python is not installed"
"$python" -c 'import torch' 2>/dev/null || skip_all "$python has no torch (apt install python3-torch)"
hold=$PLIMSOLL_SOURCE/tests/torch/hold.py
room=$(awk '/^MemAvailable:/ {printf "%.0f", $2 * 1024}' /proc/meminfo)
[ "$room" -gt 1500000000 ] || skip_all "$room bytes of memory are available: it wants 1.5 GB"
export OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1
printf '{"schema": "plimsoll.assess/1", "pools": [{"pool": "ram", "kind": "host", "capacity": 68719476736, "available": 60000000000}]}\n' >"$T/m.json"
hold() { # ARGUMENTS: $held is its line
    held=$(env -u MALLOC_PERTURB_ "$python" "$hold" "$@" 2>"$T/hold.err" </dev/null)
}
of() { # EXPRESSION of what is held
    jq -r "$1" <<<"$held"
}
estimate() { # FOLDER FLAGS...: $out is its JSON
    run "$PLIMSOLL" estimate "$1" --engine transformers --device-map cpu "${@:2}" -M "$T/m.json" --json
    [ "$status" -eq 0 ] || diag "$err"
}
part() { # PART FIELD
    jq -r ".pools[0].parts.$1.$2" <<<"$out"
}
within() { # NAME VALUE LOW HIGH
    diag "$1: $2; low $3, high $4"
    ok "$1" test "$2" -ge "$3" -a "$2" -le "$4"
}
grew() { # NAME: anonymous memory grew by the weights, and the allocator's rests
    within "$1: the process grew by its weights" "$(of .anon)" \
        $(($(of .bytes) - 8388608)) $(($(of .bytes) + $(of .bytes) / 50 + 16777216))
}

# --- torch.nn alone: header and estimate come from elsewhere (tests/safetensors/make.py)
llama='{"model_type":"llama","hidden_size":512,"intermediate_size":1376,"head_dim":64,"num_attention_heads":8,"num_key_value_heads":2,"vocab_size":32000,"num_hidden_layers":8,"max_position_embeddings":2048,"torch_dtype":"bfloat16"}'
tied=${llama%\}},'"tie_word_embeddings":true}'
wide=${llama/\"head_dim\":64/\"head_dim\":96}
for name in llama tied wide; do
    "$python" "$PLIMSOLL_SOURCE/tests/safetensors/make.py" "$T/$name" "${!name}"
    for type in fp32 fp16 bf16; do
        hold "${!name}" "$type" || diag "$(tail -n 3 "$T/hold.err")"
        estimate "$T/$name" --dtype "$type"
        is "$name $type: bytes of the state_dict" "$(part weights bytes)" "$(of .bytes)"
        grew "$name $type"
    done
done
estimate "$T/llama" --dtype bf16
within "what Python and torch hold before a model" "$(of .before)" "$(part runtime low)" "$(part runtime high)"

# A checkpoint that stores the head although its config.json ties it: PyTorch keeps one of them.
"$python" "$PLIMSOLL_SOURCE/tests/safetensors/make.py" "$T/both" "$llama"
printf '%s' "$tied" >"$T/both/config.json"
hold "$tied" bf16
estimate "$T/both" --dtype bf16
is "a head that is stored and tied: bytes of the state_dict" "$(part weights bytes)" "$(of .bytes)"

# --- the hub's own reader of checkpoints (npm): parameters by type, whole and in shards
. "$PLIMSOLL_SOURCE/tests/remote/lib.sh"
hub_reader() { # sets $why when it cannot be had
    why=
    [ "${PLIMSOLL_FULL:-0}" -ge 1 ] || { why="PLIMSOLL_FULL=1 asks for it"; return; }
    command -v node >/dev/null && command -v npm >/dev/null || { why="no node or npm here"; return; }
    (mkdir -p "$T/npm" && cd "$T/npm" && npm install --ignore-scripts --no-audit --no-fund @huggingface/hub@2) \
        >"$T/npm.log" 2>&1 || why="npm: $(grep -m 1 -E 'npm (error|ERR!)' "$T/npm.log" | cut -c 1-120)"
}
hub_reader
if [ -n "$why" ]; then
    skip "the hub's own reader" "$why"
    done_testing
    exit
fi
mkdir -p "$web/hub/org"
cp -r "$T/llama" "$web/hub/org/One"
"$python" "$PLIMSOLL_SOURCE/tests/safetensors/make.py" "$web/hub/org/Three" "$llama" 3
start_server
cp "$PLIMSOLL_SOURCE/tests/torch/hub.mjs" "$T/npm/"
for repo in One Three; do
    file=model.safetensors
    [ -e "$web/hub/org/$repo/$file" ] || file+=.index.json
    run node "$T/npm/hub.mjs" "$at" "org/$repo" "$file"
    [ "$status" -eq 0 ] || diag "$err"
    theirs=$out
    run "$PLIMSOLL" inspect "$web/hub/org/$repo" --json
    is "$repo: parameters and tensors, by the hub's own reader" \
        "$(jq -r '"\(.model.parameters) \(.model.tensor_count)"' <<<"$out")" "$theirs"
done
done_testing
