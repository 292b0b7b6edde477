/* The geometry of a model and the settings as the engine will really use them. Pure. */
#ifndef PL_ENGINE_LLAMACPP_RESOLVE_H
#define PL_ENGINE_LLAMACPP_RESOLVE_H

#include "base/err.h"
#include "domain/model.h"
#include "domain/settings.h"
#include "engine/llamacpp/arch.h"

/* What the formulas need of a dense decoder. Per-layer head counts are read from the header where a
 * formula needs them. */
struct pl_geometry {
    uint64_t n_layer, n_embd, n_ff, n_head, n_head_kv, head_k, head_v, n_vocab, n_ctx_train;
    bool qk_norm, qkv_bias, tied;
    bool plain; /* no tensor asks for an operation whose buffer is not proved */
};

/* Reads and checks the geometry. -ENOTSUP (exit 3, "cannot tell") for an architecture whose
 * formulas are not here, -EBADMSG for a header that contradicts itself. */
int pl_llamacpp_geometry(const struct pl_model *m, struct pl_geometry *ret, struct pl_err *err);

/* Decides every "auto" as llama-server and llama_context do. -EINVAL for what the engine itself
 * refuses (quantised V without flash attention, too many slots). */
int pl_llamacpp_resolve(const struct pl_settings *s, const struct pl_net *net,
                        struct pl_resolved *ret, struct pl_err *err);

#endif
