#!/bin/bash
# whisper.cpp models: read, known by name, ghosted, estimated.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"
printf '{"schema": "plimsoll.assess/1", "pools": [{"pool": "ram", "kind": "host", "capacity": 17179869184, "available": 15000000000}, {"pool": "gpu0", "kind": "dedicated", "capacity": 8589934592, "available": 8200000000}]}\n' >"$T/8g.json"
printf '{"schema": "plimsoll.assess/1", "pools": [{"pool": "ram", "kind": "host", "capacity": 17179869184, "available": 15000000000}]}\n' >"$T/cpu.json"
json() { # EXPRESSION of the JSON in $out
    jq -r "$1" <<<"$out"
}

# Lengths of published files, bytes: ggerganov/whisper.cpp on the hub, revision
# 5359861c739e955e79d9a303bcbc70fb988958b1, as its listing has them.
while read -r name bytes; do
    run "$PLIMSOLL" inspect "$name" --json
    is "$name has the published length" "$(json .model.file_bytes)" "$bytes"
done <<'END'
whisper-tiny 77691713
whisper-tiny.en 77704715
whisper-tiny:q5_1 32152673
whisper-tiny:q8_0 43537433
whisper-base 147951465
whisper-base.en 147964211
whisper-base:q5_1 59707625
whisper-small 487601967
whisper-small:q5_1 190085487
whisper-small:q8_0 264464607
whisper-medium 1533763059
whisper-medium:q5_0 539212467
whisper-large-v2 3094623691
whisper-large-v3 3095033483
whisper-large-v3:q5_0 1081140203
whisper-large-v3-turbo 1624555275
whisper-large-v3-turbo:q5_0 574041195
whisper-large-v3-turbo:q8_0 874188075
END

# a ghost is such a file
run "$PLIMSOLL" ghost whisper-tiny:q5_1 -o "$T/g.bin"
is "ghost: exit 0" "$status" 0
is "its length" "$(stat -c %s "$T/g.bin")" 32152673
is "it begins as the format does" "$(od -An -tx4 -N4 "$T/g.bin" | tr -d ' ')" 67676d6c
run "$PLIMSOLL" inspect "$T/g.bin" --json
is "the ghost is read" "$(json '[.model.architecture, .model.file_type] | join(" ")')" "whisper Q5_1"
is "its container" "$(json '[.. | objects | .format // empty] | first')" whisper.cpp
run "$PLIMSOLL" inspect "$T/g.bin"
like "and is called a ghost" "$out" "a ghost without weights"
unlike "no quantisation of text models is recommended for it" "$out" "perplexity|smaller and nearer"
run "$PLIMSOLL" ghost "$T/g.bin" -o "$T/h.bin"
is "ghost of a file: exit 0" "$status" 0
ok "the same file" cmp "$T/g.bin" "$T/h.bin"
run "$PLIMSOLL" ghost whisper-tiny:q5_1 -o "$T/h.bin"
is "a ghost may be overwritten" "$status" 0
printf 'precious' >"$T/p.bin"
run "$PLIMSOLL" ghost whisper-tiny -o "$T/p.bin"
is "another file may not: exit 2" "$status" 2
is "it is as it was" "$(cat "$T/p.bin")" precious
run "$PLIMSOLL" ghost whisper-tiny -o "$T/r.bin" --fill random --seed 7
is "random weights" "$status" 0
not_ok "are no hole" cmp -s -n 30000000 "$T/r.bin" "$T/g.bin"
run "$PLIMSOLL" ghost whisper-tiny -o "$T/e.bin" --edit /dev/null
is "--edit is for GGUF: exit 2" "$status" 2
run "$PLIMSOLL" ghost whisper-tiny:q4_k -o "$T/k.bin"
is "blocks that do not fit its rows: exit 2" "$status" 2

# the engine is chosen by the model
run "$PLIMSOLL" estimate whisper-small -M "$T/cpu.json" --json
is "estimate: exit 0" "$status" 0
is "by whisper.cpp" "$(json .engine.name)" whisper.cpp
is "a part is the sum of its terms" "$(json '[.pools[].parts[].bytes] | add')" "$(json '[.pools[].steady.bytes] | add')"
is "caches of one sequence, then of four" "$(json '[.facts.kv_self_start_bytes.value, .facts.kv_self_bytes.value] | join(" ")')" "18874368 75497472"
run "$PLIMSOLL" estimate "$T/g.bin" -bs 5 -M "$T/cpu.json" --json
is "its own flags: seven caches for five beams" "$(json '.facts.kv_self_bytes.value / .facts.kv_self_start_bytes.value')" 7
run "$PLIMSOLL" estimate whisper-tiny --program cli -nf -bs 1 -M "$T/cpu.json" --json
is "greedy without a second try: one cache" "$(json '.facts.kv_self_bytes.value / .facts.kv_self_start_bytes.value')" 1
run "$PLIMSOLL" estimate whisper-tiny -p 2 -M "$T/cpu.json" --json
two=$(json .pools[0].parts.kv.bytes)
run "$PLIMSOLL" estimate whisper-tiny -M "$T/cpu.json" --json
is "two processors: caches twice" "$two" $((2 * $(json .pools[0].parts.kv.bytes)))
run "$PLIMSOLL" estimate whisper-tiny -M "$T/8g.json" --json
is "with a device its weights lie there" "$(json '[.pools[] | select(.parts.weights.bytes > 0) | .pool] | join(" ")')" gpu0
run "$PLIMSOLL" estimate whisper-tiny -ng -M "$T/8g.json" --json
is "-ng: on the host" "$(json '[.pools[] | select(.parts.weights.bytes > 0) | .pool] | join(" ")')" ram
run "$PLIMSOLL" estimate whisper-tiny -c 4096 -M "$T/cpu.json"
is "a flag of another engine: exit 2" "$status" 2
run "$PLIMSOLL" estimate whisper-tiny -ac 2000 -M "$T/cpu.json"
is "more frames than there are: exit 2" "$status" 2
run "$PLIMSOLL" estimate whisper-tiny --dtw tiny -M "$T/cpu.json"
is "what is not predicted: exit 3" "$status" 3
run "$PLIMSOLL" estimate qwen3-0.6b --engine whisper.cpp -M "$T/cpu.json"
is "a model of another engine: exit 3" "$status" 3
run "$PLIMSOLL" estimate whisper-tiny:q4_k_m -M "$T/cpu.json"
is "no such type: exit 2" "$status" 2
like "those there are" "$err" "q5_0"
run env -u PLIMSOLL_ENGINE PLIMSOLL_ENGINES="$T/nothing" PATH=/nonexistent "$PLIMSOLL" try whisper-tiny
is "try without its engine: exit 4" "$status" 4
like "what is missing" "$err" "whisper-server"
for words in "whisper-tiny --prompt 5" "whisper-tiny --golden" "whisper-tiny qwen3-0.6b" "whisper-tiny --program cli" \
    "qwen3-0.6b --engine vllm" "whisper-tiny -c 4096"; do
    # shellcheck disable=SC2086 # words
    run "$PLIMSOLL" try $words --no-ledger
    is "try $words: exit 2" "$status" 2
    is "try $words: one line and at most a hint" "$(grep -vc '^hint:' <<<"$err")" 1
done
run "$PLIMSOLL" fit whisper-tiny -M "$T/cpu.json"
is "fit is of llama.cpp: exit 2" "$status" 2
like "what tells its needs" "$err" "plimsoll estimate"

# damaged files
head -c 20000000 "$T/r.bin" >"$T/cut.bin"
run "$PLIMSOLL" inspect "$T/cut.bin"
is "a cut file: exit 2" "$status" 2
like "says where" "$err" "truncated"
{ head -c 48 "$T/g.bin"; printf '\1\0\0\0'; tail -c +53 "$T/g.bin" | head -c 100000; } >"$T/mel.bin"
run "$PLIMSOLL" inspect "$T/mel.bin"
is "filters that are not the model's: exit 2" "$status" 2
done_testing
