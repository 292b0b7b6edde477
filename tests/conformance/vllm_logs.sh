#!/bin/bash
# What vLLM reported of itself, in public logs (vllm_logs.tsv), beside what we say for the same model,
# memory and flags. Every row states how far off we may be. Where a log gives the cache's size as
# found, it is handed over as --kv-cache-memory-bytes, and the tokens are what is compared.
# The log of issue 10517 does not show --max-num-seqs; its activations leave no room for 256.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"
table=$PLIMSOLL_SOURCE/tests/conformance/vllm_logs.tsv
machine() { # DEVICES GIB
    awk -v n="$1" -v gib="$2" 'BEGIN {
        b = int(gib * 1073741824)
        printf "{\"schema\": \"plimsoll.assess/1\", \"pools\": [{\"pool\": \"ram\", \"kind\": \"host\", \"capacity\": 549755813888, \"available\": 500000000000}"
        for (i = 0; i < n; i++) printf ", {\"pool\": \"gpu%d\", \"kind\": \"dedicated\", \"capacity\": %.0f, \"available\": %.0f}", i, b, b
        print "]}"
    }' >"$T/machine.json"
}
gpu() { jq -r ".pools[1].parts.$1.bytes / 1073741824" <<<"$out"; }
while IFS=$'\t' read -r model devices total flags fact reported percent source; do
    [ "$model" = model ] && continue
    machine "$devices" "$total"
    # shellcheck disable=SC2086 # flags are words
    run "$PLIMSOLL" estimate "$model" --engine vllm $flags -M "$T/machine.json" --json
    name="$model $flags: $fact ${source##*/}"
    case $fact in
    weights_gib) ours=$(gpu weights) ;;
    activation_gib) ours=$(gpu compute) ;;
    kv_gib) ours=$(gpu kv) ;;
    starts)
        is "$name" "$([ "$status" -eq 0 ] && echo yes || echo no)" "$reported"
        continue
        ;;
    *) ours=$(jq -r ".facts.$fact.value" <<<"$out") ;;
    esac
    diag "$name: reported $reported, ours $ours"
    ok "$name within $percent %" awk -v a="$ours" -v b="$reported" -v p="$percent" \
        'BEGIN { d = (a - b) / b * 100; exit !(d <= p && d >= -p) }'
done <"$table"
done_testing
