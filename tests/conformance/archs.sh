#!/bin/bash
# Every architecture that llama.cpp knows, by the small models its own test writes: what is answered is
# right (weights and KV equal, compute within its interval), what is not known is "cannot tell".
# PLIMSOLL_FULL=1 takes every setting.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/projected.sh"

settings=(
    "-c 65536 -np 4 -kvu -ub 64"
    "-c 32768 -np 2 -fa off"
)
if [ "${PLIMSOLL_FULL:-0}" -ge 1 ]; then
    settings+=(
        "-c 4096 -np 1 -ub 256"
        "-c 65536 -np 1 -ctk f32 -ctv f32"
        "-c 100000 -np 3 -ctk q8_0 -ctv q8_0"
        "-c 16384 -np 1 -ub 2048"
    )
fi

engine llama-server >/dev/null || skip_all "no engines folder (make engines)"
engine test-llama-archs >/dev/null || skip_all "the engines folder has no test-llama-archs"
mkdir "$T/archs"
engine_run test-llama-archs -o "$T/archs" >"$T/archs.log" 2>&1
count=$(find "$T/archs" -name '*.gguf' | wc -l)
ok "models of every architecture: $count" test "$count" -gt 100

within() { # LOW HIGH THEIRS_MIB
    [ $(($1 / 1048576)) -le "$3" ] && [ $(($2 / 1048576)) -ge "$3" ]
}

right() { # NAME MODEL SETTINGS...
    local name=$1 weights kv low high likely tw tk tc abort
    shift
    run "$PLIMSOLL" estimate "$@" -nr --json
    read -r weights kv low high likely < <(printf '%s' "$out" | jq -r '.pools[0].parts |
        "\(.weights.bytes) \(.kv.bytes + .recurrent.bytes) \(.compute.low) \(.compute.high) \(.compute.bytes)"' 2>/dev/null)
    read -r tw tk tc < <(projected "$@")
    # the engine's log is damaged now and then (projected.sh): what it says twice counts
    if ! same_mib "${kv:-0}" "${tk:-none}" || ! same_mib "${likely:-0}" "${tc:-none}"; then
        read -r tw tk tc < <(projected "$@")
    fi
    if [ -z "${tw:-}" ] && [ "$(cat "$T/server.end")" -eq 134 ]; then
        abort=$(grep -am1 -oE 'GGML_ASSERT\(.*' "$T/server.log")
        skip "$name" "the engine itself aborts: ${abort:0:60}"
        aborted=$((aborted + 1))
        return
    fi
    if [ -z "${tw:-}" ]; then
        is "$name: the engine refuses, so do we" "$status" 2
        return
    fi
    ok "$name: weights ${tw:-?} MiB" same_mib "${weights:-0}" "${tw:-none}"
    ok "$name: kv ${tk:-?} MiB" same_mib "${kv:-0}" "${tk:-none}"
    if [ "${low:-null}" = null ]; then
        untold=$((untold + 1))
        skip "$name: compute ${tc:-?} MiB" "its graph is not followed"
        return
    fi
    followed=$((followed + 1))
    [ $((likely / 1048576)) = "${tc:--1}" ] && exact=$((exact + 1))
    ok "$name: compute ${tc:-?} MiB" within "$low" "$high" "${tc:--1}"
}

followed=0
aborted=0
exact=0
untold=0
wrong=""
for f in "$T"/archs/*.gguf; do
    name=$(basename "$f" .gguf)
    run "$PLIMSOLL" estimate "$f" -c 65536 -np 1 -nr --json
    case $status in
    0 | 1 | 3)
        for s in "${settings[@]}"; do
            # shellcheck disable=SC2086 # settings are words
            right "$name $s" "$f" $s
        done
        ;;
    *) wrong="$wrong $name($status: $err)" ;;
    esac
done
is "neither an answer nor 'cannot tell'" "$wrong" ""
ok "compute buffers that are followed: $followed, $exact of them exact" test "$followed" -gt 200
# 0.7.0 (11669): one graph with a quantised cache
ok "the engine aborts by itself in few: $aborted" test "$aborted" -le 2
diag "$untold compute buffers are not told"
done_testing
