#include "engine/llamacpp/speed_fit.h"

#include "base/str.h"

static const struct pl_speed_coef pl_coefs[] = {
#include "speed_fit.inc"
};

const struct pl_speed_fit *pl_speed_fit(void)
{
    static const struct pl_speed_fit fit = {pl_coefs, sizeof(pl_coefs) / sizeof(pl_coefs[0])};
    return &fit;
}

static const struct pl_speed_coef *pl_coef_of(const struct pl_speed_fit *fit, const char *what,
                                              const char *of)
{
    for (uint32_t i = 0; of != NULL && of[0] != '\0' && i < fit->n; i++) {
        if (pl_streq(fit->coef[i].what, what) && pl_streq(fit->coef[i].of, of))
            return &fit->coef[i];
    }
    return NULL;
}

const struct pl_speed_coef *pl_speed_coef(const struct pl_speed_fit *fit, const char *what,
                                          const char *of, const char *or_of)
{
    const struct pl_speed_coef *c = pl_coef_of(fit, what, of);
    c = c != NULL ? c : pl_coef_of(fit, what, or_of);
    return c != NULL ? c : pl_coef_of(fit, what, "all");
}

const char *pl_speed_backend(enum pl_backend backend)
{
    return backend == PL_BACKEND_METAL ? "Metal" : pl_backend_name(backend);
}

static double pl_value(const struct pl_speed_fit *fit, const char *what, const char *of,
                       const char *or_of, double absent)
{
    const struct pl_speed_coef *c = pl_speed_coef(fit, what, of, or_of);
    return c != NULL ? c->value : absent;
}

double pl_speed_device_step(const struct pl_speed_fit *fit, const struct pl_speed_device *d,
                            const struct pl_speed_work *w)
{
    const char *backend = pl_speed_backend(d->backend);
    if (d->bandwidth <= 0 || d->fp32 <= 0)
        return 0;
    double tokens = w->tokens > 1 ? w->tokens : 1;
    double t = pl_value(fit, "bytes", d->arch, backend, 1) * w->bytes / d->bandwidth;
    t += pl_value(fit, "ops", d->arch, backend, 1) * (w->ops / tokens) / d->fp32;
    t += pl_value(fit, "step_ms", backend, NULL, 1) * 1e-3 * w->share;
    if (w->experts) /* routing, and products over few rows each */
        t *= pl_value(fit, "moe", backend, NULL, 1);
    t += pl_value(fit, "kv", backend, NULL, 1) * w->kv_bytes / d->bandwidth;
    if (tokens > 1) {
        double rate = d->fp32 * pl_value(fit, "prefill", d->arch, backend, 1);
        double ops = w->ops * (tokens - 1) / tokens;
        if (w->experts)
            ops *= pl_value(fit, "prefill_moe", backend, NULL, 1);
        t += (ops + w->attn_ops) / rate;
    }
    return t;
}
