#!/bin/bash
# plimsoll try of a speech model: whisper-server really runs, what it holds is beside what was
# predicted, the run is kept; and what is said when it cannot load its file, or is stopped.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"
engine_command whisper-server || skip_all "no whisper.cpp in the engines folder (tools/fetch-engines --whisper)"
room=$(awk '/^MemAvailable:/ {printf "%.0f", $2 * 1024}' /proc/meminfo)
[ "$room" -gt 1000000000 ] || skip_all "$room bytes of memory are available: it wants 1 GB"
unset MALLOC_PERTURB_
json() { # EXPRESSION of the JSON in $out
    jq -r "$1" <<<"$out"
}
servers() { # of this script
    grep -lz "^$T/.*whisper-\|^$T/g" /proc/[0-9]*/cmdline 2>/dev/null | wc -l
}
"$PLIMSOLL" ghost whisper-tiny:q5_1 -o "$T/g.bin" >/dev/null
run timeout 900 "$PLIMSOLL" try "$T/g.bin" -ng -t 1 --log "$T/log" --json
is "try: exit 0" "$status" 0
[ "$status" -eq 0 ] || diag "$err"
ok "try: as its schema says" python3 "$PLIMSOLL_SOURCE/tests/cli/validate.py" "$PLIMSOLL_SOURCE/data/schema/try.json" "$T/.out"
is "its engine, model and flags" "$(json '.run | [.engine.name, .model.architecture, .flags] | join(" ")')" "whisper.cpp whisper -t 1 -ng"
held=$(json .run.measured.total.bytes) low=$(json '.estimate.pools[0].steady.low') high=$(json '.estimate.pools[0].steady.high')
diag "holds $held; low $low, likely $(json '.estimate.pools[0].steady.bytes'), high $high"
ok "what it holds is within the interval" test "$held" -ge "$low" -a "$held" -le "$high"
said=$(sed -n 's/.*model size *= *\([0-9.]*\) MB/\1/p' "$T/log")
is "its weights, in its own words" "$(json '.run.measured.parts.weights.bytes / 1e6')" "${said%0}"
is "the words to a second took some time" "$(json '.sound.seconds == 1 and .sound.answered_after_seconds > 0')" true
is "no tokens are claimed" "$(json .run.timing)" null
is "nothing is left of it" "$(servers)" 0
run "$PLIMSOLL" runs --json
is "the run is kept" "$(grep -c '"whisper.cpp"' <<<"$out")" 1

# a file that the engine refuses: tensors of another model, by a byte of a name
sed 's/encoder.conv1.weight/encoder.conv9.weight/' "$T/g.bin" >"$T/odd.bin"
run timeout 100 "$PLIMSOLL" try "$T/odd.bin" -ng --no-ledger
is "a tensor that is missing: exit 2" "$status" 2
like "it is named" "$err" "encoder.conv1.weight"
run timeout 100 "$PLIMSOLL" try "$T/g.bin" -ng --timeout 0 --no-ledger
is "too late: exit 4" "$status" 4
is "nothing is left of it either" "$(servers)" 0

# stopped in the middle
"$PLIMSOLL" try "$T/g.bin" -ng -t 1 -r 20 --no-ledger >"$T/out" 2>"$T/err" &
pid=$!
for _ in {1..600}; do
    grep -q 'a second of noise' "$T/err" && break
    kill -0 $pid 2>/dev/null || break
    sleep 0.1
done
kill -TERM $pid
wait $pid
is "stopped: its exit status" $? 143
like "stopped: said" "$(cat "$T/err")" "stopped; the engine is gone"
is "stopped: nothing is left of it" "$(servers)" 0
done_testing
