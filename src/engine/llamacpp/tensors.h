/* Does a dense model hold the tensors its graph is built of, and nothing else? Pure. */
#ifndef PL_ENGINE_LLAMACPP_TENSORS_H
#define PL_ENGINE_LLAMACPP_TENSORS_H

#include "engine/llamacpp/resolve.h"

/* -EBADMSG when a tensor is missing or has another shape than the header says: the engine refuses
 * such a file too. -ENOTSUP (exit 3) for a tensor that belongs to another graph. *ret_plain: no
 * tensor asks for an operation (a bias or scale out of the usual) whose buffer is not proved. */
int pl_llamacpp_tensors(const struct pl_model *m, const struct pl_geometry *g, bool *ret_plain,
                        struct pl_err *err);

#endif
