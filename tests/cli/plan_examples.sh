#!/bin/bash
# The example stacks on the machines they were written for: what they come to, beside the figures
# they were first budgeted with (told in their comments).
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"
examples=$PLIMSOLL_SOURCE/examples machines=$PLIMSOLL_SOURCE/examples/machines
plan() { # STACK MACHINE options: the plan as JSON in $out
    local stack=$1 machine=$2
    shift 2
    run "$PLIMSOLL" plan "$examples/$stack.yaml" --machine "$machines/$machine.json" --json "$@"
}
picks() { jq -c '[.components[] | .candidate]' <<<"$out"; }
valid() { ok "$1: as the schema says" python3 "$PLIMSOLL_SOURCE/tests/cli/validate.py" "$PLIMSOLL_SOURCE/data/schema/plan.json" "$T/.out"; }
row() { jq ".budget[] | select(.component == \"$1\" and .pool == \"$2\") | .peak.$3" <<<"$out"; }
within() { # NAME VALUE LOW HIGH
    ok "$1: $2 within $3 and $4" awk -v v="$2" -v a="$3" -v b="$4" 'BEGIN { exit !(v >= a && v <= b) }'
}

plan voice desktop-rtx3070 --env development
is "voice, development: exit 0" "$status" 0
valid "voice, development"
is "voice, development: the largest that fits" "$(picks)" '["distil-large-v3","qwen3-8b","kokoro-82m"]'
within "voice: 5.28 GB, measured above the baseline, is in the 8B's interval" 5280000000 "$(row llm gpu0 low)" "$(row llm gpu0 high)"
ok "voice: 4.5 GB, the first projection, is below it" [ "$(row llm gpu0 low)" -gt 4500000000 ]
is "voice: the desktop has a row" "$(jq '.pools[] | select(.pool == "gpu0") | .used' <<<"$out")" 660000000
within "voice: the total, first 7.5 GB" "$(jq '.pools[] | select(.pool == "gpu0") | .planned' <<<"$out")" 7100000000 7600000000
like "voice: for sessions, not day and night" "$(jq -c .duty <<<"$out")" '"session":"OK for sessions","24/7":"not for 24/7'
plan voice laptop-rtx2070maxq --env production
is "voice, production: the 4B" "$(picks)" '["distil-large-v3","qwen3-4b","kokoro-82m"]'
ok "voice, production: under 5.5 GB" [ "$(jq '.pools[] | select(.pool == "gpu0") | .planned' <<<"$out")" -le 5500000000 ]
ok "voice, production: the 4B is more than its 2.5 GB file" [ "$(row llm gpu0 low)" -gt 2500000000 ]
is "voice, production: day and night" "$(jq -r '.duty["24/7"]' <<<"$out")" "OK for 24/7"
like "voice, production: why not the 8B" "$(jq -r .components.llm.why <<<"$out")" 'not qwen3-8b: gpu0 would hold'
is "voice, production: the ladder" "$(jq -c '[.ladder[] | .component + ">" + .step]' <<<"$out")" \
    '["stt>distil-medium.en","llm>phi-3.5-mini","tts>piper"]'
is "voice: English only costs that; Phi frees nothing of the card; Piper moves to main memory" \
    "$(jq -c '[(.ladder[] | select(.step == "distil-medium.en") | .cost | test("only en")), (.ladder[] | select(.step == "phi-3.5-mini") | .frees[] | select(.pool == "gpu0") | .bytes < 0), (.ladder[] | select(.step == "piper") | .frees[] | select(.pool == "gpu0") | .bytes > 0)]' <<<"$out")" \
    '[true,true,true]'
export VOICE_LANGUAGE=de
plan voice laptop-rtx2070maxq --env production
unset VOICE_LANGUAGE
is "voice in German: the English-only rung is out" "$(jq -c '[.ladder[] | .step]' <<<"$out")" '["phi-3.5-mini","piper"]'
plan voice desktop-rtx3070 --objective capability
a=$(jq -r .components.llm.candidate <<<"$out")
plan voice desktop-rtx3070 --objective reliability
is "the same candidates: capability and reliability" "$a $(jq -r .components.llm.candidate <<<"$out")" "qwen3-8b qwen3-4b"
plan voice laptop-rtx2070maxq --env production --objective capability
is "below 5.5 GB there is only the 4B for either" "$(jq -r .components.llm.candidate <<<"$out")" qwen3-4b
sum=$(awk 'BEGIN { printf "%.2f", 1.5 + 5.8 + 0.2 + 0.66 }')
is "the hand-made budget with its desktop" "$sum" 8.16

for gb in 64 128 256 512 1024; do
    plan roles server-$gb --env ram$gb
    is "roles, $gb GB: exit 0" "$status" 0
    printf '%s\n' "$out" >"$T/roles-$gb"
done
tiers() { jq -c '[.components | to_entries[] | select(.value.served and .value.tier == "'"$2"'") | .key]' "$T/roles-$1"; }
is "64 GB: no escalation, no architects" "$(jq -c '[.cannot[] | select(startswith("no "))]' "$T/roles-64")" \
    '["no coder_escalation","no ingest","no architect_general","no architect_coding"]'
is "256 GB: ingest and one architect take turns" "$(tiers 256 warm)" '["ingest","architect_general"]'
is "512 GB: the architects take turns" "$(tiers 512 warm)" '["architect_general","architect_coding"]'
is "1 TB: all roles resident" "$(tiers 1024 warm) $(jq '[.components[] | select(.served)] | length' "$T/roles-1024")" '[] 8'
is "256 GB: the total is the sum of its rows" "$(jq '
    ([.budget[] | . as $b | select($b.charged)] | map({(.component): .peak.high}) | add) as $peak
    | ([.components | to_entries[] | select(.value.tier == "hot" and .value.served) | $peak[.key]] | add) +
      ([.components | to_entries[] | select(.value.tier == "warm" and .value.served) | $peak[.key]] | max)
    == (.pools[] | select(.pool == "ram") | .planned)' "$T/roles-256")" true

# scaled down: the front door is the last to go
order="frontdoor workers coder_escalation ingest architect_general architect_coding"
seen=""
for gb in 460 380 300 200 150 100 90 50 45 26 22; do
    export RAM_LINE=${gb}GB
    plan roles server-1024
    got=$(jq -r '[.components | to_entries[] | select(.value.served and .key != "draft" and .key != "worker_vision") | .key] | join(" ")' <<<"$out")
    [ "${order#"$got"}" != "$order" ] || { diag "$gb GB: $got"; seen="wrong"; }
    n=$(wc -w <<<"$got")
    [ "${last:-6}" -ge "$n" ] || { diag "$gb GB: more than above it"; seen="wrong"; }
    last=$n
    [ "$seen" = wrong ] || case " $seen " in *" $n "*) ;; *) seen="$seen $n" ;; esac
done
is "shrinking: roles go one by one from the last priority up" "$seen" " 6 5 4 3 2 1"
# scaled up: quantisations, then requests at once, then context, then what waits is kept loaded
best=""
for gb in 205 208 210 212 214 216 218 220 225 230 240 260 280 300; do
    export RAM_LINE=${gb}GB
    plan roles server-1024
    best+=$(jq -c "[$gb, .components.frontdoor.candidate == \"coder-30b-q6\" and .components.workers.candidate == \"7b-f16\", .components.workers.settings.slots == 4, .components.frontdoor.settings.context == 16384, .components.ingest.tier == \"hot\"]" <<<"$out")$'\n'
done
unset RAM_LINE
firsts=$(jq -sc '[range(1; 5) as $i | (map(select(.[1] and .[$i]) | .[0]) | min)]' <<<"$best")
is "growing: larger quantisations, more requests, more context, then what waits stays loaded: $firsts" \
    "$(jq -c '. == sort and .[2] < .[3]' <<<"$firsts")" true

plan jetson jetson-orin-nx-16
is "jetson: exit 0" "$status" 0
is "jetson: the best that one allocation may hold" "$(jq -r .components.llm.candidate <<<"$out")" iq4_xs
like "jetson: why not Q4_K_M" "$(jq -r .components.llm.why <<<"$out")" 'not q4_k_m: its largest allocation exceeds the 4.00 GiB'
ok "jetson: not faster than its memory" awk -v s="$(jq .components.llm.decode_tokens_per_second <<<"$out")" 'BEGIN { exit !(s > 0 && s < 102.4 / 4.14) }'
is "jetson: the largest is loaded first" "$(jq -r '.load_order[0]' <<<"$out")" llm
sed 's/largest: 4GiB/largest: 8GiB/' "$examples/jetson.yaml" >"$T/jetson.yaml"
run "$PLIMSOLL" plan "$T/jetson.yaml" --machine "$machines/jetson-orin-nx-16.json" --json
is "jetson: without that limit Q4_K_M fits" "$(jq -r .components.llm.candidate <<<"$out")" q4_k_m

plan pose desktop-rtx5070ti
is "pose, 16 GB: four streams of 32" "$(jq -r .components.pose.candidate <<<"$out")" 4x32
plan pose pc-rtx3070ti
is "pose, 8 GB: four streams too" "$status $(jq -r .components.pose.candidate <<<"$out")" "0 4x32"
plan pose laptop-12gb
is "pose, 12 GB: exit 0" "$status" 0
plan single desktop-rtx2070super
is "single: a 7B in 4 bits fits beside the desktop" "$status $(jq -r .components.assistant.candidate <<<"$out")" "0 qwen2.5-7b"
ok "single: below the 5.5 to 6.5 GB that were feared" [ "$(row assistant gpu0 high)" -lt 5600000000 ]
done_testing
