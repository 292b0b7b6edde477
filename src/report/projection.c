#include "report/projection.h"

#include "base/str.h"
#include "base/table.h"
#include "base/units.h"
#include "report/quantity.h"

#include <string.h>

/* One figure of a row: the engine's, ours, and what to call the two. */
struct pl_opinion {
    const char *name;
    uint64_t theirs_mib;
    struct pl_quantity ours;
    bool interval; /* theirs need only lie inside ours */
};

#define PL_OPINIONS 3

/* "CPU_REPACK", "AMX": converted weights of the host stand in rows of their own. */
static bool pl_opinion_repack(const struct pl_projection_row *r)
{
    return pl_starts(r->device, "CPU_") || pl_streq(r->device, "AMX");
}

/* Returns how many there are. */
static int pl_opinions(const struct pl_projection_row *r, const struct pl_pool_footprint *f,
                       struct pl_opinion out[PL_OPINIONS])
{
    static const struct pl_pool_footprint none;
    const struct pl_quantity *part = f != NULL ? f->part : none.part;
    bool repack = pl_opinion_repack(r);
    out[0] = (struct pl_opinion){repack ? "converted weights" : "weights", r->model_mib,
                                 part[repack ? PL_PART_REPACK : PL_PART_WEIGHTS], false};
    if (repack)
        return 1;
    out[1] = (struct pl_opinion){"kv, recurrent", r->context_mib,
                                 pl_plus(part[PL_PART_KV], part[PL_PART_RECURRENT]), false};
    out[2] = (struct pl_opinion){"compute", r->compute_mib, part[PL_PART_COMPUTE], true};
    return PL_OPINIONS;
}

static bool pl_opinion_agrees(const struct pl_opinion *o)
{
    if (!pl_known(o->ours))
        return false;
    uint64_t low = o->interval ? o->ours.low : o->ours.likely;
    uint64_t high = o->interval ? o->ours.high : o->ours.likely;
    return low / PL_MIB <= o->theirs_mib && o->theirs_mib <= high / PL_MIB;
}

static bool pl_opinion_host(const struct pl_projection_row *r)
{
    return pl_streq(r->device, "Host") || pl_opinion_repack(r);
}

/* "Host" is ram; the n-th device of the engine is the n-th pool that is not. */
static const struct pl_pool_footprint *pl_opinion_pool(const struct pl_projection *p, uint32_t row,
                                                       const struct pl_footprint *ours)
{
    bool host = pl_opinion_host(&p->row[row]);
    uint32_t skip = 0;
    for (uint32_t i = 0; i < row; i++)
        skip += pl_opinion_host(&p->row[i]) ? 0 : 1;
    for (uint32_t i = 0; i < ours->n_pool; i++) {
        bool ram = pl_streq(ours->pool[i].pool, "ram");
        if (host && ram)
            return &ours->pool[i];
        if (!host && !ram && skip-- == 0)
            return &ours->pool[i];
    }
    return NULL;
}

void pl_projection_text(const struct pl_projection *p, const struct pl_footprint *ours, bool colour,
                        struct pl_str *out)
{
    static const char *const titles[] = {"engine's own", "", ">says", "pool", ">we say", "", NULL};
    char text[PL_QUANTITY_TEXT_MAX];
    struct pl_opinion o[PL_OPINIONS];
    struct pl_table *t = pl_table_new(titles);
    if (t == NULL)
        return;
    for (uint32_t i = 0; i < p->n_row; i++) {
        const struct pl_pool_footprint *f = pl_opinion_pool(p, i, ours);
        int n = pl_opinions(&p->row[i], f, o);
        for (int k = 0; k < n; k++) {
            pl_table_row(t);
            pl_table_cell(t, "%s", k == 0 ? p->row[i].device : "");
            pl_table_cell(t, "%s", o[k].name);
            pl_table_cell(t, "%llu MiB", (unsigned long long)o[k].theirs_mib);
            pl_table_cell(t, "%s", k == 0 && f != NULL ? f->pool : "");
            pl_table_cell(t, "%s", pl_quantity_text(o[k].ours, text));
            pl_table_cell(t, "%s", pl_opinion_agrees(&o[k]) ? "agrees" : "differs");
        }
    }
    pl_str_add(out, "\n");
    pl_table_print(t, out, colour);
    (void)pl_table_free(t);
}

void pl_projection_json(const struct pl_projection *p, const struct pl_footprint *ours,
                        const char *version, struct pl_json *j, const char *key)
{
    static const char *const names[PL_OPINIONS] = {"weights", "context", "compute"};
    struct pl_opinion o[PL_OPINIONS];
    pl_json_object(j, key);
    pl_json_str(j, "engine_version", version);
    pl_json_array(j, "devices");
    for (uint32_t i = 0; i < p->n_row; i++) {
        const struct pl_pool_footprint *f = pl_opinion_pool(p, i, ours);
        int n = pl_opinions(&p->row[i], f, o);
        pl_json_object(j, NULL);
        pl_json_str(j, "device", p->row[i].device);
        pl_json_str(j, "pool", f != NULL ? f->pool : NULL);
        for (int k = 0; k < n; k++) {
            pl_json_object(j, names[k]);
            pl_json_u64(j, "engine_mib", o[k].theirs_mib);
            pl_json_quantity(j, "ours", o[k].ours);
            pl_json_bool(j, "agrees", pl_opinion_agrees(&o[k]));
            pl_json_end(j);
        }
        pl_json_end(j);
    }
    pl_json_end(j);
    pl_json_end(j);
}
