#!/bin/bash
# The coefficients of speed come from their rows, and are as good as docs/speed.md says.
. "$(dirname "$0")/../lib.sh"
cd "$PLIMSOLL_SOURCE" || exit 99
fit=$(dirname "$PLIMSOLL")/../../bench/speed-fit
[ -x "$fit" ] || skip_all "bench/speed-fit is not built"

"$fit" data/speed_rows.tsv fit >"$T/fit.tsv"
# to three figures: the search ends where rounding of another compiler lets it
figures() { awk -F'\t' 'NR > 1 { printf "%s %s %.2g\n", $1, $2, $3 }' "$1"; }
is "the coefficients are those of the rows (else: tools/speed-table)" "$(figures "$T/fit.tsv")" \
    "$(figures data/speed_fit.tsv)"
"$fit" data/speed_rows.tsv table >"$T/table"
line=$(grep -m 1 '^| \*\*all GPUs\*\*' "$T/table")
median=$(awk -F'|' '{ print $5 + 0 }' <<<"$line") p90=$(awk -F'|' '{ print $6 + 0 }' <<<"$line")
ok "decode, device left out: median at most 10 % ($median)" awk -v v="$median" 'BEGIN { exit !(v > 0 && v <= 10) }'
ok "decode, device left out: p90 at most 27 % ($p90)" awk -v v="$p90" 'BEGIN { exit !(v > 0 && v <= 27) }'
ok "docs/speed.md has the table as it is" grep -qF "$line" docs/speed.md
# every row has a source
is "every row has a source" "$(awk -F'\t' 'NF != 21 || $21 == "" || $21 == "-"' data/speed_rows.tsv | wc -l)" 0
is "every cost of a kernel has one" "$(awk -F'\t' 'NF != 6 || $6 == "" || $6 == "-"' data/speed_kernels.tsv | wc -l)" 0
done_testing
