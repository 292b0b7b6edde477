#!/bin/bash
# The registry of machines: added, listed, used by name, removed.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"
run "$PLIMSOLL" machines
is "none yet: exit 0" "$status" 0
like "none yet: what to do" "$out" 'machines add FILE'
"$PLIMSOLL" assess --device rtx5060ti-16g --ram 64GiB --json >"$T/desk.json"
"$PLIMSOLL" assess --device rtx4070 --ram 32GiB --json >"$T/lap.json"
"$PLIMSOLL" assess --device rtx3070 --ram 16GiB --json >"$T/old.json"
"$PLIMSOLL" assess --json >"$T/here.json"
run "$PLIMSOLL" machines add "$T/desk.json" --use "images"
is "add: exit 0" "$status" 0
is "add: the file, byte for byte" "$(cat "$T/data/plimsoll/machines/desk.json")" "$(cat "$T/desk.json")"
run "$PLIMSOLL" machines add "$T/lap.json" --name laptop --vram 8GB --cc 8.6
is "add with a name: exit 0" "$status" 0
like "what was typed and what was read, both" "$out" 'laptop: memory of the device: 8.00 GB typed, 12.00 GiB read; compute capability: 8.6 typed, 8.9 read'
run "$PLIMSOLL" machines add "$T/old.json" --vram 8GB --gpu "RTX 3070"
unlike "8 GB and 8 GiB are one card" "$out" '^old: '
run "$PLIMSOLL" machines add "$T/here.json"
is "this machine: exit 0" "$status" 0
run "$PLIMSOLL" machines list --json
printf '%s\n' "$out" >"$T/json"
is "list: the names in order" "$(jq -r '.machines[].name' "$T/json")" "desk
here
laptop
old"
is "list: memory of the devices" "$(jq -r '.machines[] | select(.name != "here").vram.bytes / 1073741824' "$T/json")" "16
12
8"
is "list: compute capability" "$(jq -r '.machines[] | select(.name != "here").compute_capability' "$T/json")" "12.0
8.9
8.6"
is "list: one is most constrained" "$(jq -r '.machines[] | select(.most_constrained).name' "$T/json")" old
is "list: the use" "$(jq -r '.machines[0].use' "$T/json")" images
is "list: all pending" "$(jq -r '[.machines[].profile] | unique[]' "$T/json")" pending
ok "list: as its schema says" python3 "$PLIMSOLL_SOURCE/tests/cli/validate.py" \
    "$PLIMSOLL_SOURCE/data/schema/machines.json" "$T/json"
run "$PLIMSOLL" machines list
like "text: five columns" "$out" '^old +unknown +NVIDIA GeForce RTX 3070 +8.00 GiB +8.6 +16.00 GiB +- +pending +most constrained'
like "text: what to run there" "$out" "^pending: run 'plimsoll try"
a=$("$PLIMSOLL" estimate qwen3-0.6b:q8_0 -c 4096 --machine old --json | jq -c .pools)
b=$("$PLIMSOLL" estimate qwen3-0.6b:q8_0 -c 4096 --machine "$T/old.json" --json | jq -c .pools)
is "--machine NAME: as the file" "$a" "$b"
is "show: the machine" "$("$PLIMSOLL" machines show old --json | jq -c '.pools | walk(if type == "object" then del(.why) else . end)')" \
    "$(jq -c '.pools | walk(if type == "object" then del(.why) else . end)' "$T/old.json")"
run "$PLIMSOLL" machines add "$T/old.json"
is "twice: exit 2" "$status" 2
like "twice: a hint" "$err" '^hint: --force'
run "$PLIMSOLL" machines add "$T/old.json" --force --use again
is "twice, by force: exit 0" "$status" 0
is "twice, by force: replaced" "$("$PLIMSOLL" machines --json | jq -r '.machines[] | select(.name == "old").use')" again
printf 'not json' >"$T/bad.json"
run "$PLIMSOLL" machines add "$T/bad.json"
is "no machine file: exit 2" "$status" 2
not_ok "no machine file: nothing kept" test -e "$T/data/plimsoll/machines/bad.json"
run "$PLIMSOLL" machines add "$T/old.json" --name ../evil
is "a name that climbs: exit 2" "$status" 2
run "$PLIMSOLL" machines remove old
is "remove: exit 0" "$status" 0
is "remove: gone" "$("$PLIMSOLL" machines --json | jq -r '.machines[].name' | grep -c old)" 0
run "$PLIMSOLL" machines remove old
is "remove again: exit 2" "$status" 2
run "$PLIMSOLL" machines show nobody
is "show of none: exit 2" "$status" 2
run "$PLIMSOLL" machines frob
is "another word: exit 2" "$status" 2
run "$PLIMSOLL" estimate qwen3-0.6b:q8_0 --machine nobody
is "--machine of none: exit 2" "$status" 2
# damaged afterwards: listed, with the reason
printf '{' >"$T/data/plimsoll/machines/desk.json"
run "$PLIMSOLL" machines --json
is "damaged: exit 0" "$status" 0
ok "damaged: the reason" jq -e '.machines[] | select(.name == "desk").error != null' <<<"$out"
# runs in the ledger make a machine profiled
if "$PLIMSOLL_BUILD/tests/unit/make_ledger" "$T/runs.db" 2>/dev/null; then
    id=$("$PLIMSOLL" runs --ledger "$T/runs.db" --json | jq -r '[.runs[] | select(.status == "ok").machine.id? // empty][0] // empty')
    if [ -n "$id" ]; then
        jq --arg id "$id" '.id = $id' "$T/old.json" >"$T/known.json"
        "$PLIMSOLL" machines add "$T/known.json" >/dev/null
        is "a machine with runs is profiled" \
            "$("$PLIMSOLL" machines --ledger "$T/runs.db" --json | jq -r '.machines[] | select(.name == "known").profile')" profiled
    else
        skip "a machine with runs is profiled" "the runs of the test ledger have no machine"
    fi
else
    skip "a machine with runs is profiled" "no make_ledger"
fi
done_testing
