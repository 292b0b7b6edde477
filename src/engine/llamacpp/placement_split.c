/* -sm tensor: src/llama-model.cpp, llama_meta_device_get_split_state: heads and the width of
 * feed-forwards are shared out in steps, the rest is kept on every device; the remainder goes round
 * from layer to layer. -sm row: ggml/src/ggml-cuda/ggml-cuda.cu,
 * ggml_backend_cuda_split_buffer_type: rows of matrices, in steps; seen by its source alone. */
#include "engine/llamacpp/placement_split.h"

#include "base/checked.h"
#include "base/str.h"
#include "domain/tensor_type.h"
#include "engine/llamacpp/settings.h"
#include "engine/llamacpp/weights.h"

#include <errno.h>
#include <string.h>

#define PL_STEP 128u /* columns that kernels like at once; rows of ggml-cuda, get_row_rounding */
#define PL_ROW_PADDING                                                                             \
    512u /* ggml-cuda.cu, MATRIX_ROW_PADDING: a split's last row is filled up                      \
          */

/* src/llama-arch.cpp, llm_arch_supports_sm_tensor */
static const char *const pl_unshared[] = {
    "grok",           "mpt",           "plamo2",    "minicpm3", "gemma3n",    "mamba",
    "mamba2",         "jamba",         "falcon-h1", "olmo2",    "olmoe",      "deepseek2",
    "deepseek32",     "deepseek4",     "glm-dsa",   "bitnet",   "t5",         "nemotron_h",
    "nemotron_h_moe", "granitehybrid", "lfm2",      "lfm2moe",  "minimax-m2", "minimax-m3",
    "mistral4",       "kimi-linear",   "qwen3tts",  "hy_v4"};

static int pl_split_refused(struct pl_err *err, const char *why, const char *name)
{
    (void)pl_fail(err, -EINVAL, "-sm %s '%s': the engine refuses it", why, name);
    (void)pl_hint(err, "-sm layer works everywhere");
    return pl_exit_as(err, -EINVAL, PL_EXIT_USAGE);
}

static int pl_split_cannot(struct pl_err *err, const char *what)
{
    (void)pl_fail(err, -ENOTSUP, "cannot tell: %s", what);
    (void)pl_hint(err, "-sm layer is predicted");
    return pl_exit_as(err, -ENOTSUP, PL_EXIT_CANNOT_TELL);
}

static int pl_split_tensor(const struct pl_net *net, const struct pl_settings *s,
                           struct pl_err *err)
{
    for (size_t i = 0; i < sizeof(pl_unshared) / sizeof(pl_unshared[0]); i++) {
        if (pl_streq(net->arch->name, pl_unshared[i]))
            return pl_split_refused(err, "tensor: not for architecture", net->arch->name);
    }
    if (s->flash_attn == PL_OFF)
        return pl_split_refused(err, "tensor: not with", "-fa off");
    if (pl_streq(net->arch->name, "k2-horizon")) /* src/models/k2-horizon.cpp, attn_v_exps */
        return pl_split_cannot(err, "how -sm tensor shares experts among the values");
    for (uint32_t il = 0; il < net->n_layer_all; il++) {
        if (net->layer[il].n_state > 0 || net->layer[il].n_indexer > 0 || net->mla)
            return pl_split_cannot(err, "how -sm tensor shares recurrent states, or compressed "
                                        "caches");
    }
    return 0;
}

int pl_place_split(struct pl_placement *p, const struct pl_net *net, const struct pl_settings *s,
                   struct pl_err *err)
{
    double given[PL_PROPORTIONS_MAX] = {0};
    int n = s->tensor_split != NULL ? pl_llamacpp_numbers(s->tensor_split, given) : 0;
    p->split = s->split_mode;
    if (p->split == PL_SPLIT_TENSOR) {
        int rc = pl_split_tensor(net, s, err);
        if (rc < 0)
            return rc;
    }
    for (uint32_t i = 0; i < p->devices.n; i++) {
        const struct pl_used_device *d = &p->devices.one[i];
        bool rows = d->backend == PL_BACKEND_CUDA || d->backend == PL_BACKEND_ROCM ||
                    d->backend == PL_BACKEND_SYCL || d->backend == PL_BACKEND_UNKNOWN;
        if (p->split == PL_SPLIT_ROW && !rows)
            return pl_split_refused(err, "row: no split buffers on", d->name);
        p->share[i] = (int)i < n ? (float)given[i] : 0;
        p->shared = p->shared || p->share[i] > 0;
    }
    for (uint32_t i = 0; p->split == PL_SPLIT_ROW && !p->shared && i < p->devices.n; i++) {
        if (!pl_known(p->devices.one[i].total)) /* default_tensor_split: by the devices' size */
            return pl_split_cannot(err, "how -sm row splits: the memory of a device is unknown");
        p->share[i] = (float)p->devices.one[i].total.likely;
    }
    p->shared = p->shared || p->split == PL_SPLIT_ROW;
    return 0;
}

/* llama_meta_device_get_split_state, its last loop: how much of `whole` each device gets. */
static void pl_shares(const struct pl_placement *p, uint64_t whole, uint64_t step, uint64_t turn,
                      uint64_t ret[PL_USED_DEVICES_MAX])
{
    uint64_t n = p->devices.n, low = 0, j = 0;
    float sum = 0, all = 0;
    for (uint64_t i = 0; i < n; i++)
        all += p->shared ? p->share[(i + turn) % n] : 0;
    for (; j + 1 < n; j++) {
        sum += p->shared ? p->share[(j + turn) % n] : 0;
        uint64_t high =
            p->shared ? (uint64_t)((float)whole * sum / all) : (uint64_t)(whole * (j + 1) / n);
        high = high > whole ? whole : high;
        high -= step > 0 ? high % step : 0;
        high = high < low ? low : high;
        ret[(j + turn) % n] = high - low;
        low = high;
    }
    ret[(j + turn) % n] = whole - low;
}

static uint64_t pl_gcd(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t t = a % b;
        a = b;
        b = t;
    }
    return a;
}

static uint64_t pl_lcm(uint64_t a, uint64_t b)
{
    return a == 0 || b == 0 ? 1 : pl_mul_sat(a / pl_gcd(a, b), b);
}

static uint64_t pl_block_of(const struct pl_model *m, uint32_t il, const char *name)
{
    char full[64];
    const struct pl_tensor *t = NULL;
    if (PL_FMT(full, "blk.%u.%s.weight", (unsigned)il, name))
        t = pl_model_tensor(m, full);
    const struct pl_tensor_type *type = t != NULL ? pl_tensor_type(t->type) : NULL;
    return type != NULL ? type->block_elements : 0;
}

/* granularity_q: whole groups of heads, more where devices are not starved by it */
static uint64_t pl_step_q(const struct pl_placement *p, const struct pl_model *m,
                          const struct pl_layer *l, uint32_t il, uint64_t *ret_gqa)
{
    uint64_t gqa = l->n_head_kv > 0 ? l->n_head / l->n_head_kv : 1;
    uint64_t group = gqa * l->head_k, step = pl_block_of(m, il, "attn_output");
    step = step > 0 ? step : 1;
    while (step < PL_STEP && step * p->devices.n < group)
        step *= 2;
    *ret_gqa = gqa > 0 ? gqa : 1;
    return pl_lcm(group, step);
}

/* get_il_eff: layers of the same kind before it */
static uint64_t pl_turn(const struct pl_placement *p, const struct pl_net *net, uint32_t il)
{
    uint64_t same = 0;
    for (uint32_t k = 0; k < il; k++)
        same += net->layer[k].windowed == net->layer[il].windowed;
    return same % p->devices.n;
}

/* How a tensor is shared out: so many parts of so many steps; 0 = whole on every device. */
struct pl_cut {
    uint64_t whole, step;
};

static struct pl_cut pl_cut_of(const struct pl_placement *p, const struct pl_model *m,
                               const struct pl_net *net, const struct pl_tensor *t, uint32_t il)
{
    const char *name = strchr(t->name + 4, '.') + 1;
    const struct pl_layer *l = &net->layer[il];
    uint64_t gqa = 1, q = pl_step_q(p, m, l, il, &gqa);
    uint64_t down = pl_block_of(m, il, "ffn_down"), exps = pl_block_of(m, il, "ffn_down_exps");
    uint64_t ff = pl_lcm(down > 0 ? down : exps, PL_STEP);
    /* some models keep the gate in the same tensor: halves, each shared out */
    uint64_t up = l->n_ff > 0 && t->ne[1] == 2ull * l->n_ff ? l->n_ff : t->ne[1];
    const struct {
        const char *name;
        struct pl_cut cut;
    } cuts[] = {
        {"attn_q.weight",           {t->ne[1], q}                          },
        {"attn_q.bias",             {t->ne[0], q}                          },
        {"attn_k.weight",           {t->ne[1], q / gqa}                    },
        {"attn_v.weight",           {t->ne[1], q / gqa}                    },
        {"attn_k.bias",             {t->ne[0], q / gqa}                    },
        {"attn_v.bias",             {t->ne[0], q / gqa}                    },
        {"attn_output.weight",      {t->ne[0], q}                          },
        {"attn_sinks.weight",       {t->ne[0], q / (gqa * l->head_k) * gqa}},
        {"ffn_up.weight",           {up, ff}                               },
        {"ffn_gate.weight",         {t->ne[1], ff}                         },
        {"ffn_up_exps.weight",      {t->ne[1], ff}                         },
        {"ffn_gate_exps.weight",    {t->ne[1], ff}                         },
        {"ffn_gate_up_exps.weight", {t->ne[1] / 2, ff}                     },
        {"ffn_up.bias",             {t->ne[0], ff}                         },
        {"ffn_gate.bias",           {t->ne[0], ff}                         },
        {"ffn_up_exps.bias",        {t->ne[0], ff}                         },
        {"ffn_gate_exps.bias",      {t->ne[0], ff}                         },
        {"ffn_down.weight",         {t->ne[0], ff}                         },
        {"ffn_down_exps.weight",    {t->ne[0], ff}                         },
    };
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        if (pl_streq(cuts[i].name, name))
            return cuts[i].cut;
    }
    return (struct pl_cut){0, 0};
}

/* Queries, keys and values in one tensor: each is shared out by itself. Returns all rows. */
static uint64_t pl_share_qkv(const struct pl_placement *p, const struct pl_model *m,
                             const struct pl_net *net, uint32_t il,
                             uint64_t ret[PL_USED_DEVICES_MAX])
{
    const struct pl_layer *l = &net->layer[il];
    uint64_t gqa = 1, kv[PL_USED_DEVICES_MAX], step = pl_step_q(p, m, l, il, &gqa);
    uint64_t q = (uint64_t)l->n_head * l->head_k, k = (uint64_t)l->n_head_kv * l->head_k;
    pl_shares(p, q, step, pl_turn(p, net, il), ret);
    pl_shares(p, k, step / gqa, pl_turn(p, net, il), kv);
    for (uint32_t i = 0; i < p->devices.n; i++)
        ret[i] += 2 * kv[i];
    return q + 2 * k;
}

static void pl_share_add(const struct pl_placement *p, struct pl_placed *sum, uint32_t k,
                         uint64_t bytes)
{
    uint64_t padded = bytes;
    (void)pl_pad_u64(bytes, p->devices.one[k - 1].alignment, &padded);
    sum->weights[k] = pl_add_sat(sum->weights[k], bytes);
    sum->padding[k] = pl_add_sat(sum->padding[k], padded - bytes);
    sum->largest[k] = bytes > sum->largest[k] ? bytes : sum->largest[k];
}

static void pl_share_rows(const struct pl_placement *p, const struct pl_tensor *t, uint8_t place,
                          struct pl_placed *sum)
{
    uint64_t part[PL_USED_DEVICES_MAX];
    bool matrix = t->n_dims == 2 && t->ne[1] > 1 && pl_ends(t->name, ".weight") &&
                  strstr(t->name, "token_embd") == NULL;
    if (!matrix) {
        pl_share_add(p, sum, place, t->bytes);
        return;
    }
    uint64_t row = t->bytes / t->ne[1];
    pl_shares(p, t->ne[1], PL_STEP, 0, part);
    for (uint32_t i = 0; i < p->devices.n; i++) {
        pl_share_add(p, sum, i + 1, part[i] * row);
        sum->slack[i + 1] =
            pl_add_sat(sum->slack[i + 1], pl_mul_sat(PL_STEP, row) + PL_ROW_PADDING);
    }
}

void pl_place_share_tensor(const struct pl_placement *p, const struct pl_model *m,
                           const struct pl_net *net, const struct pl_tensor *t, uint8_t place,
                           struct pl_placed *sum)
{
    uint64_t il = 0, part[PL_USED_DEVICES_MAX], turn = net->n_layer % p->devices.n;
    struct pl_cut cut = {0, 0};
    if (p->split == PL_SPLIT_ROW) {
        pl_share_rows(p, t, place, sum);
        return;
    }
    if (pl_streq(t->name, "output.weight")) {
        cut = (struct pl_cut){t->ne[1], 1};
    } else if (pl_tensor_layer(t->name, &il) && il < net->n_layer_all) {
        cut = pl_cut_of(p, m, net, t, (uint32_t)il);
        turn = pl_turn(p, net, (uint32_t)il);
    }
    if (strstr(t->name, ".attn_qkv.") != NULL && il < net->n_layer_all)
        cut.whole = pl_share_qkv(p, m, net, (uint32_t)il, part);
    else if (cut.whole > 0)
        pl_shares(p, cut.whole, cut.step, turn, part);
    for (uint32_t i = 0; i < p->devices.n; i++)
        pl_share_add(p, sum, i + 1,
                     cut.whole > 0 ? t->bytes / cut.whole * part[i] +
                                         t->bytes % cut.whole * part[i] / cut.whole
                                   : t->bytes);
}

void pl_place_share_cache(const struct pl_placement *p, const struct pl_model *m,
                          const struct pl_net *net, uint32_t il, uint64_t bytes,
                          struct pl_placed *sum)
{
    const struct pl_layer *l = &net->layer[il];
    uint64_t gqa = 1, part[PL_USED_DEVICES_MAX], q = pl_step_q(p, m, l, il, &gqa);
    uint64_t width = (uint64_t)l->n_head_kv * l->head_k;
    if (width == 0)
        return;
    pl_shares(p, width, q / gqa, pl_turn(p, net, il), part);
    for (uint32_t i = 0; i < p->devices.n; i++)
        sum->kv[i + 1] =
            pl_add_sat(sum->kv[i + 1], bytes / width * part[i] + bytes % width * part[i] / width);
}
