#!/bin/bash
# Models by their names: hf:ORG/REPO[:QUANT] and ollama:NAME[:TAG], remote and in the stores here.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../remote/lib.sh"
hub=hub/org/Far-GGUF
gguf $hub/BF16/Far-BF16-00001-of-00002.gguf 100 0 2
gguf $hub/BF16/Far-BF16-00002-of-00002.gguf 100 1 2
gguf $hub/Far-F16.gguf 101
gguf $hub/Far-Q4_K_M.gguf 102
gguf $hub/Far-Q8_0.gguf 103
gguf $hub/Far-imatrix-Q2_K.gguf 104
gguf $hub/mmproj-Far-F16.gguf 105
gguf $hub/mmproj-Far-Q8_0.gguf 106
printf 'words\n' >"$web/$hub/README.md"
gguf hub/org/Eight-GGUF/Eight-Q8_0.gguf 107
gguf hub/org/Eight-GGUF/Eight-Q2_K.gguf 108
gguf hub/org/Odd-GGUF/Odd-IQ3_XXS.gguf 109
gguf hub/gated/Secret-GGUF/Secret-Q4_0.gguf 110
mkdir -p "$web/hub/org/Bad-GGUF" "$web/hub/org/Empty"
printf '{"error":"x"}' >"$web/hub/org/Bad-GGUF/listing.json"
printf 'x' >"$web/hub/org/Empty/weights.bin"
python3 "$PLIMSOLL_SOURCE/tests/safetensors/make.py" "$web/hub/org/Check" '{"model_type":"llama","hidden_size":256,"intermediate_size":512,"head_dim":64,"num_attention_heads":4,"num_key_value_heads":2,"vocab_size":500,"num_hidden_layers":4,"torch_dtype":"bfloat16"}' 2
start_server
export HF_ENDPOINT=$at PLIMSOLL_OLLAMA_REGISTRY=$at

# read SPEC: $path is the file that was chosen
read_model() {
    : >"$log"
    run "$PLIMSOLL" inspect "$@"
    settled
    path=$(sed -n 's/^ *path  *//p' <<<"$out" | sed "s|$at/||; s|.*/resolve/main/||")
}

while read -r spec file; do
    read_model "$spec"
    is "$spec: exit 0" "$status" 0
    is "$spec: $file" "$path" "$file"
done <<'END'
hf:org/Far-GGUF Far-Q4_K_M.gguf
org/Far-GGUF Far-Q4_K_M.gguf
hf:org/Far-GGUF:q8_0 Far-Q8_0.gguf
org/Far-GGUF:f16 Far-F16.gguf
hf:org/Far-GGUF:BF16 BF16/Far-BF16-00001-of-00002.gguf
hf:org/Far-GGUF:mmproj-Far-F16.gguf mmproj-Far-F16.gguf
hf:org/Eight-GGUF Eight-Q8_0.gguf
hf:org/Odd-GGUF Odd-IQ3_XXS.gguf
END
read_model hf:org/Far-GGUF:bf16
like "a split model: both parts" "$out" 'in 2 files'
read_model hf:org/Far-GGUF:q8_0
like "the projector nearest in bits" "$out" 'projector .*/mmproj-Far-Q8_0.gguf'
is "two requests: the list, the header" "$(wc -l <"$log")" 2
read_model hf:org/Far-GGUF:q8_0 --offline
is "--offline: exit 0" "$status" 0
is "--offline: no request" "$(wc -l <"$log")" 0
read_model hf:org/Far-GGUF:q5_k_m
is "unknown quantisation: exit 2" "$status" 2
like "unknown quantisation: said" "$err" "no file of quantisation 'q5_k_m'"
like "unknown quantisation: those there are" "$err" 'hint: there are (.*, )?Q4_K_M'
unlike "unknown quantisation: no matrix, no projector" "$err" 'Q2_K|mmproj'
read_model hf:org/Far-GGUF:q2_k
is "an importance matrix is never chosen" "$status" 2
read_model hf:org/Empty
like "a repository without such files" "$err" 'holds no .gguf file'
# of a repository without GGUF files, the checkpoint itself
run "$PLIMSOLL" inspect "$web/hub/org/Check" --json
here=$(jq -c '[.model.tensor_bytes, .model.tensor_count, .model.blocks]' <<<"$out")
run "$PLIMSOLL" inspect hf:org/Check --json
is "a checkpoint on the hub: shards and config" "$(jq -c '[.model.tensor_bytes, .model.tensor_count, .model.blocks]' <<<"$out")" "$here"
run "$PLIMSOLL" inspect hf:org/Check --offline --json
is "and again from the cache, offline" "$(jq -c '[.model.tensor_bytes, .model.tensor_count, .model.blocks]' <<<"$out")" "$here"
run "$PLIMSOLL" estimate hf:org/Check
is "llama.cpp: exit 2" "$status" 2
like "llama.cpp: what would do" "$err" '--engine transformers'
read_model hf:org/Nothing
is "no such repository: exit 4" "$status" 4
like "no such repository: said" "$err" 'no such repository, or a private one'
read_model hf:org/Bad-GGUF
is "a listing that is none: exit 4" "$status" 4
like "a listing that is none: said" "$err" 'list of files is not a list'
read_model hf:gated/Secret-GGUF
is "a gated repository: exit 4" "$status" 4
like "a gated repository: how to get access" "$err" 'hint: accept the terms .* HF_TOKEN'
HF_TOKEN=hf_SECRETTOKEN read_model hf:gated/Secret-GGUF
is "with the token: exit 0" "$status" 0
for spec in hf: hf:org hf:org/ hf:../x hf:org/a/b 'hf:org/re po' hf:/x; do
    read_model "$spec"
    is "'$spec' is no name: exit 2" "$status" 2
done
rm -rf "$T/cache"
read_model hf:org/Far-GGUF --offline
like "offline and never seen: said" "$err" 'offline, and its list of files was never read'

# the copy here goes first
export HF_HUB_CACHE=$T/hub
repo=$HF_HUB_CACHE/models--org--Far-GGUF
mkdir -p "$repo"/{refs,blobs,snapshots/abc123}
printf abc123 >"$repo/refs/main"
cp --sparse=always "$web/$hub/Far-Q8_0.gguf" "$repo/blobs/1"
ln -s ../../blobs/1 "$repo/snapshots/abc123/Far-Q8_0.gguf"
read_model org/Far-GGUF:Q8_0
is "the hub's cache: exit 0" "$status" 0
is "the hub's cache: that file" "$path" "$repo/snapshots/abc123/Far-Q8_0.gguf"
is "the hub's cache: no request" "$(wc -l <"$log")" 0
read_model org/Far-GGUF:Q4_K_M
is "what is not in it comes from the hub" "$path" Far-Q4_K_M.gguf
unset HF_HUB_CACHE

# --- Ollama
gguf model.gguf 111
gguf projector.gguf 112
digest() { sha256sum "$web/$1" | cut -d ' ' -f 1; }
m=$(digest model.gguf) p=$(digest projector.gguf)
mkdir -p "$web/blobs" "$web/registry/library/far" "$web/registry/some"
mv "$web/model.gguf" "$web/blobs/sha256-$m"
mv "$web/projector.gguf" "$web/blobs/sha256-$p"
manifest() { # SIZE [PROJECTOR]
    printf '{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","layers":['
    [ -z "${2:-}" ] ||
        printf '{"mediaType":"application/vnd.ollama.image.projector","digest":"sha256:%s","size":9},' "$2"
    printf '{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:%s","size":%s},' "$m" "$1"
    printf '{"mediaType":"application/vnd.ollama.image.license","digest":"sha256:%s","size":1}]}' "$p"
}
size=$(stat -c %s "$web/blobs/sha256-$m")
manifest "$size" >"$web/registry/library/far/latest"
manifest "$size" "$p" >"$web/registry/library/far/8b-vision"
manifest 12345 >"$web/registry/library/far/wrong"
printf '{"layers":[]}' >"$web/registry/library/far/cloud"
printf 'not JSON' >"$web/registry/library/far/broken"
read_model ollama:far
is "ollama: exit 0" "$status" 0
is "ollama: two requests" "$(wc -l <"$log")" 2
is "ollama: the blob" "$path" "v2/library/far/blobs/sha256:$m"
run "$PLIMSOLL" ghost ollama:far -o "$T/g.gguf"
like "ollama: named as asked for" "$out" 'ghost of ollama:far:latest'
read_model ollama:far:8b-vision
like "ollama: the projector" "$out" "projector .*sha256:$p"
read_model ollama:far --offline
is "ollama --offline: exit 0" "$status $(wc -l <"$log")" "0 0"
read_model ollama:far:wrong
is "ollama, another length: exit 4" "$status" 4
like "ollama, another length: said" "$err" 'of another length than its manifest'
read_model ollama:far:cloud
like "ollama, no model in it: said" "$err" 'names no model layer'
read_model ollama:far:broken
is "ollama, a broken manifest: exit 4" "$status" 4
read_model ollama:near
is "ollama, unknown: exit 2" "$status" 2
like "ollama, unknown: said" "$err" 'no model or tag of that name'
for spec in ollama: ollama:a/b/c ollama::x 'ollama:a b' ollama:../x; do
    read_model "$spec"
    is "'$spec' is no name: exit 2" "$status" 2
done
export OLLAMA_MODELS=$T/ollama
mkdir -p "$OLLAMA_MODELS/manifests/registry.ollama.ai/library/far" "$OLLAMA_MODELS/blobs"
cp "$web/registry/library/far/8b-vision" "$OLLAMA_MODELS/manifests/registry.ollama.ai/library/far/8b"
cp --sparse=always "$web/blobs/sha256-$m" "$OLLAMA_MODELS/blobs/"
read_model ollama:far:8b
is "ollama's store here: no request" "$status $(wc -l <"$log")" "0 0"
is "ollama's store here: that blob" "$path" "$OLLAMA_MODELS/blobs/sha256-$m"
done_testing
