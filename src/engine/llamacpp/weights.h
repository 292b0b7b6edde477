/* Where a model's tensors end up on the host: mapped, converted, or never asked for. Pure. */
#ifndef PL_ENGINE_LLAMACPP_WEIGHTS_H
#define PL_ENGINE_LLAMACPP_WEIGHTS_H

#include "domain/machine.h"
#include "domain/settings.h"
#include "engine/llamacpp/arch.h"
#include "engine/llamacpp/placement.h"

struct pl_weights {
    uint64_t mapped;     /* used where they lie in the file */
    uint64_t repacked;   /* converted copies */
    uint64_t source;     /* file bytes of the converted ones */
    uint64_t maybe_copy; /* tied embedding: a converted copy, if the unknown CPU makes one */
    uint64_t undecided;  /* of `mapped`: may be converted, CPU unknown */
    uint64_t largest;    /* largest converted tensor */
    uint64_t unused;     /* in the file, not loaded: layers for multi-token prediction */
    uint64_t looked_up;  /* of `mapped`: an untied embedding, of which a token takes a row */
    uint64_t lazy;       /* of `unused`: tables read row by row */
    uint64_t twice;      /* of `mapped`: a tied embedding's second copy */
    uint64_t elsewhere;  /* in the file, used on devices alone */
    uint64_t between;    /* of them what lies between tensors of the host: stays mapped */
};

/* "blk.12.attn_q.weight": true, 12. */
bool pl_tensor_layer(const char *name, uint64_t *ret_il);

/* Does the engine load this tensor? Not those of layers beyond the trunk. */
bool pl_llamacpp_loads(const struct pl_net *net, const struct pl_tensor *t);

/* Are rows of this table read from the file when they are asked for (-lzm), so that it is never
 * resident as a whole? */
bool pl_llamacpp_lazy(const struct pl_net *net, enum pl_tri lazy, const struct pl_tensor *t);

/* A tied embedding that the engine asks for as output first and then makes anew: with a mapping
 * both are the same pages, without one it is read twice. */
bool pl_llamacpp_read_twice(const struct pl_net *net, const struct pl_placement *place,
                            const struct pl_cpu *cpu, bool mapped, const struct pl_tensor *t);

/* What of them lies on the host. cpu NULL: unknown features. mapped: is the file? */
struct pl_weights pl_llamacpp_weights(const struct pl_model *m, const struct pl_net *net,
                                      const struct pl_placement *place, const struct pl_cpu *cpu,
                                      enum pl_tri lazy, bool mapped);

/* Of a mapped file: bytes of the embedding, where it is no output too and a share of the file that
 * tells. A row of it is read at a time, so that the kernel takes its pages back first. */
uint64_t pl_llamacpp_reclaimable(const struct pl_model *m, const struct pl_weights *w);

#endif
