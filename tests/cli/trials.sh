#!/bin/bash
# plimsoll try over a list: models and combinations of flags, with the real engine on small ghosts.
. "$(dirname "$0")/../lib.sh"

usage() { # NAME WORDS ARGUMENTS...
    local name=$1 words=$2
    shift 2
    run "$PLIMSOLL" try "$@"
    is "$name: exit 2" "$status" 2
    is "$name: nothing on stdout" "$out" ""
    like "$name: one clear line" "$(head -n 1 <<<"$err")" "^plimsoll: .*$words"
}
usage "a list without models" "missing argument" --sweep ctx=1024
usage "no such flag" "'nix' is no flag" smollm2-135m --sweep nix=1,2
usage "no values" "not KEY=VALUE" smollm2-135m --sweep ctx
usage "an empty value" "empty value" smollm2-135m --sweep ctx=1024,
usage "a value twice" "twice" smollm2-135m --sweep ctx=1024,1024
usage "a flag twice" "twice" smollm2-135m --sweep ctx=1024 c=2048
usage "a bad value" "q99" smollm2-135m --sweep ctk=f16,q99
usage "a switch" "switch" smollm2-135m --sweep no-repack=1
usage "too many" "more than" smollm2-135m --sweep "ctx=$(seq -s, 1 64)" "ub=$(seq -s, 1 64)"
usage "a list for --auto" "auto" --auto --sweep ctx=1024
usage "models beside --all-that-fit" "all-that-fit" smollm2-135m --all-that-fit
usage "--resume without a ledger" "needs the ledger" smollm2-135m --resume "$T/x" --no-ledger
usage "--log" "one model" smollm2-135m --sweep ctx=1024 --log "$T/x"
usage "a folder that is not there" "cannot be written" smollm2-135m --html "$T/none/x.html"

[ -n "${PLIMSOLL_ENGINES:-}" ] && engine llama-server >/dev/null || {
    skip "with the engine" "no engines: PLIMSOLL_ENGINES names no folder with a llama-server"
    done_testing
}
flags="-p 16 -n 4 -r 1 --warmup 0 -t 1 -tb 1"
usage "a model that is not there, told before anything runs" "nosuch" smollm2-135m nosuchmodel $flags
not_ok "and nothing is stored" grep -q . "$T"/state/plimsoll/trials/*

# an engine that dies with one of the settings: a wrapper around the real one
engine_command llama-server
mkdir "$T/bin"
{
    printf '#!/bin/bash\ncase " $* " in *" -c 768 "*) echo "dies as told" >&2; exit 9 ;; esac\nexec'
    printf ' %q' "${engine_argv[@]}"
    printf ' "$@"\n'
} >"$T/bin/llama-server"
chmod +x "$T/bin/llama-server"

run "$PLIMSOLL" try smollm2-135m $flags --engine "$T/bin/llama-server" \
    --sweep ctx=512,768,1000000000 --csv "$T/l.csv" --html "$T/l.html" --json
is "one ran, one failed, one does not fit: exit 1" "$status" 1
printf '%s' "$out" >"$T/l.json"
if python=$(command -v python3) && "$python" -c 'import jsonschema' 2>/dev/null; then
    ok "JSON: as its schema" "$python" "$PLIMSOLL_SOURCE/tests/cli/validate.py" \
        "$PLIMSOLL_SOURCE/data/schema/trials.json" "$T/l.json"
fi
if command -v jq >/dev/null; then
    is "every combination has its end" "$(jq -r '[.results[].status] | join(" ")' "$T/l.json")" \
        "ok failed refused"
    is "what ran was measured" "$(jq '.results[0].host.measured.bytes > 0' "$T/l.json")" true
    is "what did not fit was forecast, not stored" \
        "$(jq -c '.results[2] | [.host.predicted.bytes > 1000000000000, .id, .host.measured.bytes]' "$T/l.json")" \
        "[true,null,null]"
    like "what did not fit has its reason" "$(jq -r '.results[2].reason' "$T/l.json")" .
    like "what failed has its reason" "$(jq -r '.results[1].reason' "$T/l.json")" .
fi
is "CSV: a line of names and three" "$(grep -c '' "$T/l.csv")" 4
command -v xmllint >/dev/null && ok "page: well-formed" xmllint --noout "$T/l.html"
is "a complete list leaves no file behind" "$(ls "$T/state/plimsoll/trials")" ""
is "no engine is left" "$(engine_pids)" ""

run "$PLIMSOLL" try smollm2-135m $flags -c 512 --sweep ctk=f16 prompt=16,300
is "values as words of their own, one does not fit a slot: exit 0" "$status" 0
like "text: its summary" "$out" '^2 of 2 combinations: [12] ran, 0 failed, [01] not started\.$'
like "no terminal: a line for each" "$err" '^plimsoll: \[2 of 2.*\] smollm2-135m -ctk f16 --prompt 300$'

run "$PLIMSOLL" try smollm2-135m $flags -c 512 --csv -
is "one model, as CSV: exit 0" "$status" 0
is "one model, as CSV: two lines" "$(grep -c '' <<<"$out")" 2
run "$PLIMSOLL" try smollm2-135m $flags -c 512 --no-ledger --json
like "one model alone is as ever" "$out" '"schema": "plimsoll.try/1"'
done_testing
