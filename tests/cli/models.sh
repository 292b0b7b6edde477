#!/bin/bash
# plimsoll models --local: the stores of this machine.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../remote/lib.sh"
unset PLIMSOLL_MODELS LLAMA_CACHE
command -v jq >/dev/null || skip_all "jq is not installed"
cd "$T" || exit 99

run "$PLIMSOLL" models --local
is "nothing here: exit 0" "$status" 0
is "nothing here: said" "$out" "0 models, 0 B on disk"
run "$PLIMSOLL" models --local word
is "--local with a word: exit 2" "$status" 2

# a folder, with a split model, a projector, a damaged name, a hidden file, and a loop of links
web=$T/models
gguf One-Q8_0.gguf 100
gguf sub/Two-00001-of-00002.gguf 101 0 2
gguf sub/Two-00002-of-00002.gguf 101 1 2
gguf mmproj-One.gguf 102
gguf .hidden.gguf 103
printf x >"$web/words.txt"
ln -s .. "$web/sub/loop"
ln "$web/One-Q8_0.gguf" "$web/One-linked.gguf"
cp "$web/One-Q8_0.gguf" "$web/One-copied.gguf"
printf '\1' | dd of="$web/One-copied.gguf" bs=1 seek=$(($(stat -c %s "$web/One-copied.gguf") - 9)) conv=notrunc 2>/dev/null
gguf "$(printf 'bad\033[31m.gguf')" 120
# the hub's cache
export HF_HUB_CACHE=$T/hub
repo=$HF_HUB_CACHE/models--org--Far-GGUF
mkdir -p "$repo"/{refs,blobs,snapshots/abc123}
printf abc123 >"$repo/refs/main"
hub=$("$python" -c 'print("0" * 63 + "a")')
web=$repo/blobs gguf "$hub" 104
ln -s "../../blobs/$hub" "$repo/snapshots/abc123/Far-Q4_K_M.gguf"
web=$repo/blobs gguf plain 105
ln -s ../../blobs/plain "$repo/snapshots/abc123/other.gguf"
mkdir -p "$HF_HUB_CACHE/models--broken" "$HF_HUB_CACHE/models--org--none"
# Ollama: the same model under two tags, and the hub's file once more
export OLLAMA_MODELS=$T/ollama
tags=$OLLAMA_MODELS/manifests/registry.ollama.ai/library/far
mkdir -p "$tags" "$OLLAMA_MODELS/blobs" "$OLLAMA_MODELS/manifests/hf.co/org/Some-GGUF"
cp --sparse=always "$repo/blobs/$hub" "$OLLAMA_MODELS/blobs/sha256-$hub"
printf '{"layers":[{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:%s","size":5}]}' "$hub" |
    tee "$tags/latest" "$tags/8b" >"$OLLAMA_MODELS/manifests/hf.co/org/Some-GGUF/Q4"
printf broken >"$tags/broken"
# LM Studio and llama.cpp
web=$T/.lmstudio/models gguf pub/name/L.gguf 106
web=$T/.cache/llama.cpp gguf org_model.gguf 107

run "$PLIMSOLL" models --local --json
is "exit 0" "$status" 0
is "silent on stderr" "$err" ""
names=$(jq -r '.models[] | "\(.store) \(.name)"' <<<"$out" | sed "s|$T/||" | sort)
is "all that are models, once a name" "$names" "$(sort <<END
folder models/One-Q8_0.gguf
folder models/One-copied.gguf
folder models/One-linked.gguf
folder models/bad?[31m.gguf
folder models/sub/Two-00001-of-00002.gguf
huggingface hf:org/Far-GGUF:Q4_K_M
huggingface hf:org/Far-GGUF:other.gguf
llama.cpp .cache/llama.cpp/org_model.gguf
lmstudio .lmstudio/models/pub/name/L.gguf
ollama ollama/blobs/sha256-$hub
ollama ollama:far:8b
ollama ollama:far:latest
END
)"
item() { jq -r --arg n "$1" '.models[] | select(.name | endswith($n)) | '"$2" <<<"$out"; }
is "a split model: its files" "$(item Two-00001-of-00002.gguf .files)" 2
is "a split model: its length" "$(item Two-00001-of-00002.gguf .bytes)" \
    "$(cat models/sub/Two-0000*.gguf | wc -c)"
is "on disk as the file system says" "$(item org_model.gguf .disk_bytes)" \
    "$(($(stat -c %b .cache/llama.cpp/org_model.gguf) * 512))"
is "the hub's SHA-256" "$(item Far-GGUF:Q4_K_M .sha256)" "$hub"
is "two names of one file" \
    "$(jq -r '[.models[] | select(.same_by == "same file") | .name | sub(".*/"; "")] | map(test("One-|far|sha256")) | all' <<<"$out")" true
is "a copy, by length and first MiB" "$(jq -r '[.models[] | select(.same_by == "same length and same first MiB")] | length' <<<"$out")" 1
is "the hub's file in Ollama, by SHA-256" \
    "$(jq -r '[.models[] | select(.same_by == "same SHA-256") | .same_as] | unique[]' <<<"$out")" \
    hf:org/Far-GGUF:Q4_K_M
is "what is there twice is counted once" "$(jq .disk_bytes <<<"$out")" \
    "$(find models/*.gguf models/sub/*.gguf hub/*/blobs ollama/blobs .lmstudio .cache/llama.cpp -name 'mmproj*' -o -type f -printf '%i %b\n' | sort -u | awk '{ n += $2 * 512 } END { print n }')"
listed=$out
while read -r name; do
    run "$PLIMSOLL" inspect "$name" --offline
    is "usable as MODEL: $(sed "s|$T/||" <<<"$name")" "$status" 0
done < <(jq -r '.models[].name' <<<"$listed" | grep -v '?')
run "$PLIMSOLL" models --local
is "as text: exit 0" "$status" 0
like "as text: a row" "$out" '^ollama:far:latest .*ollama '
like "as text: the sum" "$out" '^12 models, '
done_testing
