#!/bin/bash
# Speed as a user meets it. Expected values come from the rows that others measured, and from the tables.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"
rows=$PLIMSOLL_SOURCE/data/speed_rows.tsv devices=$PLIMSOLL_SOURCE/data/devices.tsv
estimate() { run "$PLIMSOLL" estimate "$@"; }
json() { jq -c "$1" <<<"$out"; }
bandwidth() { awk -F'\t' -v id="$1" '$1 == id { print $11 * 1e9 }' "$devices"; }

# named cards: what people measured lies in the interval in nine of ten
asked=0 held=0
while IFS=$'\t' read -r id rate; do
    estimate llama-2-7b:q4_0 --device "$id" --ram 64GiB -ngl 99 -c 512 -np 1 --json
    asked=$((asked + 1))
    held=$((held + $(jq --argjson v "$rate" '.speed.decode_at[0].tokens_per_second
        | if .low <= $v and $v <= .high then 1 else 0 end' <<<"$out")))
done < <(awk -F'\t' '$4 == "CUDA" && $6 == "llama-2-7b" && $7 == "Q4_0" && $12 == 0 && $19 == "A" && !seen[$1]++ {
    print $1 "\t" $16 }' "$rows" | head -20)
ok "measured rates of $asked cards lie in the interval ($held)" awk -v a="$asked" -v h="$held" 'BEGIN { exit !(a > 10 && h >= 0.8 * a) }'

# never above what the bandwidth of the data allows, weights alone
for id in rtx4090 rtx3060-12g rx7900xtx; do
    estimate qwen3-8b:q4_k_m --device $id --ram 64GiB -ngl 99 -c 4096 -np 1 --json
    # the file but its embedding table, which is only looked up: 151936 x 4096 values of Q4_K
    roof=$(jq --argjson b "$(bandwidth $id)" '$b / (.model.file_bytes - 151936 * 4096 / 256 * 144)' <<<"$out")
    ok "$id: below the roofline" jq -e --argjson roof "$roof" '.speed.decode_tokens_per_second
        | .low <= .value and .value <= .high and .high <= $roof * 1.01 and .source == "derived"' <<<"$out"
done
ok "the time to the first token is the prompt over prefill" jq -e '.speed
    | (.prompt_tokens / .prefill_tokens_per_second.value / .time_to_first_token_seconds.value - 1) | fabs < 1e-9' <<<"$out"
ok "deeper is slower" jq -e '[.speed.decode_at[].tokens_per_second.value] | . == (sort | reverse) and length > 1' <<<"$out"
estimate qwen3-8b:q4_k_m --device rtx4090 --ram 64GiB -ngl 99 -c 4096 --why
like "--why: the shares of a step with their figures" "$out" '^decode +gpu0 .*GB of weights .* at 1008 GB/s'

# a mixture of experts reads what is chosen
estimate qwen3-30b-a3b:q4_k_m --device rtx4090 --ram 64GiB -ngl 99 -c 4096 -np 1 --json
ok "a mixture: more than the whole file over the bandwidth" jq -e --argjson b "$(bandwidth rtx4090)" \
    '.speed.decode_tokens_per_second | .value > $b / 18.5e9 and .source == "assumed"' <<<"$out"
all=$(json .speed.decode_tokens_per_second.value)
estimate qwen3-30b-a3b:q4_k_m --device rtx4090,cpu-ddr5-5600-dual --ram 64GiB -ngl 99 -ncmoe 48 -c 4096 -np 1 --json
ok "its experts on the host: slower, by their bytes" jq -e --argjson all "$all" \
    '.speed.decode_tokens_per_second | .value < $all / 2 and .value > 0' <<<"$out"

# ways to be faster: offered where the model has what they ask for
faster() { jq -c --arg m "$1" '.accelerations[] | select(.method == $m) | '"$2" <<<"$out"; }
on=(--device rtx4090 --ram 64GiB -ngl 99 -c 4096 -np 1)
estimate qwen3-30b-a3b:q4_k_m "${on[@]}" --why --json
decode=$(json .speed.decode_tokens_per_second.value)
is "a draft of the same family and vocabulary" "$(faster "draft model" '[.offered, .why]')" '[true,"qwen3-0.6b has the same vocabulary"]'
is "its share is small enough" "$(faster "own draft layers" .offered)" false
is "fewer experts: not below what is recorded" "$(faster "fewer experts" .flags)" '"--override-kv qwen3moe.expert_used_count=int:4"'
ok "fewer experts are faster" jq -e --argjson d "$decode" '.accelerations[] | select(.method == "fewer experts")
    | .projected_tokens_per_second.value > $d and .measured_tokens_per_second == null' <<<"$out"
few=$(faster "fewer experts" .projected_tokens_per_second.value)
estimate qwen3-30b-a3b:q4_k_m "${on[@]}" --override-kv qwen3moe.expert_used_count=int:4 --json
is "as fast as with those flags" "$(json .speed.decode_tokens_per_second.value)" "$few"
estimate qwen3-8b:q4_k_m "${on[@]}" --why --json
is "a dense model has no experts to leave out" "$(faster "fewer experts" .offered)" false
decode=$(json .speed.decode_tokens_per_second.value)
lookup=$(faster "prompt lookup" .projected_tokens_per_second)
ok "drafts: from slower to faster" jq -e --argjson d "$decode" '.accelerations[] | select(.offered)
    | .projected_tokens_per_second | .low < $d and .high > $d and .source == "assumed"' <<<"$out"
estimate qwen3-8b:q4_k_m "${on[@]}" --spec-type ngram-simple --json
is "prompt lookup: as with its flags" "$(json .speed.decode_speculative_tokens_per_second)" "$lookup"
"$PLIMSOLL" ghost qwen3-0.6b:q8_0 -o "$T/draft.gguf" >/dev/null 2>&1
"$PLIMSOLL" ghost smollm2-135m:q8_0 -o "$T/other.gguf" >/dev/null 2>&1
estimate qwen3-8b:q4_k_m "${on[@]}" -md "$T/draft.gguf" --json
is "a draft model without --spec-type drafts nothing" "$(json .speed.decode_speculative_tokens_per_second.why)" '"no drafting is asked for"'
estimate qwen3-8b:q4_k_m "${on[@]}" -md "$T/other.gguf" --spec-type draft-simple --json
like "one of another vocabulary is let go" "$(json .speed.decode_speculative_tokens_per_second.why)" 'its vocabulary is another'
estimate qwen3-8b:q4_k_m "${on[@]}" -md "$T/draft.gguf" --spec-type draft-simple --json
is "one of the same drafts" "$(json .speed.decode_speculative_tokens_per_second.source)" '"assumed"'
estimate smollm2-135m:q8_0 "${on[@]}" --why --json
is "nothing of the catalogue is small enough to draft for it" "$(faster "draft model" .offered)" false

# the cliff
estimate qwen3-32b:q4_k_m --device rtx4080,cpu-ddr5-5600-dual --ram 64GiB -c 8192 --json
without=$status
estimate qwen3-32b:q4_k_m --device rtx4080,cpu-ddr5-5600-dual --ram 64GiB -c 8192 --offload-steps --json
is "--offload-steps: exit as without" "$status" "$without"
ok "--offload-steps: every one" jq -e '[.offload_steps[].n_gpu_layers] == [range(0; 66)]' <<<"$out"
ok "--offload-steps: more on a faster device is faster" jq -e \
    '[.offload_steps[].decode_tokens_per_second.value] | . == sort' <<<"$out"
ok "--offload-steps: the largest that fits" jq -e '(.offload_steps | map(select(.largest_that_fits))) as $l
    | ($l | length) == 1 and ([.offload_steps[] | select(.verdict == "safe" or .verdict == "constrained")]
    | last.n_gpu_layers) == $l[0].n_gpu_layers and $l[0].n_gpu_layers < 65' <<<"$out"
ok "--offload-steps: the last step is the cliff" jq -e '.offload_steps
    | .[65].decode_tokens_per_second.value > 1.5 * .[62].decode_tokens_per_second.value' <<<"$out"
estimate qwen3-32b:q4_k_m -ngl 30 --device rtx4080,cpu-ddr5-5600-dual --ram 64GiB -c 8192 --min-decode 20
is "--min-decode: exit 1 below the floor" "$status" 1
like "--min-decode: says so" "$out" 'is below the floor of 20$'
estimate qwen3-32b:q4_k_m -ngl 30 --device rtx4080,cpu-ddr5-5600-dual --ram 64GiB -c 8192 --min-decode 2
is "--min-decode: exit 0 above it" "$status" 0
printf '{"schema": "plimsoll.assess/1", "pools": [{"pool": "ram", "kind": "host", "capacity": 68719476736, "available": 60000000000}]}' >"$T/m.json"
estimate qwen3-8b:q4_k_m -c 4096 -M "$T/m.json" --min-decode 2
is "--min-decode: exit 3 when speed is unknown" "$status" 3
estimate qwen3-8b:q4_k_m -c 4096 -M "$T/m.json" --offload-steps
is "--offload-steps without a device: exit 2" "$status" 2
run "$PLIMSOLL" assess --device rtx4090,cpu-ddr5-5600-dual,cpu-rpi5
is "--device with two processors: exit 2" "$status" 2

# this machine: nothing is measured unasked; what is measured is remembered and used
estimate qwen2.5-0.5b:q4_k_m -c 2048 --json
ok "estimate measures nothing by itself" [ ! -e "$PLIMSOLL_LEDGER" ]
is "prefill is unknown before" "$(json .speed.prefill_tokens_per_second.value)" null
run "$PLIMSOLL" assess --bandwidth --json
if [ "$(json '.cpu.int8_operations_per_second.source')" = '"measured"' ]; then
    ok "--bandwidth: bytes are multiplied faster than floats" jq -e \
        '.cpu | .int8_operations_per_second.value > .float_operations_per_second.value' <<<"$out"
    int8=$(json .cpu.int8_operations_per_second)
    printf '%s\n' "$out" >"$T/here.json"
    run "$PLIMSOLL" assess --json
    is "--bandwidth: remembered" "$(json .cpu.int8_operations_per_second)" "$int8"
    estimate qwen2.5-0.5b:q4_k_m -c 2048 --json
    ok "known after" jq -e '.speed | .prefill_tokens_per_second.source == "derived" and
        .decode_tokens_per_second.source == "derived" and
        .decode_tokens_per_second.high <= .roofline_tokens_per_second' <<<"$out"
    speed=$(json .speed.decode_tokens_per_second.value)
    estimate qwen2.5-0.5b:q4_k_m -c 2048 -M "$T/here.json" --json
    ok "the same from its machine file, whose bandwidth is whole bytes" jq -e --argjson v "$speed" \
        '.speed.decode_tokens_per_second.value / $v - 1 | fabs < 1e-4' <<<"$out"
    # rows of an expert are multiplied one by one in the repacked layout: it brings a mixture less than a dense model
    gain() { # MODEL: prefill as it is over prefill without repacking
        "$PLIMSOLL" estimate "$1" -c 2048 -M "$T/here.json" --json >"$T/with.json"
        "$PLIMSOLL" estimate "$1" -c 2048 -M "$T/here.json" --no-repack --json >"$T/without.json"
        jq -n --slurpfile a "$T/with.json" --slurpfile b "$T/without.json" \
            '[$a[0], $b[0]] | map(.speed.prefill_tokens_per_second.value) | .[0] / .[1]'
    }
    if grep -qw avx2 /proc/cpuinfo; then
        ok "repacking brings a mixture less" awk -v m="$(gain olmoe-1b-7b:q4_0)" -v d="$(gain llama-3.2-1b:q4_0)" \
            'BEGIN { exit !(m > 1 && d > 1.5 * m) }'
    else
        skip "repacking brings a mixture less" "no AVX2 here: nothing is repacked"
    fi
else
    skip "--bandwidth: arithmetic" "this machine does not let it be measured"
fi
done_testing
