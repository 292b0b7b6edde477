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

static bool pl_recurs(const struct pl_layer *l)
{
    return l->kind == PL_LAYER_RECURRENT || l->kind == PL_LAYER_BOTH;
}

/* Are states shared as get_split_segments shares those of a delta net? */
static bool pl_shares_states(const struct pl_net *net)
{
    return (net->arch->sharing == PL_SHARING_KEYS || net->arch->sharing == PL_SHARING_GROUPS) &&
           net->n_group > 0 && net->d_state > 0 && net->dt_rank >= net->n_group &&
           net->dt_rank % net->n_group == 0 && net->d_inner == net->dt_rank * net->d_state;
}

static int pl_split_tensor(const struct pl_net *net, const struct pl_settings *s,
                           struct pl_err *err)
{
    if (net->arch->sharing == PL_SHARING_REFUSED)
        return pl_split_refused(err, "tensor: not for architecture", net->arch->name);
    if (s->flash_attn == PL_OFF)
        return pl_split_refused(err, "tensor: not with", "-fa off");
    if (net->arch->sharing == PL_SHARING_VALUES)
        return pl_split_cannot(err, "how -sm tensor shares experts among the values");
    for (uint32_t il = 0; il < net->n_layer_all; il++) {
        bool states = net->layer[il].n_state > 0 && !pl_shares_states(net);
        if (states || net->layer[il].n_indexer > 0 || net->mla)
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
        same += net->layer[k].windowed == net->layer[il].windowed &&
                pl_recurs(&net->layer[k]) == pl_recurs(&net->layer[il]);
    return same % p->devices.n;
}

/* How a tensor is shared out: so many parts of so many steps; 0 = whole on every device. */
struct pl_cut {
    uint64_t whole, step;
};

/* A delta net's: whole heads of its state in blocks of its output matrix; of a group of values as
 * many as there are keys. */
struct pl_delta_steps {
    uint64_t keys, ratio; /* values of all keys; so many times as many of all values */
    uint64_t step;        /* of either */
    uint64_t heads;       /* of keys */
};

static struct pl_delta_steps pl_delta_steps(const struct pl_model *m, const struct pl_net *net,
                                            uint32_t il)
{
    uint64_t block = pl_block_of(m, il, "ssm_out");
    return (struct pl_delta_steps){
        .keys = pl_mul_sat(net->d_state, net->n_group),
        .ratio = net->dt_rank / net->n_group,
        .step = pl_lcm(pl_lcm(block > 0 ? block : 1, PL_STEP), net->d_state),
        .heads = net->n_group,
    };
}

static struct pl_cut pl_cut_delta(const struct pl_model *m, const struct pl_net *net,
                                  const struct pl_tensor *t, uint32_t il, const char *name)
{
    struct pl_delta_steps d = pl_delta_steps(m, net, il);
    bool groups = net->arch->sharing == PL_SHARING_GROUPS;
    uint64_t few = d.step / net->d_state; /* of one value a head */
    const struct {
        const char *name;
        struct pl_cut cut;
    } cuts[] = {
        {"attn_gate.weight", {groups ? d.keys : t->ne[1], d.step}},
        {"ssm_out.weight",   {groups ? d.keys : t->ne[0], d.step}},
        {"ssm_dt.bias",      {groups ? d.heads : t->ne[0], few}  },
        {"ssm_a",            {groups ? d.heads : t->ne[0], few}  },
        {"ssm_alpha.weight", {groups ? d.heads : t->ne[1], few}  },
        {"ssm_beta.weight",  {groups ? d.heads : t->ne[1], few}  },
        {"ssm_ba.weight",    {t->ne[1], 2 * few}                 },
    };
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        if (pl_streq(cuts[i].name, name))
            return cuts[i].cut;
    }
    return (struct pl_cut){0, 0};
}

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
    if (pl_recurs(l) && pl_shares_states(net)) {
        struct pl_cut delta = pl_cut_delta(m, net, t, il, name);
        if (delta.whole > 0)
            return delta;
    }
    uint64_t query = pl_shares_states(net) ? pl_lcm(2 * gqa * l->head_k, q) : q; /* and its gate */
    uint64_t heads = l->head_k > 0 ? q / (gqa * l->head_k) * gqa : 1;
    const struct {
        const char *name;
        struct pl_cut cut;
    } cuts[] = {
        {"attn_q.weight",           {t->ne[1], query}  },
        {"attn_q.bias",             {t->ne[0], query}  },
        {"attn_k.weight",           {t->ne[1], q / gqa}},
        {"attn_v.weight",           {t->ne[1], q / gqa}},
        {"attn_k.bias",             {t->ne[0], q / gqa}},
        {"attn_v.bias",             {t->ne[0], q / gqa}},
        {"attn_output.weight",      {t->ne[0], q}      },
        {"attn_sinks.weight",       {t->ne[0], heads}  },
        {"ffn_up.weight",           {up, ff}           },
        {"ffn_gate.weight",         {t->ne[1], ff}     },
        {"ffn_up_exps.weight",      {t->ne[1], ff}     },
        {"ffn_gate_exps.weight",    {t->ne[1], ff}     },
        {"ffn_gate_up_exps.weight", {t->ne[1] / 2, ff} },
        {"ffn_up.bias",             {t->ne[0], ff}     },
        {"ffn_gate.bias",           {t->ne[0], ff}     },
        {"ffn_up_exps.bias",        {t->ne[0], ff}     },
        {"ffn_gate_exps.bias",      {t->ne[0], ff}     },
        {"ffn_down.weight",         {t->ne[0], ff}     },
        {"ffn_down_exps.weight",    {t->ne[0], ff}     },
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
    uint64_t gqa = 1, other[PL_USED_DEVICES_MAX], turn = pl_turn(p, net, il);
    uint64_t step = pl_step_q(p, m, l, il, &gqa), step_other = step / gqa, twice = 1;
    uint64_t whole = (uint64_t)l->n_head * l->head_k, rest = (uint64_t)l->n_head_kv * l->head_k;
    if (pl_recurs(l) && pl_shares_states(net)) {
        struct pl_delta_steps d = pl_delta_steps(m, net, il);
        step = step_other = d.step;
        rest = d.keys;
        whole = pl_mul_sat(d.keys, d.ratio);
        if (net->arch->sharing == PL_SHARING_GROUPS) {
            whole = d.keys;
            twice = d.ratio;
        }
    }
    pl_shares(p, whole, step, turn, ret);
    pl_shares(p, rest, step_other, turn, other);
    for (uint32_t i = 0; i < p->devices.n; i++)
        ret[i] = pl_add_sat(pl_mul_sat(twice, ret[i]), 2 * other[i]);
    return pl_add_sat(pl_mul_sat(twice, whole), 2 * rest);
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
    bool several = strstr(t->name, ".attn_qkv.") != NULL ||
                   (strstr(t->name, ".ssm_conv1d.") != NULL && pl_shares_states(net));
    if (several && il < net->n_layer_all)
        cut.whole = pl_share_qkv(p, m, net, (uint32_t)il, part);
    else if (cut.whole > 0)
        pl_shares(p, cut.whole, cut.step, turn, part);
    for (uint32_t i = 0; i < p->devices.n; i++)
        pl_share_add(p, sum, i + 1,
                     cut.whole > 0 ? t->bytes / cut.whole * part[i] +
                                         t->bytes % cut.whole * part[i] / cut.whole
                                   : t->bytes);
}

static void pl_share_bytes(uint64_t bytes, uint64_t whole, uint64_t part, uint64_t *sum)
{
    *sum = pl_add_sat(*sum, bytes / whole * part + bytes % whole * part / whole);
}

/* Columns before the convolution, and the states of the recurrence: `bytes` of both. */
static void pl_share_state(const struct pl_placement *p, const struct pl_model *m,
                           const struct pl_net *net, uint32_t il, uint64_t bytes,
                           struct pl_placed *sum)
{
    uint64_t part[PL_USED_DEVICES_MAX], turn = pl_turn(p, net, il);
    uint64_t all = net->layer[il].n_state, states = pl_mul_sat(net->d_state, net->d_inner);
    struct pl_delta_steps d = pl_delta_steps(m, net, il);
    bool groups = net->arch->sharing == PL_SHARING_GROUPS;
    uint64_t columns = net->d_conv > 0 ? net->d_conv - 1 : 0, head = net->d_state;
    if (states > all || states == 0)
        return;
    uint64_t of_states = bytes / all * states, of_columns = bytes - of_states;
    uint64_t whole = groups ? pl_mul_sat(d.heads, head * head) : states;
    pl_shares(p, whole, pl_mul_sat(d.step, head), turn, part);
    for (uint32_t i = 0; i < p->devices.n; i++)
        pl_share_bytes(of_states, whole, part[i], &sum->recurrent[i + 1]);
    whole = groups ? pl_mul_sat(d.keys, columns) : all - states;
    if (whole == 0)
        return;
    pl_shares(p, whole, pl_mul_sat(d.step, columns), turn, part);
    for (uint32_t i = 0; i < p->devices.n; i++)
        pl_share_bytes(of_columns, whole, part[i], &sum->recurrent[i + 1]);
}

void pl_place_share_cache(const struct pl_placement *p, const struct pl_model *m,
                          const struct pl_net *net, uint32_t il, struct pl_layer_cache c,
                          struct pl_placed *sum)
{
    const struct pl_layer *l = &net->layer[il];
    uint64_t gqa = 1, part[PL_USED_DEVICES_MAX], q = pl_step_q(p, m, l, il, &gqa);
    uint64_t width = (uint64_t)l->n_head_kv * l->head_k, bytes = pl_add_sat(c.global, c.window);
    if (c.recurrent > 0 && l->n_state > 0 && pl_shares_states(net))
        pl_share_state(p, m, net, il, c.recurrent, sum);
    if (width == 0)
        return;
    pl_shares(p, width, q / gqa, pl_turn(p, net, il), part);
    for (uint32_t i = 0; i < p->devices.n; i++)
        pl_share_bytes(bytes, width, part[i], &sum->kv[i + 1]);
}
