#include "machine/device_data.h"

#include "base/str.h"
#include "base/units.h"

#include <stdlib.h>
#include <string.h>

/* Memory as the driver says may be less than sold (ECC takes a sixteenth, firmware some more) and
 * a little more (decimal and binary sizes). Outside of that the two do not speak of one device. */
#define PL_NOMINAL_LESS 0.88
#define PL_NOMINAL_MORE 1.02
#define PL_BANDWIDTH_DIFFERS 0.05
/* A channel count is at most 16 in the table; one channel is the least that can be populated. */
#define PL_CHANNELS_MAX 16

static void pl_device_subject(const struct pl_device *d, char *out, size_t size)
{
    char gib[24] = "";
    if (pl_known(d->total))
        (void)PL_FMT(gib, "%llu", (unsigned long long)((d->total.likely + PL_GIB - 1) / PL_GIB));
    (void)pl_fmt(out, size, "%s;%s;%s", d->name, d->pci_id, gib);
}

static struct pl_rate pl_declared(double value, const char *why)
{
    if (value <= 0)
        return (struct pl_rate){.why = "the device data does not say"};
    return (struct pl_rate){value, value, value, PL_SOURCE_DECLARED, PL_STATE_PLAIN, why};
}

static void pl_device_memory(struct pl_machine *m, struct pl_device *d,
                             const struct pl_device_row *r)
{
    char a[PL_SIZE_TEXT_MAX], b[PL_SIZE_TEXT_MAX];
    if (r->memory_gib <= 0)
        return;
    d->nominal = pl_exact((uint64_t)(r->memory_gib * (double)PL_GIB), PL_SOURCE_DECLARED,
                          "as sold, by the device data");
    double part = pl_known(d->total) ? (double)d->total.likely / (double)d->nominal.likely : 1;
    /* a slice, and a part of shared memory, have less for good reason */
    bool part_of = d->kind != PL_DEVICE_DISCRETE;
    if (part > PL_NOMINAL_MORE || (part < PL_NOMINAL_LESS && !part_of))
        pl_machine_note(m, "%s: the device data says %s (%s), the driver %s: both are kept", d->id,
                        pl_size_text(d->nominal.likely, a), r->id,
                        pl_size_text(d->total.likely, b));
}

static void pl_device_bandwidth(struct pl_machine *m, struct pl_device *d,
                                const struct pl_device_row *r)
{
    double declared = r->bandwidth_gbs * 1e9;
    if (declared <= 0)
        return;
    if (d->bandwidth.source == PL_SOURCE_UNKNOWN || d->bandwidth.likely <= 0) {
        d->bandwidth = pl_declared(declared, "by the device data");
        return;
    }
    double off = d->bandwidth.likely / declared - 1;
    if (d->kind != PL_DEVICE_SLICE && (off > PL_BANDWIDTH_DIFFERS || off < -PL_BANDWIDTH_DIFFERS))
        pl_machine_note(m,
                        "%s: bandwidth is %.0f GB/s by clock and bus width, %.0f GB/s by the "
                        "device data (%s)",
                        d->id, d->bandwidth.likely / 1e9, r->bandwidth_gbs, r->id);
}

void pl_device_row_apply(struct pl_machine *m, struct pl_device *d, const struct pl_device_row *r)
{
    struct pl_sensor *slow = &d->sensor[PL_SENSOR_SLOWDOWN];
    (void)PL_FMT(d->row, "%s", r->id);
    pl_device_memory(m, d, r);
    pl_device_bandwidth(m, d, r);
    struct pl_pool *pool = pl_machine_pool(m, d->pool);
    if (pool != NULL && pool->bandwidth.source == PL_SOURCE_UNKNOWN)
        pool->bandwidth = d->bandwidth;
    if (d->kind == PL_DEVICE_SLICE)
        return; /* the rates are those of the whole */
    if (d->fp16.source == PL_SOURCE_UNKNOWN)
        d->fp16 = pl_declared(r->fp16_tflops_dense * 1e12, "dense, by the device data");
    if (d->int8.source == PL_SOURCE_UNKNOWN)
        d->int8 = pl_declared(r->int8_tops_dense * 1e12, "dense, by the device data");
    if (!d->bf16_known && r->bf16_native >= 0) {
        d->bf16_known = true;
        d->bf16 = r->bf16_native > 0;
    }
    if (d->compute_capability[0] == '\0' && pl_starts(r->compute_capability, "sm_")) {
        /* sm_86 is 8.6, sm_120 12.0 */
        size_t n = strlen(r->compute_capability);
        if (n > 4)
            (void)PL_FMT(d->compute_capability, "%.*s.%s", (int)(n - 4), r->compute_capability + 3,
                         r->compute_capability + n - 1);
    } else if (d->compute_capability[0] == '\0' && pl_starts(r->compute_capability, "gfx"))
        (void)PL_FMT(d->compute_capability, "%s", r->compute_capability);
    if (!slow->known && !d->sensor[PL_SENSOR_MARGIN].known && r->throttle_c > 0) {
        *slow = (struct pl_sensor){.value = r->throttle_c, .known = true, .declared = true};
        pl_machine_note(m,
                        "%s: that it slows down at %.0f C is the device data's word, not its own",
                        d->id, r->throttle_c);
    }
}

/* "bw=12x64bit*4800MT/s" has 12 channels; 0 when the row does not say. */
static unsigned pl_row_channels(const struct pl_device_row *r)
{
    const char *s = strstr(r->source, "bw=");
    char *end = NULL;
    unsigned long n = s != NULL ? strtoul(s + 3, &end, 10) : 0;
    return end != NULL && *end == 'x' && n <= PL_CHANNELS_MAX ? (unsigned)n : 0;
}

/* The share of the peak is not known: every channel but one may be empty. */
static void pl_device_cpu(struct pl_machine *m)
{
    struct pl_pool *ram = pl_machine_pool(m, "ram");
    if (ram == NULL || ram->bandwidth.source != PL_SOURCE_UNKNOWN)
        return;
    const struct pl_device_row *r = pl_device_match_cpu(m->cpu.model);
    if (r == NULL || r->bandwidth_gbs <= 0)
        return;
    unsigned channels = pl_row_channels(r);
    uint32_t sockets =
        strstr(r->source, "per_socket") != NULL && m->cpu.packages > 1 ? m->cpu.packages : 1;
    double peak = r->bandwidth_gbs * 1e9 * sockets;
    ram->bandwidth = (struct pl_rate){
        channels > 0 ? peak / channels / sockets : peak / 8,
        peak,
        peak,
        PL_SOURCE_DECLARED,
        PL_STATE_PLAIN,
        "peak of the CPU's memory by the device data, when every channel is populated: measure it"};
}

void pl_device_data_apply(struct pl_machine *m, bool bandwidth)
{
    for (uint32_t i = 0; i < m->n_device; i++) {
        struct pl_device *d = &m->device[i];
        const struct pl_device_row *other = NULL, *r = NULL;
        char subject[192];
        pl_device_subject(d, subject, sizeof(subject));
        if (d->kind != PL_DEVICE_SLICE)
            r = pl_device_match(subject, &other);
        if (r != NULL)
            pl_device_row_apply(m, d, r);
        else if (other != NULL)
            pl_machine_note(m, "%s: several rows of the device data fit it, %s among them", d->id,
                            other->id);
    }
    if (bandwidth)
        pl_device_cpu(m);
}
