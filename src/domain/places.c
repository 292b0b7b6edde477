#include "domain/places.h"

#include "base/str.h"

static void pl_places_add(struct pl_places *to, const struct pl_pool *pool,
                          const struct pl_device *device)
{
    if (pool != NULL && to->n < PL_PLACES_OF_MACHINE_MAX)
        to->one[to->n++] = (struct pl_place){pool, device};
}

void pl_places_of(const struct pl_machine *m, struct pl_places *ret)
{
    *ret = (struct pl_places){0};
    for (uint32_t i = 0; i < m->n_device; i++) {
        const struct pl_device *d = &m->device[i];
        if (d->power != PL_POWER_LOST && d->pool[0] != '\0')
            pl_places_add(ret, pl_machine_pool_const(m, d->pool), d);
    }
    if (ret->n > 0)
        return;
    for (uint32_t i = 0; i < m->n_pool; i++) { /* a machine file with pools alone */
        if (m->pool[i].kind == PL_POOL_DEDICATED)
            pl_places_add(ret, &m->pool[i], NULL);
    }
}

uint32_t pl_device_sm(const struct pl_device *d)
{
    const char *s = d != NULL ? d->compute_capability : "";
    uint64_t major = 0, minor = 0;
    if (pl_starts(s, "sm_")) { /* the device data writes sm_89, sm_120 */
        s += 3;
        if (!pl_parse_u64(s, &major) || major < 10 || major > 999)
            return 0;
        return (uint32_t)(major * 10);
    }
    if (!pl_take_u64(&s, &major) || major == 0 || major > 99 || *s != '.')
        return 0;
    s++;
    if (!pl_take_u64(&s, &minor) || minor > 9 || *s != '\0')
        return 0;
    return (uint32_t)(major * 100 + minor * 10);
}
