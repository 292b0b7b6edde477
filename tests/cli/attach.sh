#!/bin/bash
# plimsoll attach: a process that others started.
. "$(dirname "$0")/../lib.sh"

# waits for ever, and ends when this script does
mkfifo "$T/never"
exec 9<>"$T/never"
sh -c 'read -r x <"$0" & echo ready; wait' "$T/never" >"$T/ready" &
pid=$!
until [ -s "$T/ready" ]; do kill -0 "$pid" || break; sleep 0.02; done
run "$PLIMSOLL" attach "$pid" --json
is "by pid: exit 0" "$status" 0
is "by pid: its processes" "$(jq .processes <<<"$out")" 2
is "an engine that is none is not predicted" "$(jq -r .predicted.source <<<"$out")" unknown
run "$PLIMSOLL" attach "$pid"
like "text" "$out" "^process $pid \\(2 processes\\): sh -c"
# a key among its words is not shown
sh -c 'echo ready; read -r x <"$0"' "$T/never" --api-key very-secret-1 HF_TOKEN=hf_x https://me:pw@host/p >"$T/ready2" &
keyed=$!
until [ -s "$T/ready2" ]; do kill -0 "$keyed" || break; sleep 0.02; done
run "$PLIMSOLL" attach "$keyed"
like "secrets of its command line are not shown" "$out" '--api-key <secret> HF_TOKEN=<secret> https://<secret>@host/p'
kill "$keyed" && wait "$keyed" 2>/dev/null
kill "$(tr -d " " <"/proc/$pid/task/$pid/children")" "$pid" 2>/dev/null
wait "$pid" 2>/dev/null
run "$PLIMSOLL" attach "$pid"
is "a pid that is gone: exit 2" "$status" 2
run "$PLIMSOLL" attach nothing-of-that-name
is "no such container: exit 2" "$status" 2
like "no such container: said" "$err" 'no process, container or address'
run "$PLIMSOLL" attach http://127.0.0.1:1
is "nobody listens: exit 4" "$status" 4
for address in 'http://[::1]/ 80' 'http://127.0.0.1:123456 none' 'http://127.0.0.1:1/x:22 1' 'https://127.0.0.1 443'; do
    run "$PLIMSOLL" attach "${address% *}"
    case ${address#* } in
    none) like "${address% *}: no port" "$err" 'no port$' ;;
    *) unlike "${address% *}: no other port is looked at" "$err" "port ([^${address#* }]|${address#* }[0-9])" ;;
    esac
done
run "$PLIMSOLL" attach http://me:pw@192.0.2.1:11434/v1
is "another machine's address: exit 2" "$status" 2
like "another machine's address: said, without its password" "$err" 'http://<secret>@192.0.2.1:11434/v1 is not an address of this machine'
run "$PLIMSOLL" attach user
is "a part of a control group's name is no container" "$status" 2
python=$(command -v python3)
if [ -n "$python" ]; then
    "$python" -c 'import socket, sys
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); x = bytearray(64 << 20)
print(s.getsockname()[1], flush=True); open(sys.argv[1]).read()' "$T/never" >"$T/port" &
    server=$!
    until [ -s "$T/port" ]; do kill -0 "$server" || break; sleep 0.02; done
    run "$PLIMSOLL" attach "http://127.0.0.1:$(cat "$T/port")/v1" --json
    is "by address: who listens there" "$(jq .pid <<<"$out")" "$server"
    ok "what it holds is measured" test "$(jq .now.bytes <<<"$out")" -gt $((64 << 20))
    # it ends when it is watched: between two looks the watcher sleeps
    "$PLIMSOLL" attach "$server" --seconds 600 --json >"$T/.out" &
    watcher=$! asleep=0
    while kill -0 "$watcher" && [ $asleep -lt 5 ]; do
        read -r name state < <(sed 's/.*(\(.*\)) \(.\).*/\1 \2/' /proc/$watcher/stat)
        [ "$name $state" = 'plimsoll S' ] && asleep=$((asleep + 1)) || asleep=0
        sleep 0.02
    done
    kill "$server"
    wait "$server" 2>/dev/null
    wait "$watcher"
    is "watched until it ends" "$(jq '"\(.ended) \(.now.bytes)"' "$T/.out")" '"true null"'
else
    skip "by address" "python3 is not installed"
fi
done_testing
