# What the engine itself says a model will take. Sourced after lib.sh.

# "weights kv" in MiB by llama-fit-params.
fitted() { # MODEL SETTINGS...
    local model=$1
    shift
    engine_run llama-fit-params -m "$model" -nr -fitp on "$@" 2>/dev/null |
        awk '$1 == "Host" {print $2, $3}'
}

# "weights kv compute" in MiB by the server, which is ended before it loads anything.
projected() { # MODEL SETTINGS...
    local model=$1 pid
    shift
    : >"$T/server.log" # or the last server's line may be read before this one starts
    engine_exec llama-server -m "$model" -nr --host 127.0.0.1 --port 0 -lv 5 "$@" \
        >"$T/server.log" 2>&1 &
    pid=$!
    for _ in $(seq 600); do
        grep -q -- '- Host ' "$T/server.log" && break
        sleep 0.05
    done
    kill -9 "$pid"
    wait "$pid" 2>/dev/null
    sed -n 's/.*- Host .*= *\([0-9]*\) + *\([0-9]*\) + *\([0-9]*\) .*/\1 \2 \3/p' "$T/server.log" |
        head -n 1
}

# The same, asked a second time when its compute is not ours: once in some two thousand readings the
# line in the engine's log was damaged (18 for 128). What it says twice counts.
projected_beside() { # OUR_COMPUTE_BYTES MODEL SETTINGS...
    local ours=$1 said
    shift
    said=$(projected "$@")
    if ! same_mib "${ours:-0}" "${said##* }"; then
        said=$(projected "$@")
    fi
    printf '%s\n' "$said"
}

same_mib() { # OURS_BYTES THEIRS_MIB
    [ "$(($1 / 1048576))" = "$2" ]
}
