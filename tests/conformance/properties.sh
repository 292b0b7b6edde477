#!/bin/bash
# What must hold of every estimate, whatever its formulas: more context, slots or batch never take less;
# the parts are the total; weights, caches and states that move between host and card are neither lost
# nor doubled (but for embeddings that also serve as output, which the engine keeps on both sides); a
# ghost is estimated as its original. Over every architecture's file of the engine's own test: each
# fourth, or all with PLIMSOLL_FULL=1.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/projected.sh"

engine test-llama-archs >/dev/null || skip_all "the engines folder has no test-llama-archs"
mkdir "$T/archs"
engine_run test-llama-archs -o "$T/archs" >"$T/archs.log" 2>&1

# ladder FILE "SETTINGS"...: an array of the estimates, one per settings
ladder() {
    local file=$1 s
    shift
    for s in "$@"; do
        # shellcheck disable=SC2086 # settings are words
        "$PLIMSOLL" estimate "$file" $s --json 2>/dev/null </dev/null || [ $? != 2 ] || echo null
    done | jq -s .
}

# The first pair of a ladder in which something got less, as text; nothing when none did.
falls='def amount: .pools[0] | {kv: .parts.kv.bytes, recurrent: .parts.recurrent.bytes,
        compute: .parts.compute.bytes, output: .parts.output.bytes, steady: .steady.bytes,
        high: .steady.high};
    map(select(. != null) | amount) as $a | [range(1; $a | length) as $i | $a[$i] as $now |
        $a[$i - 1] | to_entries[] | select(.value != null and $now[.key] != null and
        .value > $now[.key]) | "step \($i): \(.key) \(.value) > \($now[.key])"] | join("; ")'
# What never takes less; where our compute does, the engine's own must at that very step: attention to
# chosen blocks, for one, makes a mask for each slot's tokens of a batch, which are fewer as slots are more.
never_less() { # NAME FILE LADDER "SETTINGS"...
    local name=$1 file=$2 fell step before after left=""
    fell=$(jq -r "$falls" "$3")
    shift 3
    local settings=("$@")
    while IFS= read -r one; do
        step=${one#step }
        step=${step%%:*}
        # shellcheck disable=SC2086 # settings are words
        before=$(projected "$file" ${settings[step - 1]}) after=$(projected "$file" ${settings[step]})
        case $one in
        *": compute "*)
            [ -n "$after" ] && [ "${after##* }" -lt "${before##* }" ] &&
                diag "$name: $one; the engine: ${before##* } MiB, then ${after##* }" && continue
            ;;
        esac
        left="$left $one;"
    done < <(sed 's/; /\n/g' <<<"$fell" | grep .)
    is "$name" "$left" ""
}
# Pools whose parts are not their total
sums='[.[] | select(. != null) | .pools[] | ([.parts | to_entries[] | select(.key != "prompt_cache") |
    .value.bytes] | if any(. == null) then null else add end) as $sum |
    select($sum != .steady.bytes) | "\(.pool): \($sum) for \(.steady.bytes)"] | join("; ")'
# Sums over pools of what moves, those that are off: the card pads each tensor to at most 256 bytes
moved='[.[] | select(. != null) | [.pools[].parts | .weights.bytes + .repack.bytes + .kv.bytes +
    .recurrent.bytes] | add] | unique | .[0] as $least | ($least + 256 * $tensors) as $most |
    map(select(. > $most and (. < $least + $embd or . > $most + $embd))) | map(tostring) | join(" ")'

contexts=("-c 4096 -np 1" "-c 16384 -np 1" "-c 65536 -np 1" "-c 262144 -np 1")
slots=("-c 8192 -np 1" "-c 16384 -np 2" "-c 32768 -np 4" "-c 131072 -np 16")
batches=("-c 8192 -np 1 -ub 32" "-c 8192 -np 1 -ub 128" "-c 8192 -np 1 -ub 512" "-c 8192 -np 1 -ub 2048")

properties() { # FILE
    local file=$1 name blocks embd tensors
    name=$(basename "$file" .gguf)
    ladder "$file" "${contexts[@]}" >"$T/context"
    ladder "$file" "${slots[@]}" >"$T/slots"
    ladder "$file" "${batches[@]}" >"$T/batch"
    never_less "$name: more context never takes less" "$file" "$T/context" "${contexts[@]}"
    never_less "$name: more slots never take less" "$file" "$T/slots" "${slots[@]}"
    never_less "$name: a larger batch never takes less" "$file" "$T/batch" "${batches[@]}"
    blocks=$("$PLIMSOLL" inspect "$file" | awk '$1 == "blocks" { print $2 }')
    ladder "$file" "-c 8192 -np 2 -nr -ngl 0 --device rtx4090" "-c 8192 -np 2 -nr -ngl 1 --device rtx4090" \
        "-c 8192 -np 2 -nr -ngl $((blocks / 2)) --device rtx4090" \
        "-c 8192 -np 2 -nr -ngl $blocks --device rtx4090" \
        "-c 8192 -np 2 -nr -ngl 999 --device rtx4090" >"$T/layers"
    embd=$("$PLIMSOLL" inspect -t "$file" | awk '$1 == "token_embd.weight" { print $3 * $5 * 4 }')
    tensors=$("$PLIMSOLL" inspect --json "$file" | jq .model.tensor_count)
    is "$name: layers that move are neither lost nor doubled" \
        "$(jq -r --argjson embd "${embd:-0}" --argjson tensors "$tensors" "$moved" "$T/layers")" ""
    is "$name: the parts are the total" "$(jq -s 'add' "$T/context" "$T/slots" "$T/batch" "$T/layers" |
        jq -r "$sums")" ""
    "$PLIMSOLL" ghost "$file" -o "$T/ghost.gguf" --force >/dev/null 2>&1
    is "$name: its ghost takes the same" "$(ladder "$T/ghost.gguf" "-c 20000 -np 3" | jq -c '.[0].pools')" \
        "$(ladder "$file" "-c 20000 -np 3" | jq -c '.[0].pools')"
}

i=0
for file in "$T"/archs/*.gguf; do
    if [ "${PLIMSOLL_FULL:-0}" -ge 1 ] || [ $((i++ % 4)) = 1 ]; then
        properties "$file"
    fi
done
ok "architectures: $i" test "$i" -gt 100 -o "${PLIMSOLL_FULL:-0}" -ge 1
done_testing
