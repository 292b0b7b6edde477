#include "engine/declared/footprint.h"

#include "base/str.h"
#include "base/units.h"
#include "domain/places.h"

#include <errno.h>
#include <string.h>

static const struct pl_declared pl_rows[] = {
#include "declared.inc"
};
#define PL_ROWS (sizeof(pl_rows) / sizeof(pl_rows[0]))

const struct pl_setting_row pl_declared_settings[] = {
    {.names = {NULL}}, /* as they were measured */
};

const struct pl_declared *pl_declared_find(const char *spec)
{
    size_t n = strlen(spec);
    for (size_t i = 0; n > 0 && i < PL_ROWS; i++) {
        const char *id = pl_rows[i].id;
        if (strncmp(id, spec, n) == 0 && (id[n] == '\0' || id[n] == ':'))
            return &pl_rows[i];
    }
    return NULL;
}

static struct pl_quantity pl_declared_amount(const char *low, const char *likely, const char *high,
                                             const struct pl_declared *d)
{
    uint64_t a = 0, b = 0, c = 0;
    bool assumed = pl_starts(d->source, "assumed");
    if (!pl_parse_u64(low, &a) || !pl_parse_u64(likely, &b) || !pl_parse_u64(high, &c) || a > b ||
        b > c || c > UINT32_MAX)
        return PL_QUANTITY_UNKNOWN("the row of the table is broken");
    return pl_between(a * PL_MIB, b * PL_MIB, c * PL_MIB,
                      assumed ? PL_SOURCE_ASSUMED : PL_SOURCE_DECLARED, d->why);
}

int pl_declared_footprint(const struct pl_model *m, struct pl_setting_values *v,
                          const struct pl_machine *machine, struct pl_claim *ret,
                          struct pl_err *err)
{
    const struct pl_declared *d = pl_declared_find(m->path);
    struct pl_places places;
    (void)v;
    if (d == NULL)
        return pl_fail(err, -ENOENT, "%.60s: not among the declared", m->path);
    bool device = pl_streq(d->place, "device");
    pl_claim_start(ret, "what others measured (data/declared.tsv)");
    pl_places_of(machine, &places);
    if (device && places.n == 0) {
        (void)pl_fail(err, -ENOTSUP, "%s: what it needs without a device is not known", d->id);
        return pl_exit_as(err, -ENOTSUP, PL_EXIT_CANNOT_TELL);
    }
    struct pl_pool_footprint *ram = pl_claim_pool(ret, "ram", PL_POOL_HOST);
    pl_claim_add(ret, ram, PL_PART_RUNTIME,
                 pl_declared_amount(d->host_low_mib, d->host_likely_mib, d->host_high_mib, d),
                 d->source, "%s with %s: all of the process in host memory", d->name, d->engine);
    pl_claim_total(ram, NULL);
    if (!device)
        return 0;
    const struct pl_pool *pool = places.one[0].pool;
    struct pl_pool_footprint *p = pl_claim_pool(ret, pool->name, pool->kind);
    pl_claim_add(ret, p, PL_PART_RUNTIME,
                 pl_declared_amount(d->low_mib, d->likely_mib, d->high_mib, d), d->source,
                 "%s with %s: all of the process on the device", d->name, d->engine);
    pl_claim_total(p, NULL);
    return 0;
}
