#!/bin/bash
# Geometries that nobody has: three seeded mutations of every architecture's file (mutations.tsv), made
# by `ghost --edit`, so that no formula holds only at the engine's own test sizes. Weights and context
# equal what the engine projects, compute lies within its interval. The settings go by the row's number,
# with contexts so large that whole MiB tell.
#
# A sample over the kinds of memory; PLIMSOLL_FULL=1 takes every row, at two settings.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/projected.sh"

settings=(
    "-c 262144 -np 1"
    "-c 131072 -np 4 -kvu -ub 64"
    "-c 131072 -np 4 -ctk q8_0 -ctv q8_0"
    "-c 65536 -np 1 -fa off -ub 64"
    "-c 65536 -np 4 -fa off"
    "-c 262144 -np 4 -ub 64"
    "-c 131072 -np 1 -ctk q8_0 -ctv q8_0 -ub 64 -fa on"
    "-c 131072 -np 4 -kvu"
)
# dense, mixture, latent attention, window, state space, both, delta rule, convolution, shared KV
sample="llama-dense olmoe-moe deepseek2-moe gemma3-dense gpt-oss-moe mamba2-dense granitehybrid-dense
    qwen3next-moe lfm2-dense kimi-linear-moe minimax-01-moe deepseek4-moe"

engine llama-server >/dev/null || skip_all "no engines folder (make engines)"
engine test-llama-archs >/dev/null || skip_all "the engines folder has no test-llama-archs"
mkdir "$T/archs"
engine_run test-llama-archs -o "$T/archs" >"$T/archs.log" 2>&1

# ask BASE:NUMBER:ROW...: makes each ghost and lays both answers side by side
ask() {
    local item base number row ghost=$T/ghost.gguf s which
    for item in "$@"; do
        IFS=: read -r base number row <<<"$item"
        awk -F'\t' -v b="$base" -v n="$number" '$1 == b && $2 == n { gsub(";", "\n", $3); print $3 }' \
            "$PLIMSOLL_SOURCE/tests/conformance/mutations.tsv" >"$T/edit"
        if ! "$PLIMSOLL" ghost "$archs/$base.gguf" --edit "$T/edit" -o "$ghost" --force >/dev/null 2>"$T/why"; then
            printf '%s.%s|ghost: %s|-|0 0 0|-\n' "$base" "$number" "$(head -n 1 "$T/why")"
            continue
        fi
        for which in "$row" $((row + 1 + row / 8 % 7)); do
            s=${settings[which % ${#settings[@]}]}
            # shellcheck disable=SC2086 # settings are words
            beside "$base.$number" "$ghost" $s
            [ "${PLIMSOLL_FULL:-0}" -ge 1 ] || break
        done
    done
}

archs=$T/archs
mapfile -t rows < <(awk -F'\t' '!/^#/ { print $1 ":" $2 ":" n++ }' \
    "$PLIMSOLL_SOURCE/tests/conformance/mutations.tsv")
if [ "${PLIMSOLL_FULL:-0}" -lt 1 ]; then
    few=()
    i=0
    for base in $sample; do
        for row in "${rows[@]}"; do
            case $row in "$base:$((i % 3 + 1)):"*) few+=("$row") ;; esac
        done
        i=$((i + 1))
    done
    rows=("${few[@]}")
fi

two ask "${rows[@]}" >"$T/results"
[ -n "${PLIMSOLL_RESULTS:-}" ] && sed 's/^/mutations|/' "$T/results" >>"$PLIMSOLL_RESULTS"
judge <"$T/results"
judged_all "${#rows[@]}"
done_testing
