#!/bin/bash
# plimsoll without a command: one screen.
. "$(dirname "$0")/../lib.sh"
machine() { # NAME AVAILABLE [MORE-POOLS]
    printf '{"schema": "plimsoll.assess/1", "pools": [{"pool": "ram", "kind": "host"%s}%s]}\n' \
        "${2:+, \"capacity\": 68719476736, \"available\": $2}" "${3:-}" >"$T/$1.json"
}
machine tiny 67108864
machine big 64424509440
machine unknown ''
machine gpu 64424509440 ', {"pool": "gpu0", "kind": "dedicated", "capacity": 25769803776, "available": 24000000000}'

# best FIRST LISTED: names of those listed whose score is higher than the first's
best() {
    awk -F'\t' -v first="$1" -v listed="$2" '$2 ~ /^AA-20 mean/ { score[$1] = $3 }
        END { n = split(listed, line, "\n")
            for (i = 1; i <= n; i++) { sub(/:q4_k_m .*/, "", line[i])
                if ((line[i] in score) && score[line[i]] > score[first]) print line[i] } }' \
        "$PLIMSOLL_SOURCE/data/quality.tsv"
}

run "$PLIMSOLL"
is "exit 0" "$status" 0
for line in Machine CPU Memory Storage Tier; do
    like "this machine: $line" "$out" "^$line +[^ ]"
done
like "the bar of the memory" "$out" '^ram \[#*\.*\] [0-9.]+ [MGT]iB used, [0-9.]+ [MGT]iB left$'
like "what to do next" "$out" '^next:  plimsoll '
is "one screen" "$(($(grep -c '' <<<"$out") <= 24))" 1
is "no line is wider than 120" "$(awk 'length > 120' <<<"$out")" ""
is "silent on stderr" "$err" ""
unlike "no colour into a pipe" "$out" $'\033'
not_ok "looking makes no ledger" test -e "$PLIMSOLL_LEDGER"

run "$PLIMSOLL" -M "$T/big.json" --help
like "its help names no command" "$(head -n 1 <<<"$out")" '^plimsoll: this machine'
is "nor an argument" "$(grep '^usage' <<<"$out")" "usage: plimsoll"
run "$PLIMSOLL" -M "$T/big.json"
is "another machine: exit 0" "$status" 0
like "another machine: said" "$out" '^Machine .*not this machine'
like "another machine: the table" "$out" '^fits +context +memory +tokens/s +licence$'
first=$(sed -n '/^fits/{n;s/:q4_k_m .*//p}' <<<"$out")
is "another machine: the best first" "$(best "$first" "$out")" ""
like "another machine: nothing is to be run here" "$out" '^next:  plimsoll estimate .* --machine FILE'
# what is advised is true: the settings of the table are those of the estimate
advice=$(sed -nE 's/^next:  plimsoll (estimate .*) --machine FILE .*/\1/p' <<<"$out")
read -ra words <<<"$advice"
run "$PLIMSOLL" "${words[@]}" -M "$T/big.json" --cache-ram 0
is "the advised estimate: exit 0" "$status" 0
like "the advised estimate: safe" "$out" '^verdict +safe$'

run "$PLIMSOLL" -M "$T/gpu.json"
like "a machine with a GPU: what its CPU can do" "$out" "^$first:q4_k_m "
like "a machine with a GPU: said" "$out" 'on the CPU alone'
like "a machine with a GPU: next" "$out" '^next: .* -ngl 0'

run "$PLIMSOLL" -M "$T/tiny.json"
is "nothing fits: exit 0" "$status" 0
like "nothing fits: said" "$out" '^No model of the catalogue fits'
unlike "nothing fits: no table" "$out" '^fits '
run "$PLIMSOLL" -M "$T/unknown.json"
is "available memory unknown: exit 3" "$status" 3
like "available memory unknown: said, not 'nothing fits'" "$out" '^What fits cannot be told'
run "$PLIMSOLL" -M "$T/absent.json"
is "no such machine file: exit 2" "$status" 2

run "$PLIMSOLL" --json
is "--json: exit 0" "$status" 0
if command -v jq >/dev/null; then
    is "--json: schema" "$(jq -r .schema <<<"$out")" plimsoll.home/1
    is "--json: this machine" "$(jq .this_system <<<"$out")" true
    is "--json: available is measured or derived" \
        "$(jq '.available.source | . == "measured" or . == "derived"' <<<"$out")" true
    run "$PLIMSOLL" --json -M "$T/big.json"
    is "--json: best first" "$(jq -r '.fits[0].model' <<<"$out")" "$first"
    is "--json: twelve, each once" "$(jq -c '[.fits[].model] | [length, (unique | length)]' <<<"$out")" "[12,12]"
    is "--json: all of it fits" "$(jq '[.fits[] | select(.steady.high > 64424509440)] | length' <<<"$out")" 0
    run "$PLIMSOLL" --json -M "$T/unknown.json"
    is "--json: unknown is null, exit 3" "$(jq .available.bytes <<<"$out") $status" "null 3"
else
    skip "--json" "jq is not installed"
fi

run "$PLIMSOLL" --nonsense
is "an unknown option: exit 2" "$status" 2
like "an unknown option: named" "$err" "^plimsoll: unknown option '--nonsense'"
like "an unknown option: a hint" "$err" "^hint: 'plimsoll --help' lists"
run "$PLIMSOLL" --json surplus
is "a surplus word: exit 2" "$status" 2
like "a surplus word: named" "$err" "^plimsoll: unexpected argument 'surplus'"
done_testing
