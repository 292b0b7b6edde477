#!/bin/bash
# estimate --oracle: the installed engine's own projection beside ours.
. "$(dirname "$0")/../lib.sh"

engine llama-server >/dev/null || skip_all "no engines folder (make engines)"
export XDG_CACHE_HOME="$T/cache"

run "$PLIMSOLL" estimate qwen2.5-0.5b:q4_k_m -c 8192 --oracle --json
like "a catalogue model: the engine was asked" "$status" "^[01]$"
is "a catalogue model: the host's row agrees" \
    "$(printf '%s' "$out" | jq -c '[.oracle.devices[] | select(.device == "Host") |
        .weights.agrees, .context.agrees, .compute.agrees]')" "[true,true,true]"
is "converted weights stand in a row of their own, and agree" \
    "$(printf '%s' "$out" | jq -c '[.oracle.devices[] | select(.device == "CPU_REPACK") |
        .weights.agrees] | all')" "true"
like "the engine's version" "$(printf '%s' "$out" | jq -r .oracle.engine_version)" "build [0-9]+"
printf '%s' "$out" >"$T/oracle.json"
if python3 -c 'import jsonschema' 2>/dev/null; then
    ok "the JSON keeps its schema" python3 "$PLIMSOLL_SOURCE/tests/cli/validate.py" \
        "$PLIMSOLL_SOURCE/data/schema/estimate.json" "$T/oracle.json"
else
    skip "the JSON keeps its schema" "no Python module jsonschema"
fi

run "$PLIMSOLL" estimate qwen2.5-0.5b:q4_k_m -c 8192 --oracle
like "as text: what both say" "$out" "Host +weights .* agrees"

run "$PLIMSOLL" estimate qwen2.5-0.5b --oracle --engine "$T/none"
is "an engine that is not there: exit 4" "$status" 4

run "$PLIMSOLL" ghost qwen2.5-0.5b -o "$T/g.gguf"
run "$PLIMSOLL" estimate "$T/g.gguf" -c 4096 -np 2 -ctk q8_0 --oracle --json
is "a file, other settings: every figure agrees" \
    "$(printf '%s' "$out" | jq '[.oracle.devices[] | .. | .agrees? | select(. != null)] | all')" "true"

printf 'set qwen2.embedding_length 13\n' >"$T/bad.edit"
run "$PLIMSOLL" ghost qwen2.5-0.5b -o "$T/bad.gguf" --edit "$T/bad.edit"
run "$PLIMSOLL" estimate "$T/bad.gguf" -c 4096 --oracle
like "a file that neither takes: no answer" "$status" "^[234]$"
done_testing
