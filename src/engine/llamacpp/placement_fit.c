#include "engine/llamacpp/placement_fit.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "engine/llamacpp/placement_rules.h"
#include "engine/llamacpp/resolve.h"

#include <errno.h>
#include <string.h>

#define PL_FIT_MARGIN PL_GIB /* common/common.h, fit_params_target */

struct pl_search {
    const struct pl_model *m;
    const struct pl_net *net;
    const struct pl_settings *s;
    const struct pl_used_devices *all;
    const struct pl_fit_compute *compute;
    struct pl_used_devices used;
    struct pl_resolved r;
    int64_t target[PL_USED_DEVICES_MAX]; /* most it may take: free less the margin */
    uint64_t most;                       /* layers, the output included */
    struct pl_err *err;
};

int pl_llamacpp_place_fit(const struct pl_model *m, const struct pl_net *net,
                          const struct pl_settings *s, const struct pl_used_devices *all,
                          const struct pl_fit *fit, struct pl_placement *ret, struct pl_err *err)
{
    bool shared = false;
    for (uint32_t i = 0; i < PL_USED_DEVICES_MAX; i++)
        shared = shared || fit->share[i] > 0;
    int rc =
        pl_llamacpp_place(m, net, s, all, fit->n_gpu_layers, shared ? fit->share : NULL, ret, err);
    if (rc == 0 && fit->pattern[0] != '\0')
        rc = pl_place_rule_pattern(ret, fit->pattern, err);
    if (rc == 0 && fit->n_part > 0)
        rc = pl_place_rule_experts(ret, fit->part_from, fit->n_part, err);
    return rc;
}

/* Bytes of every device under f; false when that is not known. */
static bool pl_fit_memory(const struct pl_search *q, const struct pl_fit *f,
                          int64_t mem[PL_USED_DEVICES_MAX])
{
    struct pl_placement place = {0};
    struct pl_placed sum;
    uint64_t compute = 0;
    bool known = q->compute->bytes(q->compute->ctx, &q->r, &compute) &&
                 pl_llamacpp_place_fit(q->m, q->net, q->s, q->all, f, &place, q->err) == 0;
    if (known) {
        pl_place_sum(&place, q->m, q->net, &q->r, &sum);
        for (uint32_t i = 0; i < q->used.n; i++) {
            uint64_t b =
                pl_add_sat(pl_add_sat(sum.weights[i + 1], sum.padding[i + 1]),
                           pl_add_sat(pl_add_sat(sum.kv[i + 1], sum.recurrent[i + 1]), compute));
            mem[i] = b > INT64_MAX / 32 ? INT64_MAX / 32 : (int64_t)b;
        }
    }
    pl_placement_done(&place);
    return known;
}

static int64_t pl_fit_sum(const int64_t *v, uint32_t n)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += v[i];
    return sum;
}

static bool pl_fit_fits(const struct pl_search *q, const int64_t *mem)
{
    for (uint32_t i = 0; i < q->used.n; i++) {
        if (mem[i] > q->target[i])
            return false;
    }
    return true;
}

/* Step 2: between the least context and the model's own, by the line through both. */
static bool pl_fit_context(struct pl_search *q, struct pl_fit *f, int64_t *mem)
{
    int64_t full = pl_fit_sum(mem, q->used.n), goal = pl_fit_sum(q->target, q->used.n);
    int64_t train = (int64_t)q->net->n_ctx_train, least = (int64_t)q->s->fit_ctx;
    struct pl_settings at = *q->s;
    if (q->s->n_ctx > 0 || q->s->n_ctx_slot_max > 0 || train <= least || goal >= full || least == 0)
        return true;
    at.n_ctx = (uint64_t)least;
    if (pl_llamacpp_resolve(&at, q->net, &q->r, q->err) < 0 || !pl_fit_memory(q, f, mem))
        return false;
    int64_t small = pl_fit_sum(mem, q->used.n), n = least;
    if (q->used.n > 1) /* half a layer or tensor wasted on each device, and a little more */
        goal -=
            (int64_t)(q->used.n + 1) * (full / (int64_t)q->most) / (q->net->n_expert == 0 ? 2 : 6);
    if (goal > small && full > small) {
        n += (int64_t)((double)(train - least) * (double)(goal - small) / (double)(full - small));
        n -= n % 256;
        n = n > least ? n : least;
    }
    f->n_ctx = at.n_ctx = (uint64_t)n;
    f->changed = true;
    return pl_llamacpp_resolve(&at, q->net, &q->r, q->err) == 0 && pl_fit_memory(q, f, mem);
}

/* Layers per device and how many of them keep their experts on the host. */
struct pl_fit_layers {
    uint64_t n[PL_USED_DEVICES_MAX], part[PL_USED_DEVICES_MAX];
};

static void pl_fit_take(const struct pl_search *q, const struct pl_fit_layers *l, struct pl_fit *f)
{
    f->n_gpu_layers = f->n_part = 0;
    for (uint32_t i = 0; i < q->used.n; i++) {
        f->n_gpu_layers += l->n[i];
        f->share[i] = q->used.n > 1 ? (double)l->n[i] : 0;
    }
    /* one device: the partial ones follow the full ones; the output is full and last */
    if (l->part[0] > 0) {
        f->n_part = l->part[0];
        f->part_from = q->most - f->n_gpu_layers + (l->n[0] - l->part[0]);
        if (q->net->n_expert > 0 && f->part_from + f->n_part > q->most - 1 && f->part_from > 0)
            f->part_from--; /* counted with the output */
    }
}

static bool pl_fit_measure(struct pl_search *q, const struct pl_fit_layers *l, struct pl_fit *f,
                           int64_t *mem)
{
    pl_fit_take(q, l, f);
    return pl_fit_memory(q, f, mem);
}

static uint64_t pl_fit_step(uint64_t delta, int64_t target, int64_t low, int64_t high)
{
    double at = high > low ? (double)delta * (double)(target - low) / (double)(high - low) : 1;
    uint64_t step = at >= 1 ? (uint64_t)at : 1;
    return step > delta - 1 ? delta - 1 : step;
}

/* Step 3: fills device d with layers from the back by false position; with experts (dense_only)
 * they stay on the host. */
static bool pl_fit_fill(struct pl_search *q, struct pl_fit_layers *low, uint32_t d, bool dense_only,
                        struct pl_fit *f)
{
    int64_t mem[PL_USED_DEVICES_MAX], mem_high[PL_USED_DEVICES_MAX], test[PL_USED_DEVICES_MAX];
    struct pl_fit_layers high = *low;
    uint64_t free_layers = q->most;
    for (uint32_t k = d + 1; k < q->used.n; k++)
        free_layers -= low->n[k];
    high.n[d] = free_layers;
    high.part[d] = dense_only && free_layers > 0 ? free_layers - 1 : 0;
    if (!pl_fit_measure(q, low, f, mem) || !pl_fit_measure(q, &high, f, mem_high))
        return false;
    if (mem_high[d] <= q->target[d]) {
        *low = high;
        return true;
    }
    while (high.n[d] - low->n[d] > 1) {
        uint64_t step = pl_fit_step(high.n[d] - low->n[d], q->target[d], mem[d], mem_high[d]);
        struct pl_fit_layers next = *low;
        next.n[d] += step;
        next.part[d] = dense_only ? next.n[d] - 1 : 0;
        if (!pl_fit_measure(q, &next, f, test))
            return false;
        if (test[d] <= q->target[d]) {
            *low = next;
            memcpy(mem, test, sizeof(mem));
        } else {
            high = next;
            memcpy(mem_high, test, sizeof(mem_high));
        }
    }
    return true;
}

/* Step 4, on one device: brings experts back from the front, then part of one more layer. */
static bool pl_fit_experts(struct pl_search *q, struct pl_fit_layers *low, struct pl_fit *f)
{
    static const char *const fractions[] = {"(gate|gate_up|down)", "down"};
    int64_t mem[PL_USED_DEVICES_MAX], mem_high[PL_USED_DEVICES_MAX], test[PL_USED_DEVICES_MAX];
    struct pl_fit_layers high = *low;
    high.part[0] = 0;
    if (!pl_fit_measure(q, low, f, mem) || !pl_fit_measure(q, &high, f, mem_high))
        return false;
    if (mem_high[0] <= q->target[0]) {
        *low = high;
        return true;
    }
    while (low->part[0] - high.part[0] > 1) {
        uint64_t step = pl_fit_step(low->part[0] - high.part[0], q->target[0], mem[0], mem_high[0]);
        struct pl_fit_layers next = *low;
        next.part[0] -= step;
        if (!pl_fit_measure(q, &next, f, test))
            return false;
        if (test[0] <= q->target[0]) {
            *low = next;
            memcpy(mem, test, sizeof(mem));
        } else {
            high = next;
            memcpy(mem_high, test, sizeof(mem_high));
        }
    }
    pl_fit_take(q, low, f);
    for (size_t i = 0; i < 2 && low->part[0] > 0; i++) {
        struct pl_fit more = *f;
        uint64_t il = more.pattern[0] == '\0' ? more.part_from : more.part_from - 1;
        (void)PL_FMT(more.pattern, "blk\\.%llu\\.ffn_%s.*", (unsigned long long)il, fractions[i]);
        if (f->pattern[0] == '\0') {
            more.part_from++;
            more.n_part--;
        }
        if (!pl_fit_memory(q, &more, test))
            return false;
        if (test[0] >= q->target[0])
            break;
        *f = more;
    }
    return true;
}

static bool pl_fit_layers(struct pl_search *q, struct pl_fit *f)
{
    struct pl_fit_layers l = {{0}, {0}};
    bool experts = q->net->n_expert > 0;
    for (uint32_t i = q->used.n; i-- > 0;) {
        if (!pl_fit_fill(q, &l, i, experts, f))
            return false;
    }
    f->changed = true;
    if (experts && l.n[0] == q->most)
        return pl_fit_experts(q, &l, f);
    pl_fit_take(q, &l, f);
    return true;
}

static bool pl_fit_targets(struct pl_search *q)
{
    double given[PL_PROPORTIONS_MAX];
    int n = q->s->fit_target != NULL ? pl_llamacpp_numbers(q->s->fit_target, given) : 0;
    for (uint32_t i = 0; i < q->used.n; i++) {
        struct pl_quantity room = q->used.one[i].free;
        int64_t margin = (int64_t)PL_FIT_MARGIN;
        if (n > 0)
            margin = (int64_t)given[n == 1 ? 0 : (int)i < n ? (int)i : n - 1] * (int64_t)PL_MIB;
        if (!pl_known(room) || room.likely > INT64_MAX / 32)
            return false;
        if (q->used.one[i].reserved > INT64_MAX / 32)
            return false;
        q->target[i] = (int64_t)room.likely - margin - (int64_t)q->used.one[i].reserved;
    }
    return true;
}

static void pl_fit_say(const struct pl_search *q, struct pl_fit *f)
{
    char context[64] = "";
    if (!f->changed)
        return;
    if (f->n_ctx > 0)
        (void)PL_FMT(context, "a context of about %llu, ", (unsigned long long)f->n_ctx);
    (void)PL_FMT(f->text,
                 "the engine fits what is left open: %sabout %llu of %llu layers on devices%s",
                 context, (unsigned long long)f->n_gpu_layers, (unsigned long long)q->most,
                 f->n_part > 0 ? ", experts of some on the host" : "");
}

int pl_llamacpp_fit(const struct pl_model *m, const struct pl_net *net, const struct pl_settings *s,
                    const struct pl_used_devices *all, const struct pl_fit_compute *compute,
                    struct pl_fit *ret, struct pl_err *err)
{
    int64_t mem[PL_USED_DEVICES_MAX] = {0};
    struct pl_search q = {.m = m,
                          .net = net,
                          .s = s,
                          .all = all,
                          .compute = compute,
                          .most = net->n_layer_all + 1ull};
    bool open = s->n_gpu_layers < 0;
    *ret = (struct pl_fit){.n_gpu_layers = open ? q.most : (uint64_t)s->n_gpu_layers};
    int rc = pl_llamacpp_devices_pick(all, s, s->devices, &q.used, err);
    if (rc == 0)
        rc = pl_llamacpp_resolve(s, net, &q.r, err);
    if (rc < 0 || q.used.n == 0 || !s->fit || s->split_mode == PL_SPLIT_TENSOR)
        return rc;
    if (!pl_fit_targets(&q) || !pl_fit_memory(&q, ret, mem)) {
        (void)PL_FMT(ret->text, "%s",
                     open ? "what the engine's fitting would change cannot be told here" : "");
        return 0;
    }
    if (pl_fit_fits(&q, mem))
        return 0;
    struct pl_fit before = *ret;
    bool known = pl_fit_context(&q, ret, mem);
    /* what the user has decided the engine leaves alone, and goes on */
    bool given = !open || s->tensor_split != NULL || s->overrides.n > 0 ||
                 (q.used.n > 1 && s->split_mode == PL_SPLIT_ROW);
    if (known && !given && !pl_fit_fits(&q, mem)) {
        if (q.used.n > 1 && net->n_expert > 0)
            known = false;
        else
            known = pl_fit_layers(&q, ret);
    }
    if (!known) {
        *ret = before;
        (void)PL_FMT(ret->text, "what the engine's fitting would change cannot be told here");
        return 0;
    }
    pl_fit_say(&q, ret);
    return 0;
}
