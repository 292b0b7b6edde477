#!/bin/bash
# plimsoll inspect, over the small files of the fuzzer's corpus: right, wrong and hostile ones.
. "$(dirname "$0")/../lib.sh"
corpus=$PLIMSOLL_SOURCE/fuzz/corpus/gguf
tab=$'\t'

run "$PLIMSOLL" inspect "$corpus/tiny-v3.gguf"
is "a sound file: status" "$status" 0
is "a sound file: nothing on stderr" "$err" ""
like "names the model" "$out" '^tiny$'
like "architecture" "$out" '^  architecture +llama$'
like "tokenizer" "$out" '^  tokenizer +llama, 8 tokens$'
like "chat template" "$out" '^  chat template +14 bytes$'
like "tensors by type" "$out" '^  F32 +4 +800 B +200 +32\.00$'
unlike "a sound file: no warning" "$out" '^  !'
unlike "tensors only when asked" "$out" 'output_norm'

run "$PLIMSOLL" inspect --tensors --keys "$corpus/tiny-v3.gguf"
like "--tensors" "$out" '^  token_embd\.weight +F32 +8 x 8 +256 B$'
like "--keys: number" "$out" '^  llama\.context_length +64$'
like "--keys: array" "$out" '^  tokenizer\.ggml\.tokens +8 x string$'

for f in tiny-v2 tiny-big-endian; do
    run "$PLIMSOLL" inspect "$corpus/$f.gguf"
    is "$f" "$status" 0
done
like "big-endian: told" "$out" '^  container +GGUF 3, big-endian'
like "big-endian: warned of" "$out" '^  ! big-endian file on a little-endian machine|^  container.*big'

run "$PLIMSOLL" inspect "$corpus/experts.gguf"
is "a doubtful file is still shown: status" "$status" 0
like "warnings" "$out" '^  ! general\.file_type says Q4_K_M'
like "active parameters" "$out" '^  parameters +288, 224 active per token$'

if command -v jq >/dev/null; then
    run "$PLIMSOLL" inspect --json "$corpus/tiny-v3.gguf"
    is "json: schema" "$(jq -r .schema <<<"$out")" plimsoll.inspect/1
    is "json: model" "$(jq -r '[.model.name, .model.architecture, .model.parameters, .model.file_bytes,
        .model.file_type, .model.context_length, .model.experts] | map(. // "null") | @tsv' <<<"$out")" \
        "tiny${tab}llama${tab}200${tab}1696${tab}F32${tab}64${tab}null"
    is "json: types" "$(jq -c '.tensors_by_type' <<<"$out")" \
        '[{"type":"F32","count":4,"bytes":800,"parameters":200}]'
    is "json: warnings" "$(jq -c .warnings <<<"$out")" '[]'
    is "json: lists only when asked" "$(jq -c 'has("tensors") or has("keys")' <<<"$out")" false
    run "$PLIMSOLL" inspect --json -t -k "$corpus/hostile-text.gguf"
    is "json: hostile text is valid JSON" "$(jq -r '.keys | length' <<<"$out")" 2
    run "$PLIMSOLL" inspect --json "$corpus/experts.gguf"
    is "json: unknown is null, not 0" "$(jq -c '.model.context_length' <<<"$out")" null
else
    skip "json" "jq is not installed"
fi

# names from files reach the terminal clean
run "$PLIMSOLL" inspect -k "$corpus/hostile-text.gguf"
is "hostile text: status" "$status" 0
not_ok "hostile text: no control characters" grep -qP '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$T/.out"
ok "hostile text: UTF-8" iconv -f UTF-8 -t UTF-16 "$T/.out" -o /dev/null

# refused NAME STATUS REGEX FILE: one line on stderr that names the file, perhaps a hint
refused() {
    run "$PLIMSOLL" inspect "$4"
    is "$1: status" "$status" "$2"
    is "$1: nothing on stdout" "$out" ""
    like "$1: told" "$err" "$3"
    is "$1: one line and at most a hint" "$(grep -vc '^hint: ' <<<"$err")" 1
}
refused "no such file" 2 "^plimsoll: $T/nothing: no such file, and no such model" "$T/nothing"
refused "a folder" 2 'is a folder, not a model file$' "$T"
refused "a device" 2 '^plimsoll: /dev/null: is a device, not a regular file$' /dev/null
mkfifo "$T/pipe"
refused "a pipe, without waiting" 2 'is a pipe, not a regular file$' "$T/pipe"
refused "empty" 2 'cut-empty\.gguf: not a GGUF file: it is empty$' "$corpus/cut-empty.gguf"
refused "a web page" 2 "it begins with '<!DOCTYP' \(a web page" "$corpus/foreign.html"
refused "safetensors" 2 'its header needs 64 bytes' "$corpus/foreign.safetensors"
refused "version 1" 2 'GGUF version 1, which engines no longer read$' "$corpus/version-1.gguf"
refused "truncated data" 2 "truncated: 1 bytes are missing: tensor 'output\.weight'" "$corpus/cut-data.gguf"
refused "truncated header" 2 'truncated: 8 bytes wanted at byte 16, the file has 20$' "$corpus/cut-head.gguf"
refused "huge counts" 2 '18446744073709551615 keys do not fit' "$corpus/huge-keys.gguf"
refused "overlap" 2 "tensors 'a' and 'b' overlap$" "$corpus/overlap.gguf"
refused "nested arrays" 2 'an array of arrays' "$corpus/nested-array.gguf"
refused "a removed type" 2 'type Q4_0_4_4 was removed' "$corpus/type-removed.gguf"
refused "a part under a wrong name" 2 'is part 2 of 3 of a split model, but not named so$' \
    "$corpus/split-lonely.gguf"
cp "$corpus/split-lonely.gguf" "$T/m-00002-of-00003.gguf"
refused "a part alone" 2 "m-00001-of-00003\.gguf: cannot open: No such file" "$T/m-00002-of-00003.gguf"
like "a part alone: hint" "$err" '^hint: part 1 of 3 of the model is missing$'

# a whole split model: cut out of the corpus' container of parts ("PLSP" n length{n} bytes)
at=17
for i in 1 2 3; do
    n=$(od -An -tu4 -j $((1 + 4 * i)) -N 4 "$corpus/split.parts" | tr -d ' ')
    tail -c +$((at + 1)) "$corpus/split.parts" | head -c "$n" >"$T/m-0000$i-of-00003.gguf"
    at=$((at + n))
done
for i in 1 3; do
    run "$PLIMSOLL" inspect "$T/m-0000$i-of-00003.gguf"
    is "split, by part $i: status" "$status" 0
    like "split, by part $i: all files" "$out" ' in 3 files$'
    like "split, by part $i: all tensors" "$out" '^  tensor data +768 B in 3 tensors$'
done

run "$PLIMSOLL" inspect -t -k qwen3-8b:q4_k_m
is "a model of the catalogue: status" "$status" 0
like "a model of the catalogue: no file" "$out" 'from the catalogue, no file was read$'
unlike "a model of the catalogue: no warning" "$out" '^  !'

run "$PLIMSOLL" inspect
is "no argument: status" "$status" 2
run "$PLIMSOLL" inspect --help
is "--help: status" "$status" 0
like "--help: an example" "$out" '^  plimsoll inspect .*gguf'

# ---- a projector: what it is given, how wide what it makes is
gguf_of=$PLIMSOLL_BUILD/tests/conformance/gguf_of
if [ -x "$gguf_of" ]; then
    . "$PLIMSOLL_SOURCE/tests/conformance/projector_specs.sh"
    projector gemma3 2560 embd=1152 ff=4304 heads=16 image=896 layers=4 >"$T/spec"
    "$gguf_of" "$T/mmproj.gguf" <"$T/spec"
    run "$PLIMSOLL" inspect "$T/mmproj.gguf"
    is "projector: exit 0" "$status" 0
    like "projector: its kind and tower" "$out" "projector +gemma3, of images, 4 layers of 1152"
    like "projector: where to" "$out" "projects to +2560"
    like "projector: images and patches" "$out" "image +896 x 896 pixels, patches of 14"
    run "$PLIMSOLL" inspect "$T/mmproj.gguf" --json
    is "projector: towers" "$(jq -c '[.model.kind, .towers[0].kind, .towers[0].image_size, .towers[0].projection_dim]' <<<"$out")" \
        '["projector","gemma3",896,2560]'
else
    skip "projector: gguf_of is not built"
fi
done_testing
