#!/bin/bash
# Plans for other machines: as if, after an upgrade, for several at once.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"
examples=$PLIMSOLL_SOURCE/examples machines=$PLIMSOLL_SOURCE/examples/machines
valid() { ok "$1: as the schema says" python3 "$PLIMSOLL_SOURCE/tests/cli/validate.py" "$PLIMSOLL_SOURCE/data/schema/plan.json" "$T/.out"; }
fleet=(--machine "$machines/desktop-rtx5070ti.json" --machine "$machines/pc-rtx3070ti.json" --machine "$machines/laptop-12gb.json")
run "$PLIMSOLL" plan "$examples/pose.yaml" "${fleet[@]}" --json
is "each: exit 0" "$status" 0
valid "each"
is "each: the smallest is the 8 GB machine" "$(jq -r .smallest <<<"$out")" "$machines/pc-rtx3070ti.json"
is "each: three plans" "$(jq '.fleet | length' <<<"$out")" 3
for i in 0 1 2; do
    jq -c ".fleet[$i].plan" <<<"$out" >"$T/of_fleet"
    "$PLIMSOLL" plan "$examples/pose.yaml" --machine "$(jq -r ".fleet[$i].machine" <<<"$out")" --json | jq -c 'del(.schema)' >"$T/alone"
    ok "each: plan $i is that of the machine alone" cmp "$T/of_fleet" "$T/alone"
done
run "$PLIMSOLL" plan "$examples/pose.yaml" "${fleet[@]}" --fleet min
like "min: the smallest" "$out" 'pc-rtx3070ti.json \(the smallest of them\): pose: fits'
unlike "min: no other" "$out" '5070ti'
run "$PLIMSOLL" plan "$examples/pose.yaml" "${fleet[@]}"
like "each: beside each other" "$out" '^describe +llama-2-7b-q8, hot, context 2048 +off +llama'
run "$PLIMSOLL" plan "$examples/pose.yaml" --machine "$machines/pc-rtx3070ti.json" --machine "$T/none.json"
is "a machine that is not there: exit 2" "$status" 2

for only in --markdown "--what-if gpu0=16GiB" "--emit systemd" "--upgrade gpu0=16GiB" "--holding gpu0=1GiB"; do
    # shellcheck disable=SC2086 # an option and its value
    run "$PLIMSOLL" plan "$examples/pose.yaml" "${fleet[@]}" $only
    is "several machines, and $only: exit 2" "$status $([[ $err == *'of one --machine'* ]] && echo said)" "2 said"
done

up() { run "$PLIMSOLL" plan "$examples/pose.yaml" --machine "$machines/pc-rtx3070ti.json" --upgrade "$@"; }
up 'ram=64GiB:30-50,gpu0=16GiB:$400'
is "upgrade: exit 0" "$status" 0
like "upgrade: slots first, at no cost" "$(head -n 1 <<<"$out")" '^1\. look which memory slots .* cost 0'
like "upgrade: what the card unlocks, and its cost" "$(tr '\n' ' ' <<<"$out")" '2\. gpu0=16GiB: cost \$400 +unlocks: describe by llama-2-7b'
like "upgrade: memory waits for the slots" "$out" '^3\. ram=64GiB: cost 30-50; not before the slots are known'
up 'ram=64GiB:30-50' --json
valid "upgrade"
is "upgrade: blocked" "$(jq -c '[.upgrades[] | [.what, .cost, .blocked]]' <<<"$out")" '[["verify memory slots","0",false],["ram=64GiB","30-50",true]]'
jq '.dimms = [{"slot": "A", "kind": "DDR4", "bytes": {"bytes": 17179869184, "low": 17179869184, "high": 17179869184, "source": "measured"}}, {"slot": "B", "kind": "DDR4", "bytes": {"bytes": 0, "low": 0, "high": 0, "source": "measured"}}]' \
    "$machines/pc-rtx3070ti.json" >"$T/slots.json"
run "$PLIMSOLL" plan "$examples/pose.yaml" --machine "$T/slots.json" --upgrade ram=64GiB --json
is "upgrade: slots known, nothing is blocked" "$(jq -c '[.upgrades[] | .blocked]' <<<"$out")" '[false]'
run "$PLIMSOLL" plan "$examples/roles.yaml" --env ram64 --machine "$machines/server-64.json" --upgrade ram=128GiB
like "upgrade: a ceiling of the stack stays" "$out" 'nothing: the ceiling that the stack sets for ram'
# two upgrades that unlock only together what neither does alone
cat >"$T/both.yaml" <<'END'
plimsoll: 1
components:
  llm:
    candidates:
      - {name: small, quality: 1, footprint: {gpu0: {steady: 2GiB}, ram: {steady: 2GiB}}}
      - {name: wide, quality: 2, footprint: {gpu0: {steady: 6GiB}, ram: {steady: 2GiB}}}
      - {name: both, quality: 9, footprint: {gpu0: {steady: 12GiB}, ram: {steady: 20GiB}}}
END
cat >"$T/both.json" <<'END'
{"schema": "plimsoll.assess/1", "pools": [
 {"pool": "ram", "kind": "host", "capacity": 8589934592, "available": 8589934592},
 {"pool": "gpu0", "kind": "dedicated", "capacity": 4294967296, "available": 4294967296}],
 "dimms": [{"slot": "A", "kind": "DDR4", "bytes": {"bytes": 8589934592, "low": 8589934592, "high": 8589934592, "source": "measured"}}]}
END
run "$PLIMSOLL" plan "$T/both.yaml" --machine "$T/both.json" --upgrade 'gpu0=16GiB:400,ram=32GiB:60,gpu0=8GiB' --json
valid "upgrades together"
is "upgrades together: what only both unlock, at both costs; never two sizes of one pool" "$(jq -c '[.upgrades[] | [.what, .cost, .unlocks]]' <<<"$out")" \
    '[["gpu0=16GiB","400","llm: wide for small"],["ram=32GiB","60","nothing in this stack: only headroom"],["gpu0=8GiB",null,"llm: wide for small"],["gpu0=16GiB,ram=32GiB","400 + 60","llm: both for small"]]'
run "$PLIMSOLL" plan "$T/both.yaml" --machine "$T/both.json" --upgrade 'gpu0=16GiB:400,ram=32GiB'
like "upgrades together: in words" "$(tr '\n' ' ' <<<"$out")" '3\. gpu0=16GiB,ram=32GiB: cost 400 \+ \? +together they unlock besides: llm: both for small'
# as planned with --what-if
run "$PLIMSOLL" plan "$T/both.yaml" --machine "$T/both.json" --what-if gpu0=16GiB,ram=32GiB --json
is "upgrades together: as what-if says" "$(jq -r '.components.llm.candidate' <<<"$out")" both
for bad in gpu0 gpu0= =4GiB gpu7=4GiB ''; do
    up "$bad"
    is "upgrade '$bad': exit 2" "$status" 2
done
run "$PLIMSOLL" plan "$examples/voice.yaml" --machine "$machines/laptop-rtx2070maxq.json" --what-if ram=32GiB
like "what-if: both columns" "$out" '^ram +[0-9.]+ GiB of 11.88 GiB.* of [0-9.]+ GiB'
like "what-if: only main memory changes" "$out" '^gpu0 +([0-9.]+ GiB of [0-9.]+ GiB, [a-z]+) +\1'
done_testing
