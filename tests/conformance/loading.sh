#!/bin/bash
# How weights and files of n-grams come into memory. A tied embedding that the engine asks for as
# output first (Gemma 3n, Gemma 4) lies in memory twice where it is not mapped; tables it reads row by
# row (--lazy-mode) not at all; lookup files once and more for each slot.
. "$(dirname "$0")/../lib.sh"

engine llama-fit-params >/dev/null || skip_all "no engines folder (make engines)"
engine test-llama-archs >/dev/null || skip_all "the engines folder has no test-llama-archs"

# serve PATTERN SETTINGS...: its log until a line matches, and what it held then: $rss, kB
serve() {
    local pid
    : >"$T/log"
    engine_exec llama-server -c 2048 -fit off -dev none --host 127.0.0.1 --port 0 --no-warmup "${@:2}" >"$T/log" 2>&1 &
    pid=$!
    for _ in $(seq 6000); do
        kill -0 "$pid" 2>/dev/null || break
        grep -qE "$1" "$T/log" && break
        sleep 0.05
    done
    rss=$(awk '$1 == "RssAnon:" {print $2}' "/proc/$pid/status")
    kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
}

# ---- what llama-fit-params counts is what a server without a mapping holds
for id in gemma-3n-e2b gemma-4-e2b gemma-3-270m; do
    run "$PLIMSOLL" ghost "$id:q4_0" -o "$T/ghost.gguf" --force
    theirs=$(engine_run llama-fit-params -m "$T/ghost.gguf" -nr -c 2048 -np 1 -fitp on 2>/dev/null </dev/null |
        awk '$1 == "Host" {print $2}')
    run "$PLIMSOLL" estimate "$T/ghost.gguf" -nr -c 2048 -np 1 -lm none --json
    is "$id -lm none: weights" "$(jq '.pools[0].parts.weights.bytes / 1048576 | floor' <<<"$out")" "$theirs"
    run "$PLIMSOLL" estimate "$T/ghost.gguf" -nr -c 2048 -np 1 --json
    total=$(jq '.pools[0].parts.weights.bytes' <<<"$out")
    serve "size =.*lazy read enabled|new slot|model buffer size" -m "$T/ghost.gguf" -lzm on -lv 5
    lazy=$(sed -n 's/.*(size = \([0-9]*\) MiB) lazy read enabled.*/\1/p' "$T/log" | head -n 1)
    run "$PLIMSOLL" estimate "$T/ghost.gguf" -nr -c 2048 -np 1 -lzm on --json
    is "$id -lzm on: not resident" \
        "$(jq --argjson t "$total" '($t - .pools[0].parts.weights.bytes) / 1048576 | floor' <<<"$out")" "${lazy:-0}"
done

# ---- lookup files: anonymous memory of a server with them less that of one without
mkdir "$T/archs"
engine_run test-llama-archs -o "$T/archs" -a llama >"$T/archs.log" 2>&1
model=$T/archs/llama-dense.gguf
ngrams() { # COUNT FOLLOWING: a file of n-grams as the engine writes it
    awk -v n="$1" -v t="$2" '
        function word(v) { printf "%c%c%c%c", v % 256, int(v / 256) % 256, int(v / 65536) % 256, 0 }
        BEGIN { for (i = 0; i < n; i++) {
            word(i % 1000 + 1); word(int(i / 1000) + 1); word(7); word(9); word(t)
            for (j = 0; j < t; j++) { word(j * 7 + 1); word(j + 1) } } }'
}
held() { # SETTINGS...: kB
    serve 'listening on|exiting due' -m "$model" -nr --spec-type ngram-cache "$@"
    echo "$rss"
}
LC_ALL=C ngrams 60000 1 >"$T/one.ngrams"
LC_ALL=C ngrams 20000 20 >"$T/many.ngrams"
for f in one many; do
    more=$(($(held -np 2 -lcs "$T/$f.ngrams") - $(held -np 2)))
    run "$PLIMSOLL" estimate "$model" -c 2048 -np 2 --spec-type ngram-cache -lcs "$T/$f.ngrams" --json
    ok "-lcs, $f token(s) after an n-gram: $more kB" jq -e --argjson v "$more" \
        '.pools[0].parts.draft | .low <= $v * 1024 and $v * 1024 <= .high' <<<"$out"
done
run "$PLIMSOLL" estimate "$model" -c 2048 --spec-type ngram-cache -lcd "$T/none.ngrams"
is "a lookup file that is not there: exit 2" "$status" 2
like "... the engine aborts" "$err" "--lookup-cache-dynamic .*none.ngrams: no such file"
run "$PLIMSOLL" estimate "$model" -c 2048 -lcd "$T/none.ngrams"
is "without --spec-type ngram-cache nothing is read" "$status" 0
done_testing
