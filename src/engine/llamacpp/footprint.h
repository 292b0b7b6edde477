/* What llama-server needs in memory for a model under given settings. Pure: header, settings and
 * CPU features in, quantities out. */
#ifndef PL_ENGINE_LLAMACPP_FOOTPRINT_H
#define PL_ENGINE_LLAMACPP_FOOTPRINT_H

#include "base/err.h"
#include "domain/footprint.h"
#include "domain/model.h"
#include "domain/settings.h"
#include "engine/llamacpp/devices.h"
#include "engine/llamacpp/placement.h"
#include "engine/llamacpp/resolve.h"

/* The llama.cpp build whose graphs and buffers the formulas were proved against. */
#define PL_LLAMACPP_PROVED "0.7.0 build 11669"

/* What the footprint needs of the machine; all may be unknown. */
struct pl_llamacpp_host {
    const struct pl_cpu *cpu; /* NULL: repacked weights cannot be told from mapped ones */
    const struct pl_used_devices *devices; /* NULL: none */
    bool version_known; /* the engine is the proved version: narrower compute interval */
};

/* A draft model (-md) and adapters (--lora) are files of their own: measure/extras.h adds them.
 * Fills ret (first "ram", then a pool for each device used) and the resolved settings. Errors:
 * -ENOTSUP with exit 3 for what is not predicted (architecture, a split), -EINVAL for settings the
 * engine refuses, -EBADMSG for contradicting headers. */
int pl_llamacpp_footprint(const struct pl_model *m, const struct pl_settings *s,
                          const struct pl_llamacpp_host *host, struct pl_footprint *ret,
                          struct pl_resolved *ret_resolved, struct pl_err *err);

/* Where everything goes under these settings: as asked, or as the engine's fitting would have it.
 * r, as resolved for the settings, gets the context that fitting chose. text (may be NULL): room
 * for PL_FOOTPRINT_TEXT_MAX bytes, what was decided. ret as for pl_llamacpp_place. */
int pl_llamacpp_footprint_place(const struct pl_model *m, const struct pl_net *net,
                                const struct pl_settings *s, const struct pl_llamacpp_host *host,
                                struct pl_resolved *r, char *text, struct pl_placement *ret,
                                struct pl_err *err);

/* True for a tensor that is used where it lies in the mapped file, false for one that is only the
 * source of a converted copy. cpu NULL: unknown features, as if nothing were converted. */
bool pl_llamacpp_is_mapped(const struct pl_tensor *t, bool repack, const struct pl_cpu *cpu);

/* Bytes of weights that a decoded token reads: everything but an embedding table that is only
 * looked up. */
uint64_t pl_llamacpp_bytes_per_token(const struct pl_model *m);

#endif
