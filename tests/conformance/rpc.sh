#!/bin/bash
# --rpc: devices behind ggml-rpc-server on the loopback address: weights and caches there and here as
# llama-fit-params has them with the same server, its memory as the server tells it.
. "$(dirname "$0")/../lib.sh"

engine llama-fit-params >/dev/null || skip_all "no engines folder (make engines)"
engine test-llama-archs >/dev/null || skip_all "the engines folder has no test-llama-archs"
server=$(compgen -G "$PLIMSOLL_ENGINES/usr/libexec/*/llama/bin/ggml-rpc-server") ||
    skip_all "the engines folder has no ggml-rpc-server"
compgen -G "$PLIMSOLL_ENGINES/usr/lib/*/ggml/backends0/libggml-rpc.so" >/dev/null ||
    skip_all "the engines folder has no RPC backend: it was fetched before tools/fetch-engines took it along"

lib=$(dirname "$(ls "$PLIMSOLL_ENGINES"/usr/lib/*/libllama.so.0 | head -n 1)")
pids=""
trap 'kill $pids 2>/dev/null; rm -rf "$T"' EXIT
# rpc_server: one with the CPU as its device; sets $port
rpc_server() {
    local pid
    : >"$T/rpc.log"
    for port in $(shuf -i 20000-29999 -n 20); do
        "$(ls "$lib"/ld-linux*.so.* | head -n 1)" --library-path "$lib:$lib/llama:$lib/ggml" \
            "$server" -H 127.0.0.1 -p "$port" -d CPU >"$T/rpc.log" 2>&1 &
        pid=$!
        for _ in $(seq 2400); do
            grep -q 'transport' "$T/rpc.log" && pids+=" $pid" && return 0
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.05
        done
    done
    return 1
}
rpc_server || skip_all "ggml-rpc-server does not start: $(tail -n 1 "$T/rpc.log")"
first=$port
rpc_server
second=$port

jq -n '{schema: "plimsoll.assess/1", pools: [{pool: "ram", kind: "host", capacity: 68719476736, available: 60000000000}]}' >"$T/bare.json"
mkdir "$T/archs"
engine_run test-llama-archs -o "$T/archs" >"$T/archs.log" 2>&1

theirs() { # MODEL SETTINGS...
    engine_run llama-fit-params -m "$1" -nr -fa on -fitp on -np 1 "${@:2}" 2>/dev/null </dev/null |
        awk 'NF >= 4 && ($1 == "Host" || $1 ~ /^RPC[0-9]$/) {print $1, $2, $3, $4}' | sort
}
ours() {
    "$PLIMSOLL" estimate "$1" -nr -fa on -np 1 -M "$T/bare.json" --json "${@:2}" 2>"$T/why" >"$T/json"
    jq -r '.pools[] | "\(.pool | sub("ram"; "Host")) \(.parts.weights.bytes / 1048576 | floor) \((.parts.kv.bytes + .parts.recurrent.bytes) / 1048576 | floor)"' "$T/json" | sort
}
check() { # MODEL SETTINGS...
    local f=$T/archs/$1.gguf t
    t=$(theirs "$f" "${@:2}")
    is "$1 ${*:2}" "$(ours "$f" "${@:2}")" "$(cut -d' ' -f1-3 <<<"$t")"
}
for s in "-ngl 99 -c 65536" "-ngl 2 -c 65536" "-ngl 1 -c 65536" "-ngl 0 -c 65536" "-ngl 99 -c 65536 -nkvo" \
    "-ngl 99 -c 65536 -ot ffn_(up|gate).*=CPU"; do
    for m in llama-dense gemma3-dense qwen35-dense qwen3moe-moe; do
        # shellcheck disable=SC2086 # settings are words
        check "$m" --rpc "127.0.0.1:$first" $s
    done
done
check llama-dense --rpc "127.0.0.1:$first,127.0.0.1:$second" -ngl 99 -c 65536 -ts 3,1
check llama-dense --rpc "127.0.0.1:$first,127.0.0.1:$second" -ngl 99 -c 65536 -dev RPC1

t=$(theirs "$T/archs/llama-dense.gguf" --rpc "127.0.0.1:$first" -ngl 99 -c 65536 | awk '$1 == "RPC0" {print $4}')
ours "$T/archs/llama-dense.gguf" --rpc "127.0.0.1:$first" -ngl 99 -c 65536 >/dev/null
ok "its compute is inside, $t MiB" jq -e --argjson c "$t" \
    '.pools[1].parts.compute | .low / 1048576 <= $c + 1 and $c <= .high / 1048576' "$T/json"

# what it has, against what it says itself at its start: "CPU: NAME (24105 MiB, 24105 MiB free)"
total=$(sed -n 's/.*CPU: .*(\([0-9]*\) MiB, .*/\1/p' "$T/rpc.log" | tail -n 1)
run "$PLIMSOLL" estimate qwen3-8b:q4_k_m -c 1000000 -ngl 99 --rpc "127.0.0.1:$first" -M "$T/bare.json" --json
ok "more than the server has ($total MiB): it does not fit" jq -e --argjson t "$total" \
    '.verdict == "does_not_fit" and .pools[1].steady.low > $t * 1048576' <<<"$out"

kill $pids 2>/dev/null
# nobody listens: said, exit 3, unless the machine declares the pool
run "$PLIMSOLL" estimate "$T/archs/llama-dense.gguf" -c 4096 -M "$T/bare.json" --rpc 127.0.0.1:1
is "a server that does not answer: exit 3" "$status" 3
like "... with the reason" "$out" 'RPC0.*does not answer'
jq '.pools += [{pool: "RPC0", kind: "dedicated", capacity: 8000000000, available: 7000000000}]' "$T/bare.json" >"$T/declared.json"
run "$PLIMSOLL" estimate "$T/archs/llama-dense.gguf" -c 4096 -M "$T/declared.json" --rpc 127.0.0.1:1 --json
is "a machine that declares its pool: an answer" "$status $(jq -r '.pools[1].pool' <<<"$out")" "0 RPC0"
run "$PLIMSOLL" estimate "$T/archs/llama-dense.gguf" -c 4096 -M "$T/declared.json" --json
is "... which is not used without --rpc" "$status $(jq -r '.pools | length' <<<"$out")" "0 1"
for bad in nowhere 127.0.0.1 127.0.0.1:0 :50052 127.0.0.1:70000; do
    run "$PLIMSOLL" estimate "$T/archs/llama-dense.gguf" -c 4096 --rpc "$bad"
    is "'$bad' is refused" "$status" 2
done
done_testing
