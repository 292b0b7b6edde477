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

same_mib() { # OURS_BYTES THEIRS_MIB
    [ "$(($1 / 1048576))" = "$2" ]
}
