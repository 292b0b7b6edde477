#!/bin/bash
# A capture is there whole or not at all: full disks, file limits, a kill in the middle.
. "$(dirname "$0")/../lib.sh"
mkdir "$T/out"

run bash -c 'ulimit -f 8; "$1" assess --capture "$2"' _ "$PLIMSOLL" "$T/out/limit.tar"
is "file limit: exit 4" "$status" 4
like "file limit: says why" "$err" "limit.tar: cannot write it: File too large"
is "file limit: nothing is left" "$(ls -A "$T/out")" ""

mkdir "$T/small"
if mount -t tmpfs -o size=16k none "$T/small" 2>/dev/null; then
    run "$PLIMSOLL" assess --capture "$T/small/full.tar"
    is "full disk: exit 4" "$status" 4
    like "full disk: says why" "$err" "No space left"
    is "full disk: nothing is left" "$(ls -A "$T/small")" ""
    echo kept >"$T/small/full.tar"
    run "$PLIMSOLL" assess --capture "$T/small/full.tar" --force
    is "full disk, replacing: exit 4" "$status" 4
    is "full disk, replacing: the old one is kept" "$(cat "$T/small/full.tar")" kept
    umount "$T/small"
else
    skip "full disk" "cannot mount a small file system"
fi

# killed at any moment: the file is not there, or whole
halves=
for delay in 0.001 0.003 0.006 0.010 0.015 0.020 0.030; do
    "$PLIMSOLL" assess --capture "$T/out/killed.tar" >/dev/null 2>&1 &
    pid=$!
    sleep $delay
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    if [ -e "$T/out/killed.tar" ]; then
        tar -tf "$T/out/killed.tar" >/dev/null 2>&1 || halves+=" $delay"
        rm "$T/out/killed.tar"
    fi
done
is "killed: never half a file" "$halves" ""
is "killed: nothing else either" "$(ls -A "$T/out")" ""

# replaying where there is no room to unpack
run "$PLIMSOLL" assess --capture "$T/out/m.tar"
run env TMPDIR=/nonexistent "$PLIMSOLL" assess --root "$T/out/m.tar"
is "no temporary folder: one line" "$(wc -l <<<"$err")" 1
like "no temporary folder: says which" "$err" "/nonexistent"
done_testing
