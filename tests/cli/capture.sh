#!/bin/bash
# plimsoll assess --capture: everything a reading read, without names; it reads back as this machine.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"
export TMPDIR=$T/tmp
mkdir "$TMPDIR"

# The folder of models is in a home that need not be there: its owner's name must not come through.
models=/home/secretuser/models
run "$PLIMSOLL" assess --capture "$T/m.tar" --model-dir $models --json
is "capture: exit 0" "$status" 0
printf '%s\n' "$out" >"$T/now.json"
like "capture: says what was taken out" "$err" "^$T/m.tar: .* files; taken out: .*user names 1"
is "capture: its owner's alone" "$(stat -c %a "$T/m.tar")" 600
ok "capture: tar reads it" tar -tf "$T/m.tar"
mkdir "$T/x"
tar -xf "$T/m.tar" -C "$T/x"
is "capture: meminfo is the kernel's" "$(sed -n 's/^MemTotal: *//p' "$T/x/proc/meminfo")" \
    "$(sed -n 's/^MemTotal: *//p' /proc/meminfo)"
ok "capture: holds the assessment" jq -e '.schema == "plimsoll.assess/1"' "$T/x/plimsoll/assess.json"
for table in errors live links about; do
    ok "capture: $table.tsv" test -e "$T/x/plimsoll/$table.tsv"
done

# secrets: none of them in any byte of the archive
for secret in secretuser "$(cat /etc/machine-id 2>/dev/null)" "$(jq -r .id "$T/now.json")" \
    "$(cat /proc/sys/kernel/random/boot_id)" "$(cat /sys/class/dmi/id/product_uuid 2>/dev/null)" \
    "$(hostname 2>/dev/null | awk 'length > 2')"; do
    [ -n "$secret" ] && [ "$secret" != null ] || continue
    not_ok "redacted: ${secret:0:4}..." grep -qiaw -- "$secret" "$T/m.tar"
done

# differences NAME A B: what differs, but for whether it is this system and what was redacted
paths='[paths(type != "object" and type != "array") | map(tostring) | join(".")] | .[]'
same() { # NAME LEFT RIGHT FILTER
    is "$1" "$(diff <(jq -S "del(.this_system)$4" "$2") <(jq -S "del(.this_system)$4" "$3"))" ""
}
masked=' | del(.id) | del(.storage[].path) | .notes |= map(select(contains("/home/") | not))'
masked+=' | del(.devices[]?.uuid)'

run "$PLIMSOLL" assess --root "$T/m.tar" --json
is "replay: exit 0" "$status" 0
printf '%s\n' "$out" >"$T/replay.json"
is "replay: is not this system" "$(jq .this_system "$T/replay.json")" false
same "replay: every field as it was" "$T/now.json" "$T/replay.json" "$masked"
ok "replay: there are as many fields as were" test \
    "$(jq "$paths" "$T/now.json" | wc -l)" = "$(jq "$paths" "$T/replay.json" | wc -l)"
is "replay: the folder, without the name" "$(jq -r '.storage[0].path' "$T/replay.json")" /home/user1/models
same "replay: and as the capture says" "$T/x/plimsoll/assess.json" "$T/replay.json" ' | del(.id)'
run "$PLIMSOLL" assess --root "$T/x" --json
same "replay: of the folder" <(printf '%s' "$out") "$T/replay.json" ''
is "replay: nothing stays in the temporary folder" "$(ls -A "$TMPDIR")" ""
run "$PLIMSOLL" assess --json --root "$T/m.tar" --model-dir /somewhere --bandwidth
is "replay: asks nothing of this system" \
    "$(jq -r '.storage[0].path, .pools[0].bandwidth_bytes_per_second.bytes' <<<"$out")" \
    "/home/user1/models
null"

run "$PLIMSOLL" estimate smollm2-135m:q8_0 --machine "$T/m.tar" --json
is "--machine: a capture: exit 0" "$status" 0
run "$PLIMSOLL" --machine "$T/x" --json
is "--machine: its folder: exit 0" "$status" 0

# Nothing taken out; and with what was measured.
run "$PLIMSOLL" assess --capture "$T/all.tar" --no-redact --bandwidth --json --model-dir $models
is "no-redact: exit 0" "$status" 0
like "no-redact: says so" "$err" "nothing was taken out"
printf '%s\n' "$out" >"$T/all.json"
run "$PLIMSOLL" assess --root "$T/all.tar" --json
same "no-redact: the same to the last byte" "$T/all.json" <(printf '%s' "$out") ''
# the note that the ledger remembers is of the next reading
run "$PLIMSOLL" assess --capture "$T/remembered.tar" --no-redact --json
printf '%s\n' "$out" >"$T/all.json"
ok "remembered: bandwidth is known" jq -e '.pools[0].bandwidth_bytes_per_second.bytes > 0' "$T/all.json"
run env PLIMSOLL_LEDGER=/nonexistent/ledger "$PLIMSOLL" assess --root "$T/remembered.tar" --json
same "remembered: the same to the last byte" "$T/all.json" <(printf '%s' "$out") ''

# Files that are there, and places that are not.
sum=$(sha256sum <"$T/m.tar")
run "$PLIMSOLL" assess --capture "$T/m.tar"
is "there already: exit 2" "$status" 2
like "there already: a hint" "$err" "hint: --force"
is "there already: untouched" "$(sha256sum <"$T/m.tar")" "$sum"
run "$PLIMSOLL" assess --capture "$T/m.tar" --force
is "force: exit 0" "$status" 0
run "$PLIMSOLL" assess --capture "$T/none/m.tar"
is "no such folder: exit 4" "$status" 4
run "$PLIMSOLL" assess --capture "$T/b.tar" --root "$T/x"
is "a capture of a replay: exit 2" "$status" 2
run "$PLIMSOLL" assess --capture /dev/null
is "a device: exit 2" "$status" 2

# Hostile archives: one line, exit 2, nothing left.
gzip -k "$T/all.tar"
run "$PLIMSOLL" assess --root "$T/all.tar.gz"
is "compressed: exit 2" "$status" 2
like "compressed: says what is read" "$err" "compressed \(gzip\): only a plain tar archive"
head -c 3000 "$T/all.tar" >"$T/cut.tar"
run "$PLIMSOLL" assess --root "$T/cut.tar"
is "cut short: exit 2" "$status" 2
mkdir -p "$T/h/proc"
ln -s /etc "$T/h/proc/out"
ln -s ../../../../etc "$T/h/proc/up"
mkfifo "$T/h/proc/fifo"
for what in out up fifo; do
    tar --format=ustar -cf "$T/h.tar" -C "$T/h" "proc/$what"
    run "$PLIMSOLL" assess --root "$T/h.tar"
    is "hostile: $what: exit 2" "$status" 2
    is "hostile: $what: one line and a hint at most" "$(grep -vc '^hint: ' <<<"$err")" 1
done
(cd "$T/h" && echo x >y && tar -P --format=ustar -cf "$T/h.tar" "$T/h/y")
run "$PLIMSOLL" assess --root "$T/h.tar"
is "hostile: an absolute path: exit 2" "$status" 2
cp -r "$T/x" "$T/broken"
echo "what is this" >"$T/broken/plimsoll/errors.tsv"
run "$PLIMSOLL" assess --root "$T/broken"
is "a damaged table: exit 2" "$status" 2
like "a damaged table: which line" "$err" "errors.tsv: line 1"
is "nothing stays in the temporary folder" "$(ls -A "$TMPDIR")" ""
# one that was killed left its folder: the next one removes it
mkdir "$TMPDIR/plimsoll-replay-4194304.abcdef"
run "$PLIMSOLL" assess --root "$T/m.tar"
is "what a killed one left is removed" "$(ls -A "$TMPDIR")" ""

done_testing
