#!/bin/bash
# What sizes of main memory carry. Expected values: the guide's formula and figures by awk, the
# memory of each role by `estimate` and the rule by awk from data/roles.tsv.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"
roles=$PLIMSOLL_SOURCE/data/roles.tsv answers=$PLIMSOLL_SOURCE/data/tier_answers.tsv

# the calculator, row by row: size - 16 - 15 %, a tenth and the rest
formula() { # SIZE
    awk -v s="$1" 'function n(v) { v = sprintf("%.2f", v); sub(/0+$/, "", v); sub(/\.$/, "", v); return v }
        BEGIN { a = s - 16 - s * 0.15; if (a < 0) a = 0; print n(a), n(a * 0.1), n(a * 0.9) }'
}
sizes="1 16 18 20 32 48 64 96 128 192 256 384 512 768 1024 2048"
# shellcheck disable=SC2086
"$PLIMSOLL" tiers $sizes --json >"$T/rows"
# shellcheck disable=SC2086
run "$PLIMSOLL" tiers $sizes
row() { jq -r --argjson s "$1" ".sizes[] | select(.size.gib == \$s) | $2" "$T/rows"; }
for size in $sizes; do
    read -r all hot warm <<<"$(formula "$size")"
    is "$size GB: the formula" "$(row "$size" '.budget | "\(.available_for_models.gib) \(.hot_tenth.gib) \(.warm_rest.gib)"')" "$all $hot $warm"
    like "$size GB: as text" "$out" "^ *$size +[A-Z ]+ 16 +[0-9.]+ +${all//./\\.} +${hot//./\\.} +${warm//./\\.} "
done
is "64: as in the guide" "$(row 64 '.budget.rounded_gib | "\(.available_for_models) \(.hot_tenth) \(.warm_rest)"')" "38 4 34"
is "128: as in the guide" "$(row 128 '.budget.rounded_gib | "\(.available_for_models) \(.hot_tenth) \(.warm_rest)"')" "93 9 84"
is "256: as in the guide" "$(row 256 '.budget.rounded_gib | "\(.available_for_models) \(.hot_tenth) \(.warm_rest)"')" "202 20 182"
is "512: the guide's 420 is wrong" "$(row 512 '.budget.rounded_gib | "\(.available_for_models) \(.hot_tenth) \(.warm_rest)"')" "419 42 377"
is "1024: as in the guide" "$(row 1024 '.budget.rounded_gib | "\(.available_for_models) \(.hot_tenth) \(.warm_rest)"')" "854 85 769"
is "16: nothing is left, never less" "$(row 16 '.budget | "\(.available_for_models.bytes) \(.missing.gib)"')" "0 2.4"
like "16: and why" "$out" '^16 GiB: nothing is left for models: 16 for the system and 2\.4 for safety are 2\.4 more'
is "32: 11.2, no reason" "$(row 32 '.budget | "\(.available_for_models.gib) \(.reason)"')" "11.2 null"

# the tiers' bounds
tiers() { "$PLIMSOLL" tiers "$@" --json | jq -r '[.sizes[].tier] | join(",")'; }
is "the bounds belong to the upper tier" "$(tiers 31 32 63 64 127 128 255 256 511 512)" \
    "DEV ONLY,MINIMAL,MINIMAL,BASIC,BASIC,STANDARD,STANDARD,PRODUCTION,PRODUCTION,FULL"
is "64, 64GB and 64GiB are one size" "$("$PLIMSOLL" tiers 64 64GB 64GiB 0.0625TB --json | jq -c '[.sizes[].size.bytes] | unique')" '[68719476736]'
machine() { # BYTES
    printf '{"schema": "plimsoll.assess/1", "pools": [{"pool": "ram", "kind": "host", "capacity": %s, "available": %s}]}' "$1" "$1" >"$T/machine.json"
}
machine 66571993088
run "$PLIMSOLL" tiers --machine "$T/machine.json" --json
is "a machine that shows 62 GiB is one of 64" "$(jq -r '.sizes[0] | "\(.size.gib) \(.tier)"' <<<"$out")" "64 BASIC"

# every size from 1 GB to 2 TB: sums, order, no contradiction
for first in 1 1025; do
    # shellcheck disable=SC2046
    "$PLIMSOLL" tiers $(seq "$first" $((first + 1023))) --json
done >"$T/all"
property() { # NAME JQ: what it prints are breaches
    is "1 GB to 2 TB: $1" "$(jq -r "$2" "$T/all" | head -n 5)" ""
}
is "1 GB to 2 TB: all are there" "$(jq '.sizes | length' "$T/all" | awk '{ n += $1 } END { print n }')" 2048
property "the shares add up" '.sizes[] | select(.budget | .hot_tenth.bytes + .warm_rest.bytes != .available_for_models.bytes) | .size.gib'
property "system, safety and models add up" '.sizes[] | select(.size.bytes + .budget.missing.bytes != (.budget | .system.bytes + .safety.bytes + .available_for_models.bytes)) | .size.gib'
property "rounded ones add up" '.sizes[] | select(.budget.rounded_gib | .hot_tenth + .warm_rest != .available_for_models) | .size.gib'
property "rounded ones add up to the size" '.sizes[] | select(.budget.missing.bytes == 0) | . as $s | .budget.rounded_gib | select(.system + .safety + .available_for_models != $s.size.gib) | $s.size.gib'
property "a rounded one is less than 1 off" '.sizes[].budget | select((.rounded_gib.hot_tenth - .hot_tenth.bytes / 1073741824 | fabs) >= 1 or (.rounded_gib.warm_rest - .warm_rest.bytes / 1073741824 | fabs) >= 1) | .available_for_models.gib'
property "what is planned fits, to the byte" '.sizes[] | select((.planned | .hot.bytes + .warm.bytes + .left.bytes) != .budget.available_for_models.bytes) | .size.gib'
property "HOT is the sum of what is loaded" '.sizes[] | select(([.roles[] | select(.loaded) | .bytes * .instances] | add // 0) != .planned.hot.bytes) | .size.gib'
property "WARM is the largest of what takes turns" '.sizes[] | select(([.roles[] | select(.loaded | not) | .bytes] | max // 0) != .planned.warm.bytes) | .size.gib'
property "each carries what its tier promises" '.sizes[] | select(.promised[0] != "all" and (.promised - [.roles[].role] != [])) | .size.gib'
property "one for all gives way only to roles" '.sizes[] | select(.promised[0] == "all" and .roles == []) | .size.gib'
property "the tree's tier is the table's" '. as $a | .sizes[] | . as $s | [$a.tiers[] | select($s.size.gib >= .from_gib and (.below_gib == null or $s.size.gib < .below_gib))] | select(length != 1 or .[0].tier != $s.tier or .[0].roles != $s.promised) | $s.size.gib'
property "what is left out is what it lacks" '.sizes[] | select((.without | length) == 0 and .next_from_gib != null) | .size.gib'
property "the next step is further up" '.sizes[] | select(.next_from_gib != null and .next_from_gib <= .size.gib) | .size.gib'
grown() { # larger sizes never carry less: steps, then what the surplus buys
    jq -r '.sizes[] | [.size.gib, .step, (.surplus | length)] | @tsv' "$T/all" |
        awk '$2 < step || ($2 == step && $3 < more) { print } { step = $2; more = $3 }'
}
is "1 GB to 2 TB: more memory never carries less" "$(grown)" ""

# the rule by another reader: the memory of each role from estimate, steps by awk
while IFS=$'\t' read -r step role serve model quant _; do
    [ "$step" = step ] && continue
    machine 17592186044416
    need=$("$PLIMSOLL" estimate "$model:$quant" -c 8192 -np 1 --cache-ram 0 --machine "$T/machine.json" --json |
        jq '[.pools[0].peak.high, .pools[0].load_peak.high] | max')
    # a projector is a file of its own: data/models.tsv has its length
    need=$((need + $(awk -F'\t' -v id="$model" 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i } $1 == id { print $c["mmproj_bytes_f16"] + 0 }' "$PLIMSOLL_SOURCE/data/models.tsv")))
    printf '%s %s %s %s\n' "$step" "$role" "$serve" "$need"
done <"$roles" >"$T/needs"
awk '$2 == "all" { need[$1] = $4; alone = $1; next }
    { if ($3 == "hot") hot[$1] += $4; else warm[$1] = $4; last = $1 }
    END { for (s = 1; s <= last; s++) {
            if (s > alone) { h += hot[s]; if (warm[s] > w) w = warm[s]; need[s] = h + w }
            from[s] = (need[s] + 16 * 2 ^ 30) / 0.85 / 2 ^ 30; from[s] = int(from[s]) + (from[s] > int(from[s]))
        }
        for (g = 1; g <= 2048; g++) { s = 0; while (s < last && from[s + 1] <= g) s++; print g, s } }' "$T/needs" >"$T/want"
jq -r '.sizes[] | "\(.size.gib) \(.step)"' "$T/all" >"$T/got"
ok "the steps of all 2048 sizes, counted by awk" diff "$T/want" "$T/got"

# down: at the size that just carries a step it is there, 2 MiB below it is not: one role less each
# time, in the guide's order
jq -r '.steps[] | "\(.step) \(.need_bytes)"' "$T/all" | sort -nu |
    awk '{ m = int(($2 / 2 ^ 20 + 16384) / 0.85) + 1; print $1 - 1, m - 2; print $1, m }' >"$T/edges"
# shellcheck disable=SC2046
"$PLIMSOLL" tiers $(awk '{ print $2 "MiB" }' "$T/edges") --json >"$T/at"
is "each step begins where its need fits" "$(jq -r '[.sizes[].step] | join(" ")' "$T/at")" "$(awk '{ print $1 }' "$T/edges" | paste -sd ' ')"
is "shrinking drops roles from the last of the guide's order" \
    "$(jq -r '.sizes | reverse | .[] | [.roles[].role] | join(" ")' "$T/at" | awk '
        { for (r in had) if (index(" " $0 " ", " " r " ") == 0) { print (r == "frontdoor" ? 2 : 1), NR, r; delete had[r] }
          for (i = 1; i <= NF; i++) had[$i] = 1 }' | grep -E ' (architect|ingest|coder|workers|frontdoor)' | sort -k2,2n -k1,1n | awk '{ print $3 }' | paste -sd ' ')" \
    "architect_coding architect_general ingest coder_escalation workers frontdoor"
is "surplus goes on quantisations, workers, contexts, loaded models, in that order" \
    "$(jq -r 'select(.sizes[-1].size.gib == 2048) | .sizes[-1].surplus[].on' "$T/all" | sed -E 's/.* in q.*/quantisation/; s/workers:.*/workers/; s/every context.*/context/; s/.*stays loaded/loaded/' | uniq | tr '\n' ' ')" \
    "quantisation workers context loaded "
is "one instance serves all roles below" "$(row 32 '[.roles[].role] | join(",")')" all

# where the guide contradicts itself: the figures said to be right, by awk from its own
sum() { awk -F'\t' -v want="$1" '$2 != "all" && $2 ~ want { s += $6 } END { print s }' "$roles"; }
hot='^(frontdoor|coder_escalation|workers|worker_vision|draft)$'
says() { awk -F'\t' -v n="$1" -v from="$2" '$1 == n && $2 == from { print $5 }' "$answers"; }
like "256: its HOT rows without ingest" "$(says total 256)" "\\b$(sum "$hot") without ingest"
like "256: with ingest" "$(says total 256)" "$(awk -v h="$(sum "$hot")" -v i="$(sum '^ingest$')" 'BEGIN { print h + i }')"
like "256: both WARM models" "$(says both 256)" "$(awk -v h="$(sum "$hot")" -v i="$(sum 'ingest|general')" 'BEGIN { print h + i }') of 201\.6"
like "512: all at once" "$(says all-resident 512)" "59 \+ 133 \+ 46 \+ 271 = 509"
like "128: ingest beside all HOT ones" "$(says full-hot 128)" "93\.5 of 92\.8"
run "$PLIMSOLL" tiers 256
like "answers are beside the size" "$out" '^  Total HOT ~48 GB with ingest'
run "$PLIMSOLL" tiers 32
unlike "and only there" "$out" 'Total HOT ~48'

for bad in 0 -5 abc 64X 99999999 '1 2' ''; do
    run "$PLIMSOLL" tiers -- "$bad"
    [ "$bad" = -5 ] && run "$PLIMSOLL" tiers "$bad"
    is "'$bad': exit 2" "$status" 2
    is "'$bad': one line and perhaps a hint" "$(head -n 1 <<<"$err" | grep -c '^plimsoll: ')" 1
done
run "$PLIMSOLL" tiers 64 --machine "$T/machine.json"
is "a size and a machine: exit 2" "$status" 2
printf '{"schema": "plimsoll.assess/1", "pools": [{"pool": "ram", "kind": "host"}]}' >"$T/unknown.json"
run "$PLIMSOLL" tiers --machine "$T/unknown.json"
is "a machine whose memory is unknown: exit 3" "$status" 3
done_testing
