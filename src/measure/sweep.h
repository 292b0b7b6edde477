/* Many answers about a catalogue row at once: what its weights take in each quantisation and its
 * caches at each context. Exact to the byte, as a forecast of each would say; without the buffers
 * that need a graph (compute, output) and the process itself. */
#ifndef PL_MEASURE_SWEEP_H
#define PL_MEASURE_SWEEP_H

#include "base/err.h"
#include "domain/settings.h"
#include "model/catalogue.h"
#include "model/mix.h"

#define PL_SWEEP_MIXES 16
#define PL_SWEEP_CONTEXTS 12

struct pl_sweep {
    const struct pl_mix *mix[PL_SWEEP_MIXES];
    uint64_t context[PL_SWEEP_CONTEXTS]; /* tokens, all slots together (-c) */
    uint32_t n_mix, n_context;
    struct pl_settings settings; /* all but the context */
};

struct pl_sweep_row {
    uint64_t
        tensors[PL_SWEEP_MIXES]; /* bytes of all tensors; 0 = the mix does not suit the shapes */
    uint64_t kv[PL_SWEEP_CONTEXTS], recurrent[PL_SWEEP_CONTEXTS];
};

/* The mixes people publish, smallest loss first where it was measured, and contexts from 2048 to
 * four million, each twice the one before. One slot. */
void pl_sweep_usual(struct pl_sweep *ret);

/* Fills ret. Errors as pl_catalogue_model and pl_llamacpp_footprint. */
int pl_sweep_row(const struct pl_sweep *s, const struct pl_catalogue_row *row,
                 struct pl_sweep_row *ret, struct pl_err *err);

#endif
