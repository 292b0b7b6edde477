/* Which weights the CPU backend converts into its kernels' layout at load. Pure. */
#ifndef PL_ENGINE_LLAMACPP_REPACK_H
#define PL_ENGINE_LLAMACPP_REPACK_H

#include "domain/machine.h"
#include "domain/model.h"

#include <stdbool.h>

enum pl_repack { PL_REPACK_NO = 0, PL_REPACK_YES, PL_REPACK_UNKNOWN };

/* Would a matrix of this tensor's type and shape be repacked on that CPU? UNKNOWN when the CPU's
 * features are not known, or it has matrix units whose own layout is not modelled (AMX). cpu may be
 * NULL. */
enum pl_repack pl_repack_matrix(const struct pl_tensor *t, const struct pl_cpu *cpu);

/* True for a tensor that a matrix product reads and whose shape the conversion takes: 2-D, or the
 * stacked matrices of routed experts. Tables that are only looked up are none (a tied embedding's
 * second use as output is asked for separately). */
bool pl_repack_is_matrix(const struct pl_tensor *t);

#endif
