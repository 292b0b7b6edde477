#!/bin/bash
# Plans of declared footprints: the budget, what is refused and why, environments, what-if.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"

stack=$T/voice.yaml
cat >"$stack" <<'END'
plimsoll: 1
name: voice
pools:
  ram: {ceiling: 12GiB, reserve: 1GiB}
  gpu0: {ceiling: "${GPU_LINE:-5.5GB}"}
components:
  stt:
    required: true
    priority: 2
    candidates:
      - {name: medium, quality: 50, footprint: {gpu0: {steady: 1.5GiB}, ram: {steady: 300MiB}}}
      - {name: small, quality: 30, footprint: {gpu0: {steady: 0.5GiB}, ram: {steady: 300MiB}}}
  llm:
    required: true
    priority: 1
    tier: [hot, warm]
    candidates:
      - {name: eight, quality: 80, footprint: {gpu0: {steady: 5.28GiB}, ram: {steady: 200MiB}}}
      - {name: four, quality: 20, engine: command, command: [./server, --port, "${PORT}"],
         footprint: {gpu0: {steady: 2.5GiB, peak: 3.1GiB, load_peak: 3.3GiB, largest: 2GiB}}}
environments:
  production: {pools: {gpu0: {ceiling: 4GB}}, duty: 24/7}
  crowded: {inherits: production, pools: {gpu0: {ceiling: 3GB}}}
END
cat >"$T/machine.json" <<'END'
{"schema": "plimsoll.assess/1", "pools": [
 {"pool": "ram", "kind": "host", "capacity": 16000000000, "available": 14000000000},
 {"pool": "gpu0", "kind": "dedicated", "capacity": 8000000000, "available": 7500000000}]}
END
plan() { run "$PLIMSOLL" plan "$stack" --machine "$T/machine.json" "$@"; }
valid() { ok "$1" python3 "$PLIMSOLL_SOURCE/tests/cli/validate.py" "$PLIMSOLL_SOURCE/data/schema/plan.json" "$T/.out"; }

plan
is "fits: exit 0" "$status" 0
like "the columns of the budget" "$out" '^component +model and configuration +allocated +actual +status$'
like "total, exact to the MiB: 1536 + 3174.4" "$out" '^total +at peak +4710.4 MiB'
like "load order" "$out" '^load order: llm, stt$'
like "why not the better one" "$out" 'not eight: gpu0 would hold 6.78 GiB at peak, 5.12 GiB is the most'
plan --json
valid "JSON as its schema says"
is "the plan" "$(jq -c '[.feasible, .optimal, .verdict, .components.llm.candidate, .components.stt.candidate, .load_order]' <<<"$out")" \
    '[true,true,"safe","four","medium",["llm","stt"]]'
is "headroom: ceiling - reserve - planned" \
    "$(jq '[.pools[] | .ceiling - .reserve - .planned == .headroom] | all' <<<"$out")" true
plan --env production --json
is "production: the ceiling shrinks the other component" "$(jq -c '[.components.llm.candidate, .components.stt.candidate]' <<<"$out")" \
    '["four","small"]'
like "restart is said" "$(jq -r .restart <<<"$out")" '^drain the others before llm loads again'
is "and the plan is constrained" "$(jq -r .verdict <<<"$out")" constrained
plan --env crowded --json
is "too little: exit 1" "$status" 1
valid "too little: JSON as its schema says"
is "too little: who conflicts" "$(jq -c '.conflict | sort' <<<"$out")" '["ceiling:gpu0","component:llm"]'
plan --env crowded
like "too little: what would resolve it" "$out" 'ceiling:gpu0 +raise the ceiling of gpu0 from 2.79 GiB to at least 3.30 GiB'
plan --what-if gpu0=24GiB --json
valid "what-if: JSON as its schema says"
is "what-if: beside today" "$(jq -c '[.what_if, .pools[1].ceiling == .today.pools[1].ceiling]' <<<"$out")" '["gpu0=24GiB",true]'
run env GPU_LINE=7.4GB "$PLIMSOLL" plan "$stack" --machine "$T/machine.json" --json
is "a variable moves the line" "$(jq -c '[.components.llm.candidate, .components.stt.candidate]' <<<"$out")" '["eight","medium"]'
run env GPU_LINE=7.4GB "$PLIMSOLL" config show "$stack" --json
is "config show names the source" "$(jq -c '.variables[0] | [.name, .value, .source]' <<<"$out")" '["GPU_LINE","7.4GB","environment"]'
ok "config: JSON as its schema says" python3 "$PLIMSOLL_SOURCE/tests/cli/validate.py" "$PLIMSOLL_SOURCE/data/schema/config.json" "$T/.out"
run "$PLIMSOLL" config show "$stack"
like "config show: the default is the source" "$out" 'GPU_LINE = 5.5GB, the file.s default$'
like "config show: commands keep theirs" "$out" '"\$\{PORT\}"'
run "$PLIMSOLL" config schema
is "the schema for editors is the table's" "$out" "$(cat "$PLIMSOLL_SOURCE/data/schema/stack.json")"
run "$PLIMSOLL" config keys
is "the reference is the table's" "$out" "$(cat "$PLIMSOLL_SOURCE/docs/stack.md")"
jq 'del(.pools[1].available)' "$T/machine.json" >"$T/unknown.json"
run "$PLIMSOLL" plan "$stack" --machine "$T/unknown.json" --json
is "unknown available: exit 3" "$status" 3
valid "unknown available: JSON as its schema says"
like "unknown available: says which" "$err" 'pool gpu0 is unknown'
# a far larger pool that nothing uses changes nothing
jq '.pools += [{"pool": "gpu9", "kind": "dedicated", "capacity": 999999999999, "available": 999999999999}]' \
    "$T/machine.json" >"$T/more.json"
"$PLIMSOLL" plan "$stack" --machine "$T/machine.json" --json | jq -c 'del(.pools)' >"$T/a"
"$PLIMSOLL" plan "$stack" --machine "$T/more.json" --json | jq -c 'del(.pools)' >"$T/b"
ok "an unrelated pool changes nothing" cmp "$T/a" "$T/b"
# the objective on the command line means what it means in the file: voice has a floor
cat >"$T/talk.yaml" <<'END'
plimsoll: 1
components:
  llm:
    candidates:
      - {name: late, quality: 9, first_token: 900ms, footprint: {ram: {steady: 1GiB}}}
      - {name: soon, quality: 1, first_token: 400ms, footprint: {ram: {steady: 1GiB}}}
  own:
    max_first_token: 2s
    candidates: [{name: slow, first_token: 1500ms, footprint: {ram: {steady: 1GiB}}}]
  alone:
    candidates: [{name: late, first_token: 900ms, footprint: {ram: {steady: 1GiB}}}]
END
{ cat "$T/talk.yaml"; echo 'objective: voice'; } >"$T/talk-voice.yaml"
talk() { run "$PLIMSOLL" plan "$1" --machine "$T/machine.json" --json "${@:2}"; chosen=$(jq -c '[.components[].candidate]' <<<"$out"); }
talk "$T/talk.yaml"
is "balanced: the best of quality" "$chosen" '["late","slow","late"]'
talk "$T/talk-voice.yaml"
is "voice in the file: a first token within half a second" "$chosen" '["soon","slow",null]'
talk "$T/talk.yaml" --objective voice
is "voice on the command line: the same" "$chosen" '["soon","slow",null]'
talk "$T/talk-voice.yaml" --objective balanced
is "another on the command line: no such floor" "$chosen" '["late","slow","late"]'
talk "$T/talk.yaml" --time-limit 18446744073709551615
is "the longest time there is: no end before the start" "$status $chosen" '0 ["late","slow","late"]'

# what runs of the stack is found by itself
if [ -r /proc/self/environ ] && command -v sleep >/dev/null; then
    cat >"$T/runs.yaml" <<'END'
plimsoll: 1
name: Found here
components:
  own: {candidates: [{name: x, command: [sleep, "86${X}"], footprint: {ram: {steady: 1MiB}}}]}
  marked: {candidates: [{name: y, footprint: {ram: {steady: 1MiB}}}]}
END
    sleep 8641 &
    own=$!
    PLIMSOLL_STACK=found-here PLIMSOLL_COMPONENT=marked sleep 8642 &
    marked=$!
    PLIMSOLL_STACK=other PLIMSOLL_COMPONENT=own sleep 8643 &
    other=$!
    trap 'kill $own $marked $other 2>/dev/null; rm -rf "$T"' EXIT
    for p in $own $marked $other; do # until the shell's child is the program
        until [ "$(cat "/proc/$p/comm")" = sleep ]; do :; done
    done
    run "$PLIMSOLL" plan "$T/runs.yaml" --json
    note=$(jq -r '.notes[]' <<<"$out")
    like "found: a process started with a component's command" "$note" "available to it: ram .*process $own \(own\)"
    like "found: one that carries the stack's name" "$note" "process $marked \(marked\)"
    unlike "found: not one of another stack" "$note" "process $other "
    run "$PLIMSOLL" plan "$T/runs.yaml" --json --holding none
    is "none: nothing is looked for" "$(jq -c '.notes' <<<"$out")" '[]'
    run "$PLIMSOLL" plan "$T/runs.yaml" --json --machine "$T/machine.json"
    is "another machine: nothing of this one" "$(jq -c '.notes' <<<"$out")" '[]'
    # two of one program are one line of consumers, but each is known
    run "$PLIMSOLL" plan "$T/runs.yaml" --json --holding "$own,$other"
    is "two processes of one program: exit 0" "$status" 0
    held=$(awk '/^RssAnon|^RssShmem/ { n += $2 } END { print n }' "/proc/$own/status" "/proc/$other/status")
    like "and what both hold" "$(jq -r '.notes[]' <<<"$out")" "available to it: ram $held KiB"
    kill $own $marked $other
else
    skip "found: processes of the stack" "no /proc here"
fi

sed 's/largest: 2GiB/largest: 2GiB, peek: 3GiB/' "$stack" >"$T/bad.yaml"
run "$PLIMSOLL" plan "$T/bad.yaml" --machine "$T/machine.json"
is "unknown key: exit 2" "$status" 2
like "unknown key: where" "$err" 'bad.yaml:20:.*: components.llm.candidates\[1\].footprint.gpu0: unknown key .peek.'
like "unknown key: the nearest" "$err" "^hint: did you mean 'peak'"
done_testing
