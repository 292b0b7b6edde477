#!/bin/bash
# plimsoll compare: runs, files of runs, settings and machines side by side; golden runs.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"

# VERSION BACKEND ARCH MODEL MACHINE STATUS DISTURBED RUNTIME RUNTIME DECODE DECODE FLAGS SPREAD
cat >"$T/rows" <<'EOF'
b1 cpu llama one m1 ok 0 20000000 100000000 20 20.0 -c_1 0.02
b2 cpu llama one m1 ok 0 20000000 120000000 20 18.0 -c_1 0.02
b2 cpu llama one m1 ok 0 20000000 100500000 20 19.8 -c_1 0.02
b2 cpu llama one m1 ok 1 20000000 100000000 20 5.0 -c_1 0.02
b1 cpu llama two m1 ok 0 20000000 100000000 20 20.0 -c_1 0.02
EOF
db=$T/l.db
"$PLIMSOLL_BUILD/tests/unit/make_ledger" "$db" "$T/rows"
cmp() { "$PLIMSOLL" compare "$@" --ledger "$db" --json; }
of() { jq -r --arg w "$1" '.rows[] | select(.of == $w) | "\(.is) \(.difference // 0 | . * 1000 | round)"'; }

is "slower beyond the noise" "$(cmp 1 2 | of decode)" "worse -100"
is "bigger" "$(cmp 1 2 | of 'ram runtime')" "worse 200"
is "the other way round" "$(cmp 2 1 | of decode)" "better 111"
is "inside the noise nobody wins" "$(cmp 1 3 | jq -c '[.rows[].is] | unique')" '["same"]'
is "measured under load: not compared" "$(cmp 1 4 | of decode)" "unknown -750"
is "but its memory is" "$(cmp 1 4 | of 'ram total')" "same 0"
is "aligned or not" "$(cmp 1 2 | jq .aligned) $(cmp 2 3 | jq .aligned) $(cmp 1 5 | jq .aligned)" "false true false"
run "$PLIMSOLL" compare 1 2 --ledger "$db"
is "text: exit 0" "$status" 0
like "text: what is not the same" "$out" '^version +b1 \| b2'
like "text: a row" "$out" '^decode +20.0 tokens/s +18.0 tokens/s +-10.0 % +3.0 % +worse'
for words in '1 99' '0 1' '1' '1 x' '1 2 3' '1 2 --ab' 'qwen3-8b --a -c_9 --b -x'; do
    # shellcheck disable=SC2086 # words
    run "$PLIMSOLL" compare $words --ledger "$db"
    is "compare $words: exit 2" "$status" 2
done

"$PLIMSOLL" runs --ledger "$db" --limit 0 --json >"$T/dev.json"
"$PLIMSOLL_BUILD/tests/unit/make_ledger" "$T/prod.db" <(sed 's/^b2 \(.*\) 19.8/b2 \1 9.9/; s/ two / three /' "$T/rows" | grep -v ' ok 1 ')
"$PLIMSOLL" runs --ledger "$T/prod.db" --limit 0 --json >"$T/prod.json"
# the newest run of each kind: of b2 it is the disturbed one in dev
run "$PLIMSOLL" compare "$T/dev.json" "$T/prod.json" --json
is "files: exit 0" "$status" 0
is "files: aligned by model, quantisation, context and engine version" \
    "$(jq -c '[([.pairs[] | [.model, .engine_version]] | sort), .only_a, .only_b]' <<<"$out")" \
    '[[["one","b1"],["one","b2"]],1,1]'
is "files: the disturbed one gives no speed" \
    "$(jq -r '.pairs[] | select(.engine_version == "b2") | .rows[] | select(.of == "decode").is' <<<"$out")" unknown
run "$PLIMSOLL" compare "$T/dev.json" "$T/prod.json"
like "files: in words" "$out" '^2 pairs of the same model, quantisation, context and engine version; 1 of A and 1 of B'
echo '{"schema": "plimsoll.runs/1", "runs": [{"model": 3}, 7, null]}' >"$T/odd.json"
run "$PLIMSOLL" compare "$T/odd.json" "$T/dev.json"
is "files: odd runs are passed by" "$status" 0
echo '{"schema"' >"$T/broken.json"
run "$PLIMSOLL" compare "$T/broken.json" "$T/dev.json"
is "files: no JSON: exit 2" "$status" 2
run "$PLIMSOLL" compare "$T/nothing.json" "$T/dev.json"
is "files: absent: exit 2" "$status" 2

run "$PLIMSOLL" compare qwen3-0.6b:q8_0 --a "-c 4096" --b "-c 8192" --json
is "settings: exit 0" "$status" 0
is "settings: as two estimates" \
    "$(jq -c '.rows[] | select(.of == "ram kv") | [.a, .b, .is]' <<<"$out")" \
    "[$("$PLIMSOLL" estimate qwen3-0.6b:q8_0 -c 4096 --json | jq '.pools[0].parts.kv.bytes'),$("$PLIMSOLL" estimate qwen3-0.6b:q8_0 -c 8192 --json | jq '.pools[0].parts.kv.bytes'),\"worse\"]"
"$PLIMSOLL" assess --device rtx3090 --ram 64GiB --json >"$T/m1.json"
"$PLIMSOLL" assess --device rtx4090 --ram 64GiB --json >"$T/m2.json"
run "$PLIMSOLL" compare "$T/m1.json" "$T/m2.json" --model qwen3-8b -c 8192 -ngl 99 --json
is "machines: exit 0" "$status" 0
ok "machines: the faster one decodes more" jq -e '.rows[] | select(.of == "decode") | .b > .a' "$T/.out"
run "$PLIMSOLL" compare "$T/m1.json" "$T/m2.json"
is "machines without a model: exit 2" "$status" 2
run "$PLIMSOLL" compare qwen3-0.6b:q8_0 --a "-c 4096" --b "-c 8192" --ab --machine "$T/m1.json"
is "--ab on a machine of a file: exit 2" "$status" 2
run "$PLIMSOLL" try qwen3-0.6b:q8_0 --golden --no-ledger
is "try --golden without a ledger: exit 2" "$status" 2

for target in 'x=1' decode decode= decode=-1 first_token=soon memory=0 'decode=1,'; do
    run "$PLIMSOLL" try qwen3-0.6b:q8_0 --target "$target"
    is "try --target $target: exit 2" "$status" 2
done
run "$PLIMSOLL" try qwen3-30b-a3b:q4_k_m --offline --override-kv qwen3moe.expert_used_count=int:2 --force --no-ledger \
    --engine /nonexistent
is "fewer experts: --force goes on to the engine" "$status" 4
est() { "$PLIMSOLL" estimate qwen3-30b-a3b:q4_k_m -c 512 --override-kv "qwen3moe.expert_used_count=int:$1" --json; }
like "two experts a token: below what is recorded" "$(est 2 | jq -r '.reasons[]')" \
    '^2 experts a token is below 4, the least that is recorded as safe'
like "four: not below it" "$(est 4 | jq -r '.reasons[]')" '^4 experts a token instead of its own 8: .*not below'
unlike "eight: nothing to say" "$(est 8 | jq -r '.reasons[]')" 'experts a token'

if ! engine llama-server >/dev/null; then
    skip "golden runs, and pairs on the engine" "no engine: tools/fetch-engines gets one"
    done_testing
fi
try=(try smollm2-135m:q8_0 -c 512 --repeats 2 --warmup 0 --prompt 16 --predict 4 --ledger "$T/g.db" --json)
run "$PLIMSOLL" "${try[@]}" --golden-check
is "no golden run: exit 3" "$status" 3
is "no golden run: none is named" "$(jq -c .watch <<<"$out")" null
run "$PLIMSOLL" "${try[@]}" --golden
is "a golden run: exit 0" "$status" 0
like "a golden run: listed" "$("$PLIMSOLL" runs --ledger "$T/g.db")" '^ *2 .* golden'
run "$PLIMSOLL" "${try[@]}" --golden-check
is "the next run is watched" "$(jq -c '[.watch.golden, .watch.changed]' <<<"$out")" '[2,null]'
is "memory of the same run is the same" \
    "$(jq -c '[.watch.rows[] | select(.unit == "bytes").is] | unique' <<<"$out")" '["same"]'
valid=$(jq -c '[.run.beside.speed_valid]' <<<"$out")
case $valid$status in
'[true]0' | '[true]1' | '[false]3' | '[true]3') ok "speeds count where they are valid" true ;;
*) is "speeds count where they are valid" "$valid $status" "exit 3 when not valid" ;;
esac
run "$PLIMSOLL" try smollm2-135m:q8_0 -c 1024 --repeats 1 --warmup 0 --prompt 16 --predict 4 --ledger "$T/g.db" --json
is "other flags: another run" "$(jq -c .watch <<<"$out")" null

run "$PLIMSOLL" try qwen3-30b-a3b:q4_k_m -c 512 --prompt 16 --predict 4 --override-kv qwen3moe.expert_used_count=int:2 --no-ledger
is "fewer experts than are recorded as safe are not started: exit 1" "$status" 1
like "and it is said why" "$err" 'not started: 2 experts a token is below 4'

# targets: kept for the model on this machine
small=(try smollm2-135m:q8_0 -c 512 --repeats 1 --warmup 0 --prompt 16 --predict 4 --ledger "$T/t.db" --json)
run "$PLIMSOLL" "${small[@]}" --target decode=1,first_token=10m,memory=8GiB
is "a target with another unit: exit 2" "$status" 2
run "$PLIMSOLL" "${small[@]}" --target decode=1,first_token=600s,memory=8GiB
is "targets: reached: exit 0" "$status" 0
is "targets: of a ghost of zeros memory alone is judged" "$(jq -c '[.targets[] | [.of, .target, .reached]]' <<<"$out")" \
    '[["decode",1,null],["first_token",600,null],["memory",8589934592,true]]'
ok "targets: the share is measured over target" jq -e '.targets[] | .measured / .target / .share - 1 | fabs < 1e-4' <<<"$out"
is "the prompt that is measured is the one predicted for" "$(jq .estimate.speed.prompt_tokens <<<"$out")" 16
run "$PLIMSOLL" "${small[@]}"
is "targets: kept" "$(jq -c '[.targets[] | [.of, .target]]' <<<"$out")" \
    '[["decode",1],["first_token",600],["memory",8589934592]]'
run "$PLIMSOLL" "${small[@]}" --target memory=1MiB
is "targets: missed: exit 1" "$status" 1
run "$PLIMSOLL" "${small[@]/--json/--offline}"
like "targets: in words" "$out" '^memory +1.0 MiB +[0-9.]+ MiB +[0-9.]+ MiB +[0-9]+ % +missed'

# a ghost that is named as a file says itself what it is filled with
ok "a ghost of random numbers" "$PLIMSOLL" ghost smollm2-135m:q8_0 --fill random -o "$T/random.gguf"
run "$PLIMSOLL" "${small[@]/smollm2-135m:q8_0/$T/random.gguf}"
is "a ghost by its path: its weights are known" "$(jq -r .run.fill <<<"$out")" random
# one run of it on this machine corrects its next estimate, if nothing else computed meanwhile
if [ "$(jq .run.beside.speed_valid <<<"$out")" = true ]; then
    measured=$(jq .run.timing.predicted_tokens_per_second <<<"$out")
    predicted=$(jq .run.predicted.decode_tokens_per_second.value <<<"$out")
    run "$PLIMSOLL" "${small[@]/smollm2-135m:q8_0/$T/random.gguf}"
    is "after one run: its own factor" "$(jq '[.estimate.calibrated.corrections[] | select(.of == "decode") | [.few, .runs]] | first' -c <<<"$out")" '[true,1]'
    ok "after one run: as far as it was off, inside its interval" jq -e --argjson m "$measured" --argjson p "$predicted" '
        (.estimate.calibrated.corrections[] | select(.of == "decode").factor | log) as $f | ($m / $p | log) as $r
        | ($f * $r) >= 0 and ($f | fabs) <= ($r | fabs)' <<<"$out"
else
    skip "after one run" "other programs compute here"
fi

run "$PLIMSOLL" compare smollm2-135m:q8_0 --a "-c 512" --b "-c 2048" --ab --repeats 3 --prompt 16 --predict 4 \
    --ledger "$T/ab.db" --json
is "--ab: exit 0" "$status" 0
ab=$out
is "--ab: the smaller one wins in memory" "$(jq -r '[.memory_bytes.winner, .memory_bytes.pairs] | @tsv' <<<"$out")" $'A\t3'
is "--ab: no winner without valid pairs, or the interval holds off 1" \
    "$(jq '.decode_tokens_per_second | if .winner == null then (.pairs < 3 or (.low <= 1 and .high >= 1)) else (.low > 1 or .high < 1) end' <<<"$out")" true
is "--ab: alternately" "$("$PLIMSOLL" runs --ledger "$T/ab.db" --json | jq -c '[.runs[].settings.n_ctx] | reverse')" \
    '[512,2048,2048,512,512,2048]'
is "--ab: on no device there is no memory of one" "$(jq -c .device_bytes <<<"$ab")" null
if software_gpu; then
    run "$PLIMSOLL" compare smollm2-135m:q8_0 --a "-ngl 0" --b "-ngl 2" -dev Vulkan0 -c 512 --ab --repeats 3 --prompt 16 \
        --predict 4 --ledger "$T/dev.db" --json
    is "--ab on a device: exit 0" "$status" 0
    is "--ab on a device: its memory is compared" "$(jq -c '[.device_bytes.pairs, (.device_bytes.ratio > 1)]' <<<"$out")" '[3,true]'
    is "--ab on a device: the runs know its pool" \
        "$("$PLIMSOLL" runs --ledger "$T/dev.db" --json | jq -c '[.runs[].predicted.pools | length] | unique')" '[2]'
else
    skip "--ab on a device" "no software GPU in the engines folder"
fi
done_testing
