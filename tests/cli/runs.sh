#!/bin/bash
# plimsoll runs: what the ledger shows, and what it says of files that are none.
. "$(dirname "$0")/../lib.sh"

run "$PLIMSOLL" runs
is "no ledger: exit 0" "$status" 0
like "no ledger: said, with the place" "$out" "^no runs yet in $PLIMSOLL_LEDGER;"
not_ok "no ledger: reading makes none" test -e "$PLIMSOLL_LEDGER"
run "$PLIMSOLL" runs 1
is "no ledger: a run is asked for: exit 2" "$status" 2
run env -u PLIMSOLL_LEDGER -u XDG_DATA_HOME -u HOME "$PLIMSOLL" runs
is "no place for a ledger: exit 0" "$status" 0
run env -u PLIMSOLL_LEDGER XDG_DATA_HOME="$T/xdg" "$PLIMSOLL" runs
like "XDG_DATA_HOME is followed" "$out" " in $T/xdg/plimsoll/ledger.db;"
run env -u PLIMSOLL_LEDGER XDG_DATA_HOME=relative HOME="$T" "$PLIMSOLL" runs
like "a relative XDG_DATA_HOME is not" "$out" " in $T/.local/share/plimsoll/ledger.db;"

db="$T/a ledger?#%41.db"
ok "a ledger with odd characters in its name" "$PLIMSOLL_BUILD/tests/unit/make_ledger" "$db"
run "$PLIMSOLL" runs --ledger "$db"
is "list: exit 0" "$status" 0
is "list: a title and three runs" "$(grep -c '' <<<"$out")" 4
like "list: newest first" "$(sed -n 2p <<<"$out")" '^ *3 '
like "list: unknown is said" "$out" '^ *2 +unknown .*refused'
unlike "list: a hostile name does not reach the terminal" "$out" $'\033'
run "$PLIMSOLL" runs --ledger "$db" --limit 1
is "--limit" "$(grep -c '' <<<"$out")" 2
run "$PLIMSOLL" runs --ledger "$db" --limit 0
is "--limit 0: all" "$(grep -c '' <<<"$out")" 4
run "$PLIMSOLL" runs --ledger "$db" --model QWEN3
is "--model: part of a name, any case" "$(grep -c '' <<<"$out")" 2
run "$PLIMSOLL" runs --ledger "$db" --model nothing
is "--model without runs: exit 0" "$status" 0
like "--model without runs: said" "$out" "^no runs of such a model"
run "$PLIMSOLL" runs --ledger "$db" --model "' OR 1=1 --"
like "--model is data, not SQL" "$out" "^no runs of such a model"

run "$PLIMSOLL" runs --ledger "$db" 1
is "one run: exit 0" "$status" 0
like "one run: the table" "$out" '^part +predicted +measured +difference$'
like "one run: a part" "$out" '^ram weights .*GiB.*%\)'
like "one run: the device too, by the engine's report" "$out" '^gpu0 kv .* [0-9.]+ [KMG]iB.*'
like "one run: speeds" "$out" '^decode +predicted 22.5 .*measured 23.5 tokens/s \(-4.3 %\)'
run "$PLIMSOLL" runs --ledger "$db" 2
is "a refused run: exit 0" "$status" 0
like "a refused run: unknown, not 0" "$out" '^  model    unknown \(unknown, unknown\)$'
unlike "a refused run: no zero bytes" "$out" '\b0 B\b'
run "$PLIMSOLL" runs --ledger "$db" 3
unlike "a hostile run: nothing reaches the terminal" "$out" $'\033'
run "$PLIMSOLL" runs --ledger "$db" 99
is "an absent run: exit 2" "$status" 2
like "an absent run: named" "$err" '^plimsoll: run 99: not in the ledger'
for id in 0 -1 x 1.5 99999999999999999999; do
    run "$PLIMSOLL" runs --ledger "$db" -- "$id"
    is "run '$id': exit 2" "$status" 2
done

if command -v jq >/dev/null; then
    run "$PLIMSOLL" runs --ledger "$db" --json
    is "--json: ids" "$(jq -c '[.runs[].id]' <<<"$out")" '[3,2,1]'
    is "--json: unknown is null" \
        "$(jq -c '.runs[1] | [.model.name, .measured.total.bytes, .measured.steady, .timing]' <<<"$out")" \
        '[null,null,null,null]'
    is "--json: no limit is 2^64-1" "$(grep -c '18446744073709551615' <<<"$out")" 1
else
    skip "--json" "jq is not installed"
fi

echo "not a ledger, though long enough to be looked at: $(head -c 200 /dev/zero | tr '\0' x)" >"$T/text"
cp "$T/text" "$T/text.before"
run "$PLIMSOLL" runs --ledger "$T/text"
is "not SQLite: exit 2" "$status" 2
like "not SQLite: said in one line" "$err" "^plimsoll: $T/text: cannot open the ledger: not a SQLite"
ok "not SQLite: left as it is" cmp "$T/text" "$T/text.before"
run "$PLIMSOLL" runs --ledger "$T/absent"
is "named but absent: exit 2" "$status" 2
run "$PLIMSOLL" runs --ledger "$T"
is "a folder: exit 2" "$status" 2
mkfifo "$T/fifo"
run timeout 20 "$PLIMSOLL" runs --ledger "$T/fifo"
is "a pipe: exit 2, no waiting" "$status" 2

done_testing
