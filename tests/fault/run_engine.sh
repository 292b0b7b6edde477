#!/bin/bash
# plimsoll run in front of a real engine: real failures, each told for what it is.
. "$(dirname "$0")/../lib.sh"

engine_command llama-completion || skip_all "no engines folder (tools/fetch-engines)"
export GGML_NO_BACKTRACE=1
lib=$(dirname "$(ls "$PLIMSOLL_ENGINES"/usr/lib/*/libllama.so.0 | head -n 1)")
backend=$("$PLIMSOLL" doctor --json 2>/dev/null | jq -r '.. | .found? // empty' | grep -oE 'libggml-cpu-[a-z0-9]+' | head -n 1)
GGML_BACKEND_PATH=$(compgen -G "$lib/ggml/backends0/${backend:-libggml-cpu-haswell}.so" | head -n 1)
export GGML_BACKEND_PATH
told() { sed -n '/^{$/,$p' "$T/.err" | jq -r "$1"; }
ok "a ghost of 0.5B" "$PLIMSOLL" ghost qwen2.5-0.5b:q4_k_m -o "$T/small.gguf"
llama=("${engine_argv[@]}" -n 2 -p hi -no-cnv -t 1 --no-warmup)
wrapped() { run "$PLIMSOLL" run --json --no-ledger "$@"; }

wrapped -- "${llama[@]}" -m "$T/small.gguf" -c 512
is "it runs" "$status $(told .engine)" "0 llama.cpp"
like "predicted beside measured" "$err" 'peak [0-9.]+ MiB of ram \(predicted [0-9.]+ MiB, '
wrapped --ceiling ram=550MiB -- "${llama[@]}" -m "$T/small.gguf" -c 32768
is "what does not fit is refused: 125" "$status" 125
pasted=$(sed -n 's/^    \(.*llama-completion.*\)/\1/p' "$T/.err")
like "with a command to paste" "$pasted" ' -c [0-9]+( |$)'
fits=$(grep -oE -- '-c [0-9]+' <<<"$pasted" | tail -n 1)
# shellcheck disable=SC2086
wrapped --ceiling ram=550MiB -- "${llama[@]}" -m "$T/small.gguf" $fits
is "which then fits, and runs below the ceiling" "$status" 0

wrapped --force --ceiling ram=60MiB -- "${llama[@]}" -m "$T/small.gguf" -c 8192 --load-mode none
like "killed for its group's limit while loading" "$(told '"\(.class) \(.memory)"')" '^(cgroup|process_limit) true$'
(
    ulimit -v 600000
    wrapped --force -- "${llama[@]}" -m "$T/small.gguf" -c 4096
    printf '%s' "$(told .class)" >"$T/as"
)
is "RLIMIT_AS" "$(cat "$T/as")" address_space
wrapped -- "${llama[@]}" -m "$T/none.gguf"
is "a missing file" "$(told .class)" missing_file
head -c 20000000 "$T/small.gguf" >"$T/cut.gguf"
wrapped -- "${llama[@]}" -m "$T/cut.gguf" -c 512
is "a file cut short" "$(told .class)" bad_file
printf 'GGML0000000000000000000000' >"$T/odd.gguf"
wrapped -- "${llama[@]}" -m "$T/odd.gguf" -c 512
is "a file that is none" "$(told .class)" bad_file
wrapped -- "${llama[@]}" -m "$T/small.gguf" --no-such-flag
is "a flag it does not know" "$(told .class)" usage
wrapped -- "${llama[@]}" -m "$T/small.gguf" -c 64 -p "$(printf 'word %.0s' $(seq 300))"
is "a prompt longer than the context" "$(told .class)" context
nolock=() # root without its right to lock what it likes is anybody
setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock true 2>/dev/null &&
    nolock=(setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock)
(
    ulimit -l 64
    "${nolock[@]}" "${llama[@]}" -m "$T/small.gguf" -c 512 --load-mode mlock >"$T/mlock.log" 2>&1
)
if grep -q 'failed to mlock' "$T/mlock.log"; then
    run "$PLIMSOLL" why "$T/mlock.log" --json
    is "a limit on locked memory: a warning, it went on" "$(jq -r '"\(.class) \(.fatal)"' <<<"$out")" "locked_limit false"
else
    skip "a limit on locked memory" "this user may lock what it likes"
fi

# a port that is taken
engine_command llama-server
port=$((20000 + RANDOM % 20000))
"${engine_argv[@]}" -m "$T/small.gguf" -c 512 -t 1 --no-warmup --port "$port" >"$T/first.log" 2>&1 &
first=$!
until grep -q 'listening' "$T/first.log"; do kill -0 "$first" || break; sleep 0.05; done
wrapped -- "${engine_argv[@]}" -m "$T/small.gguf" -c 512 -t 1 --no-warmup --port "$port"
is "a port that is taken" "$(told .class)" port_taken
kill "$first"
wait "$first" 2>/dev/null

if software_gpu; then
    engine_command llama-completion
    unset GGML_BACKEND_PATH
    vulkan=$(compgen -G "$lib/ggml/backends0/libggml-vulkan.so")
    # the backend's own switch makes the device take no buffer above 100 MB
    GGML_VK_FORCE_MAX_BUFFER_SIZE=100000000 GGML_BACKEND_PATH=$vulkan wrapped --force -- \
        "${engine_argv[@]}" -n 2 -p hi -no-cnv -t 1 --no-warmup -m "$T/small.gguf" -ngl 99 -c 8192 -fit off
    is "a buffer above what the device takes" "$(told '"\(.class) \(.memory)"')" "allocation_limit true"
    # what it holds of the device is told, and that this one is the host's own memory
    GGML_BACKEND_PATH=$vulkan wrapped --force -- "${engine_argv[@]}" -n 2 -p hi -no-cnv -t 1 --no-warmup \
        -m "$T/small.gguf" -ngl 99 -c 512 -fit off -v
    want=$(grep -E 'Vulkan0 .*buffer size =' "$T/.err" | awk '{ for (i = 1; i < NF; i++) if ($i == "size") { key = $(i - 2) " " $(i - 1); v = $(i + 2) } last[key] = v }
        END { for (k in last) n += last[k]; printf "%.0f", n }')
    got=$(told '.devices[] | select(.pool | test("Vulkan0|gpu0")).measured.bytes')
    ok "a device's memory by the engine's own words ($got bytes, $want MiB)" test "$((got / 1048576 - want))" -le 1 -a "$((got / 1048576 - want))" -ge -1
    like "a software device is said to be one" "$err" 'a software device: counted in ram'
    export GGML_BACKEND_PATH
else
    skip "a device's memory by the engine's own words" "no software GPU in the engines folder"
    skip "a buffer above what the device takes" "no software GPU in the engines folder"
fi

# a seven-billion model where only a small one can live: the same command line, nobody asked
ok "a ghost of 7B" "$PLIMSOLL" ghost mistral-7b-v0.3:q4_k_m -o "$T/mistral-7b.gguf"
ok "a ghost of 1.5B" "$PLIMSOLL" ghost qwen2.5-1.5b:q4_k_m -o "$T/qwen2.5-1.5b.gguf"
engine_command llama-completion
cat >"$T/ladder.yaml" <<Y
plimsoll: 1
rungs:
  - name: qwen2.5-1.5b
    model: $T/qwen2.5-1.5b.gguf
    set: {LAYER: total_layers // 2}
Y
lib=$(dirname "$(ls "$PLIMSOLL_ENGINES"/usr/lib/*/libllama.so.0 | head -n 1)")
GGML_BACKEND_PATH=$(compgen -G "$lib/ggml/backends0/${backend:-libggml-cpu-haswell}.so" | head -n 1)
export GGML_BACKEND_PATH
wrapped --ceiling ram=1700MiB --fallback "$T/ladder.yaml" -- \
    "${engine_argv[@]}" -n 2 -p hi -no-cnv -t 1 --no-warmup --load-mode none -c 1024 -m "$T/mistral-7b.gguf"
is "the second model runs, with the same command line" "$status" 0
is "it is marked degraded" "$(told '"\(.degraded) \(.rung_name)"')" "true qwen2.5-1.5b"
like "it was announced" "$err" 'degraded, rung 1 \(qwen2.5-1.5b\)'

done_testing
