#!/bin/bash
# Weights and context (caches and recurrent state) of every architecture that llama.cpp knows, by the
# small models its own test writes, at settings that move every term: equal to what llama-fit-params
# projects, refused where it refuses. It answers in a twentieth of a second and prints whole MiB, so
# contexts are large. (Its compute column keeps logits of every token; archs.sh asks the server.)
#
# PLIMSOLL_FULL=1: every setting. PLIMSOLL_RESULTS=FILE: a line per question is added, for
# tools/conformance-table.
. "$(dirname "$0")/../lib.sh"

settings=(
    "-c 65536 -np 1"
    "-c 100000 -np 3 -ctk q8_0 -ctv q8_0 -ub 64"
)
if [ "${PLIMSOLL_FULL:-0}" -ge 1 ]; then
    settings+=(
        "-c 65536 -np 4 -ub 2048"
        "-c 65536 -np 64"
        "-c 32768 -np 2 -fa off"
        "-c 32768 -np 4 -fa off -ctk q8_0"
        "-c 262144 -np 1 -ctk q4_0 -ctv q4_0 -ub 2048"
        "-c 65536 -np 3 -ctk f32 -ctv f32 -fa on"
        "-c 40000 -np 3 -ctk q8_0 -ctv f16"
        "-c 65536 -np 4 --swa-full -ub 64"
        "-c 1048576 -np 1 -b 4096 -ub 4096"
        "-c 1000 -np 8"
    )
fi

# What llama-fit-params itself aborts on: the graph of kimi-linear with a batch of 64 in three
# sequences (ggml_add, "can_repeat"), so that it says nothing there.
engine_fails="kimi-linear-moe"

engine llama-fit-params >/dev/null || skip_all "no engines folder (make engines)"
engine test-llama-archs >/dev/null || skip_all "the engines folder has no test-llama-archs"
mkdir "$T/archs"
engine_run test-llama-archs -o "$T/archs" >"$T/archs.log" 2>&1
count=$(find "$T/archs" -name '*.gguf' | wc -l)
ok "models of every architecture: $count" test "$count" -gt 100

# "status weights context": what we say, in bytes.
ours() { # MODEL SETTINGS...
    "$PLIMSOLL" estimate "$@" -nr --json >"$T/ours" 2>/dev/null </dev/null
    printf '%s ' "$?"
    jq -r '.pools[0].parts | "\(.weights.bytes) \(.kv.bytes + .recurrent.bytes)"' "$T/ours" \
        2>/dev/null || echo "- -"
}

# "weights context" in MiB; nothing where the engine refuses or aborts
theirs() { # MODEL SETTINGS...
    local model=$1
    shift
    engine_run llama-fit-params -m "$model" -nr -fitp on "$@" 2>/dev/null </dev/null |
        awk '$1 == "Host" {print $2, $3}'
}

# One line per question, separated by |: name, settings, what we say, what it says.
ask() { # FILE...
    local f s
    for f in "$@"; do
        for s in "${settings[@]}"; do
            # shellcheck disable=SC2086 # settings are words
            printf '%s|%s|%s|%s\n' "$(basename "$f" .gguf)" "$s" "$(ours "$f" $s)" "$(theirs "$f" $s)"
        done
    done
}

# two at a time; each has a log file of its own
mapfile -t files < <(find "$T/archs" -name '*.gguf' | sort)
half=$(((${#files[@]} + 1) / 2))
(T=$T/one && mkdir "$T" && ask "${files[@]:0:half}") >"$T/first" &
(T=$T/two && mkdir "$T" && ask "${files[@]:half}") >"$T/second"
wait
cat "$T/first" "$T/second" >"$T/results"
[ -n "${PLIMSOLL_RESULTS:-}" ] && sed 's/^/caches|/' "$T/results" >>"$PLIMSOLL_RESULTS"

while IFS='|' read -r name with mine said; do
    read -r status weights context <<<"$mine"
    what="$name $with"
    if [ "$status" = 2 ]; then
        is "$what: both refuse" "${said:-refused}" refused
    elif [ -n "$said" ]; then
        is "$what: weights, context" "$((weights / 1048576)) $((context / 1048576))" "$said"
    else
        case " $engine_fails " in
        *" $name "*) skip "$what" "the engine itself aborts" ;;
        *) is "$what: the engine answers" "it refuses, we say $mine" "" ;;
        esac
    fi
done <"$T/results"
done_testing
