#!/bin/bash
# Every flag that `llama-server --help` names is known here, with its values and its variable.
. "$(dirname "$0")/../lib.sh"

engine llama-server >/dev/null || skip_all "no engines folder (make engines)"
engine_run llama-server --help >"$T/help" 2>/dev/null
count=$(grep -c '^-' "$T/help")
ok "its help names flags: $count" test "$count" -gt 200

# "names|variable|values" of each flag. Names end at the first word that is none; what follows up to
# two blanks is the value.
awk '
    function flush() { if (names != "") print names "|" env "|" value; names = env = "" }
    /^-----/ { next }
    /^-/ {
        flush(); line = $0; names = value = ""
        while (match(line, /^--?[A-Za-z0-9][-A-Za-z0-9_.]*,? */)) {
            name = substr(line, 1, RLENGTH); line = substr(line, RLENGTH + 1)
            wide = name ~ /   *$/; comma = name ~ /,/
            gsub(/[, ]/, "", name); names = names (names == "" ? "" : " ") name
            if (!comma) break
        }
        if (!wide && line != "") { value = line; sub(/  .*/, "", value) }
    }
    match($0, /\(env: [A-Z_]+/) { env = substr($0, RSTART + 6, RLENGTH - 6) }
    END { flush() }' "$T/help" >"$T/flags"

# Does the command line know it? Errors about values and refusals are answers; only "unknown option"
# is none. The model is missing on purpose: flags are read first.
unknown="" arity=""
while IFS='|' read -r names env value; do
    for name in $names; do
        case $name in -h | --help | -fa | --flash-attn) continue ;; esac # ours; "on" when bare
        run "$PLIMSOLL" estimate "$T/none.gguf" "$name" 1 2
        case $err in *"unknown option"*) unknown="$unknown $name" ;; esac
        # a switch leaves both words as arguments, a flag with a value takes one of them, or refuses
        if [ -z "$value" ]; then
            case $err in
            *"unexpected argument"* | *"no setting of a model"* | *"is not predicted"* | *"plimsoll estimate: "*) ;;
            *) arity="$arity $name(switch)" ;;
            esac
        else
            run "$PLIMSOLL" estimate "$T/none.gguf" "$name"
            case $err in
            *"needs a value"* | *"no setting of a model"* | *"is not predicted"*) ;;
            *) case $value in *on*off*) ;; *) arity="$arity $name" ;; esac ;;
            esac
        fi
    done
done <"$T/flags"
is "flags that are not known" "$unknown" ""
is "flags that take other values than the engine's" "$arity" ""

# Its variables, but for those of a model, of a download and of how a server of the user's is reached
table=$PLIMSOLL_SOURCE/data/llamacpp_flags.tsv
missing=""
while IFS='|' read -r names env value; do
    first=${names%% *}
    [ -z "$env" ] || [ "$env" = LLAMA_ARG_PORT ] && continue
    grep -q "\"$env\"" "$PLIMSOLL_SOURCE/src/engine/llamacpp/flags.c" && continue
    awk -F'\t' -v f="$first" -v e="$env" '
        (" " $1 " ") ~ (" " f " ") { found = $4 == e || $2 == "refuse" || f == "-hft" }
        END { exit !found }' "$table" || missing="$missing $env"
done <"$T/flags"
is "variables that are not known" "$missing" ""

run "$PLIMSOLL" estimate "$T/none.gguf" --gpu-layer 3
like "an unknown flag is named, with the nearest known" "$err" "unknown option '--gpu-layer'"
like "... the nearest" "$err" 'did you mean --gpu-layers'
is "... exit status" "$status" 2
done_testing
