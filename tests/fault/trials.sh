#!/bin/bash
# A list of trials that is killed, interrupted, run twice at once: the same command goes on with
# what is left, and runs nothing again.
. "$(dirname "$0")/../lib.sh"

[ -n "${PLIMSOLL_ENGINES:-}" ] || skip_all "no engines: PLIMSOLL_ENGINES names no folder"
engine llama-server >/dev/null || skip_all "the engines folder has no llama-server"

list="smollm2-135m -t 1 -tb 1 -p 16 -n 4 -r 1 --warmup 0 --sweep ctx=512,768 ctk=f16,q8_0"
rows() { [ -e "$PLIMSOLL_LEDGER" ] && "$PLIMSOLL" runs --limit 0 --json | grep -c '"started"' || echo 0; }

# begun WORDS ARGUMENTS...: starts the list in the background ($pid), until stderr has the words
begun() {
    local words=$1
    shift
    : >"$T/err"
    env --default-signal=INT "$PLIMSOLL" try $list "$@" >"$T/out" 2>"$T/err" &
    pid=$!
    for _ in $(seq 9000); do
        grep -qF -- "$words" "$T/err" && return 0
        kill -0 $pid 2>/dev/null || break
        sleep 0.02
    done
    diag "never said: $words: $(cat "$T/err")"
    return 1
}
held() { # the engine of the run that has begun is stopped: the run cannot end by itself
    local p
    for _ in $(seq 6000); do
        p=$(engine_pids)
        [ -n "$p" ] && kill -STOP $p && return 0
        sleep 0.01
    done
    return 1
}
no_engine() { # within 5 s
    for _ in $(seq 100); do
        [ -z "$(engine_pids)" ] && return 0
        sleep 0.05
    done
    return 1
}

# 1. kill -9 in the third of four
begun "[3 of 4" || { tap_result 1 "the third begins"; done_testing; }
ok "the third is held" held
kill -KILL $pid
wait $pid 2>/dev/null
ok "killed: no engine is left" no_engine
is "killed: two are stored" "$(rows)" 2
state=$(echo "$T"/state/plimsoll/trials/*)
is "killed: the list of what is done is whole" "$(grep -c '' "$state")" 3
printf '0123456789abcdef' >>"$state" # as a kill within a write would leave it
run "$PLIMSOLL" try $list --csv "$T/a.csv"
is "again: exit 0" "$status" 0
like "again: said" "$err" '^plimsoll: 2 of 4 are done already'
unlike "again: the first two are not run" "$err" '\[[12] of 4'
is "again: only what was left ran" "$(rows)" 4
is "again: all four are in the results" \
    "$(cut -d, -f1,3 "$T/a.csv" | tr -d '\r' | tail -n +2 | tr '\n' ' ')" "1,ok 2,ok 3,ok 4,ok "
not_ok "again: nothing is left to resume" test -e "$state"

# 2. SIGINT, with a file of one's own
begun "[2 of 4" --resume "$T/mine" --csv "$T/b.csv"
ok "the second is held" held
run "$PLIMSOLL" try $list --resume "$T/mine"
is "a second one at once: exit 4" "$status" 4
like "a second one at once: why" "$err" 'another plimsoll works on this list'
kill -INT $pid
wait $pid
is "SIGINT: status" "$?" 130
like "SIGINT: what is left" "$(cat "$T/err")" '^plimsoll: stopped; the engine is gone, 3 of 4 are left$'
is "SIGINT: what was done is in the files" "$(grep -c '' "$T/b.csv")" 2
is "SIGINT: no engine is left" "$(engine_pids)" ""
is "SIGINT: one more is stored" "$(rows)" 5
run "$PLIMSOLL" try $list --resume "$T/mine"
is "resumed: exit 0" "$status" 0
is "resumed: three more" "$(rows)" 8
run "$PLIMSOLL" try $list --resume "$T/mine" --json
is "complete: exit 0" "$status" 0
is "complete: nothing runs" "$(rows)" 8
is "complete: the results are there" "$(grep -c '"status": "ok"' "$T/.out")" 4

# 3. a file that is something else stays as it is
printf 'my notes\n' >"$T/notes"
run "$PLIMSOLL" try $list --resume "$T/notes" --fresh
is "a file of another kind: exit 2" "$status" 2
is "a file of another kind: as it was" "$(cat "$T/notes")" "my notes"
done_testing
