#include "domain/footprint.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *pl_part_name(enum pl_part part)
{
    static const char *const names[PL_PARTS] = {
        [PL_PART_WEIGHTS] = "weights",     [PL_PART_KV] = "kv",
        [PL_PART_RECURRENT] = "recurrent", [PL_PART_COMPUTE] = "compute",
        [PL_PART_OUTPUT] = "output",       [PL_PART_RUNTIME] = "runtime",
        [PL_PART_REPACK] = "repack",       [PL_PART_PROMPT_CACHE] = "prompt_cache",
        [PL_PART_PROJECTOR] = "projector", [PL_PART_DRAFT] = "draft",
        [PL_PART_EXTRA] = "extra",
    };
    return names[part];
}

const char *pl_hold_name(enum pl_hold hold)
{
    static const char *const names[PL_HOLDS] = {"anon", "locked", "file_hot", "file_cold"};
    return names[hold];
}

const char *pl_verdict_name(enum pl_verdict verdict)
{
    static const char *const names[] = {"safe", "constrained", "fragile", "does_not_fit",
                                        "cannot_tell"};
    return names[verdict];
}

static void pl_because(struct pl_judgement *j, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void pl_because(struct pl_judgement *j, const char *fmt, ...)
{
    if (j->n_reason >= PL_REASONS_MAX)
        return;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(j->reason[j->n_reason++], PL_REASON_TEXT_MAX, fmt, ap);
    va_end(ap);
}

/* label: the pool as it is called in the reasons, with who shares it. */
static enum pl_verdict pl_judge_pool(const struct pl_pool_footprint *f, const char *label,
                                     const struct pl_machine *m, struct pl_judgement *j)
{
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX];
    struct pl_quantity room = pl_machine_available(m, f->pool);
    if (!pl_known(room)) {
        pl_because(j, "%s: available memory is unknown%s%s", label, room.why != NULL ? ": " : "",
                   room.why != NULL ? room.why : "");
        return PL_VERDICT_CANNOT_TELL;
    }
    if (!pl_known(f->steady) || !pl_known(f->load_peak)) {
        pl_because(j, "%s: a part of the footprint is unknown", label);
        return PL_VERDICT_CANNOT_TELL;
    }
    uint64_t have = room.low;
    uint64_t high = f->steady.high > f->load_peak.high ? f->steady.high : f->load_peak.high;
    uint64_t likely =
        f->steady.likely > f->load_peak.likely ? f->steady.likely : f->load_peak.likely;
    if (f->largest_allocation.likely > 0) {
        const struct pl_pool *p = pl_machine_pool_const(m, f->pool);
        if (p != NULL && pl_known(p->largest_allocation) &&
            p->largest_allocation.high < f->largest_allocation.likely) {
            pl_because(j, "%s: needs one block of %s, the largest possible is %s", label,
                       pl_size_text(f->largest_allocation.likely, a),
                       pl_size_text(p->largest_allocation.high, b));
            return PL_VERDICT_DOES_NOT_FIT;
        }
    }
    if (likely > have) {
        pl_because(j, "%s: needs %s, %s available: %s short", label, pl_size_text(likely, a),
                   pl_size_text(have, b), pl_size_text(likely - have, (char[PL_SIZE_TEXT_MAX]){0}));
        return PL_VERDICT_DOES_NOT_FIT;
    }
    if (high > have) {
        pl_because(j, "%s: likely %s fits, but it may reach %s and %s is available", label,
                   pl_size_text(likely, a), pl_size_text(high, b),
                   pl_size_text(have, (char[PL_SIZE_TEXT_MAX]){0}));
        return PL_VERDICT_FRAGILE;
    }
    uint64_t cache = f->part[PL_PART_PROMPT_CACHE].high;
    if (cache > have - high && f->checkpoints > have - high) {
        pl_because(j,
                   "%s: checkpoints of prompts may grow to %s; keep fewer with --ctx-checkpoints",
                   label, pl_size_text(f->checkpoints, a));
        return PL_VERDICT_CONSTRAINED;
    }
    if (cache > have - high) {
        pl_because(j, "%s: the prompt cache may grow to %s; cap it with --cache-ram %llu", label,
                   pl_size_text(cache, a),
                   (unsigned long long)((have - high - f->checkpoints) / PL_MIB));
        return PL_VERDICT_CONSTRAINED;
    }
    return PL_VERDICT_SAFE;
}

/* Is `name` the pool itself or one that its allocations are charged to as well? */
static bool pl_pool_charges(const struct pl_machine *m, const char *pool, const char *name)
{
    const struct pl_pool *p = pl_machine_pool_const(m, pool);
    for (uint32_t depth = 0; p != NULL && depth < PL_POOLS_MAX; depth++) {
        if (pl_streq(p->name, name))
            return true;
        p = p->parent[0] != '\0' ? pl_machine_pool_const(m, p->parent) : NULL;
    }
    return false;
}

/* What several pools of the footprint charge to one: all must fit it together. */
static enum pl_verdict pl_judge_shared(const struct pl_footprint *f, const struct pl_pool *shared,
                                       const struct pl_machine *m, struct pl_judgement *j)
{
    struct pl_pool_footprint all = {.kind = shared->kind};
    char label[PL_POOL_NAME_MAX * 5] = "";
    uint32_t n = 0;
    (void)snprintf(all.pool, sizeof(all.pool), "%s", shared->name);
    for (uint32_t i = 0; i < f->n_pool; i++) {
        const struct pl_pool_footprint *p = &f->pool[i];
        if (!pl_pool_charges(m, p->pool, shared->name))
            continue;
        size_t used = strlen(label);
        (void)snprintf(label + used, sizeof(label) - used, "%s%s", n > 0 ? " + " : "", p->pool);
        all.steady = n == 0 ? p->steady : pl_plus(all.steady, p->steady);
        all.load_peak = n == 0 ? p->load_peak : pl_plus(all.load_peak, p->load_peak);
        struct pl_quantity cache = p->part[PL_PART_PROMPT_CACHE];
        all.part[PL_PART_PROMPT_CACHE] =
            n == 0 ? cache : pl_plus(all.part[PL_PART_PROMPT_CACHE], cache);
        all.checkpoints = pl_add_sat(all.checkpoints, p->checkpoints);
        n++;
    }
    if (n < 2)
        return PL_VERDICT_SAFE;
    char text[PL_POOL_NAME_MAX * 6];
    (void)PL_FMT(text, "%s (%s)", shared->name, label);
    return pl_judge_pool(&all, text, m, j);
}

/* What surely does not fit somewhere outweighs what cannot be told elsewhere. */
static void pl_judge_worst(struct pl_judgement *j, enum pl_verdict v)
{
    if (v == PL_VERDICT_DOES_NOT_FIT)
        j->verdict = v;
    else if (j->verdict != PL_VERDICT_DOES_NOT_FIT && v > j->verdict)
        j->verdict = v;
}

void pl_judge(const struct pl_footprint *f, const struct pl_machine *m, struct pl_judgement *ret)
{
    *ret = (struct pl_judgement){.verdict = PL_VERDICT_SAFE};
    if (f->n_pool == 0)
        ret->verdict = PL_VERDICT_CANNOT_TELL;
    for (uint32_t i = 0; i < f->n_pool; i++)
        pl_judge_worst(ret, pl_judge_pool(&f->pool[i], f->pool[i].pool, m, ret));
    for (uint32_t i = 0; i < m->n_pool; i++)
        pl_judge_worst(ret, pl_judge_shared(f, &m->pool[i], m, ret));
}
