#include "measure/relief.h"

#include "base/str.h"
#include "domain/tensor_type.h"
#include "measure/forecast.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PL_CTX_LEAST 2048 /* below it a chat model is of little use */
#define PL_CTX_STEP 256

/* A change: true when it differs from what is set. The order is the order of mildness: what nobody
 * notices first, what costs speed or quality last. */
struct pl_change {
    bool (*apply)(const struct pl_forecast *f, struct pl_settings *s, char *flags);
    const char *effect;
};

static void pl_flag(char *out, const char *fmt, uint64_t v)
{
    (void)pl_fmt(out, PL_RELIEF_TEXT_MAX, "%s %llu", fmt, (unsigned long long)v);
}

static bool pl_prompt_cache_off(const struct pl_forecast *f, struct pl_settings *s, char *flags)
{
    if (f->resolved.prompt_cache_bytes == 0 && !f->resolved.prompt_cache_unlimited)
        return false;
    s->cache_ram_mib = 0;
    pl_flag(flags, "--cache-ram", 0);
    return true;
}

static bool pl_flash_on(const struct pl_forecast *f, struct pl_settings *s, char *flags)
{
    if (f->resolved.flash_attn)
        return false;
    s->flash_attn = PL_ON;
    (void)pl_fmt(flags, PL_RELIEF_TEXT_MAX, "-fa on");
    return true;
}

static bool pl_cache_8bit(const struct pl_forecast *f, struct pl_settings *s, char *flags)
{
    const struct pl_tensor_type *t = pl_tensor_type_named("q8_0"),
                                *f16 = pl_tensor_type_named("f16");
    if (t == NULL || f16 == NULL || f->resolved.type_k != f16->id || f->resolved.type_v != f16->id)
        return false;
    s->type_k = s->type_v = t->id;
    s->flash_attn = PL_ON;
    (void)pl_fmt(flags, PL_RELIEF_TEXT_MAX, "-ctk q8_0 -ctv q8_0 -fa on");
    return true;
}

static bool pl_ubatch_small(const struct pl_forecast *f, struct pl_settings *s, char *flags)
{
    if (f->resolved.n_ubatch <= 128)
        return false;
    s->n_ubatch = 128;
    pl_flag(flags, "-ub", 128);
    return true;
}

static bool pl_one_slot(const struct pl_forecast *f, struct pl_settings *s, char *flags)
{
    if (f->resolved.n_seq <= 1)
        return false;
    s->n_parallel = 1;
    pl_flag(flags, "-np", 1);
    return true;
}

static bool pl_context_part(const struct pl_forecast *f, struct pl_settings *s, char *flags,
                            uint64_t part)
{
    uint64_t n = f->resolved.n_ctx / part / PL_CTX_STEP * PL_CTX_STEP;
    if (n < PL_CTX_LEAST)
        return false;
    s->n_ctx = n;
    pl_flag(flags, "-c", n);
    return true;
}

static bool pl_context_half(const struct pl_forecast *f, struct pl_settings *s, char *flags)
{
    return pl_context_part(f, s, flags, 2);
}

static bool pl_context_quarter(const struct pl_forecast *f, struct pl_settings *s, char *flags)
{
    return pl_context_part(f, s, flags, 4);
}

static bool pl_context_eighth(const struct pl_forecast *f, struct pl_settings *s, char *flags)
{
    return pl_context_part(f, s, flags, 8);
}

static bool pl_layers_part(const struct pl_forecast *f, struct pl_settings *s, char *flags,
                           uint64_t num, uint64_t den)
{
    uint64_t n = f->resolved.n_gpu_layers * num / den;
    if (f->resolved.n_gpu_layers == 0 || n == f->resolved.n_gpu_layers)
        return false;
    s->n_gpu_layers = (int64_t)n;
    pl_flag(flags, "-ngl", n);
    return true;
}

static bool pl_layers_most(const struct pl_forecast *f, struct pl_settings *s, char *flags)
{
    return pl_layers_part(f, s, flags, 3, 4);
}

static bool pl_layers_half(const struct pl_forecast *f, struct pl_settings *s, char *flags)
{
    return pl_layers_part(f, s, flags, 1, 2);
}

static bool pl_layers_none(const struct pl_forecast *f, struct pl_settings *s, char *flags)
{
    return pl_layers_part(f, s, flags, 0, 1);
}

static const struct pl_change pl_changes[] = {
    {pl_prompt_cache_off, "no prompt cache on the host"                   },
    {pl_flash_on,         "flash attention: no attention scores in memory"},
    {pl_ubatch_small,     "smaller working buffers, slower prompts"       },
    {pl_cache_8bit,       "KV cache in 8 bits"                            },
    {pl_one_slot,         "one request at a time"                         },
    {pl_context_half,     "half the context"                              },
    {pl_context_quarter,  "a quarter of the context"                      },
    {pl_context_eighth,   "an eighth of the context"                      },
    {pl_layers_most,      "a quarter of the layers on the host, slower"   },
    {pl_layers_half,      "half the layers on the host, slower"           },
    {pl_layers_none,      "no layers on the device"                       },
};

#define PL_CHANGES (sizeof(pl_changes) / sizeof(pl_changes[0]))

static const struct pl_pool_footprint *pl_relief_pool(const struct pl_footprint *f,
                                                      const char *name)
{
    for (uint32_t i = 0; name != NULL && i < f->n_pool; i++)
        if (pl_streq(f->pool[i].pool, name))
            return &f->pool[i];
    return NULL;
}

/* Is there room for what the pool must hold, the prompt cache at its least? */
static bool pl_relief_fits(const struct pl_forecast *f, const struct pl_pool_footprint *p)
{
    for (uint32_t k = 0; p != NULL && k < f->machine->n_pool; k++) {
        const struct pl_pool *m = &f->machine->pool[k];
        if (pl_streq(m->name, p->pool) && pl_known(m->available) && pl_known(p->steady) &&
            pl_known(p->load_peak))
            return p->steady.high <= m->available.likely &&
                   p->load_peak.high <= m->available.likely;
    }
    return p == NULL;
}

/* Is the change enough? Nothing was short by the estimate: then no change can be said to be. */
static bool pl_relief_enough(const struct pl_forecast *f, const struct pl_pool_footprint *was,
                             const struct pl_pool_footprint *is, uint64_t missing,
                             const struct pl_relief *r)
{
    if (missing > 0)
        return r->freed >= missing;
    if (f->judgement.verdict <= PL_VERDICT_CONSTRAINED)
        return false;
    if (r->verdict != PL_VERDICT_CANNOT_TELL)
        return r->verdict <= PL_VERDICT_CONSTRAINED;
    return !pl_relief_fits(f, was) && pl_relief_fits(f, is);
}

/* What the pool's peak falls by with r's settings; false when that cannot be told. */
static bool pl_relief_measure(const struct pl_forecast *f, const struct pl_pool_footprint *was,
                              uint64_t missing, struct pl_forecast *then, struct pl_relief *r)
{
    struct pl_err err = {0};
    const char *version = f->engine_version[0] != '\0' ? f->engine_version : NULL;
    if (pl_forecast_make(f->model, &r->settings, f->machine, NULL, version, NULL, then, &err) < 0)
        return false; /* a setting this model does not take */
    const struct pl_pool_footprint *is = pl_relief_pool(&then->footprint, was->pool);
    if (!pl_known(was->peak) || (is != NULL && !pl_known(is->peak)))
        return false;
    uint64_t before = was->peak.likely, after = is != NULL ? is->peak.likely : 0;
    r->freed = before > after ? before - after : 0;
    r->verdict = then->judgement.verdict;
    r->enough = pl_relief_enough(f, was, is, missing, r);
    return r->freed > 0;
}

static void pl_relief_each(const struct pl_forecast *f, const struct pl_pool_footprint *was,
                           uint64_t missing, struct pl_forecast *then, struct pl_reliefs *ret)
{
    for (size_t i = 0; i < PL_CHANGES && ret->n < PL_RELIEFS_MAX; i++) {
        struct pl_relief *r = &ret->one[ret->n];
        *r = (struct pl_relief){.settings = f->settings};
        (void)PL_FMT(r->effect, "%s", pl_changes[i].effect);
        if (pl_changes[i].apply(f, &r->settings, r->flags) &&
            pl_relief_measure(f, was, missing, then, r))
            ret->n++;
    }
}

/* No single change is enough: one after the other, the mildest first, until together they are. Of
 * changes to one flag the last stands. */
static void pl_relief_together(const struct pl_forecast *f, const struct pl_pool_footprint *was,
                               uint64_t missing, struct pl_forecast *then, struct pl_reliefs *ret)
{
    struct pl_relief all = {.settings = f->settings};
    char each[PL_CHANGES][PL_RELIEF_TEXT_MAX] = {{0}};
    for (size_t i = 0; i < PL_CHANGES && !all.enough; i++) {
        struct pl_relief next = {.settings = all.settings};
        if (!pl_changes[i].apply(f, &next.settings, each[i]) ||
            !pl_relief_measure(f, was, missing, then, &next) || next.freed <= all.freed) {
            each[i][0] = '\0';
            continue;
        }
        all = next;
        for (size_t k = 0; k < i; k++) { /* "-c 4096" makes "-c 8192" void */
            size_t word = strcspn(each[k], " ");
            if (word > 0 && strncmp(each[k], each[i], word + 1) == 0)
                each[k][0] = '\0';
        }
    }
    if (!all.enough || ret->n == PL_RELIEFS_MAX)
        return;
    size_t len = 0;
    for (size_t i = 0; i < PL_CHANGES; i++)
        if (each[i][0] != '\0' && len < sizeof(all.flags))
            len += (size_t)snprintf(all.flags + len, sizeof(all.flags) - len, "%s%s",
                                    len > 0 ? " " : "", each[i]);
    if (len >= sizeof(all.flags))
        return; /* too long to paste */
    (void)PL_FMT(all.effect, "together");
    ret->one[ret->n++] = all;
}

int pl_relief_find(const struct pl_forecast *f, const char *pool, uint64_t missing,
                   struct pl_reliefs *ret, struct pl_err *err)
{
    ret->n = 0;
    struct pl_forecast *then = malloc(sizeof(*then));
    if (then == NULL)
        return pl_fail(err, -ENOMEM, "remedies: not enough memory");
    const struct pl_pool_footprint *was = pl_relief_pool(&f->footprint, pool);
    for (uint32_t i = f->footprint.n_pool; was == NULL && i > 0; i--)
        if (i == 1 || !pl_relief_fits(f, &f->footprint.pool[i - 1]))
            was = &f->footprint.pool[i - 1];
    uint32_t enough = 0;
    if (was != NULL)
        pl_relief_each(f, was, missing, then, ret);
    while (enough < ret->n && !ret->one[enough].enough)
        enough++;
    if (was != NULL && enough == ret->n &&
        (missing > 0 || f->judgement.verdict > PL_VERDICT_CONSTRAINED))
        pl_relief_together(f, was, missing, then, ret);
    free(then);
    if (enough < ret->n) { /* the mildest that is enough goes to the front */
        struct pl_relief first = ret->one[enough];
        memmove(&ret->one[1], &ret->one[0], enough * sizeof(ret->one[0]));
        ret->one[0] = first;
    }
    return 0;
}
