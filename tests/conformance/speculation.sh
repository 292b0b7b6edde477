#!/bin/bash
# Speculative decoding against llama-server's own report of its buffers: rows of logits by the kind of
# draft, rows of recurrent state, the context of layers that predict several tokens (in files made from
# the engine's own, with such a layer added), draft models, and a draft that the engine lets go.
. "$(dirname "$0")/../lib.sh"

engine test-llama-archs >/dev/null || skip_all "no engines folder (make engines)"
mkdir "$T/archs"
engine_run test-llama-archs -o "$T/archs" >"$T/archs.log" 2>&1

# serve MODEL SETTINGS...: the engine's log of its start
serve() {
    local pid
    : >"$T/log"
    GGML_NO_BACKTRACE=1 engine_exec llama-server -m "$1" -nr -fit off -dev none --host 127.0.0.1 --port 0 \
        --no-warmup -lv 5 "${@:2}" >"$T/log" 2>&1 &
    pid=$!
    for _ in $(seq 6000); do
        kill -0 "$pid" 2>/dev/null || break
        grep -qE 'new slot|initialization error|exiting due' "$T/log" && break
        sleep 0.05
    done
    kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
}
# buffers PART KIND...: MiB of that kind, of the model's own context or of the draft's
buffers() {
    local own='creating MTP|loading draft model'
    if [ "$1" = model ]; then
        sed -E "/$own/,\$d" "$T/log"
    else # the draft's context is reserved a second time for its samplers: the first counts
        sed -nE "/$own/,\$p" "$T/log" | sed '/compute buffer size = /q'
    fi | grep -oE "($2) buffer size = *[0-9.]+" | awk '{s += $NF} END {printf "%.2f\n", s}'
}
estimate() { run "$PLIMSOLL" estimate "$1" -nr -fit off -dev none --json "${@:2}"; }
mib() { jq -r "$1 / 1048576 * 100 | round / 100" <<<"$out" | awk '{printf "%.2f\n", $1}'; }
inside() { # NAME QUANTITY MIB
    ok "$1: $3 MiB" jq -e --argjson v "$3" ".pools[0].parts.$2 | .low / 1048576 <= \$v + 0.01 and \$v <= .high / 1048576 + 0.01" <<<"$out"
}

# ---- kinds, and how many rows of logits they ask for: in the compute buffer
run "$PLIMSOLL" ghost qwen2.5-0.5b:q4_k_m -o "$T/q.gguf"
rows() { # EXPECTED SETTINGS...
    serve "$T/q.gguf" -c 2048 "${@:2}"
    estimate "$T/q.gguf" -c 2048 "${@:2}"
    is "${*:2}: rows" "$(jq .settings.n_outputs <<<"$out") $(sed -n 's/.*n_outputs_max  *= \([0-9]*\).*/\1/p' "$T/log" | head -n 1)" "$1 $1"
    inside "... compute" compute "$(buffers model compute)"
}
rows 2 -np 2
rows 130 -np 2 --spec-type ngram-mod
rows 34 -np 2 --spec-type ngram-mod --spec-ngram-mod-n-max 16
rows 98 -np 2 --spec-type ngram-simple
rows 10 -np 2 --spec-type ngram-simple --spec-ngram-simple-size-m 4
rows 49 -np 1 --spec-type ngram-map-k
rows 25 -np 1 --spec-type ngram-map-k4v --spec-ngram-map-k4v-size-m 24
rows 18 -np 2 --spec-type ngram-cache
rows 65 -np 1 --spec-type ngram-cache,ngram-mod
rows 64 -np 4 -b 64 -ub 64 --spec-type ngram-mod # no more than a batch

# ---- rows of recurrent state: only where the engine can take drafts back, and only for kinds that ask
for m in qwen35-dense lfm2-dense nemotron_h-dense mamba-dense qwen3next-moe; do
    serve "$T/archs/$m.gguf" -c 2048 -np 2 --spec-type draft-mtp # its context is made, then it ends
    rs=$(grep -oE 'RS buffer size = *[0-9.]+' "$T/log" | awk '{print $NF}')
    # what the model has no layers for is refused, so the states are asked with a kind that reads them
    estimate "$T/archs/$m.gguf" -c 2048 -np 2 --spec-type draft-eagle3
    is "$m: states that drafts may go back to" "$(mib .pools[0].parts.recurrent.bytes)" "$rs"
    run "$PLIMSOLL" estimate "$T/archs/$m.gguf" -c 2048 --spec-type draft-mtp
    is "... and without such layers draft-mtp is refused by both" \
        "$status $(grep -q 'failed to create MTP context' "$T/log" && echo refused)" "2 refused"
done

# ---- layers that predict several tokens: the last layer once more, with what joins it
predicting() { # ARCH-FILE: $made is its path
    local src=$T/archs/$1.gguf keys arch n e t
    keys=$("$PLIMSOLL" inspect -k "$src")
    arch=$(awk '$1 == "architecture" {print $2}' <<<"$keys")
    n=$(awk -v k="$arch.block_count" '$1 == k {print $2}' <<<"$keys")
    e=$(awk -v k="$arch.embedding_length" '$1 == k {print $2}' <<<"$keys")
    made=$T/$1-mtp.gguf
    {
        echo "copy blk.$((n - 1)). blk.$n."
        for t in enorm hnorm shared_head_norm eh_proj; do echo "copy output_norm.weight blk.$n.nextn.$t.weight"; done
        echo "shape blk.$n.nextn.eh_proj.weight $((2 * e)) $e"
        echo "set $arch.block_count $((n + 1))"
        echo "set $arch.nextn_predict_layers 1"
        # lists with a number a layer: one more
        awk -v n="$n" -v a="$arch." 'index($1, a) == 1 && NF == n + 1 && $2 ~ /,$/ {
            key = $1; $1 = ""; gsub(/ /, ""); k = split($0, v, ",")
            print "set", key, $0 "," (key ~ /recurrent_layers/ ? 0 : v[k]) }' <<<"$keys"
    } >"$T/edit"
    run "$PLIMSOLL" ghost "$src" --edit "$T/edit" -o "$made" --force
}
files="qwen35-dense cohere2moe-moe deepseek2-moe"
settings=("-c 8192 -np 2" "-c 16384 -np 1 -ub 128 -ctkd q8_0 -ctvd q8_0 --spec-draft-n-max 2")
if [ "${PLIMSOLL_FULL:-0}" -ge 1 ]; then
    files+=" qwen35moe-moe deepseek32-moe glm-dsa-moe hy_v3-moe"
    settings+=("-c 4096 -np 3 -kvu --spec-draft-n-ubatch 64")
fi
for m in $files; do
    predicting "$m"
    [ "$status" -eq 0 ] || is "$m: a file with such a layer" "$err" ""
    for s in "${settings[@]}"; do
        # shellcheck disable=SC2086 # settings are words
        serve "$made" $s --spec-type draft-mtp
        # shellcheck disable=SC2086
        estimate "$made" $s --spec-type draft-mtp
        is "$m $s: cache of the model" "$(mib .pools[0].parts.kv.bytes)" "$(buffers model KV)"
        is "... states" "$(mib .pools[0].parts.recurrent.bytes)" "$(buffers model RS)"
        inside "... compute" compute "$(buffers model compute)"
        inside "... context of the layer that predicts" draft "$(buffers draft 'KV|compute|output')"
    done
    estimate "$made" -c 8192 -np 2
    a=$(mib .pools[0].parts.weights.bytes)
    estimate "$made" -c 8192 -np 2 --spec-type draft-mtp
    ok "... its tensors are loaded only then" awk -v a="$a" -v b="$(mib .pools[0].parts.weights.bytes)" 'BEGIN { exit !(b > a) }'
done

# ---- a draft model of the same vocabulary stays; one that nothing uses, or of another, goes
run "$PLIMSOLL" ghost qwen2.5-1.5b:q4_k_m -o "$T/large.gguf"
run "$PLIMSOLL" ghost smollm2-135m:q4_k_m -o "$T/other.gguf"
anon() { awk '/^RssAnon/ {print int($2 / 1024)}' "/proc/$1/status"; }
for s in "q.gguf draft-simple kept" "q.gguf none gone" "other.gguf draft-simple gone" "q.gguf ngram-simple kept"; do
    read -r draft kind want <<<"$s"
    serve "$T/large.gguf" -c 2048 -np 2 -md "$T/$draft" --spec-type "$kind" -ctkd q8_0
    gone=$(grep -cE 'no implementations specified|failed to initialize speculative' "$T/log")
    estimate "$T/large.gguf" -c 2048 -np 2 -md "$T/$draft" --spec-type "$kind" -ctkd q8_0
    if [ "$want" = kept ]; then
        is "-md $draft, $kind: the engine keeps it" "$gone" 0
        theirs=$(buffers draft 'model|KV|compute|output')
        inside "... and we count it" draft "$theirs"
    else
        is "-md $draft, $kind: the engine lets it go" "$gone" 1
        is "... and we count it while loading alone" \
            "$(jq '.pools[0] | .parts.draft.bytes == 0 and .load_peak.high > .steady.high' <<<"$out")" true
    fi
done

# ---- a draft that reads the hidden states of three layers, with a vocabulary of its own or its target's
eagle() { # OWN-TABLE WORDS: $T/e.gguf
    {
        echo "set general.architecture eagle3"
        "$PLIMSOLL" inspect -k "$T/other.gguf" | awk '$1 ~ /^llama\./ && $2 ~ /^[0-9.e+-]+$/ {
            k = substr($1, 7); if (k ~ /freq_base|epsilon/ && $2 ~ /^[0-9]+$/) $2 = $2 ".0"
            print "set eagle3." k, $2 }'
        for i in $(seq 1 29); do echo "drop blk.$i."; done
        echo "copy blk.0.attn_norm. blk.0.attn_norm_2."
        for t in "q 576" "k 192" "v 192"; do echo "shape blk.0.attn_${t% *}.weight 1152 ${t#* }"; done
        printf '%s\n' "copy blk.0.ffn_up.weight fc.weight" "shape fc.weight 1728 576" \
            "copy token_embd.weight output.weight" "shape output.weight 576 $2"
        if [ "$2" -lt 49152 ]; then
            printf '%s\n' "copy output_norm.weight d2t" "shape d2t $2" "type d2t i64"
        fi
        [ "$1" = own ] || echo "drop token_embd.weight"
        printf 'set eagle3.%s\n' "block_count 1" "target_layers 2,15,27" "target_hidden_size 576"
    } >"$T/edit"
    run "$PLIMSOLL" ghost "$T/other.gguf" --edit "$T/edit" -o "$T/e.gguf" --force
    [ "$status" -eq 0 ] || is "a draft of one layer" "$err" ""
}
for s in "own 49152 -c 4096 -np 1" "none 32000 -c 4096 -np 2" "none 49152 -c 8192 -np 2 -kvu --spec-draft-n-ubatch 128"; do
    read -r table words flags <<<"$s"
    eagle "$table" "$words"
    # shellcheck disable=SC2086 # settings are words
    serve "$T/other.gguf" $flags -md "$T/e.gguf" --spec-type draft-eagle3
    # shellcheck disable=SC2086
    estimate "$T/other.gguf" $flags -md "$T/e.gguf" --spec-type draft-eagle3
    # its samplers are part of its graph once it is asked to draft: reserved a second time
    theirs=$(sed -nE '/loading draft model/,$p' "$T/log" | sed -nE 's/.*(model|KV|output|compute) buffer size = *([0-9.]+).*/\1 \2/p' |
        awk '{ part[$1] = $2 } END { print part["model"] + part["KV"] + part["output"] + part["compute"] }')
    inside "draft-eagle3, $s: its buffers as it starts" draft "$theirs"
    inside "... compute of the model" compute "$(buffers model compute)"
    ok "... and a prompt gives every token of its batch a row of logits" \
        jq -e --argjson s "$theirs" '.pools[0].parts.draft.high / 1048576 > $s + 60' <<<"$out"
done

serve "$T/q.gguf" -c 2048 -np 1 -md "$T/other.gguf" --spec-type draft-eagle3
estimate "$T/q.gguf" -c 2048 -np 1 -md "$T/other.gguf" --spec-type draft-eagle3
is "draft-eagle3 with a draft that reads nothing: let go by both" \
    "$(jq '.pools[0].parts.draft.bytes' <<<"$out") $(grep -c 'failed to initialize speculative' "$T/log")" "0 1"
serve "$T/q.gguf" -c 2048 -np 1 -md "$T/other.gguf" --spec-type draft-dflash
estimate "$T/q.gguf" -c 2048 -np 1 -md "$T/other.gguf" --spec-type draft-dflash
is "... draft-dflash ends the engine: exit 2" "$status $(grep -c 'GGML_ASSERT(target_layer_ids_n' "$T/log")" "2 1"

# ---- tokens chosen where the output layer is: rows beside the logits
for s in "-np 1 -c 4096" "-np 4 -c 8192 -no-kvu"; do
    # shellcheck disable=SC2086 # settings are words
    serve "$T/other.gguf" $s -bs
    # shellcheck disable=SC2086
    estimate "$T/other.gguf" $s -bs
    is "-bs $s: rows" "$(mib .pools[0].parts.output.bytes)" "$(buffers model output)"
    inside "... compute" compute "$(buffers model compute)"
done

# ---- refusals
run "$PLIMSOLL" estimate "$T/q.gguf" --spec-type draft-fast
is "a kind that is none: exit 2" "$status" 2
like "... named" "$err" "draft-fast"
run "$PLIMSOLL" estimate "$T/q.gguf" --spec-type draft-simple
is "draft-simple without a draft model: exit 2" "$status" 2
run "$PLIMSOLL" estimate "$T/e.gguf"
is "a draft that reads hidden states, by itself: exit 3" "$status" 3
done_testing
