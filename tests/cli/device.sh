#!/bin/bash
# The device data: listed, and as a machine to plan for. Expected values come from the table itself.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"
table=$PLIMSOLL_SOURCE/data/devices.tsv
# field ID COLUMN
field() { awk -F'\t' -v id="$1" -v c="$2" 'NR == 1 { for (i = 1; i <= NF; i++) n[$i] = i } $1 == id { print $n[c] }' "$table"; }

run "$PLIMSOLL" assess --devices --json
is "--devices: exit 0" "$status" 0
printf '%s\n' "$out" >"$T/json"
is "--devices: every row" "$(jq '.devices | length' "$T/json")" "$(($(wc -l <"$table") - 1))"
is "--devices: ids" "$(jq -r '.devices[].id' "$T/json")" "$(tail -n +2 "$table" | cut -f1)"
for column in memory_gib bandwidth_gbs throttle_c source; do
    key=$column
    [ $column = bandwidth_gbs ] && key=bandwidth_gb_per_second
    [ $column = throttle_c ] && key=throttle_celsius
    is "--devices: $column" "$(jq -r ".devices[].$key" "$T/json" | md5sum)" \
        "$(awk -F'\t' -v c=$column 'NR == 1 { for (i = 1; i <= NF; i++) n[$i] = i; next }
            { v = $n[c]; print v == "?" ? "null" : v ~ /^[0-9.]+$/ ? v + 0 : v }' OFMT=%.9g "$table" | md5sum)"
done
ok "unknown is null, not 0" jq -e '[.devices[] | .memory_gib, .bandwidth_gb_per_second | select(. == 0)] == []' "$T/json"
python=$(command -v python3)
if [ -n "$python" ] && "$python" -c 'import jsonschema' 2>/dev/null; then
    ok "--devices: as its schema says" "$python" "$PLIMSOLL_SOURCE/tests/cli/validate.py" \
        "$PLIMSOLL_SOURCE/data/schema/devices.json" "$T/json"
else
    ok "--devices: as its schema says" "${python:-python3}" "$PLIMSOLL_SOURCE/tests/cli/validate.py" \
        "$PLIMSOLL_SOURCE/data/schema/devices.json" "$T/json"
fi
run "$PLIMSOLL" assess --devices 3090
like "--devices WORD: a table" "$out" '^rtx3090 .*936 GB/s'
unlike "--devices WORD: nothing else" "$out" '^rtx4090 '
run "$PLIMSOLL" assess --devices "no such device"
is "--devices: nothing found: exit 1" "$status" 1

run "$PLIMSOLL" assess --device rtx3090,rtx3090 --ram 64GiB --json
is "--device: exit 0" "$status" 0
printf '%s\n' "$out" >"$T/json"
is "--device: two of them" "$(jq -c '[.devices[].id]' "$T/json")" '["gpu0","gpu1"]'
is "--device: capacity as declared" "$(jq '.pools[] | select(.pool == "gpu1").capacity.bytes' "$T/json")" \
    "$(($(field rtx3090 memory_gib) * 1073741824))"
is "--device: declared, not measured" "$(jq -r '.pools[] | select(.pool == "gpu1").capacity.source' "$T/json")" declared
ok "--device: a reserve with an interval and its why" jq -e '.pools[] | select(.pool == "gpu1").reserved
    | .low < .bytes and .bytes < .high and .source == "assumed" and (.why | length) > 0' "$T/json"
is "--ram" "$(jq '.pools[] | select(.pool == "ram").capacity.bytes' "$T/json")" 68719476736
is "--device: not this system" "$(jq .this_system "$T/json")" false
is "without --ram the main memory is unknown" \
    "$("$PLIMSOLL" assess --device rtx4090 --json | jq '.pools[] | select(.pool == "ram").capacity.bytes')" null
is "shared memory is one pool" \
    "$("$PLIMSOLL" assess --device jetson-orin-nx-16g --json | jq -r '.pools[] | "\(.pool) \(.parent)"' | sort)" \
    "gpu0 unified
ram unified
unified null"
"$PLIMSOLL" assess --device rtx4090 --ram 32GiB --json >"$T/made.json"
a=$("$PLIMSOLL" estimate qwen3-8b:q4_k_m -c 4096 --device rtx4090 --ram 32GiB --json | jq -c .pools)
b=$("$PLIMSOLL" estimate qwen3-8b:q4_k_m -c 4096 --machine "$T/made.json" --json | jq -c .pools)
is "estimate: the same for the device and for its machine file" "$a" "$b"
run "$PLIMSOLL" estimate qwen3-8b:q4_k_m --machine rtx4090
is "a device where a machine was asked: exit 2" "$status" 2
like "a device where a machine was asked: what to say" "$err" '^hint: a device of the data is --device rtx4090$'
run "$PLIMSOLL" estimate qwen3-8b:q4_k_m --machine nosuchname
like "no machine of that name: where they are" "$err" "^hint: 'plimsoll machines' lists"
run "$PLIMSOLL" estimate qwen3-8b:q4_k_m --device rtx409
is "a wrong id: exit 2" "$status" 2
like "a wrong id: the nearest" "$err" '^hint: did you mean rtx40'
run "$PLIMSOLL" estimate qwen3-8b:q4_k_m --device rtx4090 --machine "$T/made.json"
is "--device with --machine: exit 2" "$status" 2
run "$PLIMSOLL" estimate qwen3-8b:q4_k_m --ram 32GiB
is "--ram alone: exit 2" "$status" 2
run "$PLIMSOLL" assess surplus
is "an argument without --devices: exit 2" "$status" 2
done_testing
