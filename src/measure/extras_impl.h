/* Private to the files of extras. */
#ifndef PL_MEASURE_EXTRAS_IMPL_H
#define PL_MEASURE_EXTRAS_IMPL_H

#include "measure/extras.h"

/* The pool of that name, added where it is new; NULL: no room. */
struct pl_pool_footprint *pl_extra_pool(struct pl_footprint *f,
                                        const struct pl_pool_footprint *like);

/* A part more, in the totals too; `file` of it are pages of a mapped file. */
void pl_extra_add(struct pl_pool_footprint *p, enum pl_part part, struct pl_quantity q,
                  struct pl_quantity file);

/* --mmproj: the projector's tensors and buffers. */
int pl_extra_projector(struct pl_forecast *f, const struct pl_llamacpp_host *host,
                       struct pl_err *err);

/* A draft model, and a context for the model's own layers that predict several tokens. */
int pl_extra_draft(struct pl_forecast *f, const struct pl_llamacpp_host *host, struct pl_err *err);

#endif
