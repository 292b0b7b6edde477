#!/bin/bash
# What fits and how far it goes. Every limit is checked by `estimate` on both sides; the front, the
# order and the best by jq from the options themselves; the matrix by `estimate` of each cell.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"
machine() { # FILE CAPACITY AVAILABLE
    printf '{"schema": "plimsoll.assess/1", "pools": [{"pool": "ram", "kind": "host", "capacity": %s, "available": %s}]}' "$2" "$3" >"$1"
}
machine "$T/12.json" 12884901888 11811160064
machine "$T/2.json" 2147483648 1610612736
card=(--device rtx3060-12g --ram 32GiB)
verdict() { # MODEL FLAGS...
    "$PLIMSOLL" estimate "$@" --json | jq -r .verdict
}
fits() { [[ $(verdict "$@") =~ ^(safe|constrained)$ ]]; }

# sides NAME JQ MACHINE...: of the options that jq picks, what was found fits and the next does not
sides() {
    local name=$1 pick=$2 spec flags over n=0
    shift 2
    while IFS=$'\t' read -r spec flags over; do
        [ -n "$spec" ] || continue
        n=$((n + 1))
        # shellcheck disable=SC2086
        ok "$name: $spec $flags fits" fits "$spec" $flags "$@"
        [ "$over" = null ] && continue
        # shellcheck disable=SC2086
        not_ok "$name: and not $over" fits "$spec" $flags $over "$@"
    done < <(jq -r ".models[] | .model as \$m | $pick" "$T/fit")
    ok "$name: some were checked ($n)" test "$n" -gt 0
}
every=7
[ "${PLIMSOLL_FULL:-0}" -ge 1 ] && every=1
contexts='[.options[] | select(.max_ctx.value > 0)] | to_entries[] | select(.key % '$every' == 0) | .value | ["\($m):\(.quant)", .flags, (if .max_ctx.does_not_fit then "-c \(.max_ctx.does_not_fit)" else "null" end)] | @tsv'
for model in qwen3-8b gemma-3-4b qwen3-30b-a3b; do
    "$PLIMSOLL" fit "$model" --max-ctx --machine "$T/12.json" --json >"$T/fit"
    sides "$model on 12 GiB" "$contexts" --machine "$T/12.json"
    "$PLIMSOLL" fit "$model" --max-ctx "${card[@]}" --json >"$T/fit"
    sides "$model on a card" "$contexts" "${card[@]}"
    is "$model: each limit is a step from the next, or the model's own" \
        "$(jq -c '.models[] | .n_ctx_limit as $l | .options[].max_ctx | select(.does_not_fit != null and .value > 0 and .does_not_fit != .value + 256 and .does_not_fit != $l)' "$T/fit")" ""
    is "$model: where nothing is over, all of the context" \
        "$(jq -c '.models[] | .n_ctx_limit as $l | .options[].max_ctx | select(.does_not_fit == null and .value != $l and .value != 0)' "$T/fit")" ""
    is "$model: a coarser cache never reaches less" "$(jq -r '.models[].options | group_by([.quant, .where])[] |
        select(.[0].where != "split" and .[0].where != "some experts on host") | (map({(.type_kv): .max_ctx.value}) | add) | select(.q8_0 < .f16 or .q4_0 < .q8_0)' "$T/fit")" ""
done

# neither the host nor the card holds the file alone: what a full card leaves, the host holds
big=(--device rtx3090 --ram 64GiB)
"$PLIMSOLL" fit gpt-oss-120b "${big[@]}" --json >"$T/fit"
is "shared by host and card: as it was published, experts on both" \
    "$(jq -r '.models[0] | .options[.best] | "\(.quant) \(.where) \(.fits)"' "$T/fit")" "MXFP4_MOE some experts on host true"
held=$(jq -r '.models[0] | .options[.best].n_cpu_moe' "$T/fit")
shared() { fits gpt-oss-120b -c 8192 -np 1 -ngl 99 -ncmoe "$1" -fit off -cram 0 "${big[@]}"; }
ok "shared: experts of $held layers on the host fit" shared "$held"
not_ok "shared: of one layer less do not" shared $((held - 1))
not_ok "shared: of all do not" shared 36
"$PLIMSOLL" fit llama-3.3-70b --device rtx4090 --ram 32GiB --json >"$T/fit"
split=$(jq -r '.models[0] | .options[.best] | "\(.quant) \(.n_gpu_layers)"' "$T/fit")
layers() { fits "llama-3.3-70b:${split% *}" -c 8192 -np 1 -ngl "$1" -fit off -cram 0 --device rtx4090 --ram 32GiB; }
ok "a dense one: $split layers on the card fit" layers "${split#* }"
not_ok "a dense one: and not one more" layers $((${split#* } + 1))
not_ok "a dense one: nor none" layers 0

"$PLIMSOLL" fit qwen3-8b --max-slots --context 4096 "${card[@]}" --json >"$T/fit"
sides "slots on a card" '[.options[] | select(.max_slots.value > 0)] | to_entries[] | select(.key % '$every' == 0) | .value | ["\($m):\(.quant)", .flags, (if .max_slots.does_not_fit then "-np \(.max_slots.does_not_fit) -c \(.max_slots.does_not_fit * 4096)" else "null" end)] | @tsv' "${card[@]}"
is "slots: each has its context" "$(jq -r '.models[].options[] | select(.max_slots.value > 0) | .max_slots.value as $n | select((.flags | test("-c \($n * 4096) ")) | not) | .flags' "$T/fit")" ""

"$PLIMSOLL" fit qwen3-8b --best-quant --context 32768 "${card[@]}" --json >"$T/fit"
best=$(jq -r '.models[0] | .options[.best] | "\(.quant) \(.type_kv) \(.where)"' "$T/fit")
# by another reader: known fast, 8 bits of cache or more, nearest to F16, then the finer cache
want=$(jq -r '[.models[0].options[] | select(.fits and .type_kv != "q4_0" and .decode_tokens_per_second.value != null and .decode_tokens_per_second.value >= 5)]
    | sort_by([.kl_divergence // 9, (if .type_kv == "f16" then 0 else 1 end), -.decode_tokens_per_second.value])[0] | "\(.quant) \(.type_kv) \(.where)"' "$T/fit")
is "the best quantisation with 32768 tokens" "$best" "$want"
sides "the best" '.options[.best] | ["\($m):\(.quant)", .flags, "null"] | @tsv' "${card[@]}"
above=$(jq -r '.models[0] | .options[.better] | .quant' "$T/fit")
not_ok "$above, named as nearer to F16, does not fit" fits "qwen3-8b:$above" -c 32768 -np 1 -ngl 99 --fit off --cache-ram 0 "${card[@]}"

# the front: nowhere worse and better somewhere, by jq over all pairs
"$PLIMSOLL" fit qwen3-8b "${card[@]}" --json >"$T/fit"
front=$(jq -c '.models[0].options | map(. + {r: ({f16: 0, q8_0: 1, q4_0: 2}[.type_kv]), s: (.decode_tokens_per_second.value // 0), c: .max_ctx.value}) as $o
    | [range(0; $o | length) as $i | $o[$i] as $p | select($p.kl_divergence != null and $p.c > 0)
       | select([$o[] | select(.kl_divergence != null and .c > 0) | select(.kl_divergence <= $p.kl_divergence and .r <= $p.r and .c >= $p.c * 0.95 and .s >= $p.s * 0.95
            and (.kl_divergence < $p.kl_divergence or .r < $p.r or $p.c < .c * 0.95 or $p.s < .s * 0.95))] == []) | $i]' "$T/fit")
is "the front" "$(jq -c '[.models[0].options | to_entries[] | select(.value.front) | .key]' "$T/fit")" "$front"
preset() { jq -r ".models[0] | .options[.presets.$1] | \"\(.quant) \(.type_kv) \(.where)\"" "$T/fit"; }
fastest() { # JQ-CONDITION
    jq -r "[.models[0].options[] | select(.fits and .kl_divergence != null and ($1))] | (map(.decode_tokens_per_second.value // 0) | max) as \$top
        | map(select((.decode_tokens_per_second.value // 0) >= \$top * 0.95)) | min_by([.kl_divergence, {f16: 0, q8_0: 1, q4_0: 2}[.type_kv]]) | \"\(.quant) \(.type_kv) \(.where)\"" "$T/fit"
}
limit=$(jq '[.models[0].options[] | select(.quant == "Q4_K_M")][0].kl_divergence' "$T/fit")
is "preset quality is the best" "$(jq '.models[0] | .best == .presets.quality' "$T/fit")" true
is "preset balanced: of the fastest that are as good as Q4_K_M the best" "$(preset balanced)" "$(fastest ".kl_divergence <= $limit and .type_kv != \"q4_0\"")"
is "preset speed: of the fastest the best" "$(preset speed)" "$(fastest true)"
ok "the front holds several" test "$(jq length <<<"$front")" -gt 3
is "quality is what was measured, with its source" "$(jq -r '.models[0].options[] | select(.quant == "Q4_K_M") | .kl_divergence' "$T/fit" | sort -u)" \
    "$(awk -F'\t' 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; next } $2 == "mix" && $1 == "Q4_K_M" && $c["imatrix"] == "none" { printf "%g\n", $c["llama3_8b_kld"] }' "$PLIMSOLL_SOURCE/data/quants.tsv" | head -n 1)"
run "$PLIMSOLL" fit qwen3-8b "${card[@]}"
like "text: the best" "$out" '^best [A-Z0-9_]+, KV f16, devices: '
like "text: both sides" "$out" '^ +up to [0-9]+ tokens; [0-9]+ do not fit$'
like "text: a line to paste" "$out" '^ +llama-server -m qwen3-8b-.*\.gguf -c [0-9]+ '
like "text: where quality was measured" "$out" 'measured on Llama 3 8B'

# a mixture of experts on a card: the experts of as few layers as it takes on the host
"$PLIMSOLL" fit qwen3-30b-a3b "${card[@]}" --json >"$T/fit"
some=0
while IFS=$'\t' read -r quant layers context; do
    some=$((some + 1))
    own=(-c "$context" -np 1 -ngl 99 --fit off --cache-ram 0 "${card[@]}")
    ok "experts: $quant with those of $layers layers on the host fits" fits "qwen3-30b-a3b:$quant" -ncmoe "$layers" "${own[@]}"
    not_ok "experts: $quant with one layer less does not" fits "qwen3-30b-a3b:$quant" -ncmoe $((layers - 1)) "${own[@]}"
done < <(jq -r '.models[0] | .n_ctx_slot as $c | [.options[] | select(.where == "some experts on host")] | to_entries[] | select(.key % '$every' == 0) | .value | [.quant, .n_cpu_moe, $c] | @tsv' "$T/fit")
ok "experts: some were checked ($some)" test "$some" -gt 0
# with the host's bandwidth known
jq '(.pools[] | select(.pool == "ram")) |= (. + {bandwidth_bytes_per_second: {bytes: 40000000000, low: 38000000000, high: 42000000000, source: "declared"}})
    | .cpu.int8_operations_per_second = {value: 1e12, low: 1e12, high: 1e12, source: "declared"} | .cpu.float_operations_per_second = {value: 4e11, low: 4e11, high: 4e11, source: "declared"}' \
    "$PLIMSOLL_SOURCE/examples/machines/desktop-rtx3070.json" >"$T/fast.json"
"$PLIMSOLL" fit qwen3-30b-a3b --machine "$T/fast.json" --json >"$T/fit"
ok "experts: speeds are known" jq -e '[.models[0].options[] | select(.where == "some experts on host") | .decode_tokens_per_second.value] | length > 3 and all(. != null)' "$T/fit"
is "experts: each is faster than with all of them on the host" "$(jq -c '[.models[0].options | group_by(.quant)[] | map(select(.type_kv == "f16" and .fits)) | [.[] | select(.where == "some experts on host")][0] as $a | [.[] | select(.where == "experts on host")][0] as $b
    | select($a != null and $b != null and $a.decode_tokens_per_second.value <= $b.decode_tokens_per_second.value) | $a.quant]' "$T/fit")" '[]'

# a file has one quantisation; engine flags stay as given
"$PLIMSOLL" ghost qwen3-0.6b:q8_0 -o "$T/a b.gguf" >/dev/null
run "$PLIMSOLL" fit "$T/a b.gguf" --machine "$T/2.json" --json
is "a file: its own quantisation" "$(jq -r '[.models[0].options[].quant] | unique | join(",")' <<<"$out")" Q8_0
like "a file: the line names it, quoted" "$(jq -r '.models[0].options[0].command' <<<"$out")" "^llama-server -m '.*a b\.gguf' -c"
run "$PLIMSOLL" fit qwen3-0.6b:q4_k_m -ctk q8_0 -ctv q8_0 -np 2 -ub 256 --machine "$T/2.json" --json
is "flags: types as given" "$(jq -r '[.models[0].options[].type_kv] | unique | join(",")' <<<"$out")" q8_0
like "flags: kept in the line" "$(jq -r '.models[0].options[0].command' <<<"$out")" '-np 2 .*-ub 256'

# the list
run "$PLIMSOLL" fit --kind llm "${card[@]}" --min-decode 20 --sort speed --json
is "the list: exit 0" "$status" 0
is "the list: none below the floor" "$(jq '[.fits[].decode_tokens_per_second.value | select(. != null and . < 20)] | length' <<<"$out")" 0
is "the list: fastest first" "$(jq '[.fits[].decode_tokens_per_second.value] | . == (sort | reverse)' <<<"$out")" true
printf '%s' "$out" >"$T/list"
while IFS=$'\t' read -r id flags; do
    # shellcheck disable=SC2086
    ok "the list: $id with its line" fits "$id" $flags "${card[@]}"
done < <(jq -r '.fits | to_entries[] | select(.key % 25 == 0) | .value | ["\(.id):\(.quant)", (.command | sub("llama-server -m [^ ]+ "; ""))] | @tsv' "$T/list")
run "$PLIMSOLL" fit --kind llm --licence apache "${card[@]}" --json
is "the list: only the licence asked for" "$(jq '[.fits[].licence | select(test("apache") | not)] | length' <<<"$out")" 0

# the matrix
run "$PLIMSOLL" fit llama-2-7b --matrix --device rtx5070ti --device rtx4070ti --device rtx3070ti --ram 32GiB --json
printf '%s' "$out" >"$T/matrix"
cell() { jq -r --arg p "$1" --arg m "$2" '.matrix[] | select(.precision == $p) | .machines[] | select(.machine == $m) | .fits' "$T/matrix"; }
is "the matrix: five rows, three machines" "$(jq -c '[.matrix[].machines | length]' "$T/matrix")" '[3,3,3,3,3]'
is "7B in FP32 fits none of them" "$(cell FP32 rtx5070ti)$(cell FP32 rtx4070ti)$(cell FP32 rtx3070ti)" nonono
is "7B in INT8 does not fit 8 GB" "$(cell INT8 rtx3070ti)" no
like "7B in INT4 runs on 8 GB" "$(cell INT4 rtx3070ti)" '^(fits|tight)$'
while IFS=$'\t' read -r quant device fit slots; do
    want=$(fits "llama-2-7b:$quant" -c 4096 -np 1 -ngl 99 --fit off --cache-ram 0 --device "$device" --ram 32GiB && echo yes || echo no)
    case $fit in fits) is "$quant on $device: $fit" yes "$want" ;; no) is "$quant on $device: $fit" no "$want" ;; esac
    [ "$slots" -gt 1 ] || continue
    ok "$quant on $device: $slots slots" fits "llama-2-7b:$quant" -c $((4096 * slots)) -np "$slots" -ngl 99 --fit off --cache-ram 0 --no-kv-unified --device "$device" --ram 32GiB
    not_ok "$quant on $device: not $((slots + 1))" fits "llama-2-7b:$quant" -c $((4096 * (slots + 1))) -np $((slots + 1)) -ngl 99 --fit off --cache-ram 0 --no-kv-unified --device "$device" --ram 32GiB
done < <(jq -r '.matrix[] | .quant as $q | .machines[] | [$q, .machine, .fits, .max_slots] | @tsv' "$T/matrix")
is "each no has its reason" "$(jq '[.matrix[].machines[] | select(.fits == "no" and .reason == null)] | length' "$T/matrix")" 0
run "$PLIMSOLL" fit llama-2-7b --matrix --machine "$T/12.json" --machine "$T/2.json"
like "the matrix of machine files" "$out" '^precision +file +12\.json +2\.json'

# what cannot be
run "$PLIMSOLL" fit llama-3.3-70b --machine "$T/2.json"
is "nothing fits: exit 1" "$status" 1
printf '{"schema": "plimsoll.assess/1", "pools": [{"pool": "ram", "kind": "host"}]}' >"$T/unknown.json"
run "$PLIMSOLL" fit qwen3-0.6b --machine "$T/unknown.json"
is "unknown memory: exit 3" "$status" 3
for bad in "--max-ctx" "qwen3-8b --max-ctx --max-slots" "qwen3-8b --kind llm" "qwen3-8b --quant q4_0" \
    "no-such-model" "qwen3-8b --matrix --machine $T/none.json" "a b --matrix" "qwen3-8b --sort nonsense" \
    "qwen3-8b --machine $T/12.json --machine $T/2.json" "qwen3-8b --min-decode x"; do
    # shellcheck disable=SC2086
    run "$PLIMSOLL" fit $bad
    is "fit ${bad//$T/.}: exit 2" "$status" 2
done
done_testing
