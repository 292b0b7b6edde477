#!/bin/bash
# plimsoll accuracy and calibration, on ledgers of made-up runs; what they say is worked out again
# with awk.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"
make=$PLIMSOLL_BUILD/tests/unit/make_ledger

run "$PLIMSOLL" accuracy
is "no ledger: exit 0" "$status" 0
like "no ledger: said" "$out" '^nothing to compare yet'
run "$PLIMSOLL" calibration
like "no ledger: nothing learned" "$out" '^nothing learned yet: a correction needs 3 runs'
not_ok "reading makes no ledger" test -e "$PLIMSOLL_LEDGER"

# VERSION BACKEND ARCH MODEL MACHINE STATUS DISTURBED RUNTIME RUNTIME DECODE DECODE FLAGS SPREAD
awk 'BEGIN {
    srand(4)
    for (i = 0; i < 40; i++) {
        arch = i % 3 == 0 ? "llama" : i % 3 == 1 ? "qwen3" : "gemma3"
        p = int(20e6 * (1 + rand()))
        d = 10 + 20 * rand()
        printf "b1 cpu %s model%d m%d ok 0 %d %d %.3f %.3f -c_%d 0.02\n", arch, i % 7, 1, p,
            p * (1.25 + 0.1 * rand()), d, d * (0.85 + 0.06 * rand()), 512 * i
    }
    for (i = 0; i < 6; i++)
        printf "b1 cpu llama model m1 ok 1 %d %d 20 %.3f -c_0 0.02\n", 20e6, 26e6, 4 + i
    print "b1 cpu llama model m1 failed 0 20000000 90000000 20 1 -c_0 0.02"
    print "b2 cpu llama model m2 ok 0 20000000 30000000 20 30 -c_0 0.02"
}' >"$T/rows"
db=$T/l.db
ok "a ledger" "$make" "$db" "$T/rows"
run "$PLIMSOLL" accuracy --ledger "$db"
is "exit 0" "$status" 0
like "runs counted, the failed one not" "$out" '^47 runs of llama.cpp'
like "what is left out is said" "$out" 'speeds not counted: of 6 runs, measured while others computed'
run "$PLIMSOLL" accuracy --ledger "$db" --json
printf '%s' "$out" >"$T/a.json"

# awk's own: uncalibrated, and leave-one-run-out with the median of ratios of the same architecture
cat >"$T/own.awk" <<'AWK'
function abs(x) { return x < 0 ? -x : x }
function sorted(v, n, s,    i, j, t) {
    for (i = 1; i <= n; i++) { t = v[i]; for (j = i - 1; j > 0 && s[j] > t; j--) s[j + 1] = s[j]; s[j + 1] = t }
}
function median(v, n,    s) { sorted(v, n, s); return n % 2 ? s[(n + 1) / 2] : (s[n / 2] + s[n / 2 + 1]) / 2 }
function rank(v, n, q,    s, i) { sorted(v, n, s); i = int(n * q); return s[i < n * q ? i + 1 : i] }
# of logarithms: without what lies 3.5 deviations off
function factor(v, n,    m, d, i, far, k, w) {
    m = median(v, n)
    for (i = 1; i <= n; i++) d[i] = abs(v[i] - m)
    far = 1.4826 * median(d, n); if (far < 0.01) far = 0.01
    k = 0
    for (i = 1; i <= n; i++) if (abs(v[i] - m) <= 3.5 * far) w[++k] = v[i]
    return k < 3 ? 0 : exp(median(w, k))
}
$6 == "ok" && (what == "runtime" || $7 == 0) {
    n++
    version[n] = $1; arch[n] = $3
    p[n] = what == "runtime" ? $8 : $10; m[n] = what == "runtime" ? $9 : $11
    low = what == "runtime" ? int($8 / 2) : 0.8 * $10; high = what == "runtime" ? 2 * $8 : 1.25 * $10
    held += low <= m[n] && m[n] <= high
}
END {
    for (i = 1; i <= n; i++) {
        e[i] = (p[i] - m[i]) / m[i]; a[i] = abs(e[i])
        k = 0; split("", r)
        for (j = 1; j <= n; j++)
            if (j != i && version[j] == version[i] && arch[j] == arch[i]) r[++k] = log(m[j] / p[j])
        f = k < 3 ? 0 : factor(r, k)
        c[i] = abs(((f > 0 ? f : 1) * p[i] - m[i]) / m[i])
        corrected += f > 0
    }
    printf "%d %.4f %.4f %.4f %.4f %d %.4f %.4f\n", n, median(a, n), rank(a, n, 0.95), median(e, n),
        held / n, corrected, median(c, n), rank(c, n, 0.95)
}
AWK
for what in runtime decode; do
    want=$(awk -v what=$what -f "$T/own.awk" "$T/rows")
    got=$(jq -r --arg w $what '.by_part[] | select(.of == $w) | [.n, .median_error, .p95_error, .bias,
        .intervals_that_held, .calibrated.n, .calibrated.median_error, .calibrated.p95_error] | @tsv' "$T/a.json" |
        awk '{ printf "%d %.4f %.4f %.4f %.4f %d %.4f %.4f\n", $1, $2, $3, $4, $5, $6, $7, $8 }')
    is "$what: as awk counts it" "$got" "$want"
done
is "exact parts are counted, and never corrected" \
    "$(jq -c '.by_part[] | select(.of == "weights") | [.n, .median_error, .calibrated.n]' "$T/a.json")" '[47,0,0]'
is "machines and architectures apart" \
    "$(jq -c '[([.by_machine[].group] | unique), ([.by_architecture[].group] | unique)]' "$T/a.json")" \
    '[["machine m1","machine m2"],["gemma3","llama","qwen3"]]'

run "$PLIMSOLL" calibration --ledger "$db" --json
printf '%s' "$out" >"$T/c.json"
is "calibration: what is learned" "$(jq -c '[.corrections[] | [.engine_version, .architecture, .of]] | sort' "$T/c.json")" \
    "$(jq -cn '[("gemma3", "llama", "qwen3") as $a | ("runtime", "steady", "decode") as $w | ["b1", $a, $w]] | sort')"
want=$(awk '$1 == "b1" && $3 == "qwen3" && $6 == "ok" { v[++n] = $9 / $8 }
    END { for (i = 1; i <= n; i++) { t = v[i]; for (j = i - 1; j > 0 && s[j] > t; j--) s[j + 1] = s[j]; s[j + 1] = t }
        printf "%.3f", n % 2 ? s[(n + 1) / 2] : sqrt(s[n / 2] * s[n / 2 + 1]) }' "$T/rows")
is "calibration: the factor is the median" \
    "$(jq -r '.corrections[] | select(.architecture == "qwen3" and .of == "runtime").factor' "$T/c.json" | awk '{ printf "%.3f", $1 }')" "$want"
run "$PLIMSOLL" calibration --ledger "$db"
like "calibration: in words" "$out" '^b1 +cpu +qwen3 +runtime +1\.[23]'
like "calibration: a version with one run: none yet" "$out" '^b2 +cpu +llama +runtime +none yet'

# beside the estimate, of the same engine version only
est=(estimate qwen3-0.6b:q8_0 -c 2048 --machine "$T/m.json" --ledger "$db")
printf '{"schema": "plimsoll.assess/1", "id": "m1", "pools": [{"pool": "ram", "kind": "host",
    "capacity": {"bytes": 34359738368}, "available": {"bytes": 30000000000}}]}' >"$T/m.json"
run "$PLIMSOLL" "${est[@]}" --json
is "estimate: an engine version that is not known: nothing is used" \
    "$(jq -c '.calibrated | [.corrections | length]' <<<"$out")" '[0]'
like "estimate: and that is said" "$(jq -r .calibrated.note <<<"$out")" 'those of b2 are not used'

id=$("$PLIMSOLL" assess --json | jq -r '.id // empty')
if [ -n "$id" ]; then
    awk -v id="$id" '{ $5 = id } 1' "$T/rows" | grep '^b1' >"$T/here"
    "$make" "$T/here.db" "$T/here"
    est=(estimate qwen3-0.6b:q8_0 -c 2048 --ledger "$T/here.db")
    run "$PLIMSOLL" "${est[@]}" --json
    printf '%s' "$out" >"$T/est.json"
    jq -e '.calibrated.corrections | length > 0' "$T/est.json" >/dev/null || diag "$out"
    is "estimate: the runtime part corrected, with its runs" \
        "$(jq -r '.calibrated.corrections[] | select(.of == "runtime") | "\(.factor | . * 1000 | round / 1000) \(.runs)"' "$T/est.json")" \
        "$want 13"
    is "estimate: the sum moved by as much" \
        "$(jq '(.calibrated.pools[0].steady.bytes - .pools[0].steady.bytes) as $d
            | (.pools[0].parts.runtime.bytes * ((.calibrated.corrections[] | select(.of == "runtime").factor) - 1) - $d) | . * . < 1e6' "$T/est.json")" true
    "$PLIMSOLL" estimate qwen3-0.6b:q8_0 -c 2048 --ledger "$T/none.db" --json >"$T/plain.json"
    is "estimate: the figures of the formulas are as without a ledger" \
        "$(jq -c '[.pools, .verdict]' "$T/est.json")" "$(jq -c '[.pools, .verdict]' "$T/plain.json")"
    run "$PLIMSOLL" "${est[@]}" --why
    like "estimate --why: factor, spread, runs" "$out" '^ram runtime +1\.[23][0-9]+ +[0-9.]+ % +13 +runs [0-9]+'
    awk 'NR == 1 || NR == 4 { $1 = "b3"; print }' "$T/here" >"$T/later" # two of another architecture
    "$make" "$T/here.db" "$T/later"
    run "$PLIMSOLL" "${est[@]}" --json
    like "estimate: a newer engine version starts anew, and says so" "$(jq -r '.calibrated.note' <<<"$out")" 'b3'

    # one run of another model of the architecture: a quarter of what it was off by, and the interval holds both
    one() { # MODEL FLAGS PREDICTED MEASURED: a ledger with this one run
        rm -f "$T/one.db"
        printf 'b4 cpu qwen3 %s %s ok 0 %s %s 20 20 %s 0.02\n' "$1" "$id" "$3" "$4" "$2" >"$T/one"
        "$make" "$T/one.db" "$T/one"
        run "$PLIMSOLL" estimate qwen3-0.6b:q8_0 -c 2048 --ledger "$T/one.db" --json
        printf '%s' "$out" >"$T/one.json"
    }
    runtime() { jq -r '.calibrated.corrections[] | select(.of == "runtime") | '"$1" "$T/one.json"; }
    one other -c_1 20000000 30000000
    is "one run of another model: a quarter" "$(runtime '"\(.few) \(.runs) \(.factor * 1000 | round)"')" \
        "true 1 $(awk 'BEGIN { printf "%.0f", 1000 * exp(log(1.5) / 4) }')"
    like "one run of another model: said so" "$(runtime .from)" '^run 1 of other models of this architecture; 25 % of'
    ok "one run of another model: the interval reaches over the one without it" jq -e '
        .calibrated.pools[0].steady.low <= .pools[0].steady.low and
        .calibrated.pools[0].steady.high >= .pools[0].steady.high' "$T/one.json"
    # one run of the model itself, whatever its context: nearly all of it (24/25)
    one qwen3-0.6b -np_1 20000000 30000000
    is "one run of other settings is of another model's" "$(runtime '.from | test("other models")')" true
    sed -i 's/ -np_1 / FLAGS /' "$T/one"
    rm -f "$T/one.db"
    "$make" "$T/one.db" "$T/one" "-c 512 -np 1 -cram 0" Q8_0
    run "$PLIMSOLL" estimate qwen3-0.6b:q8_0 -c 2048 --ledger "$T/one.db" --json
    printf '%s' "$out" >"$T/one.json"
    is "one run of its own: nearly all of it" "$(runtime '"\(.few) \(.runs) \(.factor * 1000 | round)"')" \
        "true 1 $(awk 'BEGIN { printf "%.0f", 1000 * exp(log(1.5) / 1.04) }')"
    like "one run of its own: said so" "$(runtime .from)" '^run 1 of this model and settings; one run alone, so the interval is assumed'
    run "$PLIMSOLL" estimate qwen3-0.6b:q8_0 -c 2048 --ledger "$T/one.db"
    like "one run of its own: in words without being asked" "$out" '^learned  with what earlier runs teach'
    sed -i 's/ 30000000 / 400000000 /' "$T/one"
    rm -f "$T/one.db"
    "$make" "$T/one.db" "$T/one" "-c 512 -np 1 -cram 0" Q8_0
    run "$PLIMSOLL" estimate qwen3-0.6b:q8_0 -c 2048 --ledger "$T/one.db" --json
    printf '%s' "$out" >"$T/one.json"
    is "one odd run of its own: no further than its own interval" "$(runtime '.factor * 1000 | round')" \
        "$(awk 'BEGIN { printf "%.0f", 1000 * exp(log(2) / 1.04) }')"
    ok "one odd run: and the interval holds what was predicted without it" jq -e '
        .calibrated.pools[0].steady.low <= .pools[0].steady.low' "$T/one.json"
    run "$PLIMSOLL" calibration --ledger "$T/one.db" --json
    is "calibration: the model's own" "$(jq -c '[.models[] | select(.of == "runtime") | [.model, .settings, .few, .runs]]' <<<"$out")" \
        '[["qwen3-0.6b","",true,1]]'
    run "$PLIMSOLL" calibration --ledger "$T/one.db"
    like "calibration: the model's own, in words" "$out" '^qwen3-0.6b +Q8_0 .* runtime +1\.[0-9]+ +5\.1 %, assumed +1'
    run "$PLIMSOLL" accuracy --ledger "$T/one.db" --json
    is "accuracy: no run predicts itself" "$(jq '[.by_part[].calibrated.n] | add' <<<"$out")" 0
else
    skip "estimate: corrected" "this machine has no identity"
fi

# out, in, away
ok "export" "$PLIMSOLL" calibration export "$T/e.json" --ledger "$db"
ok "export: what --json prints" cmp <(jq -S . "$T/e.json") <(jq -S . "$T/c.json")
run "$PLIMSOLL" calibration export "$T/e.json" --ledger "$db"
is "export: an existing file is kept: exit 2" "$status" 2
ok "export --force" "$PLIMSOLL" calibration export "$T/e.json" --force --ledger "$db"
run "$PLIMSOLL" calibration import "$T/e.json" --ledger "$T/new.db"
is "import: exit 0" "$status" 0
is "import: the same corrections" \
    "$("$PLIMSOLL" calibration --ledger "$T/new.db" --json | jq -c '[.corrections[] | [.architecture, .of, .factor, .machine]] | sort')" \
    "$(jq -c '[.corrections[] | [.architecture, .of, .factor, .machine]] | sort' "$T/e.json")"
run "$PLIMSOLL" calibration reset --ledger "$db"
like "reset: said" "$out" 'from runs after 48\.'
is "reset: nothing is learned" "$("$PLIMSOLL" calibration --ledger "$db" --json | jq '.corrections | length')" 0
is "reset: the runs stay" "$("$PLIMSOLL" accuracy --ledger "$db" --json | jq .runs)" 47
for edit in '.corrections[0].factor = 9' '.corrections[0].of = "weights"' '.corrections[0].runs = 2' \
    '.corrections[0].spread = -1' '.program = "9.9.9"' '.schema = "x"' '.corrections = 3' \
    '(.corrections[] | select(.of == "decode").machine) = null' 'del(.corrections[0].engine_version)'; do
    jq "$edit" "$T/c.json" >"$T/bad.json"
    run "$PLIMSOLL" calibration import "$T/bad.json" --ledger "$T/bad.db"
    is "import refuses $edit" "$status" 2
done
for words in 'shwo' 'export' 'import' 'reset now' 'import /nonexistent'; do
    # shellcheck disable=SC2086 # words
    run "$PLIMSOLL" calibration $words
    is "calibration $words: exit 2" "$status" 2
done

# others, as bench/accuracy kept them
for i in 1 2 3; do
    printf 'dense\tm%d\t8192 1 512 f16\t%d\t900\t1200\t1000\t950\t50\t9.1\t%d\t200\t-\t-\t1500\t20\n' \
        "$i" $((1000 + 20 * i)) $((900 - 10 * i))
done >"$T/peers.tsv"
run "$PLIMSOLL" accuracy --ledger "$db" --peers "$T/peers.tsv" --json
is "peers" "$(jq -c '[.peers[] | [.estimator, .n, .median_error, .bias]]' <<<"$out")" \
    '[["plimsoll",3,0.04,0.04],["llama-fit-params",3,0.12,-0.12],["node-llama-cpp v1",0,null,null],["node-llama-cpp v2",3,0.5,0.5]]'
run "$PLIMSOLL" accuracy --peers "$T/peers.tsv"
like "peers: a table" "$out" '^node-llama-cpp v1 +0 +not run'
echo broken >>"$T/peers.tsv"
run "$PLIMSOLL" accuracy --peers "$T/peers.tsv"
is "peers: another file: exit 2" "$status" 2
like "peers: the line is named" "$err" 'peers.tsv:4'

done_testing
