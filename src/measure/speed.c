#include "measure/speed.h"

#include "base/checked.h"
#include "base/str.h"
#include "base/units.h"
#include "machine/device_data.h"
#include "sys/pagecache.h"

#include <math.h>

/* PCI Express: bytes a second and lane of generation 3 after its coding (8 GT/s, 128b/130b), twice
 * that with each later one; and what of it a copy reaches. */
#define PL_PCIE3_LANE 0.985e9
#define PL_PCIE_REACHED 0.8
#define PL_PCIE_DEFAULT "3.0x16" /* where neither the device nor the data says */

/* From the start of llama-server to its first answer, beside reading weights: libraries, tokenizer,
 * warm-up. Seen on one machine: 0.3 to 1.2 s. */
#define PL_START_LOW 0.2
#define PL_START_LIKELY 0.7
#define PL_START_HIGH 2.5
/* Weights in the page cache are mapped, converted or copied by one thread. */
#define PL_COPY_RATE 3e9

static const struct pl_device *pl_speed_device_at(const struct pl_machine *m, const char *pool)
{
    for (uint32_t i = 0; i < m->n_device; i++) {
        if (pl_streq(m->device[i].pool, pool) || pl_streq(m->device[i].id, pool))
            return &m->device[i];
    }
    return NULL;
}

/* "4.0x16", or the link as the device says it is now. */
static double pl_speed_link(const struct pl_device *d, const struct pl_device_row *row)
{
    const char *text = row != NULL && row->pcie[0] != '\0' ? row->pcie : PL_PCIE_DEFAULT;
    double generation = 3, lanes = 16;
    char number[8];
    const char *x = text;
    while (*x != '\0' && *x != 'x')
        x++;
    if (*x == 'x' && PL_FMT(number, "%.*s", (int)(x - text), text)) {
        (void)pl_parse_double(number, &generation);
        (void)pl_parse_double(x + 1, &lanes);
    }
    /* an idle link is slower than it can be: the data knows the device's own generation better */
    const struct pl_sensor *width = &d->sensor[PL_SENSOR_PCIE_WIDTH];
    if (width->known && !width->declared && width->value >= 1 && width->value < lanes)
        lanes = width->value;
    return lanes * PL_PCIE3_LANE * pow(2, generation - 3) * PL_PCIE_REACHED;
}

static void pl_speed_device(const struct pl_machine *m, const struct pl_used_device *u,
                            struct pl_speed_named_device *ret)
{
    const struct pl_device *d = pl_speed_device_at(m, u->pool);
    *ret = (struct pl_speed_named_device){.as.backend = u->backend};
    (void)PL_FMT(ret->pool, "%s", u->pool);
    if (d == NULL)
        return;
    const struct pl_device_row *row = pl_device_row(d->row, NULL);
    if (d->bandwidth.source != PL_SOURCE_UNKNOWN)
        ret->as.bandwidth = d->bandwidth.likely;
    if (row == NULL)
        return;
    ret->as.fp32 = row->fp32_tflops > 0 ? row->fp32_tflops * 1e12 : 0;
    (void)PL_FMT(ret->as.arch, "%s", row->arch);
    if (u->backend == PL_BACKEND_UNKNOWN && pl_streq(row->vendor, "apple"))
        ret->as.backend = PL_BACKEND_METAL;
    ret->as.link =
        u->kind == PL_POOL_UNIFIED || u->integrated ? ret->as.bandwidth : pl_speed_link(d, row);
}

static struct pl_rate pl_speed_scaled(struct pl_rate r, double by)
{
    r.low *= by;
    r.likely *= by;
    r.high *= by;
    return r;
}

/* Rates were measured with all processors this process may use; fewer threads do less. */
static void pl_speed_threads(const struct pl_machine *m, const struct pl_resolved *r,
                             struct pl_rate one, struct pl_speed_host *h)
{
    double all = m->cpu.threads_allowed > 0 ? m->cpu.threads_allowed : m->cpu.threads_logical;
    double n = (double)r->n_threads;
    if (n < 1 || all < 1 || n >= all)
        return;
    h->int8 = pl_speed_scaled(h->int8, n / all);
    h->fma = pl_speed_scaled(h->fma, n / all);
    if (one.source == PL_SOURCE_UNKNOWN || one.likely * n >= h->bandwidth.likely)
        return;
    one.why = h->bandwidth.why;
    h->bandwidth = pl_speed_scaled(one, n);
}

void pl_forecast_speed_machine(const struct pl_machine *m, const struct pl_used_devices *devices,
                               const struct pl_resolved *r, struct pl_rate bandwidth,
                               struct pl_ledger *ledger, struct pl_speed_machine *ret)
{
    const struct pl_pool *ram = pl_machine_pool_const(m, "ram");
    *ret = (struct pl_speed_machine){
        .host = {.bandwidth = bandwidth,
                 .int8 = m->cpu.int8,
                 .fma = m->cpu.fma,
                 .cpu = m->cpu.isa[0] != '\0' ? &m->cpu : NULL}
    };
    if (m->cpu.int8.source == PL_SOURCE_UNKNOWN && ledger != NULL && m->id[0] != '\0')
        (void)pl_ledger_compute_get(ledger, m->id, &ret->host.int8, &ret->host.fma, NULL);
    pl_speed_threads(m, r, ram != NULL ? ram->bandwidth_one : (struct pl_rate){0}, &ret->host);
    for (uint32_t i = 0; devices != NULL && i < devices->n && i < PL_USED_DEVICES_MAX; i++)
        pl_speed_device(m, &devices->one[i], &ret->device[ret->n_device++]);
}

/* Bytes of the files that are not in the page cache; false when that cannot be said here. */
static bool pl_speed_cold(const struct pl_model *m, double *ret_cold)
{
    *ret_cold = 0;
    for (uint32_t i = 0; i < m->n_file; i++) {
        double share = 0;
        if (pl_pagecache_share(m->file[i].path, &share) < 0)
            return false;
        *ret_cold += (double)m->file[i].bytes * (1 - share);
    }
    return true;
}

static struct pl_rate pl_speed_load(const struct pl_forecast *f, const struct pl_speed_machine *in)
{
    const struct pl_machine *m = f->machine;
    const struct pl_rate *read = m->n_storage > 0 ? &m->storage[0].read : NULL;
    double all = (double)f->model->file_bytes, cold = all, up = 0;
    bool here = m->this_system && pl_model_here(f->model);
    bool seen = here && pl_speed_cold(f->model, &cold);
    if (f->model->ghost && f->model->n_file > 0)
        return (struct pl_rate){.why = "a ghost is not read as a real file is"};
    for (uint32_t i = 0; i < in->n_device && i + 1 < f->footprint.n_pool; i++) {
        struct pl_quantity q = f->footprint.pool[i + 1].part[PL_PART_WEIGHTS];
        up +=
            pl_known(q) && in->device[i].as.link > 0 ? (double)q.likely / in->device[i].as.link : 0;
    }
    bool rate = read != NULL && read->source != PL_SOURCE_UNKNOWN && read->low > 0;
    if (!rate && cold > 0.02 * all)
        return (struct pl_rate){.why =
                                    "the rate of the disk is not known: plimsoll assess --storage"};
    double disk_low = rate ? cold / read->high : 0, disk_high = rate ? cold / read->low : 0;
    double disk = rate ? cold / read->likely : 0, copy = (all - cold) / PL_COPY_RATE + up;
    return (struct pl_rate){
        .low = PL_START_LOW + disk_low,
        .likely = PL_START_LIKELY + disk + copy,
        .high = PL_START_HIGH + disk_high + 4 * copy,
        .source = PL_SOURCE_ASSUMED,
        .why = !seen  ? "nothing of the file in memory, at the disk's measured rate"
               : rate ? "what of the file is not in memory now, at the disk's measured rate"
                      : "the file is in memory now",
    };
}

int pl_forecast_speed(struct pl_forecast *f, const struct pl_model *model,
                      const struct pl_llamacpp_host *host, struct pl_rate bandwidth,
                      struct pl_ledger *ledger, uint64_t prompt, struct pl_err *err)
{
    struct pl_speed_machine in;
    double draft = 0;
    pl_forecast_speed_machine(f->machine, host->devices, &f->resolved, bandwidth, ledger, &in);
    for (uint32_t i = 0; i < f->footprint.n_pool; i++) {
        struct pl_quantity q = f->footprint.pool[i].part[PL_PART_DRAFT];
        draft += pl_known(q) ? (double)q.likely : 0;
    }
    in.draft_bytes = draft;
    int rc =
        pl_llamacpp_speed(model, &f->settings, host, &f->resolved, &in, prompt, &f->speed, err);
    if (rc < 0)
        return rc;
    f->speed.load = pl_speed_load(f, &in);
    f->prefill = f->speed.prefill;
    f->decode = f->speed.decode;
    return 0;
}

void pl_forecast_no_speed(struct pl_forecast *f, const char *why)
{
    struct pl_rate none = {.why = why};
    f->speed = (struct pl_speed){.prefill = none,
                                 .decode = none,
                                 .decode_all = none,
                                 .speculative = none,
                                 .first_token = none,
                                 .load = none};
    f->prefill = f->decode = none;
}
