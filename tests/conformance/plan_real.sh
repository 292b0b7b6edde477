#!/bin/bash
# A plan of three components, emitted and started for real on ghosts, one by one in its order of
# loading: at every step what the processes hold (RssAnon + RssShmem + pages of weights in use) is
# below the ceiling and inside the sum of the intervals.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"
engine_command llama-server || skip_all "no engines folder (make engines)"
command -v curl >/dev/null || skip_all "curl is not installed"
export GGML_NO_BACKTRACE=1
small=qwen2.5-0.5b large=llama-3.2-1b
[ "${PLIMSOLL_FULL:-0}" -ge 1 ] && large=qwen2.5-1.5b

# filled, so that the engine's pages are real ones
for m in "$small:q8_0" "$large:q4_k_m"; do
    f=$T/$(tr ':.' '--' <<<"$m").gguf
    run "$PLIMSOLL" ghost "$m" -o "$f"
    [ "$status" -eq 0 ] || skip_all "no room for a ghost: $err"
done
g() { printf '%s/%s.gguf' "$T" "$(tr ':.' '--' <<<"$1")"; }
cat >"$T/stack.yaml" <<END
plimsoll: 1
name: three
pools: {ram: {ceiling: 6GiB}}
components:
  front:
    priority: 1
    required: true
    context: 2048
    min_decode: 0
    candidates: [{model: "$(g "$large:q4_k_m")", flags: [--cache-ram, "0", -t, "2", --no-mmap]}]
  worker:
    priority: 2
    required: true
    context: 1024
    slots: 2
    min_decode: 0
    candidates: [{model: "$(g "$small:q8_0")", flags: [--cache-ram, "0", -t, "2", --no-mmap]}]
  draft:
    priority: 3
    required: true
    context: 512
    min_decode: 0
    candidates: [{model: "$(g "$small:q8_0")", flags: [--cache-ram, "0", -t, "2"]}]
END
# this machine, with room enough whatever others hold just now
"$PLIMSOLL" assess --json --no-bandwidth | jq '{schema, this_system: false, id, cpu,
    pools: [.pools[] | select(.pool == "ram") | {pool, kind, capacity, available: {bytes: 7000000000, low: 7000000000, high: 7000000000, source: "declared"}, bandwidth_bytes_per_second}]}' >"$T/machine.json"
run "$PLIMSOLL" plan "$T/stack.yaml" --machine "$T/machine.json" --json
is "the plan fits" "$status $(jq -r .feasible <<<"$out")" "0 true"
printf '%s' "$out" >"$T/plan.json"
run "$PLIMSOLL" plan "$T/stack.yaml" --machine "$T/machine.json" --emit llama-server -o "$T/up"
is "emitted" "$status" 0
order=$(jq -r '.load_order[]' "$T/plan.json")
{
    echo '#!/bin/bash'
    echo 'unset MALLOC_PERTURB_' # see engine_exec
    printf 'exec'
    printf ' %q' "${engine_argv[@]}"
    echo ' "$@"'
} >"$T/server"
chmod +x "$T/server"
stop() { local p; for p in $(engine_pids); do kill "$p" 2>/dev/null; done; }
trap 'stop; rm -rf "$T"' EXIT
export LLAMA_SERVER=$T/server
# other ports than a server of the user may have
base=$((20000 + $$ % 20000))
sed -i "s/\b808\([1-9]\)\b/$((base / 10))\1/g" "$T/up/up.sh"

# held PID: its memory in bytes, anonymous and shared. mapped PID: pages of models that it maps: of
# Q8_0, which is not converted here, all are weights in use.
held() {
    awk '/^RssAnon|^RssShmem/ { n += $2 } END { print n * 1024 }' "/proc/$1/status"
}
mapped() {
    awk -v t="$T/" '/^[0-9a-f]+-[0-9a-f]+ / { in_file = index($0, t) && /gguf/ } in_file && /^Rss:/ { n += $2 } END { print n * 1024 }' "/proc/$1/smaps"
}
low=0 high=0 steps=0
cd "$T/up" || exit 99
for name in $order; do
    timeout 120 ./up.sh "$name" >"$T/$name.out" 2>&1
    is "$name: started and answers" "$?" 0
    pid=$(cat "plimsoll-$name.pid")
    port=$(sed -n "s/.*start '$name' \([0-9]*\) .*/\1/p" up.sh)
    # every slot once, with a prompt that fills a batch
    body=$(jq -nc '{prompt: ("a b c d e f g h " * 40), n_predict: 8}')
    for _ in 1 2; do curl -fs -m 120 -o "$T/answer" -H 'Content-Type: application/json' -d "$body" "http://127.0.0.1:$port/completion"; done
    ok "$name: it generates" jq -e '.tokens_predicted > 0' "$T/answer"
    read -r a b < <(jq -r --arg c "$name" '.budget[] | select(.component == $c and .pool == "ram") | "\(.peak.low) \(.peak.high)"' "$T/plan.json")
    own=$(($(held "$pid") + $(mapped "$pid")))
    low=$((low + a)) high=$((high + b)) steps=$((steps + 1)) all=0
    for p in plimsoll-*.pid; do all=$((all + $(held "$(cat "$p")") + $(mapped "$(cat "$p")"))); done
    diag "$name: $((own / 1048576)) MiB; predicted $((a / 1048576)) to $((b / 1048576)) MiB"
    diag "after $steps: $((all / 1048576)) MiB; predicted $((low / 1048576)) to $((high / 1048576)) MiB"
    ok "$name: inside its interval" [ "$own" -ge "$a" -a "$own" -le "$b" ]
    ok "after $steps: the sum is inside the sum of the intervals" [ "$all" -ge "$low" -a "$all" -le "$high" ]
    ok "after $steps: all together below the ceiling" [ "$all" -le $((6 << 30)) ]
done
is "three steps" "$steps" 3
# a plan for this machine knows them by itself, and that their memory is the stack's
run "$PLIMSOLL" plan "$T/stack.yaml" --json
note=$(jq -r '.notes[]' <<<"$out" | grep 'this stack holds now')
for name in $order; do
    like "$name: found running" "$note" "process $(cat "plimsoll-$name.pid") \($name\)"
done
# without the mark they are known by the file they serve
run "$PLIMSOLL" plan <(sed '/^name:/d' "$T/stack.yaml") --json
is "each is found by its model's file as well" "$(jq -r '.notes[]' <<<"$out" | grep -o 'process [0-9]*' | sort -u | wc -l)" 3
all=0
for p in plimsoll-*.pid; do all=$((all + $(held "$(cat "$p")"))); done
read -r told unit < <(sed -n 's/.*available to it: ram \([0-9.]*\) \([MG]iB\).*/\1 \2/p' <<<"$note")
near=$(awk -v t="$told" -v u="$unit" -v a="$all" 'BEGIN { t *= u == "GiB" ? 1073741824 : 1048576; d = t - a; print (d < 0 ? -d : d) < 33554432 }')
is "and what they hold is what /proc says ($told $unit)" "$near" 1
stop

# the column "actual": of a run with just these settings on this machine, as the ledger has it
run "$PLIMSOLL" plan "$T/stack.yaml" --machine "$T/machine.json" --json
is "nothing was run yet: no figure" "$(jq -c '[.budget[].actual.bytes] | unique' <<<"$out")" '[null]'
flags=$(jq -r .components.worker.settings.flags <<<"$out")
# shellcheck disable=SC2086 # flags are words
run "$PLIMSOLL" try "$(g "$small:q8_0")" $flags -p 16 -n 4 -r 1 --warmup 0
is "a run with the settings of one component" "$status" 0
diag "$err"
run "$PLIMSOLL" runs --json
measured=$(jq -c '[.runs[] | .host.measured // .measured | .total.bytes][0]' <<<"$out")
run "$PLIMSOLL" plan "$T/stack.yaml" --machine "$T/machine.json" --json
is "its actual size is the run's" "$(jq -c '[.budget[] | select(.component == "worker" and .pool == "ram") | .actual.bytes]' <<<"$out")" "[$measured]"
is "as measured" "$(jq -c '[.budget[] | select(.component == "worker" and .pool == "ram") | .actual.source]' <<<"$out")" '["measured"]'
is "the others have none" "$(jq -c '[.budget[] | select(.component != "worker") | .actual.bytes] | unique' <<<"$out")" '[null]'
run "$PLIMSOLL" plan "$T/stack.yaml" --machine "$T/machine.json"
like "in the table" "$out" "^worker .* [0-9.]+ [MG]iB +[0-9.]+ [MG]iB +"
jq '.id = "0123456789abcdef"' "$T/machine.json" >"$T/else.json"
run "$PLIMSOLL" plan "$T/stack.yaml" --machine "$T/else.json" --json
is "of another machine: none" "$(jq -c '[.budget[].actual.bytes] | unique' <<<"$out")" '[null]'
done_testing
