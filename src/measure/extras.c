#include "measure/extras.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "engine/llamacpp/placement.h"
#include "measure/extras_impl.h"
#include "model/open.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct pl_pool_footprint *pl_extra_pool(struct pl_footprint *f,
                                        const struct pl_pool_footprint *like)
{
    for (uint32_t i = 0; i < f->n_pool; i++) {
        if (pl_streq(f->pool[i].pool, like->pool))
            return &f->pool[i];
    }
    if (f->n_pool >= PL_FOOTPRINT_POOLS_MAX)
        return NULL;
    struct pl_pool_footprint *p = &f->pool[f->n_pool++];
    *p = (struct pl_pool_footprint){.kind = like->kind};
    (void)PL_FMT(p->pool, "%s", like->pool);
    struct pl_quantity none = pl_exact(0, PL_SOURCE_DERIVED, "not used");
    for (int i = 0; i < PL_PARTS; i++)
        p->part[i] = none;
    for (int i = 0; i < PL_HOLDS; i++)
        p->hold[i] = none;
    p->steady = p->peak = p->load_peak = p->largest_allocation = none;
    return p;
}

void pl_extra_add(struct pl_pool_footprint *p, enum pl_part part, struct pl_quantity q,
                  struct pl_quantity file)
{
    const char *why = q.why;
    q = pl_plus(p->part[part], q);
    q.why = why;
    struct pl_quantity more = q;
    more.low -= p->part[part].low;
    more.likely -= p->part[part].likely;
    more.high -= p->part[part].high;
    p->part[part] = q;
    p->steady = pl_plus(p->steady, more);
    p->peak = pl_plus(p->peak, more);
    p->load_peak = pl_plus(p->load_peak, more);
    if (p->kind != PL_POOL_HOST || !pl_known(more))
        return;
    p->hold[PL_HOLD_FILE_HOT] = pl_plus(p->hold[PL_HOLD_FILE_HOT], file);
    more.low = pl_sub_floor(more.low, file.high);
    more.likely = pl_sub_floor(more.likely, file.likely);
    more.high = pl_sub_floor(more.high, file.low);
    p->hold[PL_HOLD_ANON] = pl_plus(p->hold[PL_HOLD_ANON], more);
}

/* src/llama-adapter.cpp: "blk.0.attn_q.weight.lora_a" lies beside "blk.0.attn_q.weight". */
static void pl_adapter_sum(const struct pl_placement *place, const struct pl_model *adapter,
                           uint64_t bytes[PL_PLACES_MAX])
{
    for (uint64_t i = 0; i < adapter->n_tensor; i++) {
        struct pl_tensor base = adapter->tensor[i];
        char name[160];
        size_t n = strlen(base.name);
        if (!pl_ends(base.name, ".lora_a") && !pl_ends(base.name, ".lora_b"))
            continue;
        (void)PL_FMT(name, "%.*s", (int)(n - strlen(".lora_a")), base.name);
        base.name = name;
        uint32_t mask = pl_place_tensor(place, &base);
        for (uint32_t k = 0; k < place->n_place; k++) {
            if ((mask >> k & 1) != 0) {
                bytes[k] = pl_add_sat(bytes[k], base.bytes);
                break;
            }
        }
    }
}

static int pl_extra_adapter(struct pl_forecast *f, const struct pl_placement *place,
                            const char *path, struct pl_err *err)
{
    struct pl_model *m = NULL;
    uint64_t bytes[PL_PLACES_MAX] = {0};
    int rc = pl_model_open(path, &m, err);
    if (rc < 0)
        return rc;
    pl_adapter_sum(place, m, bytes);
    for (uint32_t k = 0; k < place->n_place; k++) {
        struct pl_pool_footprint like = {.kind = PL_POOL_HOST};
        (void)PL_FMT(like.pool, "%s", k == 0 ? "ram" : place->devices.one[k - 1].pool);
        struct pl_pool_footprint *p = pl_extra_pool(&f->footprint, &like);
        if (p != NULL && bytes[k] > 0)
            pl_extra_add(p, PL_PART_EXTRA, pl_exact(bytes[k], PL_SOURCE_DERIVED, "adapters"),
                         pl_exact(0, PL_SOURCE_DERIVED, "read into a buffer"));
    }
    (void)pl_model_free(m);
    return 0;
}

/* "a.gguf,b.gguf", or "a.gguf:0.5,b.gguf:1" with scales. */
static int pl_extra_adapters(struct pl_forecast *f, const struct pl_placement *place,
                             const char *list, bool scaled, struct pl_err *err)
{
    int rc = 0;
    for (const char *p = list; p != NULL && rc == 0;) {
        char path[PL_PATH_TEXT_MAX];
        size_t n = strcspn(p, ",");
        const char *colon = scaled ? memrchr(p, ':', n) : NULL;
        if (!PL_FMT(path, "%.*s", (int)(colon != NULL ? (size_t)(colon - p) : n), p))
            rc = pl_exit_as(err, pl_fail(err, -ENAMETOOLONG, "--lora: a path is too long"),
                            PL_EXIT_USAGE);
        if (rc == 0)
            rc = pl_extra_adapter(f, place, path, err);
        p = p[n] == ',' ? p + n + 1 : NULL;
    }
    return rc;
}

/* src/llama-adapter.cpp, llama_adapter_cvec::init: however many are given, one vector for each
 * layer but the first, beside its layer. */
static void pl_extra_control(struct pl_forecast *f, const struct pl_placement *place,
                             const struct pl_net *net)
{
    uint64_t bytes[PL_PLACES_MAX] = {0};
    for (uint32_t il = 1; il < net->n_layer; il++)
        bytes[place->layer[il]] += net->n_embd * sizeof(float);
    for (uint32_t k = 0; k < place->n_place; k++) {
        struct pl_pool_footprint like = {.kind = PL_POOL_HOST};
        (void)PL_FMT(like.pool, "%s", k == 0 ? "ram" : place->devices.one[k - 1].pool);
        struct pl_pool_footprint *p = pl_extra_pool(&f->footprint, &like);
        if (p != NULL && bytes[k] > 0)
            pl_extra_add(p, PL_PART_EXTRA,
                         pl_exact(bytes[k], PL_SOURCE_DERIVED, "control vectors of the layers"),
                         pl_exact(0, PL_SOURCE_DERIVED, "read into a buffer"));
    }
}

static int pl_extra_adapting(struct pl_forecast *f, const struct pl_llamacpp_host *host,
                             struct pl_err *err)
{
    static const struct pl_used_devices none;
    const struct pl_settings *s = &f->settings;
    struct pl_placement place = {0};
    struct pl_net net = {0};
    int rc = pl_llamacpp_net(f->model, &net, err);
    if (rc == 0)
        rc = pl_llamacpp_place(f->model, &net, s, host->devices != NULL ? host->devices : &none,
                               f->resolved.n_gpu_layers, NULL, &place, err);
    for (uint32_t i = 0; i < s->lora.n && rc == 0; i++)
        rc = pl_extra_adapters(f, &place, s->lora.one[i], false, err);
    for (uint32_t i = 0; i < s->lora_scaled.n && rc == 0; i++)
        rc = pl_extra_adapters(f, &place, s->lora_scaled.one[i], true, err);
    if (rc == 0 && s->control.n + s->control_scaled.n > 0)
        pl_extra_control(f, &place, &net);
    pl_placement_done(&place);
    pl_net_done(&net);
    return rc;
}

int pl_forecast_extras(struct pl_forecast *f, const struct pl_llamacpp_host *host,
                       struct pl_err *err)
{
    int rc = 0;
    if (f->settings.draft.model != NULL || f->settings.draft.types != NULL)
        rc = pl_extra_draft(f, host, err);
    const struct pl_settings *s = &f->settings;
    if (rc == 0 && s->lora.n + s->lora_scaled.n + s->control.n + s->control_scaled.n > 0)
        rc = pl_extra_adapting(f, host, err);
    if (rc == 0 && s->mmproj != NULL)
        rc = pl_extra_projector(f, host, err);
    return rc;
}
