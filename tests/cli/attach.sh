#!/bin/bash
# plimsoll attach: a process that others started.
. "$(dirname "$0")/../lib.sh"

sh -c 'sleep 60 & wait' >/dev/null &
pid=$!
for _ in $(seq 100); do [ -n "$(cat /proc/$pid/task/$pid/children 2>/dev/null)" ] && break; sleep 0.05; done
run "$PLIMSOLL" attach "$pid" --json
is "by pid: exit 0" "$status" 0
is "by pid: its processes" "$(jq .processes <<<"$out")" 2
is "an engine that is none is not predicted" "$(jq -r .predicted.source <<<"$out")" unknown
run "$PLIMSOLL" attach "$pid"
like "text" "$out" "^process $pid \\(2 processes\\): sh -c"
kill "$(cat /proc/$pid/task/$pid/children)" "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
run "$PLIMSOLL" attach "$pid"
is "a pid that is gone: exit 2" "$status" 2
run "$PLIMSOLL" attach nothing-of-that-name
is "no such container: exit 2" "$status" 2
like "no such container: said" "$err" 'no process, container or address'
run "$PLIMSOLL" attach http://127.0.0.1:1
is "nobody listens: exit 4" "$status" 4
python=$(command -v python3)
if [ -n "$python" ]; then
    "$python" -c 'import socket, time
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); x = bytearray(64 << 20)
print(s.getsockname()[1], flush=True); time.sleep(120)' >"$T/port" &
    server=$!
    for _ in $(seq 100); do [ -s "$T/port" ] && break; sleep 0.05; done
    run "$PLIMSOLL" attach "http://127.0.0.1:$(cat "$T/port")/v1" --json
    is "by address: who listens there" "$(jq .pid <<<"$out")" "$server"
    ok "what it holds is measured" test "$(jq .now.bytes <<<"$out")" -gt $((64 << 20))
    # it ends when it is watched: between two looks the watcher sleeps
    "$PLIMSOLL" attach "$server" --seconds 100 --json >"$T/watched" &
    watcher=$! asleep=0
    for _ in $(seq 500); do
        read -r name state < <(sed 's/.*(\(.*\)) \(.\).*/\1 \2/' /proc/$watcher/stat)
        [ "$name $state" = 'plimsoll S' ] && asleep=$((asleep + 1)) || asleep=0
        [ $asleep -lt 5 ] || break
        sleep 0.02
    done
    kill "$server"
    wait "$watcher"
    is "watched until it ends" "$(jq .ended <"$T/watched")" true
    wait "$server" 2>/dev/null
else
    skip "by address" "python3 is not installed"
fi
done_testing
