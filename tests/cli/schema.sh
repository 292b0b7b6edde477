#!/bin/bash
# What every verb prints with --json is one object that its schema in data/schema describes.
. "$(dirname "$0")/../lib.sh"

python=$(command -v python3) || skip_all "python3 is not installed"
"$python" -c 'import jsonschema' 2>/dev/null ||
    skip_all "the Python module jsonschema (python3-jsonschema) is not installed"
validate=$PLIMSOLL_SOURCE/tests/cli/validate.py
schemas=$PLIMSOLL_SOURCE/data/schema
verbs=$("$PLIMSOLL" --help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p')
offers() { grep -qx -- "$1" <<<"$verbs"; }

# valid NAME VERB ARGUMENTS...: the verb prints valid JSON and ends with a status of the contract.
valid() {
    local name=$1 verb=$2
    shift 2
    run "$PLIMSOLL" "$verb" "$@" --json
    case $status in
    0 | 1 | 3) ok "$name" "$python" "$validate" "$schemas/$verb.json" "$T/.out" ;;
    *) is "$name" "exit $status: $err" "exit 0, 1 or 3" ;;
    esac
}

# the validator itself: what is wrong is found
refuses() { # NAME DOCUMENT SCHEMA
    printf '%s' "$2" >"$T/document"
    not_ok "$1" "$python" "$validate" "$schemas/$3.json" "$T/document"
}
refuses "validator: a missing member" '{"schema": "plimsoll.version/1"}' version
refuses "validator: a surplus member" \
    '{"schema": "plimsoll.version/1", "version": "1.2.3", "more": 1}' version
refuses "validator: unknown that is 0" \
    '{"bytes": 0, "low": 0, "high": 0, "source": "unknown", "why": null}' quantity
refuses "validator: an interval upside down" \
    '{"bytes": 5, "low": 6, "high": 7, "source": "measured", "why": null}' quantity
refuses "validator: a key twice" '{"schema": "x", "schema": "plimsoll.version/1", "version": "1.2.3"}' \
    version
refuses "validator: two documents" '{"schema": "plimsoll.version/1", "version": "1.2.3"}{}' version
printf '{"bytes": 5, "low": 5, "high": 7, "source": "measured", "why": "x"}' >"$T/document"
ok "validator: a sound quantity" "$python" "$validate" "$schemas/quantity.json" "$T/document"

for verb in $verbs; do
    ok "$verb: has a schema" test -e "$schemas/$verb.json"
done

valid "version" version
for what in bash zsh fish man; do
    valid "completion $what" completion $what
done

printf '{"schema": "plimsoll.assess/1", "pools": [{"pool": "ram", "kind": "host"}]}' >"$T/unknown.json"
for machine in '' "--machine=$T/unknown.json"; do
    run "$PLIMSOLL" ${machine:+"$machine"} --json
    ok "no command ${machine:+with a machine of which nothing is known}" \
        "$python" "$validate" "$schemas/home.json" "$T/.out"
done

if offers attach; then
    valid "attach" attach $$
fi

if offers run; then
    "$PLIMSOLL" run --json --no-ledger -- sh -c 'exit 3' 2>"$T/wrapped" >"$T/wrapped.out"
    sed -n '/^{$/,$p' "$T/wrapped" >"$T/document"
    ok "run: a command that failed" "$python" "$validate" "$schemas/wrapped.json" "$T/document"
fi

if offers why; then
    while IFS= read -r line; do
        jq -j .text <<<"$line" >"$T/log"
        valid "why: $(jq -r .id <<<"$line")" why "$T/log"
    done < <(awk 'NR % 6 == 1' "$PLIMSOLL_SOURCE/tests/replay/why/oom_corpus.jsonl")
    printf 'all is well\n' >"$T/log"
    valid "why: nothing failed" why "$T/log"
fi

if offers report; then
    valid "report: no ledger" report
    ok "report: a ledger to read" "$PLIMSOLL_BUILD/tests/unit/make_ledger" "$T/report.db"
    valid "report: full, refused and hostile runs" report --ledger "$T/report.db"
fi

if offers runs; then
    valid "runs: no ledger" runs
    ok "runs: a ledger to read" "$PLIMSOLL_BUILD/tests/unit/make_ledger" "$T/runs.db"
    valid "runs: full, refused and hostile ones" runs --ledger "$T/runs.db"
    for id in 1 2 3; do
        valid "runs: run $id" runs --ledger "$T/runs.db" "$id"
    done
fi

if offers accuracy; then
    printf 'b1 cpu llama m m1 ok 0 20000000 2%d00000 20 19 -c_0 0.02\n' 1 2 3 4 >"$T/rows"
    ok "accuracy: a ledger to read" "$PLIMSOLL_BUILD/tests/unit/make_ledger" "$T/rows.db" "$T/rows"
    valid "accuracy: no ledger" accuracy
    valid "accuracy: some runs" accuracy --ledger "$T/rows.db"
    valid "calibration: nothing" calibration
    valid "calibration: something" calibration --ledger "$T/rows.db"
    valid "compare: two runs" compare 1 3 --ledger "$T/rows.db"
    "$PLIMSOLL" runs --ledger "$T/rows.db" --json >"$T/runs.json"
    valid "compare: files of runs" compare "$T/runs.json" "$T/runs.json"
    valid "compare: settings" compare qwen3-0.6b:q8_0 --a "-c 1024" --b "-c 2048" --no-ledger
fi

if offers plan; then
    printf '{"plimsoll": 1, "components": {"a": {"candidates": [{"footprint": {"ram": {"steady": "1MiB"}}}]}}}' >"$T/stack.yaml"
    valid "plan" plan "$T/stack.yaml"
    valid "config" config show "$T/stack.yaml"
fi
if offers fit; then
    valid "fit: a model here" fit qwen3-0.6b
    valid "fit: slots on a card" fit qwen3-8b:q4_k_m --max-slots --device rtx3060-12g --ram 32GiB
    valid "fit: nothing fits" fit llama-3.3-70b --best-quant --device rtx3060-12g --ram 8GiB
    valid "fit: the catalogue" fit --kind embed
    valid "fit: the matrix" fit llama-2-7b --matrix --device rtx3070ti --ram 32GiB
fi
if offers tiers; then
    valid "tiers: this machine" tiers
    valid "tiers: sizes" tiers 16 64 512 2TB
fi
if offers models; then
    valid "models: some" models qwen3
    valid "models: those that fit" models --fits --kind embed
    valid "models: the quantisations" models --quants --nominal
    valid "estimate: the rule of thumb" estimate qwen3-8b --rule-of-thumb
fi
if offers machines; then
    valid "machines: none" machines
    "$PLIMSOLL" assess --device rtx3090 --json >"$T/rtx3090.json"
    "$PLIMSOLL" machines add "$T/rtx3090.json" >/dev/null
    valid "machines: one" machines list
fi

if offers assess; then
    valid "models: the stores here" models --local
    valid "assess: a machine of the device data" assess --device rtx3090,jetson-orin-nx-16g --ram 64GiB
    valid "assess: the memory as a tree" assess --memory
    valid "assess: this machine" assess
    mkdir -p "$T/root/proc" "$T/root/sys"
    echo "MemTotal: 1024 kB" >"$T/root/proc/meminfo"
    valid "assess: a machine of which little can be read" assess --root "$T/root"
    valid "assess: explained" assess --explain
    valid "doctor: this machine" doctor
    valid "doctor: a machine of which little can be read" doctor --root "$T/root"
else
    skip "assess" "no such verb"
fi

# The ghost of a catalogue model is a small file with a whole header: what inspect needs.
ghost=$T/ghost.gguf
if offers ghost; then
    valid "ghost" ghost qwen3-0.6b:q8_0 -o "$ghost"
    valid "ghost: small, random" ghost qwen3-0.6b:q4_k_m --fill random -o "$T/random.gguf"
    rm -f "$T/random.gguf"
else
    skip "ghost" "no such verb"
fi
if offers inspect && [ -e "$ghost" ]; then
    valid "inspect" inspect "$ghost"
    valid "inspect: everything" inspect --keys --tensors "$ghost"
    valid "inspect: a model of the catalogue" inspect qwen3-0.6b:q8_0
else
    skip "inspect" "no such verb, or no ghost to read"
fi

if offers estimate; then
    valid "estimate: a file of the catalogue" estimate qwen3-0.6b:q8_0 -c 4096
    valid "estimate: slots, a quantised cache" \
        estimate llama-3.2-3b:q4_k_m -c 32768 -np 4 -ctk q8_0 -ctv q8_0 -fa on
    valid "estimate: ways to be faster" estimate qwen3-30b-a3b:q4_k_m --device rtx4090 --ram 64GiB -ngl 99 -c 4096 --why
    valid "estimate: what fits nowhere" estimate llama-3.3-70b:f16 -c 131072 -np 64
    valid "estimate: no limit to the prompt cache" estimate qwen3-0.6b:q8_0 --cache-ram -1
else
    skip "estimate" "no such verb"
fi

if ! offers try; then
    skip "try" "no such verb"
elif [ -z "${PLIMSOLL_ENGINES:-}" ]; then
    skip "try" "no engine: tools/fetch-engines gets one"
else
    valid "try" try smollm2-135m:q8_0 -c 1024 --repeats 1 --warmup 0 --prompt 16 --predict 4
    valid "runs: what try stored" runs 1
    valid "estimate: cites the run" estimate smollm2-135m:q8_0 -c 1024
    like "estimate: cites the run: in the list" "$out" '"id": 1,'
fi

done_testing
