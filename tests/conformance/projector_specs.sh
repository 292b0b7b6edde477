# Projectors as descriptions for gguf_of: keys and tensors as the engine asks for them
# (tools/mtmd/clip.cpp, load_hparams and load_tensors). Sourced.
#
#     projector NAME OUT [key=value...]      its description on stdout; OUT = width of the text model
#
# embd, ff, heads, layers, patch, image: the tower's geometry; type: of its matrices.

# tower PREFIX: norms, attention, feed-forward of every layer
tower_norms() { # PREFIX [bias]
    echo "tensor $1.blk.%d.ln1.weight F32 $embd"
    echo "tensor $1.blk.%d.ln2.weight F32 $embd"
    [ "${2:-}" = bias ] || return 0
    echo "tensor $1.blk.%d.ln1.bias F32 $embd"
    echo "tensor $1.blk.%d.ln2.bias F32 $embd"
}

tower_matrix() { # NAME IN OUT [bias]
    echo "tensor $1.weight $type $2,$3"
    [ "${4:-}" != bias ] || echo "tensor $1.bias F32 $3"
}

tower_attention() { # PREFIX [bias]
    for x in q k v out; do
        tower_matrix "$1.blk.%d.attn_$x" "$embd" "$embd" "${2:-}"
    done
}

tower_ffn() { # PREFIX [bias]
    tower_matrix "$1.blk.%d.ffn_up" "$embd" "$ff" "${2:-}"
    tower_matrix "$1.blk.%d.ffn_down" "$ff" "$embd" "${2:-}"
}

tower_keys() { # vision|audio
    echo "layers $layers"
    echo "str general.architecture clip"
    echo "str general.type mmproj"
    echo "bool clip.has_$1_encoder 1"
    echo "str clip.projector_type $kind"
    echo "u32 clip.$1.embedding_length $embd"
    echo "u32 clip.$1.feed_forward_length $ff"
    echo "u32 clip.$1.attention.head_count $heads"
    echo "u32 clip.$1.block_count $layers"
    echo "u32 clip.$1.projection_dim $out"
    echo "f32 clip.$1.attention.layer_norm_epsilon 1e-6"
    if [ "$1" = vision ]; then
        echo "u32 clip.vision.image_size $image"
        echo "u32 clip.vision.patch_size $patch"
        echo "f32s clip.vision.image_mean 0.5,0.5,0.5"
        echo "f32s clip.vision.image_std 0.5,0.5,0.5"
    else
        echo "u32 clip.audio.num_mel_bins $mel"
    fi
}

patches() { # [bias]
    echo "tensor v.patch_embd.weight F16 $patch,$patch,3,$embd"
    [ "${1:-}" != bias ] || echo "tensor v.patch_embd.bias F32 $embd"
}

positions() { # N
    echo "tensor v.position_embd.weight F32 $embd,$1"
}

norm() { # NAME WIDTH [bias]
    echo "tensor $1.weight F32 $2"
    [ "${3:-}" != bias ] || echo "tensor $1.bias F32 $2"
}

# The usual tower: convolution, learned positions, layer norms with biases.
siglip() { # POSITIONS
    tower_keys vision
    echo "bool clip.use_gelu 1"
    patches bias
    positions "$1"
    tower_norms v bias
    tower_attention v bias
    tower_ffn v bias
    norm v.post_ln "$embd" bias
}

whisper() {
    tower_keys audio
    echo "bool clip.use_gelu 1"
    echo "tensor a.conv1d.1.weight F16 3,$mel,$embd"
    echo "tensor a.conv1d.1.bias F32 1,$embd"
    echo "tensor a.conv1d.2.weight F16 3,$embd,$embd"
    echo "tensor a.conv1d.2.bias F32 1,$embd"
    echo "tensor a.position_embd.weight F32 $embd,1500"
    tower_norms a bias
    for x in q v out; do
        tower_matrix "a.blk.%d.attn_$x" "$embd" "$embd" bias
    done
    tower_matrix "a.blk.%d.attn_k" "$embd" "$embd"
    tower_ffn a bias
    norm a.post_ln "$embd" bias
}

# The merge of 2 x 2 patches and their two convolutions, in time.
qwen_tower() { # NORM_BIAS FUSED
    tower_keys vision
    echo "tensor v.patch_embd.weight F16 $patch,$patch,3,$embd"
    echo "tensor v.patch_embd.weight.1 F16 $patch,$patch,3,$embd"
    tower_norms v "$1"
    if [ "${2:-}" = fused ]; then
        tower_matrix v.blk.%d.attn_qkv "$embd" $((3 * embd)) bias
        tower_matrix v.blk.%d.attn_out "$embd" "$embd" bias
    else
        tower_attention v bias
    fi
    norm v.post_ln "$embd" "$1"
    tower_matrix mm.0 $((4 * embd)) $((4 * embd)) bias
}

projector() {
    local name=$1 out=$2 kind=$1 embd=128 ff=256 heads=4 layers=3 patch=14 image=224 mel=80 type=F16
    local merge=2 stacks=0 side x
    shift 2
    for x in "$@"; do
        local "$x" # known names only: the table's own
    done
    side=$((image / patch))
    case $name in
    mlp)
        tower_keys vision
        patches
        positions $((side * side + 1))
        echo "tensor v.class_embd F32 $embd"
        norm v.pre_ln "$embd" bias
        tower_norms v bias
        tower_attention v bias
        tower_ffn v bias
        norm v.post_ln "$embd" bias
        tower_matrix mm.0 "$embd" "$out" bias
        tower_matrix mm.2 "$out" "$out" bias
        ;;
    gemma3)
        siglip $((side * side))
        echo "tensor mm.input_projection.weight $type $out,$embd"
        norm mm.soft_emb_norm "$embd"
        ;;
    idefics3)
        siglip $((side * side))
        echo "u32 clip.vision.projector.scale_factor $merge"
        echo "u32 clip.vision.preproc_image_size $((4 * image))"
        tower_matrix mm.model.fc $((embd * merge * merge)) "$out"
        ;;
    lfm2)
        siglip $((side * side))
        echo "u32 clip.vision.projector.scale_factor $merge"
        norm mm.input_norm $((embd * merge * merge)) bias
        tower_matrix mm.1 $((embd * merge * merge)) "$out" bias
        tower_matrix mm.2 "$out" "$out" bias
        ;;
    janus_pro)
        siglip $((side * side))
        tower_matrix mm.0 "$embd" "$out" bias
        tower_matrix mm.1 "$out" "$out" bias
        ;;
    internvl)
        siglip $((side * side + 1))
        echo "tensor v.class_embd F32 $embd"
        echo "tensor v.blk.%d.ls1.weight F32 $embd"
        echo "tensor v.blk.%d.ls2.weight F32 $embd"
        echo "u32 clip.vision.projector.scale_factor $merge"
        norm mm.model.mlp.0 $((embd * merge * merge)) bias
        tower_matrix mm.model.mlp.1 $((embd * merge * merge)) "$out" bias
        tower_matrix mm.model.mlp.3 "$out" "$out" bias
        ;;
    pixtral)
        tower_keys vision
        echo "bool clip.use_silu 1"
        echo "u32 clip.vision.spatial_merge_size $merge"
        patches
        norm v.pre_ln "$embd"
        tower_norms v
        tower_attention v
        tower_matrix v.blk.%d.ffn_gate "$embd" "$ff"
        tower_ffn v
        tower_matrix mm.1 "$embd" "$out" bias
        tower_matrix mm.2 "$out" "$out" bias
        if [ "$merge" -gt 1 ]; then
            norm mm.input_norm "$embd"
            tower_matrix mm.patch_merger $((embd * merge * merge)) "$embd"
        fi
        echo "tensor v.token_embd.img_break F32 $out"
        ;;
    qwen2vl_merger)
        qwen_tower bias
        tower_ffn v bias
        tower_matrix mm.2 $((4 * embd)) "$out" bias
        ;;
    qwen2.5vl_merger)
        qwen_tower ""
        echo "bool clip.use_silu 1"
        echo "u32 clip.vision.n_wa_pattern 2"
        tower_matrix v.blk.%d.ffn_gate "$embd" "$ff" bias
        tower_ffn v bias
        tower_matrix mm.2 $((4 * embd)) "$out" bias
        ;;
    qwen3vl_merger)
        qwen_tower bias fused
        echo "bool clip.use_gelu 1"
        echo "tensor v.patch_embd.bias F32 $embd"
        positions 2304
        tower_ffn v bias
        tower_matrix mm.2 $((4 * embd)) $((out / (1 + stacks))) bias
        for ((x = 0; x < stacks; x++)); do
            norm "v.deepstack.$x.norm" $((4 * embd)) bias
            tower_matrix "v.deepstack.$x.fc1" $((4 * embd)) $((4 * embd)) bias
            tower_matrix "v.deepstack.$x.fc2" $((4 * embd)) $((out / (1 + stacks))) bias
        done
        ;;
    kimivl)
        siglip $((side * side))
        norm mm.input_norm "$embd" bias
        tower_matrix mm.1 $((embd * merge * merge)) $((embd * merge * merge)) bias
        tower_matrix mm.2 $((embd * merge * merge)) "$out" bias
        echo "u32 clip.vision.projector.scale_factor $merge"
        ;;
    ultravox)
        whisper
        echo "u32 clip.audio.projector.stack_factor 8"
        norm mm.a.norm_pre $((8 * embd))
        tower_matrix mm.a.mlp.1 $((8 * embd)) $((2 * out))
        norm mm.a.norm_mid "$out"
        tower_matrix mm.a.mlp.2 "$out" "$out"
        ;;
    voxtral)
        whisper
        echo "u32 clip.audio.projector.stack_factor 4"
        tower_matrix mm.a.mlp.1 $((4 * embd)) "$out"
        tower_matrix mm.a.mlp.2 "$out" "$out"
        ;;
    qwen2a)
        whisper
        tower_matrix mm.a.fc "$embd" "$out" bias
        ;;
    *) return 1 ;;
    esac
}
