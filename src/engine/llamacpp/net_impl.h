/* Between net.c and net_layers.c. */
#ifndef PL_ENGINE_LLAMACPP_NET_IMPL_H
#define PL_ENGINE_LLAMACPP_NET_IMPL_H

#include "engine/llamacpp/arch.h"

#define PL_WIDTH_MAX (1u << 24) /* larger widths than any model: refuse rather than overflow */

/* The header contradicts itself, or lacks what the engine requires: -EBADMSG. */
int pl_net_bad(const struct pl_model *m, const char *what, const char *key, struct pl_err *err);

/* Value of a key, at most PL_WIDTH_MAX: larger is -EBADMSG. */
int pl_net_u32(const struct pl_model *m, const char *key, uint64_t absent, uint64_t *ret,
               struct pl_err *err);

/* Fills net->layer[]: widths, kinds, windows, caches. */
int pl_net_layers(const struct pl_model *m, struct pl_net *net, struct pl_err *err);

#endif
