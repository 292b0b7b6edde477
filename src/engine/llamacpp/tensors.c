/* Names and shapes from src/models/{llama,qwen2,qwen3,mistral3}.cpp, load_arch_tensors, and
 * src/llama-model.cpp, create_tensor_qkv. */
#include "engine/llamacpp/tensors.h"

#include "base/str.h"

#include <errno.h>
#include <string.h>

enum pl_width {
    PL_W_1 = 0,
    PL_W_EMBD,
    PL_W_FF,
    PL_W_Q,
    PL_W_K,
    PL_W_V,
    PL_W_HEAD,
    PL_W_VOCAB,
    PL_W_ANY
};
enum pl_need { PL_NEEDED = 0, PL_QK_NORM, PL_USUAL, PL_ODD };

struct pl_shape {
    const char *name; /* within its layer, where it has one */
    enum pl_width ne0, ne1;
    enum pl_need need;
};

static const struct pl_shape pl_layer_shapes[] = {
    {"attn_norm.weight",   PL_W_EMBD, PL_W_1,    PL_NEEDED },
    {"attn_q.weight",      PL_W_EMBD, PL_W_Q,    PL_NEEDED },
    {"attn_k.weight",      PL_W_EMBD, PL_W_K,    PL_NEEDED },
    {"attn_v.weight",      PL_W_EMBD, PL_W_V,    PL_NEEDED },
    {"attn_output.weight", PL_W_Q,    PL_W_EMBD, PL_NEEDED },
    {"ffn_norm.weight",    PL_W_EMBD, PL_W_1,    PL_NEEDED },
    {"ffn_gate.weight",    PL_W_EMBD, PL_W_FF,   PL_NEEDED },
    {"ffn_up.weight",      PL_W_EMBD, PL_W_FF,   PL_NEEDED },
    {"ffn_down.weight",    PL_W_FF,   PL_W_EMBD, PL_NEEDED },
    {"attn_q_norm.weight", PL_W_HEAD, PL_W_1,    PL_QK_NORM},
    {"attn_k_norm.weight", PL_W_HEAD, PL_W_1,    PL_QK_NORM},
    {"attn_q.bias",        PL_W_Q,    PL_W_1,    PL_USUAL  },
    {"attn_k.bias",        PL_W_K,    PL_W_1,    PL_USUAL  },
    {"attn_v.bias",        PL_W_V,    PL_W_1,    PL_USUAL  },
    {"attn_output.bias",   PL_W_EMBD, PL_W_1,    PL_ODD    },
    {"ffn_gate.bias",      PL_W_FF,   PL_W_1,    PL_ODD    },
    {"ffn_up.bias",        PL_W_FF,   PL_W_1,    PL_ODD    },
    {"ffn_down.bias",      PL_W_EMBD, PL_W_1,    PL_ODD    },
};
#define PL_LAYER_SHAPES (sizeof(pl_layer_shapes) / sizeof(pl_layer_shapes[0]))

static const struct pl_shape pl_model_shapes[] = {
    {"token_embd.weight",         PL_W_EMBD,  PL_W_VOCAB, PL_NEEDED},
    {"output_norm.weight",        PL_W_EMBD,  PL_W_1,     PL_NEEDED},
    {"output.weight",             PL_W_EMBD,  PL_W_VOCAB, PL_USUAL },
    {"rope_freqs.weight",         PL_W_ANY,   PL_W_1,     PL_USUAL },
    {"rope_factors_long.weight",  PL_W_ANY,   PL_W_1,     PL_USUAL },
    {"rope_factors_short.weight", PL_W_ANY,   PL_W_1,     PL_USUAL },
    {"output.bias",               PL_W_VOCAB, PL_W_1,     PL_ODD   },
    {"cls.output.weight",         PL_W_ANY,   PL_W_ANY,   PL_ODD   },
};
#define PL_MODEL_SHAPES (sizeof(pl_model_shapes) / sizeof(pl_model_shapes[0]))

struct pl_tally {
    const struct pl_geometry *g;
    uint64_t layer[PL_LAYER_SHAPES], model[PL_MODEL_SHAPES];
    bool plain;
};

/* The widths are under 2^24 each (resolve.c), so no product overflows. */
static uint64_t pl_width_of(const struct pl_geometry *g, enum pl_width w)
{
    const uint64_t widths[] = {
        [PL_W_1] = 1,
        [PL_W_EMBD] = g->n_embd,
        [PL_W_FF] = g->n_ff,
        [PL_W_Q] = g->head_k * g->n_head,
        [PL_W_K] = g->head_k * g->n_head_kv,
        [PL_W_V] = g->head_v * g->n_head_kv,
        [PL_W_HEAD] = g->head_k,
        [PL_W_VOCAB] = g->n_vocab,
        [PL_W_ANY] = 0,
    };
    return widths[w];
}

/* "blk.12.attn_q.weight" -> "attn_q.weight" and 12; the whole name outside the layers. */
static const char *pl_name_in_layer(const char *name, bool *ret_layer, uint64_t *ret_il)
{
    const char *dot = pl_starts(name, "blk.") ? strchr(name + 4, '.') : NULL;
    char number[12];
    *ret_layer = false;
    if (dot == NULL || !pl_slice(number, sizeof(number), name + 4, (size_t)(dot - name) - 4) ||
        !pl_parse_u64(number, ret_il) || (number[0] == '0' && number[1] != '\0'))
        return name;
    *ret_layer = true;
    return dot + 1;
}

static const struct pl_shape *pl_shape_find(const struct pl_shape *table, size_t n,
                                            const char *name, size_t *ret_at)
{
    for (*ret_at = 0; *ret_at < n; ++*ret_at) {
        if (pl_streq(table[*ret_at].name, name))
            return &table[*ret_at];
    }
    return NULL;
}

static bool pl_shape_fits(const struct pl_shape *s, const struct pl_geometry *g,
                          const struct pl_tensor *t)
{
    uint64_t a = pl_width_of(g, s->ne0), b = pl_width_of(g, s->ne1);
    return (a == 0 || t->ne[0] == a) && (b == 0 || t->ne[1] == b) && t->ne[2] == 1 && t->ne[3] == 1;
}

static int pl_tensor_bad(const struct pl_model *m, struct pl_err *err, const char *name,
                         const char *what)
{
    (void)pl_fail(err, -EBADMSG, "tensor %.60s %s: the engine refuses such a file", name, what);
    pl_err_at(err, m->path, 0, 0);
    return -EBADMSG;
}

static int pl_tensor_count(struct pl_tally *y, const struct pl_model *m, const struct pl_tensor *t,
                           struct pl_err *err)
{
    bool layer = false;
    uint64_t il = 0;
    size_t at = 0;
    const char *name = pl_name_in_layer(t->name, &layer, &il);
    const struct pl_shape *s = layer ? pl_shape_find(pl_layer_shapes, PL_LAYER_SHAPES, name, &at)
                                     : pl_shape_find(pl_model_shapes, PL_MODEL_SHAPES, name, &at);
    /* one number each that a product is multiplied with (llama-graph.cpp, build_lora_mm) */
    bool scale = pl_ends(name, ".scale") || pl_ends(name, ".input_scale");
    if (s == NULL && scale && t->ne[0] == 1) {
        y->plain = false;
        return 0;
    }
    if (s == NULL || (s->need == PL_QK_NORM && !y->g->qk_norm)) {
        (void)pl_fail(err, -ENOTSUP, "cannot tell: tensor %.60s is not part of a predicted graph",
                      t->name);
        return pl_exit_as(err, -ENOTSUP, PL_EXIT_CANNOT_TELL);
    }
    if (layer && il >= y->g->n_layer)
        return pl_tensor_bad(m, err, t->name, "lies beyond the last layer");
    if (!pl_shape_fits(s, y->g, t))
        return pl_tensor_bad(m, err, t->name, "has another shape than the header says");
    y->plain = y->plain && s->need != PL_ODD;
    if (layer)
        y->layer[at]++;
    else
        y->model[at]++;
    return 0;
}

int pl_llamacpp_tensors(const struct pl_model *m, const struct pl_geometry *g, bool *ret_plain,
                        struct pl_err *err)
{
    struct pl_tally y = {.g = g, .plain = true};
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        int rc = pl_tensor_count(&y, m, &m->tensor[i], err);
        if (rc < 0)
            return rc;
    }
    /* names are unique (the reader), so a count of one per layer means that each layer has it */
    for (size_t i = 0; i < PL_LAYER_SHAPES; i++) {
        enum pl_need need = pl_layer_shapes[i].need;
        if (y.layer[i] < g->n_layer && (need == PL_NEEDED || (need == PL_QK_NORM && g->qk_norm)))
            return pl_tensor_bad(m, err, pl_layer_shapes[i].name, "is missing in a layer");
    }
    for (size_t i = 0; i < PL_MODEL_SHAPES; i++) {
        if (pl_model_shapes[i].need == PL_NEEDED && y.model[i] == 0)
            return pl_tensor_bad(m, err, pl_model_shapes[i].name, "is missing");
    }
    *ret_plain = y.plain;
    return 0;
}
