#!/bin/bash
# plimsoll pull, killed, interrupted, run twice at once, on a full disk, with what it left damaged: it
# goes on, or says why not, and no wrong file ever gets the name.
# PLIMSOLL_FULL=1 kills it 60 times instead of 10.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../remote/lib.sh"
rounds=10
[ "${PLIMSOLL_FULL:-0}" -ge 1 ] && rounds=60
"$PLIMSOLL" ghost smollm2-135m:q8_0 -o "$web/big.gguf" >/dev/null || exit 99
# no zeros: a piece that is missing or in the wrong place is seen
size=$(stat -c %s "$web/big.gguf")
head=$(("$size" - 100 * 1048576))
head -c 104857600 /dev/urandom | dd of="$web/big.gguf" bs=1M oflag=seek_bytes seek=$head conv=notrunc status=none
export SLOW=12000000 PLIMSOLL_MODELS=$T/models
start_server
to=$T/big.gguf

pull() { # WAY ARGUMENTS...
    local way=$1
    shift
    : >"$log"
    run timeout 100 "$PLIMSOLL" pull "$at/$way/big.gguf" -o "$to" --no-test "$@"
}
fresh() { rm -f "$to" "$to".part*; }
whole() { cmp "$to" "$web/big.gguf"; }
tidy() { [ -z "$(find "$T" -maxdepth 1 -name 'big.gguf.*')" ]; }
came() { awk '/ 206 | 200 /{n += $4} END {print n + 0}' "$log"; } # bytes of bodies
# start WAY...: in the background (where shells let programs ignore Ctrl-C); $pid
start() {
    env --default-signal=INT "$PLIMSOLL" pull "$at/$1/big.gguf" -o "$to" --no-test "${@:2}" >"$T/bg.out" 2>"$T/bg.err" &
    pid=$!
}
wait_state() { # until something is in the state
    for _ in $(seq 200); do
        grep -q '"pieces": "0*[1-9a-f]' "$to.part.state" 2>/dev/null && return 0
        kill -0 $pid 2>/dev/null || return 1
        sleep 0.05
    done
    return 1
}
# Every piece the state speaks of is on the disk as the server has it.
state_true() {
    "$python" - "$to.part" "$web/big.gguf" <<'END'
import json, os, sys
part, true = sys.argv[1:]
if not os.path.exists(part + ".state"):
    sys.exit(0)
state = json.load(open(part + ".state"))
n, size, sums = state["piece_bytes"], state["bytes"], state["pieces"]
with open(part, "rb") as a, open(true, "rb") as b:
    for i in range(len(sums) // 16):
        if int(sums[16 * i:16 * i + 16], 16) == 0:
            continue
        a.seek(i * n)
        b.seek(i * n)
        if a.read(min(n, size - i * n)) != b.read(min(n, size - i * n)):
            sys.exit("piece %d is not what the server has" % i)
END
}

# 0. undisturbed
pull slow
is "undisturbed: exit 0" "$status" 0
ok "undisturbed: right" whole
ok "undisturbed: tidy" tidy
fresh

# 1. kill -9 at random moments, again and again, until it is through
killed=0 lies='' early=''
for i in $(seq "$rounds"); do
    start redirect_slow
    sleep "0.$((RANDOM % 9))$((RANDOM % 10))"
    kill -KILL $pid 2>/dev/null
    wait $pid 2>/dev/null
    [ $? -eq 137 ] && killed=$((killed + 1))
    state_true || lies+=" $i"
    [ -e "$to" ] && ! whole && early+=" $i"
    [ -e "$to" ] && fresh
done
ok "killed: at least half of the times in its course ($killed of $rounds)" test "$killed" -ge $((rounds / 2))
is "killed: the state never speaks of bytes that are not there" "$lies" ""
is "killed: no wrong file got the name" "$early" ""
pull redirect_slow
is "killed: then it goes on, exit 0" "$status" 0
ok "killed: right" whole
like "killed: verified" "$out" 'verified +SHA-256'
ok "killed: tidy" tidy
fresh

# 2. Ctrl-C: exit 130, and what was there is not fetched again
start slow
wait_state
kill -INT $pid
wait $pid
is "Ctrl-C: exit 130" $? 130
like "Ctrl-C: how to go on" "$(cat "$T/bg.err")" 'hint: .* are here: the same command goes on'
ok "Ctrl-C: the state is true" state_true
pull plain
is "Ctrl-C: goes on: exit 0" "$status" 0
like "Ctrl-C: goes on: said" "$err" 'resumed: .* are here'
ok "Ctrl-C: goes on: less came than the whole" test "$(came)" -lt "$size"
ok "Ctrl-C: goes on: right" whole
fresh

# 3. two at once
start slow
wait_state
pull slow
is "two at once: the second: exit 4" "$status" 4
like "two at once: said" "$err" 'another process is fetching it now'
wait $pid
is "two at once: the first: exit 0" $? 0
ok "two at once: right" whole
fresh

# 4. damage on the disk while it lay there
start slow
wait_state
kill -KILL $pid
wait $pid 2>/dev/null
at_piece=$(sed -n 's/.*"pieces": "//p' "$to.part.state" | fold -w 16 | grep -n -v '^0*$' | head -n 1 | cut -d : -f 1)
printf 'damage' | dd of="$to.part" bs=1 seek=$(((at_piece - 1) * 4194304 + 1000000)) conv=notrunc status=none
pull plain
is "damaged: exit 0" "$status" 0
like "damaged: said" "$err" 'pieces on the disk are damaged and are fetched again'
ok "damaged: right" whole
fresh
for what in garbage cut empty other; do
    start slow
    wait_state
    kill -KILL $pid
    wait $pid 2>/dev/null
    case $what in
    garbage) head -c 5000 /dev/urandom >"$to.part.state" ;;
    cut) truncate -s 300 "$to.part.state" ;;
    empty) truncate -s 5000000 "$to.part" ;;
    other) sed -i 's/"etag": "[^,]*,/"etag": "\\"other\\"",/' "$to.part.state" ;;
    esac
    pull plain
    is "state or part damaged ($what): exit 0" "$status" 0
    ok "state or part damaged ($what): right" whole
    ok "state or part damaged ($what): tidy" tidy
    fresh
done

# 5. replaced on the server in between
start slow
wait_state
kill -KILL $pid
wait $pid 2>/dev/null
cp "$web/big.gguf" "$T/old"
printf 'new' | dd of="$web/big.gguf" bs=1 seek=$((size - 1000)) conv=notrunc status=none
pull plain
is "replaced: exit 0" "$status" 0
like "replaced: said" "$err" 'the server has another file now.*begun anew'
ok "replaced: the new one" whole
fresh

# 6. the disk is full
if mkdir "$T/disk" && mount -t tmpfs -o size=40m none "$T/disk" 2>/dev/null; then
    trap 'kill $server 2>/dev/null; umount -l "$T/disk" 2>/dev/null; rm -rf "$T"' EXIT
    to=$T/disk/big.gguf
    pull plain
    is "no room: exit 1" "$status" 1
    pull plain --force
    is "full: exit 4" "$status" 4
    like "full: said" "$err" "^plimsoll: $to.part: the disk is full: [1-9].* of .* are here"
    ok "full: the state is true" state_true
    not_ok "full: no file has the name" test -e "$to"
    mount -o remount,size=400m "$T/disk"
    pull plain --force
    is "full, then room: exit 0" "$status" 0
    like "full, then room: goes on" "$err" 'resumed: '
    ok "full, then room: right" whole
    umount -l "$T/disk"
    to=$T/big.gguf
else
    skip "full" "no right to mount"
fi
(
    ulimit -f 20480 # KiB: a limit on the length of files is an error of write(), not a death
    "$PLIMSOLL" pull "$at/plain/big.gguf" -o "$to" --no-test >/dev/null 2>"$T/limit.err"
)
is "a limit on files: exit 4" $? 4
like "a limit on files: said" "$(cat "$T/limit.err")" 'larger than files may be here|File too large'
fresh

# 7. the network goes away in the middle, and comes back
start slow --retries 0
wait_state
kill $server
wait $pid
is "the server dies: exit 4" $? 4
like "the server dies: how to go on" "$(cat "$T/bg.err")" 'hint: .* are here: the same command goes on'
rm -f "$T/port"
start_server
pull plain
like "the server is back: goes on" "$status $err" 'resumed: '
ok "the server is back: right" whole
done_testing
