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
until grep -q ready "$T/signal"; do kill -0 "$pid" || break; sleep 0.02; done
kill -TERM "$pid"
wait "$pid"
is "a signal is passed on" "$? $(tail -n 1 "$T/signal")" "5 got"
mkfifo "$T/go" "$T/never"
exec 9<>"$T/never" # to read from it is to wait until this script ends
{ "$PLIMSOLL" run -q --no-ledger -- sh -c '{ read -r x <"$0"; echo late; } & echo now' "$T/go"; echo "$?" >"$T/go"; } | cat >"$T/late"
is "what it leaves behind still writes, after us" "$(cat "$T/late")" "$(printf 'now\nlate')"
# within COMMAND...: until it succeeds, at most a minute
within() { local i; for ((i = 0; i < 3000; i++)); do "$@" 2>/dev/null && return 0; sleep 0.02; done; return 1; }
{ "$PLIMSOLL" run -q --no-ledger -- sh -c 'yes & echo $! >"$0"; exit 5' "$T/yes"; echo "$?" >"$T/ended"; } | cat >/dev/null &
within test -s "$T/ended"
is "what never ends its words holds nothing up" "$(cat "$T/ended")" 5
kill "$(cat "$T/yes")"
wait "$!"
state_is() { grep -q "^State:[[:space:]]*$2" "/proc/$1/status"; }
child_of() { cat /proc/"$1"/task/"$1"/children | cut -d' ' -f1; }
mkfifo "$T/full"
exec 8<>"$T/full" # nobody reads from it
"$PLIMSOLL" run -q --no-ledger -- yes >"$T/full" 8>&- 9>&- &
pid=$!
blocked() { local c; c=$(child_of "$pid") && [ -n "$c" ] && grep -q pipe_write "/proc/$c/wchan" "/proc/$c/stack"; }
within blocked
kill -TERM "$pid"
ended() { ! kill -0 "$pid"; }
ok "a signal arrives while no reader takes the words" within ended
kill -KILL "$pid" 2>/dev/null
exec 8>&-
wait "$pid"
is "and it ends as it was told" "$?" 143
is "an ignored SIGHUP stays so (nohup)" \
    "$(env --ignore-signal=HUP "$PLIMSOLL" run -q --no-ledger -- sh -c 'kill -HUP $$; echo alive')" alive
env --ignore-signal=CHLD "$PLIMSOLL" run -q --no-ledger -- sh -c 'exit 7'
is "an ignored SIGCHLD loses no status" "$?" 7
"$PLIMSOLL" run -q --no-ledger -- sh -c 'echo out 2>/dev/null; echo "$?" >"$0"' "$T/closed" >&-
(sh -c 'echo out 2>/dev/null; echo "$?" >"$0"' "$T/closed2" >&-)
is "a closed standard output is closed for the command" "$(cat "$T/closed")" "$(cat "$T/closed2")"
set -m # jobs in groups of their own, as a shell on a terminal makes them
{ "$PLIMSOLL" run -q --no-ledger -- sh -c 'kill -TSTP $$; echo resumed'; echo "$?" >"$T/job.status"; } >"$T/job" &
pid=$!
stopped() { state_is "$(child_of "$pid")" T; }
ok "a command that stops itself stops us: the shell is told" within stopped
kill -CONT "$(child_of "$pid")"
within test -s "$T/job.status"
is "and goes on with us" "$(cat "$T/job.status" "$T/job")" "$(printf '0\nresumed')"
set +m
"$PLIMSOLL" run -q --no-ledger -- sh -c 'for i in 1 2 3 4; do (true &); done; echo ready; read -r x <"$0"' "$T/never" >"$T/orphans" &
pid=$!
no_zombie() {
    grep -q ready "$T/orphans" || return 1
    local c
    for c in $(cat /proc/"$pid"/task/"$pid"/children); do ! state_is "$c" Z || return 1; done
}
ok "orphans that end are reaped while it runs" within no_zombie
kill "$pid"
wait "$pid" 2>/dev/null
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
wrap sh -c 'exit 255'
is "nor is an exit status that is no signal" "$(told .class)" null
wrap sh -c 'kill -TERM $$'
is "one that was told to end did not crash" "$(told '"\(.class) \(.signal)"')" "null 15"
wrap sh -c 'exit 3'
is "an exit status alone is no failure of memory" "$(told .class)" null
wrap dd if=/dev/zero of=/dev/full bs=1 count=1
is "a full disk" "$(told .class)" disk_full
run "$PLIMSOLL" run --ceiling ram=lots -- true
is "a bad ceiling: usage" "$status" 2
run "$PLIMSOLL" run --ceiling gpu77=1GiB -- true
is "a ceiling of a pool that is not here: usage" "$status" 2
like "a ceiling of a pool that is not here: which there are" "$err" '^hint: it has ram'

# where no control group can be made it is watched: all it started, also what left its parents
cat >"$T/daemon.sh" <<'SH'
(bash -c 'x=$(head -c 100M /dev/zero | tr "\0" a); read -r y <"$0"' "$1" &) # 100 MiB, and never ends
trap "" TERM
while :; do read -r x <"$1"; done
SH
as=()
if [ "$(id -u)" -eq 0 ]; then
    as=(setpriv --reuid 65534 --clear-groups)
    chmod 711 "$T"
    chmod 666 "$T/never"
    cp "$PLIMSOLL" "$T/plimsoll"
fi
if "${as[@]}" true 2>/dev/null; then
    run "${as[@]}" env XDG_STATE_HOME=/nonexistent "$([ "$(id -u)" -eq 0 ] && echo "$T/plimsoll" || echo "$PLIMSOLL")" run --json \
        --no-ledger --ceiling ram=50MiB -- bash "$T/daemon.sh" "$T/never"
    is "watched: over its ceiling" "$(told '"\(.class) \(.memory) \(.left_running)"')" "process_limit true 0"
    is "watched: nothing of it is left" "$(pgrep -f "$T/daemon.sh|read -r y <.* $T/never")" ""
else
    skip "watched: over its ceiling" "setpriv does not work"
    skip "watched: nothing of it is left" "setpriv does not work"
fi

# a device's memory, by its driver: a stand-in for the library that lists whoever wrote its answers
fake=$PLIMSOLL_BUILD/tests/fake
cat >"$T/nvml.answers" <<'END'
- nvmlInit_v2 0
- nvmlDeviceGetCount_v2 0 1
0 nvmlDeviceGetHandleByIndex_v2 0
0 nvmlDeviceGetName 0 NVIDIA Test 10 GB
0 nvmlDeviceGetMemoryInfo_v2 0 10737418240 0 USED FREE
0 nvmlDeviceGetComputeRunningProcesses_v3 0
0 process compute PID USED 4294967295 4294967295 /usr/bin/x
END
cat >"$T/holds.sh" <<'SH'
# $1 bytes of gpu0 are this process'; for ever
sed "s/PID/$$/; s/USED/$1/; s/FREE/1/" "$2/nvml.answers" >"$2/answers.new"
mv "$2/answers.new" "$2/answers"
read -r x <"$2/never"
SH
sed 's/PID/1/; s/USED/0/; s/FREE/10737418240/' "$T/nvml.answers" >"$T/answers"
nvml=(env LD_LIBRARY_PATH="$fake${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" PLIMSOLL_NVML_LIBRARY=libnvidia-ml.so.1 FAKE_NVML_ANSWERS="$T/answers")
if [ -e "$fake/libnvidia-ml.so.1" ]; then
    run "${nvml[@]}" "$PLIMSOLL" run --json --no-ledger --ceiling gpu0=1GiB -- bash "$T/holds.sh" 2147483648 "$T"
    is "gpu0: its processes' memory is measured" \
        "$(told '.devices[] | select(.pool == "gpu0").measured | "\(.bytes) \(.source)"')" "2147483648 measured"
    is "gpu0: and stopped above its ceiling" "$(told '"\(.class) \(.memory)"')" "process_limit true"
    like "gpu0: said" "$err" '2.00 GiB of gpu0'
else
    skip "gpu0" "the stand-in for NVIDIA's library is not built"
fi

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
if [ "$("$PLIMSOLL" assess --json | jq '[.devices[] | select(.vendor == "nvidia" or .vendor == "amd")] | length')" = 0 ]; then
    run "$PLIMSOLL" run --no-ledger --json -- "$T/bin/vllm" serve Qwen/Qwen3-8B --max-model-len 8192
    like "vllm serve without a device: said to be unjudged" "$err" '^plimsoll: not judged beforehand: vLLM: this machine has no device'
    like "and in JSON" "$(told '.predicted | "\(.bytes) \(.why)"')" '^null vLLM: this machine has no device'
else
    skip "vllm serve without a device" "this machine has one"
    skip "and in JSON" "this machine has one"
fi

# --- its memory is in another process: Ollama's server, a container
if [ -n "$python" ]; then
    cat >"$T/serve.py" <<'PY'
import socket, subprocess, sys
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
print(s.getsockname()[1], flush=True)
s.accept()
# a runner with 200 MiB, as the server starts one for a model; then both wait until they are killed
hold = "import sys; x = bytearray(b'a') * (200 << 20); print('loaded', flush=True); open(sys.argv[1]).read()"
p = subprocess.Popen([sys.executable, "-c", hold, sys.argv[1]], stdout=open(sys.argv[2], "w"))
p.wait()
PY
    cat >"$T/bin/ollama" <<'SH'
#!/bin/bash
# asks the server for its model, and waits until that was looked at
exec 3<>"/dev/tcp/127.0.0.1/${OLLAMA_HOST##*:}"
until grep -q loaded "$1.loaded"; do sleep 0.02; done 2>/dev/null
for _ in 1 2 3; do # three whole rounds of looks: each wakes plimsoll once, and is counted by the kernel
    n=$(awk '/^voluntary/ { print $2 }' /proc/$PPID/status)
    until [ "$(awk '/^voluntary/ { print $2 }' /proc/$PPID/status)" -gt $((n + 1)) ]; do sleep 0.05; done
done
SH
    chmod +x "$T/bin/ollama"
    "$python" "$T/serve.py" "$T/never" "$T/run.loaded" >"$T/serve.port" &
    server=$!
    within test -s "$T/serve.port"
    run env OLLAMA_HOST="127.0.0.1:$(cat "$T/serve.port")" "$PLIMSOLL" run --no-ledger --json -- "$T/bin/ollama" "$T/run"
    ok "Ollama's server: its runner's memory is measured" test "$(told .measured.bytes)" -gt $((200 << 20))
    is "Ollama's server: whose it is" "$(told .elsewhere)" "Ollama's server and its runners (process $server)"
    like "Ollama's server: said" "$err" "peak 2[0-9][0-9] MiB of ram in Ollama's server"
    kill "$(tr -d " " <"/proc/$server/task/$server/children")" "$server"
    wait "$server" 2>/dev/null
else
    skip "Ollama's server" "python3 is not installed"
fi
printf '#!/bin/sh\nexit 0\n' >"$T/bin/ollama"
run env OLLAMA_HOST=http://192.0.2.7:11434 "$PLIMSOLL" run --no-ledger --json -- "$T/bin/ollama" run nothing
is "Ollama elsewhere: unknown, not its client's" "$(told .measured.bytes)" null
like "Ollama elsewhere: where to look" "$(told .elsewhere)" 'another machine'
id=$(printf 'b%.0s' $(seq 64)) base=
for g in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd /sys/fs/cgroup/memory; do
    [ -e "$g/cgroup.procs" ] && mkdir -p "$g/plimsoll-test.$$/docker-$id.scope" 2>/dev/null && base=$g/plimsoll-test.$$ && break
done
if [ -n "$base" ]; then
    cat >"$T/bin/docker" <<'SH'
#!/bin/bash
# starts a process of 100 MiB in a container's control group, whose parent is not this program
setsid bash -c 'echo $$ >"$0/cgroup.procs"; x=$(head -c 100M /dev/zero | tr "\0" a); echo held >"$1"; read -r y <"$2"' "$BASE" "$HELD" "$NEVER" &
until grep -q held "$HELD"; do sleep 0.02; done 2>/dev/null
for _ in 1 2 3; do
    n=$(awk '/^voluntary/ { print $2 }' /proc/$PPID/status)
    until [ "$(awk '/^voluntary/ { print $2 }' /proc/$PPID/status)" -gt $((n + 1)) ]; do sleep 0.05; done
done
kill "$!"
SH
    run env BASE="$base/docker-$id.scope" HELD="$T/held" NEVER="$T/never" "$PLIMSOLL" run --no-ledger --json -- "$T/bin/docker" run --rm image
    ok "a container's memory is measured" test "$(told .measured.bytes)" -gt $((100 << 20))
    like "a container: which" "$(told .elsewhere)" '^container bbbbbbbbbbbb \(process [0-9]+\)$'
    for _ in $(seq 100); do rmdir "$base/docker-$id.scope" "$base" 2>/dev/null && break; sleep 0.05; done
else
    skip "a container's memory" "no control group may be made here"
    skip "a container: which" "no control group may be made here"
fi

# --- secrets: of the words, of the environment, of what it says
secret=wordlike-value
export PLIMSOLL_LEDGER=$T/secret.db SERVICE_PASSWORD=another-value
run "$PLIMSOLL" run --json -- sh -c 'echo "using $1 and $SERVICE_PASSWORD for https://me:pw@host/x?sig=abc" >&2
    echo "CUDA out of memory. Tried to allocate 1.00 GiB key=$1" >&2; exit 1' --api-key "$secret" "--hf-token=hf_short" "https://me:pw@host"
"$PLIMSOLL" runs --json >"$T/runs"
for where in state/plimsoll/last-failed.log runs secret.db; do
    not_ok "no secret in $where" grep -aqE "$secret|another-value|me:pw|sig=abc|hf_short" "$T/$where"
done
is "nor in what is said after the command" "$(sed -n '/^torch/,$p' <<<"$err" | grep -cE "$secret|another-value|me:pw")" 0
like "the option is there" "$(told .command)" '--api-key <secret> --hf-token=<secret>'
unset SERVICE_PASSWORD

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
run "$PLIMSOLL" run --ceiling ram=80MiB --fallback "$T/ladder.yaml" -- bash "$T/big.sh" 301
run "$PLIMSOLL" run -- bash "$T/big.sh" 301
unlike "fallback: what a rung held is not remembered as the command's" "$err" 'predicted'
printf 'plimsoll: 1\nrungs:\n  - {name: fails, command: [sh, -c, "exit 1"]}\n  - {name: next, command: [sh, -c, "exit 3"]}\n' >"$T/fails.yaml"
run "$PLIMSOLL" run --no-ledger --ceiling ram=80MiB --fallback "$T/fails.yaml" -- bash -c 'sleep 2 & exec bash "$0" 302' "$T/big.sh"
unlike "fallback: a rung is judged by its own end, not by the run before it" "$err" 'degraded, rung 2'
run "$PLIMSOLL" run --json --no-ledger --fallback "$T/ladder.yaml" -- sh -c 'kill -SEGV $$'
is "fallback: a crash takes no rung" "$(told .degraded)" false

done_testing
