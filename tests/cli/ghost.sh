#!/bin/bash
# plimsoll ghost as a user meets it.
. "$(dirname "$0")/../lib.sh"

g=$T/g.gguf
# unfinished files that a ghost left
parts() { find "$T" -name '.plimsoll-*' | wc -l; }

run "$PLIMSOLL" ghost qwen2.5-0.5b -o "$g"
is "a catalogue model: exit 0" "$status" 0
like "says of what" "$out" "ghost of qwen2.5-0.5b:q4_k_m"
like "says its length" "$out" "^  length +379 MiB, 397[0-9]+ bytes"
like "says that zeros are for memory" "$out" "fill random"
is "silent on stderr" "$err" ""
is "nothing but the file is there" "$(parts)" 0
length=$(stat -c %s "$g")
if [ "$(stat -c %b "$g")" -lt $((length / 512 / 8)) ]; then
    tap_result 0 "takes no disk for the weights"
else
    like "no holes here, and that is said" "$out" "keeps no holes"
fi

run "$PLIMSOLL" ghost QWEN2.5-0.5B:Q8_0 -o "$g" --json
is "any case, and a ghost may be replaced: exit 0" "$status" 0
if command -v jq >/dev/null; then
    is "--json: schema" "$(jq -r .schema <<<"$out")" "plimsoll.ghost/1"
    is "--json: bytes is the length" "$(jq .bytes <<<"$out")" "$(stat -c %s "$g")"
    is "--json: what it is of" "$(jq -r .ghost_of <<<"$out")" "qwen2.5-0.5b:q8_0"
    is "--json: no seed without random" "$(jq .seed <<<"$out")" null
    is "--json: parameters" "$(jq .model.parameters <<<"$out")" 494032768
else
    for t in schema bytes of seed parameters; do skip "--json: $t" "jq is not installed"; done
fi

run "$PLIMSOLL" ghost "$g" -o "$T/g2.gguf"
is "a ghost of a file: exit 0" "$status" 0
like "the model's own tokenizer" "$out" "the model's own"
run "$PLIMSOLL" ghost "$g" -o "$g" --force
is "onto itself: exit 2" "$status" 2
like "onto itself: said" "$err" "is the model itself"

# random: the same seed gives the same bytes
run "$PLIMSOLL" ghost smollm2-135m:q2_k -o "$T/a.gguf" --fill random
is "random: exit 0" "$status" 0
like "random: the seed is said" "$out" "random \(seed 1876\)"
"$PLIMSOLL" ghost smollm2-135m:q2_k -o "$T/b.gguf" --fill random --seed 1876 >/dev/null
ok "the same seed, the same bytes" cmp "$T/a.gguf" "$T/b.gguf"
"$PLIMSOLL" ghost smollm2-135m:q2_k -o "$T/b.gguf" --fill random --seed 7 >/dev/null
not_ok "another seed, other bytes" cmp -s "$T/a.gguf" "$T/b.gguf"
rm -f "$T/a.gguf" "$T/b.gguf"

# what is refused
run "$PLIMSOLL" ghost qwen2.5-0.5b
is "no -o: exit 2" "$status" 2
like "no -o: said" "$err" "-o FILE is missing"
run "$PLIMSOLL" ghost qwen2.5-0.6b -o "$T/n.gguf"
is "unknown model: exit 2" "$status" 2
like "unknown model: both readings" "$err" "no such file, and no such model in the catalogue"
like "unknown model: the nearest" "$err" "qwen2.5-0.5b"
run "$PLIMSOLL" ghost qwen2.5-0.5b:q4_k_x -o "$T/n.gguf"
is "unknown quantisation: exit 2" "$status" 2
like "unknown quantisation: the nearest" "$err" "did you mean Q4_K_"
run "$PLIMSOLL" ghost hf:model -o "$T/n.gguf"
is "a repository without its owner: exit 2" "$status" 2
like "a repository without its owner: said" "$err" "not of the form hf:ORG/REPO"
run "$PLIMSOLL" ghost "$T" -o "$T/n.gguf"
is "a folder: exit 2" "$status" 2
like "a folder: its files are named" "$err" "g.gguf"
not_ok "nothing was written" test -e "$T/n.gguf"

echo "a letter" >"$T/letter.txt"
run "$PLIMSOLL" ghost qwen2.5-0.5b -o "$T/letter.txt"
is "a file that is no ghost: exit 2" "$status" 2
like "a file that is no ghost: the way out" "$err" "--force"
is "a file that is no ghost: stays" "$(cat "$T/letter.txt")" "a letter"
run "$PLIMSOLL" ghost qwen2.5-0.5b -o "$T/letter.txt" --force
is "--force: exit 0" "$status" 0
run "$PLIMSOLL" ghost qwen2.5-0.5b -o "$T/no/such/folder/g.gguf"
is "no such folder: exit 4" "$status" 4
run "$PLIMSOLL" ghost qwen2.5-0.5b -o /dev/null
is "a device: exit 2" "$status" 2

# a changed header
printf 'set qwen2.context_length 1048576\n' >"$T/long.edit"
run "$PLIMSOLL" ghost qwen2.5-0.5b -o "$T/long.gguf" --edit "$T/long.edit"
is "--edit: exit 0" "$status" 0
run "$PLIMSOLL" inspect "$T/long.gguf"
like "--edit: what it set is there" "$out" "context +1048576"
printf 'set qwen2.context_length\n' >"$T/senseless.edit"
run "$PLIMSOLL" ghost qwen2.5-0.5b -o "$T/n.gguf" --edit "$T/senseless.edit"
is "--edit with a senseless line: exit 2" "$status" 2
like "--edit with a senseless line: where" "$err" "senseless.edit:1"
not_ok "--edit with a senseless line: nothing was written" test -e "$T/n.gguf"
run "$PLIMSOLL" ghost qwen2.5-0.5b -o "$T/n.gguf" --edit "$T/none.edit"
is "--edit without the file: exit 2" "$status" 2

# a limit on file lengths stands for every failure while writing
(
    ulimit -f 1000
    exec "$PLIMSOLL" ghost qwen2.5-0.5b -o "$T/l.gguf" --fill random
) >/dev/null 2>"$T/.err"
is "a file too long for the system: exit 4" "$?" 4
like "a file too long for the system: said" "$(cat "$T/.err")" "forbids a file of"
not_ok "a file too long for the system: nothing is left" test -e "$T/l.gguf"
is "no unfinished file either" "$(parts)" 0

# a full disk
mkdir "$T/disk"
if mount -t tmpfs -o size=16m none "$T/disk" 2>/dev/null; then
    run "$PLIMSOLL" ghost qwen2.5-0.5b -o "$T/disk/g.gguf" --fill random
    is "a full disk: exit 4" "$status" 4
    like "a full disk: said, with sizes" "$err" "has [0-9.]+ MiB free, 379 MiB needed"
    is "a full disk: nothing is left" "$(ls -A "$T/disk")" ""
    run "$PLIMSOLL" ghost llama-3.3-70b -o "$T/disk/g.gguf"
    is "40 GiB of holes on a disk of 16 MiB: exit 0" "$status" 0
    umount "$T/disk"
else
    for t in "exit 4" "said" "nothing is left" "holes"; do skip "a full disk: $t" "cannot mount"; done
fi

# an interrupt in the middle leaves nothing
"$PLIMSOLL" ghost qwen2.5-1.5b:f16 -o "$T/i.gguf" --fill random >/dev/null 2>"$T/.err" &
pid=$!
for _ in $(seq 200); do
    [ "$(parts)" -gt 0 ] && break
    sleep 0.01
done
kill -TERM "$pid"
wait "$pid"
is "interrupted: exit 4" "$?" 4
like "interrupted: said" "$(cat "$T/.err")" "stopped; nothing was written"
is "interrupted: no unfinished file is left" "$(parts)" 0
not_ok "interrupted: nor a finished one" test -e "$T/i.gguf"

done_testing
