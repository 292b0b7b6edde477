#!/bin/bash
# The man page and the completions: made from the option tables, complete, and well formed.
. "$(dirname "$0")/../lib.sh"

"$PLIMSOLL" completion man >"$T/plimsoll.1"
is "man: exit 0" "$?" 0
if command -v mandoc >/dev/null; then
    lint=$(mandoc -T lint "$T/plimsoll.1" 2>&1 | grep -v 'line longer than 80 bytes')
    is "man: mandoc finds nothing" "$lint" ""
    mandoc -T utf8 -O width=1000 "$T/plimsoll.1" | sed 's/.\x08//g' >"$T/man.txt"
else
    skip "man: mandoc finds nothing" "mandoc is not installed"
    # good enough to look words up in
    sed -e 's/\\f[BIR]//g; s/\\-/-/g; s/\\&//g; s/\\e/\\/g' "$T/plimsoll.1" >"$T/man.txt"
fi
verbs=$("$PLIMSOLL" --help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p')
section() { # VERB: its part of the man page
    awk -v verb="$1" '/^   ?[a-z]|^[A-Z.]|^\.S/ { on = ($0 ~ "plimsoll " verb "( |$)") } on' "$T/man.txt"
}
for verb in $verbs; do
    section "$verb" >"$T/section"
    ok "man: has $verb" test -s "$T/section"
    # every option the help lists before the engine's flags and the examples
    options=$("$PLIMSOLL" "$verb" --help |
        awk '/^options:/ { on = 1; next } /^(engine flags|examples)/ { on = 0 } on' |
        grep -oE '^ +(-[A-Za-z], )?--[a-z][a-z0-9-]*' | grep -oE -- '--[a-z0-9-]+' |
        grep -vxE -- '--(json|help)')
    missing=
    for o in $options; do
        grep -qE -- "(^|[ ,])$o( |\$)" "$T/section" || missing+=" $o"
    done
    is "man: every option of $verb" "$missing" ""
done
for word in --json --help PLIMSOLL_LEDGER PLIMSOLL_ENGINES 'EXIT STATUS'; do
    ok "man: tells of $word" grep -qF -- "$word" "$T/man.txt"
done
# every variable that the source asks for, but those everybody knows
names=$(grep -rohE '"(PLIMSOLL|XDG|HF|HUGGING_FACE|OLLAMA)_[A-Z_]+"|getenv\("[A-Z_]+"\)' \
    "$PLIMSOLL_SOURCE/src" --include='*.c' | grep -oE '[A-Z_]{2,}' | grep -vxE 'HOME|PATH|TERM' | sort -u)
missing=
for name in $names; do
    grep -qE "(^|[ ,])$name(,| |\$)" "$T/man.txt" || missing+=" $name"
done
is "man: every variable of the environment" "$missing" ""
flags=$(for verb in $verbs; do "$PLIMSOLL" "$verb" --help; done |
    awk '/^engine flags/ { on = 1; next } /^(examples|options)/ || /^$/ { on = 0 } on' |
    grep -oE '^  (--?[a-zA-Z][a-zA-Z0-9-]*(, )?)+' | tr -d ', ' | sed 's/\([a-z]\)-/\1-/g' | sort -u)
awk '/^ENGINE FLAGS|^\.SH ENGINE FLAGS/ { on = 1; next } /^[A-Z]/ { on = 0 } on' "$T/man.txt" | tr -d ', ' >"$T/flags"
missing=
for f in $flags; do
    grep -qF -- "$f" "$T/flags" || missing+=" $f"
done
is "man: every engine flag" "$missing" ""

# bash: the completion, asked as bash asks it
"$PLIMSOLL" completion bash >"$T/plimsoll.bash"
is "bash: exit 0" "$?" 0
ok "bash: syntax" bash -n "$T/plimsoll.bash"
mkdir "$T/files" && : >"$T/files/model.gguf"
complete_bash() { # WORDS...: what is offered for the last one
    (cd "$T/files" && bash --norc -c '
        . "$1"; shift
        COMP_WORDS=(plimsoll "$@"); COMP_CWORD=$#
        _plimsoll
        printf "%s\n" "${COMPREPLY[@]}"' - "$T/plimsoll.bash" "$@")
}
is "bash: no verb twice" "$(complete_bash '' | sort | uniq -d)" ""
for verb in $verbs; do
    like "bash: offers $verb" "$(complete_bash '')" "^$verb\$"
    want=$("$PLIMSOLL" "$verb" --help |
        awk '/^options:/ { on = 1; next } /^(engine flags|examples)/ { on = 0 } on' |
        grep -oE '^ +(-[A-Za-z], )?--[a-z][a-z0-9-]*' | grep -oE -- '--[a-z0-9-]+' | sort)
    is "bash: every option of $verb" "$(comm -23 <(echo "$want") <(complete_bash "$verb" - | sort))" ""
done
is "bash: begun verb" "$(complete_bash versi)" version
is "bash: begun option" "$(complete_bash version --js)" --json
is "bash: words of an argument" "$(complete_bash completion f)" fish
is "bash: help takes verbs" "$(complete_bash help versi)" version
is "bash: no argument, no offer" "$(complete_bash version '')" ""
is "bash: unknown verb, no offer" "$(complete_bash nosuchverb --)" ""
# a verb with a choice, a path and the engine's flags, whichever has them
for verb in $verbs; do
    "$PLIMSOLL" "$verb" --help >"$T/help"
    if [ -z "${did_choice:-}" ] && grep -qE '^ +(-., )?--[a-z-]+ [a-z0-9_-]+(\|[a-z0-9_-]+)+ ' "$T/help"; then
        did_choice=$verb
        line=$(grep -m1 -oE -- '--[a-z-]+ [a-z0-9_-]+(\|[a-z0-9_-]+)+' "$T/help")
        is "bash: $verb ${line%% *} offers its words" \
            "$(complete_bash "$verb" "${line%% *}" '')" "$(tr '|' '\n' <<<"${line#* }")"
        is "bash: $verb ${line%% *}= offers them too" \
            "$(complete_bash "$verb" "${line%% *}" = '')" "$(tr '|' '\n' <<<"${line#* }")"
    fi
    if [ -z "${did_path:-}" ] && line=$(grep -m1 -oE -- '--[a-z-]+ (FILE|DIR)' "$T/help"); then
        did_path=$verb
        is "bash: $verb ${line%% *} offers files" "$(complete_bash "$verb" "${line%% *}" mod)" model.gguf
    fi
    if [ -z "${did_flags:-}" ] && grep -q -- '--flash-attn' "$T/help"; then
        did_flags=$verb
        like "bash: $verb offers engine flags" "$(complete_bash "$verb" --fl)" '^--flash-attn$'
        like "bash: $verb -fa offers its words" "$(complete_bash "$verb" -fa '')" '^on$'
        is "bash: $verb -c offers nothing" "$(complete_bash "$verb" -c '')" ""
        is "bash: $verb offers files" "$(complete_bash "$verb" mod)" model.gguf
    fi
done

# zsh: syntax, and what it hands to zsh's own functions
"$PLIMSOLL" completion zsh >"$T/_plimsoll"
is "zsh: exit 0" "$?" 0
like "zsh: says whom it is for" "$(head -n 1 "$T/_plimsoll")" '^#compdef plimsoll$'
if command -v zsh >/dev/null; then
    ok "zsh: syntax" zsh -n "$T/_plimsoll"
    complete_zsh() {
        zsh -f -c '
            compdef() { : }
            _describe() { print -l -- ${(P)2} }
            _arguments() { print -l -- "$@" }
            . "$1"; shift
            words=(plimsoll "$@"); CURRENT=$(( $# + 1 ))
            _plimsoll' - "$T/_plimsoll" "$@"
    }
    for verb in $verbs; do
        like "zsh: offers $verb" "$(complete_zsh '')" "^$verb:"
        like "zsh: options of $verb" "$(complete_zsh "$verb" '')" '^--json\['
        is "zsh: every specification of $verb is one" \
            "$(complete_zsh "$verb" '' | grep -vE "^(-S|\(.*\)-|-|\*:)")" ""
    done
    like "zsh: words of an argument" "$(complete_zsh completion '')" '\(bash zsh fish man\)'
else
    skip "zsh: syntax" "zsh is not installed"
fi

# fish: loaded by it, asked as it asks
"$PLIMSOLL" completion fish >"$T/plimsoll.fish"
is "fish: exit 0" "$?" 0
if command -v fish >/dev/null; then
    complete_fish() { # LINE: what is offered at its end, without what it says of each
        (cd "$T/files" && HOME=$T fish --no-config -c 'source $argv[1]; complete -C $argv[2]' "$T/plimsoll.fish" "plimsoll $1" |
            cut -f 1)
    }
    ok "fish: syntax" fish --no-config -n "$T/plimsoll.fish"
    is "fish: loads without a word" "$(HOME=$T fish --no-config "$T/plimsoll.fish" 2>&1)" ""
    complete_fish '' >"$T/offered"
    for verb in $verbs; do
        ok "fish: offers $verb" grep -qx -- "$verb" "$T/offered"
        want=$("$PLIMSOLL" "$verb" --help |
            awk '/^options:/ { on = 1; next } /^(engine flags|examples)/ { on = 0 } on' |
            grep -oE '^ +(-[A-Za-z], )?--[a-z][a-z0-9-]*' | grep -oE -- '--[a-z0-9-]+' | sort)
        is "fish: every option of $verb" "$(comm -23 <(echo "$want") <(complete_fish "$verb --" | sed 's/=$//' | sort))" ""
    done
    is "fish: begun verb" "$(complete_fish versi)" version
    is "fish: words of an argument" "$(complete_fish 'completion z')" zsh
    is "fish: help takes verbs" "$(complete_fish 'help versi')" version
    is "fish: no argument, no offer" "$(complete_fish 'version ')" ""
    is "fish: engine flags" "$(complete_fish 'estimate --flash')" --flash-attn
    like "fish: words of a flag" "$(complete_fish 'estimate -fa ')" '^on$'
    like "fish: words of a long flag" "$(complete_fish 'estimate --flash-attn ')" '^auto$'
    like "fish: files" "$(complete_fish 'estimate mod')" '^model.gguf$'
    is "fish: no engine flags where none are taken" "$(complete_fish 'doctor --flash')" ""
else
    skip "fish: syntax" "fish is not installed"
fi
done_testing
