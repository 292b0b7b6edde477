# Compute buffers on software GPUs and on the host beside them: the engine's, and ours. Sourced after lib.sh.

machine() { # N: a machine with N software GPUs
    local i pools="" devices=""
    for ((i = 0; i < $1; i++)); do
        pools+=", {\"pool\": \"gpu$i\", \"kind\": \"dedicated\", \"capacity\": 25000000000, \"available\": 24000000000}"
        devices+="${devices:+, }{\"id\": \"gpu$i\", \"pool\": \"gpu$i\", \"name\": \"llvmpipe\"}"
    done
    printf '{"schema": "plimsoll.assess/1", "pools": [{"pool": "ram", "kind": "host", "capacity": 68719476736, "available": 60000000000}%s], "devices": [%s]}\n' \
        "$pools" "$devices" >"$T/machine$1.json"
}

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
side_by_side() { # OURS THEIRS
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
