/* What llama.cpp's --fit makes of settings that are left open: a shorter context, then fewer layers
 * on devices, experts on the host. The same search (common/fit.cpp, common_params_fit_impl) over
 * our own figures. Pure. */
#ifndef PL_ENGINE_LLAMACPP_PLACEMENT_FIT_H
#define PL_ENGINE_LLAMACPP_PLACEMENT_FIT_H

#include "engine/llamacpp/placement.h"

#define PL_FIT_TEXT_MAX 160

struct pl_fit {
    uint64_t n_ctx;                    /* as to be asked for; 0 = as the settings say */
    uint64_t n_gpu_layers;             /* the output included */
    double share[PL_USED_DEVICES_MAX]; /* layers of each device; all 0 = not changed */
    uint64_t n_part, part_from;        /* layers whose experts stay on the host, from this one on */
    char pattern[48];                  /* more tensors that do, of the first of them; "" = none */
    bool changed;
    char text[PL_FIT_TEXT_MAX]; /* what was changed, or why it is not known; "" = nothing */
};

/* compute: bytes of the compute buffer of a device for a resolved context, as it is counted here;
 * ctx is handed on. False when it is not known: then nothing is changed and text says so. */
struct pl_fit_compute {
    bool (*bytes)(void *ctx, const struct pl_resolved *r, uint64_t *ret);
    void *ctx;
};

/* -ngl auto (or asked: then only a context of 0 may shrink). Errors as pl_llamacpp_place. */
int pl_llamacpp_fit(const struct pl_model *m, const struct pl_net *net, const struct pl_settings *s,
                    const struct pl_used_devices *all, const struct pl_fit_compute *compute,
                    struct pl_fit *ret, struct pl_err *err);

/* The placement of what was found. */
int pl_llamacpp_place_fit(const struct pl_model *m, const struct pl_net *net,
                          const struct pl_settings *s, const struct pl_used_devices *all,
                          const struct pl_fit *fit, struct pl_placement *ret, struct pl_err *err);

#endif
