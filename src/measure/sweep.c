#include "measure/sweep.h"

#include "base/checked.h"
#include "engine/llamacpp/cache.h"
#include "engine/llamacpp/resolve.h"
#include "engine/llamacpp/settings.h"
#include "model/outline.h"

#include <string.h>

void pl_sweep_usual(struct pl_sweep *ret)
{
    static const char *const names[PL_SWEEP_MIXES] = {
        "F16",    "Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q4_K_M", "IQ4_NL", "IQ4_XS",
        "Q4_K_S", "Q4_1", "Q4_0", "Q3_K_L", "Q3_K_M", "IQ3_M",  "Q3_K_S", "Q2_K"};
    memset(ret, 0, sizeof(*ret));
    for (size_t i = 0; i < PL_SWEEP_MIXES; i++) {
        ret->mix[ret->n_mix] = pl_mix_named(names[i]);
        ret->n_mix += ret->mix[ret->n_mix] != NULL ? 1 : 0;
    }
    for (uint32_t i = 0; i < PL_SWEEP_CONTEXTS; i++)
        ret->context[ret->n_context++] = 2048ull << i;
    pl_llamacpp_defaults(&ret->settings);
    ret->settings.n_parallel = 1;
    ret->settings.cache_ram_mib = 0;
}

static int pl_sweep_caches(const struct pl_sweep *s, const struct pl_model *m,
                           struct pl_sweep_row *ret, struct pl_err *err)
{
    struct pl_net net = {0};
    struct pl_settings settings = s->settings;
    int rc = pl_llamacpp_net(m, &net, err);
    for (uint32_t i = 0; i < s->n_context && rc == 0; i++) {
        struct pl_resolved r;
        settings.n_ctx = s->context[i];
        rc = pl_llamacpp_resolve(&settings, &net, &r, err);
        if (rc < 0)
            break;
        struct pl_layer_cache c = pl_llamacpp_cache(&net, &r);
        ret->kv[i] = pl_add_sat(c.global, c.window);
        ret->recurrent[i] = c.recurrent;
    }
    pl_net_done(&net);
    return rc;
}

int pl_sweep_row(const struct pl_sweep *s, const struct pl_catalogue_row *row,
                 struct pl_sweep_row *ret, struct pl_err *err)
{
    struct pl_model *m = NULL;
    const struct pl_outline *outline = NULL;
    struct pl_mix_facts facts;
    memset(ret, 0, sizeof(*ret));
    int rc = pl_catalogue_outline(row, &m, &outline, &facts, err);
    if (rc < 0)
        return rc;
    for (uint32_t i = 0; i < s->n_mix; i++) {
        facts.imatrix = s->mix[i]->imatrix;
        if (pl_outline_bytes(outline, s->mix[i], &facts, &ret->tensors[i], NULL) < 0)
            ret->tensors[i] = 0;
    }
    rc = pl_sweep_caches(s, m, ret, err);
    (void)pl_model_free(m);
    return rc;
}
