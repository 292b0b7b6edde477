/* Builds the graph of one model for one batch: what the blocks of graph_blocks.c, graph_attention.c
 * ... share. Pure. */
#ifndef PL_ENGINE_LLAMACPP_GRAPH_BUILD_H
#define PL_ENGINE_LLAMACPP_GRAPH_BUILD_H

#include "domain/graph_ops.h"
#include "domain/model.h"
#include "domain/settings.h"
#include "engine/llamacpp/arch.h"
#include "engine/llamacpp/placement.h"

#include <stdbool.h>
#include <stdint.h>

/* Caches as the engine lays them out for these settings. */
struct pl_graph_cells {
    uint64_t base, window; /* cells of one stream; window 0 = no cache of its own */
};

/* One batch that the engine reserves for. */
struct pl_weight_index; /* tensors by name */

/* What does not differ between the graphs of one model on one place. */
struct pl_graph_known {
    const bool *skip;
    const struct pl_weight_index *index;
};

struct pl_graph_batch {
    uint64_t n_tokens, n_seqs, n_outputs;
    bool draft; /* of the layer that predicts several tokens, in a context of its own */
    const struct pl_graph_known *known; /* made once for several graphs; NULL: for this one */
};

struct pl_tower; /* graph_tower.h */

#define PL_SCALED_MAX 4
#define PL_SHARED_MAX 32
#define PL_REGISTERS_MAX 48
#define PL_REGISTER_NAME_MAX 16

struct pl_build {
    struct pl_net_graph *g;
    const struct pl_model *m;
    const struct pl_resolved *r;
    const struct pl_net *net;
    struct pl_graph_cells cells;
    const struct pl_weight_index *index;
    struct pl_graph_batch batch;
    uint64_t il;
    const bool *skip; /* layers that may be left out; NULL: none */
    uint64_t n_pos;   /* position values per token */
    bool no_flash;    /* the engine turns flash attention off for this architecture */
    bool softcap;     /* scores are capped before their soft max */
    uint64_t every;   /* of the condition "every" */
    /* whose products are scaled where the file has scales: attention's are, a feed-forward's are
     * not, unless the recipe says so ("ffn", "moe", "shexp", or a weight's name) */
    const char *scaled[PL_SCALED_MAX], *unscaled[PL_SCALED_MAX];
    const char *unbiased[PL_SCALED_MAX]; /* whose biases the engine does not ask for */
    uint32_t n_scaled, n_unscaled, n_unbiased;
    pl_tid shared[PL_SHARED_MAX]; /* weights of no layer */
    uint32_t n_shared;
    const struct pl_placement *place; /* NULL: all on the host */
    /* is a host weight converted for the host's own kernels? NULL: none is */
    bool (*converted)(const struct pl_tensor *t, const void *with);
    const void *converted_with;
    bool draft;                   /* one layer beyond the trunk, in a context of its own */
    bool after;                   /* the layers are done */
    const char *prefix;           /* of the names in layers: "v." of a tower; NULL: none */
    const struct pl_tower *tower; /* a projector's; NULL: a model of text */
    bool in_layer;                /* names of weights belong to layer il */
    /* inputs, made when first used; [1]: of the window's cache */
    pl_tid pos, out_ids, k_idxs[2], v_idxs[2], mask[2], rot_k[2], rot_v[2], state_rows, scale;
    pl_tid cross_mask;
    pl_tid state_views[2]; /* of state_rows: the batch's slots, the others */
    pl_tid embd;
    bool ended;    /* nothing more is built: see hidden */
    pl_tid logits; /* the recipe's last */
    pl_tid hidden; /* what the output matrix was applied to; 0: none was */
    struct {
        pl_tid turn, rows, mask; /* inputs */
        pl_tid cache, top;       /* of the last layer that has an indexer */
    } chosen;
    struct pl_decays { /* inputs of graph_lightning.c */
        pl_tid q, k, pairs, slopes;
    } decays;
    struct pl_chosen_inputs {
        pl_tid slot, hidden, bias, of_cell, rows; /* inputs */
        pl_tid mask;                              /* the usual one, as f32 */
    } blocks;
    struct pl_register {
        char name[PL_REGISTER_NAME_MAX];
        pl_tid t;
    } reg[PL_REGISTERS_MAX];
    uint32_t n_reg;
};

const struct pl_weight_index *pl_weight_index_new(struct pl_arena *a, const struct pl_model *m);

/* The number of a place's backend: devices first, the host last. */
int16_t pl_b_backend(const struct pl_build *b, uint32_t place);

/* A weight by its short name: "attn_q" is blk.IL.attn_q.weight within a layer; a name with a suffix
 * of its own (".bias") is taken as it is. 0 when the model has none. */
pl_tid pl_b_weight(struct pl_build *b, const char *name, const char *suffix);
/* The scale that the engine multiplies a product with this weight by; 0 = it has none, or the
 * engine does not ask for it. */
pl_tid pl_b_weight_scale(struct pl_build *b, const char *name);
pl_tid pl_b_weight_bias(struct pl_build *b, const char *name);
/* The header's value for <architecture>.KEY; per layer where it is an array. */
uint64_t pl_b_key(const struct pl_build *b, const char *key, uint64_t absent);
double pl_b_real(const struct pl_build *b, const char *key, double absent);
const struct pl_layer *pl_b_layer(const struct pl_build *b);

/* graph_blocks.c */
enum pl_norm_kind { PL_NORM_RMS = 0, PL_NORM_LAYER };
enum pl_act {
    PL_ACT_SILU = 0,
    PL_ACT_GELU,
    PL_ACT_RELU,
    PL_ACT_RELU2,
    PL_ACT_HALVES,
    PL_ACT_OAI,
    PL_ACT_CLAMPED, /* gate and input are cut off, step by step */
    PL_ACT_UNARY
};
struct pl_moe {
    enum pl_act act;
    bool norm_w;         /* weights of the chosen experts are normalised */
    bool scaled;         /* and scaled */
    int gating;          /* 1 softmax, 2 sigmoid, 3 softmax over the chosen, 4 sqrt(softplus) */
    bool before;         /* weights are applied to the input (llama4) */
    bool select_sigmoid; /* experts are chosen by the logits' sigmoid (grovemoe) */
    pl_tid probs;        /* given instead of computed */
    const char *set;     /* suffix of the expert tensors: "exps" */
    bool use_bias_probs;
    uint64_t n_expert, n_used;
};
pl_tid pl_b_norm(struct pl_build *b, pl_tid x, const char *weight, enum pl_norm_kind kind);
pl_tid pl_b_mm(struct pl_build *b, pl_tid x, const char *weight);
struct pl_ffn {
    enum pl_act act;
    bool gate_after_up; /* the gate reads the widened input */
    bool no_down;       /* ends before the last product */
    const char *tail;   /* of the weights' names: "" or "_shexp" */
};
pl_tid pl_b_ffn(struct pl_build *b, pl_tid x, const struct pl_ffn *how);
pl_tid pl_b_moe(struct pl_build *b, pl_tid x, const struct pl_moe *how);
pl_tid pl_b_embd(struct pl_build *b, bool mixed);
pl_tid pl_b_rows(struct pl_build *b, pl_tid x);

/* graph_attention.c */
struct pl_qkv {
    pl_tid q, k, v;
};
struct pl_qkv pl_b_qkv(struct pl_build *b, pl_tid x);
pl_tid pl_b_rope(struct pl_build *b, pl_tid x);
struct pl_attention {
    bool cached;    /* keys and values go through the cache */
    bool k_only;    /* the cache holds keys alone; values are its first head_v (MLA) */
    bool project;   /* multiply with attn_output */
    const char *wo; /* name of that */
    pl_tid sinks, v_mla, bias;
    pl_tid mask; /* instead of the usual one */
    bool cross;  /* keys and values of an encoder, as they are */
};
pl_tid pl_b_attention(struct pl_build *b, struct pl_qkv c, const struct pl_attention *how);
pl_tid pl_b_pos(struct pl_build *b);

/* The cache's tensor for a layer, what is written into it, and what attention reads of it. */
pl_tid pl_b_cache(struct pl_build *b, uint32_t type, uint64_t width);
void pl_b_store(struct pl_build *b, pl_tid cache, pl_tid what, pl_tid *idxs, bool flat);
pl_tid pl_b_read(struct pl_build *b, pl_tid cache, uint64_t head, uint64_t heads, bool flat);
pl_tid pl_b_mask(struct pl_build *b, bool cached, bool swa);

/* graph_latent.c: projections, attention and output of a compressed cache. */
struct pl_latent_use {
    bool rope, whole_q; /* positions at all; those of the query applied to it as one */
    bool sparse;        /* an indexer chooses the cells, where the layer does not slide */
    bool key_norm;      /* the key's part with positions is normalised */
    bool no_wo;         /* ends before the last product */
    bool flat_q;        /* parts of the query are taken from its row as it is */
    pl_tid scale;       /* multiplied into the queries, or 0 */
};
pl_tid pl_b_latent(struct pl_build *b, pl_tid x, const struct pl_latent_use *use);

/* The matrix that turns what goes into a quantised cache, or 0; and x turned by it. */
pl_tid pl_b_rotation(struct pl_build *b, bool swa, bool of_k);
pl_tid pl_b_rotated(struct pl_build *b, pl_tid x, pl_tid rot);
/* Stores k and v, and gives what attention reads instead. */
struct pl_qkv pl_b_through_cache(struct pl_build *b, struct pl_qkv c, bool k_only);

/* graph_chosen.c: attention to the blocks that an indexer chose; x: what the layer reads. */
bool pl_b_chooses_blocks(const struct pl_build *b);
pl_tid pl_b_chosen_attention(struct pl_build *b, pl_tid x, struct pl_qkv a);

/* graph_sparse.c: the indexer's keys of this layer, and the mask that it makes of them; qr: the
 * compressed query. */
void pl_b_index_store(struct pl_build *b, pl_tid x);
pl_tid pl_b_index_mask(struct pl_build *b, pl_tid x, pl_tid qr);

#endif
