#include "engine/llamacpp/speed.h"

#include "base/str.h"
#include "engine/llamacpp/placement.h"
#include "engine/llamacpp/speculate.h"
#include "engine/llamacpp/speed_text.h"

#include <math.h>

/* Without a measured rate of arithmetic: the share of the bandwidth that decoding on a CPU reaches.
 * llama-server 0.7.0 on two cores of an EPYC (Zen 5): 0.40 for a model of 0.5B, 0.57 for 1B, 0.67
 * for 3B, 0.79 for 8B; users' llama-bench rows for desktops lie between 0.36 and 0.72 of the data
 * sheet, and for large servers far below. No single constant fits CPUs. */
#define PL_CPU_BLIND_LOW 0.20
#define PL_CPU_BLIND_LIKELY 0.60

/* With both measured: measured over predicted of bench/speed on that machine, and as much again,
 * since one machine says little of others. */
#define PL_CPU_PROBED_LOW 0.65
#define PL_CPU_PROBED_HIGH 1.35
/* Layers on the host and on devices: what crosses between them is not in the formula. */
#define PL_MIXED_LOW 0.50
#define PL_MIXED_HIGH 1.35

static const struct pl_speed_device *pl_speed_device_of(const struct pl_speed_machine *in,
                                                        const struct pl_placement *p, uint8_t place)
{
    for (uint32_t i = 0; place > 0 && i < in->n_device; i++) {
        if (pl_streq(in->device[i].pool, p->devices.one[place - 1].pool))
            return &in->device[i].as;
    }
    return NULL;
}

static double pl_speed_larger(double a, double b)
{
    return a > b ? a : b;
}

/* Seconds of the host's share; *ret_blind: nothing but its bandwidth is known. */
static double pl_speed_host_seconds(const struct pl_speed_graph *g, const struct pl_speed_step *s,
                                    double slots, bool *ret_blind)
{
    const struct pl_speed_work *w = &s->place[PL_PLACE_HOST];
    const struct pl_speed_host *h = g->host;
    const struct pl_speed_kernel *attention = pl_speed_kernel_named("attention");
    const struct pl_speed_kernel *layer = pl_speed_kernel_named("layer");
    const struct pl_speed_kernel *vocab = pl_speed_kernel_named("vocabulary");
    const struct pl_speed_kernel *activations = pl_speed_kernel_named("activations");
    *ret_blind = h->int8.likely <= 0 || h->fma.likely <= 0;
    if (h->bandwidth.likely <= 0)
        return 0;
    double kv = w->kv_bytes / h->bandwidth.likely;
    if (*ret_blind)
        return (s->host_seconds + kv) / PL_CPU_BLIND_LIKELY;
    double cost = attention->prefill + (attention->decode - attention->prefill) / w->tokens;
    double layers = w->share * ((double)g->place->n_trunk + 1);
    return s->host_seconds + pl_speed_larger(kv, w->attn_ops * cost / h->fma.likely) +
           layers * (double)g->net->n_embd * (w->tokens - 1) * activations->prefill /
               h->bandwidth.likely + /* those of one token stay in the caches */
           layers * layer->decode * 1e-6 +
           slots * (double)g->net->n_vocab * vocab->decode * 1e-9;
}

struct pl_speed_sum {
    double seconds, roof; /* 0 = unknown; roof: no step can be faster */
    bool known, host, device, experts, blind;
    const char *missing; /* when not known */
};

static void pl_speed_add_device(const struct pl_speed_machine *in, const struct pl_speed_graph *g,
                                const struct pl_speed_step *s, uint8_t k, struct pl_speed_sum *sum)
{
    const struct pl_speed_device *d = pl_speed_device_of(in, g->place, k);
    const struct pl_speed_work *w = &s->place[k];
    if (w->bytes + w->kv_bytes <= 0)
        return;
    sum->device = true;
    if (d == NULL || d->bandwidth <= 0 || d->fp32 <= 0) {
        sum->known = false;
        sum->missing = "the device data does not know this device's bandwidth and peak";
        return;
    }
    sum->seconds += pl_speed_device_step(in->fit, d, w);
    sum->roof += (w->bytes + w->kv_bytes) / d->bandwidth;
    sum->experts = sum->experts || w->experts;
}

/* All places, one after the other. */
static struct pl_speed_sum pl_speed_total(const struct pl_speed_machine *in,
                                          const struct pl_speed_graph *g,
                                          const struct pl_speed_step *s, double slots)
{
    struct pl_speed_sum sum = {.known = true};
    const struct pl_speed_work *host = &s->place[PL_PLACE_HOST];
    for (uint8_t k = 1; k < g->place->n_place; k++)
        pl_speed_add_device(in, g, s, k, &sum);
    if (s->moved > 0) {
        const struct pl_speed_device *d = pl_speed_device_of(in, g->place, 1);
        if (d == NULL || d->link <= 0) {
            sum.known = false;
            sum.missing = "the speed of the link to the device is not known";
        } else {
            sum.seconds += s->moved / d->link;
        }
        sum.host = true; /* the weights lie there */
    }
    /* norms and tables of a model that is on devices otherwise are no share of the host */
    if (host->share <= 0 && host->bytes <= 0 && host->kv_bytes <= 0)
        return sum;
    sum.host = true;
    sum.experts = sum.experts || (sum.device && host->experts);
    if (g->host->bandwidth.likely <= 0) {
        sum.known = false;
        sum.missing =
            "memory bandwidth is not known: plimsoll assess --bandwidth measures it here, "
            "cpu-ddr5-4800-dual or its like in --device says it of another machine";
        return sum;
    }
    sum.seconds += pl_speed_host_seconds(g, s, slots, &sum.blind);
    sum.roof += (host->bytes + host->kv_bytes) / g->host->bandwidth.high;
    return sum;
}

/* Where measured / predicted lies for what is like this. */
static void pl_speed_interval(const struct pl_speed_fit *fit, const struct pl_speed_sum *sum,
                              const char *backend, bool prefill, double *ret_low, double *ret_high)
{
    const struct pl_speed_coef *c =
        pl_speed_coef(fit,
                      sum->experts ? prefill ? "interval_prefill_moe" : "interval_moe"
                      : prefill    ? "interval_prefill"
                                   : "interval",
                      backend, NULL);
    *ret_low = PL_CPU_PROBED_LOW;
    *ret_high = PL_CPU_PROBED_HIGH;
    if (sum->host && sum->blind) {
        *ret_low = PL_CPU_BLIND_LOW / PL_CPU_BLIND_LIKELY;
        *ret_high = 1 / PL_CPU_BLIND_LIKELY;
    } else if (sum->host && sum->device) {
        *ret_low = PL_MIXED_LOW;
        *ret_high = PL_MIXED_HIGH;
    }
    if (!sum->device || c == NULL)
        return;
    bool wider = !sum->host;
    *ret_low = wider || c->low < *ret_low ? c->low : *ret_low;
    *ret_high = wider || c->high > *ret_high ? c->high : *ret_high;
}

/* The one place where a rate is made of seconds: interval, correction, and the roofline. */
static struct pl_rate pl_speed_rate(const struct pl_speed_machine *in,
                                    const struct pl_speed_sum *sum, const char *backend,
                                    double tokens, bool prefill)
{
    const struct pl_speed_correction *c = &in->correction;
    double factor = prefill ? c->prefill : c->decode, low = 0, high = 0;
    if (!sum->known || sum->seconds <= 0)
        return (struct pl_rate){.why = sum->missing != NULL
                                           ? sum->missing
                                           : "the file holds no weights that a token reads"};
    if (prefill && sum->blind)
        return (struct pl_rate){.why = "arithmetic speed of this CPU is not measured: plimsoll "
                                       "assess --bandwidth"};
    pl_speed_interval(in->fit, sum, backend, prefill, &low, &high);
    double v = tokens / sum->seconds, roof = sum->roof > 0 ? tokens / sum->roof : (double)INFINITY;
    if (factor > 0) {
        v *= factor;
        low = prefill ? c->prefill_low : c->decode_low;
        high = prefill ? c->prefill_high : c->decode_high;
        low = low > 0 ? low : 1;
        high = high > 0 ? high : 1;
    }
    v = v < roof ? v : roof;
    struct pl_rate r = {.low = v * low, .likely = v, .high = v * high};
    r.low = r.low < v ? r.low : v;
    r.high = r.high > v ? r.high : v;
    r.high = r.high < roof ? r.high : roof;
    bool blind = sum->host && sum->blind, mixed = sum->host && sum->device;
    r.source =
        blind || mixed || sum->experts || !isfinite(roof) ? PL_SOURCE_ASSUMED : PL_SOURCE_DERIVED;
    r.why = factor > 0 && c->why != NULL ? c->why
            : blind        ? in->host.bandwidth.source == PL_SOURCE_MEASURED ? pl_speed_why_blind
                                                                             : pl_speed_why_sheet
            : mixed        ? pl_speed_why_mixed
            : !sum->device ? pl_speed_why_cpu
            : sum->experts ? pl_speed_why_experts
                           : pl_speed_why_device;
    return r;
}

static const char *pl_speed_backend_of(const struct pl_speed_machine *in,
                                       const struct pl_placement *p)
{
    const struct pl_speed_device *d = pl_speed_device_of(in, p, p->n_place > 1 ? 1 : 0);
    return d != NULL ? pl_speed_backend(d->backend) : NULL;
}

/* One token of each slot; `one` is a step of that kind, whatever its depth. */
static struct pl_rate pl_speed_decode_by(const struct pl_speed_machine *in,
                                         const struct pl_speed_graph *g, double depth,
                                         struct pl_speed_step *one)
{
    pl_speed_step_at(g, depth, one);
    struct pl_speed_sum sum = pl_speed_total(in, g, one, one->slots);
    return pl_speed_rate(in, &sum, pl_speed_backend_of(in, g->place), one->slots, false);
}

static struct pl_rate pl_speed_decode(const struct pl_speed_machine *in,
                                      const struct pl_speed_graph *g, double slots, double depth)
{
    struct pl_speed_step s;
    pl_speed_step(g, slots, slots, depth, &s);
    return pl_speed_decode_by(in, g, depth, &s);
}

/* A prompt in physical batches, all at its mean depth. */
static struct pl_rate pl_speed_prefill(const struct pl_speed_machine *in,
                                       const struct pl_speed_graph *g, uint64_t prompt,
                                       struct pl_speed_step *ret_step)
{
    uint64_t batch = g->r->n_ubatch < prompt ? g->r->n_ubatch : prompt;
    pl_speed_step(g, (double)batch, 1, (double)prompt / 2, ret_step);
    struct pl_speed_sum sum = pl_speed_total(in, g, ret_step, 1);
    return pl_speed_rate(in, &sum, pl_speed_backend_of(in, g->place), (double)batch, true);
}

static struct pl_rate pl_speed_inverse(struct pl_rate r, double amount)
{
    if (r.source == PL_SOURCE_UNKNOWN || r.low <= 0)
        return (struct pl_rate){.why = r.why};
    return (struct pl_rate){amount / r.high, amount / r.likely, amount / r.low,
                            r.source,        r.state,           r.why};
}

/* Drafted tokens are checked in one step with the last accepted one: between none and all of them
 * accepted. What they are depends on the text, so that there is nothing likely. Tables of n-grams
 * draft for nothing; a draft model is read once for each token. */
static struct pl_rate pl_speed_speculative(const struct pl_speed_machine *in,
                                           const struct pl_speed_graph *g,
                                           const struct pl_settings *s, double depth)
{
    struct pl_speculation how;
    struct pl_speed_step step;
    if (pl_llamacpp_speculation(s, &how, NULL) < 0 || !how.any || how.n_max < 1)
        return (struct pl_rate){.why = "no drafting is asked for"};
    double n = (double)how.n_max, drafting = 0;
    bool model = pl_speculation_beside(&how) && s->draft.model != NULL;
    pl_speed_step(g, n + 1, 1, depth, &step);
    struct pl_speed_sum sum = pl_speed_total(in, g, &step, 1);
    const struct pl_speed_device *d = pl_speed_device_of(in, g->place, g->place->n_place > 1);
    double bandwidth = d != NULL ? d->bandwidth : in->host.bandwidth.likely;
    if (model && in->draft_bytes <= 0)
        return (struct pl_rate){.why = "the draft model is let go: its vocabulary is another"};
    if (!sum.known || sum.seconds <= 0 || bandwidth <= 0)
        return (struct pl_rate){.why = sum.missing};
    if (model)
        drafting = n * in->draft_bytes / bandwidth;
    struct pl_rate r = pl_speed_rate(in, &sum, pl_speed_backend_of(in, g->place), 1, false);
    double time = 1 / r.likely;
    r.low = r.low / r.likely / (time + drafting);
    r.high = r.high / r.likely * (n + 1) / (time + drafting);
    r.likely = r.low;
    r.source = PL_SOURCE_ASSUMED;
    r.why = pl_speed_why_speculative;
    return r;
}

static void pl_speed_depths(const struct pl_speed_machine *in, const struct pl_speed_graph *g,
                            struct pl_speed_step *one, struct pl_speed *ret)
{
    static const uint64_t depths[] = {0, 4096, 16384, 65536, 262144};
    uint64_t last = g->r->n_ctx_seq;
    for (size_t i = 0; i <= sizeof(depths) / sizeof(depths[0]); i++) {
        bool end = i == sizeof(depths) / sizeof(depths[0]) || depths[i] >= last;
        uint64_t depth = end ? last : depths[i];
        ret->depth[ret->n_depth] = depth;
        ret->decode_at[ret->n_depth++] = pl_speed_decode_by(in, g, (double)depth, one);
        if (end)
            break;
    }
}

/* Everything of one placement. */
static void pl_speed_all(const struct pl_speed_machine *in, const struct pl_speed_graph *g,
                         const struct pl_settings *s, uint64_t prompt, struct pl_speed *ret)
{
    struct pl_speed_step one, batch;
    double depth = (double)prompt, slots = (double)g->r->n_seq;
    ret->prompt = prompt;
    ret->prefill = pl_speed_prefill(in, g, prompt, &batch);
    ret->first_token = pl_speed_inverse(ret->prefill, (double)prompt);
    if (!g->net->causal || !g->net->has_cache) {
        ret->decode = ret->decode_all = ret->speculative =
            (struct pl_rate){.why = "an encoder generates no tokens"};
        return;
    }
    pl_speed_step(g, 1, 1, depth, &one);
    ret->decode_all =
        slots > 1 ? pl_speed_decode(in, g, slots, depth) : pl_speed_decode_by(in, g, depth, &one);
    ret->speculative = pl_speed_speculative(in, g, s, depth);
    pl_speed_depths(in, g, &one, ret);
    ret->decode = pl_speed_decode_by(in, g, depth, &one);
    struct pl_speed_sum sum = pl_speed_total(in, g, &one, 1);
    ret->roof = sum.known && sum.roof > 0 ? 1 / sum.roof : 0;
    pl_speed_terms("decode", in, g, &one, 1, ret);
    pl_speed_terms("prefill", in, g, &batch, 1, ret);
}

int pl_llamacpp_speed(const struct pl_model *m, const struct pl_settings *s,
                      const struct pl_llamacpp_host *host, const struct pl_resolved *r,
                      const struct pl_speed_machine *in, uint64_t prompt, struct pl_speed *ret,
                      struct pl_err *err)
{
    struct pl_net net = {0};
    struct pl_placement place = {0};
    struct pl_resolved resolved = *r;
    struct pl_speed_machine machine = *in;
    machine.fit = in->fit != NULL ? in->fit : pl_speed_fit();
    *ret = (struct pl_speed){.load = {.why = "not asked"}};
    prompt = prompt < r->n_ctx_seq ? prompt : r->n_ctx_seq;
    int rc = pl_llamacpp_net(m, &net, err);
    if (rc == 0)
        rc = pl_llamacpp_footprint_place(m, &net, s, host, &resolved, NULL, &place, err);
    if (rc == 0) {
        struct pl_speed_graph g = {m, &net, r, &place, &machine.host, s->op_offload};
        pl_speed_all(&machine, &g, s, prompt > 0 ? prompt : 1, ret);
    }
    pl_placement_done(&place);
    pl_net_done(&net);
    return rc;
}

int pl_llamacpp_speed_at(const struct pl_model *m, const struct pl_settings *s,
                         const struct pl_llamacpp_host *host, const struct pl_resolved *r,
                         const struct pl_speed_machine *in, uint64_t n_gpu_layers, uint64_t prompt,
                         struct pl_rate *ret_decode, struct pl_rate *ret_prefill,
                         struct pl_err *err)
{
    static const struct pl_used_devices none;
    struct pl_net net = {0};
    struct pl_placement place = {0};
    struct pl_speed_machine machine = *in;
    machine.fit = in->fit != NULL ? in->fit : pl_speed_fit();
    int rc = pl_llamacpp_net(m, &net, err);
    if (rc == 0)
        rc = pl_llamacpp_place(m, &net, s, host->devices != NULL ? host->devices : &none,
                               n_gpu_layers, NULL, &place, err);
    if (rc == 0) {
        struct pl_speed_graph g = {m, &net, r, &place, &machine.host, s->op_offload};
        *ret_decode = pl_speed_decode(&machine, &g, 1, (double)prompt);
        struct pl_speed_step batch;
        *ret_prefill = pl_speed_prefill(&machine, &g, prompt > 0 ? prompt : 1, &batch);
    }
    pl_placement_done(&place);
    pl_net_done(&net);
    return rc;
}
