#include "engine/llamacpp/speed_text.h"

#include "base/str.h"

const char pl_speed_why_blind[] =
    "bytes read per token over measured bandwidth, 60 % of it reached "
    "(20 .. 100 %)";
const char pl_speed_why_sheet[] =
    "bytes read per token over the data sheet's bandwidth, 60 % of it "
    "reached (20 .. 100 %); plimsoll assess --bandwidth measures it";
const char pl_speed_why_mixed[] =
    "host and devices one after the other; what crosses between them is not in the formula";
const char pl_speed_why_cpu[] = "per tensor the longer of bytes over bandwidth and operations over "
                                "the rate, both measured here";
const char pl_speed_why_experts[] = "the formula of dense models times what mixtures of experts "
                                    "take longer, fitted on four devices";
const char pl_speed_why_device[] =
    "bytes over bandwidth, operations over the FP32 peak and a step, "
    "fitted on other machines (docs/speed.md)";
const char pl_speed_why_speculative[] =
    "from no drafted token accepted to all of them; that depends on the text";

static struct pl_speed_term *pl_speed_term(struct pl_speed *ret, const char *step, const char *pool,
                                           double seconds, const char *source)
{
    static struct pl_speed_term spare; /* beyond the limit: written and forgotten */
    struct pl_speed_term *t = ret->n_term < PL_SPEED_TERMS_MAX ? &ret->term[ret->n_term++] : &spare;
    *t = (struct pl_speed_term){.seconds = seconds, .source = source};
    (void)PL_FMT(t->step, "%s", step);
    (void)PL_FMT(t->pool, "%s", pool);
    return t;
}

static void pl_speed_host_terms(const char *name, const struct pl_speed_graph *g,
                                const struct pl_speed_step *s, double slots, struct pl_speed *ret)
{
    const struct pl_speed_work *w = &s->place[PL_PLACE_HOST];
    const struct pl_speed_host *h = g->host;
    struct pl_speed_term *t;
    if (w->bytes > 0 && h->bandwidth.likely > 0) {
        t = pl_speed_term(ret, name, "ram", s->host_seconds, "data/speed_kernels.tsv");
        (void)PL_FMT(t->formula,
                     "weights: %.3g GB at %.1f GB/s = %.2f ms; %.3g G operations by kernel = %.2f "
                     "ms; per tensor the longer",
                     w->bytes / 1e9, h->bandwidth.likely / 1e9, s->host_bytes_seconds * 1e3,
                     w->ops / 1e9, s->host_ops_seconds * 1e3);
    }
    if (w->kv_bytes > 0 && h->bandwidth.likely > 0) {
        const struct pl_speed_kernel *k = pl_speed_kernel_named("attention");
        double cost = k->prefill + (k->decode - k->prefill) / w->tokens;
        double reading = w->kv_bytes / h->bandwidth.likely;
        double computing = h->fma.likely > 0 ? w->attn_ops * cost / h->fma.likely : 0;
        t = pl_speed_term(ret, name, "ram", reading > computing ? reading : computing, k->source);
        (void)PL_FMT(t->formula,
                     "cache: %.3g MB read = %.3f ms; %.3g G operations of attention = %.3f ms; the "
                     "longer",
                     w->kv_bytes / 1e6, reading * 1e3, w->attn_ops / 1e9, computing * 1e3);
    }
    if (w->share <= 0 || h->fma.likely <= 0)
        return;
    const struct pl_speed_kernel *layer = pl_speed_kernel_named("layer");
    const struct pl_speed_kernel *vocab = pl_speed_kernel_named("vocabulary");
    double layers = w->share * ((double)g->place->n_trunk + 1);
    double words = slots * (double)g->net->n_vocab;
    double seconds = layers * layer->decode * 1e-6 + words * vocab->decode * 1e-9;
    t = pl_speed_term(ret, name, "ram", seconds, layer->source);
    (void)PL_FMT(t->formula, "%.0f layers x %.3g us, %.0f candidates x %.3g ns", layers,
                 layer->decode, words, vocab->decode);
    const struct pl_speed_kernel *activations = pl_speed_kernel_named("activations");
    double bytes = layers * (double)g->net->n_embd * (w->tokens - 1) * activations->prefill;
    if (bytes <= 0)
        return;
    t = pl_speed_term(ret, name, "ram", bytes / h->bandwidth.likely, activations->source);
    (void)PL_FMT(t->formula, "activations: %.0f layers x %llu values x %.0f tokens x %.0f bytes",
                 layers, (unsigned long long)g->net->n_embd, w->tokens, activations->prefill);
}

void pl_speed_terms(const char *name, const struct pl_speed_machine *in,
                    const struct pl_speed_graph *g, const struct pl_speed_step *s, double slots,
                    struct pl_speed *ret)
{
    pl_speed_host_terms(name, g, s, slots, ret);
    for (uint8_t k = 1; k < g->place->n_place; k++) {
        const struct pl_speed_work *w = &s->place[k];
        const char *pool = g->place->devices.one[k - 1].pool;
        for (uint32_t i = 0; i < in->n_device; i++) {
            const struct pl_speed_device *d = &in->device[i].as;
            if (!pl_streq(in->device[i].pool, pool) || w->bytes + w->kv_bytes <= 0)
                continue;
            struct pl_speed_term *t = pl_speed_term(
                ret, name, pool, pl_speed_device_step(in->fit, d, w), "data/speed_fit.tsv");
            (void)PL_FMT(t->formula,
                         "%.3g GB of weights and %.3g MB of cache at %.0f GB/s, %.3g G operations "
                         "at %.1f TFLOPS, %.0f %% of a step of %s%s",
                         w->bytes / 1e9, w->kv_bytes / 1e6, d->bandwidth / 1e9,
                         (w->ops + w->attn_ops) / 1e9, d->fp32 / 1e12, w->share * 100,
                         pl_speed_backend(d->backend), w->experts ? ", experts" : "");
            if (k == 1 && s->moved > 0 && d->link > 0) {
                t = pl_speed_term(ret, name, pool, s->moved / d->link, "PCIe, its nominal rate");
                (void)PL_FMT(t->formula, "%.3g GB of the host's weights over a link of %.1f GB/s",
                             s->moved / 1e9, d->link / 1e9);
            }
        }
    }
}
