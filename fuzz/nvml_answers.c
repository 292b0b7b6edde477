/* NVML's raw answers: any bytes give devices, pools and holdings within their bounds. */
#include "machine/nvidia.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void pl_fuzz_check(bool ok)
{
    if (!ok)
        abort();
}

static void pl_fuzz_pools(const struct pl_machine *m)
{
    for (uint32_t i = 0; i < m->n_pool; i++) {
        const struct pl_pool *p = &m->pool[i];
        pl_fuzz_check(p->parent[0] == '\0' || pl_machine_pool_const(m, p->parent) != NULL);
        if (pl_known(p->capacity) && pl_known(p->available))
            pl_fuzz_check(p->available.likely <= p->capacity.likely);
        for (uint32_t k = 0; k < i; k++)
            pl_fuzz_check(strcmp(m->pool[k].name, p->name) != 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct pl_nvml_answers a;
    static struct pl_nvidia_cards cards;
    static struct pl_machine m;
    if (!pl_nvml_parse((const char *)data, n, &a))
        return 0;
    pl_fuzz_check(a.n_unit <= PL_NVML_UNITS_MAX && a.n_process <= PL_HOLDINGS_MAX);
    for (uint32_t i = 0; i < a.n_process; i++)
        pl_fuzz_check(a.process[i].unit < a.n_unit && a.process[i].pid != 0);
    memset(&cards, 0, sizeof(cards));
    memset(&m, 0, sizeof(m));
    struct pl_pool *ram = pl_machine_add_pool(&m, "ram", PL_POOL_HOST);
    ram->capacity = pl_exact(1ull << 36, PL_SOURCE_MEASURED, "");
    ram->available = pl_exact(1ull << 35, PL_SOURCE_MEASURED, "");
    pl_nvidia_from_answers(&a, &cards, &m);
    for (uint32_t i = 0; i < m.n_device; i++) {
        const struct pl_device *d = &m.device[i];
        pl_fuzz_check(d->pool[0] == '\0' || pl_machine_pool_const(&m, d->pool) != NULL);
        pl_fuzz_check(d->parent[0] == '\0' || pl_machine_device(&m, d->parent) != NULL);
        if (pl_known(d->total))
            pl_fuzz_check(d->total.likely > 0 && d->total.likely <= 1ull << 50);
        for (int k = 0; k < PL_SENSORS; k++)
            pl_fuzz_check(!d->sensor[k].known ||
                          (d->sensor[k].value > -1e6 && d->sensor[k].value < 1e6));
    }
    pl_fuzz_pools(&m);
    return 0;
}
