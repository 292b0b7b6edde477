#!/bin/bash
# Models on the network: what is fetched, how often, and what is said when a server misbehaves.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../remote/lib.sh"
gguf small.gguf 100
gguf large.gguf 180000 # 5.8 MB of header
ROWS=262144 gguf long.gguf 100 # 64 MiB of weights
for i in 0 1 2; do
    gguf split-0000$((i + 1))-of-00003.gguf 100 $i 3
done
head -c 700000 /dev/zero >"$web/zeros.gguf"
head -c 2000 "$web/small.gguf" >"$web/short.gguf"
start_server

# get WAY/FILE [OPTIONS]: inspects it with an empty cache; $requests and $bytes are what it took.
get() {
    rm -rf "$T/cache"
    again "$@"
}
again() {
    local way=$1
    shift
    : >"$log"
    run "$PLIMSOLL" inspect "$at/$way" "$@"
    settled
    requests=$(wc -l <"$log")
    bytes=$(awk '{ n += $4 } END { print n + 0 }' "$log")
}
size() { stat -c %s "$web/$1"; }

# --- what is fetched
run "$PLIMSOLL" inspect "$web/small.gguf"
here=$out
get plain/small.gguf
is "a small header: exit 0" "$status" 0
is "a small header: one request" "$requests" 1
ok "a small header: 256 KiB at most" test "$bytes" -le 262144
is "the same is said of it as of the file here" "$(sed "s|$at/plain|$web|" <<<"$out")" "$here"
is "silent on stderr" "$err" ""
get plain/large.gguf
is "a large header: exit 0" "$status" 0
ok "a large header: at most three requests" test "$requests" -le 3
ok "a large header: less than 13 MB" test "$bytes" -le 13000000
like "a large header: all its tokens" "$out" 'vocabulary +180000|180000'
again plain/large.gguf
is "the second time: exit 0" "$status" 0
is "the second time: one question" "$requests" 1
is "the second time: no byte of it" "$bytes" 0
like "the second time: 304" "$(cat "$log")" ' 304 '
again plain/large.gguf --offline
is "--offline: exit 0" "$status" 0
is "--offline: no request" "$requests" 0
PLIMSOLL_OFFLINE=1 again plain/small.gguf
is "offline and not in the cache: exit 2" "$status" 2
like "offline and not in the cache: said" "$err" 'offline, and its header was never read'
is "offline by the environment: no request" "$requests" 0

# the cache: damage is noticed, a new file too
get plain/small.gguf
cached=$(ls "$T"/cache/plimsoll/headers/*.gguf)
ok "the cache holds the header, not the weights" test "$(stat -c %s "$cached")" -lt 10000
ok "the cached header is the file's begin" cmp -n "$(stat -c %s "$cached")" "$cached" "$web/small.gguf"
printf 'X' | dd of="$cached" bs=1 seek=500 conv=notrunc 2>/dev/null
again plain/small.gguf
is "a damaged copy: exit 0" "$status" 0
ok "a damaged copy: fetched again" test "$bytes" -gt 1000
touch -d '2026-01-01' "$web/small.gguf"
again plain/small.gguf
is "a new file there: exit 0" "$status" 0
ok "a new file there: fetched again" test "$bytes" -gt 1000
get modified/small.gguf
again modified/small.gguf
is "a server with dates only: one question" "$requests $bytes" "1 0"
XDG_CACHE_HOME=/proc/nowhere run "$PLIMSOLL" inspect "$at/plain/small.gguf"
is "no cache possible: exit 0" "$status" 0

# --- servers without ranges
get noranges/long.gguf
is "no ranges: exit 0" "$status" 0
is "no ranges: one request" "$requests" 1
ok "no ranges: stops after the header" test "$bytes" -lt "$(($(size long.gguf) / 4))"
get noranges/large.gguf
is "no ranges, a large header: exit 0" "$status" 0
again noranges/large.gguf
is "no ranges, the second time: exit 0" "$status" 0

# --- redirects
get redirect/small.gguf
is "a redirect: exit 0" "$status" 0
is "a redirect: two requests" "$requests" 2
unlike "the signature is in no text" "$out$err$(cat "$T"/cache/plimsoll/headers/*.json)" SECRETSIG
again redirect/small.gguf
is "a redirect, the second time: its first answer is enough" "$requests $bytes" "1 0"
get redirect/large.gguf
is "a redirect, several windows: exit 0" "$status" 0
ok "the address found is used again" test "$(grep -c /redirect/ "$log")" -eq 1
get expiring/large.gguf
is "a link that runs out: asked for anew, exit 0" "$status" 0
get loop/x.gguf
is "a loop: exit 4" "$status" 4
like "a loop: said" "$err" 'too many redirects'
get ftp/x.gguf
is "to ftp: exit 4" "$status" 4
like "to ftp: said" "$err" 'not http or https'
get nowhere/x.gguf
like "to nowhere: said" "$err" 'redirect to nowhere'

# --- tokens
export HF_ENDPOINT=$at HF_TOKEN=hf_SECRETTOKEN
get token/small.gguf
is "a token: exit 0" "$status" 0
like "the token goes to the hub" "$(cat "$log")" '^GET /token/small.gguf 302 .*Bearer_hf_SECRETTOKEN'
like "and not to another host" "$(cat "$log")" '^GET /open/small.gguf 206 [0-9]+ [^ ]+ -$'
unlike "the token is in no text and no file" "$out$err$(cat "$T"/cache/plimsoll/headers/*)" SECRETTOKEN
HF_TOKEN=wrong get token/small.gguf
is "a wrong token: exit 4" "$status" 4
like "a wrong token: said" "$err" 'access refused \(HTTP 401\)'
unset HF_TOKEN
get token/small.gguf
like "no token: how to get access" "$err" 'hint: accept the terms .*HF_TOKEN'
mkdir -p "$T/.cache/huggingface"
printf 'hf_SECRETTOKEN\n' >"$T/.cache/huggingface/token"
get token/small.gguf
is "the token of the hub's own tools: exit 0" "$status" 0
rm -r "$T/.cache/huggingface"
unset HF_ENDPOINT
HF_TOKEN=hf_SECRETTOKEN get token/small.gguf
unlike "to another server the token is not sent" "$(cat "$log")" SECRET

# --- split models
get plain/split-00002-of-00003.gguf
is "a split model: exit 0" "$status" 0
is "a split model: a request a part" "$requests" 3
like "a split model: three files" "$out" 'in 3 files'
mv "$web/split-00003-of-00003.gguf" "$web/gone"
get plain/split-00001-of-00003.gguf
is "a part is missing: exit 2" "$status" 2
like "a part is missing: which" "$err" 'split-00003-of-00003.gguf'
like "a part is missing: said" "$err" 'part 3 of 3'
mv "$web/gone" "$web/split-00003-of-00003.gguf"

# --- what is refused: WAY EXIT WORDS
while read -r way code words; do
    get "$way"
    is "$way: exit $code" "$status" "$code"
    like "$way: said" "$err" "$words"
    is "$way: one error line" "$(grep -c '^plimsoll: ' <<<"$err")" 1
done <<'END'
401/x.gguf 4 access refused \(HTTP 401\)
403/x.gguf 4 access refused \(HTTP 403\)
404/x.gguf 2 no such file there \(HTTP 404\)
416/x.gguf 2 HTTP 416
500/x.gguf 4 HTTP 500: it failed
toobusy/x.gguf 4 asked too often
gzip/small.gguf 4 compresses
breaks/large.gguf 4 broke off
wrongtotal/large.gguf 4 was replaced while it was read
nototal/small.gguf 4 another range|how long
shift/small.gguf 4 another range
changing/large.gguf 4 was replaced while it was read
chunked/x.gguf 4 does not say how long
html/x.gguf 2 web page
empty/x.gguf 2 it is empty
headers/x.gguf 4 larger than is allowed
plain/zeros.gguf 2 begins with
plain/short.gguf 2 truncated
plain/none.gguf 2 HTTP 404
END
get toobusy/x.gguf
is "too busy for an hour: not waited for" "$requests" 1
like "too busy for an hour: said" "$err" 'again in 3600 s'
get busy/small.gguf
is "busy for a second: waited, exit 0" "$status" 0
is "busy for a second: two requests" "$requests" 2
get 500once/small.gguf
is "failed once: exit 0" "$status" 0
get breaksonce/small.gguf
is "broken off once: exit 0" "$status" 0
get changes/large.gguf
is "replaced once: read anew, exit 0" "$status" 0
run "$PLIMSOLL" inspect http://127.0.0.1:1/x.gguf
is "nobody listens: exit 4" "$status" 4
like "nobody listens: said" "$err" '127.0.0.1:1/x.gguf: cannot be reached'
"$PLIMSOLL" ghost whisper-tiny:q5_1 -o "$web/ggml-tiny.bin" >/dev/null
get plain/ggml-tiny.bin
is "a model of whisper.cpp: exit 2" "$status" 2
like "a model of whisper.cpp: what to do" "$err" 'hint: a model of whisper.cpp .*whisper-small:q5_1'
run "$PLIMSOLL" inspect http://
is "no address: exit 2" "$status" 2

# --- the verbs
"$PLIMSOLL" ghost smollm2-135m:q8_0 -o "$web/smol.gguf" >/dev/null
estimate() { # of a model, for a machine that does not change
    "$PLIMSOLL" estimate "$1" -c 2048 --device rtx3090 --ram 32GiB --json | sed "s|$web|$at/plain|"
}
is "estimate: as of the file here" "$(estimate "$at/plain/smol.gguf" | sed 's/"available":.*//')" \
    "$(estimate "$web/smol.gguf" | sed 's/"available":.*//')"
like "estimate: something was said" "$(estimate "$at/plain/smol.gguf")" '"verdict"'
run "$PLIMSOLL" ghost "$at/plain/large.gguf" -o "$T/ghost.gguf"
is "ghost: exit 0" "$status" 0
like "ghost: the model's own tokenizer" "$out" "the model's own"
run "$PLIMSOLL" inspect "$T/ghost.gguf"
like "ghost: all its tokens" "$out" 180000
done_testing
