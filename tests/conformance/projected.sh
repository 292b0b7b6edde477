# What the engine itself says a model will take. Sourced after lib.sh.

# "weights kv" in MiB by llama-fit-params.
fitted() { # MODEL SETTINGS...
    local model=$1
    shift
    engine_run llama-fit-params -m "$model" -nr -fitp on "$@" 2>/dev/null |
        awk '$1 == "Host" {print $2, $3}'
}

# "weights kv compute" in MiB by the server, which is ended before it loads anything. $T/server.end is
# how it ended: 134 where it aborted, whose last words its log may have lost.
projected() { # MODEL SETTINGS...
    local model=$1 pid
    shift
    : >"$T/server.log" # or the last server's line may be read before this one starts
    engine_exec llama-server -m "$model" -nr --host 127.0.0.1 --port 0 -lv 5 "$@" \
        >"$T/server.log" 2>&1 &
    pid=$!
    for _ in $(seq 6000); do
        grep -q -- '- Host ' "$T/server.log" && break
        kill -0 "$pid" 2>/dev/null || break # it ended by itself: it says why, and projects nothing
        sleep 0.05
    done
    kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    printf '%s\n' "$?" >"$T/server.end"
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

# "status weights context low likely high": what we say of the host, in bytes; context is KV and
# recurrent state, the last three are of the compute buffer.
said_here() { # MODEL SETTINGS...
    "$PLIMSOLL" estimate "$@" -nr --json >"$T/said" 2>"$T/why" </dev/null
    printf '%s ' "$?"
    jq -r '.pools[0].parts | "\(.weights.bytes) \(.kv.bytes + .recurrent.bytes) " +
        "\(.compute.low) \(.compute.bytes) \(.compute.high)"' "$T/said" 2>/dev/null ||
        echo
}

# One line of fields parted by "|": NAME, the settings, said_here's, the server's projection, and
# "weights context" of llama-fit-params where it knows the flags ("-" where not). An empty field: that
# one refuses.
beside() { # NAME MODEL SETTINGS...
    local name=$1 mine server fit=-
    shift
    mine=$(said_here "$@")
    server=$(projected_beside "$(cut -d' ' -f5 <<<"$mine" | tr -cd 0-9)" "$@")
    case " $* " in
    *" -kvu "*) ;;
    *) fit=$(fitted "$@") ;;
    esac
    printf '%s|%s|%s|%s|%s\n' "$name" "${*:2}" "$mine" "$server" "$fit"
}

# Judges lines of beside from stdin: one test each. Where the engine refuses, we must. Counted: "exact"
# compute buffers that are equal. Named: "apart", inside the interval and not equal; "untold", those
# that we do not know; "damaged", where only llama-fit-params' answer could be read.
judge() {
    local name with mine server fit status w k low likely high tw tk tc why
    judged=0 exact=0 apart="" damaged="" untold=""
    while IFS='|' read -r name with mine server fit; do
        read -r status w k low likely high <<<"$mine"
        judged=$((judged + 1))
        if [ -z "$server" ] && { [ -z "$fit" ] || [ "$fit" = - ]; }; then
            is "$name $with: the engine refuses, so do we" "$status" 2
            continue
        fi
        [ -n "$server" ] || damaged="$damaged $name($with)"
        read -r tw tk tc <<<"${server:-$fit}"
        why=""
        case $w in '' | *[!0-9]*) why="we say $mine;" w=0 k=0 ;; esac
        same_mib "$w" "$tw" || why="$why weights $((w / 1048576)) for $tw;"
        same_mib "$k" "$tk" || why="$why context $((k / 1048576)) for $tk;"
        [ "$fit" = - ] || [ "$fit" = "$tw $tk" ] ||
            why="$why llama-fit-params says ${fit:-nothing}, the server $tw $tk;"
        if [ -z "$server" ]; then
            :
        elif [ "${low:-null}" = null ]; then
            untold="$untold $name($with: $tc)"
        elif same_mib "$likely" "$tc"; then
            exact=$((exact + 1))
        elif [ $((low / 1048576)) -gt "$tc" ] || [ $((high / 1048576)) -lt "$tc" ]; then
            why="$why compute $((low / 1048576)) .. $((high / 1048576)) for $tc;"
        else
            apart="$apart $name($with: $((likely / 1048576)) for $tc)"
        fi
        is "$name $with: weights, context, compute (status $status)" "$why" ""
    done
}

# What judge counted and named, as comments; a test that there was something to judge.
judged_all() { # LEAST
    ok "$judged questions, compute exact in $exact" test "$judged" -ge "$1"
    [ -z "$untold" ] || diag "compute not told:$untold"
    [ -z "$apart" ] || diag "compute within its interval, not exact:$apart"
    [ -z "$damaged" ] || diag "the server's answer could not be read:$damaged"
}

# two COMMAND FILE...: COMMAND with each half of the files, at once; what both print, in order. Each
# has a T of its own, for the engine's log.
two() {
    local command=$1 half second
    shift
    half=$((($# + 1) / 2))
    mkdir -p "$T/one" "$T/two"
    (T=$T/one && "$command" "${@:1:half}") >"$T/first" &
    second=$!
    (T=$T/two && "$command" "${@:half+1}") >"$T/second"
    wait "$second"
    cat "$T/first" "$T/second"
}
