/* src/llama-model.cpp, load_tensors (layers, splits) and src/llama-model-loader.cpp, create_tensor
 * (which list of buffers a tensor takes, copies); which tensor belongs where: src/llama-arch.cpp,
 * LLM_TENSOR_INFOS. */
#include "engine/llamacpp/placement.h"

#include "base/checked.h"
#include "base/str.h"
#include "engine/llamacpp/pattern.h"
#include "engine/llamacpp/placement_rules.h"
#include "engine/llamacpp/placement_split.h"

#include <errno.h>
#include <string.h>

/* The share of each device: -ts, or its free memory. src/llama-model.cpp: sums, then parts, in
 * float: the same roundings decide where a layer falls. */
static int pl_place_shares(const struct pl_placement *p, const struct pl_settings *s,
                           const double *share, float *split, struct pl_err *err)
{
    double given[PL_PROPORTIONS_MAX];
    uint32_t n = p->devices.n;
    float sum = 0;
    bool all_zero = true;
    if (share == NULL && s->tensor_split != NULL) {
        int got = pl_llamacpp_numbers(s->tensor_split, given);
        for (int i = got > 0 ? got : 0; i < PL_PROPORTIONS_MAX; i++)
            given[i] = 0;
        share = given;
    }
    for (uint32_t i = 0; i < n && share != NULL; i++)
        all_zero = all_zero && !(share[i] > 0);
    for (uint32_t i = 0; i < n; i++) {
        struct pl_quantity room = p->devices.one[i].free;
        if (all_zero && n > 1 && !pl_known(room)) {
            (void)pl_fail(err, -ENOTSUP,
                          "cannot tell how the engine splits: the free memory of %s is unknown",
                          p->devices.one[i].pool);
            (void)pl_hint(err, "-ts says how");
            return pl_exit_as(err, -ENOTSUP, PL_EXIT_CANNOT_TELL);
        }
        sum += all_zero ? n > 1 ? (float)room.likely : 1.0f : (float)share[i];
        split[i] = sum;
    }
    for (uint32_t i = 0; i < n; i++)
        split[i] /= sum;
    return 0;
}

static void pl_place_layers(struct pl_placement *p, const float *split)
{
    uint64_t all = (uint64_t)p->n_layer + 1;
    uint64_t act = p->devices.n == 0 ? 0 : p->n_gpu_layers;
    uint64_t start = all - act;
    for (uint64_t il = 0; il < all; il++) {
        p->layer[il] = PL_PLACE_HOST;
        if (il < start || act == 0)
            continue;
        float at = (float)(il - start) / (float)act;
        uint32_t d = 0; /* std::upper_bound: the first that is greater */
        while (d + 1 < p->devices.n && !(split[d] > at))
            d++;
        p->layer[il] = (uint8_t)(d + 1);
    }
}

int pl_llamacpp_place(const struct pl_model *m, const struct pl_net *net,
                      const struct pl_settings *s, const struct pl_used_devices *all,
                      uint64_t n_gpu_layers, const double *share, struct pl_placement *ret,
                      struct pl_err *err)
{
    float split[PL_USED_DEVICES_MAX] = {0};
    struct pl_placement *p = ret;
    int rc = pl_llamacpp_devices_pick(all, s, s->devices, &p->devices, err);
    if (rc < 0)
        return rc;
    p->n_place = p->devices.n + 1;
    p->n_layer = net->n_layer_all;
    p->n_trunk = net->n_layer;
    p->n_gpu_layers = n_gpu_layers < (uint64_t)p->n_layer + 1 ? n_gpu_layers : p->n_layer + 1ull;
    p->n_gpu_layers = p->devices.n == 0 ? 0 : p->n_gpu_layers;
    p->kv_offload = s->kv_offload;
    /* a pinned host buffer comes before the CPU's own kinds in the list: make_cpu_buft_list */
    p->repack = s->repack;
    for (uint32_t i = p->devices.n; i-- > 0;) { /* a server's are not this host's */
        if (p->devices.one[i].backend != PL_BACKEND_RPC && !s->no_host)
            p->pinned = (uint8_t)(i + 1);
    }
    p->n_expert_used = net->n_expert_used;
    p->nextn = s->draft.types != NULL && strstr(s->draft.types, "mtp") != NULL;
    p->tied = net->tied;
    p->arch = m->arch;
    if (p->devices.n > 1 && (s->split_mode == PL_SPLIT_ROW || s->split_mode == PL_SPLIT_TENSOR))
        rc = pl_place_split(p, net, s, err);
    if (rc == 0 && p->split == PL_SPLIT_TENSOR)
        split[0] = 1; /* one device made of all */
    else if (rc == 0)
        rc = pl_place_shares(p, s, share, split, err);
    if (rc == 0) {
        pl_place_layers(p, split);
        rc = pl_place_rules(p, &s->overrides, all, err);
    }
    return rc;
}

void pl_placement_done(struct pl_placement *p)
{
    for (uint32_t i = 0; i < p->n_rule; i++)
        p->rule[i].pattern = pl_pattern_free(p->rule[i].pattern);
    p->n_rule = 0;
}

/* The number after the first dot that one follows: "blk.12.attn_q.weight" is 12. */
static bool pl_place_number(const char *name, uint64_t *ret)
{
    const char *dot = strchr(name, '.');
    while (dot != NULL) {
        size_t n = strspn(dot + 1, "0123456789");
        char digits[12];
        if (n > 0 && dot[1 + n] == '.' && pl_slice(digits, sizeof(digits), dot + 1, n))
            return pl_parse_u64(digits, ret);
        dot = strchr(dot + 1, '.');
    }
    return false;
}

/* ggml.h, enum ggml_type */
#define PL_TYPE_TQ1_0 34u
#define PL_TYPE_TQ2_0 35u

#define PL_TRIAL_TOKENS 512u

enum pl_home { PL_HOME_LAYER = 0, PL_HOME_INPUT, PL_HOME_OUTPUT, PL_HOME_EVERY, PL_HOME_NOWHERE };

/* What stands outside the layers; by the beginning of the name, up to a dot. */
static const struct {
    const char *name;
    enum pl_home home;
} pl_homes[] = {
    {"token_embd",            PL_HOME_INPUT  },
    {"position_embd",         PL_HOME_INPUT  },
    {"token_types",           PL_HOME_INPUT  },
    {"per_layer_token_embd",  PL_HOME_INPUT  },
    {"masked_embd_centroids", PL_HOME_NOWHERE}, /* GGML_OP_NONE: ignored */
    {"masked_embd_ordering",  PL_HOME_NOWHERE},
    {"rope_freqs",            PL_HOME_EVERY  },
    {"rope_factors_long",     PL_HOME_EVERY  },
    {"rope_factors_short",    PL_HOME_EVERY  },
    {"token_embd_norm",       PL_HOME_LAYER  }, /* of the first layer, not of the input */
    {"per_layer_model_proj",  PL_HOME_LAYER  },
    {"per_layer_proj_norm",   PL_HOME_LAYER  },
    {"conv1d",                PL_HOME_LAYER  },
};

static enum pl_home pl_place_home(const struct pl_placement *p, const char *name, uint64_t *ret_il)
{
    size_t n = strcspn(name, ".");
    *ret_il = 0;
    if (pl_place_number(name, ret_il))
        return PL_HOME_LAYER;
    /* src/llama-arch.cpp, LLM_TENSOR_OUTPUT_NORM_LFM2 carries the wrong name */
    bool lfm2 = pl_starts(p->arch, "lfm2");
    for (size_t i = 0; i < sizeof(pl_homes) / sizeof(pl_homes[0]); i++) {
        if (strlen(pl_homes[i].name) == n && strncmp(pl_homes[i].name, name, n) == 0)
            return lfm2 && pl_streq(pl_homes[i].name, "token_embd_norm") ? PL_HOME_OUTPUT
                                                                         : pl_homes[i].home;
    }
    return PL_HOME_OUTPUT;
}

/* The operands of a trial product with 512 tokens, as weight_buft_supported makes them; the largest
 * of them and the result. */
static uint64_t pl_place_operand(const struct pl_placement *p, const struct pl_tensor *t)
{
    uint64_t rows =
        PL_TRIAL_TOKENS * (t->n_dims > 2 && p->n_expert_used > 0 ? p->n_expert_used : 1);
    uint64_t widest = t->ne[0] > t->ne[1] ? t->ne[0] : t->ne[1];
    uint64_t vectors = pl_mul_sat(pl_mul_sat(widest, rows), sizeof(float));
    return t->bytes > vectors ? t->bytes : vectors;
}

/* Can the device's kernels use the tensor? Where not, it stays on the host (weight_buft_supported,
 * and supports_op of each backend). Ternary types have no kernels but the CPU's. The matrix of a
 * Mamba 1 scan: Vulkan has only Mamba 2's; CUDA has it for 16 states and heads in steps of 128. */
static bool pl_place_usable(const struct pl_placement *p, uint8_t place, const struct pl_tensor *t)
{
    if (place == PL_PLACE_HOST)
        return true;
    const struct pl_used_device *d = &p->devices.one[place - 1];
    if (d->backend == PL_BACKEND_RPC) /* what it can do is not asked */
        return true;
    if (t->type == PL_TYPE_TQ1_0 || t->type == PL_TYPE_TQ2_0)
        return false;
    if (d->range_max < UINT64_MAX && pl_place_operand(p, t) > d->range_max)
        return false;
    /* a delta net's decay has one dimension and is multiplied, not scanned */
    if (!pl_ends(t->name, ".ssm_a") || t->ne[0] == 1 || t->ne[1] == 1)
        return true;
    if (d->backend == PL_BACKEND_CUDA || d->backend == PL_BACKEND_ROCM)
        return t->ne[0] == 16 && t->ne[1] % 128 == 0;
    return d->backend != PL_BACKEND_VULKAN;
}

bool pl_place_repack(const struct pl_placement *p, const struct pl_tensor *t)
{
    return p->repack && (p->pinned == 0 || !pl_place_usable(p, p->pinned, t));
}

uint32_t pl_place_tensor(const struct pl_placement *p, const struct pl_tensor *t)
{
    uint64_t il = 0;
    uint32_t mask = 0;
    enum pl_home home = pl_place_home(p, t->name, &il);
    uint8_t place = 0, output = p->layer[p->n_layer];
    if (home == PL_HOME_LAYER && il >= p->n_layer) /* a decoder's, beyond the encoder's */
        il = p->n_layer > 0 ? p->n_layer - 1 : 0;
    else if (home == PL_HOME_LAYER && il >= p->n_trunk && !p->nextn)
        return 0; /* create_tensor, TENSOR_SKIP */
    if (home == PL_HOME_NOWHERE)
        return 0;
    if (pl_place_rule_of(p, t->name, &place))
        return 1u << place;
    switch (home) {
    case PL_HOME_LAYER:
        return 1u << (pl_place_usable(p, p->layer[il], t) ? p->layer[il] : PL_PLACE_HOST);
    case PL_HOME_OUTPUT:
        return 1u << (pl_place_usable(p, output, t) ? output : PL_PLACE_HOST);
    case PL_HOME_EVERY:
        for (uint32_t i = 0; i < p->n_trunk; i++)
            mask |= 1u << p->layer[i];
        return mask;
    case PL_HOME_INPUT:
        mask = 1u << PL_PLACE_HOST;
        if (p->tied && pl_streq(t->name, "token_embd.weight"))
            mask |= pl_place_usable(p, output, t) ? 1u << output : 0; /* TENSOR_DUPLICATED */
        return mask;
    case PL_HOME_NOWHERE:
        break;
    }
    return 0;
}

/* ggml-alloc.c: each tensor begins at a multiple of the buffer's alignment. */
static uint64_t pl_place_pad(const struct pl_placement *p, uint32_t place, uint64_t bytes)
{
    uint64_t padded = bytes;
    if (place == PL_PLACE_HOST || !pl_pad_u64(bytes, p->devices.one[place - 1].alignment, &padded))
        return 0;
    return padded - bytes;
}

void pl_place_sum(const struct pl_placement *p, const struct pl_model *m, const struct pl_net *net,
                  const struct pl_resolved *r, struct pl_placed *ret)
{
    *ret = (struct pl_placed){0};
    for (uint64_t i = 0; i < m->n_tensor; i++) {
        const struct pl_tensor *t = &m->tensor[i];
        uint32_t mask = pl_place_tensor(p, t);
        for (uint32_t k = 0; k < p->n_place; k++) {
            if ((mask >> k & 1) == 0)
                continue;
            if (k != PL_PLACE_HOST && p->split != PL_SPLIT_LAYER) {
                pl_place_share_tensor(p, m, net, t, (uint8_t)k, ret);
                continue;
            }
            ret->weights[k] = pl_add_sat(ret->weights[k], t->bytes);
            ret->padding[k] = pl_add_sat(ret->padding[k], pl_place_pad(p, k, t->bytes));
            ret->largest[k] = t->bytes > ret->largest[k] ? t->bytes : ret->largest[k];
        }
    }
    for (uint32_t il = 0; il < net->n_layer_all; il++) {
        struct pl_layer_cache c = pl_llamacpp_layer_cache(net, r, il);
        uint8_t k = pl_place_cache(p, il);
        if (k != PL_PLACE_HOST && p->split == PL_SPLIT_TENSOR) {
            pl_place_share_cache(p, m, net, il, c, ret);
            continue;
        }
        ret->kv[k] = pl_add_sat(ret->kv[k], pl_add_sat(c.global, c.window));
        ret->recurrent[k] = pl_add_sat(ret->recurrent[k], c.recurrent);
    }
}
