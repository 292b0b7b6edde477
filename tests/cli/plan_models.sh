#!/bin/bash
# Plans of models: what is chosen is what `estimate` says of the printed settings, and the least of
# what is given up goes first.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"

machine() { # GPU_BYTES [GPU1_BYTES]: one or two cards beside 32 GB
    local second=
    [ -n "${2:-}" ] && second=",{\"pool\": \"gpu1\", \"kind\": \"dedicated\", \"capacity\": $2, \"available\": $2}"
    cat >"$T/m.json" <<END
{"schema": "plimsoll.assess/1", "pools": [
 {"pool": "ram", "kind": "host", "capacity": 32000000000, "available": 30000000000},
 {"pool": "gpu0", "kind": "dedicated", "capacity": $1, "available": $1}$second]}
END
}
stack() { # MODEL QUANT [MORE KEYS OF THE CANDIDATE]
    cat >"$T/s.yaml" <<END
plimsoll: 1
components:
  llm:
    required: true
    min_decode: 0
    context: {min: 2048, want: 16384}
    candidates: [{model: $1, quant: $2, quality: 1${3:-}}]
END
}
plan() { run "$PLIMSOLL" plan "$T/s.yaml" --machine "$T/m.json" --json "$@"; }
llm() { jq -c ".components.llm$1" <<<"$out"; }

# what is planned equals what estimate says, pool by pool
same=0
for model in qwen3-0.6b:q8_0 qwen3-8b:q4_k_m llama-3.2-3b:q4_k_m; do
    for gpu in 2000000000 5000000000 9000000000; do
        stack "${model%:*}" "${model#*:}"
        machine "$gpu"
        plan
        planned=$(jq -c '[.budget[] | {(.pool): [.steady.bytes, .steady.high, .peak.high, .load_peak.high]}] | add' <<<"$out")
        flags=$(jq -r .components.llm.settings.flags <<<"$out")
        # shellcheck disable=SC2086 # flags are words
        run "$PLIMSOLL" estimate "$model" $flags --machine "$T/m.json" --json
        want=$(jq -c '[.pools[] | {(.pool): [.steady.bytes, .steady.high, .peak.high, .load_peak.high]}] | add' <<<"$out")
        # a pool that nothing is taken from has no row
        ok=$(jq -n --argjson a "$planned" --argjson b "$want" '$a == ($b | with_entries(select(.value[2] > 0)))')
        [ "$ok" = true ] && same=$((same + 1)) || diag "$model $gpu: $flags: planned $planned, estimated $want"
    done
done
is "nine plans: bytes of every pool as estimate says of the printed flags" "$same" 9

# the preferred first: all on the device, then the least is given up
stack qwen3-8b q4_k_m
machine 24000000000
plan
is "room for all: all layers, the context wanted" "$(llm .settings | jq -r '"\(.context) \(.flags)"')" \
    "16384 -c 16384 -np 1 -no-kvu -ngl 9999 -cram 0"
machine 6500000000
plan
like "less: the context or some layers shrink" "$(llm .settings.flags)" '-c (8192|4096) .*-ngl 9999|-c 16384 .*-ngl 27'
machine 1200000000
plan
like "too small for a quarter: on the host" "$(llm .settings.flags)" '-ngl 0'

# several devices: one is enough, and named
machine 24000000000 8000000000
plan
like "one of two devices" "$(llm .settings.flags)" '-dev [A-Za-z]+0'
is "nothing on the other" "$(jq '[.budget[] | select(.pool == "gpu1")] | length' <<<"$out")" 0
machine 5000000000 5000000000
plan
is "too large for either: spread, all layers" \
    "$(jq -c '[.budget[].pool] | sort' <<<"$out") $(llm .settings.flags | grep -c -- '-ngl 9999')" '["gpu0","gpu1","ram"] 1'

# types of the cache: only those the candidate names, the first preferred
stack qwen3-8b q4_k_m ', kv_types: [f16, q8_0], flags: [-ngl, "99"]'
sed -i 's/{min: 2048, want: 16384}/{min: 16384, want: 16384}/' "$T/s.yaml"
machine 24000000000
plan
is "room: the first type" "$(llm .settings.flags | grep -c q8_0)" 0
machine 7300000000
plan
like "less room: the next" "$(llm .settings.flags)" 'q8_0'

# a mixture of experts: beside fewer layers, all layers with the experts of some on the host. Every
# place is tried out with `estimate`, and the best by the plan's own terms is the one planned:
# context, then how much stays on devices, a layer without its experts being half of one there.
places() { # BLOCKS: parts of 16 on devices, and the flags
    local k
    echo "16 -ngl 9999"
    for k in 1 2 3 4 5 6 7; do echo "$((16 - k)) -ngl 9999 -ncmoe $(($1 * k / 8))"; done
    echo "8 -ngl 9999 -cmoe"
    for k in 3 2 1; do echo "$((4 * k)) -ngl $((($1 + 1) * k / 4))"; done
    echo "0 -dev none -ngl 0"
}
stack qwen3-30b-a3b q4_k_m
"$PLIMSOLL" inspect qwen3-30b-a3b:q4_k_m --json >"$T/model"
blocks=$(jq '[.. | objects | .block_count? // .n_layer? // empty][0] // 48' "$T/model")
for gpu in 24000000000 16000000000 12000000000 8000000000 5000000000; do
    machine "$gpu"
    plan
    flags=$(llm .settings.flags | tr -d '"')
    got=none
    [ "$status" -eq 0 ] && got=$("$PLIMSOLL" estimate qwen3-30b-a3b:q4_k_m $flags --machine "$T/m.json" --json | jq -c '[.pools[].peak.high]')
    best=-1 want=none
    for context in 16384 8192 4096 2048; do
        while read -r parts place; do
            # the sum of what is missing, in millionths, as the plan counts it
            short=$(((16384 - context) * 1000000 / 16384 + (16 - parts) * 1000000 / 16))
            [ "$best" -ge 0 ] && [ "$short" -ge "$best" ] && continue
            # shellcheck disable=SC2086 # flags are words
            read -r verdict peaks < <("$PLIMSOLL" estimate qwen3-30b-a3b:q4_k_m -c "$context" -np 1 -no-kvu $place -cram 0 --machine "$T/m.json" --json |
                jq -r '[(if ([.pools[] | select(.pool == "ram" and .peak.high > 30000000000 or .pool == "gpu0" and ([.peak.high, .load_peak.high] | max) > '"$gpu"')] | length) == 0 then "fits" else "over" end), ([.pools[].peak.high] | tojson)] | join(" ")')
            [ "$verdict" = fits ] && best=$short want=$peaks
        done < <(places "$blocks")
    done
    short=$(jq '[.objective[] | select(.name == "settings_shortfall")][0].value' <<<"$out")
    is "experts, $gpu bytes of a card: as good as every place tried out" "$short" "$best"
    diag "$gpu: $flags: $got; tried out: $want"
done
machine 12000000000
plan
like "experts: some on the host rather than layers" "$(llm .settings.flags)" '-ngl 9999 .*-ncmoe [0-9]+'
stack qwen3-30b-a3b q4_k_m ', flags: [-ncmoe, "48"]'
plan
unlike "experts: what the flags place stays" "$(llm .settings.flags)" '-ncmoe .*-ncmoe|-cmoe'

# an unrelated pool changes nothing
for gpu in 2000000000 6500000000 24000000000; do
    stack qwen3-4b q4_k_m
    machine "$gpu"
    plan
    before=$(jq -c '[.components, .load_order, .verdict]' <<<"$out")
    jq '.pools += [{"pool": "attic", "kind": "cap", "capacity": 9000000000000, "available": 9000000000000}]' "$T/m.json" >"$T/m2.json"
    mv "$T/m2.json" "$T/m.json"
    plan
    is "a huge pool beside changes nothing: $gpu" "$(jq -c '[.components, .load_order, .verdict]' <<<"$out")" "$before"
done

# what the stack's own processes hold is available to it
cat >"$T/s.yaml" <<'END'
plimsoll: 1
components:
  a: {required: true, candidates: [{name: a, footprint: {gpu0: {steady: 3GiB}}}]}
END
cat >"$T/m.json" <<'END'
{"schema": "plimsoll.assess/1", "pools": [
 {"pool": "unified", "kind": "unified", "capacity": 8589934592, "available": 2147483648},
 {"pool": "gpu0", "kind": "dedicated", "parent": "unified", "capacity": 8589934592, "available": 2147483648}]}
END
plan
is "held by itself, not said: no plan" "$status" 1
plan --holding gpu0=2GiB
is "said: it fits, on the parent too" "$status" 0
is "and the plan says so" "$(jq -r '.notes[]' <<<"$out")" 'what this stack holds now is available to it: gpu0 2.00 GiB'
plan --holding gpu0=512MiB
is "not enough of it" "$status" 1
run "$PLIMSOLL" plan "$T/s.yaml" --machine "$T/m.json" --holding attic=1GiB
is "no such pool: exit 2" "$status" 2
like "and the pool" "$err" "no pool 'attic'"
run "$PLIMSOLL" plan "$T/s.yaml" --machine "$T/m.json" --holding 4711
is "no such process: exit 2" "$status" 2
like "and what to say instead" "$err" 'give its bytes by pool'
# a process of this system, as assess lists it
sed -i 's/gpu0: {steady: 3GiB}/ram: {steady: 1MiB}/' "$T/s.yaml"
run "$PLIMSOLL" assess --json
pid=$(jq '[.consumers[] | select(.pid != null and .pid > 0 and .host.bytes > 4194304)][0].pid // empty' <<<"$out")
if [ -n "$pid" ]; then
    run "$PLIMSOLL" plan "$T/s.yaml" --holding "$pid" --json
    like "a process: what it holds" "$(jq -r '.notes[]' <<<"$out")" 'available to it: ram [0-9.]+ [MG]iB'
else
    skip "a process: what it holds" "no process of its own is listed here"
fi
done_testing
