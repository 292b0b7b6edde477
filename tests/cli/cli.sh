#!/bin/bash
# The command line itself: what every verb shares.
. "$(dirname "$0")/../lib.sh"

run "$PLIMSOLL" version
is "version: exit 0" "$status" 0
like "version: names itself" "$out" '^plimsoll [0-9]+\.[0-9]+\.[0-9]+$'
is "version: silent on stderr" "$err" ""
version=${out#plimsoll }
run "$PLIMSOLL" --version
is "--version: the same" "$out" "plimsoll $version"

run "$PLIMSOLL" version --json
is "version --json: exit 0" "$status" 0
if command -v jq >/dev/null; then
    is "version --json: schema" "$(jq -r .schema <<<"$out")" "plimsoll.version/1"
    is "version --json: version" "$(jq -r .version <<<"$out")" "$version"
else
    skip "version --json: schema" "jq is not installed"
    skip "version --json: version" "jq is not installed"
fi

run "$PLIMSOLL" --help
is "--help: exit 0" "$status" 0
like "--help: says how to go on" "$out" "COMMAND --help"
verbs=$(sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p' <<<"$out")
like "--help: lists verbs" "$verbs" '^version$'
run "$PLIMSOLL" help
like "help: the same as --help" "$out" "COMMAND --help"

for verb in $verbs; do
    run "$PLIMSOLL" "$verb" --help
    is "$verb --help: exit 0" "$status" 0
    like "$verb --help: has an example" "$out" "^  (.*[ |])?plimsoll $verb( |\$)"
    is "$verb --help: silent on stderr" "$err" ""
    is "help $verb: the same text" "$("$PLIMSOLL" help "$verb" 2>&1)" "$out"
    run "$PLIMSOLL" "$verb" --no-such-option-at-all
    is "$verb: an unknown option is exit 2" "$status" 2
    like "$verb: an unknown option is named" "$err" \
        "^plimsoll: $verb: unknown option '--no-such-option-at-all'"
    run "$PLIMSOLL" "$verb" --jsn
    like "$verb: the nearest option is suggested" "$err" "did you mean --json\?"
done

run "$PLIMSOLL" verzion
is "unknown verb: exit 2" "$status" 2
like "unknown verb: named" "$err" "^plimsoll: unknown command 'verzion'"
like "unknown verb: the nearest is suggested" "$err" "did you mean 'plimsoll version'\?"
is "unknown verb: nothing on stdout" "$out" ""
run "$PLIMSOLL" zzzzqqqq
is "far from any verb: exit 2" "$status" 2
like "far from any verb: points to the help" "$err" "plimsoll --help"
run "$PLIMSOLL" version surplus
is "surplus argument: exit 2" "$status" 2
like "surplus argument: named" "$err" "unexpected argument 'surplus'"
run "$PLIMSOLL" completion
is "missing argument: exit 2" "$status" 2
like "missing argument: usage follows" "$err" "usage: plimsoll completion"
run "$PLIMSOLL" completion tcsh
is "unknown shell: exit 2" "$status" 2

# a stdout that is closed, full or gone: told, never a crash, never silence
"$PLIMSOLL" version >&- 2>"$T/err"
is "closed stdout: exit 4" "$?" 4
like "closed stdout: said" "$(cat "$T/err")" "^plimsoll: cannot write the output"
for what in version --help; do
    if [ -c /dev/full ]; then
        "$PLIMSOLL" $what >/dev/full 2>"$T/err"
        is "$what on a full disk: exit 4" "$?" 4
        like "$what on a full disk: said" "$(cat "$T/err")" "No space left on device"
    else
        skip "$what on a full disk: exit 4" "no /dev/full"
        skip "$what on a full disk: said" "no /dev/full"
    fi
done
for what in version --help; do
    exec 9> >(:)
    wait $! # the reader has gone: a write finds nobody
    "$PLIMSOLL" $what >&9 2>"$T/err"
    is "$what to a reader that went away: no error, not a signal" "$?" 0
    is "$what to a reader that went away: nothing said" "$(cat "$T/err")" ""
    exec 9>&-
done
"$PLIMSOLL" version >/dev/null 2>&- <&-
is "closed stdin and stderr: exit 0" "$?" 0

# no colour where nobody asked for it
for verb in $verbs; do
    run env NO_COLOR=1 TERM=xterm-256color "$PLIMSOLL" "$verb" --help
    unlike "$verb --help: NO_COLOR is kept" "$out" $'\033'
done
run env TERM=xterm-256color "$PLIMSOLL" version
unlike "no colour into a pipe" "$out" $'\033'

# words a shell or a printf could trip over
for word in '%s%n' '$(id)' "'" '--%s' '-' '' $'a\nb'; do
    run "$PLIMSOLL" "$word"
    case $word in
    '') ;; # no command: the overview of this machine, tested on its own
    *) is "hostile word $(printf %q "$word"): exit 2" "$status" 2 ;;
    esac
    like "hostile word $(printf %q "$word"): at most two lines on stderr" \
        "$(printf '%s' "$err" | grep -c '')" '^[0-2]$'
done

done_testing
