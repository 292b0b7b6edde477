#!/bin/bash
# Real geometries of every kind of memory: mixtures of experts, latent attention, windows, hybrids, state
# spaces, encoders (spread/*.edit, made from the files of the engine's own test). Weights and context
# equal the engine's projection, compute lies within its interval. What they hold when they run is
# measured by bench/accuracy. A sample; PLIMSOLL_FULL=1 takes all.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/projected.sh"

settings=(
    "-c 65536 -np 1"
    "-c 32768 -np 4 -ctk q8_0 -ctv q8_0 -ub 64"
    "-c 16384 -np 4 -kvu -ub 256"
    "-c 32768 -np 2 -fa off"
)
sample="gemma-3-1b deepseek-v2-lite-12l qwen3-next-8l bge-large"

engine llama-server >/dev/null || skip_all "no engines folder (make engines)"
engine test-llama-archs >/dev/null || skip_all "the engines folder has no test-llama-archs"
mkdir "$T/archs"
engine_run test-llama-archs -o "$T/archs" >"$T/archs.log" 2>&1

ask() { # RECIPE...
    local recipe name base s
    for recipe in "$@"; do
        name=$(basename "$recipe" .edit)
        base=$(sed -n '1s/^# //p' "$recipe")
        if ! "$PLIMSOLL" ghost "$archs/$base.gguf" --edit "$recipe" -o "$T/$name.gguf" >/dev/null 2>"$T/why"; then
            printf '%s|ghost: %s|-|0 0 0|-\n' "$name" "$(head -n 1 "$T/why")"
            continue
        fi
        for s in "${settings[@]}"; do
            # shellcheck disable=SC2086 # settings are words
            beside "$name" "$T/$name.gguf" $s
        done
        rm -f "$T/$name.gguf"
    done
}

archs=$T/archs
recipes=("$PLIMSOLL_SOURCE"/tests/conformance/spread/*.edit)
if [ "${PLIMSOLL_FULL:-0}" -lt 1 ]; then
    recipes=()
    for name in $sample; do
        recipes+=("$PLIMSOLL_SOURCE/tests/conformance/spread/$name.edit")
    done
fi
two ask "${recipes[@]}" >"$T/results"
[ -n "${PLIMSOLL_RESULTS:-}" ] && sed 's/^/spread|/' "$T/results" >>"$PLIMSOLL_RESULTS"
judge <"$T/results"
judged_all $((${#recipes[@]} * 4))
done_testing
