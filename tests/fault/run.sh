#!/bin/bash
# plimsoll run: transparent to what it runs, and right about why it died. Failures are real ones.
. "$(dirname "$0")/../lib.sh"

# told: what the --json object on standard error says; the program's own words come before it
told() { sed -n '/^{$/,$p' "$T/.err" | jq -r "$1"; }
wrap() { # COMMAND...: run it; $status, $out, $err
    run "$PLIMSOLL" run --json --no-ledger -- "$@"
}

# --- what is kept of a command holds nobody's secrets
secret=hf_SecretOfMine0123456789
run "$PLIMSOLL" run -q --ledger "$T/secret.db" -- env "HF_TOKEN=$secret" sh -c 'exit 0' --api-key "$secret"
is "a command with a token runs" "$status" 0
not_ok "its token is not in the ledger" grep -aq Secret "$T/secret.db"*
like "but the command is" "$("$PLIMSOLL" runs --ledger "$T/secret.db" --json | jq -r '.runs[0].model.name')" \
    'HF_TOKEN=<secret> .*--api-key <secret>'

# --- transparent
run "$PLIMSOLL" run --no-ledger -- sh -c 'echo out; echo err >&2; exit 7'
is "exit status is the command's" "$status" 7
is "standard output is untouched" "$out" out
like "standard error comes through" "$err" '^err'
run "$PLIMSOLL" run --no-ledger -q -- sh -c 'echo err >&2; exit 7'
is "--quiet: nothing is added" "$err" err
run "$PLIMSOLL" run --no-ledger -q true
is "without --" "$status" 0
run "$PLIMSOLL" run --no-ledger -- no-such-program-here
is "not found: 127" "$status" 127
run "$PLIMSOLL" run --no-ledger -- /etc/passwd
is "not executable: 126" "$status" 126
run "$PLIMSOLL" run
is "no command: usage" "$status" 2
is "standard input is the command's" "$(echo hello | "$PLIMSOLL" run -q --no-ledger -- cat)" hello
head -c 3000000 /dev/urandom >"$T/bytes"
ok "3 MB through a pipe are the same bytes" cmp "$T/bytes" <("$PLIMSOLL" run -q --no-ledger -- cat "$T/bytes" | cat)
"$PLIMSOLL" run -q --no-ledger -- cat "$T/bytes" >"$T/copy"
ok "and into a file" cmp "$T/bytes" "$T/copy"
is "a reader that leaves: the writer gets SIGPIPE" \
    "$("$PLIMSOLL" run -q --no-ledger -- sh -c 'yes; echo $? >&2' 2>"$T/pipe" | head -n 1; cat "$T/pipe")" "$(printf 'y\n141')"
bash -c '"$0" run -q --no-ledger -- sh -c "kill -TERM \$\$"' "$PLIMSOLL" 2>/dev/null
is "a signal's death is ours too" "$?" 143
"$PLIMSOLL" run -q --no-ledger -- sh -c 'trap "echo got; exit 5" TERM; echo ready; while :; do sleep 0.05; done' >"$T/signal" &
pid=$!
for _ in $(seq 100); do grep -q ready "$T/signal" && break; sleep 0.05; done
kill -TERM "$pid"
wait "$pid"
is "a signal is passed on" "$? $(tail -n 1 "$T/signal")" "5 got"
"$PLIMSOLL" run -q --no-ledger -- sh -c 'sleep 0.5 && echo late & echo now' | cat >"$T/late"
is "what it leaves behind still writes" "$(cat "$T/late")" "$(printf 'now\nlate')"
python=$(command -v python3)
if [ -n "$python" ]; then
    cat >"$T/on_a_terminal.py" <<'PY'
import os, pty, sys
status = pty.spawn(sys.argv[1:], stdin_read=lambda fd: b"")
sys.exit(os.waitstatus_to_exitcode(status))
PY
    both() { "$python" "$T/on_a_terminal.py" "$@" </dev/null; }
    probe='import sys,os; print([os.isatty(i) for i in (1, 2)], os.get_terminal_size(1)); print("x\ty"); sys.exit(4)'
    plain=$(both "$python" -c "$probe")
    wrapped=$(both "$PLIMSOLL" run -q --no-ledger -- "$python" -c "$probe")
    is "a terminal stays a terminal, of the same size, byte for byte" "$wrapped" "$plain"
    like "and it is one" "$plain" '^\[True, True\]'
else
    skip "a terminal stays a terminal" "python3 is not installed"
    skip "and it is one" "python3 is not installed"
fi

# --- out of memory, or not
cat >"$T/hog.sh" <<'SH'
# holds $1 MiB
set -o pipefail
head -c "${1}M" /dev/zero | tail -n 1 | wc -c
SH
run "$PLIMSOLL" run --json --no-ledger --ceiling ram=60MiB -- bash "$T/hog.sh" 200
is "over its ceiling: out of memory" "$(told .memory)" true
like "over its ceiling: a limit, not the machine's memory" "$(told .class)" '^(cgroup|process_limit)$'
run "$PLIMSOLL" run --json --no-ledger --ceiling ram=400MiB -- bash "$T/hog.sh" 20
is "below its ceiling: nothing happens" "$status $(told .class)" "0 null"
wrap sh -c 'kill -SEGV $$'
is "a segmentation fault is a crash" "$(told '"\(.class) \(.memory) \(.signal)"')" "crash false 11"
wrap sh -c 'kill -KILL $$'
like "signal 9 by hand is not the kernel's" "$(told '"\(.class) \(.memory)"')" '^(crash false|killed true)$'
wrap sh -c 'exit 3'
is "an exit status alone is no failure of memory" "$(told .class)" null
wrap dd if=/dev/zero of=/dev/full bs=1 count=1
is "a full disk" "$(told .class)" disk_full
run "$PLIMSOLL" run --ceiling ram=lots -- true
is "a bad ceiling: usage" "$status" 2

n=12
[ -n "${PLIMSOLL_FULL:-}" ] && n=200
wrong=0
RANDOM=7
for i in $(seq "$n"); do
    case $((RANDOM % 5)) in
    0 | 1) # a ceiling met somewhere while it grows
        limit=$((24 + RANDOM % 60))
        run "$PLIMSOLL" run --json --no-ledger --ceiling ram=${limit}MiB -- \
            bash "$T/hog.sh" $((limit + 60 + RANDOM % 100))
        want=true
        ;;
    2) wrap sh -c 'kill -SEGV $$'; want=false ;;
    3) wrap sh -c 'kill -ABRT $$'; want=false ;;
    *) wrap sh -c 'echo "Killed by a rule" >&2; kill -BUS $$'; want=false ;;
    esac
    got=$(told .memory)
    [ "$got" = "$want" ] || { wrong=$((wrong + 1)); diag "run $i: memory $got, not $want; $(told .class)"; }
done
is "$n random deaths: out of memory told from a crash" "$wrong" 0

# --- learnt
export PLIMSOLL_LEDGER=$T/run.db
run "$PLIMSOLL" run -- bash "$T/hog.sh" 100
run "$PLIMSOLL" run -- bash "$T/hog.sh" 100
like "the second time is predicted from the first" "$err" 'peak [0-9.]+ MiB of ram \(predicted [0-9.]+ MiB, [+-][0-9.]+ %\)'
run "$PLIMSOLL" runs
like "the ledger has them" "$out" 'hog.sh 100'
run "$PLIMSOLL" run --ceiling ram=30MiB -- bash "$T/hog.sh" 100
is "what took more the last time is refused: 125" "$status" 125
like "the figures are said" "$err" 'took [0-9.]+ MiB the last time, 30.0 MiB is available'

# --- recognised by their own flags: nothing is run, so no engine is needed
mkdir "$T/bin" "$T/models"
for p in llama-server vllm whisper-server docker; do
    printf '#!/bin/sh\necho ran\n' >"$T/bin/$p"
    chmod +x "$T/bin/$p"
done
ok "a ghost of 8B" "$PLIMSOLL" ghost qwen3-8b:q4_k_m -o "$T/models/big.gguf"
refuses() { # NAME WHAT WORDS...: below a ceiling of 2 GiB
    local name=$1 what=$2
    shift 2
    run "$PLIMSOLL" run --no-ledger --ceiling ram=2GiB -- "$@"
    is "$name: refused" "$status" 125
    like "$name: $what" "$err" "$what"
}
refuses "llama-server" 'ram: needs .* 2.00 GiB available' "$T/bin/llama-server" -m "$T/models/big.gguf" -c 8192
refuses "behind env and nice" 'ram: needs' env A=b nice "$T/bin/llama-server" --model="$T/models/big.gguf"
refuses "docker run of llama.cpp, through its volume" 'ram: needs' "$T/bin/docker" run --rm -v "$T/models:/m" \
    ghcr.io/ggml-org/llama.cpp:server -m /m/big.gguf -c 4096
run "$PLIMSOLL" run --no-ledger -q -- "$T/bin/llama-server" -m "$T/models/none.gguf"
is "a model that is not here is the engine's affair" "$out" ran
run "$PLIMSOLL" run --no-ledger -q --force --ceiling ram=2GiB -- "$T/bin/llama-server" -m "$T/models/big.gguf"
is "--force" "$out" ran
run "$PLIMSOLL" run --no-ledger -q -- "$T/bin/vllm" serve Qwen/Qwen3-8B --max-model-len 8192
like "vllm serve: judged, or run where nothing is known against it" "$status $out" '^(0 ran|125 )'

# --- a log for why, and bad ladders
export XDG_STATE_HOME=$T/state
run "$PLIMSOLL" run --no-ledger -- sh -c 'echo "CUDA out of memory. Tried to allocate 1.00 GiB" >&2; exit 1'
like "its own words are explained" "$err" '^torch \(cuda\): capacity'
ok "and kept" grep -q 'Tried to allocate' "$T/state/plimsoll/last-failed.log"
is "for the owner alone" "$(stat -c %a "$T/state/plimsoll/last-failed.log")" 600
bad() { # NAME TEXT PATTERN
    printf '%s' "$2" >"$T/ladder.yaml"
    run "$PLIMSOLL" run --fallback "$T/ladder.yaml" -- true
    is "ladder: $1: exit 2" "$status" 2
    like "ladder: $1: said, with its place" "$err" "ladder.yaml:[0-9]+:[0-9]+: .*$3"
}
bad "an unknown key" $'plimsoll: 1\nrungs:\n  - {flag: -c 1}\n' "unknown key 'flag'"
bad "no version" $'rungs:\n  - {flags: -c 1}\n' "plimsoll: 1"
bad "a rung without a change" $'plimsoll: 1\nrungs:\n  - {name: x}\n' "changes nothing"
bad "a class that is none" $'plimsoll: 1\nrungs:\n  - {flags: -c 1, when: [tuesday]}\n' "when"

# --- the next rung: a command that lives only when it is small, whatever its own words are
cat >"$T/big.sh" <<'SH'
# $1 MiB, and a parameter that depends on the model
set -o pipefail
echo "LAYER=${LAYER:-unset} ${1} MiB"
head -c "${1}M" /dev/zero | tail -n 1 | wc -c
SH
cat >"$T/ladder.yaml" <<Y
plimsoll: 1
rungs:
  - name: of no help
    command: [sh, -c, "exit 0"]
    when: [address_space]
  - name: half
    command: [bash, $T/big.sh, "150"]
  - name: small
    command: [bash, $T/big.sh, "20"]
    set: {LAYER: 28 // 2}
Y
run "$PLIMSOLL" run --json --no-ledger --ceiling ram=80MiB --fallback "$T/ladder.yaml" -- bash "$T/big.sh" 300
is "fallback: the third rung lives" "$status" 0
like "fallback: its parameter follows" "$out" 'LAYER=14 20 MiB'
is "fallback: marked degraded" "$(told '"\(.degraded) \(.rung) \(.rung_name)"')" "true 2 small"
like "fallback: announced" "$err" 'degraded, rung 1 \(half\)'
unlike "fallback: a rung for another failure is passed over" "$err" 'of no help'
run "$PLIMSOLL" run --json --no-ledger --fallback "$T/ladder.yaml" -- sh -c 'kill -SEGV $$'
is "fallback: a crash takes no rung" "$(told .degraded)" false

done_testing
