#!/bin/bash
# plimsoll estimate as a user meets it: what it prints, and every exit status.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"
estimate() { run "$PLIMSOLL" estimate "$@"; }
json() { # EXPRESSION of the JSON in $out
    jq -r "$1" <<<"$out"
}
# machine NAME AVAILABLE [MORE-POOLS]: a machine file; AVAILABLE "" is unknown
machine() {
    printf '{"schema": "plimsoll.assess/1", "pools": [{"pool": "ram", "kind": "host"%s}%s]}\n' \
        "${2:+, \"capacity\": 68719476736, \"available\": $2}" "${3:-}" >"$T/$1.json"
}
machine tiny 1073741824
machine big 64424509440
machine unknown ''
machine gpu 64424509440 ', {"pool": "gpu0", "kind": "dedicated", "capacity": 25769803776, "available": 24000000000}'
machine smallgpu 64424509440 ', {"pool": "gpu0", "kind": "dedicated", "capacity": 8589934592, "available": 8000000000}'

# what it prints
estimate smollm2-135m -c 4096 -M "$T/big.json"
is "table: exit 0" "$status" 0
like "table: the model" "$out" '^smollm2-135m Q4_K_M +llama, 1[34][0-9] million parameters'
like "table: the settings in use" "$out" '^settings +context 4096 '
for part in weights kv compute output runtime steady peak 'load peak' 'largest allocation'; do
    like "table: $part" "$out" "^$part +[0-9.]+ MiB +.* (derived|assumed)\$"
done
like "table: the verdict" "$out" '^verdict +safe$'
like "table: unknown speed is not 0" "$out" '^speed +unknown: '
is "table: silent on stderr" "$err" ""
unlike "table: a figure's reason only when asked" "$out" '30 layers keep K and V of 4096 tokens'
estimate smollm2-135m -c 4096 -M "$T/big.json" --why
like "--why: the reasons" "$out" '^kv .*30 layers keep K and V of 4096 tokens'
like "--why: the formula with its figures" "$out" \
    'kv +90\.0 MiB +30 layers x 4096 cells x 1 cache x \(3 x 64 of K in F16 \+ 3 x 64 of V in F16\) +src/llama-kv-cache'

# the terms of a part add up to it
adds_up() { # what does not, as JSON: [] when all does
    jq -c '. as $d | [.pools[] as $p | $p.parts | to_entries[] | select(.value.bytes != null) |
        . as $e | ([$d.terms[] | select(.pool == $p.pool and .part == $e.key) | .bytes] | add // 0)
        | select(. != $e.value.bytes) | [$p.pool, $e.key, $e.value.bytes, .]]'
}
for m in smollm2-135m qwen3-8b:q4_k_m llama-3.2-1b:q4_0 mistral-7b-v0.3:q8_0; do
    for flags in "-c 8192" "-c 4096 -np 3 -ctk q8_0 -nr"; do
        # shellcheck disable=SC2086 # flags are words
        run "$PLIMSOLL" estimate "$m" $flags -M "$T/big.json" --why --json
        is "--why: the terms add up, $m $flags" "$(printf '%s' "$out" | adds_up)" "[]"
    done
done

estimate smollm2-135m -c 4096 -M "$T/big.json" --json
is "--json: exit 0" "$status" 0
is "--json: schema" "$(json .schema)" plimsoll.estimate/1
is "--json: KV is 30 layers keep K and V of 4096 tokens x (K + V) x 2 bytes" "$(json '.pools[0].parts.kv.bytes')" \
    $((30 * 4096 * (192 + 192) * 2))
is "--json: unknown is null" "$(json '.speed.prefill_tokens_per_second.value')" null
is "--json: steady is the sum of the parts" \
    "$(json '[.pools[0].parts[].bytes] | add')" "$(json '.pools[0].steady.bytes')"
is "--json: no interval is upside down" \
    "$(json '[.. | objects | select(.low != null and (.low > .bytes or .bytes > .high) and .bytes != null)] | length')" 0

# exit statuses
estimate qwen3-8b -c 8192 -M "$T/big.json"
is "fits: exit 0" "$status" 0
estimate qwen3-8b -c 8192 -M "$T/tiny.json"
is "does not fit: exit 1" "$status" 1
like "does not fit: where, and by how much" "$out" \
    '^ +ram: needs [0-9.]+ GiB, 1\.00 GiB available: [0-9.]+ GiB short$'
estimate qwen3-8b -c 8192 -M "$T/unknown.json"
is "available memory unknown: exit 3" "$status" 3
like "available memory unknown: said" "$out" '^verdict +cannot_tell$'
like "available memory unknown: why" "$out" '^ +ram: available memory is unknown'
# devices: a pool each, nothing lost between them
cpu=$("$PLIMSOLL" estimate qwen3-8b -c 8192 -nr -dev none -M "$T/gpu.json" --json)
estimate qwen3-8b -c 8192 -nr -M "$T/gpu.json" --json
is "a GPU and no -ngl: all of it there" "$(json '.pools | map(.pool) | join(" ")') $(json .settings.n_gpu_layers)" "ram gpu0 37"
is "... the embedding stays" "$(json '.pools[0].parts.kv.bytes')" 0
for ngl in 0 1 12 36 37; do
    estimate qwen3-8b -c 8192 -nr -ngl $ngl -M "$T/gpu.json" --json
    is "-ngl $ngl: the cache is split, not changed" "$(json '[.pools[].parts.kv.bytes] | add')" \
        "$(jq '.pools[0].parts.kv.bytes' <<<"$cpu")"
    is "-ngl $ngl: so are the weights" "$(json '[.pools[].parts.weights.bytes] | add')" \
        "$(jq '.pools[0].parts.weights.bytes' <<<"$cpu")"
    is "-ngl $ngl: totals are the parts" "$(json '[.pools[] | ([.parts[].bytes] | add) == .steady.bytes] | all')" true
done
is "-dev none: one pool" "$(jq -r '.pools | length' <<<"$cpu")" 1
estimate qwen3-8b -c 8192 -dev CUDA7 -M "$T/gpu.json"
is "no such device: exit 2" "$status" 2
like "no such device: what there is" "$err" '^hint: there is '
estimate qwen3-8b -c 131072 -np 1 -M "$T/smallgpu.json" -ngl 99
like "does not fit the GPU: the pool is named" "$out" '^ +gpu0: needs [0-9.]+ GiB, .* short$'
is "does not fit the GPU: exit 1" "$status" 1
# a model that sees, and no projector: said, whatever says that it does
sees="text alone: images or sound need a projector, which is not counted; --mmproj"
estimate gemma-3-4b -c 4096 -M "$T/big.json"
like "a vision model without a projector: said" "$out" "$sees"
estimate qwen3-8b -c 4096 -M "$T/big.json"
ok "a language model: nothing of projectors" test "${out/$sees/}" = "$out"
estimate qwen3-8b -mm projector.gguf
is "a projector that is not there: exit 2" "$status" 2
like "a projector that is not there: named" "$err" '^plimsoll: projector\.gguf: no such file'
estimate qwen3-8b -md "$T/draft.gguf"
is "a draft model that is not there: exit 2" "$status" 2
like "a draft model that is not there: named" "$err" 'draft\.gguf: no such file'
estimate qwen3-8b -c 4096 -nr --control-vector v.gguf -ngl 12 -M "$T/gpu.json" --json
is "control vectors: one per layer but the first" "$(json '[.pools[].parts.extra.bytes] | add')" $((35 * 4096 * 4))
estimate qwen3-8b -c 4096 --override-kv tokenizer.ggml.add_bos_token=bool:false
is "a tokenizer's key sizes nothing: told" "$status" 0
estimate qwen3-8b -c 4096 --override-kv qwen3.block_count=int:12
is "a key of the geometry that the tensors contradict: refused, as the engine does" "$status" 2
estimate qwen3-8b --override-kv qwen3.context_length=int:8192 --json
is "a key of the geometry: as the engine reads it" "$(json .settings.n_ctx)" 8192
# a draft model is an estimate of its own, at the target's context and slots
"$PLIMSOLL" ghost qwen3-0.6b -o "$T/draft.gguf" >/dev/null 2>&1
own=$("$PLIMSOLL" estimate "$T/draft.gguf" -c 8192 -np 2 -nr -ctk q8_0 -M "$T/big.json" --json |
    jq '.pools[0].parts | .weights.bytes + .kv.bytes + .compute.bytes + .output.bytes')
estimate qwen3-8b -c 8192 -np 2 -nr -md "$T/draft.gguf" --spec-type draft-simple -ctkd q8_0 -M "$T/big.json" --json
is "a draft model: its own parts" "$(json '.pools[0].parts.draft.bytes')" "$own"
is "a draft model: the total is the parts" \
    "$(json '.pools[0] | ([.parts[].bytes] | add) == .steady.bytes')" true
is "a draft model: held as files and anonymous" \
    "$(json '.pools[0] | .held.anon.bytes + .held.file_hot.bytes == .steady.bytes')" true
estimate qwen3-8b -c 8192 -np 2 -md "$T/draft.gguf" --spec-type draft-simple -devd none -M "$T/gpu.json" --json
is "a draft model kept on the CPU: nothing on the GPU" "$(json '.pools[1].parts.draft.bytes')" 0
for bad in '--ctx-sise 5:--ctx-size' '--cache-typ-k q8_0:--cache-type-k'; do
    read -ra words <<<"${bad%%:*}"
    estimate qwen3-8b "${words[@]}"
    is "${words[0]}: exit 2" "$status" 2
    like "${words[0]}: the nearest" "$err" "did you mean ${bad#*:}\\?"
done
for bad in '-c five' '-c -1' '-c 99999999999' '-ctk q8_9' '-fa perhaps' '-ngl some' '-np 257' '-b 0' \
    '-ctv q8_0 -fa off' '--port 0' '-c' '-lm tape'; do
    read -ra words <<<"$bad"
    estimate qwen3-8b "${words[@]}"
    is "$bad: exit 2" "$status" 2
    is "$bad: nothing on stdout" "$out" ""
    like "$bad: one line, perhaps with a hint" "$(grep -c . <<<"$err")" '^[12]$'
done
estimate
is "no model: exit 2" "$status" 2
echo '{' >"$T/bad.json"
estimate qwen3-8b -M "$T/bad.json"
is "a machine file that is none: exit 2" "$status" 2
like "a machine file that is none: its line" "$err" "^plimsoll: $T/bad.json:[0-9]+:"

# the environment counts as it does for llama-server, and a flag goes before it
run env LLAMA_ARG_CTX_SIZE=2048 "$PLIMSOLL" estimate smollm2-135m --json
is "LLAMA_ARG_CTX_SIZE" "$(json .settings.n_ctx)" 2048
run env LLAMA_ARG_CTX_SIZE=2048 "$PLIMSOLL" estimate smollm2-135m -c 1024 --json
is "LLAMA_ARG_CTX_SIZE, and a flag" "$(json .settings.n_ctx)" 1024
run env LLAMA_ARG_CTX_SIZE=much "$PLIMSOLL" estimate smollm2-135m
is "LLAMA_ARG_CTX_SIZE, senseless: exit 2" "$status" 2
like "LLAMA_ARG_CTX_SIZE, senseless: named" "$err" '^plimsoll: LLAMA_ARG_CTX_SIZE: '

# the prompt cache may grow until nothing is left: constrained, and the advice is right
estimate qwen2.5-0.5b -c 4096 -M "$T/tiny.json"
is "prompt cache: exit 0" "$status" 0
like "prompt cache: constrained" "$out" '^verdict +constrained$'
advice=$(sed -nE 's/.*cap it with --cache-ram ([0-9]+)$/\1/p' <<<"$out")
like "prompt cache: advice" "$advice" '^[1-9][0-9]*$'
estimate qwen2.5-0.5b -c 4096 -M "$T/tiny.json" --cache-ram "$advice" --strict
like "prompt cache: the advice taken: safe" "$out" '^verdict +safe$'
is "prompt cache: the advice taken: exit 0" "$status" 0
estimate qwen2.5-0.5b -c 4096 -M "$T/tiny.json" --cache-ram $((advice + 1))
like "prompt cache: one MiB more: constrained" "$out" '^verdict +constrained$'
estimate qwen2.5-0.5b -c 4096 -M "$T/tiny.json" --cache-ram -1
like "prompt cache: no limit: constrained" "$out" '^verdict +constrained$'

# what is available lies inside the interval: fragile
estimate qwen2.5-0.5b -c 4096 --cache-ram 0 -M "$T/big.json" --json
likely=$(json '[.pools[0].steady.bytes, .pools[0].load_peak.bytes] | max')
high=$(json '[.pools[0].steady.high, .pools[0].load_peak.high] | max')
machine between $(((likely + high) / 2))
machine enough "$high"
machine short $((likely - 1))
estimate qwen2.5-0.5b -c 4096 --cache-ram 0 -M "$T/between.json"
is "fragile: exit 0" "$status" 0
like "fragile: said" "$out" '^verdict +fragile$'
like "fragile: why" "$out" '^ +ram: likely .* fits, but it may reach '
estimate qwen2.5-0.5b -c 4096 --cache-ram 0 -M "$T/between.json" --strict
is "fragile, --strict: exit 1" "$status" 1
estimate qwen2.5-0.5b -c 4096 --cache-ram 0 -M "$T/enough.json" --strict
is "available is just the high end: exit 0" "$status" 0
estimate qwen2.5-0.5b -c 4096 --cache-ram 0 -M "$T/short.json"
is "one byte short of likely: exit 1" "$status" 1

# a file and the catalogue model it stands for need the same
for m in qwen2.5-0.5b:q4_k_m smollm2-135m:q8_0; do
    "$PLIMSOLL" ghost "$m" -o "$T/g.gguf" >/dev/null
    estimate "$m" -c 8192 -np 3 -ctk q8_0 -M "$T/big.json" --json
    want=$(json '{settings, pools, speed: (.speed | del(.load_seconds)), verdict}')
    estimate "$T/g.gguf" -c 8192 -np 3 -ctk q8_0 -M "$T/big.json" --json
    is "$m: its ghost needs the same" "$(json '{settings, pools, speed: (.speed | del(.load_seconds)), verdict}')" "$want"
done

# an architecture nobody knows: the header of a sound file, renamed in place
head -c 2000000 "$T/g.gguf" | LC_ALL=C sed 's/llama/lambo/g' >"$T/head"
dd if="$T/head" of="$T/g.gguf" conv=notrunc bs=1M 2>/dev/null
estimate "$T/g.gguf"
is "an unknown architecture: exit 3" "$status" 3
like "an unknown architecture: named" "$err" "^plimsoll: cannot tell: architecture 'lambo'"
is "an unknown architecture: no figure" "$out" ""

# what was measured before is cited
if [ -n "${PLIMSOLL_ENGINES:-}" ] && engine llama-server >/dev/null; then
    flags="-c 4096 -t 1 -tb 1 --cache-ram 0"
    ok "a run to cite" "$PLIMSOLL" try smollm2-135m $flags -p 64 -n 4 -r 1 --warmup 0
    estimate smollm2-135m $flags
    like "the run is cited, and what it measured" "$out" \
        '^run 1 +2[0-9-]+: smollm2-135m Q4_K_M -c 4096 .* measured [0-9]+ MiB'
    estimate smollm2-135m $flags --json
    is "--json: the run is cited" "$(json '.runs[0].id')" 1
    estimate smollm2-135m --ledger "$T/empty.db" --json
    is "another ledger: nothing is cited" "$(json '.runs | length')" 0
    not_ok "another ledger: reading makes none" test -e "$T/empty.db"
else
    skip "a cited run" "no engines: PLIMSOLL_ENGINES names no folder"
fi
done_testing
