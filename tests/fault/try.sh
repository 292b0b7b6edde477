#!/bin/bash
# plimsoll try, killed, interrupted and run twice at once, with the real engine on a small ghost:
# nothing is left half done, neither a process nor a row nor a file.
# PLIMSOLL_FULL=1 kills it 60 times instead of 10.
. "$(dirname "$0")/../lib.sh"

[ -n "${PLIMSOLL_ENGINES:-}" ] || skip_all "no engines: PLIMSOLL_ENGINES names no folder"
engine llama-server >/dev/null || skip_all "the engines folder has no llama-server"

small="smollm2-135m -t 1 -tb 1 -r 1 --warmup 0"
long="$small -c 8192 -p 64 -n 4000" # serves for longer than anything here waits
ghosts=$XDG_CACHE_HOME/plimsoll/ghosts

no_engine() { # within a minute: the kernel takes down what a kill left
    for _ in $(seq 1200); do
        [ -z "$(engine_pids)" ] && return 0
        sleep 0.05
    done
    diag "still there: $(engine_pids)"
    return 1
}
# rows of the ledger; 0 while there is none
rows() {
    [ -e "$PLIMSOLL_LEDGER" ] && "$PLIMSOLL" runs --limit 0 --json | grep -c '"started"' || true
}
# frozen PID: stops the engine of the one that serves, so that nothing can end meanwhile, and waits
# until plimsoll itself waits for it: asleep, with a request sent
frozen() {
    local e
    e=$(engine_pids)
    [ -n "$e" ] || return 1
    kill -STOP $e
    until ! kill -0 "$1" 2>/dev/null || grep -q '^State:.S' "/proc/$1/status"; do sleep 0.01; done
}
now_ms() { date +%s%3N; }

# A ledger that another program, SQLite's own, finds whole, and of which every run has its pools and
# every pool its amounts. A trial that ends in success has more: what was measured.
ledger_whole() {
    local bad
    "$PLIMSOLL" runs >"$T/runs" 2>&1 || { cat "$T/runs"; return 1; }
    command -v sqlite3 >/dev/null || return 0
    [ -s "$PLIMSOLL_LEDGER" ] || return 0
    [ "$(sqlite3 "$PLIMSOLL_LEDGER" 'PRAGMA integrity_check')" = ok ] || { echo 'not whole'; return 1; }
    [ "$(sqlite3 "$PLIMSOLL_LEDGER" 'PRAGMA user_version')" != 0 ] || return 0 # killed while making it
    bad=$(sqlite3 "$PLIMSOLL_LEDGER" "
        PRAGMA foreign_key_check;
        SELECT 'no pool', id FROM runs WHERE id NOT IN (SELECT run_id FROM pools);
        SELECT 'few amounts', run_id, pool, count(*) FROM amounts
          GROUP BY run_id, pool HAVING count(predicted_likely) < 15;
        SELECT 'not measured', id FROM runs r WHERE status = 'ok' AND NOT EXISTS
          (SELECT 1 FROM amounts WHERE run_id = r.id AND measured_likely IS NOT NULL);")
    [ -z "$bad" ] || { echo "half there: $bad"; return 1; }
}
# Every file under a final name is a whole model. What a kill left has another name.
ghosts_whole() {
    local g
    for g in "$ghosts"/*.gguf; do
        [ -e "$g" ] || continue
        "$PLIMSOLL" inspect "$g" >/dev/null || return 1
    done
}

# 0. how long it takes, and that it works at all
run "$PLIMSOLL" try $small -p 64 -n 4
is "undisturbed: exit 0" "$status" 0
[ "$status" -eq 0 ] || { diag "$err"; done_testing; }
start=$(now_ms)
"$PLIMSOLL" try $small -p 64 -n 4 >/dev/null 2>&1
whole_ms=$(($(now_ms) - start))
ok "undisturbed: the ledger is whole" ledger_whole
is "undisturbed: two rows" "$(rows)" 2
ok "undisturbed: no engine is left" no_engine

# 1. kill -9 at moments spread over the whole run, the ghost and the ledger there or not
rounds=10
[ "${PLIMSOLL_FULL:-0}" -ge 1 ] && rounds=60
left_engine='' left_ledger='' left_ghost='' killed=0
for i in $(seq "$rounds"); do
    for _ in 1 2 3 4 5 6; do # one that was through before it could be killed: an earlier moment
        [ $((i % 3)) -eq 0 ] && rm -rf "$ghosts"
        [ $((i % 5)) -eq 0 ] && rm -f "$PLIMSOLL_LEDGER"*
        ms=$((whole_ms * (i - 1) / rounds + RANDOM % (whole_ms / rounds + 1)))
        "$PLIMSOLL" try $small -p 64 -n 4 >/dev/null 2>&1 &
        pid=$!
        sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
        kill -KILL $pid 2>/dev/null
        wait $pid 2>/dev/null
        [ $? -eq 137 ] && killed=$((killed + 1)) && break
        whole_ms=$((whole_ms * 2 / 3))
    done
    no_engine || left_engine+=" $ms"
    why=$(ledger_whole) || left_ledger+=" $ms ($why)"
    ghosts_whole 2>/dev/null || left_ghost+=" $ms"
done
diag "killed $killed of $rounds runs, of about $whole_ms ms each"
ok "killed: most of them were under way" test $((killed * 2)) -gt "$rounds"
is "killed: no engine is left (after ms)" "$left_engine" ""
is "killed: the ledger opens and is whole (after ms)" "$left_ledger" ""
is "killed: no half ghost has a final name (after ms)" "$left_ghost" ""
# what they left unfinished goes with the next ghost, once it is old enough to be nobody's
mkdir -p "$ghosts" # the last kill may have come before it was there
: >"$ghosts/.plimsoll-1-0.part"
find "$ghosts" -name '.plimsoll-*' -exec touch -d '2 minutes ago' {} +
rm -f "$ghosts"/*.gguf
run "$PLIMSOLL" try $small -p 64 -n 4
is "after all the kills: exit 0" "$status" 0
is "after all the kills: no unfinished ghost is left" "$(find "$ghosts" -name '.plimsoll-*')" ""

# 2. signals: while loading and while serving
# signalled NAME SIGNAL STATUS WORDS: sent once stderr has WORDS
signalled() {
    local pid before after
    before=$(rows)
    : >"$T/err" # before the start: what an earlier one said must not be taken for its words
    # a shell starts its background jobs with SIGINT ignored
    env --default-signal=INT "$PLIMSOLL" try $long >"$T/out" 2>"$T/err" &
    pid=$!
    for _ in $(seq 3000); do
        grep -q "$4" "$T/err" && break
        kill -0 $pid 2>/dev/null || break
        sleep 0.01
    done
    [ "$4" = repeat ] && { frozen $pid || diag "no engine to freeze"; }
    kill -"$2" $pid
    wait $pid
    is "SIG$2 while $1: status" "$?" "$3"
    is "SIG$2 while $1: one line beside the progress" \
        "$(grep -vE '^plimsoll: smollm2-135m Q4_K_M: (starting|loading|repeat)' "$T/err")" \
        "plimsoll: stopped; the engine is gone and nothing was stored"
    is "SIG$2 while $1: nothing on stdout" "$(cat "$T/out")" ""
    is "SIG$2 while $1: the engine is gone already" "$(engine_pids)" ""
    after=$(rows)
    is "SIG$2 while $1: nothing was stored" "$after" "$before"
}
for s in INT:130 TERM:143 HUP:129; do
    signalled loading "${s%:*}" "${s#*:}" "loading the model"
    signalled serving "${s%:*}" "${s#*:}" repeat
done
# nohup's promise is kept
: >"$T/err"
env --ignore-signal=HUP "$PLIMSOLL" try $small -p 64 -n 4 >"$T/out" 2>"$T/err" &
pid=$!
for _ in $(seq 1000); do
    grep -q repeat "$T/err" && break
    sleep 0.01
done
kill -HUP $pid
wait $pid
is "an ignored SIGHUP changes nothing" "$?" 0

# 3. the engine is killed while it serves
before=$(rows)
: >"$T/err"
"$PLIMSOLL" try $long >"$T/out" 2>"$T/err" &
pid=$!
for _ in $(seq 3000); do
    grep -q repeat "$T/err" && break
    sleep 0.01
done
frozen $pid
engine_pids | xargs kill -KILL
wait $pid
is "engine killed: exit 4" "$?" 4
like "engine killed: said" "$(cat "$T/err")" \
    '^plimsoll: llama-server was killed: .*killed by signal 9 \(Killed\)$'
like "engine killed: a hint" "$(cat "$T/err")" '^hint: SIGKILL'
is "engine killed: one row more" "$(rows)" $((before + 1))
run "$PLIMSOLL" runs --limit 1
like "engine killed: stored as failed" "$out" 'smollm2-135m .* failed, ghost$'
ok "engine killed: the ledger is whole" ledger_whole

# 4. two at once, where nothing is there yet: both make the folder, the ghost and the ledger
rm -rf "$ghosts" "$PLIMSOLL_LEDGER"*
"$PLIMSOLL" try $small -p 64 -n 4 >"$T/out.a" 2>"$T/err.a" &
a=$!
"$PLIMSOLL" try $small -p 64 -n 4 >"$T/out.b" 2>"$T/err.b" &
b=$!
wait $a
is "two at once: the first: exit 0" "$?" 0
wait $b
is "two at once: the second: exit 0" "$?" 0
is "two at once: two rows" "$(rows)" 2
ok "two at once: the ledger is whole" ledger_whole
ok "two at once: the ghost is whole" ghosts_whole
is "two at once: no part of a ghost is left" "$(find "$XDG_CACHE_HOME" -name '.plimsoll-*')" ""
[ "$tap_failed" -eq 0 ] || diag "$(tail -n 3 "$T"/err.[ab])"
ok "no engine is left" no_engine

# 5. the disk fills while it measures: what was measured is printed, what was stored stays
mkdir "$T/disk"
trap 'umount "$T/disk" 2>/dev/null; rm -rf "$T"' EXIT
if mount -t tmpfs -o size=400k none "$T/disk" 2>/dev/null; then
    "$PLIMSOLL_BUILD/tests/unit/make_ledger" "$T/disk/l.db" >/dev/null
    before=$("$PLIMSOLL" runs --ledger "$T/disk/l.db")
    : >"$T/err"
    "$PLIMSOLL" try $small -p 64 -n 100 --ledger "$T/disk/l.db" >"$T/out" 2>"$T/err" &
    pid=$!
    for _ in $(seq 3000); do
        grep -q loading "$T/err" && break
        kill -0 $pid 2>/dev/null || break
        sleep 0.01
    done
    dd if=/dev/zero of="$T/disk/fill" bs=4k 2>/dev/null
    wait $pid
    is "disk full at the end: exit 4" "$?" 4
    like "disk full at the end: said" "$(cat "$T/err")" \
        "^plimsoll: $T/disk/l.db: cannot .* the ledger: the disk is full"
    like "disk full at the end: the measurement is printed" "$(cat "$T/out")" '^steady .* MiB'
    is "disk full at the end: what was stored is there" \
        "$("$PLIMSOLL" runs --ledger "$T/disk/l.db")" "$before"
    rm "$T/disk/fill"
    run "$PLIMSOLL" try $small -p 64 -n 4 --ledger "$T/disk/l.db"
    is "disk full at the end: goes on when there is room" "$status" 0
    umount "$T/disk"
else
    skip "disk full at the end" "mounting is not allowed"
fi
done_testing
