#!/bin/bash
# plimsoll report: the ledger's runs as a table, Markdown, comma-separated values and a page. Other
# readers decide: Python's csv module, xmllint, Python's HTML parser, Chromium where there is one.
. "$(dirname "$0")/../lib.sh"

command -v jq >/dev/null || skip_all "jq is not installed"

run "$PLIMSOLL" report
is "no ledger: exit 0" "$status" 0
like "no ledger: said" "$out" 'no such runs'
not_ok "no ledger: reading makes none" test -e "$PLIMSOLL_LEDGER"
run "$PLIMSOLL" report --ledger "$T/none.db"
is "a ledger that is not there: exit 2" "$status" 2
db=$T/runs.db
ok "a ledger" "$PLIMSOLL_BUILD/tests/unit/make_ledger" "$db"
ok "a ledger, twice as long" "$PLIMSOLL_BUILD/tests/unit/make_ledger" "$db"
run "$PLIMSOLL" report --ledger "$db"
is "table: exit 0" "$status" 0
runs() { sed '/^$/,$d' <<<"$out"; } # the table; behind a blank line come the machines
is "table: a title and six runs" "$(runs | grep -c '')" 7
like "table: behind it the two machines" "$out" '^machine +runs +models +memory, median error +calibrated'
unlike "table: a run of no known machine makes no machine" "$out" 'unknown machine' 
unlike "table: a hostile name does not reach the terminal" "$out" $'\033'
run "$PLIMSOLL" report --ledger "$db" --model QWEN3
is "--model" "$(grep -c '' <<<"$out")" 3
run "$PLIMSOLL" report --ledger "$db" --ok --limit 3
is "--ok --limit" "$(runs | grep -c '')" 4
run "$PLIMSOLL" report --ledger "$db" --arch none
is "--arch" "$(sed -n '$p' <<<"$out")" "no such runs; 'plimsoll try MODEL' makes one"
for bad in "--limit 0" "--limit 99999" "--csv - --html -" "--json --markdown" "--html $T" \
    "--csv $T/none/x.csv" "extra.db"; do
    run "$PLIMSOLL" report --ledger "$db" $bad
    is "$bad: exit 2" "$status" 2
    is "$bad: nothing on stdout" "$out" ""
    like "$bad: one clear line" "$(head -n 1 <<<"$err")" '^plimsoll: '
done

run "$PLIMSOLL" report --ledger "$db" --markdown
is "Markdown: as many columns in every row" \
    "$(runs | sed 's/\\|//g; s/[^|]//g' | sort -u | grep -c '')" 1
is "Markdown: a head and six rows" "$(runs | grep -c '^|')" 8
is "Markdown: a table of machines" "$(grep -c '^| machine |' <<<"$out")" 1

python=$(command -v python3)
if [ -z "$python" ]; then
    skip "CSV, by another reader" "python3 is not installed"
else
    ok "CSV: to a file, the table too" "$PLIMSOLL" report --ledger "$db" --csv "$T/r.csv"
    "$PLIMSOLL" report --ledger "$db" --csv - >"$T/stdout.csv"
    ok "CSV: to standard output, the same and nothing else" cmp "$T/r.csv" "$T/stdout.csv"
    "$PLIMSOLL" report --ledger "$db" --json >"$T/r.json"
    ok "CSV: strict, every line ends with CRLF, as JSON says" "$python" - "$T/r.csv" "$T/r.json" <<'END'
import csv, json, sys
raw = open(sys.argv[1], newline="", encoding="utf-8").read()
assert raw.endswith("\r\n") and raw.count("\n") == raw.count("\r\n")
rows = list(csv.DictReader(raw.splitlines(keepends=True), strict=True))
runs = json.load(open(sys.argv[2]))["results"]
assert len(rows) == len(runs) == 6, len(rows)
for row, run in zip(rows, runs):
    assert None not in row and None not in row.values()
    assert row["run"] == str(run["id"])
    for key, value in (("host_measured_bytes", run["host"]["measured"]["bytes"]),
                       ("host_predicted_high_bytes", run["host"]["predicted"]["high"])):
        assert row[key] == ("" if value is None else str(value)), (key, row[key], value)
assert rows[3]["flags"] == runs[3]["flags"]
END
fi

# ledgers of two machines on one page, and what the runs teach beside what was predicted
for m in 1 2; do
    awk -v m=$m 'BEGIN { for (i = 1; i <= 5; i++)
        printf "b1 cpu llama model%d m%d ok 0 20000000 %d 20 %.3f -c_%d 0.02\n", i % 2, m, 25e6 + i * 1e4,
            20 * m * (1.2 + i / 1000), i }' >"$T/rows$m"
    rm -f "$T/m$m.db"
    "$PLIMSOLL_BUILD/tests/unit/make_ledger" "$T/m$m.db" "$T/rows$m"
done
run "$PLIMSOLL" report "$T/m1.db" "$T/m2.db" --json
is "fleet: every run of both" "$(jq '.results | length' <<<"$out")" 10
is "fleet: the machines" "$(jq -c '[.machines[] | [.id, .machine, .runs, .models, .decode.runs]]' <<<"$out")" \
    '[["m1","machine m1",5,2,5],["m2","machine m2",5,2,5]]'
# decode of m1: predicted 20, measured 24.02 .. 24.10; the other four say 1.2 and a little
is "fleet: the error as predicted, and with what the others teach" \
    "$(jq -c '.machines[0].decode | [(.median_error * 1000 | round), .calibrated_runs, .calibrated_median_error < 0.003]' <<<"$out")" \
    "[$(awk 'BEGIN { printf "%.0f", 1000 * (1 - 20 / (20 * 1.203)) }'),5,true]"
is "fleet: no run is calibrated with itself" \
    "$(jq '.results[] | select(.id == 5 and .machine_id == "m1").decode_calibrated * 10000 | round' <<<"$out")" \
    "$(awk 'BEGIN { printf "%.0f", 10000 * 20 * sqrt(1.202 * 1.203) }')"
run "$PLIMSOLL" report "$T/m1.db" "$T/m2.db"
like "fleet: the same model on each" "$out" '^model1 Q[^ ]* -c_5 +24\.1 +48\.2$'
run "$PLIMSOLL" report "$T/m1.db" "$T/m2.db" --html "$T/fleet.html"
if command -v xmllint >/dev/null; then
    ok "fleet: a page, well-formed" xmllint --noout "$T/fleet.html"
    is "fleet: its tables" "$(xmllint --xpath 'count(//*[@role="region"])' "$T/fleet.html")" 3
fi
run "$PLIMSOLL" report "$T/m1.db" --ledger "$T/m2.db"
is "fleet: ledgers both ways: exit 2" "$status" 2

# the page
page=$T/page.html
ok "page: written" "$PLIMSOLL" report --ledger "$db" --html "$page"
ok "page: below 500 kB" test "$(stat -c %s "$page")" -lt 500000
ok "page: nothing from elsewhere" sh -c \
    '! grep -iE "<script|<link [^>]*href=\"[^d]|src=|url\(|@import|javascript:| on[a-z]+=\"" "$1"' sh "$page"
like "page: light and dark" "$(cat "$page")" 'prefers-color-scheme:dark'
if command -v xmllint >/dev/null; then
    ok "page: well-formed" xmllint --noout "$page"
    count() { xmllint --xpath "count($1)" "$page" 2>/dev/null; }
    is "page: plots" "$(count '//*[local-name()="svg"]')" 6
    is "page: every plot has a title and a description" \
        "$(count '//*[local-name()="svg"][*[local-name()="title"] and *[local-name()="desc"]][@role="img"]')" 6
    is "page: rows of the table" "$(count '//*[@aria-label="All runs"]//*[local-name()="tbody"]/*')" 6
    is "page: no id twice" "$(xmllint --xpath '//@id' "$page" | tr ' ' '\n' | grep . | sort | uniq -d)" ""
else
    skip "page: well-formed" "xmllint (libxml2-utils) is not installed"
fi
if [ -n "$python" ]; then
    ok "page: every number of a plot is finite" "$python" - "$page" <<'END'
import re, sys
text = open(sys.argv[1], encoding="utf-8").read()
assert not re.search(r'="[^"]*\b(nan|inf)\b', text, re.I)
for svg in re.findall(r"<svg.*?</svg>", text, re.S):
    w, h = map(float, re.search(r'viewBox="0 0 (\S+) (\S+)"', svg).groups())
    for x in map(float, re.findall(r' (?:x|x1|x2|cx)="([-0-9.]+)"', svg)):
        assert 0 <= x <= w, x
    for y in map(float, re.findall(r' (?:y|y1|y2|cy)="([-0-9.]+)"', svg)):
        assert 0 <= y <= h, y
END
fi

# by a browser: what it logs, and what it asks for beside the file
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
if [ -z "$browser" ]; then
    skip "page in a browser" "no Chromium is installed"
else
    # its own services (updates, accounts) are not the page's
    timeout 100 "$browser" --headless --no-sandbox --disable-gpu --no-first-run \
        --disable-background-networking --disable-component-update --disable-sync \
        --host-resolver-rules='MAP * ~NOTFOUND' --user-data-dir="$T/browser" \
        --enable-logging=stderr --log-net-log="$T/net.json" --window-size=1150,3000 \
        --screenshot="$T/page.png" "file://$page" >"$T/browser.out" 2>"$T/browser.err"
    if [ ! -s "$T/page.png" ]; then
        skip "page in a browser" "it does not start here: $(tail -n 1 "$T/browser.err" | tr -d '#')"
    else
        is "page in a browser: nothing on its console" "$(grep CONSOLE "$T/browser.err")" ""
        is "page in a browser: asks for nothing else" \
            "$(grep -o '"url":"[^"]*"' "$T/net.json" | grep -vE '(google|googleapis|gvt1)\.com/|"(file|chrome|data):' | sort -u)" ""
    fi
fi
done_testing
