#!/bin/bash
# Projectors of images and sound beside a model: the bytes of their tensors and the compute buffer the
# engine reserves at load, kind by kind, at the geometry of real ones with fewer layers (the allocator's
# state repeats from layer to layer). A sample; PLIMSOLL_FULL=1 takes all.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/projector_specs.sh"

specs=(
    "mlp embd=1024 ff=4096 heads=16 image=336"
    "gemma3 embd=1152 ff=4304 heads=16 image=896 layers=2"
    "idefics3 embd=768 ff=3072 heads=12 patch=16 image=512 merge=4"
    "pixtral embd=1024 ff=4096 heads=16 patch=16 image=1024 merge=1"
    "qwen2.5vl_merger embd=320 ff=855 heads=4"
    "qwen3vl_merger embd=384 ff=1434 heads=6 patch=16 image=768 stacks=3"
    "ultravox embd=384 ff=1536 heads=6 mel=80"
)
if [ "${PLIMSOLL_FULL:-0}" -ge 1 ]; then
    specs+=(
        "mlp" "gemma3" "idefics3" "lfm2" "janus_pro" "internvl" "pixtral merge=1" "pixtral merge=2"
        "qwen2vl_merger" "qwen2.5vl_merger" "qwen3vl_merger" "kimivl" "ultravox" "voxtral" "qwen2a"
        "lfm2 embd=1152 ff=4304 heads=16 patch=16 image=256"
        "internvl embd=1024 ff=4096 heads=16 image=448"
        "pixtral embd=1024 ff=4096 heads=16 image=1540 merge=2"
        "qwen2vl_merger embd=1280 ff=5120 heads=16"
        "qwen2.5vl_merger embd=1280 ff=3420 heads=16 layers=4"
        "qwen3vl_merger embd=1152 ff=4304 heads=16 patch=16 image=768 layers=5 stacks=3"
        "kimivl embd=1152 ff=4304 heads=16"
        "ultravox embd=1280 ff=5120 heads=20 mel=128"
        "qwen2a embd=1280 ff=5120 heads=20 mel=128 type=Q8_0"
        "voxtral embd=1280 ff=5120 heads=20 mel=128"
        "gemma3 embd=1152 ff=4304 heads=16 image=896 layers=27"
    )
fi

engine llama-server >/dev/null || skip_all "no engines folder (make engines)"
engine test-llama-archs >/dev/null || skip_all "the engines folder has no test-llama-archs"
mkdir "$T/archs"
engine_run test-llama-archs -o "$T/archs" >"$T/archs.log" 2>&1
model=$T/archs/llama-dense.gguf
out_width=$("$PLIMSOLL" inspect "$model" --json | jq -r '.embedding_length // .model.embedding_length // 256')

# said SETTINGS...: the engine's two numbers, "MODEL_SIZE COMPUTE" in MiB; the projector's buffer is
# told after "warmup"
said() {
    local pid
    : >"$T/server.log"
    engine_exec llama-server -m "$model" --mmproj "$T/p.gguf" --host 127.0.0.1 --port 0 -lv 5 "$@" \
        >"$T/server.log" 2>&1 &
    pid=$!
    for _ in $(seq 6000); do
        grep -qaE 'flash attention is|failed to load multimodal' "$T/server.log" && break
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    awk '/load_hparams: model size:/ { size = $(NF - 1) }
        /reserve_compute_meta: .* compute buffer size/ { n[$3] = $(NF - 1) }
        END { for (b in n) if (b != "CPU") { own = n[b]; host = n["CPU"] }
            if (own == "") own = n["CPU"]
            print size, own, host + 0 }' "$T/server.log"
}

# near OURS_BYTES THEIRS_MIB SLACK_BYTES: the engine prints two decimals
near() {
    awk -v a="$1" -v b="$2" -v s="$3" 'BEGIN { d = a - b * 1048576; exit !(d <= s && d >= -s) }'
}

tables=$((4 * 1048576)) # what our figure holds beside the two: the context's own tables

check() { # POOL SPEC SETTINGS...
    local pool=$1 name=$2 ours size own host slack
    shift 2
    # shellcheck disable=SC2086 # a spec is words
    projector ${name%% *} "$out_width" ${name#"${name%% *}"} >"$T/spec"
    "$PLIMSOLL_BUILD/tests/conformance/gguf_of" "$T/p.gguf" <"$T/spec" || {
        is "$name: written" failed ""
        return
    }
    ours=$("$PLIMSOLL" estimate "$model" --mmproj "$T/p.gguf" "$@" --json |
        jq -r --arg p "$pool" '.pools[] | select(.pool == $p) | .parts.projector.bytes')
    read -r size own host < <(said "$@")
    [ "$pool" = ram ] && ours=$((${ours:-0} - tables))
    # alignment of every tensor, and half a hundredth of each number
    slack=$(($(grep -c . "$T/spec") * 64 + 16384))
    # two kinds are followed to a twentieth only: our interval says so
    case ${name%% *} in mlp | internvl) slack=$((${ours:-0} / 20)) ;; esac
    ok "$name $*: tensors ${size:-?} MiB, compute ${own:-?} MiB" \
        near "${ours:-0}" "$(awk -v a="${size:-0}" -v b="${own:-0}" 'BEGIN { print a + b }')" "$slack"
}

for s in "${specs[@]}"; do
    check ram "$s" -c 512
done
check ram "gemma3 embd=384 ff=1434 heads=6 image=448" -c 512 -fa off
check ram "pixtral embd=384 ff=1434 heads=6" -c 512 --image-max-tokens 256
check ram "lfm2 embd=384 ff=1434 heads=6" -c 512 --image-max-tokens 400
done_testing
