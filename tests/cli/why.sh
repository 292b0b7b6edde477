#!/bin/bash
# plimsoll why: a failure read from a log, explained.
. "$(dirname "$0")/../lib.sh"

oom='torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 112.00 MiB. GPU 0 has a total capacity of 7.77 GiB of which 37.19 MiB is free.'
cuda='ggml_backend_cuda_buffer_type_alloc_buffer: allocating 2880.00 MiB on device 0: cudaMalloc failed: out of memory
alloc_tensor_range: failed to allocate CUDA0 buffer of size 3019898880'

# why_json ARGUMENTS... <LOG: the answer in $out
why_json() { run "$PLIMSOLL" why "$@" --json; }
field() { jq -r "$1" <<<"$out"; }

printf '%s\n' "$oom" >"$T/torch.log"
why_json "$T/torch.log"
is "a file: exit 0" "$status" 0
is "engine and device" "$(field '.engine + " " + (.device | tostring)')" "torch 0"
is "112 MiB were asked for" "$(field .numbers.requested.bytes)" $((112 * 1048576))
is "7.77 GiB in all" "$(field .numbers.total.bytes)" "$(awk 'BEGIN { printf "%.0f", 7.77 * 2 ^ 30 }')"
is "37.19 MiB free" "$(field .numbers.free.bytes)" "$(awk 'BEGIN { printf "%.0f", 37.19 * 2 ^ 20 }')"
is "the memory is short" "$(field .capacity)" true
is "missing is their difference" "$(field '.missing.bytes == .numbers.requested.bytes - .numbers.free.bytes')" true
like "without a model: whose matrix it may be" "$(field .resembles)" '14336 x 4096 16-bit matrix, as in '

why_json "$T/torch.log" --model mistral-7b-v0.3
like "with the model: which matrix" "$(field '.objects[0].what')" '^one 14336 x 4096 16-bit matrix, blk\.0\.ffn_'
is "with the model: weights are being laid out" "$(field .phase)" weights
like "with the model: the cause" "$(field .cause)" 'full precision while loading'
is "settings of another engine are not proposed" "$(field '[.remedies[].flags | select(. != null)] | length')" 0

# a pipe, the default input, an unknown text
printf '%s\n' "$oom" | "$PLIMSOLL" why - >"$T/piped"
like "a pipe: -" "$(cat "$T/piped")" '^torch \(cuda\), device 0: capacity'
printf '%s\n' "$oom" | "$PLIMSOLL" why >"$T/piped"
like "a pipe: no argument" "$(cat "$T/piped")" '^torch'
printf 'all is well\n' >"$T/well.log"
run "$PLIMSOLL" why "$T/well.log"
is "nothing failed: exit 3" "$status" 3
like "nothing failed: said" "$out" '^nothing in these 1 lines is a failure'
run "$PLIMSOLL" why "$T/absent.log"
is "no such log: exit 2" "$status" 2
like "no such log: said" "$err" 'absent.log: No such file'
: >"$T/empty"
run "$PLIMSOLL" why "$T/empty"
is "an empty log: exit 3" "$status" 3
run "$PLIMSOLL" why "$T"
is "a folder is no log" "$status" 2

# the estimator's figures: what each change frees, and whether it is enough
printf '%s\n' "$cuda" >"$T/cuda.log"
flags=(--model qwen3-8b:q4_k_m --device rtx3070 --ram 32GiB -c 20480 -ngl 99)
why_json "$T/cuda.log" "${flags[@]}"
is "llama.cpp: what was asked for is the cache" "$(field '.objects[0].what')" "kv on gpu0, whole, with these settings"
is "llama.cpp: its size" "$(field '.objects[0].bytes')" 3019898880
before=$("$PLIMSOLL" estimate qwen3-8b:q4_k_m "${flags[@]:2}" --json | jq '[.pools[] | select(.pool == "gpu0").peak.bytes][0]')
n=0
while IFS=$'\t' read -r change frees; do
    # shellcheck disable=SC2086
    after=$("$PLIMSOLL" estimate qwen3-8b:q4_k_m "${flags[@]:2}" $change --json | jq '[.pools[] | select(.pool == "gpu0").peak.bytes][0] // 0')
    is "$change frees what estimate says" "$frees" $((before - ${after:-0}))
    n=$((n + 1))
done < <(field '.remedies[] | select(.flags != null) | [.flags, .frees.bytes] | @tsv')
ok "several changes are offered" test "$n" -ge 5
like "the 8-bit cache is among them" "$(field '.remedies[].flags')" 'q8_0'

# the model is taken from the log when it names one of the catalogue; an address in a log is not asked
printf 'llama_model_loader: loaded meta data with 29 key-value pairs and 399 tensors from /m/Qwen3-8B-Q4_K_M.gguf (version GGUF V3 (latest))\nllama_context: n_ctx = 20480\n%s\n' "$cuda" >"$T/named.log"
why_json "$T/named.log" --device rtx3070 --ram 32GiB -c 20480 -ngl 99
is "the log names the model" "$(field '.objects[0].bytes')" 3019898880
is "the cache failed, the weights were there" "$(field .phase)" kv
printf "srv load: loading model 'http://127.0.0.1:1/x.gguf'\n%s\n" "$cuda" >"$T/address.log"
why_json "$T/address.log"
is "an address in a log is not asked" "$status $(field '.objects | length')" "0 0"

# words of others, as they say them
printf 'The node was low on resource: memory. Threshold quantity: 100Mi, available: 53028Ki. Container llm was using 12Gi, request is 8Gi, has larger consumption of memory. \n' >"$T/evicted"
why_json "$T/evicted"
is "an evicted pod" "$(field '[.engine, .class] | join(" ")')" "kubernetes userspace_killer"
is "an evicted pod: its numbers, in Ki and Gi" "$(field '[.numbers.free.bytes, .numbers.process_in_use.bytes] | join(" ")')" "$((53028 * 1024)) $((12 << 30))"
printf 'Process finished with exit code 137 (interrupted by signal 9:SIGKILL)\n' >"$T/ide"
why_json "$T/ide"
is "137 alone names no container" "$(field '[.engine, .class, .platform] | map(. // "-") | join(" ")')" "- killed -"
printf 'web-1 exited with code 137\n' >"$T/composed"
why_json "$T/composed"
is "137 of a container" "$(field '[.engine, .class] | join(" ")')" "docker killed"
printf 'State: Terminated\n  Reason: Error\n  Exit Code:    137\n' >"$T/described"
why_json "$T/described"
is "137 as kubectl describes it" "$(field '[.engine, .class] | join(" ")')" "docker killed"
printf 'llm.service: Main process exited, code=exited, status=137/n/a\n' >"$T/unit"
why_json "$T/unit"
is "137 of a service is no container's" "$(field '[.engine, .class] | map(. // "-") | join(" ")')" "- killed"
printf 'vkAllocateMemory: VK_ERROR_OUT_OF_HOST_MEMORY\n' >"$T/vkhost"
why_json "$T/vkhost"
is "Vulkan out of the host's memory" "$(field .backend)" cpu
printf 'InternalError: Check failed: (__e == VK_SUCCESS) is false: Vulkan Error, code=-2: VK_ERROR_OUT_OF_DEVICE_MEMORY\n' >"$T/vk"
why_json "$T/vk"
is "Vulkan by its own word" "$(field .backend)" vulkan
printf 'time=2026-03-25T09:28:05.821+08:00 level=WARN source=server.go:1044 msg="model request too large for system" requested="338.1 GiB" available="337.2 GiB" total="377.2 GiB" free="328.0 GiB" swap="9.2 GiB"\n' >"$T/large"
why_json "$T/large"
is "ollama: what it counted" "$(field '[.numbers.requested.bytes, .numbers.free.bytes, .numbers.total.bytes] | map(. / 107374182.4 | round / 10) | join(" ")')" "338.1 337.2 377.2"

# bounds
head -c 200000000 /dev/zero | tr '\0' 'A' >"$T/long"
printf '\n%s\n' "$oom" >>"$T/long"
why_json "$T/long"
is "a line of 200 MB: what follows is read" "$(field .class)" capacity
is "a line of 200 MB: it was cut" "$(field .log.cut)" true
rm "$T/long"
head -c 3000000 /dev/urandom >"$T/noise"
run "$PLIMSOLL" why "$T/noise"
is "noise: no crash" "$(((status == 0 || status == 3)))" 1
mkfifo "$T/endless"
exec 9<>"$T/endless" # never ends
env --default-signal=INT "$PLIMSOLL" why - --json <"$T/endless" >"$T/answer" 9>&- &
pid=$!
printf '%s\n' "$oom" >&9
# (a shell starts its background jobs with SIGINT ignored)
# it takes the interrupt from now on, and the log is in the pipe: that it is read comes first
until (($(sed -n 's/^SigCgt:[[:space:]]*/0x/p' "/proc/$pid/status" 2>/dev/null) & 2)); do kill -0 "$pid" || break; sleep 0.01; done
kill -INT "$pid"
wait "$pid"
is "an endless pipe, interrupted: what came is answered" "$(jq -r .engine "$T/answer")" torch
env --default-signal=INT "$PLIMSOLL" why - --json < <(exec yes "$oom") >"$T/answer" &
pid=$!
until (($(sed -n 's/^SigCgt:[[:space:]]*/0x/p' "/proc/$pid/status" 2>/dev/null) & 2)); do kill -0 "$pid" || break; sleep 0.01; done
kill -INT "$pid"
wait "$pid"
is "an endless stream, interrupted" "$(jq -r '"\(.engine) \(.log.cut)"' "$T/answer")" "torch true"

# secrets of a log are not shown again
printf 'starting with --api-key wordlike-value, https://me:pw@host/x\nsrv load: loading model '"'https://me:pw@host/m.gguf?sig=abc'"'\n%s key token=0123456789abcdef0123\n' "$oom" >"$T/keys.log"
run "$PLIMSOLL" why "$T/keys.log"
unlike "no secret of the log: text" "$out" 'wordlike|me:pw|sig=abc|0123456789abcdef'
why_json "$T/keys.log"
unlike "no secret of the log: JSON" "$out" 'wordlike|me:pw|sig=abc|0123456789abcdef'

# an engine's own warning, in words that are the system's failure elsewhere
printf 'llama_model_loader: x\nwarning: failed to mlock 362442752-byte buffer (after previously locking 0 bytes): Cannot allocate memory\n' >"$T/mlock.log"
why_json "$T/mlock.log"
is "a warning that the engine survives" "$(field '"\(.class) \(.fatal)"')" "locked_limit false"
printf 'x: mlockall: Cannot allocate memory\n' >"$T/mlockall.log"
why_json "$T/mlockall.log"
is "the same words of another program" "$(field '"\(.class) \(.fatal)"')" "locked_limit true"

# escapes, NULs and a carriage return do not reach the terminal
printf 'x\033]0;title\007\033[31m\0torch.OutOfMemoryError: CUDA out of memory.\302\233 Tried to\0 allocate 1.00 GiB\033[2J\342\200\256\n' >"$T/escapes.log"
run "$PLIMSOLL" why "$T/escapes.log"
is "escapes: recognised" "$status" 0
is "escapes: none in the answer" "$(tr -d '\n' <"$T/.out" | LC_ALL=C grep -c $'[\001-\037\177]\|\302[\200-\237]\|\342\200\256')" 0

# logs that other programs keep
mkdir "$T/bin"
cat >"$T/bin/docker" <<'SH'
#!/bin/sh
case "$1 $*" in
logs*" gone") echo "Error response from daemon: No such container: gone" >&2; exit 1 ;;
logs*" web") echo "loading"; echo "Killed" >&2 ;;
inspect*" web") echo "OOMKilled: true, exit code 137" ;;
inspect*) exit 1 ;;
esac
SH
cat >"$T/bin/kubectl" <<'SH'
#!/bin/sh
case "$*" in
*--previous*) echo "Error from server: previous terminated container not found" >&2; exit 1 ;;
logs*) echo "loading" ;;
describe*) printf '    Last State:  Terminated\n      Reason:    OOMKilled\n      Exit Code: 137\n' ;;
esac
SH
chmod +x "$T/bin/docker" "$T/bin/kubectl"
run env PATH="$T/bin:$PATH" "$PLIMSOLL" why docker:web --json
is "docker:NAME: the daemon's own word" "$status $(field .class)" "0 cgroup"
run env PATH="$T/bin:$PATH" "$PLIMSOLL" why docker:gone
is "docker:NAME that is not there: exit 4" "$status" 4
like "docker:NAME that is not there: its words" "$err" 'docker logs: exit status 1: Error response from daemon: No such container'
run env PATH="$T/bin:$PATH" "$PLIMSOLL" why kubectl:pod-1 --json
is "kubectl:POD" "$status $(field .class)" "0 cgroup"
run "$PLIMSOLL" why 'docker:--privileged'
is "a name that is an option: exit 2" "$status" 2
run env PATH=/nonexistent "$PLIMSOLL" why journal:kernel
is "without journalctl: exit 4" "$status" 4
like "without journalctl: another way" "$err" 'hint: .*pipe'
remote=$(command -v /usr/lib/systemd/systemd-journal-remote /lib/systemd/systemd-journal-remote | head -n 1)
if command -v journalctl >/dev/null && [ -n "$remote" ]; then
    i=0
    while IFS= read -r line; do
        i=$((i + 1))
        printf '__REALTIME_TIMESTAMP=%d\n_BOOT_ID=%032d\n_SYSTEMD_UNIT=x.service\nSYSLOG_IDENTIFIER=x\nMESSAGE=%s\n\n' "$((1700000000000000 + i))" 1 "$line"
    done < <(printf '%s\n' loading "$oom" ended) >"$T/export"
    "$remote" -o "$T/x.journal" "$T/export" >/dev/null 2>&1
    run "$PLIMSOLL" why "journal:$T/x.journal" --json
    is "a journal's file, by journalctl" "$status $(field '.engine + " " + (.numbers.requested.bytes | tostring)')" "0 torch $((112 * 1048576))"
    run "$PLIMSOLL" why "journal:$T/none.journal"
    is "no such journal: exit 4" "$status" 4
    like "no such journal: its words" "$err" 'journalctl --no-pager: exit status 1: .*No such file'
else
    skip "a journal's file" "journalctl and systemd-journal-remote are not installed"
fi

done_testing
