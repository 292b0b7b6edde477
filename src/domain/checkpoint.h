/* A model as the checkpoint of its makers holds it, which is what engines of the Python world load:
 * what each tensor is for, and the shapes that caches and activations follow from. Read from a
 * model of either naming: the checkpoint's own ("model.layers.0.self_attn.q_proj.weight") or GGUF's
 * ("blk.0.attn_q.weight", also of the catalogue). Pure. */
#ifndef PL_DOMAIN_CHECKPOINT_H
#define PL_DOMAIN_CHECKPOINT_H

#include "base/err.h"
#include "domain/model.h"

#define PL_CHECKPOINT_LAYERS_MAX 512

enum pl_role {
    PL_ROLE_LINEAR = 0, /* a matrix product with a weight of its own: what quantisers take */
    PL_ROLE_EXPERTS,    /* several such matrices stacked in one tensor */
    PL_ROLE_EMBEDDING,  /* a table that is looked up */
    PL_ROLE_HEAD,       /* the last product, to the vocabulary */
    PL_ROLE_OTHER,      /* norms, biases, convolutions, gates by channel */
    PL_ROLE_QUANT,      /* belongs to a weight that is stored quantised: scales, packed words */
    PL_ROLE_NONE,       /* not in a checkpoint: made at load */
    PL_ROLES,
};

struct pl_checkpoint {
    uint64_t n_layer, n_embd, n_head, n_vocab, n_ctx_train;
    uint64_t n_ff; /* the widest of a token's own: experts count as used ones together */
    uint64_t n_head_kv[PL_CHECKPOINT_LAYERS_MAX]; /* 0 = keeps no cache by token; MLA: all heads */
    bool window_of[PL_CHECKPOINT_LAYERS_MAX];     /* keeps `window` tokens at most */
    uint64_t head_dim_k, head_dim_v;
    uint64_t window;                      /* 0 = none */
    bool window_known;                    /* which layers have it is known */
    uint64_t latent, latent_rope;         /* of MLA, in elements by token and layer; 0 = none */
    uint64_t conv_state, recurrent_state; /* of a recurrent layer, in elements; 0 = none */
    uint64_t n_recurrent;
    uint64_t n_expert, n_expert_used;
    uint64_t parameters;   /* elements of what is no PL_ROLE_NONE or PL_ROLE_QUANT */
    bool tied;             /* no head of its own: the embedding serves */
    bool stored_quantised; /* its linear weights are packed by a quantiser already */
};

enum pl_role pl_checkpoint_role(const struct pl_tensor *t);

/* The head of a checkpoint that stores it although its config.json says that the embedding serves
 * for it: who loads it keeps one of the two. NULL when there is none such. */
const struct pl_tensor *pl_checkpoint_spare_head(const struct pl_model *m);

/* Elements of a tensor; 0 for one whose product does not fit, which readers refuse. */
uint64_t pl_tensor_elements(const struct pl_tensor *t);

/* -ENOTSUP (exit 3) when a shape that is needed is missing; -EBADMSG when there are too many
 * layers. */
int pl_checkpoint_read(const struct pl_model *m, struct pl_checkpoint *ret, struct pl_err *err);

/* Bytes that one sequence of n tokens keeps in caches whose elements have `bytes` bytes:
 * *ret_likely with windows kept where they are known to be, *ret_low and *ret_high where they are
 * not. */
void pl_checkpoint_kv(const struct pl_checkpoint *c, uint64_t n, uint64_t bytes, uint64_t *ret_low,
                      uint64_t *ret_likely, uint64_t *ret_high);

#endif
