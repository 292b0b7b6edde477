#!/bin/bash
# plimsoll models, and names of models as people write them. Expected values: awk over data/*.tsv.
. "$(dirname "$0")/../lib.sh"
tsv=$PLIMSOLL_SOURCE/data/models.tsv
count() { # CONDITION over c[column]
    awk -F'\t' 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; next } '"$1"' { n++ } END { print n + 0 }' "$tsv"
}

run "$PLIMSOLL" models
is "lists the catalogue: exit 0" "$status" 0
like "as many rows as the table" "$out" "^$(count 1) of $(count 1) models"
like "a mixture of experts: active parameters beside" "$out" "^qwen3-30b-a3b +30\.5B \(3\.3"
like "a quality that nobody measured is unknown" "$out" "unknown +catalogue$"

run "$PLIMSOLL" models --kind embed
like "--kind" "$out" "^$(count '$c["kind"] == "embed"') of"
run "$PLIMSOLL" models --licence apache --kind llm --min-context 100000
like "licence, kind and context together" "$out" \
    "^$(count '$c["licence"] ~ /apache/ && $c["kind"] == "llm" && $c["ctx_train"] + 0 >= 100000') of"
run "$PLIMSOLL" models qwen3 coder
unlike "every word must be there" "$out" "^(qwen3-8b|qwen2)"
like "words" "$out" "^qwen3-coder-30b-a3b "
run "$PLIMSOLL" models nothing-of-this-name
is "none: exit 1" "$status" 1
run "$PLIMSOLL" models --quant q4_k_x
is "an unknown quantisation: exit 2" "$status" 2
run "$PLIMSOLL" models --kind poem
is "an unknown kind: exit 2" "$status" 2

if command -v jq >/dev/null; then
    run "$PLIMSOLL" models --json
    is "JSON: all rows" "$(jq '.models | length' <<<"$out")" "$(count 1)"
    is "JSON: the length of a published file, within 6 KiB" \
        "$(jq '.models[] | select(.id == "qwen3-8b") | .file_bytes - 5027783488 | fabs < 6144' <<<"$out")" true
    is "JSON: what cannot be told is null, not 0" "$(jq '[.models[] | select(.file_bytes == 0 or .parameters == 0)] | length' <<<"$out")" 0
    is "JSON: every quality has its source" \
        "$(jq '[.models[] | select(.quality != null and (.quality.source | length) == 0)] | length' <<<"$out")" 0
    run "$PLIMSOLL" models --max-size 2GiB --kind llm --json
    is "--max-size: none is larger" "$(jq '[.models[] | select(.file_bytes > 2147483648)] | length' <<<"$out")" 0
else
    skip "JSON" "jq is not installed"
fi

for name in qwen3:8b "qwen3 8b q4" Qwen/Qwen3-8B Qwen3-8B-Q4_K_M.gguf; do
    run "$PLIMSOLL" inspect "$name"
    like "a name: $name" "$out" "Qwen3 8B"
done
run "$PLIMSOLL" inspect "qwen3 30b"
is "several models of a name: exit 2" "$status" 2
like "the choices" "$err" "qwen3-30b-a3b, qwen3-30b-a3b-2507"
run "$PLIMSOLL" inspect qwen3-9b
is "an unknown name: exit 2" "$status" 2
like "the nearest" "$err" "qwen3-8b"
done_testing
