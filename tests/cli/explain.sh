#!/bin/bash
# plimsoll assess --explain: every field of the assessment has a row that says what it is, how it was
# read and why it matters; its state is that of the value.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"
table=$PLIMSOLL_SOURCE/data/fields.tsv

# the table itself
is "table: every row has six columns, none empty" \
    "$(awk -F'\t' 'NF != 6 { print; next } { for (i = 1; i <= 6; i++) if ($i == "") print }' "$table")" ""
is "table: no row twice" "$(cut -f1 "$table" | sort | uniq -d)" ""
is "table: why it matters is a clause, not a sentence with a stop" \
    "$(awk -F'\t' 'NR > 1 && $4 ~ /\.$/' "$table")" ""
probes=$(sed -n 's/^ *\.name = "\([a-z-]*\)",$/\1/p' "$PLIMSOLL_SOURCE"/src/machine/probe_*.c)
is "table: the probes of this machine are probes" "$(awk -F'\t' 'NR > 1 && $5 != "-" { print $5 }' "$table" |
    sort -u | grep -xE 'memory|cgroup|cpu|identity|storage|bandwidth' | grep -vxF "$probes")" ""

# every field that the schema knows, wherever it can be nested
fields=$(jq -r '
    def walk($s; $p):
        if $s["$ref"] then $p
        elif $s.properties then $s.properties | to_entries[]
            | walk(.value; if $p == "" then .key else $p + "." + .key end)
        elif $s.items and ($s.items.properties or $s.items["$ref"] or $s.items.items) then walk($s.items; $p + "[]")
        elif $s.oneOf or $s.anyOf then ($s.oneOf // $s.anyOf)[] | select(.type != "null") | walk(.; $p)
        else $p end;
    walk({properties: .properties | del(.explain)}; "")' "$PLIMSOLL_SOURCE/data/schema/assess.json" | sort -u)
missing=$(comm -23 <(printf '%s\n' "$fields" | sed 's/\[\]$//' | sort -u) <(cut -f1 "$table" | sort))
is "schema: every field has a row in data/fields.tsv" "$missing" ""

# every field this machine has: the leaves of the answer, found by jq
leaves='
    def leaf: type != "object" and type != "array"
        or (type == "array" and (length == 0 or (.[0] | type != "object")))
        or (type == "object" and (has("source") or has("value") or has("state") and length == 1));
    def walk($p): if leaf then $p
        elif type == "array" then to_entries[] | .key as $k | .value | walk("\($p)[\($k)]")
        else to_entries[] | .key as $k | .value | walk(if $p == "" then $k else "\($p).\($k)" end) end;
    del(.explain) | walk("")'
run "$PLIMSOLL" assess --explain --json
is "json: exit 0" "$status" 0
printf '%s\n' "$out" >"$T/explain.json"
is "json: every leaf is explained, once" "$(jq -r '.explain[].path' "$T/explain.json" | sort)" \
    "$(jq -r "$leaves" "$T/explain.json" | sort)"
is "json: no text is empty" \
    "$(jq -r '.explain[] | select([.what, .read_from, .matters] | any(. == "" or . == null)) | .path' "$T/explain.json")" ""
is "json: unknown is what is null" \
    "$(jq -r '.explain[] | select(.state == "value") | .path' "$T/explain.json" |
        sed 's/^/./' | while read -r path; do
        jq -r --arg p "$path" "$path | if (type == \"object\" and has(\"bytes\") and .bytes == null) or . == null then \$p else empty end" "$T/explain.json"
    done)" ""
now=$(date +%s)
is "json: read at is now" "$(jq -r '.explain[].read_at' "$T/explain.json" | sort -u | while read -r at; do
    at=$(date -d "$at" +%s)
    [ $((now - at)) -le 60 ] && [ $((now - at)) -ge -1 ] || echo "$at"
done)" ""

run "$PLIMSOLL" assess --explain
is "text: exit 0" "$status" 0
like "text: the pool by its name" "$out" '^    ram +[0-9.]+ GiB, measured: '
like "text: where from" "$out" '^    read from  .*/proc/meminfo'
is "text: every field says why it matters" "$(grep -c '^    matters ' <<<"$out")" \
    "$(grep -c '^    read from ' <<<"$out")"

# a capture says when it was taken; any other dump does not say
run "$PLIMSOLL" assess --explain --json --capture "$T/m.tar"
printf '%s\n' "$out" >"$T/then.json"
sleep 1.1
run "$PLIMSOLL" assess --explain --json --root "$T/m.tar"
is "capture: read when it was taken" "$(jq -r '.explain[].read_at' <<<"$out")" \
    "$(jq -r '.explain[].read_at' "$T/then.json")"
mkdir -p "$T/root/proc"
echo "MemTotal: 1024 kB" >"$T/root/proc/meminfo"
run "$PLIMSOLL" assess --explain --json --root "$T/root"
is "dump: when is not known" "$(jq -r '.explain[].read_at' <<<"$out" | sort -u)" null
is "dump: what is not there is unknown" \
    "$(jq -r '.explain[] | select(.path == "cpu.packages").state' <<<"$out")" unknown
run "$PLIMSOLL" assess --explain --root "$T/root"
like "dump: in text too" "$out" 'read at    not known'
done_testing
