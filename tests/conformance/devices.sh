#!/bin/bash
# Compute buffers on one and two devices and on the host beside them, against the engine itself on
# Mesa's software GPU: models of every architecture, buffer by buffer to a hundredth of a MiB, as the
# server's log has them. A sample of files at two settings by default, at all settings with
# PLIMSOLL_FULL=1; every file too with PLIMSOLL_FULL=2, which takes half an hour. With PLIMSOLL_RESULTS=FILE a
# line is kept of every buffer, for tools/conformance-table.
. "$(dirname "$0")/../lib.sh"

engine llama-server >/dev/null || skip_all "no engines folder (make engines)"
engine test-llama-archs >/dev/null || skip_all "the engines folder has no test-llama-archs"
software_gpu || skip_all "the engines folder has no Vulkan (tools/fetch-engines --vulkan)"

# devices, then settings
asked=(
    "1 -ngl 99 -c 32768 -np 1"
    "2 -ngl 99 -c 65536 -np 1 -ts 1,1"
)
every=9
[ "${PLIMSOLL_FULL:-0}" = 2 ] && every=1
if [ "${PLIMSOLL_FULL:-0}" -ge 1 ]; then
    asked+=(
        "1 -ngl 99 -c 65536 -np 4 -kvu -ub 64"
        "1 -ngl 99 -c 32768 -np 2 -fa off"
        "1 -ngl 2 -c 32768 -np 1"
        "1 -ngl 99 -nkvo -c 32768 -np 2"
        "1 -ngl 2 -c 32768 -np 1 --no-op-offload"
        "1 -ngl 99 -c 32768 -np 1 -ctk q8_0 -ctv q8_0"
        "1 -ngl 99 -c 16384 -np 1 -ot ffn=CPU -ub 256"
        "1 -ngl 0 -c 32768 -np 1"
        "2 -ngl 2 -c 32768 -np 2 -ts 1,1 -fa off"
    )
fi

machine() { # N: a machine with N software GPUs
    local i pools="" devices=""
    for ((i = 0; i < $1; i++)); do
        pools+=", {\"pool\": \"gpu$i\", \"kind\": \"dedicated\", \"capacity\": 25000000000, \"available\": 24000000000}"
        devices+="${devices:+, }{\"id\": \"gpu$i\", \"pool\": \"gpu$i\", \"name\": \"llvmpipe\"}"
    done
    printf '{"schema": "plimsoll.assess/1", "pools": [{"pool": "ram", "kind": "host", "capacity": 68719476736, "available": 60000000000}%s], "devices": [%s]}\n' \
        "$pools" "$devices" >"$T/machine$1.json"
}
machine 1
machine 2

theirs() { # N MODEL SETTINGS...: "POOL MIB" of each buffer; nothing when the engine ends by itself
    local n=$1 visible=0 pid
    shift
    [ "$n" = 2 ] && visible=0,0
    : >"$T/server.log"
    GGML_VK_VISIBLE_DEVICES=$visible engine_exec llama-server -nr --host 127.0.0.1 --port 0 -lv 5 --no-warmup \
        -fit off -m "$@" >"$T/server.log" 2>&1 </dev/null &
    pid=$!
    for _ in $(seq 6000); do
        grep -aq 'reserve took' "$T/server.log" && break
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    grep -aq 'reserve took' "$T/server.log" || return
    sed -n 's/.*sched_reserve: *\([A-Za-z_0-9]*\) compute buffer size = *\([0-9.]*\) MiB.*/\1 \2/p' "$T/server.log" |
        sed 's/^Vulkan\([0-9]\)/gpu\1/; s/^Vulkan_Host/ram/; s/^CPU/ram/'
}

ours() { # N MODEL SETTINGS...: "POOL LOW LIKELY HIGH SOURCE", bytes
    local n=$1
    shift
    "$PLIMSOLL" estimate -nr -M "$T/machine$n.json" --json "$@" 2>"$T/.err" |
        jq -r '.pools[] | "\(.pool) \(.parts.compute | "\(.low) \(.bytes) \(.high) \(.source)")"'
}

# "POOL STATE OURS THEIRS" of each buffer; the engine does not mention one that is empty
beside() { # OURS THEIRS
    awk 'NR == FNR {theirs[$1] = $2; next}
        {
            t = ($1 in theirs ? theirs[$1] : 0) + 0
            m = $3 / 1048576
            state = "outside"
            if ($2 / 1048576 <= t + 0.006 && t <= $4 / 1048576 + 0.006) state = $5 == "assumed" ? "assumed" : "within"
            if (m - t < 0.0051 && t - m < 0.0051) state = "equal"
            printf "%s %s %.2f %.2f\n", $1, state, m, t
        }' <(printf '%s\n' "$2") <(printf '%s\n' "$1")
}

mkdir "$T/archs"
engine_run test-llama-archs -o "$T/archs" >"$T/archs.log" 2>&1
count=0 buffers=0 equal=0
for f in "$T"/archs/*.gguf; do
    count=$((count + 1))
    [ $((count % every)) = 0 ] || continue
    name=$(basename "$f" .gguf)
    for s in "${asked[@]}"; do
        # shellcheck disable=SC2086 # settings are words
        said=$(theirs "${s%% *}" "$f" ${s#* })
        if [ -z "$said" ]; then
            skip "$name $s" "the engine gives no answer"
            continue
        fi
        # shellcheck disable=SC2086
        mine=$(ours "${s%% *}" "$f" ${s#* })
        all=$(beside "$mine" "$said")
        buffers=$((buffers + $(wc -l <<<"$all")))
        equal=$((equal + $(grep -c ' equal ' <<<"$all")))
        [ -z "${PLIMSOLL_RESULTS:-}" ] || sed "s/ /|/g; s/^/devices|$name|$s|/" <<<"$all" >>"$PLIMSOLL_RESULTS"
        # what is not followed is assumed and may miss; the rest may not
        bad=$(grep ' outside ' <<<"$all" | grep -v -f <(awk '$5 == "assumed" {print "^" $1 " "}' <<<"$mine"))
        is "$name, devices $s" "$bad" ""
    done
done
ok "$buffers buffers, $equal equal" test $((equal * 10)) -ge $((buffers * 7))
done_testing
