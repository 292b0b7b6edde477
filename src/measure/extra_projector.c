/* A projector of images or sound beside the model: tools/mtmd/clip.cpp, clip_ctx. */
#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "engine/llamacpp/projector_compute.h"
#include "measure/extras_impl.h"
#include "model/catalogue.h"
#include "model/open.h"

#include <errno.h>
#include <string.h>

/* What a tower's context holds on the host whatever its size: room for 8192 nodes and the
 * scheduler's tables. Seen beside llama-server 0.7.0 (11669) on fourteen kinds. */
#define PL_TOWER_LOW_BYTES (1 * PL_MIB)
#define PL_TOWER_BYTES (4 * PL_MIB)
#define PL_TOWER_HIGH_BYTES (10 * PL_MIB)

/* clip_ctx: the device that is named, else the first that is no part of the processor; whatever
 * -ngl and -dev say. NULL: the host. */
static const struct pl_used_device *pl_projector_device(const struct pl_settings *s,
                                                        const struct pl_used_devices *all)
{
    if (!s->mmproj_offload || all == NULL || all->n == 0)
        return NULL;
    if (s->mmproj_device != NULL) {
        if (pl_streq(s->mmproj_device, "CPU"))
            return NULL;
        const struct pl_used_device *named = pl_used_device(all, s->mmproj_device);
        if (named != NULL)
            return named;
    }
    for (uint32_t i = 0; i < all->n; i++) {
        if (!all->one[i].integrated)
            return &all->one[i];
    }
    return &all->one[0];
}

/* Pictures as they come in: four million pixels, decoded and fitted. Larger ones take more. */
#define PL_PICTURE_HIGH_BYTES (48 * PL_MIB)

/* All towers of the file. */
static int pl_projector_sum(const struct pl_model *m, const struct pl_settings *s,
                            const struct pl_used_device *d, struct pl_projector_bytes *ret,
                            struct pl_err *err)
{
    uint32_t n = pl_projector_count(m);
    *ret = (struct pl_projector_bytes){.followed = true};
    for (uint32_t i = 0; i == 0 || i < n; i++) {
        struct pl_projector_bytes b;
        int rc = pl_projector_bytes(m, i, s, d, &b, err);
        if (rc < 0)
            return rc;
        ret->weights = pl_add_sat(ret->weights, b.weights);
        ret->largest = b.largest > ret->largest ? b.largest : ret->largest;
        for (int k = 0; k < 2; k++) {
            ret->warm[k] = pl_add_sat(ret->warm[k], b.warm[k]);
            ret->most[k] = pl_add_sat(ret->most[k], b.most[k]);
        }
        ret->followed = ret->followed && b.followed;
        ret->fallback = pl_add_sat(ret->fallback, b.fallback);
        ret->work = pl_add_sat(ret->work, b.work);
        ret->picture = pl_add_sat(ret->picture, b.picture);
        ret->answer = pl_add_sat(ret->answer, b.answer);
    }
    if (pl_add_sat(pl_add_sat(ret->weights, ret->fallback), ret->most[0]) < UINT64_MAX / 64)
        return 0;
    (void)pl_fail(err, -ERANGE, "the projector's largest image is beyond any memory");
    return pl_exit_as(err, -ERANGE, PL_EXIT_USAGE);
}

/* Into the totals: at rest what is reserved at load; at the peak the largest image. */
static void pl_projector_add(struct pl_pool_footprint *p, struct pl_quantity part,
                             uint64_t peak_likely, uint64_t buffer)
{
    struct pl_quantity peak = p->peak, at_peak = part;
    const char *why = peak.why;
    pl_extra_add(p, PL_PART_PROJECTOR, part, pl_exact(0, PL_SOURCE_DERIVED, "read into a buffer"));
    at_peak.likely = peak_likely;
    p->peak = pl_plus(peak, at_peak);
    p->peak.why = why;
    if (buffer > p->largest_allocation.likely)
        p->largest_allocation =
            pl_exact(buffer, part.source, "the projector's weights, or its compute buffer");
}

/* Weights and compute buffers, where the weights lie. Seen beside the engine on kinds that are not
 * followed: a quarter to four times a usual tower. */
static struct pl_quantity pl_projector_own(const struct pl_projector_bytes *b, bool version_known,
                                           const char *text)
{
    uint64_t low = b->warm[0], high = b->most[0];
    if (b->fallback > 0) {
        low = 0; /* elsewhere, in part or in whole */
        high *= 2;
    } else if (!b->followed) {
        low /= 4;
        high *= 4;
    } else if (!version_known) {
        low -= low / 8;
        high += high / 8;
    }
    /* graphs of two kinds (mlp, internvl) were up to 4 % off: tests/conformance/projectors.sh */
    uint64_t twentieth = (b->weights + b->warm[0]) / 20;
    low = low > twentieth ? low - twentieth : 0;
    high += twentieth;
    return pl_between(b->weights + low, b->weights + b->warm[0], b->weights + high,
                      b->followed && b->fallback == 0 ? PL_SOURCE_DERIVED : PL_SOURCE_ASSUMED,
                      text);
}

/* In one clause, with figures. */
static void pl_projector_text(const struct pl_model *m, const struct pl_settings *s,
                              const struct pl_projector_bytes *b, char *buf, size_t size,
                              bool *hears)
{
    struct pl_projector p;
    if (pl_projector_read(m, 0, s, &p, NULL) < 0)
        return;
    *hears = p.kind->of == PL_OF_AUDIO;
    const double mib = (double)PL_MIB;
    (void)pl_fmt(buf, size, "%.24s: tensors of %.1f MiB, %s %.1f MiB for %llu x %llu%s",
                 p.kind->name, (double)b->weights / mib, b->followed ? "computed in" : "about",
                 (double)b->warm[0] / mib, (unsigned long long)p.warm.nx,
                 (unsigned long long)p.warm.ny, b->followed ? "" : " (its graph is not followed)");
    size_t used = strlen(buf);
    if (b->most[0] > b->warm[0] && used < size)
        (void)pl_fmt(buf + used, size - used, ", at most %.1f MiB for %llu of %llu x %llu",
                     (double)b->most[0] / mib, (unsigned long long)p.most.n,
                     (unsigned long long)p.most.nx, (unsigned long long)p.most.ny);
}

static void pl_projector_pools(struct pl_forecast *f, const struct pl_llamacpp_host *with,
                               const struct pl_used_device *d, const struct pl_projector_bytes *b)
{
    struct pl_pool_footprint *ram = &f->footprint.pool[0], *gpu = NULL;
    struct pl_quantity own = pl_projector_own(b, with->version_known, f->footprint.projector);
    uint64_t own_peak = b->weights + b->most[0], io = b->work + b->picture + b->answer;
    uint64_t buffer = b->weights > b->most[0] ? b->weights : b->most[0];
    struct pl_quantity host =
        pl_between(PL_TOWER_LOW_BYTES, PL_TOWER_BYTES,
                   PL_TOWER_HIGH_BYTES + PL_PICTURE_HIGH_BYTES + io, PL_SOURCE_ASSUMED, "");
    if (d != NULL) {
        struct pl_pool_footprint like = {.kind = d->kind};
        (void)PL_FMT(like.pool, "%s", d->pool);
        gpu = pl_extra_pool(&f->footprint, &like);
    }
    if (gpu == NULL) {
        host = pl_plus(own, host);
        host.why = own.why;
        pl_projector_add(ram, host, own_peak + PL_TOWER_BYTES + io, buffer);
        return;
    }
    host = pl_plus(
        pl_between(b->warm[1], b->warm[1], b->most[1] + b->fallback, PL_SOURCE_DERIVED, ""), host);
    host.why = "inputs and tables of the projector, pictures on their way";
    pl_projector_add(gpu, own, own_peak, buffer);
    pl_projector_add(ram, host, b->most[1] + PL_TOWER_BYTES + io, b->most[1]);
    ram->load_peak.high = pl_add_sat(ram->load_peak.high, b->largest); /* read here, then sent */
}

int pl_extra_projector(struct pl_forecast *f, const struct pl_llamacpp_host *host,
                       struct pl_err *err)
{
    struct pl_model *m = NULL;
    struct pl_projector_bytes b;
    const struct pl_used_device *d = pl_projector_device(&f->settings, host->devices);
    int rc = pl_model_open(f->settings.mmproj, &m, err);
    if (rc == 0)
        rc = pl_projector_sum(m, &f->settings, d, &b, err);
    if (rc == 0) {
        pl_projector_text(m, &f->settings, &b, f->footprint.projector,
                          sizeof(f->footprint.projector), &f->footprint.projector_hears);
        pl_projector_pools(f, host, d, &b);
    }
    (void)pl_model_free(m);
    return rc;
}

int pl_extra_reserved(const struct pl_settings *s, struct pl_used_devices *devices,
                      struct pl_err *err)
{
    struct pl_model *m = NULL;
    struct pl_projector_bytes b;
    const struct pl_used_device *d = pl_projector_device(s, devices);
    if (s->mmproj == NULL || d == NULL || !s->fit)
        return 0;
    int rc = pl_model_open(s->mmproj, &m, err);
    if (rc == 0)
        rc = pl_projector_sum(m, s, d, &b, err);
    for (uint32_t i = 0; rc == 0 && i < devices->n; i++) {
        if (d == &devices->one[i])
            devices->one[i].reserved = b.weights + b.warm[0];
    }
    (void)pl_model_free(m);
    return rc;
}

/* The catalogue says so, or the architecture's name, or the header: positions rotated by sections
 * for time, height and width (llama-hparams.h, rope_sections). */
static bool pl_model_sees(const struct pl_forecast *f)
{
    const struct pl_model *m = f->model;
    const struct pl_catalogue_row *row = pl_catalogue_find(f->name);
    const struct pl_kv *sections = pl_model_arch_kv(m, "rope.dimension_sections");
    if (row != NULL)
        return pl_streq(row->kind, "vlm");
    if (strstr(m->arch, "vl") != NULL || m->projector != NULL)
        return true;
    for (uint64_t i = 1; sections != NULL && sections->ints != NULL && i < sections->count; i++) {
        if (sections->ints[i] > 0)
            return true;
    }
    return false;
}

void pl_forecast_no_projector(struct pl_forecast *f)
{
    struct pl_judgement *j = &f->judgement;
    char path[PL_REASON_TEXT_MAX / 2] = "names its file";
    if (f->settings.mmproj != NULL || j->n_reason >= PL_REASONS_MAX || !pl_model_sees(f))
        return;
    if (f->model->projector != NULL)
        (void)pl_text_cut(path, sizeof(path), f->model->projector);
    (void)PL_FMT(j->reason[j->n_reason++],
                 "text alone: images or sound need a projector, which is not counted; --mmproj %s",
                 path);
}
