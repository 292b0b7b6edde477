/* Whose matrices have the size that could not be had: the catalogue asked backwards. */
#ifndef PL_MEASURE_RESEMBLE_H
#define PL_MEASURE_RESEMBLE_H

#include "domain/oom.h"

#include <stddef.h>

/* Writes "one 14336 x 4096 16-bit matrix, as in mistral-7b-v0.3, llama-3.1-8b and 40 more" for the
 * shape most models share; "" when no request is known or none fits. Returns out. */
const char *pl_oom_resembles(const struct pl_oom *o, char *out, size_t size);

#endif
