/* The header of a ghost. Only ghost.c includes this. */
#ifndef PL_MODEL_GHOST_HEADER_H
#define PL_MODEL_GHOST_HEADER_H

#include "model/gguf_write.h"
#include "model/ghost.h"

/* Writes magic, keys, tensor infos and the padding before the data. tensor is m's table laid out in
 * one file. *ret_synthetic tells whether a tokenizer was made up. A failed write is in o->failed.
 */
int pl_ghost_header(struct pl_gguf_out *o, const struct pl_model *m, const struct pl_tensor *tensor,
                    enum pl_fill fill, bool *ret_synthetic, struct pl_err *err);

#endif
