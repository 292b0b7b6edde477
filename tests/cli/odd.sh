#!/bin/bash
# Odd but lawful: paths, folders, readers that leave, settings at the edge of what the engine takes.
. "$(dirname "$0")/../lib.sh"
unset PLIMSOLL_LEDGER XDG_DATA_HOME

# Paths.
g="$T/a ünicode folder/mödel x.gguf"
mkdir -p "$(dirname "$g")"
run "$PLIMSOLL" ghost smollm2-135m -o "$g"
is "a path with blanks and letters: written" "$status" 0
run "$PLIMSOLL" estimate "$g" -c 512
is "... and read" "$status" 0
like "... and named" "$out" '^mödel x\.gguf Q4_K_M'
ln -s "$g" "$T/link.gguf"
run "$PLIMSOLL" estimate "$T/link.gguf" -c 512
is "a link" "$status" 0
cd "$T" || exit 99
ln -s "$g" ./-dash.gguf
run "$PLIMSOLL" estimate -c 512 -- -dash.gguf
is "a name that begins with '-', after --" "$status" 0
run "$PLIMSOLL" estimate -dash.gguf
is "... without it: bad usage" "$status" 2
: >empty.gguf
run "$PLIMSOLL" estimate empty.gguf
is "an empty file: exit" "$status" 2
like "... says so" "$err" 'not a GGUF file: it is empty'

# Readers that leave are no error; a full disk is.
run bash -c 'set -o pipefail; "$PLIMSOLL" estimate smollm2-135m --json | head -c 1; echo; echo "${PIPESTATUS[0]}"'
like "a reader that leaves: no error" "$err/$out" '^/?\{'
is "... not a word" "$err" ""
run bash -c '"$PLIMSOLL" estimate smollm2-135m >/dev/full'
is "a full disk: exit" "$status" 4

# Folders.
run env HOME=relative XDG_DATA_HOME=relative XDG_CACHE_HOME=relative "$PLIMSOLL" estimate smollm2-135m -c 512
is "relative folders in the environment: no harm" "$status" 0
not_ok "... and nothing is made in them" test -e relative
run env -u HOME "$PLIMSOLL" estimate smollm2-135m -c 512
is "no HOME" "$status" 0
run env HOME=/proc "$PLIMSOLL" estimate smollm2-135m -c 512
is "a HOME that cannot be written" "$status" 0
run env LC_ALL=C LANG=C NO_COLOR=1 COLUMNS=20 "$PLIMSOLL" estimate smollm2-135m -c 512
is "C locale, no colour, a narrow terminal" "$status" 0
unlike "... no escape" "$out" $'\033'

# Without -c the engine serves less than the model's own context where that does not fit.
printf '%s' '{"schema":"plimsoll.assess/1","pools":[{"pool":"ram","kind":"host","capacity":8589934592,"available":8000000000}]}' >small.json
run "$PLIMSOLL" estimate qwen3-4b --machine small.json
is "a context not asked for, too long: exit" "$status" 1
like "... the engine would shorten it" "$out" 'shorten the context'
run "$PLIMSOLL" estimate qwen3-4b --machine small.json -c 40960
unlike "... one asked for is kept" "$out" 'shorten the context'

# Settings that the engine refuses are refused, with words.
refused() { # NAME STATUS WORDS FLAGS...
    local name=$1 want=$2 words=$3
    shift 3
    run "$PLIMSOLL" estimate "$g" "$@"
    is "$name: exit $want" "$status" "$want"
    like "$name: says why" "$err" "$words"
    is "$name: nothing on stdout" "$out" ""
}
refused "no slot" 2 'at least one slot' -np 0 -c 4096
refused "more slots than the engine has" 2 'allows 256 slots' -np 257 -c 4096
refused "a batch below the slots" 2 'one token per slot' -np 8 -b 2 -c 4096
refused "an empty batch" 2 'batch' -b 0 -c 4096 -np 1
refused "quantised V without flash attention" 2 'needs flash attention' -fa off -ctv q8_0
refused "a context that is no number" 2 'whole number' -c 4k
refused "a context beyond reason" 2 'whole number' -c 99999999999999999999
refused "a draft model that is not there" 2 'no such file' -md x.gguf
refused "a projector that is not there" 2 'no such file' -mm x.gguf

# And those it takes, however odd: n_ctx and the slot's share as the engine makes them.
resolved() { # FLAGS N_CTX PER_SLOT
    # shellcheck disable=SC2086 # flags are words
    run "$PLIMSOLL" estimate "$g" $1 --json
    is "$1" "$(jq -c '.settings | [.n_ctx, .n_ctx_per_slot]' <<<"$out")" "[$2,$3]"
}

# A machine that cannot be read has failed, not the command line; and by its true cause.
run bash -c 'ulimit -n 4; exec "$1" assess' _ "$PLIMSOLL"
is "too few files: an environment that failed" "$status" 4
like "too few files: says so" "$err" 'Too many open files'
run "$PLIMSOLL" assess --device rtx4090 --capture "$T/x.tar"
is "a made machine is not captured" "$status" 2

if command -v jq >/dev/null; then
    resolved "-np 3 -c 1000" 1536 512
    resolved "-np 3 -c 1000 -kvu" 1024 1024
    resolved "-np 5 -c 1" 1280 256
    resolved "-np 1 -c 1" 256 256
    resolved "-np 1 -c 257" 512 512
    resolved "-np -1 -c 4096 -no-kvu" 4096 4096
    resolved "-np 100 -c 65536" 76800 768
    run "$PLIMSOLL" estimate "$g" -c 1000000000 -b 1000000000 -ub 1000000000 --json
    is "absurd sizes: an answer, not a wrong one" "$([ "$status" -eq 1 ] || [ "$status" -eq 3 ] && echo yes)" yes
    run "$PLIMSOLL" estimate "$g" -c 4096 -lm mmap+mlock --json
    is "locked: no page of the file is cold" "$(jq -c '.pools[0].held.file_cold.bytes' <<<"$out")" 0
else
    skip "settings as resolved" "jq is not installed"
fi
# heads of no width, where heads are shared out: no division by them
printf 'set gpt-oss.attention.%s 0\n' key_length value_length >"$T/edit"
run "$PLIMSOLL" ghost gpt-oss-20b --edit "$T/edit" -o "$T/flat.gguf"
is "a model whose heads have no width: its ghost" "$status" 0
run "$PLIMSOLL" estimate "$T/flat.gguf" -sm tensor -ngl 99 -c 4096 --device rtx3090,rtx3090
ok "... is answered with -sm tensor: exit $status" test "$status" -le 3
done_testing
