/* The rules of mix.c, one row each. For mix.c and outline.c, which visit the tensors. */
#ifndef PL_MODEL_MIX_RULES_H
#define PL_MODEL_MIX_RULES_H

#include "model/mix.h"

#include "domain/model.h"

#define PL_MIX_CLASSES 9
#define PL_MIX_CLASS_RULES 8 /* of one class and mix; five are the most */

struct pl_mix_rule;

/* What the rules see of a tensor, whatever the mix. */
struct pl_mix_traits {
    uint8_t class;   /* enum pl_class; of the token embedding before it is known to be tied */
    bool token;      /* the token embedding: an output where there is no other */
    bool output;     /* output.weight */
    bool stored_f32; /* the converter keeps it as F32 */
    bool quantised;  /* the quantiser takes it */
    bool up;         /* of the feed-forward classes */
};

void pl_mix_traits(const struct pl_tensor *t, struct pl_mix_traits *ret);

/* What is counted while the tensors are visited in llama-quantize's order. */
struct pl_mix_walk {
    const struct pl_mix *mix;
    const struct pl_mix_facts *facts;
    const struct pl_mix_rule *rule[PL_MIX_CLASSES][PL_MIX_CLASS_RULES]; /* of this mix, in order */
    uint8_t n_rule[PL_MIX_CLASSES];
    uint32_t fixed;                 /* the conditions that do not depend on the tensor */
    bool eighty;                    /* llama.cpp's type 70B */
    uint64_t n_value;               /* tensors of class value */
    uint64_t value, down, gate, up; /* running indices */
    bool tied;                      /* no output.weight in the list */
};

void pl_mix_walk_start(struct pl_mix_walk *w, const struct pl_mix *mix,
                       const struct pl_mix_facts *facts);

/* First pass: counts n tensors of these traits. */
void pl_mix_walk_count(struct pl_mix_walk *w, const struct pl_mix_traits *t, uint64_t n);

/* Second pass, in order: the type of a tensor with lengths ne. layer is -1 outside the blocks. */
uint32_t pl_mix_walk_type(struct pl_mix_walk *w, const struct pl_mix_traits *t, const uint64_t *ne,
                          int64_t layer);

#endif
