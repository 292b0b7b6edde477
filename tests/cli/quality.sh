#!/bin/bash
# Quality with its source, the rule of thumb beside the truth, and a user's own rows. Expected values:
# the documents' arithmetic by awk, data/*.tsv by awk.
. "$(dirname "$0")/../lib.sh"
quants=$PLIMSOLL_SOURCE/data/quants.tsv
measured() { # MIX COLUMN of the row made without an importance matrix, else of any
    awk -F'\t' -v mix="$1" -v want="$2" 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; next }
        $2 == "mix" && $1 == mix && (v == "" || $c["imatrix"] == "none") { v = $c[want] } END { print v }' "$quants"
}

# the rule, exactly: parameters x multiplier x 1.1
while read -r id billions; do
    run "$PLIMSOLL" estimate "$id" -c 2048 --rule-of-thumb
    want=$(awk -v b="$billions" 'BEGIN { v = sprintf("%.7g", b * 0.5 * 1.1); print v ~ /\./ ? v : v ".0" }')
    like "$id: $billions x 0.5 x 1.1 = $want GB" "$out" "^ +$billions x 0\.5 x 1\.1 = ${want/./\\.} GB$"
    like "$id: what is true beside it" "$out" '^ +in truth the file has [0-9.]+ GB \([0-9.]+ GiB\), and serving it'
done <<END
qwen2.5-7b 7
qwen2.5-32b 32
qwen3-235b-a22b 235
qwen3-coder-480b-a35b 480
END
is "the seven it names" "$(grep -cE '^(F16|Q8_0|Q6_K|Q5_K_M|Q4_K_M|Q3_K_M|Q2_K) +[0-9]' <<<"$out")" 7
run "$PLIMSOLL" estimate qwen2.5-7b:iq4_xs -c 2048 --rule-of-thumb
like "one that it does not name: said" "$out" 'no multiplier for IQ4_XS'

run "$PLIMSOLL" estimate qwen2.5-7b:q4_0 -c 2048
like "a quantisation's cost, with the source" "$out" \
    "^quality +Q4_0, without an importance matrix: perplexity [+]$(printf '%.3f' "$(measured Q4_0 llama3_8b_dppl)") against F16, KL divergence $(printf '%.4f' "$(measured Q4_0 llama3_8b_kld)")"
like "where that was measured" "$out" '^ +measured on Llama 3 8B, wikitext-2 \(llama.cpp tools/perplexity/README.md'
like "one is smaller and better: named" "$out" '^ +IQ4_XS, .* smaller and nearer'
unlike "no bare percentage" "$(grep -A4 '^quality' <<<"$out")" '[0-9] ?%'
run "$PLIMSOLL" estimate qwen2.5-7b:bf16 -c 2048
like "nobody measured it: unknown" "$out" '^quality +of BF16 against F16: unknown'
run "$PLIMSOLL" inspect all-minilm-l6-v2
like "a model without a score: unknown" "$out" 'of the model: unknown'

run "$PLIMSOLL" models --quants
like "bits as measured" "$out" "^Q4_K_M +$(printf '%.2f' "$(measured Q4_K_M llama31_8b_bpw_computed)") "
like "with source and date" "$out" '^bits and tensors: .*README.md.*20[0-9-]+\)$'
unlike "nominal only when asked" "$out" nominal
run "$PLIMSOLL" models --quants --nominal
like "--nominal" "$out" '^Q4_K_M .* 4 +0\.5 +98%$'
run "$PLIMSOLL" models --nominal
is "--nominal alone: exit 2" "$status" 2
run "$PLIMSOLL" models --fits --local
is "two lists at once: exit 2" "$status" 2

# a user's own rows
rows=$XDG_CONFIG_HOME/plimsoll/models.tsv
mkdir -p "$(dirname "$rows")"
printf 'id\tgguf_arch\tn_layer\tn_embd\tn_ff\tn_head\tn_head_kv\tn_vocab\n# mine\nmy-8b\tllama\t32\t4096\t14336\t32\t8\t128256\nqwen3-8b\tqwen3\t2\t1024\t3072\t16\t8\t151936\n' >"$rows"
run "$PLIMSOLL" models my
like "a row of one's own: yours" "$out" '^my-8b .* yours$'
run "$PLIMSOLL" inspect my-8b:q4_k_m
like "is a MODEL: its parameters" "$out" '8.03 billion'
run "$PLIMSOLL" inspect qwen3-8b
like "takes the place of ours" "$out" 'parameters +336 million'
printf 'id\tgguf_arch\tn_layer\tn_embd\tn_ff\tn_head\tn_head_kv\tn_vocab\nother\tllama\t2\t256\t512\t4\t4\t1000\n' >"$T/more.tsv"
run "$PLIMSOLL" inspect other --catalogue "$T/more.tsv"
is "--catalogue: exit 0" "$status" 0
PLIMSOLL_CATALOGUE=$T/more.tsv run "$PLIMSOLL" inspect other
is "PLIMSOLL_CATALOGUE: exit 0" "$status" 0
run "$PLIMSOLL" inspect other
is "without them: exit 2" "$status" 2
bad() { # NAME TEXT WHERE WORDS
    printf "$2" >"$T/bad.tsv"
    run "$PLIMSOLL" models --catalogue "$T/bad.tsv"
    is "$1: exit 2" "$status" 2
    like "$1: where and why" "$err" "^plimsoll: $T/bad\.tsv:$3: $4"
}
bad "an unknown column" 'id\tgguf_arhc\n' 1:4 "unknown column 'gguf_arhc'"
like "an unknown column: a hint" "$err" '^hint: did you mean gguf_arch\?'
bad "no number" '# x\nid\tn_embd\na\tfour\n' 3:3 "n_embd: 'four' is not a number"
bad "a cell too many" 'id\tn_embd\na\t4\t5\n' 2:5 'more than 2 cells'
bad "a cell too few" 'id\tn_embd\na\n' 2:1 '1 cells, not 2'
bad "twice" 'id\na\nb\na\n' 4:1 'a twice, first in line 2'
bad "no id" 'n_embd\n4\n' 1:1 "no column 'id'"
bad "beyond any model" 'id\tn_layer\na\t513\n' 2:3 'n_layer: 513 is more than 512'
bad "an unknown kind" 'id\tkind\na\tpoem\n' 2:3 "kind: 'poem' is not one of"
run "$PLIMSOLL" models --catalogue "$T/absent.tsv"
is "no such table: exit 2" "$status" 2
rm "$rows"

# what fits
printf '{"schema": "plimsoll.assess/1", "pools": [{"pool": "ram", "kind": "host", "capacity": 8589934592, "available": 6442450944}]}' >"$T/m.json"
run "$PLIMSOLL" models --fits -M "$T/m.json" --kind llm
is "--fits: exit 0" "$status" 0
like "--fits: a model and its quantisation" "$out" '^qwen3-8b:(q[2345]|iq)[a-z0-9_]* '
like "--fits: those without speed say so" "$out" ' unknown +'
if command -v jq >/dev/null; then
    run "$PLIMSOLL" models --fits -M "$T/m.json" --json
    is "--fits: none is larger than the room" \
        "$(jq '[.fits[] | select(.steady.high > 6442450944)] | length' <<<"$out")" 0
    is "--fits: every score has its source" \
        "$(jq '[.fits[] | select(.quality != null and (.quality.source | length) == 0)] | length' <<<"$out")" 0
    is "--fits: each is what an estimate says" "$(jq -r '.fits[range(0; 250; 50)] // empty | "\(.id):\(.quant) \(.n_ctx) \(.steady.bytes)"' <<<"$out")" \
        "$(jq -r '.fits[range(0; 250; 50)] // empty | "\(.id):\(.quant) \(.n_ctx)"' <<<"$out" | while read -r model ctx; do
            printf '%s %s ' "$model" "$ctx"
            "$PLIMSOLL" estimate "$model" -c "$ctx" -np 1 --cache-ram 0 -M "$T/m.json" --json | jq .pools[0].steady.bytes
        done)"
    run "$PLIMSOLL" models --fits -M "$T/m.json" --sort size --max-size 1GiB --licence apache --min-quality 0.05 --json
    is "--fits: filters and order" "$(jq '[.fits[].file_bytes] | length > 0 and . == (sort | reverse) and max <= 1073741824' <<<"$out")" true
    run "$PLIMSOLL" estimate qwen3-235b-a22b -c 2048 --rule-of-thumb --json
    is "JSON: the rule" "$(jq -c '.rule_of_thumb | [.parameters_billions, .multiplier, .gigabytes, .file_bytes > 140000000000]' <<<"$out")" "[235,0.5,129.25,true]"
    is "JSON: quality" "$(jq -r '.quality.quantisation | .name + " " + .source' <<<"$out")" "Q4_K_M llama.cpp tools/perplexity/README.md, revision f364eb6f"
else
    skip "JSON" "jq is not installed"
fi
printf '{"schema": "plimsoll.assess/1", "pools": [{"pool": "ram", "kind": "host"}]}' >"$T/u.json"
run "$PLIMSOLL" models --fits -M "$T/u.json"
is "--fits: the room is unknown: exit 3" "$status" 3
done_testing
