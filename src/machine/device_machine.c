#include "machine/device_machine.h"

#include "base/str.h"
#include "base/units.h"
#include "domain/tier.h"
#include "machine/unified.h"

#include <errno.h>
#include <string.h>

/* Least, usual and most that is held back, as a share of all and a constant on top. From the
 * drivers' own lists of idle cards (nvidia-smi, "reserved": 66 MiB of a P2000 with 5 GiB, 316 of a
 * 3090, 368 of a 3060, 435 of an A10G, 460 of a 4000 SFF Ada; total of cards with ECC on: a
 * sixteenth less), and the contexts of CUDA or HIP are charged to the engines, not here. */
struct pl_reserve {
    double low, likely, high;
    uint64_t low_bytes, likely_bytes, high_bytes;
};

static struct pl_quantity pl_reserve_of(const struct pl_reserve *r, uint64_t bytes, const char *why)
{
    double n = (double)bytes;
    return pl_between((uint64_t)(n * r->low) + r->low_bytes,
                      (uint64_t)(n * r->likely) + r->likely_bytes,
                      (uint64_t)(n * r->high) + r->high_bytes, PL_SOURCE_ASSUMED, why);
}

struct pl_quantity pl_device_reserve(const struct pl_device_row *r, uint64_t bytes)
{
    static const struct pl_reserve nvidia = {0,           0.003,        0.0625,
                                             64 * PL_MIB, 380 * PL_MIB, 600 * PL_MIB};
    static const struct pl_reserve other = {0, 0.005, 0.02, 0, 128 * PL_MIB, 512 * PL_MIB};
    if (pl_streq(r->vendor, "nvidia"))
        return pl_reserve_of(&nvidia, bytes,
                             "what NVIDIA's driver keeps on idle cards of 5 to 48 GB; ECC may take "
                             "a sixteenth");
    return pl_reserve_of(&other, bytes, "what the driver and firmware keep, not measured");
}

static struct pl_quantity pl_less_reserve(struct pl_quantity all, struct pl_quantity reserve,
                                          const char *why)
{
    uint64_t low = all.low > reserve.high ? all.low - reserve.high : 0;
    uint64_t likely = all.likely > reserve.likely ? all.likely - reserve.likely : 0;
    uint64_t high = all.high > reserve.low ? all.high - reserve.low : 0;
    return pl_between(low, likely, high, PL_SOURCE_ASSUMED, why);
}

/* Main memory as sold: the firmware, the kernel and a system with or without a desktop hold some.
 */
static int pl_device_ram(struct pl_machine *m, uint64_t bytes, struct pl_err *err)
{
    static const struct pl_reserve system = {0.015,        0.04,          0.07,
                                             256 * PL_MIB, 1024 * PL_MIB, 3072 * PL_MIB};
    struct pl_pool *p = pl_machine_add_pool(m, "ram", PL_POOL_HOST);
    if (p == NULL)
        return pl_fail(err, -E2BIG, "more than %d pools", PL_POOLS_MAX);
    p->bandwidth = p->bandwidth_one = (struct pl_rate){.why = "no machine to measure"};
    p->largest_allocation = PL_QUANTITY_UNKNOWN("no limit on host allocations is known");
    p->used = p->reclaimable = PL_QUANTITY_UNKNOWN("no machine to read");
    if (bytes == 0) {
        p->capacity = p->available = p->reserved =
            PL_QUANTITY_UNKNOWN("the size of the main memory was not given (--ram)");
        return 0;
    }
    p->capacity = pl_exact(bytes, PL_SOURCE_DECLARED, "as given or sold");
    p->reserved = pl_reserve_of(&system, bytes, "firmware, kernel and a system of 0.25 to 3 GiB");
    p->available =
        pl_less_reserve(p->capacity, p->reserved, "as sold, less firmware, kernel and a system");
    (void)PL_FMT(m->tier, "%s", pl_tier_name(bytes));
    return 0;
}

static bool pl_row_unified(const struct pl_device_row *r)
{
    return pl_streq(r->memory_kind, "unified");
}

static void pl_device_identity(struct pl_device *d, const struct pl_device_row *r)
{
    static const struct {
        const char *word;
        enum pl_vendor vendor;
    } vendors[] = {
        {"nvidia", PL_VENDOR_NVIDIA},
        {"amd",    PL_VENDOR_AMD   },
        {"intel",  PL_VENDOR_INTEL }
    };
    for (size_t i = 0; i < sizeof(vendors) / sizeof(vendors[0]); i++) {
        if (pl_streq(r->vendor, vendors[i].word))
            d->vendor = vendors[i].vendor;
    }
    (void)PL_FMT(d->name, "%s", r->name);
    (void)PL_FMT(d->pci_id, "%.*s", (int)strcspn(r->pci_ids, ","), r->pci_ids);
    d->kind = pl_row_unified(r) ? PL_DEVICE_INTEGRATED : PL_DEVICE_DISCRETE;
    d->used = d->visible = PL_QUANTITY_UNKNOWN("no device to read");
    d->total = d->reserved = d->available = d->nominal =
        PL_QUANTITY_UNKNOWN("the device data does not say");
}

static int pl_device_dedicated(struct pl_machine *m, struct pl_device *d,
                               const struct pl_device_row *r, struct pl_err *err)
{
    struct pl_pool *p = pl_machine_add_pool(m, d->id, PL_POOL_DEDICATED);
    if (p == NULL)
        return pl_fail(err, -E2BIG, "more than %d pools", PL_POOLS_MAX);
    (void)PL_FMT(d->pool, "%s", d->id);
    p->bandwidth_one = (struct pl_rate){.why = "a device has no cores of that kind"};
    p->used = p->reclaimable = PL_QUANTITY_UNKNOWN("no device to read");
    p->largest_allocation = PL_QUANTITY_UNKNOWN("not probed");
    p->capacity = p->reserved = p->available = d->nominal;
    if (r->memory_gib <= 0)
        return 0;
    uint64_t bytes = (uint64_t)(r->memory_gib * (double)PL_GIB);
    d->total = p->capacity = pl_exact(bytes, PL_SOURCE_DECLARED, "as sold, by the device data");
    d->reserved = p->reserved = pl_device_reserve(r, bytes);
    d->available = p->available = pl_less_reserve(
        p->capacity, p->reserved, "as sold, less what the driver keeps; nothing else runs on it");
    return 0;
}

/* Apple wires at most two thirds (to 32 GiB) or three quarters for the device unless told
 * otherwise: "default_wired_limit" in the rows. */
static int pl_device_shared(struct pl_machine *m, struct pl_device *d,
                            const struct pl_device_row *r, struct pl_err *err)
{
    struct pl_pool *ram = pl_machine_pool(m, "ram");
    if (ram != NULL && pl_known(ram->capacity) &&
        strstr(r->source, "default_wired_limit") != NULL) {
        double share = ram->capacity.likely <= 32 * PL_GIB ? 2.0 / 3 : 0.75;
        d->total = pl_exact((uint64_t)((double)ram->capacity.likely * share), PL_SOURCE_DECLARED,
                            "the system's default limit for the device");
    }
    return pl_unified_make(m, d, err);
}

/* The rows named: devices, and at most one processor or kind of main memory. */
static int pl_device_ids(const char *ids, const struct pl_device_row *row[PL_DEVICES_MAX + 1],
                         uint32_t *ret_n, const struct pl_device_row **ret_cpu, struct pl_err *err)
{
    *ret_n = 0;
    *ret_cpu = NULL;
    for (const char *s = ids; *s != '\0';) {
        char id[64];
        const char *near = NULL;
        size_t n = strcspn(s, ",");
        (void)PL_FMT(id, "%.*s", (int)(n < 63 ? n : 63), s);
        pl_text_clean(id);
        if (*ret_n == PL_DEVICES_MAX)
            return pl_fail(err, -EINVAL, "--device: more than %d devices", PL_DEVICES_MAX);
        row[*ret_n] = pl_device_row(id, &near);
        if (row[*ret_n] == NULL) {
            (void)pl_fail(err, -EINVAL, "--device: no device '%s' in the device data", id);
            return near != NULL
                       ? pl_hint(err, "did you mean %s? 'plimsoll assess --devices' lists all",
                                 near)
                       : pl_hint(err, "'plimsoll assess --devices [WORD]' lists them");
        }
        bool cpu = pl_streq(row[*ret_n]->class, "cpu");
        if (cpu && *ret_cpu != NULL)
            return pl_fail(err, -EINVAL, "--device: %s is a second processor", id);
        if (cpu)
            *ret_cpu = row[*ret_n];
        else
            ++*ret_n;
        s += n;
        s += *s == ',' ? 1 : 0;
    }
    bool any = *ret_n > 0 || *ret_cpu != NULL;
    return any ? 0 : pl_fail(err, -EINVAL, "--device: no device is named");
}

/* The processor's main memory: its bandwidth as the data sheet has it. */
static void pl_device_cpu(struct pl_machine *m, const struct pl_device_row *r)
{
    struct pl_pool *ram = pl_machine_pool(m, "ram");
    double v = r->bandwidth_gbs * 1e9;
    (void)PL_FMT(m->cpu.model, "%s", r->name);
    if (ram != NULL && v > 0)
        ram->bandwidth =
            (struct pl_rate){v, v, v, PL_SOURCE_DECLARED, PL_STATE_PLAIN, "by the device data"};
}

int pl_device_machine(const char *ids, uint64_t ram, struct pl_machine *ret, struct pl_err *err)
{
    const struct pl_device_row *row[PL_DEVICES_MAX + 1], *cpu = NULL;
    uint32_t n = 0;
    *ret = (struct pl_machine){0};
    int rc = pl_device_ids(ids, row, &n, &cpu, err);
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        if (pl_row_unified(row[i]) && row[i]->memory_gib > 0 && ram == 0)
            ram = (uint64_t)(row[i]->memory_gib * (double)PL_GIB);
    }
    if (rc == 0)
        rc = pl_device_ram(ret, ram, err);
    if (rc == 0 && cpu != NULL)
        pl_device_cpu(ret, cpu);
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        char id[16];
        (void)PL_FMT(id, "gpu%u", i);
        struct pl_device *d = pl_machine_add_device(ret, id);
        if (d == NULL)
            return pl_fail(err, -E2BIG, "more than %d devices", PL_DEVICES_MAX);
        pl_device_identity(d, row[i]);
        rc = pl_row_unified(row[i]) ? pl_device_shared(ret, d, row[i], err)
                                    : pl_device_dedicated(ret, d, row[i], err);
        if (rc == 0)
            pl_device_row_apply(ret, d, row[i]);
    }
    if (rc == 0)
        pl_machine_note(ret, "made from the device data, no machine was read: %.90s", ids);
    return rc < 0 ? pl_exit_as(err, rc, PL_EXIT_USAGE) : 0;
}
