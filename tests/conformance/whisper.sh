#!/bin/bash
# whisper.cpp: what it says of its weights, caches and buffers while it loads a ghost, and what
# whisper-server really holds after a request, beside our numbers. All sizes and types with
# PLIMSOLL_FULL=1.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"
engine_command whisper-cli || skip_all "no whisper.cpp in the engines folder (tools/fetch-engines --whisper)"
room=$(awk '/^MemAvailable:/ {printf "%.0f", $2 * 1024}' /proc/meminfo)

# whisper.cpp prints megabytes with two decimals, rounded.
said() { # LOG
    sed -n 's/.*model size *= *\([0-9.]*\) MB/\1/p
        s/.*kv [a-z]* *size *= *\([0-9.]*\) MB/\1/p
        s/.*compute buffer (.*= *\([0-9.]*\) MB/\1/p' "$1" | tr '\n' ' '
}
ours() { # ESTIMATE
    jq -r '.facts | [.model_size_bytes, .kv_self_start_bytes, .kv_cross_bytes, .kv_pad_bytes,
        .compute_conv_bytes, .compute_encode_bytes, .compute_cross_bytes,
        .compute_decode_bytes][].value / 1e6' "$1" | awk '{printf "%.2f ", $1}'
}
same() { # MODEL FLAGS...
    local model=$1 need
    shift
    "$PLIMSOLL" estimate "$T/m.bin" --program cli -ng "$@" --json >"$T/e.json" 2>/dev/null
    need=$(jq -r .pools[0].steady.high "$T/e.json")
    if [ "$need" -gt "$room" ]; then
        skip "$model $*" "it needs up to $need bytes"
        return
    fi
    : >"$T/none.wav" # the engine loads the model, then finds no sound in it
    engine_run whisper-cli -m "$T/m.bin" -f "$T/none.wav" -ng "$@" >"$T/log" 2>&1 </dev/null
    is "$model${*:+ $*}" "$(ours "$T/e.json")" "$(said "$T/log")"
}

models="whisper-tiny whisper-tiny.en:q5_1 whisper-base:q8_0 whisper-small:q5_0"
if [ "${PLIMSOLL_FULL:-0}" -ge 1 ]; then
    models=
    for size in tiny tiny.en base base.en small small.en medium medium.en large-v2 large-v3 large-v3-turbo; do
        for type in f16 q4_0 q4_1 q5_0 q5_1 q8_0; do
            models+=" whisper-$size:$type"
        done
    done
    models+=" whisper-tiny:f32 whisper-base:q4_k whisper-base:q6_k whisper-small:q5_k distil-small.en distil-large-v3:q5_0"
fi
for model in $models; do
    if ! "$PLIMSOLL" ghost "$model" -o "$T/m.bin" --force >/dev/null 2>&1; then
        tap_result 1 "$model: ghost"
        continue
    fi
    same "$model"
    same "$model" -nfa
done

# A second of noise, twice, through the server: what it then holds of anonymous memory.
{
    printf 'RIFF\x24\x7d\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x80\x3e\x00\x00\x00\x7d\x00\x00\x02\x00\x10\x00data\x00\x7d\x00\x00'
    awk 'BEGIN { srand(1); for (i = 0; i < 32000; i++) printf "%c", 1 + int(rand() * 126) }'
} >"$T/noise.wav"
anon() {
    awk '/^RssAnon:/ {printf "%.0f", $2 * 1024}' "/proc/$1/status"
}
serve() { # MODEL FLAGS...
    local model=$1 port=$((20000 + RANDOM % 20000)) pid held i low high
    shift
    "$PLIMSOLL" ghost "$model" -o "$T/m.bin" --force >/dev/null 2>&1
    engine_exec whisper-server -m "$T/m.bin" --host 127.0.0.1 --port "$port" -t 1 -ng "$@" >"$T/log" 2>&1 &
    pid=$!
    for i in {1..3000}; do
        curl -s -o "$T/answer" "http://127.0.0.1:$port/" && break
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    for i in 1 2; do
        curl -s -m 120 -o "$T/answer" -F "file=@$T/noise.wav" -F response_format=json "http://127.0.0.1:$port/inference"
    done
    held=$(anon "$pid")
    kill -9 "$pid"
    wait "$pid" 2>/dev/null
    like "$model${*:+ $*}: the server answers" "$(cat "$T/answer")" '"text"'
    "$PLIMSOLL" estimate "$T/m.bin" -t 1 -ng "$@" --json >"$T/e.json"
    low=$(jq -r .pools[0].steady.low "$T/e.json") high=$(jq -r .pools[0].steady.high "$T/e.json")
    diag "holds $held; low $low, likely $(jq -r .pools[0].steady.bytes "$T/e.json"), high $high"
    ok "$model${*:+ $*}: what it holds is within the interval" test "$held" -ge "$low" -a "$held" -le "$high"
}
if command -v curl >/dev/null; then
    serve whisper-tiny
    serve whisper-tiny:q5_1 -bs 5
    serve whisper-tiny -nfa
    serve whisper-tiny -ac 512
    serve whisper-base:q8_0 -bo 5
    [ "${PLIMSOLL_FULL:-0}" -ge 1 ] && serve whisper-small:q5_0 -bs 8 && serve whisper-small
else
    skip "the server" "curl is not installed"
fi
done_testing
