/* Quantisation mixes: which element type llama-quantize gives each tensor. Pure: a mix, a few facts
 * of the architecture and the tensor list in, types and bytes out.
 *
 * The rules mirror llama.cpp src/llama-quant.cpp (llama_tensor_get_type, tensor_type_fallback and
 * the list of tensors left alone) as table rows; what the converter stores is from
 * conversion/base.py. A vendor's "dynamic" files under the same names follow other recipes: a real
 * file's header always wins over these rules. */
#ifndef PL_MODEL_MIX_H
#define PL_MODEL_MIX_H

#include "base/err.h"
#include "domain/model.h"

#include <stdbool.h>
#include <stdint.h>

struct pl_mix {
    const char *name;      /* "Q4_K_M" */
    uint32_t file_type;    /* llama_ftype, as in general.file_type */
    uint32_t default_type; /* tensor type of every matrix without a rule of its own */
    bool imatrix;          /* llama-quantize refuses it without an importance matrix */
};

/* What the rules look at besides the tensors. */
struct pl_mix_facts {
    const char *arch;
    uint64_t n_layer;
    uint64_t n_head, n_head_kv; /* of layer 0; n_head_kv 0 = layer 0 has no attention */
    uint64_t n_expert;          /* 0 = dense */
    bool imatrix;               /* an importance matrix is at hand */
};

/* All mixes, from data/quants.tsv. Static. */
const struct pl_mix *pl_mixes(size_t *ret_n);

/* By name in any case, '-' for '_' allowed, and llama-quantize's own short names (Q4_K = Q4_K_M);
 * NULL when unknown, and then pl_mix_nearest may know what was meant (NULL when not). */
const struct pl_mix *pl_mix_named(const char *name);
const char *pl_mix_nearest(const char *name);

/* Sets type and bytes of the n tensors. Their names and shapes must be set; order does not matter.
 * -EINVAL when a row fits no block of the mix, -E2BIG over the limit of tensors, -ERANGE when a
 * size overflows, -ENOMEM. */
int pl_mix_apply(const struct pl_mix *mix, const struct pl_mix_facts *facts,
                 struct pl_tensor *tensor, uint64_t n, struct pl_err *err);

#endif
